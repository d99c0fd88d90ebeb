/** Runs: opened, counted by paths, ended, and closed for those who died. */
import { noBalance } from '../core/balance.ts'
import type { Fault } from '../core/errors.ts'
import type { Interval } from '../core/interval.ts'
import type { FileCounts, Phases, RunState } from '../core/ledger.ts'
import { asJson, nextNo, number, runNo } from './books.ts'
import type { Books } from './books.ts'
import { lackingOffers } from './partly.ts'

const NO_FILES: FileCounts = { total: 0, loaded: 0, known: 0, waiting: 0, failed: 0, ignored: 0 }

export function begin(books: Books, run: { id: string; table: string; command: string; dates?: Interval }): void {
  books.db.transaction('ledger.begin', () => {
    books.db.change("INSERT INTO runs (no, id, table_uri, command, worker, state, balance, files, started_at, dates) VALUES (?, ?, ?, ?, ?, 'RUNNING', ?, ?, ?, ?)", [
      nextNo(books, 'runs'), run.id, run.table, run.command, books.workers.own, asJson(noBalance()), asJson(NO_FILES), books.clock.now(),
      asJson(run.dates ?? null),
    ])
  })
}

export function countFiles(books: Books, run: string): Omit<FileCounts, 'ignored'> {
  const no = runNo(books, run)
  const sifted = Number(books.db.get('SELECT known FROM runs WHERE no = ?', [no])?.['known'])
  // An arrival is of one path and a run has one arrival per path, so counting offers counts paths.
  const row = books.db.get(
    `SELECT count(*) AS total,
       coalesce(sum(a.state = 'COMPLETED' AND a.counts IS NOT NULL AND coalesce(b.run_no = r.no, 0)), 0) AS loaded,
       coalesce(sum(a.state = 'COMPLETED' AND NOT (a.counts IS NOT NULL AND coalesce(b.run_no = r.no, 0))), 0) AS known,
       coalesce(sum(a.state IN ('PENDING', 'IN_PROGRESS')), 0) AS waiting,
       coalesce(sum(a.state = 'FAILED'), 0) AS failed
     FROM runs r JOIN tables t ON t.uri = r.table_uri JOIN offers o ON o.run_no = r.no
       JOIN arrivals a ON a.table_no = t.no AND a.seq = o.seq LEFT JOIN batches b ON b.no = a.batch_no
     WHERE r.no = ?`,
    [no],
  )
  if (row === undefined) return NO_FILES
  return {
    total: number(row, 'total') + sifted, loaded: number(row, 'loaded'), known: number(row, 'known') + sifted,
    waiting: number(row, 'waiting'), failed: number(row, 'failed'),
  }
}

/** Arrivals of the run that are in an open claim of another run, or came out of it without what this one asks for. */
export function elsewhere(books: Books, run: string): number {
  const row = books.db.get(
    `SELECT count(*) AS n FROM runs r JOIN tables t ON t.uri = r.table_uri JOIN batches b ON b.table_no = t.no AND b.open = 1 AND b.run_no <> r.no
       JOIN arrivals a ON a.batch_no = b.no JOIN offers o ON o.run_no = r.no AND o.seq = a.seq
     WHERE r.no = ?`,
    [runNo(books, run)],
  )
  const table = books.db.get('SELECT t.no FROM runs r JOIN tables t ON t.uri = r.table_uri WHERE r.id = ?', [run])
  const lacking = table === undefined ? [] : lackingOffers(books, BigInt(String(table['no'])), runNo(books, run))
  return (row === undefined ? 0 : number(row, 'n')) + lacking.length
}

export function end(books: Books, run: string, state: RunState, files: FileCounts, exit: number | null, fault: Fault | null, phases: Phases | null): void {
  books.db.transaction('ledger.end', () => close(books, run, state, files, exit, fault, phases))
}

/** A run that has ended stays as it is. */
function close(books: Books, run: string, state: RunState, files: FileCounts, exit: number | null, fault: Fault | null, phases: Phases | null): void {
  const no = runNo(books, run)
  const changed = books.db.change("UPDATE runs SET state = ?, files = ?, exit = ?, fault = ?, phases = ?, ended_at = ? WHERE no = ? AND state = 'RUNNING'", [
    state, asJson(files), exit, asJson(fault), asJson(phases), books.clock.now(), no,
  ])
  if (changed > 0) books.db.change('DELETE FROM offers WHERE run_no = ?', [no])
}

export function closeDeadRuns(books: Books, table: string): string[] {
  const closed: string[] = []
  const running = books.db.all("SELECT id, worker FROM runs WHERE table_uri = ? AND state = 'RUNNING' AND worker <> ? ORDER BY no", [table, books.workers.own])
  const dead = running.filter((row) => !books.workers.isAlive(String(row['worker']))).map((row) => String(row['id']))
  if (dead.length === 0) return closed
  books.db.transaction('ledger.close', () => {
    for (const run of dead) {
      const open = books.db.get("SELECT r.state, (SELECT count(*) FROM batches b WHERE b.run_no = r.no AND b.open = 1) AS claims FROM runs r WHERE r.id = ?", [run])
      if (open?.['state'] !== 'RUNNING' || open['claims'] !== 0n) continue
      close(books, run, 'INTERRUPTED', { ...countFiles(books, run), ignored: 0 }, null, null, null)
      closed.push(run)
    }
  })
  books.workers.sweep()
  return closed
}
