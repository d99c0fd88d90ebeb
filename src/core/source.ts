/** The source ports: where arrivals come from, and tables of databases that become arrivals window by window. */
import type { Pin } from './arrival.ts'
import type { Mark } from './mark.ts'
import type { Row, Schema } from './schema.ts'

export interface Discovery {
  /** In no order: most of them are known in most runs, and only what is new is numbered. */
  pins: Pin[]
  /** Left out by the rules: hidden names, unfinished copies, other extensions, links. */
  ignored: number
  /** SHA-256 of those that are known to the one who lists them, by uri. */
  hashes?: ReadonlyMap<string, string>
  /** To be offered when what `pins` bring is in: records that shall not have a say in the types of a new table. */
  later?: Pin[]
}

export interface Source {
  /**
   * Lists what there is. Cheap; may be repeated.
   * @throws SluiceError PATH_NOT_FOUND, PERMISSION_DENIED
   */
  discover(signal?: AbortSignal): Promise<Discovery>
  /** The order in which arrivals are numbered: negative when `a` comes first. */
  compare(a: Pin, b: Pin): number
}

/** Where a row lies in the order of a read: its cursor, then its key. */
export interface Position {
  cursor: Mark
  key: readonly Mark[]
}

/** What to read. `after`: behind this row · `from`: from this cursor on, itself too · both null: from the beginning. */
export interface SourceRange {
  after: Position | null
  from: Mark | null
  /** The last cursor that is read; null: a whole snapshot, without a cursor. */
  until: Mark | null
  /** Rows at most; null: all. */
  count: number | null
}

export interface SourceChunk {
  /** Values of the schema; of a row in `odd` they do not count. */
  rows: readonly Row[]
  /** Rows that hold a value which is none of its column's type, by their index: the row as a JSON object, for the load to decide. */
  odd: ReadonlyMap<number, string>
  position(at: number): Position
}

/** A table or query of a database, for reading. One read at a time. */
interface AnySource {
  /** Columns with the types that the catalog says, and what a user should hear about them. @throws SluiceError SOURCE_INVALID */
  columns(): Promise<{ schema: Schema; notices: readonly string[] }>
  /**
   * The highest cursor there is now; null: no row.
   * @throws SluiceError SOURCE_UNSUITABLE when rows lack their cursor or a part of their key: no window would ever reach them
   */
  newest(): Promise<Mark | null>
  close(): Promise<void>
}

/** A source whose rows pass through this process as values. */
export interface RowSource extends AnySource {
  /** Rows in the order of cursor and key (a snapshot: of the key); what is committed meanwhile may be in it or not. */
  rows(range: SourceRange, signal: AbortSignal): AsyncIterable<SourceChunk>
}

/** Where a window is written: files that are not there yet, in a folder that is. */
export interface WindowFiles {
  /** The rows as Parquet, in their order and with the types of the schema. */
  parquet: string
  /** Rows that hold a value which is none of its column's type, a JSON object a line; not made without such rows. */
  rest: string
  /** For whatever is needed on the way; gone when the window is written. */
  text: string
}

/** A window whose rows are read; they may still be on their way into its files. */
export interface WindowRows {
  /** At least 1. */
  rows: number
  /** Where its last row lies, and the row behind that one; `next` null: the range ends here. Both null in a snapshot. */
  last: Position | null
  next: Position | null
  /** Settles when the files are whole and on the disk; answers how many rows are in the rest. */
  written: Promise<number>
}

/** A source whose rows others write into the files of a window: no value passes through this process. */
export interface FileSource extends AnySource {
  /**
   * The rows of a range, in the order of `RowSource.rows`, into windows of at most so many rows and about so many bytes:
   * one window, or with a range of a snapshot as many as it takes. `written` may settle later than the window is told of, and
   * then the next one is read meanwhile (PostgreSQL); or be settled by then (DuckDB). Without rows there is no window. Who ends
   * early waits for `written` all the same.
   * @param files called once per window, with its number from 0
   */
  write(range: SourceRange, most: WindowSize, files: (window: number) => WindowFiles, signal: AbortSignal): AsyncIterable<WindowRows>
}

export interface WindowSize {
  rows: number
  bytes: number
}

export type TableSource = RowSource | FileSource
