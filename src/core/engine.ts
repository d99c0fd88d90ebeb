/**
 * The engine port: what does the relational work. It keeps nothing: immutable parts in, SQL, immutable parts out.
 */
import type { Arrival, ArrivalOutcome } from './arrival.ts'
import type { Definition } from './definition.ts'
import type { Fault } from './errors.ts'
import type { ByDate, Covered } from './interval.ts'
import type { LeftOut } from './proposal.ts'
import type { Reading } from './reading.ts'
import type { Row, Schema } from './schema.ts'

/** Arrivals pinned together durably before anyone reads them. One batch, one commit. */
export interface Batch {
  id: string
  lane: number
  /** Grows with every batch of its lane; a target that saw a higher one refuses this one. */
  fence: number
  table: string
  /** In seq order. */
  arrivals: readonly Arrival[]
}

/** Most rows of a part, so of a data file. */
export const PART_ROWS = 1_000_000

/** An immutable Parquet file on local disk. */
export interface Part {
  uri: string
  rows: number
  /** Of a records part, if known: its first and last place. */
  places?: { lowest: bigint; highest: bigint }
  /** Of a records part whose keys were hashed while it was written: where they lie, by row group. */
  keys?: readonly KeyGroup[]
}

/** Byte ranges of values in a part, as Parquet's PLAIN; every row has one in each. */
export interface KeyGroup {
  rows: number
  /** 64 bits, equal for equal keys; no column of the file. */
  hash: Run
  /** The hashes were looked at while they were written, see `Likes`. */
  looked?: boolean
  place: Run
  /** In the order of the definition. */
  key: readonly Run[]
}
export interface Run {
  at: number
  bytes: number
}

/** Column of records parts beside the schema's: byte offset of the record in its arrival. */
export const OFFSET_COLUMN = '_sluice_offset'

/**
 * A batch after staging. Everything is on disk under the attempt's own names and is not synced: it is made again after a
 * crash. `winners` is not materialised: it is `records` without `excluded` arrivals and without the places of `losers`.
 */
export interface Staged {
  batch: Batch
  /** 1, 2, …: how often this process staged the batch; part of every file name. */
  attempt: number
  /** One per arrival of the batch, in seq order. */
  outcomes: readonly ArrivalOutcome[]
  /** Columns of the parts, in order: those of the table first, then new ones. `_place` and `_sluice_offset` follow. */
  schema: Schema
  /** All good records, in place order. */
  records: readonly Part[]
  /** Arrivals whose rows lie in `records` or `rejects` and do not count: known, or failed after they were read (FILE_CHANGED). */
  excluded: readonly number[]
  /** `_place`, ascending, of the rows of `records` that lost to another one of this batch; empty under append. */
  losers: readonly Part[]
  /** Columns: see REJECT_COLUMNS. Who reads the parts leaves out `excluded` arrivals (`_place >> 32`), as for records. */
  rejects: readonly Part[]
  /** Winning rows; counted in what was written, not computed. */
  winners: number
  /** Lowest and highest place of a record, good or bad, that counts; null when there is none. */
  places: { lowest: bigint; highest: bigint } | null
  /** Least and greatest value of each key column over the winners, as Value (no entry for booleans); null when there are no rows, or no table yet. */
  keyRange: readonly { name: string; min: string; max: string }[] | null
  /** First faults of records, for the summary: at most 100 in all. */
  faults: readonly Fault[]
  /** How many records were put aside, by code. */
  reasons: Readonly<Record<string, number>>
  /** Things the user should hear once (`notice`), such as a timestamp without a zone taken as UTC. */
  notices: readonly string[]
  /** Members left out because the declared columns do not name them. */
  leftOut: readonly LeftOut[]
}

/** Rejects parts: `_place` BIGINT, `offset` BIGINT, the rest VARCHAR, null where it does not apply. */
export const REJECT_COLUMNS = ['_place', 'offset', 'code', 'column', 'value', 'message', 'raw'] as const

export interface StageJob {
  batch: Batch
  attempt: number
  definition: Definition
  reading: Reading
  /** Columns the table has; null: there is no table yet, types are inferred (or declared). */
  pinned: Schema | null
  /** Folder for the parts of this attempt; exists and is empty. */
  folder: string
  /** Under --on-bad: keep bad records, leave them out counted, or fail their file. */
  onBad: 'quarantine' | 'skip' | 'fail'
  /** --max-bad, per file; null: no limit. */
  maxBad: { count: number } | { percent: number } | null
  /** Wall time of the look, and how long an unfinished file may be waited for; milliseconds. */
  now: number
  grace: number
  /** Only records of these dates; absent: all of them. */
  dates?: ByDate
  /** What the table has of arrivals of which some records are in, by number: these are left out, too. */
  covered?: ReadonlyMap<number, Covered>
  /**
   * Asked once, when all arrivals are read and before any record is decided: which of these contents are in the table.
   * Answers the highest committed generation and its seq per SHA-256.
   */
  standing(shas: readonly string[]): Promise<ReadonlyMap<string, Standing>>
  /** SHA-256 of contents that this run itself reloaded: a second copy is known, not a third generation. */
  reloaded: ReadonlySet<string>
  /** One of its arrivals made a process fall silent after all were read: the engine may lose its patience sooner. */
  suspected?: boolean
}

export interface Standing {
  generation: number
  seq: number
  /** What of it is in; absent: everything. */
  covered?: Covered
}

export type StageEvent =
  | { kind: 'arrival.begin'; seq: number }
  | { kind: 'arrival.end'; outcome: ArrivalOutcome }
  /** Of this batch so far: arrivals read to their end, bytes, records; from 0 again when it is read a second time. */
  | { kind: 'progress'; files: number; bytes: number; records: number }

/**
 * A connection to one engine process with SQL, in the dialect that `dialect` names. Statements run one after another.
 * Every call may throw ENGINE_DIED, DISK_FULL, MEMORY_EXHAUSTED (transient) or ENGINE_FAILED (bug). After an error only
 * `close` is of use.
 */
export interface Session {
  readonly dialect: 'duckdb'
  /** Temporary tables and views of this session. */
  exec(sql: string): Promise<void>
  /** Until it closes its statements may handle rows of so many columns, whole: the engine makes room where they are many, so many times the usual. */
  widen(columns: number, times?: number): Promise<void>
  /** A small answer, whole. bigint for integers, number for doubles, text for everything else but booleans and null. */
  rows(sql: string): Promise<Record<string, string | number | bigint | boolean | null>[]>
  /**
   * Writes the rows of `select` to a new Parquet file (zstd, V1 pages, in the order of the query) and syncs it; the
   * folder is the caller's to sync. No rows: no file, and rows 0. Failpoints `<point>.before` and `<point>.after`.
   */
  copy(point: string, select: string, uri: string): Promise<Written>
  /**
   * Writes the rows of `select` as CSV for PostgreSQL's COPY, in the order of the query and not synced: null is an empty
   * field, the `quoted` columns stand in quotes, so an empty text is told from null. Answers the rows written. Failpoints
   * as in `copy`.
   */
  copyText(point: string, select: string, quoted: readonly string[], uri: string): Promise<number>
  /** @param broken what was done in it may outlast it: its process ends, and another one takes over */
  close(broken?: boolean): Promise<void>
}

export interface Written {
  uri: string
  rows: number
  bytes: number
  /** Per column of the file, from what was written; absent minimum: unknown or all null. */
  stats: Readonly<Record<string, ColumnStats>>
}
export interface ColumnStats {
  min?: string
  max?: string
  nulls: number
  nan?: boolean
}

export interface Engine {
  /**
   * Splits, types, checks and deduplicates a batch into parts. Called by the pipeline; may be repeated with the next
   * attempt number. One bad file never stops its neighbours.
   * @throws SluiceError ENGINE_DIED, DISK_FULL (transient), KEY_UNKNOWN (config), or the signal's reason
   */
  stage(job: StageJob, on: (event: StageEvent) => void, signal: AbortSignal): Promise<Staged>
  /** Rows of a staged batch in place order, chunk by chunk: the schema's values as `Value`, then the place as bigint. */
  read(staged: Staged, what: 'winners' | 'losers'): AsyncIterable<Row[]>
  /** The rejects of a staged batch, in place order, as in REJECT_COLUMNS. */
  rejects(staged: Staged): AsyncIterable<Row[]>
  session(signal?: AbortSignal): Promise<Session>
  /** Ends every process; nothing may be called afterwards. */
  close(): Promise<void>
}
