/**
 * The ledger port: the durable memory of arrivals, batches and runs. It schedules, it never decides: what is in a table
 * is what the table's own records say.
 *
 *   arrival: PENDING ──claim──▶ IN_PROGRESS ──settle──▶ COMPLETED | FAILED | PENDING (waiting, given back)
 *                                                        FAILED ──offer of an explicit load──▶ PENDING
 *   run:     RUNNING ──end──▶ COMPLETED | FAILED | INTERRUPTED
 * An arrival of which only some dates are in is COMPLETED and becomes PENDING again when a run asks for others.
 * Every method is one transaction and durable when it returns.
 */
import type { ArrivalOutcome, Pin } from './arrival.ts'
import type { Balance } from './balance.ts'
import type { Definition } from './definition.ts'
import type { Death, Mourned } from './death.ts'
import type { Batch } from './engine.ts'
import { SluiceError } from './errors.ts'
import type { Fault } from './errors.ts'
import type { Interval } from './interval.ts'
import type { CommittedArrival, Receipt } from './target.ts'

export type ArrivalState = 'PENDING' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED'
export type RunState = 'RUNNING' | 'COMPLETED' | 'FAILED' | 'INTERRUPTED'

export interface TableRow {
  /** The table's URI: its identity. */
  uri: string
  name: string
  definition: Definition | null
}

/** What discovery found at a path. */
export interface Sighting {
  pin: Pin
  /** SHA-256 when discovery had to hash it: its time stamp is too young to tell a change. */
  sha256?: string
  /** Wall time just before it was looked at, milliseconds since 1970; absent: the time of the offer. */
  lookedAt?: number
}

/** A time stamp within this of the look cannot tell a later change; milliseconds. */
export const YOUNG_MS = 2_000

/** Why an arrival that was given back is FAILED: its path brought number `by` before it was read. */
export function overtaken(path: string, by: number): Fault {
  return { code: 'FILE_GONE', path, message: `${path} was replaced before it was read; arrival ${by} holds what is there now.` }
}

/** Adds counts by code into `into`. */
export function addReasons(into: Record<string, number>, more: Readonly<Record<string, number>>): Record<string, number> {
  for (const [code, count] of Object.entries(more)) into[code] = (into[code] ?? 0) + count
  return into
}

export interface Offering {
  reload: boolean
  /** Paths of the run beside these sightings; default 0. */
  known?: number
}

/** What the ledger tells from pins alone. */
export interface Sifted {
  /** How many are known. */
  known: number
  /** The others, in the order given. */
  rest: Pin[]
  /**
   * Uris among the others that only a hash can call known: unchanged, but the stored time stamp was younger than YOUNG_MS
   * when looked at, or of the stored size, but restored without a pin. The caller hashes them before it offers them.
   */
  young: Set<string>
}

export interface Offer {
  pin: Pin
  /** known: its bytes are committed · queued: to be read by this run · elsewhere: another live process is at it. */
  state: 'known' | 'queued' | 'elsewhere'
  seq: number
}

/** Files of a run, counted by paths. total = loaded + known + waiting + failed. */
export interface FileCounts {
  total: number
  loaded: number
  known: number
  waiting: number
  failed: number
  ignored: number
}

export interface ArrivalRow {
  table: string
  seq: number
  state: ArrivalState
  path: string
  size: number
  sha256: string | null
  generation: number
  /** Number of the arrival that brought the same bytes first. */
  sameAs: number | null
  attempts: number
  /** Worker processes that died over it, oldest first. */
  deaths: readonly Death[]
  fault: Fault | null
  /** Of its newest commit. */
  counts: Balance | null
  /** What of it is in, when it came by date; null: everything, or nothing yet. */
  covered: readonly Interval[] | null
  batch: string | null
  run: string | null
  worker: string | null
  /** Milliseconds since 1970, null when it has not come to that. */
  offeredAt: number
  startedAt: number | null
  endedAt: number | null
  /** Every path under which these bytes came in. */
  paths: string[]
}

/**
 * How long a run was at what, milliseconds, summed over its batches: several are staged at once, so the sum may be above the
 * time of the run. `committed` is without the models, in whatever transaction they are computed.
 */
export interface Phases {
  /** Looking for files and numbering them. */
  discovered: number
  staged: number
  committed: number
  models: number
  settled: number
}

export interface RunRow {
  id: string
  table: string
  command: string
  state: RunState
  balance: Balance
  evicted: number
  files: FileCounts
  reasons: Record<string, number>
  fault: Fault | null
  exit: number | null
  startedAt: number
  endedAt: number | null
  /** Null: it has not ended, or died. */
  phases: Phases | null
}

export interface FilesQuery {
  table?: string
  state?: ArrivalState
  /** A part of the path. */
  name?: string
  /** Beginning of the SHA-256, in small letters. */
  sha256?: string
  limit: number
  /** The `next` of the page before. */
  after?: string
}

/** Takes the numbers of a cursor apart, joined by dots. @throws SluiceError USAGE when it is no cursor of so many numbers */
export function readCursor(after: string, count: number): number[] {
  const parts = after.split('.')
  if (parts.length === count && parts.every((part) => /^\d{1,15}$/.test(part))) return parts.map(Number)
  throw new SluiceError('USAGE', `--after ${after} is no cursor of this listing.`, { hint: 'Give the `next` of the page before, as it was printed.' })
}

export interface Claim {
  batch: Batch
  run: string
  worker: string
}

export interface Ledger {
  /** Random, made with the ledger; a table remembers the ledger it belongs to. */
  readonly id: string
  /** Takes over the id of a lost ledger, found in its tables; true also when it has it. Only while the ledger knows no table; false otherwise. */
  adopt(id: string): Promise<boolean>
  /** This process. */
  readonly worker: string

  tables(): Promise<TableRow[]>
  /** Remembers a table; the same again changes only its definition. */
  putTable(table: TableRow): Promise<void>
  /** True when the ledger knows no table at all: it is new, or it was lost. */
  isEmpty(): Promise<boolean>
  /** Highest fence given per lane. A table that has seen a higher one knows more than this ledger: it is to be restored. */
  lanes(table: string): Promise<ReadonlyMap<number, number>>
  /**
   * Writes back what the table itself remembers. Arrivals that are COMPLETED already are left alone; uncommitted ones give
   * way (a ledger from yesterday may have given the number to another file) and are numbered anew at the next offer.
   */
  restore(table: TableRow, arrivals: AsyncIterable<CommittedArrival>, lanes: ReadonlyMap<number, number>): Promise<number>

  /**
   * Forgets the arrivals of a table that is gone, so that its files are read again; numbers are not given twice. Nothing
   * happens (0) while a batch of it is claimed, or when none of its arrivals brought records.
   * @returns how many arrivals were forgotten
   */
  forget(table: string): Promise<number>

  /** Opens a run. `dates`: what it asks for of every file; absent: everything. */
  begin(run: { id: string; table: string; command: string; dates?: Interval }): Promise<void>
  /**
   * Numbers what it does not know, in the order given, in one transaction; remembers the paths.
   * A path whose pin is unchanged keeps its arrival: COMPLETED is known, FAILED becomes PENDING again. A path that
   * changed gets a new arrival, or keeps its uncommitted one. COMPLETED is queued when not all dates of the run are in. With
   * `reload` every path gets a new arrival.
   * `known`: so many more paths, which `sift` knew, count as known for this run; they are offered to it no more.
   */
  offer(run: string, table: string, sightings: readonly Sighting[], options: Offering): Promise<Offer[]>
  /**
   * Which of these pins need not be offered, because their bytes are committed, of these dates (absent: of all) at least, and
   * nothing happened since. Changes nothing.
   */
  sift(table: string, pins: readonly Pin[], dates?: Interval): Promise<Sifted>
  /**
   * Pins the lowest-numbered PENDING arrivals of this run into a batch, up to the limit (one arrival may exceed it).
   * An arrival of which some dates are in, and others are asked for, is PENDING again, read at the path that was offered.
   * An arrival with deaths stands alone. `whole`: everything in one batch, whatever the limit.
   */
  claim(run: string, table: string, limit: { bytes: number; files: number; whole?: boolean }): Promise<Batch | null>
  /** Of these sightings those that an offer would call known: their paths, and the SHA-256 that they hold. Changes nothing. */
  recognise(table: string, sightings: readonly Sighting[]): Promise<Map<string, string>>
  /**
   * May this batch commit now? wait: a lower-numbered batch of the table is claimed by a living process ·
   * lost: the claim is no longer ours. Order of batches: their lowest seq.
   */
  turn(batch: Batch): Promise<'go' | 'wait' | 'lost'>
  /**
   * Ends a claim with what became of each arrival; a receipt is null when nothing was committed. Adds to the run.
   * Nothing happens (false) when the claim is no longer ours.
   */
  settle(batch: Batch, outcomes: readonly ArrivalOutcome[], receipt: Receipt | null): Promise<boolean>
  /**
   * Gives a claim back: its arrivals are PENDING again. A failure is counted as an attempt, kept as the reason, and the
   * arrivals are not claimed again by this run; without one they may be.
   */
  release(batch: Batch, fault: Fault | null): Promise<boolean>

  /**
   * A worker process died over this batch: ends the claim and pins its arrivals anew, each group as a batch of its own
   * with a new id and a higher fence; all or nothing. The groups hold every arrival once. `death` is kept with its arrival
   * (alone when the batch holds no other); null: nobody is suspected.
   * @returns the batches in the order of the groups; null when the claim is no longer ours
   */
  split(batch: Batch, groups: readonly (readonly number[])[], death: Mourned | null): Promise<Batch[] | null>

  /** Claims whose process is dead. Recovery asks the table about each and calls `recover`. */
  orphans(table: string): Promise<Claim[]>
  /**
   * Ends the claim of a dead process. With a receipt its arrivals are COMPLETED and counted in their own run; the others
   * are PENDING again and offered to `run`. False: somebody else did it.
   */
  recover(claim: Claim, receipt: Receipt | null, run: string | null): Promise<boolean>
  /** Closes as INTERRUPTED the runs of the table whose process is dead and which have no claim left. */
  closeDeadRuns(table: string): Promise<string[]>
  /** How many arrivals of this run are in claims of other runs, or came out of one without the dates that it asks for. Those of dead processes count until they are recovered. */
  elsewhere(run: string): Promise<number>
  /** Paths of this run, by what became of them; `ignored` is the caller's. */
  countFiles(run: string): Promise<Omit<FileCounts, 'ignored'>>
  end(run: string, state: RunState, files: FileCounts, exit: number, fault: Fault | null, phases?: Phases): Promise<RunRow>

  /** In order of tables and numbers. @throws SluiceError USAGE for an `after` that is no `next` */
  files(query: FilesQuery): Promise<{ items: ArrivalRow[]; next: string | null }>
  /** Newest first. @throws SluiceError USAGE for an `after` that is no `next` */
  runs(query: { table?: string; limit: number; after?: string }): Promise<{ items: RunRow[]; next: string | null }>
  run(id: string): Promise<RunRow | null>
  /** The run that claimed a batch; null: no batch of this ledger, or of one that was lost. */
  runOfBatch(batch: string): Promise<string | null>
  /** Paths to arrivals, for naming the file of a place. */
  arrival(table: string, seq: number): Promise<ArrivalRow | null>
  /** Inconsistencies of the ledger itself. */
  verify(): Promise<string[]>
  /** Says that this process lives. Cheap; called every few seconds. */
  beat(): Promise<void>
  close(): Promise<void>
}
