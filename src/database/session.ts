/**
 * One session with a database, as the code that all database targets share sees it.
 *
 * Values are given as `$1`, `$2`, …; a session whose library has no such values writes them as literals. Integers are
 * answered as bigint, doubles as number, booleans as such where the database has them, everything else as text or null.
 */
import type { SqlValue } from '../core/effects.ts'

export type SqlRow = Record<string, SqlValue>

/** A statement that writes rows which are counted. */
export interface Writing {
  /** Failpoints `<point>.before` and `<point>.after`. */
  point: string
  /** `INSERT INTO … SELECT …` or `UPDATE … FROM …`, to which `RETURNING` may be added. */
  sql: string
  values?: readonly SqlValue[]
  /** The table that is written to, and its columns (of alias `t` in an update) that hold the place and what is told apart. */
  into: string
  place: string
  what?: string
  /** The row id of `into`; `rowid` without. */
  id?: string
  /**
   * For databases that cannot count what a statement returns: a condition on `t` that holds for the rows of an update
   * afterwards. An insert is counted by row numbers.
   */
  standing?: string
  /** The table is one that others made, so its row ids tell nothing. */
  foreign?: boolean
}

/** Rows that were written, of one arrival and one kind. */
export interface Count {
  seq: number
  /** Value of `what`; empty without one. */
  what: string
  n: number
}

export interface DatabaseSession {
  all(sql: string, values?: readonly SqlValue[]): Promise<SqlRow[]>
  /** Chunks of a large answer. Nothing else may be asked of the session until the end. */
  pages(sql: string, values?: readonly SqlValue[]): AsyncIterable<SqlRow[]>
  /** One changing statement, with failpoints on both sides; answers how many rows it touched. */
  run(point: string, sql: string, values?: readonly SqlValue[]): Promise<number>
  /** Counts the rows that a statement wrote: as the database returned them, or as they stand afterwards. */
  write(writing: Writing): Promise<Count[]>
  /**
   * All or nothing, with failpoints around the commit.
   * @throws SluiceError COMMIT_UNKNOWN when the connection was lost while it committed
   */
  transaction<T>(point: string, work: () => Promise<T>): Promise<T>
  /**
   * Within a transaction: what `work` did is taken back when it throws, and the transaction goes on. Where a database has no
   * such thing, what it throws ends the transaction.
   */
  attempt<T>(work: () => Promise<T>): Promise<T>
  /** Everything that `work` reads comes from one state of the database. */
  snapshot<T>(work: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** The first row of an answer. */
export async function first(session: Pick<DatabaseSession, 'all'>, sql: string, values: readonly SqlValue[] = []): Promise<SqlRow | undefined> {
  return (await session.all(sql, values))[0]
}

/** Counts what a statement wrote, where it cannot return it. @param mark the highest row id before it */
export function writtenSql({ sql, into, place, what, id = 'rowid', standing }: Writing, mark: string): string {
  const where = sql.startsWith('UPDATE') ? (standing ?? 'false') : `t.${id} > ${mark}`
  const kind = what === undefined ? `''` : `CAST(t.${what} AS TEXT)`
  return `SELECT t.${place} >> 32 AS seq, ${kind} AS what, count(*) AS n FROM ${into} AS t WHERE ${where} GROUP BY 1${what === undefined ? '' : ', 2'}`
}

/** Of all arrivals together, perhaps of one kind only. */
export function total(counts: readonly Count[], what?: string): number {
  return counts.reduce((sum, count) => (what === undefined || count.what === what ? sum + count.n : sum), 0)
}
