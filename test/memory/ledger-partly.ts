/** Arrivals of which some dates are in, in the ledger in memory: who lacks what a run asks for, and taking it up again. */
import type { Arrival } from '../../src/core/arrival.ts'
import { isCovered } from '../../src/core/interval.ts'
import type { Interval } from '../../src/core/interval.ts'
import { inOrder } from './ledger-check.ts'
import type { Entry, RunEntry, TableState } from './ledger-state.ts'

/** The arrival that holds the content of this one, when more of it is asked for (null: everything) than is in; else null. */
export function holderOf(table: TableState, dates: Interval | null, { sha256 }: Entry): Entry | null {
  const same = inOrder(table).filter((other) => other.sha256 === sha256 && other.sameAs === null && (other.state === 'COMPLETED' || other.covered !== null))
  const holder = same.toSorted((a, b) => b.generation - a.generation)[0]
  return holder === undefined || isCovered(holder.covered, dates) ? null : holder
}

/** Offered arrivals that count as done and lack something, those that hold their content themselves first. */
export function lacking(table: TableState, run: RunEntry): { seq: number; holder: Entry }[] {
  const found = [...run.offers].toSorted(([a], [b]) => a - b).flatMap(([seq, tried]) => {
    const entry = table.arrivals.get(seq)
    const holder = entry === undefined || tried || entry.state !== 'COMPLETED' || entry.sha256 === null ? null : holderOf(table, run.dates, entry)
    return holder === null ? [] : [{ seq, holder }]
  })
  return [...found.filter(({ seq, holder }) => seq === holder.seq), ...found.filter(({ seq, holder }) => seq !== holder.seq)]
}

export function reopen(table: TableState, run: RunEntry): void {
  for (const { seq, holder } of lacking(table, run)) {
    if (seq !== holder.seq && run.offers.has(holder.seq)) {
      run.offers.set(seq, true)
      continue
    }
    if (seq !== holder.seq) {
      run.offers.delete(seq)
      run.offers.set(holder.seq, false)
    }
    if (holder.state === 'IN_PROGRESS') continue
    const via = seq === holder.seq ? null : (table.arrivals.get(seq)?.pin ?? null)
    Object.assign(holder, { state: 'PENDING', via, counts: null, fault: null, claim: null, endedAt: null })
  }
}

/** As it is claimed; of one that is partly in only the rest is wanted. */
export function arrivalOf(table: TableState, { seq, pin, via, reload, deaths, former, covered, sha256, generation }: Entry, replaced: boolean): Arrival {
  const before = former === null ? undefined : table.arrivals.get(former)
  const held = before?.state === 'COMPLETED' ? before.sha256 : null
  const content = covered === null || sha256 === null ? {} : { content: { sha256, generation } }
  return { seq, pin: via ?? pin, reload: reload && covered === null, replaced, ...content, ...(held === null ? {} : { former: held }), ...(deaths.length === 0 ? {} : { deaths }) }
}
