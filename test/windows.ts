/** Windows of a source in tests: written by it, or for it, and read back as values. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { writeRows } from '../src/connectors/windows/seal.ts'
import type { Engine } from '../src/core/engine.ts'
import type { Row, Schema } from '../src/core/schema.ts'
import type { Position, SourceRange, TableSource } from '../src/core/source.ts'
import { Database } from '../src/engines/duckdb/database.ts'
import { openDuckdbEngine } from '../src/engines/duckdb/engine.ts'
import { valueSql } from '../src/resolve/duckdb-batch.ts'
import { quoteText } from '../src/sql/quote.ts'

/** An engine for the tests of one file, whose process is started with the first call. */
export function engineOfTests(): Engine {
  const spool = mkdtempSync(join(tmpdir(), 'sluice-engine-'))
  const engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool })
  after(async () => {
    await engine.close()
    rmSync(spool, { recursive: true, force: true })
  })
  return engine
}

const opened: { database: Promise<Database> | null } = { database: null }

export interface ReadWindows {
  rows: Row[]
  /** Lines of the rests. */
  odd: string[]
  last: Position | null
  next: Position | null
  /** Rows of each window, those of its rest too. */
  sizes: number[]
}

/** Reads a range; with a count as one window of so many rows at most. */
export async function readWindows(source: TableSource, range: SourceRange, signal: AbortSignal, most = { rows: range.count ?? 1e6, bytes: 1e9 }): Promise<ReadWindows> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-windows-'))
  const files = (at: number): { parquet: string; rest: string; text: string } => ({ parquet: join(folder, `${at}.parquet`), rest: join(folder, `${at}.ndjson`), text: join(folder, `${at}.text`) })
  mkdirSync(join(folder, 'spill'))
  try {
    const { schema } = await source.columns()
    const read: ReadWindows = { rows: [], odd: [], last: null, next: null, sizes: [] }
    const windows = 'write' in source ? source.write(range, most, files, signal) : writeRows(source, schema, range, most, files, signal)
    for await (const { rows, last, next, written } of windows) {
      const { parquet, rest } = files(read.sizes.length)
      const odd = await written
      read.rows.push(...(await rowsOfWindow(parquet, schema)))
      if (odd > 0) read.odd.push(...readFileSync(rest, 'utf8').trimEnd().split('\n'))
      Object.assign(read, { last, next })
      read.sizes.push(rows)
    }
    return read
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function rowsOfWindow(path: string, schema: Schema): Promise<Row[]> {
  const temp = join(tmpdir(), 'sluice-windows-spill')
  opened.database ??= Database.open({ threads: 1, memory: 200e6, temp })
  const connection = await (await opened.database).connect()
  const rows: Row[] = []
  for await (const chunk of connection.stream(`SELECT ${schema.map((column) => valueSql(column)).join(', ')} FROM read_parquet(${quoteText(path)})`)) rows.push(...chunk)
  await connection.close()
  return rows
}
