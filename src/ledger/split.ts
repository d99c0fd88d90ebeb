/** A batch whose worker process died: abandoned, and its arrivals pinned anew in smaller ones, in one transaction. */
import { KEPT_DEATHS } from '../core/death.ts'
import type { Death, Mourned } from '../core/death.ts'
import type { Arrival } from '../core/arrival.ts'
import type { Batch } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import { asJson, claimNo, number, structureOrNull, tableNo } from './books.ts'
import type { Books } from './books.ts'
import { pin } from './claims.ts'
import { endClaim } from './endings.ts'

/** The rules stand at `Ledger.split`. */
export function split(books: Books, batch: Batch, groups: readonly (readonly number[])[], death: Mourned | null): Batch[] | null {
  const bySeq = new Map(batch.arrivals.map((arrival) => [arrival.seq, arrival]))
  const all = groups.flat()
  if (all.length !== bySeq.size || new Set(all).size !== all.length || all.some((seq) => !bySeq.has(seq)) || groups.some((group) => group.length === 0)) {
    throw new SluiceError('INTERNAL', `The groups of batch ${batch.id} do not hold each of its arrivals once.`)
  }
  return books.db.transaction('ledger.split', () => {
    const no = claimNo(books, batch, books.workers.own)
    if (no === null) return null
    const table = tableNo(books, batch.table)
    const run = BigInt(String(books.db.get('SELECT run_no FROM batches WHERE no = ?', [no])?.['run_no']))
    if (death !== null) remember(books, table, death, batch.arrivals.length === 1)
    endClaim(books, no)
    return groups.map((seqs) => pin(books, batch.table, table, run, seqs.toSorted((a, b) => a - b).map((seq) => withDeaths(books, table, bySeq.get(seq) as Arrival))))
  })
}

function remember(books: Books, table: bigint, { seq, how, offset, memory }: Mourned, alone: boolean): void {
  const row = books.db.get('SELECT attempts, deaths FROM arrivals WHERE table_no = ? AND seq = ?', [table, seq])
  if (row === undefined) throw new SluiceError('INTERNAL', `There is no arrival ${seq}.`)
  const former = structureOrNull<Death[]>(row, 'deaths') ?? []
  const death: Death = { attempt: number(row, 'attempts'), alone, how, offset, at: books.clock.now(), ...(memory === true ? { memory } : {}) }
  books.db.change('UPDATE arrivals SET deaths = ? WHERE table_no = ? AND seq = ?', [asJson([...former, death].slice(-KEPT_DEATHS)), table, seq])
}

function withDeaths(books: Books, table: bigint, arrival: Arrival): Arrival {
  const row = books.db.get('SELECT deaths FROM arrivals WHERE table_no = ? AND seq = ?', [table, arrival.seq])
  const deaths = row === undefined ? null : structureOrNull<Death[]>(row, 'deaths')
  return deaths === null ? arrival : { ...arrival, deaths }
}
