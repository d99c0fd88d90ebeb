/**
 * The SQL console on files: a process of its own without our variables, which sees the tables as views and can open nothing
 * else. Ending it is how a query is cancelled.
 */
import { availableParallelism } from 'node:os'
import type { AnswerColumn, Console, Relation } from '../../core/console.ts'
import { chunksOf } from './engine.ts'
import { Pool } from './pool.ts'
import type { ConsoleFile } from './protocol.ts'
import { divide } from './share.ts'

export interface ConsoleOptions {
  /** Bytes for its process. */
  memory: number
  /** Existing folder for what does not fit into memory. */
  spool: string
  /** Bytes that it may put there. */
  spill: number
  relations: readonly Relation[]
  /** Its tables are shown beside the relations; it is open for reading as long as the console is. */
  file?: ConsoleFile
}

/** @throws SluiceError MEMORY_TOO_SMALL, ENGINE_DIED */
export async function openDuckdbConsole({ memory, spool, spill, relations, file }: ConsoleOptions): Promise<Console> {
  const pool = new Pool(divide(memory, availableParallelism(), 1), () => spool, true)
  const worker = await pool.take('stage')
  let tables: readonly string[]
  try {
    tables = (await worker.call({ do: 'console', setup: { relations, spill, ...(file === undefined ? {} : { file }) } }).answer) as string[]
  } catch (thrown) {
    await pool.close()
    throw thrown
  }
  return {
    tables,
    async ask(sql, { signal }) {
      const columns = (await worker.call({ do: 'ask', sql }, {}, signal).answer) as AnswerColumn[]
      return { columns, rows: chunksOf(worker, { do: 'answer' }, signal) }
    },
    close: () => pool.close(),
  }
}
