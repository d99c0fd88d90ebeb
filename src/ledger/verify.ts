/** What cannot be in a ledger that only this room wrote. */
import type { Books } from './books.ts'

/** Each query answers one text `what` per inconsistency. */
const CHECKS: readonly string[] = [
  `SELECT 'table ' || t.name || ': ' || t.last_seq || ' numbers given, ' || t.lost || ' of them lost, but ' || count(a.seq) || ' arrivals' AS what
   FROM tables t LEFT JOIN arrivals a ON a.table_no = t.no GROUP BY t.no HAVING count(a.seq) + t.lost <> t.last_seq OR coalesce(max(a.seq), 0) > t.last_seq`,
  `SELECT 'arrival ' || a.seq || ' is IN_PROGRESS without a claim' AS what FROM arrivals a LEFT JOIN batches b ON b.no = a.batch_no AND b.open = 1
   WHERE a.state = 'IN_PROGRESS' AND b.no IS NULL`,
  `SELECT 'arrival ' || a.seq || ' is ' || a.state || ' in the open batch ' || b.id AS what FROM batches b JOIN arrivals a ON a.batch_no = b.no
   WHERE b.open = 1 AND a.state <> 'IN_PROGRESS'`,
  `SELECT 'arrival ' || seq || ' has the unknown state ' || state AS what FROM arrivals WHERE state NOT IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED')`,
  `SELECT 'arrival ' || seq || ' is COMPLETED without a hash' AS what FROM arrivals WHERE state = 'COMPLETED' AND sha256 IS NULL`,
  `SELECT 'arrival ' || seq || ' is FAILED without a reason' AS what FROM arrivals WHERE state = 'FAILED' AND fault IS NULL`,
  `SELECT 'arrival ' || a.seq || ' is a copy of ' || a.same_as || ', which is not COMPLETED' AS what FROM arrivals a
   LEFT JOIN arrivals f ON f.table_no = a.table_no AND f.seq = a.same_as WHERE a.same_as IS NOT NULL AND f.state IS NOT 'COMPLETED' AND f.covered IS NULL`,
  `SELECT 'lane ' || lane || ' has ' || count(*) || ' open batches' AS what FROM batches WHERE open = 1 GROUP BY table_no, lane HAVING count(*) > 1`,
  `SELECT 'lane ' || l.lane || ' is not held by its open batch ' || b.id AS what FROM batches b
   JOIN lanes l ON l.table_no = b.table_no AND l.lane = b.lane WHERE b.open = 1 AND (l.batch_no IS NOT b.no OR l.fence <> b.fence)`,
  `SELECT 'lane ' || l.lane || ' is held by a batch that has ended' AS what FROM lanes l LEFT JOIN batches b ON b.no = l.batch_no AND b.open = 1
   WHERE l.batch_no IS NOT NULL AND b.no IS NULL`,
  `SELECT 'path ' || p.path || ' leads to arrival ' || p.seq || ', which is not its latest' AS what FROM paths p
   LEFT JOIN arrivals a ON a.table_no = p.table_no AND a.seq = p.seq AND a.path_no = p.no WHERE a.seq IS NULL`,
  `SELECT 'run ' || id || ' is ' || state || ' and has an open batch' AS what FROM runs r
   WHERE state <> 'RUNNING' AND EXISTS (SELECT 1 FROM batches b WHERE b.run_no = r.no AND b.open = 1)`,
]

export function verify(books: Books): string[] {
  const damage = books.db.all('PRAGMA quick_check').map((row) => String(row['quick_check'])).filter((line) => line !== 'ok')
  return [...damage, ...CHECKS.flatMap((check) => books.db.all(check).map((row) => String(row['what'])))]
}
