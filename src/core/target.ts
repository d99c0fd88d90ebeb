/**
 * The target port: where rows go. The target is the truth: what its commit records say is in, is in.
 *
 *   apply:  forward to the newest state → ledger, lane and standing are ours? → resolve → write → count → balance?
 *           → ★ one atomic step makes rows, losers, rejects and the batch's record visible → receipt
 * Everything before ★ may be repeated; nothing after it may turn success into failure.
 */
import type { Balance } from './balance.ts'
import type { Definition } from './definition.ts'
import type { Engine, Staged, Standing } from './engine.ts'
import type { Model, ModelOutcome, ModelState, ModelWork } from './model.ts'
import type { ByDate } from './interval.ts'
import type { Alteration, LeftOut } from './proposal.ts'
import type { ColumnType, Row, Schema, Value } from './schema.ts'

/** What a commit did, counted. Stored in the commit record, so a lost reply can be read back. */
export interface Receipt {
  batch: string
  /** Of the table after this commit: Delta's version, or the number of commits. */
  version: number
  arrivals: readonly CommittedArrival[]
  /** Rows that left the table for the rejects (`--keep error`, a late record with a lower place). */
  evicted: number
  /** Rejected by the target itself, by code (KEY_REPEATED). */
  reasons: Readonly<Record<string, number>>
  /** First of those, for the summary. */
  faults: readonly RejectRow[]
  /** Bytes of existing data that had to be written again. */
  rewritten: number
  /** Members that the declared columns do not name; absent: none. */
  leftOut?: readonly LeftOut[]
  /** Models that were refreshed in the same transaction; not remembered with the rest. */
  models?: readonly ModelOutcome[]
}

export interface CommittedArrival {
  seq: number
  sha256: string
  generation: number
  /** Names under which it came in, the first one first. */
  path: string
  size: number
  counts: Balance
  /** What this commit brought of it; absent: everything that was not in before. */
  dates?: ByDate
}

/** Raw text of a reject is cut behind so much: bytes of what lay in a file, characters of a typed row as JSON. */
export const RAW_LIMIT = 65_536

/** A record that did not get in, or was evicted. */
export interface RejectRow {
  /** The batch whose commit put it aside; of an evicted row not the one that brought it. */
  batch: string
  place: bigint
  offset: number | null
  code: string
  column: string | null
  value: string | null
  message: string
  /** Its text as it lay in the file, cut at RAW_LIMIT bytes; of KEY_REPEATED and ROW_REFUSED: the typed row as JSON, of so many characters. */
  raw: string | null
}

export interface Head {
  /** False: nothing was committed yet, the rest is empty. */
  exists: boolean
  version: number | null
  definition: Definition | null
  schema: Schema
  /** How many of the columns the table was made with; the others came later. */
  made: number
  rows: number
  /** Highest fence per lane of our ledger. */
  lanes: ReadonlyMap<number, number>
  /** Ledger the table belongs to. */
  ledger: string | null
}

export interface Finding {
  /** broken: rows are wrong or missing · garbage: left-overs of dead attempts that may be collected · foreign: what other writers did · unseen: it could not be looked at. */
  grade: 'broken' | 'garbage' | 'foreign' | 'unseen'
  path: string
  message: string
}

export interface Target {
  /** Scheme of its URIs: delta, sqlite, postgres. */
  readonly scheme: string
  /** Tables can be laid apart by partitions. */
  readonly partitions: boolean
  /** Tables lie in schemas: `raw.events`. */
  readonly schemas: boolean
  /** The table's own URI, absolute: its identity in the ledger. */
  uri(table: string): string
  /**
   * Opens a table, existing or not; changes nothing. `ledger` null: whoever's it is, for reading and rebuilding only.
   * `adopt`: it may be another ledger's, or (head without a definition) one that Sluice did not make, until `Table.adopt`.
   * @throws SluiceError TABLE_FOREIGN, TABLE_UNSUPPORTED, TABLE_OTHER_LEDGER, PERMISSION_DENIED
   */
  open(table: string, ledger: string | null, engine: Engine, options?: { adopt?: boolean }): Promise<Table>
  /** Absent: it keeps no models. */
  readonly models?: ModelKeeper
}

/** Where a target keeps its models, as tables among its own. */
export interface ModelKeeper {
  /** Refuses models that this target cannot keep, before anything is read. @throws SluiceError TABLE_UNSUPPORTED */
  suits(models: readonly Model[]): void
  /**
   * Brings models up to date with what their inputs hold: each in one atomic step, with the versions of its inputs. Twice
   * is once. Called after the last commit of a load, which finishes what a death between the two left, and by
   * `models run`. A model that fails is marked and answered, never thrown.
   * @throws SluiceError as `suits`; DISK_FULL, BUSY, PERMISSION_DENIED
   */
  refresh(work: ModelWork, engine: Engine, signal?: AbortSignal): Promise<ModelOutcome[]>
  /** Every model that the target remembers or that is given, by name. Changes nothing. */
  states(models: readonly Model[], engine: Engine): Promise<ModelState[]>
  /** Checks that every model that it remembers has the rows that its record says. Changes nothing. */
  verify(engine: Engine): Promise<Finding[]>
  /** Files of refreshes that died, absolute. Changes nothing. */
  garbage(engine: Engine): Promise<string[]>
  /** First rows of a model. @throws SluiceError NOT_FOUND */
  rows(name: string, limit: number, engine: Engine): Promise<{ columns: string[]; rows: Value[][] }>
}

/** What a commit is given beside its rows. */
export interface ApplyOptions {
  /** Aborted before ★: nothing is committed. */
  signal?: AbortSignal
  /**
   * Models to be refreshed in the transaction of the rows, where the target has transactions over several tables. Others
   * leave them to `ModelKeeper.refresh`.
   */
  models?: ModelWork
  /**
   * A table of the same target that holds exactly the rows which this run brought: filled in the same commit, emptied by the
   * first one of a run.
   */
  delta?: DeltaOf
}

export interface DeltaOf {
  table: string
  run: string
}

export interface Table {
  readonly uri: string
  /** Refuses what this target cannot keep exactly, before anything is read. @throws SluiceError TABLE_UNSUPPORTED with the way out */
  suits(definition: Definition): void
  /** Newest state. Cheap: its cost follows the commits that it has not seen yet, not their arrivals. */
  head(): Promise<Head>
  /** Column by whose dates arrivals came in; null: none did. */
  dateField(): Promise<string | null>
  /** Highest place that was ever committed, good or bad; 0n when none was. */
  highest(): Promise<bigint>
  /** What this batch did, or null. Recovery asks it; makes what it found durable before answering. */
  committed(batch: string): Promise<Receipt | null>
  /** Which of these contents are in, with the highest generation. Absent from the map: not in. */
  standing(shas: readonly string[]): Promise<Map<string, Standing>>
  /** Arrivals of the newest commit that brought any; under replace: whose records the table is. */
  latest(): Promise<readonly CommittedArrival[]>
  /** Every committed arrival in seq order, for rebuilding a ledger; one that came by dates once per commit, in their order. */
  arrivals(): AsyncIterable<CommittedArrival>
  /** The same, those of the newest commits or numbers first: who ends early reads no more than it took. */
  recent(): AsyncIterable<CommittedArrival>
  /**
   * Commits a staged batch: durable when it returns. The same batch twice answers the first receipt.
   * The first commit makes the table with `definition` and pins the schema.
   * Under replace all rows of before leave the table in the same step.
   * Each arrival must still stand as it was staged (`mayEnter`).
   * A batch of which nothing was loaded commits nothing and answers an empty receipt.
   * @throws SluiceError DEFINITION_DIFFERS (another process made the table meanwhile), ARRIVAL_COMMITTED (an arrival of it is in already: stage again without it), SCHEMA_MOVED
   *   (`staged.schema` does not fit the table's), FENCED, BALANCE_BROKEN, DISK_FULL, BUSY, ENGINE_DIED
   */
  apply(staged: Staged, definition: Definition, options?: ApplyOptions): Promise<Receipt>
  /**
   * Sees to it that the delta is this run's: one that committed nothing leaves it empty. Nothing happens while there is no
   * table. Absent: the target cannot fill a delta in the commit of the rows.
   * @throws SluiceError TARGET_INVALID when something else has the delta's name
   */
  settleDelta?(delta: DeltaOf): Promise<void>
  /**
   * Takes the table over for the ledger it was opened with, by a commit that says so and writes no row; the former
   * ledger's next commit is refused. Lane 0 begins at `fence`, so that a ledger that has not heard of it is behind. Nothing
   * happens when the table is that ledger's already.
   * @param definition of a table that Sluice did not make; else the table's own
   * @throws SluiceError DEFINITION_INVALID (the table lacks a column that it names), TABLE_FOREIGN, TABLE_UNSUPPORTED, NOT_FOUND
   */
  adopt(definition: Definition, fence: number): Promise<void>
  /** Members that were left out of committed batches, by name, all batches together. */
  leftOut(): Promise<readonly LeftOut[]>
  /** Could `alter` give a column another type, because its values would stay as they lie? */
  takes(from: ColumnType, to: ColumnType): boolean
  /**
   * Changes definition and columns in one commit of its own: durable when it returns, or not at all. No rows change.
   * @param decide from the newest state; asked again when another commit came between
   * @returns the table's version afterwards
   * @throws SluiceError NOT_FOUND without a table, TABLE_UNSUPPORTED for a change of a type that would need every row
   *   written again, and what `decide` throws
   */
  alter(decide: (head: Head) => Alteration): Promise<number>
  /** First rows in place order: values of the schema, then the place. */
  scan(limit: number | null): AsyncIterable<Row[]>
  /** Kept rejects in place order; of one batch or all. */
  rejects(query: { batch?: string; limit: number; after?: bigint }): Promise<RejectRow[]>
  /** Kept losers (valid records that are not in the table): values of the schema, then the place. */
  losers(): AsyncIterable<Row[]>
  /** Checks that the table holds what its records say. Changes nothing. */
  verify(): Promise<Finding[]>
  /** Absolute paths of files that no commit names: left by attempts that died, or of one that is at work. Changes nothing. */
  garbage(): Promise<string[]>
  close(): Promise<void>
}
