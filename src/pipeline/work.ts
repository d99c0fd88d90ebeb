/** What a run works with, what its batches tell each other, and what it tells its summary. */
import type { Definition } from '../core/definition.ts'
import type { Clock, Fs } from '../core/effects.ts'
import type { Engine, StageJob } from '../core/engine.ts'
import type { Fault } from '../core/errors.ts'
import type { LoadEvent } from '../core/events.ts'
import type { Aside, ByDate } from '../core/interval.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Model } from '../core/model.ts'
import type { Table } from '../core/target.ts'

export interface Ingest {
  run: string
  ledger: Ledger
  /** Name of the table in the ledger. */
  key: string
  table: Table
  engine: Engine
  fs: Fs
  clock: Clock
  definition: Definition
  /** Folder of this process for parts; removed batch by batch. */
  spool: string
  /** Batches in work at once. */
  width: number
  reading: StageJob['reading']
  onBad: StageJob['onBad']
  maxBad: StageJob['maxBad']
  grace: number
  /** Only records of these dates; null: all of them. */
  dates: ByDate | null
  /** Table of what this run brings; null: none is asked for. */
  delta: string | null
  /** Under replace: so many arrivals are to take the place of the table, all of them in one commit; else null. */
  whole: number | null
  /** Models of the table, for targets that refresh them with the rows. */
  models: readonly Model[]
  /** Replace also without the files that cannot be loaded. */
  allowPartial: boolean
  on: (event: LoadEvent) => void
  /** Aborted: claim nothing more, finish what is claimed. */
  stop: AbortSignal
  /** Aborted: end at once. */
  now: AbortSignal
}

/** What the loop tells the summary beside what the ledger counts. */
export interface Tally {
  faults: Fault[]
  /** Stopped before everything of the run was claimed. */
  interrupted: boolean
  /** The table was not there before a commit of this run. */
  madeTable: boolean
  /** Records of files that were loaded by date, left out for theirs. */
  aside: Aside
}

/** What batches of one run tell each other. */
export interface Course {
  /** SHA-256 of contents that this run reloaded. */
  reloaded: Set<string>
  /** Batches of several files, one of which makes its process fall silent after reading. */
  suspected: Set<string>
  /** Files in a row that were condemned for deaths after they were read. */
  condemned: number
}

/** Under replace the run is one batch and one commit. */
export function isWhole({ whole }: Ingest): boolean {
  return whole !== null
}
