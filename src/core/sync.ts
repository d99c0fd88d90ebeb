/** Exact copies: the port to what copies bytes, what a running sync tells, and how it ends. */
import type { Pin } from './arrival.ts'
import type { Fault } from './errors.ts'

/** Large files are copied, and tried again, in parts of so many bytes. */
export const PART_BYTES = 8 << 20

/** A file to be copied under a working name. */
export interface CopyJob {
  pin: Pin
  /** Permission bits, and the time of the last change in nanoseconds. */
  mode: number
  mtime: bigint
  /** Absolute path of the working file. What lies there from before is taken over as far as its bytes are right. */
  to: string
}

/** done: the copy is synced, and read back it has the SHA-256 of what was read of the source. */
export type CopyOutcome =
  | { state: 'done'; sha256: string; size: number; kept: number; retried: number }
  | { state: 'changing' | 'gone' }
  | { state: 'failed'; fault: Fault }

export type CopyEvent =
  | { kind: 'copied'; at: number; outcome: CopyOutcome }
  /** Of the file in work: bytes that are proven so far. */
  | { kind: 'progress'; at: number; bytes: number }

export interface Copier {
  /**
   * Copies the files one after another, away from the thread of the caller.
   * @throws SluiceError DISK_FULL and other faults of the machine, or the signal's reason
   */
  copy(jobs: readonly CopyJob[], on: (event: CopyEvent) => void, signal: AbortSignal): Promise<void>
  /** SHA-256 of each file as it lies, read whole; null where it is gone, changed meanwhile or cannot be read. */
  hash(paths: readonly string[], signal: AbortSignal): Promise<(string | null)[]>
  /** Permission bits and time of the last change, as the source has them. @throws SluiceError PERMISSION_DENIED, IO_FAILED */
  dress(path: string, mode: number, mtime: bigint): void
  close(): Promise<void>
}

/**
 * copied: new · replaced: the source has other bytes · repaired: somebody changed or removed the copy · verified: was there
 * already, or read again · gone: the source is · removed: so is the copy.
 */
export const SYNC_STATES = ['copied', 'replaced', 'repaired', 'verified', 'known', 'waiting', 'failed', 'gone', 'removed'] as const
export type SyncState = (typeof SYNC_STATES)[number]

export interface SyncItem {
  /** Absolute paths. */
  path: string
  copy: string
  state: SyncState
  sha256: string | null
  bytes: number
  /** Parts that an earlier attempt had copied, and parts that had to be tried again. */
  kept: number
  retried: number
  fault: Fault | null
}

export type SyncEvent =
  | { kind: 'discovered'; files: number; bytes: number; known: number; ignored: number }
  | { kind: 'progress'; batch: string; files: number; bytes: number; records: number }
  | { kind: 'file.ended'; item: SyncItem }
  | { kind: 'notice'; text: string }
