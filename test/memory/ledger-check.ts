/** What must hold in the state of the ledger in memory, table by table. */
import type { TableState } from './ledger.ts'

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
