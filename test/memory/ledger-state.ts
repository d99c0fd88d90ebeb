/** What the ledger in memory holds; several ledgers share one state, as processes share a folder. */
import type { Pin } from '../../src/core/arrival.ts'
import type { Balance } from '../../src/core/balance.ts'
import type { Death } from '../../src/core/death.ts'
import type { Batch } from '../../src/core/engine.ts'
import type { Fault } from '../../src/core/errors.ts'
import type { Interval } from '../../src/core/interval.ts'
import type { ArrivalState, RunRow, TableRow } from '../../src/core/ledger.ts'

export interface Entry {
  seq: number
  state: ArrivalState
  pin: Pin
  reload: boolean
  replaced: boolean
  /** Number of the arrival that the path had before. */
  former: number | null
  sha256: string | null
  generation: number
  sameAs: number | null
  attempts: number
  deaths: Death[]
  fault: Fault | null
  counts: Balance | null
  /** What is in when not everything is; then sha256 and number are bound to one another. */
  covered: Interval[] | null
  /** Where the rest is read; null: at its own pin. */
  via: Pin | null
  claim: OpenClaim | null
  offeredAt: number
  endedAt: number | null
}
export interface OpenClaim {
  batch: Batch
  run: string
  worker: string
  startedAt: number
  open: boolean
}
interface PathEntry {
  seq: number
  young: boolean
  brought: boolean
}
export interface TableState {
  row: TableRow
  last: number
  lost: number
  paths: Map<string, PathEntry>
  arrivals: Map<number, Entry>
  claims: OpenClaim[]
  lanes: Map<number, { fence: number; claim: OpenClaim | null }>
}
export interface RunEntry {
  row: RunRow
  worker: string
  dates: Interval | null
  /** Numbers offered to the run, and whether they had their turn. */
  offers: Map<number, boolean>
  /** Paths beside them that were known. */
  known: number
}

/** What the processes of one folder share. */
export class MemoryState {
  id = 'l_memory'
  readonly tables = new Map<string, TableState>()
  readonly runs = new Map<string, RunEntry>()
  readonly dead = new Set<string>()
  workers = 0

  declareDead(worker: string): void {
    this.dead.add(worker)
  }
}
