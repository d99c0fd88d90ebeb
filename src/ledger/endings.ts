/** What an arrival, a claim and a run's balance become when a batch ends. Everything here runs inside a transaction. */
import type { ArrivalOutcome } from '../core/arrival.ts'
import { addBalance, missing, noBalance } from '../core/balance.ts'
import type { Balance } from '../core/balance.ts'
import { SluiceError } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import { union } from '../core/interval.ts'
import type { ByDate, Covered, Interval } from '../core/interval.ts'
import { addReasons, overtaken } from '../core/ledger.ts'
import type { CommittedArrival, Receipt } from '../core/target.ts'
import { asJson, number, structure, structureOrNull } from './books.ts'
import type { Books } from './books.ts'

/**
 * Counts of a loaded arrival. Without a commit there is nothing to count but records left out on request.
 * @throws SluiceError INTERNAL when records were read and nothing says where they went
 */
export function countsOf(outcome: ArrivalOutcome, committed: CommittedArrival | undefined): Balance {
  if (committed !== undefined) return committed.counts
  const counts = { ...noBalance(), read: outcome.read, skipped: outcome.skipped }
  if (missing(counts) === 0) return counts
  throw new SluiceError('INTERNAL', `Arrival ${outcome.seq} was to be settled as loaded, but no commit holds its ${outcome.read} records.`)
}

/** @param counts null: its bytes were known, it brought nothing */
export function complete(
  books: Books,
  table: bigint,
  seq: number,
  content: { sha256: string | null; generation: number; dates?: ByDate; covered?: Covered },
  counts: Balance | null,
  sameAs: number | null,
): void {
  const first = counts === null ? (sameAs ?? firstOf(books, table, content.sha256, seq)) : null
  const copy = first === seq ? null : first
  books.db.change(
    `UPDATE arrivals SET state = 'COMPLETED', sha256 = ?, generation = ?, same_as = ?, counts = ?, fault = NULL, ended_at = ?,
       attempts = attempts - ?, via = NULL WHERE table_no = ? AND seq = ?`,
    [content.sha256, content.generation, copy, asJson(counts), books.clock.now(), counts === null ? 1 : 0, table, seq],
  )
  // Of what was known the table has told what is in; a copy has nothing of its own.
  if (counts === null && first !== null) cover(books, table, first, content.covered?.intervals ?? null)
  if (counts !== null || copy !== null) cover(books, table, seq, counts === null || content.dates === undefined ? null : union([...(coveredBefore(books, table, seq) ?? []), content.dates]))
  const read = counts?.read ?? readOf(books, table, first)
  if (read === 0) return
  books.db.change('UPDATE paths SET brought = 1 WHERE no = (SELECT path_no FROM arrivals WHERE table_no = ? AND seq = ?)', [table, seq])
}

/** @param intervals null: everything */
export function cover(books: Books, table: bigint, seq: number, intervals: readonly Interval[] | null): void {
  books.db.change('UPDATE arrivals SET covered = ? WHERE table_no = ? AND seq = ? AND sha256 IS NOT NULL', [asJson(intervals), table, seq])
}

function coveredBefore(books: Books, table: bigint, seq: number): Interval[] | null {
  const row = books.db.get('SELECT covered FROM arrivals WHERE table_no = ? AND seq = ?', [table, seq])
  return row === undefined ? null : structureOrNull<Interval[]>(row, 'covered')
}

function firstOf(books: Books, table: bigint, sha256: string | null, seq: number): number | null {
  const row = books.db.get(
    "SELECT min(seq) AS seq FROM arrivals WHERE table_no = ? AND sha256 = ? AND state = 'COMPLETED' AND same_as IS NULL AND seq <> ?",
    [table, sha256, seq],
  )
  return row === undefined || row['seq'] === null ? null : number(row, 'seq')
}

/** Records of the first arrival of a content; unknown counts as some. */
function readOf(books: Books, table: bigint, seq: number | null): number {
  const row = books.db.get('SELECT counts FROM arrivals WHERE table_no = ? AND seq = ? AND counts IS NOT NULL', [table, seq])
  return row === undefined ? 1 : structure<Balance>(row, 'counts').read
}

export function fail(books: Books, table: bigint, seq: number, outcome: ArrivalOutcome): void {
  books.db.change("UPDATE arrivals SET state = 'FAILED', sha256 = CASE WHEN covered IS NULL THEN ? ELSE sha256 END, fault = ?, ended_at = ? WHERE table_no = ? AND seq = ?", [
    outcome.sha256, asJson(outcome.fault), books.clock.now(), table, seq,
  ])
}

/**
 * PENDING again; keeps the former fault when there is no new one. An arrival whose path meanwhile brought another can never
 * be read again: it is FAILED (COMPLETED as far as it is, when some of its dates are in), and the answer is false.
 */
export function giveBack(books: Books, table: bigint, seq: number, fault: Fault | null): boolean {
  const latest = books.db.get('SELECT p.seq, p.path, a.covered, a.via FROM arrivals a JOIN paths p ON p.no = a.path_no WHERE a.table_no = ? AND a.seq = ?', [table, seq])
  if (latest !== undefined && number(latest, 'seq') !== seq && latest['via'] === null) {
    if (latest['covered'] !== null) {
      books.db.change("UPDATE arrivals SET state = 'COMPLETED', batch_no = NULL WHERE table_no = ? AND seq = ?", [table, seq])
      return false
    }
    const gone = overtaken(String(latest['path']), number(latest, 'seq'))
    books.db.change("UPDATE arrivals SET state = 'FAILED', fault = ?, ended_at = ? WHERE table_no = ? AND seq = ?", [asJson(gone), books.clock.now(), table, seq])
    return false
  }
  books.db.change("UPDATE arrivals SET state = 'PENDING', batch_no = NULL, fault = coalesce(?, fault) WHERE table_no = ? AND seq = ?", [asJson(fault), table, seq])
  return true
}

/** The run of this batch had its turn with this arrival. */
export function noteTried(books: Books, batch: bigint, seq: number): void {
  books.db.change('UPDATE offers SET tried = 1 WHERE run_no = (SELECT run_no FROM batches WHERE no = ?) AND seq = ?', [batch, seq])
}

/** Adds what was committed to the batch's own run, unless that has ended. */
export function addReceipt(books: Books, batch: bigint, receipt: Receipt | null): void {
  const run = books.db.get("SELECT no, balance, evicted, reasons FROM runs WHERE no = (SELECT run_no FROM batches WHERE no = ?) AND state = 'RUNNING'", [batch])
  if (run === undefined) return
  const loaded = books.db.all('SELECT counts FROM arrivals WHERE batch_no = ? AND counts IS NOT NULL', [batch])
  const balance = structure<Balance>(run, 'balance')
  for (const row of loaded) addBalance(balance, structure<Balance>(row, 'counts'))
  const all = addReasons(structure<Record<string, number>>(run, 'reasons'), receipt?.reasons ?? {})
  books.db.change('UPDATE runs SET balance = ?, evicted = evicted + ?, reasons = ? WHERE no = ?', [
    asJson(balance), receipt?.evicted ?? 0, asJson(all), BigInt(String(run['no'])),
  ])
}

/** Frees the lane; its fence stays, so the next batch gets a higher one. */
export function endClaim(books: Books, batch: bigint): void {
  books.db.change('UPDATE batches SET open = 0 WHERE no = ?', [batch])
  books.db.change('UPDATE lanes SET batch_no = NULL WHERE batch_no = ?', [batch])
}
