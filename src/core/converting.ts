/** What a running conversion tells, and how it ends: the same for the command and for programs. */
import type { Fault } from './errors.ts'

/** converted: new · replaced: its bytes or the flags changed · repaired: somebody changed or removed the output · gone: the input is. */
export const CONVERT_STATES = ['converted', 'replaced', 'repaired', 'known', 'waiting', 'failed', 'gone', 'removed'] as const
export type ConvertState = (typeof CONVERT_STATES)[number]

/** An input, and what became of it. */
export interface ConvertItem {
  path: string
  /** Absolute path of the output; null: these bytes give none. */
  output: string | null
  state: ConvertState
  sha256: string | null
  /** Bytes of the input. */
  bytes: number
  /** read = written + skipped + quarantined. */
  read: number
  written: number
  skipped: number
  quarantined: number
  /** Absolute path of the rejects; null: there are none. */
  rejects: string | null
  fault: Fault | null
}

export type ConvertEvent =
  | { kind: 'discovered'; files: number; bytes: number; known: number; ignored: number }
  /** Of one group of files in work, so far. */
  | { kind: 'progress'; batch: string; files: number; bytes: number; records: number }
  | { kind: 'file.ended'; item: ConvertItem }
  | { kind: 'notice'; text: string }
