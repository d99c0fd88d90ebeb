/** Batches: claimed, taking turns, settled or given back, and recovered when their process died. */
import type { Arrival, ArrivalOutcome } from '../core/arrival.ts'
import type { Death } from '../core/death.ts'
import type { Batch } from '../core/engine.ts'
import type { Fault } from '../core/errors.ts'
import type { Claim } from '../core/ledger.ts'
import type { Receipt } from '../core/target.ts'
import type { SqliteRow } from '../sql/sqlite.ts'
import { claimNo, nextNo, number, runNo, structureOrNull, tableNo, textOrNull } from './books.ts'
import type { Books } from './books.ts'
import { reopen } from './partly.ts'
import { addReceipt, complete, countsOf, endClaim, fail, giveBack, noteTried } from './endings.ts'

interface ClaimRow {
  no: bigint
  id: string
  lane: number
  fence: number
  run: string
  worker: string
}

interface Limit {
  bytes: number
  files: number
  whole?: boolean
}

export function claim(books: Books, run: string, table: string, limit: Limit): Batch | null {
  const { db } = books
  return db.transaction('ledger.claim', () => {
    const tableN = tableNo(books, table)
    const runN = runNo(books, run)
    reopen(books, tableN, runN)
    const arrivals = pick(books, tableN, runN, limit)
    return arrivals.length === 0 ? null : pin(books, table, tableN, runN, arrivals)
  })
}

/** A batch of these arrivals, in a lane of its own. Inside a transaction. */
export function pin(books: Books, table: string, tableN: bigint, runN: bigint, arrivals: readonly Arrival[]): Batch {
  const { db } = books
  const no = nextNo(books, 'batches')
  const lane = takeLane(books, tableN, no)
  const id = `b_${books.random.id(16)}`
  db.change('INSERT INTO batches (no, id, table_no, lane, fence, run_no, worker, lowest, claimed_at, open) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)', [
    no, id, tableN, lane.lane, lane.fence, runN, books.workers.own, arrivals[0]?.seq ?? 0, books.clock.now(),
  ])
  for (const arrival of arrivals) {
    db.change(
      "UPDATE arrivals SET state = 'IN_PROGRESS', attempts = attempts + 1, batch_no = ?, replaced = ?, ended_at = NULL WHERE table_no = ? AND seq = ?",
      [no, arrival.replaced, tableN, arrival.seq],
    )
  }
  return { id, lane: lane.lane, fence: lane.fence, table, arrivals }
}

/** An arrival `a` with the pin at which it is read: its own, or that of a copy. Of one that is partly in, only the rest is wanted. */
const PINNED = `a.seq, p.path, v.size, v.stamp, v.modified, a.reload AND a.covered IS NULL AS reload, a.deaths, CASE WHEN a.covered IS NOT NULL THEN a.sha256 END AS content, a.generation`
const AT = 'JOIN arrivals v ON v.table_no = a.table_no AND v.seq = coalesce(a.via, a.seq) JOIN paths p ON p.no = v.path_no'

/** What the path of an arrival `a` held before. */
const FORMER = "(SELECT f.sha256 FROM arrivals AS f WHERE f.table_no = a.table_no AND f.seq = a.former AND f.state = 'COMPLETED') AS former"

/**
 * The lowest PENDING arrivals of the run that had no turn yet, up to the first over which a process died: that one is
 * picked alone. CROSS JOIN keeps SQLite to the index of states.
 */
function pick(books: Books, table: bigint, run: bigint, { bytes: most, files, whole = false }: Limit): Arrival[] {
  const rows = books.db.all(
    `SELECT ${PINNED}, (a.replaced OR p.brought) AND a.covered IS NULL AS replaced, ${FORMER}
     FROM arrivals a CROSS JOIN offers o ON o.run_no = ?1 AND o.seq = a.seq AND o.tried = 0 CROSS ${AT}
     WHERE a.table_no = ?2 AND a.state = 'PENDING' ORDER BY a.seq LIMIT ?3`,
    [run, table, whole ? -1 : Math.max(1, files)],
  )
  const picked: Arrival[] = []
  let bytes = 0
  for (const row of rows) {
    bytes += number(row, 'size')
    if (!whole && picked.length > 0 && (bytes > most || row['deaths'] !== null)) break
    picked.push(asArrival(row))
    if (!whole && row['deaths'] !== null) break
  }
  return picked
}

function asArrival(row: SqliteRow): Arrival {
  const pin = { uri: String(row['path']), size: number(row, 'size'), stamp: String(row['stamp']), modified: number(row, 'modified') }
  const deaths = structureOrNull<Death[]>(row, 'deaths')
  const former = textOrNull(row, 'former')
  const content = textOrNull(row, 'content')
  return {
    seq: number(row, 'seq'), pin, reload: row['reload'] === 1n, replaced: row['replaced'] === 1n,
    ...(former === null ? {} : { former }), ...(content === null ? {} : { content: { sha256: content, generation: number(row, 'generation') } }), ...(deaths === null ? {} : { deaths }),
  }
}

/** The lowest lane nobody holds, with its next fence. */
function takeLane(books: Books, table: bigint, batch: bigint): { lane: number; fence: number } {
  const free = books.db.get('SELECT lane, fence FROM lanes WHERE table_no = ? AND batch_no IS NULL ORDER BY lane LIMIT 1', [table])
  if (free !== undefined) {
    const taken = { lane: number(free, 'lane'), fence: number(free, 'fence') + 1 }
    books.db.change('UPDATE lanes SET fence = ?, batch_no = ? WHERE table_no = ? AND lane = ?', [taken.fence, batch, table, taken.lane])
    return taken
  }
  const lane = Number(books.db.get('SELECT coalesce(max(lane), -1) + 1 AS lane FROM lanes WHERE table_no = ?', [table])?.['lane'])
  books.db.change('INSERT INTO lanes (table_no, lane, fence, batch_no) VALUES (?, ?, 1, ?)', [table, lane, batch])
  return { lane, fence: 1 }
}

export function turn(books: Books, batch: Batch): 'go' | 'wait' | 'lost' {
  if (claimNo(books, batch, books.workers.own) === null) return 'lost'
  const lowest = batch.arrivals[0]?.seq ?? 0
  const before = books.db.all('SELECT DISTINCT worker FROM batches WHERE table_no = ? AND open = 1 AND lowest < ?', [tableNo(books, batch.table), lowest])
  return before.some((row) => books.workers.isAlive(String(row['worker']))) ? 'wait' : 'go'
}

export function settle(books: Books, batch: Batch, outcomes: readonly ArrivalOutcome[], receipt: Receipt | null): boolean {
  return books.db.transaction('ledger.settle', () => {
    const no = claimNo(books, batch, books.workers.own)
    if (no === null) return false
    const table = tableNo(books, batch.table)
    const committed = new Map(receipt?.arrivals.map((arrival) => [arrival.seq, arrival]))
    const told = new Map(outcomes.map((outcome) => [outcome.seq, outcome]))
    for (const { seq } of batch.arrivals) {
      const outcome = told.get(seq)
      if (outcome === undefined) giveBack(books, table, seq, null)
      else if (outcome.state === 'loaded') complete(books, table, seq, outcome, countsOf(outcome, committed.get(seq)), null)
      else if (outcome.state === 'known') complete(books, table, seq, outcome, null, outcome.sameAs)
      else {
        if (outcome.state === 'failed') fail(books, table, seq, outcome)
        else giveBack(books, table, seq, outcome.fault)
        noteTried(books, no, seq)
      }
    }
    addReceipt(books, no, receipt)
    endClaim(books, no)
    return true
  })
}

export function release(books: Books, batch: Batch, fault: Fault | null): boolean {
  return books.db.transaction('ledger.release', () => {
    const no = claimNo(books, batch, books.workers.own)
    if (no === null) return false
    const table = tableNo(books, batch.table)
    for (const { seq } of batch.arrivals) {
      giveBack(books, table, seq, fault)
      if (fault === null) books.db.change('UPDATE arrivals SET attempts = attempts - 1 WHERE table_no = ? AND seq = ?', [table, seq])
      else noteTried(books, no, seq)
    }
    endClaim(books, no)
    return true
  })
}

export function orphans(books: Books, table: string): Claim[] {
  const rows = books.db.all(
    `SELECT b.no, b.id, b.lane, b.fence, b.worker, r.id AS run FROM batches b JOIN runs r ON r.no = b.run_no
     WHERE b.table_no = (SELECT no FROM tables WHERE uri = ?) AND b.open = 1 ORDER BY b.lowest`,
    [table],
  )
  return rows.map(asClaimRow).filter((row) => !books.workers.isAlive(row.worker)).map((row) => asClaim(books, table, row))
}

function asClaimRow(row: SqliteRow): ClaimRow {
  return {
    no: BigInt(String(row['no'])), id: String(row['id']), lane: number(row, 'lane'), fence: number(row, 'fence'),
    run: String(row['run']), worker: String(row['worker']),
  }
}

function asClaim(books: Books, table: string, row: ClaimRow): Claim {
  const arrivals = books.db.all(
    `SELECT ${PINNED}, a.replaced, ${FORMER} FROM arrivals a ${AT} WHERE a.batch_no = ? ORDER BY a.seq`,
    [row.no],
  )
  return { batch: { id: row.id, lane: row.lane, fence: row.fence, table, arrivals: arrivals.map(asArrival) }, run: row.run, worker: row.worker }
}

export function recover(books: Books, dead: Claim, receipt: Receipt | null, run: string | null): boolean {
  return books.db.transaction('ledger.recover', () => {
    const no = claimNo(books, dead.batch, dead.worker)
    if (no === null) return false
    const table = tableNo(books, dead.batch.table)
    const into = run === null ? null : runNo(books, run)
    const committed = new Map(receipt?.arrivals.map((arrival) => [arrival.seq, arrival]))
    for (const { seq } of dead.batch.arrivals) {
      const done = committed.get(seq)
      if (done !== undefined) complete(books, table, seq, done, done.counts, null)
      else if (giveBack(books, table, seq, null) && into !== null) books.db.change('INSERT OR IGNORE INTO offers (run_no, seq) VALUES (?, ?)', [into, seq])
    }
    addReceipt(books, no, receipt)
    endClaim(books, no)
    return true
  })
}
