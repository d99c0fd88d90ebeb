/** What a running load tells: the same events for the CLI's progress line and for programs. */
import type { ArrivalOutcome } from './arrival.ts'
import type { ModelOutcome } from './model.ts'

export type LoadEvent =
  | { kind: 'run.started'; run: string; table: string; target: string }
  /** files and bytes: to be read by this run. */
  | { kind: 'discovered'; files: number; bytes: number; known: number; ignored: number }
  | { kind: 'arrival.ended'; batch: string; path: string; outcome: ArrivalOutcome; ms: number }
  /** Of one batch in work, so far: files read to their end, bytes and records read. */
  | { kind: 'progress'; batch: string; files: number; bytes: number; records: number }
  | { kind: 'phase'; batch: string; phase: 'staged' | 'committed' | 'settled' | 'recovered'; ms: number; detail: string }
  /** Of a model that was refreshed or could not be. */
  | { kind: 'model'; outcome: ModelOutcome }
  | { kind: 'notice'; text: string }
