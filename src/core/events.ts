/** What a running load tells: the same events for the CLI's progress line and for programs. */
import type { ArrivalOutcome } from './arrival.ts'
import type { Balance } from './balance.ts'

export type LoadEvent =
  | { kind: 'run.started'; run: string; table: string; target: string }
  | { kind: 'discovered'; files: number; bytes: number; known: number; ignored: number }
  | { kind: 'arrival.ended'; path: string; outcome: ArrivalOutcome; ms: number }
  | { kind: 'progress'; bytes: number; total: number; records: number; files: number; filesTotal: number }
  | { kind: 'phase'; batch: string; phase: 'staged' | 'committed' | 'settled' | 'recovered'; ms: number; detail: string }
  | { kind: 'notice'; text: string }
  | { kind: 'balance'; balance: Balance }
