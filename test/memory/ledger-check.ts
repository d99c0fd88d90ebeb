/** How the ledger in memory shows its arrivals, and what must hold in its state, table by table. */
import type { ArrivalOutcome } from '../../src/core/arrival.ts'
import { missing, noBalance } from '../../src/core/balance.ts'
import type { Balance } from '../../src/core/balance.ts'
import { SluiceError } from '../../src/core/errors.ts'
import type { Receipt } from '../../src/core/target.ts'
import type { ArrivalRow } from '../../src/core/ledger.ts'
import type { Entry, TableState } from './ledger-state.ts'

export function checkState(table: TableState): string[] {
  const wrong: string[] = []
  const expect = (holds: boolean, what: string): void => {
    if (!holds) wrong.push(`${table.row.name}: ${what}`)
  }
  expect(table.arrivals.size + table.lost === table.last, `${table.last} numbers given, ${table.lost} lost, ${table.arrivals.size} arrivals`)
  for (const entry of table.arrivals.values()) {
    expect((entry.state === 'IN_PROGRESS') === (entry.claim?.open === true), `arrival ${entry.seq} is ${entry.state}, its claim says otherwise`)
    expect(entry.state !== 'COMPLETED' || entry.sha256 !== null, `arrival ${entry.seq} is COMPLETED without a hash`)
    expect(entry.state !== 'FAILED' || entry.fault !== null, `arrival ${entry.seq} is FAILED without a reason`)
  }
  const lanes = table.claims.filter((claim) => claim.open).map((claim) => claim.batch.lane)
  expect(new Set(lanes).size === lanes.length, 'two open batches share a lane')
  return wrong
}

export function inOrder(table: TableState): Entry[] {
  return [...table.arrivals.values()].toSorted((a, b) => a.seq - b.seq)
}

export function rowOf(table: TableState, entry: Entry): ArrivalRow {
  const { seq, state, pin, sha256, generation, sameAs, attempts, deaths, fault, counts, covered, claim, offeredAt, endedAt } = entry
  const copies = inOrder(table).filter((other) => other.sameAs === seq).map((other) => other.pin.uri)
  return {
    table: table.row.uri, seq, state, path: pin.uri, size: pin.size, sha256, generation, sameAs, attempts, deaths, fault, counts, offeredAt, endedAt,
    covered: covered ?? table.arrivals.get(sameAs ?? 0)?.covered ?? null,
    batch: claim?.batch.id ?? null, run: claim?.run ?? null, worker: claim?.worker ?? null, startedAt: claim?.startedAt ?? null,
    paths: [...new Set([pin.uri, ...copies])],
  }
}

/** Of a loaded arrival; without a commit there is nothing to count but what was left out. */
export function countsOf(outcome: ArrivalOutcome, receipt: Receipt | null): Balance {
  const committed = receipt?.arrivals.find((arrival) => arrival.seq === outcome.seq)
  const counts = committed?.counts ?? { ...noBalance(), read: outcome.read, skipped: outcome.skipped }
  if (missing(counts) !== 0) throw new SluiceError('INTERNAL', `No commit holds the records of arrival ${outcome.seq}.`)
  return counts
}
