/**
 * Counts a batch from the files that were written for it, and refuses what does not add up.
 * `read` and `skipped` come from the splitter; every other term is a number of rows in a file.
 */
import { checkBalance, noBalance } from '../../core/balance.ts'
import type { Balance } from '../../core/balance.ts'
import type { Session } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { CommittedArrival, RejectRow } from '../../core/target.ts'
import { countDataSql, countLosersSql, countRejectsSql } from '../../resolve/duckdb-table.ts'
import type { Resolution } from '../../resolve/duckdb-table.ts'
import { filesSql } from '../../resolve/duckdb-batch.ts'
import type { BatchRecord } from './record.ts'
import { rejectOf } from './reading.ts'

/** So many KEY_REPEATED rejects are named in the receipt. */
const FAULTS = 100

/** Absolute paths of what was written; `decided`: some key of the batch was known. */
export interface WrittenFiles {
  data: readonly string[]
  losers: readonly string[]
  rejects: readonly string[]
  decided: boolean
}

type Counted = Pick<BatchRecord, 'arrivals' | 'evicted' | 'reasons' | 'faults' | 'surplus'>

/** @throws SluiceError BALANCE_BROKEN */
export async function countBatch(session: Session, job: Resolution, files: WrittenFiles, rows: { before: number; after: number }): Promise<Counted> {
  const counts = new Map<number, Balance>()
  for (const { seq, state, read, skipped } of job.staged.outcomes) if (state === 'loaded') counts.set(seq, { ...noBalance(), read, skipped })
  const ours = new Set(counts.keys())
  const at = (seq: number): Balance => counts.get(seq) ?? setNew(counts, seq)
  let updated = 0
  let replaced = 0
  let evicted = 0
  let surplus = 0
  const reasons: Record<string, number> = {}
  if (files.data.length > 0) {
    for (const row of await session.rows(countDataSql(files.data, files.decided))) {
      at(Number(row['seq'])).inserted += Number(row['inserted'])
      at(Number(row['seq'])).updated += Number(row['updated'])
      updated += Number(row['updated'])
    }
  }
  if (files.losers.length > 0) {
    for (const row of await session.rows(countLosersSql(files.losers))) {
      const n = Number(row['n'])
      // Rows that were in the table belong to earlier arrivals: they are no term of this batch.
      if (row['outcome'] === 'evicted') replaced += n
      else if (row['outcome'] === 'surplus') surplus += n
      else at(Number(row['seq']))[row['outcome'] === 'stale' ? 'stale' : 'duplicate'] += n
    }
  }
  if (files.rejects.length > 0) {
    for (const row of await session.rows(countRejectsSql(files.rejects))) {
      const [seq, n] = [Number(row['seq']), Number(row['n'])]
      if (row['code'] === 'KEY_REPEATED' && !ours.has(seq)) evicted += n
      else {
        at(seq).quarantined += n
        if (row['code'] === 'KEY_REPEATED') reasons['KEY_REPEATED'] = (reasons['KEY_REPEATED'] ?? 0) + n
      }
    }
  }
  // Rows of other writers that stood beside the one row of their key have left: they are no term of an arrival.
  checkBalance(counts, { before: rows.before - surplus, after: rows.after })
  if (replaced + evicted !== updated) {
    throw new SluiceError('BALANCE_BROKEN', `The numbers do not add up, nothing was committed: ${updated} rows were replaced, but ${replaced + evicted} of them were kept.`)
  }
  return { arrivals: arrivalsOf(job, counts), evicted, surplus, reasons, faults: 'KEY_REPEATED' in reasons || evicted > 0 ? await repeated(session, files.rejects, ours, job.staged.batch.id) : [] }
}

function setNew(counts: Map<number, Balance>, seq: number): Balance {
  const balance = noBalance()
  counts.set(seq, balance)
  return balance
}

function arrivalsOf(job: Resolution, counts: ReadonlyMap<number, Balance>): CommittedArrival[] {
  const { batch, outcomes } = job.staged
  const arrivals = new Map(batch.arrivals.map((arrival) => [arrival.seq, arrival]))
  return outcomes.flatMap(({ seq, state, sha256, generation, dates }) => {
    const arrival = arrivals.get(seq)
    const balance = counts.get(seq)
    if (state !== 'loaded' || arrival === undefined || balance === undefined || sha256 === null) return []
    return [{ seq, sha256, generation, path: arrival.pin.uri, size: arrival.pin.size, counts: balance, ...(dates === undefined ? {} : { dates }) }]
  })
}

async function repeated(session: Session, paths: readonly string[], ours: ReadonlySet<number>, batch: string): Promise<RejectRow[]> {
  const list = filesSql(paths.map((uri) => ({ uri })))
  const rows = await session.rows(`SELECT * FROM read_parquet(${list}) WHERE code = 'KEY_REPEATED' AND (_place >> 32) IN (${[...ours].join(', ')}) ORDER BY _place LIMIT ${FAULTS}`)
  return rows.map((row) => rejectOf(row, batch))
}
