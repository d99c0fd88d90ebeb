/** The console port: one SELECT on the tables of a place, which it cannot change. */
import type { ColumnType, Row } from './schema.ts'

/** A table as a SQL engine reads it. */
export interface Relation {
  name: string
  /** The rows, in the engine's SQL. */
  select: string
  /** All that the engine may open for it. */
  files: readonly string[]
}

export interface AnswerColumn {
  name: string
  /** Null: every value has a type of its own (SQLite). */
  type: ColumnType | null
  /** The database's own word for the type; empty where it has none. */
  declared: string
}

export interface Answer {
  columns: readonly AnswerColumn[]
  /** Values of the columns, chunk by chunk, never more than the reader asks for. To be read to its end or left once. */
  rows: AsyncIterable<Row[]>
}

/** One question at a time. */
export interface Console {
  /** Names that a query may use. */
  readonly tables: readonly string[]
  /**
   * Asks. `typed`: every column shall have one type. An aborted signal ends the process that works on it, and the console with it.
   * @throws SluiceError SQL_INVALID with the place in the text · SQL_REFUSED for anything but one SELECT · SQL_FAILED, MEMORY_EXHAUSTED,
   *   DISK_FULL, ENGINE_DIED while it runs · the signal's reason
   */
  ask(sql: string, options: { signal: AbortSignal; typed?: boolean }): Promise<Answer>
  close(): Promise<void>
}
