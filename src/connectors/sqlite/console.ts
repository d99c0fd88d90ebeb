/** The SQL console on a SQLite file: the parent's end of `console-child.ts`. Rows are pulled chunk by chunk. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isCode } from '../../core/codes.ts'
import type { Answer, Console } from '../../core/console.ts'
import type { SqlValue } from '../../core/effects.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Where } from '../../core/errors.ts'
import type { Row, Value } from '../../core/schema.ts'
import { openForReading } from '../../sql/sqlite.ts'

export type ValueType = 'int64' | 'double' | 'string'
export type ToChild = { do: 'ask'; path: string; sql: string; typed: boolean } | { do: 'more' }
export type FromChild =
  | { columns: { name: string; declared: string; type: ValueType | null }[] }
  | { rows: SqlValue[][]; end: boolean }
  | { code: string; message: string; where: Where; hint: string }

const CHILD = fileURLToPath(new URL(`./console-child${extname(fileURLToPath(import.meta.url))}`, import.meta.url))

/** @param path absolute path of a SQLite file. @throws SluiceError NOT_FOUND, PERMISSION_DENIED, TABLE_FOREIGN */
export function openSqliteConsole(path: string): Console {
  const session = openForReading('sql.rollback', path)
  let tables: string[]
  try {
    tables = session.all("SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_sluice\\_%' ESCAPE '\\' ORDER BY name").map(({ name }) => String(name))
  } finally {
    session.close()
  }
  let child: ChildProcess | null = null
  return {
    tables,
    async ask(sql, { signal, typed = false }) {
      child ??= fork(CHILD, [], { serialization: 'advanced', execArgv: [], env: {}, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
      const process = child
      const said = await call(process, { do: 'ask', path, sql, typed }, signal)
      if (!('columns' in said)) throw new SluiceError('INTERNAL', 'The reader of SQLite answered something else.')
      return { columns: said.columns, rows: chunks(process, signal) } satisfies Answer
    },
    close: async () => {
      child?.kill('SIGKILL')
      child = null
    },
  }
}

async function* chunks(child: ChildProcess, signal: AbortSignal): AsyncGenerator<Row[]> {
  for (;;) {
    const said = await call(child, { do: 'more' }, signal)
    if (!('rows' in said)) throw new SluiceError('INTERNAL', 'The reader of SQLite answered something else.')
    if (said.rows.length > 0) yield said.rows.map((row) => row.map(valueOf))
    if (said.end) return
  }
}

function valueOf(value: SqlValue): Value {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
}

function call(child: ChildProcess, message: ToChild, signal: AbortSignal): Promise<FromChild> {
  const { promise, resolve, reject } = Promise.withResolvers<FromChild>()
  const abort = (): void => {
    child.kill('SIGKILL')
    reject(signal.reason)
  }
  const gone = (): void => reject(new SluiceError('ENGINE_DIED', 'The process that read the SQLite file died.'))
  const hear = (said: FromChild): void => {
    if ('code' in said) reject(new SluiceError(isCode(said.code) ? said.code : 'INTERNAL', said.message, { where: said.where, hint: said.hint }))
    else resolve(said)
  }
  child.once('message', hear)
  child.once('close', gone)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  else child.send(message, (error) => error !== null && gone())
  return promise.finally(() => {
    child.off('message', hear)
    child.off('close', gone)
    signal.removeEventListener('abort', abort)
  })
}
