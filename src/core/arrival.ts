/** Arrivals: things that came in and can be read again, byte for byte. */
import type { Death } from './death.ts'
import type { Fault } from './errors.ts'
import type { Aside, ByDate, Covered } from './interval.ts'

/** What discovery saw of a thing, nothing read yet. Two equal pins: nothing happened in between. */
export interface Pin {
  /** Absolute path of a local file. */
  uri: string
  /** Bytes. */
  size: number
  /** `device:inode:size:mtime:ctime` of a file, nanoseconds; compared, never interpreted. */
  stamp: string
  /** Milliseconds since 1970; only tells how long a file has been left alone. */
  modified: number
}

/** `<sha256 hex>#<generation>`: the bytes as they lie, and how often they were wanted again with --reload. */
export type ArrivalId = `${string}#${number}`

export function arrivalId(sha256: string, generation: number): ArrivalId {
  return `${sha256}#${generation}`
}

/** An arrival of a batch: numbered, pinned, not read. */
export interface Arrival {
  /** Its number in the table; given once, kept for ever. */
  seq: number
  pin: Pin
  /** `--reload`: takes the next generation of its bytes instead of being known. */
  reload: boolean
  /** Set when the path brought other bytes before that are in the table (append refuses it: FILE_CHANGED). */
  replaced: boolean
  /** SHA-256 that the path held before; absent: nothing, or not known when the batch was pinned. */
  former?: string
  /** Some of its records are in, those of some dates: the bytes that they are of. Absent: none is. */
  content?: { sha256: string; generation: number }
  /** Worker processes that died over it, oldest first; absent: none. With any, it is run alone. */
  deaths?: readonly Death[]
}

/**
 * What became of an arrival when it was staged.
 * loaded: its records are in the staged parts · known: its bytes are in the table, or come earlier in this batch ·
 * failed: not loadable, none of it is staged · waiting: perhaps later, none of it is staged.
 */
export interface ArrivalOutcome {
  seq: number
  state: 'loaded' | 'known' | 'failed' | 'waiting'
  /** Null when the file was not read to its end. */
  sha256: string | null
  generation: number
  /** Known: number of the arrival that brought these bytes first, where it is told. */
  sameAs: number | null
  /** Bytes read. */
  bytes: number
  /** Records found; counts in the balance only when loaded. */
  read: number
  /** Records left out on request: by --on-bad skip, or because they are of other dates. */
  skipped: number
  /** Records put aside by the splitter. */
  rejected: number
  /** Why it failed or waits. */
  fault: Fault | null
  /** Loaded: the dates that were asked for; absent: all that is not in yet. */
  dates?: ByDate
  /** Loaded: what was in before; absent: nothing. */
  after?: Covered
  /** Known: what of it is in; absent: everything. */
  covered?: Covered
  /** Loaded by date: what of `skipped` is left out for its date. */
  aside?: Aside
}
