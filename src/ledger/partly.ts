/**
 * Arrivals of which only some dates are in: which of them lack what a run asks for, and how they are taken up again.
 *
 * What is in belongs to a content, so copies of it under other paths lack it, too. The arrival that holds it keeps its
 * number; it is read at the path that was offered (`via`), since its own may be gone.
 */
import { isCovered } from '../core/interval.ts'
import type { Interval } from '../core/interval.ts'
import { number, structureOrNull } from './books.ts'
import type { Books } from './books.ts'

/** Dates of a run; null: everything. */
export function datesOf(books: Books, run: bigint): Interval | null {
  const row = books.db.get('SELECT dates FROM runs WHERE no = ?', [run])
  return row === undefined ? null : structureOrNull<Interval>(row, 'dates')
}

/** Contents of which not everything is in that is asked for (null: everything is), with the arrival that holds them. */
export function lackingOf(books: Books, table: bigint, asked: Interval | null): Map<string, number> {
  const rows = books.db.all(
    `SELECT a.seq, a.sha256, a.covered FROM arrivals a WHERE a.table_no = ?1 AND a.covered IS NOT NULL AND NOT EXISTS (
       SELECT 1 FROM arrivals h WHERE h.table_no = ?1 AND h.sha256 = a.sha256 AND h.same_as IS NULL AND h.generation > a.generation
         AND (h.state = 'COMPLETED' OR h.covered IS NOT NULL))`,
    [table],
  )
  return new Map(rows.flatMap((row) => (isCovered(structureOrNull<Interval[]>(row, 'covered'), asked) ? [] : [[String(row['sha256']), number(row, 'seq')] as const])))
}

/** Arrivals of the run that count as done and lack something of it, with their holders. */
export function lackingOffers(books: Books, table: bigint, run: bigint): { seq: number; holder: number }[] {
  const lacking = lackingOf(books, table, datesOf(books, run))
  if (lacking.size === 0) return []
  const rows = books.db.all(
    `SELECT o.seq, a.sha256 FROM offers o JOIN arrivals a ON a.table_no = ?1 AND a.seq = o.seq AND a.state = 'COMPLETED'
     WHERE o.run_no = ?2 AND o.tried = 0 AND a.sha256 IS NOT NULL ORDER BY o.seq`,
    [table, run],
  )
  const found = rows.flatMap((row) => {
    const holder = lacking.get(String(row['sha256']))
    return holder === undefined ? [] : [{ seq: number(row, 'seq'), holder }]
  })
  // A holder that was offered itself is read where it was offered.
  return found.toSorted((a, b) => Number(b.seq === b.holder) - Number(a.seq === a.holder))
}

/** Makes what the run lacks PENDING again. A path is one offer: the holder takes the place of a copy. */
export function reopen(books: Books, table: bigint, run: bigint): void {
  for (const { seq, holder } of lackingOffers(books, table, run)) {
    const offered = books.db.get('SELECT tried FROM offers WHERE run_no = ? AND seq = ?', [run, holder])
    if (seq !== holder && offered !== undefined) {
      books.db.change('UPDATE offers SET tried = 1 WHERE run_no = ? AND seq = ?', [run, seq])
      continue
    }
    if (seq !== holder) {
      books.db.change('DELETE FROM offers WHERE run_no = ? AND seq = ?', [run, seq])
      books.db.change('INSERT INTO offers (run_no, seq) VALUES (?, ?)', [run, holder])
    }
    books.db.change(
      "UPDATE arrivals SET state = 'PENDING', via = ?, counts = NULL, fault = NULL, batch_no = NULL, ended_at = NULL WHERE table_no = ? AND seq = ? AND state <> 'IN_PROGRESS'",
      [seq === holder ? null : seq, table, holder],
    )
  }
}
