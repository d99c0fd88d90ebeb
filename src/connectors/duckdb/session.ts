/**
 * A session with a DuckDB file, in a process of the engine: the file is attached to its database in memory, and let go when
 * the session is closed. One process at a time may have a file that is written to.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine, Session } from '../../core/engine.ts'
import type { SqlValue } from '../../core/effects.ts'
import { SluiceError } from '../../core/errors.ts'
import { crash } from '../../core/failpoint.ts'
import { writtenSql } from '../../database/session.ts'
import type { Count, DatabaseSession, SqlRow, Writing } from '../../database/session.ts'
import { quoteText } from '../../sql/quote.ts'
import { CATALOG } from './dialect.ts'

/** Rows that a listing holds at once. */
const CHUNK = 1000
const PAGES = '_sluice_pages'

/** Files that this process had attached, to name the next one. */
let attached = 0

export class DuckdbSession implements DatabaseSession {
  readonly engine: Session
  private readonly path: string
  private readonly catalog = `${CATALOG}_${++attached}`
  private release: (() => void) | null
  private writes = true

  /** @param release lets others have the file */
  constructor(engine: Session, path: string, release: () => void) {
    this.engine = engine
    this.path = path
    this.release = release
  }

  async attach(writes: boolean): Promise<void> {
    // Without a type DuckDB guesses one from the name and the bytes: of items.ndjson or a SQLite file it makes something else.
    const attach = `ATTACH ${quoteText(this.path)} AS ${this.catalog} (TYPE duckdb${writes ? '' : ', READ_ONLY'})`
    try {
      await this.ask(`${attach}; USE ${this.catalog}`)
    } catch (thrown) {
      // Where it failed between the two the file is held.
      const held = await this.ask(`DETACH DATABASE IF EXISTS ${this.catalog}`).then(() => false, () => true)
      await this.engine.close(held)
      throw thrown
    }
    this.writes = writes
  }

  /** Rows of so many columns come. While they are written a block of 256 kB of each is held, as much again as two chunks and all that is counted beside them. */
  async widen(columns: number): Promise<void> {
    await this.engine.widen(columns, 3)
  }

  private async ask(sql: string): Promise<SqlRow[]> {
    try {
      return await this.engine.rows(sql)
    } catch (thrown) {
      throw fileError(thrown, this.path)
    }
  }

  all(sql: string, values: readonly SqlValue[] = []): Promise<SqlRow[]> {
    return this.ask(withValues(sql, values))
  }

  /** Laid aside first: so the file is free for others while the pages are looked at. */
  async *pages(sql: string, values: readonly SqlValue[] = []): AsyncGenerator<SqlRow[]> {
    await this.ask(`CREATE TEMP TABLE ${PAGES} AS ${withValues(sql, values)}`)
    await this.detach()
    for (let from = 0; ; from += CHUNK) {
      const rows = await this.ask(`SELECT * FROM ${PAGES} WHERE rowid >= ${from} AND rowid < ${from + CHUNK} ORDER BY rowid`)
      if (rows.length > 0) yield rows
      if (rows.length < CHUNK) return
    }
  }

  async run(point: string, sql: string, values: readonly SqlValue[] = []): Promise<number> {
    crash(`${point}.before`)
    const [row] = await this.ask(withValues(sql, values))
    crash(`${point}.after`)
    return Number(row?.['Count'] ?? 0)
  }

  async write(writing: Writing): Promise<Count[]> {
    const { point, sql, values = [], into } = writing
    const updates = sql.startsWith('UPDATE')
    // Rows of before have lower numbers, also those that this transaction wrote; these lie above 2^53.
    const [mark] = updates ? [] : await this.ask(`SELECT coalesce(max(rowid), -1) AS n FROM ${into}`)
    await this.run(point, sql, values)
    const rows = await this.ask(writtenSql(writing, String(mark?.['n'])))
    return rows.map((row) => ({ seq: Number(row['seq']), what: String(row['what']), n: Number(row['n']) }))
  }

  async transaction<T>(point: string, work: () => Promise<T>): Promise<T> {
    await this.ask('BEGIN TRANSACTION')
    let result: T
    try {
      result = await work()
      crash(`${point}.before`)
    } catch (thrown) {
      await this.ask('ROLLBACK').catch(() => undefined)
      throw thrown
    }
    await this.ask('COMMIT').catch((thrown: unknown) => {
      // A process that died may have written it: only the file knows.
      if (!(thrown instanceof SluiceError) || thrown.code !== 'ENGINE_DIED') throw thrown
      throw new SluiceError('COMMIT_UNKNOWN', `The engine's process ended while the commit was under way: ${thrown.message}`, { cause: thrown })
    })
    crash(`${point}.after`)
    return result
  }

  /** There are no savepoints: what is thrown ends the transaction. */
  attempt<T>(work: () => Promise<T>): Promise<T> {
    return work()
  }

  /** A file that was opened to be read cannot change meanwhile: who would write waits, in this process and elsewhere. */
  async snapshot<T>(work: () => Promise<T>): Promise<T> {
    if (!this.writes) return work()
    await this.ask('BEGIN TRANSACTION')
    try {
      return await work()
    } finally {
      await this.ask('ROLLBACK').catch(() => undefined)
    }
  }

  /** Lets others have the file; what lies in temporary tables stays. */
  async detach(): Promise<void> {
    if (this.release === null) return
    crash('duckdb.detach.before')
    await this.ask(`USE memory; DETACH ${this.catalog}`)
    this.letGo()
  }

  private letGo(): void {
    this.release?.()
    this.release = null
  }

  async close(): Promise<void> {
    // A file that DuckDB gave up, or one in the middle of something, cannot be detached: only the end of its process frees it.
    const held = await this.detach().then(() => false, () => true)
    await this.engine.close(held)
    this.letGo()
  }
}

/** Who waits for a file in this process: each begins when the one before has let it go. */
const queues = new Map<string, Promise<void>>()

/** Answers what lets the next one have it. */
export async function inTurn(file: string): Promise<() => void> {
  const before = queues.get(file)
  const { promise, resolve } = Promise.withResolvers<void>()
  queues.set(file, promise)
  await before
  return () => {
    if (queues.get(file) === promise) queues.delete(file)
    resolve()
  }
}

/** A session with a file, when it is its turn and nobody else has the file. @param tries how often it is asked for at most, ten times a second */
export async function openSession(engine: Engine, file: string, writes: boolean, { signal, tries }: { signal?: AbortSignal; tries?: number } = {}): Promise<DuckdbSession> {
  const release = await inTurn(file)
  const attached = async (): Promise<DuckdbSession> => {
    const session = new DuckdbSession(await engine.session(signal), file, release)
    try {
      await session.attach(writes)
    } catch (thrown) {
      await session.engine.close()
      throw thrown
    }
    return session
  }
  try {
    return await whenFree(file, attached, signal, tries)
  } catch (thrown) {
    release()
    throw thrown
  }
}

/** A file that another process has is asked for again for a minute. */
const TRIES = 600
const WAIT_MS = 100

/** Opens a file as soon as nobody else has it. @throws SluiceError BUSY, and what `fileError` makes of the rest */
export async function whenFree<T>(path: string, open: () => Promise<T>, signal?: AbortSignal, most = TRIES): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      signal?.throwIfAborted()
      return await open()
    } catch (thrown) {
      if (!(thrown instanceof SluiceError)) throw thrown
      const error = fileError(thrown, path)
      if (error.code !== 'BUSY' || tries >= most) throw error
      await sleep(WAIT_MS)
    }
  }
}

/** `$1`, `$2`, … as literals, but not in what is quoted. */
export function withValues(sql: string, values: readonly SqlValue[]): string {
  if (values.length === 0) return sql
  return sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\d+)/g, (found, number: string | undefined) => {
    if (number === undefined) return found
    const value = values[Number(number) - 1]
    if (value === undefined || value instanceof Uint8Array) throw new SluiceError('INTERNAL', `A statement asks for value ${number}; there are ${values.length}.`)
    return literal(value)
  })
}

function literal(value: Exclude<SqlValue, Uint8Array>): string {
  if (value === null) return 'NULL'
  return typeof value === 'string' ? quoteText(value) : String(value)
}

/** What DuckDB says of a file, as codes of Sluice: it has no codes of its own. */
export function fileError(thrown: unknown, path: string): SluiceError {
  if (!(thrown instanceof SluiceError)) return new SluiceError('INTERNAL', String(thrown), { cause: thrown })
  const { message } = thrown
  const where = { path }
  const said = message.split('\nin: ')[0] ?? message
  if (/Could not set lock on file|Conflicting lock|Unique file handle conflict|already attached/.test(message)) return new SluiceError('BUSY', `${path} is in use by another process: ${said}`, { where, cause: thrown })
  if (/is not a valid DuckDB database file/.test(message)) return new SluiceError('TABLE_FOREIGN', `${path} is no DuckDB file.`, { where, cause: thrown })
  if (/with version number|newer version of DuckDB|storage version/i.test(message)) return new SluiceError('TABLE_UNSUPPORTED', `${path}: ${said}`, { where, cause: thrown, hint: 'Use the version of DuckDB that wrote it, or load into another file.' })
  if (message.startsWith('Constraint Error')) {
    return new SluiceError('ROWS_REFUSED', `${path}: ${said}`, { where, cause: thrown, hint: 'DuckDB tells of the first such row only, and nothing was committed.' })
  }
  if (/Permission denied|Read-only file system/.test(message)) return new SluiceError('PERMISSION_DENIED', `${path}: ${said}`, { where, cause: thrown })
  return thrown
}

/** What DuckDB says of a row that was written, in one line; null: it failed for another reason. */
export function refusalOf(thrown: unknown): string | null {
  if (!(thrown instanceof SluiceError)) return null
  const { message } = thrown.cause instanceof SluiceError ? thrown.cause : thrown
  const [said = '', sql = ''] = message.split('\nin: ')
  if (!/^(Constraint|Conversion|Out of Range|Invalid Input) Error: /.test(said) || !/^(INSERT INTO|UPDATE) /.test(sql)) return null
  return (said.split('\n')[0] ?? '').replace(/^[A-Z][A-Za-z ]* Error: /, '')
}
