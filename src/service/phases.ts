/** How long a load was at what, told from its events and from who does the rest. */
import type { LoadEvent } from '../core/events.ts'
import type { Phases } from '../core/ledger.ts'

export class PhaseTimes {
  private readonly sums: Phases = { discovered: 0, staged: 0, committed: 0, models: 0, settled: 0 }

  hear(event: LoadEvent): void {
    if (event.kind === 'phase' && event.phase !== 'recovered') this.sums[event.phase] += event.ms
    // Of a database: told by the commit, and within its time.
    if (event.kind === 'model' && event.outcome.ms !== undefined) {
      this.sums.models += event.outcome.ms
      this.sums.committed -= event.outcome.ms
    }
  }

  add(phase: keyof Phases, ms: number): void {
    this.sums[phase] += ms
  }

  /** Whole milliseconds. */
  phases(): Phases {
    const { discovered, staged, committed, models, settled } = this.sums
    return { discovered: Math.round(discovered), staged: Math.round(staged), committed: Math.max(0, Math.round(committed)), models: Math.round(models), settled: Math.round(settled) }
  }
}
