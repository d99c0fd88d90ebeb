/**
 * A session with a SQLite file as the code that all databases share sees it. SQLite itself never waits, so nothing else of
 * this process comes between the statements of a transaction.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SqlValue } from '../../core/effects.ts'
import { SluiceError } from '../../core/errors.ts'
import { crash } from '../../core/failpoint.ts'
import { total, writtenSql } from '../../database/session.ts'
import type { Count, DatabaseSession, SqlRow, Writing } from '../../database/session.ts'
import type { SqliteSession } from '../../sql/sqlite.ts'

/** Rows that a listing holds at once. */
const CHUNK = 1000
/** A locked file is tried again for a minute; in between the process goes on with its other work. */
const TRIES = 300
export const WAIT_MS = 100

/** Primary result code of SQLite: a row that must not be, such as a key that is there already. */
const CONSTRAINT = 19

/** What SQLite itself says, when it is what was thrown: its primary result code, and its words. */
export function saidBy(thrown: unknown): { code: number; message: string } | null {
  const cause = thrown instanceof SluiceError ? thrown.cause : thrown
  return cause instanceof Error && 'errcode' in cause ? { code: Number(cause.errcode) & 0xff, message: cause.message } : null
}

export function isConstraint(thrown: unknown): boolean {
  return saidBy(thrown)?.code === CONSTRAINT
}

/** Has a statement that makes a table a clause on what is to be done with a row that it refuses? */
export function saysConflict(sql: string): boolean {
  return /\bON\s+CONFLICT\b/i.test(sql)
}

export async function patiently<T>(work: () => T, signal?: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted()
    try {
      return work()
    } catch (thrown) {
      if (!(thrown instanceof SluiceError) || thrown.code !== 'BUSY' || tries >= TRIES) throw thrown
      await sleep(WAIT_MS, undefined, signal === undefined ? {} : { signal })
    }
  }
}

export class FileSession implements DatabaseSession {
  readonly db: SqliteSession
  private readonly signal: AbortSignal | undefined
  /** Does a table, as it is written in SQL, say itself what is to be done with a row that it refuses? */
  private readonly saying = new Map<string, boolean>()
  /** Depth of savepoints. */
  private attempts = 0

  constructor(db: SqliteSession, signal?: AbortSignal) {
    this.db = db
    this.signal = signal
  }

  async all(sql: string, values: readonly SqlValue[] = []): Promise<SqlRow[]> {
    return this.db.all(numbered(sql), values)
  }

  async *pages(sql: string, values: readonly SqlValue[] = []): AsyncGenerator<SqlRow[]> {
    this.db.exec('sqlite.settings', 'PRAGMA temp_store = FILE')
    let chunk: SqlRow[] = []
    for (const row of this.db.iterate(numbered(sql), values)) {
      chunk.push(row)
      if (chunk.length < CHUNK) continue
      yield chunk
      chunk = []
    }
    if (chunk.length > 0) yield chunk
  }

  async run(point: string, sql: string, values: readonly SqlValue[] = []): Promise<number> {
    return this.db.run(point, numbered(sql), values)
  }

  async write(writing: Writing): Promise<Count[]> {
    const { point, sql, values = [], into, id = 'rowid', foreign = false } = writing
    if (foreign) return this.returned(writing)
    const mark = this.db.get(`SELECT coalesce(max(${id}), 0) AS n FROM ${into}`)?.['n']
    const changed = this.db.run(point, numbered(sql), values)
    if (changed === 0) return []
    const counts = this.db.all(writtenSql(writing, String(mark))).map((row) => ({ seq: Number(row['seq']), what: String(row['what']), n: Number(row['n']) }))
    if (total(counts) !== changed) throw new SluiceError('BALANCE_BROKEN', `The numbers do not add up, nothing was committed: SQLite changed ${changed} rows of ${into}, ${total(counts)} are found.`)
    return counts
  }

  /**
   * In a table of others row numbers may be anybody's values, so what was written is told row by row. What the table says to do
   * with a row that it refuses, such as taking another one out for it, does not count here. Only where it says so: what a
   * statement says holds for the statements of its triggers as well, whatever they say themselves.
   */
  private returned({ point, sql, values = [], into, place, what }: Writing): Count[] {
    const counts = new Map<string, Count>()
    const own = this.says(into) ? sql.replace(/^(INSERT|UPDATE)/, '$1 OR ABORT') : sql
    crash(`${point}.before`)
    for (const [seq, kind] of this.db.tuples(numbered(`${own} RETURNING ${place} >> 32${what === undefined ? '' : `, CAST(${what} AS TEXT)`}`), values)) {
      const told = `${String(seq)} ${String(kind)}`
      const count = counts.get(told) ?? { seq: Number(seq), what: what === undefined ? '' : String(kind), n: 0 }
      count.n++
      counts.set(told, count)
    }
    crash(`${point}.after`)
    return [...counts.values()]
  }

  private says(into: string): boolean {
    let found = this.saying.get(into)
    if (found === undefined) {
      const made = this.db.get(`SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND 'main."' || replace(name, '"', '""') || '"' = ?`, [into])
      this.saying.set(into, (found = saysConflict(String(made?.['sql'] ?? ''))))
    }
    return found
  }

  /** Waits for other writers, but never repeats work that had begun. */
  async transaction<T>(point: string, work: () => Promise<T>): Promise<T> {
    await patiently(() => this.db.begin('IMMEDIATE'), this.signal)
    try {
      const result = await work()
      crash(`${point}.before`)
      this.commit()
      crash(`${point}.after`)
      return result
    } catch (thrown) {
      this.db.rollback()
      throw thrown
    }
  }

  async attempt<T>(work: () => Promise<T>): Promise<T> {
    const name = `sluice_${this.attempts++}`
    this.db.change(`SAVEPOINT ${name}`)
    try {
      const result = await work()
      this.db.change(`RELEASE ${name}`)
      return result
    } catch (thrown) {
      // So does a full disk, which is nothing that the table says.
      if (!this.db.inTransaction && !isConstraint(thrown)) throw thrown
      if (!this.db.inTransaction) throw new SluiceError('ROWS_REFUSED', `The table itself ended the transaction: ${saidBy(thrown)?.message ?? String(thrown)}`, { cause: thrown, hint: 'A trigger of it says RAISE(ROLLBACK); with RAISE(ABORT) the row is put aside alone.' })
      for (const end of ['ROLLBACK TO', 'RELEASE']) this.db.change(`${end} ${name}`)
      throw thrown
    } finally {
      this.attempts--
    }
  }

  /** Only here does SQLite ask what a table of others puts off until the end. */
  private commit(): void {
    try {
      this.db.commit()
    } catch (thrown) {
      if (!isConstraint(thrown)) throw thrown
      throw new SluiceError('ROWS_REFUSED', `SQLite refuses the commit: ${saidBy(thrown)?.message ?? ''}, which a foreign key that is deferred puts off until then.`, { cause: thrown })
    }
  }

  async snapshot<T>(work: () => Promise<T>): Promise<T> {
    this.db.begin('DEFERRED')
    try {
      return await work()
    } finally {
      this.db.rollback()
    }
  }

  async close(): Promise<void> {
    this.db.close()
  }
}

/** `$1`, `$2`, … as SQLite counts values; not in what is quoted. */
function numbered(sql: string): string {
  return sql.includes('$') ? sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?=\d)/g, (found) => (found === '$' ? '?' : found)) : sql
}
