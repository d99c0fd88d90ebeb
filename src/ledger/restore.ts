/** A lost ledger takes back what the tables remember. */
import type { TableRow } from '../core/ledger.ts'
import { joinCovered } from '../core/interval.ts'
import type { Covered } from '../core/interval.ts'
import type { CommittedArrival } from '../core/target.ts'
import { asJson, nextNo, number, tableNo } from './books.ts'
import type { Books } from './books.ts'
import { cover } from './endings.ts'
import { ledgerId } from './schema.ts'

/** Takes over the id of a lost ledger; another process may just have done it. False: this one knows tables under another id. */
export function adopt(books: Books, id: string): boolean {
  return books.db.transaction('ledger.adopt', () => {
    if (ledgerId(books.db) === id) return true
    if (books.db.get('SELECT 1 FROM tables LIMIT 1') !== undefined) return false
    books.db.change("UPDATE meta SET value = ? WHERE name = 'id'", [id])
    return true
  })
}

export function putTable(books: Books, table: TableRow): void {
  books.db.transaction('ledger.table', () => enter(books, table))
}

function enter(books: Books, table: TableRow): void {
  books.db.change('INSERT INTO tables (no, uri, name, definition) VALUES (?, ?, ?, ?) ON CONFLICT (uri) DO UPDATE SET definition = excluded.definition', [
    nextNo(books, 'tables'), table.uri, table.name, asJson(table.definition),
  ])
}

/** An arrival's newest commit, and what all of them brought; undefined: everything. */
interface Told {
  arrival: CommittedArrival
  covered: Covered | undefined
}

/**
 * Answers how many arrivals were written back. One transaction: a ledger that died half-way is still empty and begins
 * again.
 */
export async function restore(books: Books, table: TableRow, arrivals: AsyncIterable<CommittedArrival>, lanes: ReadonlyMap<number, number>): Promise<number> {
  const all = new Map<number, Told>()
  for await (const arrival of arrivals) all.set(arrival.seq, { arrival, covered: joinCovered(all.get(arrival.seq)?.covered, arrival.dates, arrival.counts.read) })
  return books.db.transaction('ledger.restore', () => {
    enter(books, table)
    const no = tableNo(books, table.uri)
    let written = 0
    for (const told of all.values()) written += writeBack(books, no, told) ? 1 : 0
    for (const [lane, fence] of lanes) {
      books.db.change(
        `INSERT INTO lanes (table_no, lane, fence) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET fence = max(fence, excluded.fence) WHERE batch_no IS NULL`,
        [no, lane, fence],
      )
    }
    books.db.change('UPDATE tables SET last_seq = max(last_seq, (SELECT coalesce(max(seq), 0) FROM arrivals WHERE table_no = ?1)) WHERE no = ?1', [no])
    books.db.change('UPDATE tables SET lost = last_seq - (SELECT count(*) FROM arrivals WHERE table_no = ?1) WHERE no = ?1', [no])
    return written
  })
}

export function forget(books: Books, table: string): number {
  return books.db.transaction('ledger.forget', () => {
    const found = books.db.get(
      `SELECT no FROM tables t WHERE uri = ?1 AND NOT EXISTS (SELECT 1 FROM batches WHERE table_no = t.no AND open = 1)
         AND EXISTS (SELECT 1 FROM arrivals WHERE table_no = t.no AND state = 'COMPLETED' AND coalesce(json_extract(counts, '$.read') > 0, covered IS NOT NULL))`,
      [table],
    )
    if (found === undefined) return 0
    const no = BigInt(String(found['no']))
    books.db.change('DELETE FROM paths WHERE table_no = ?', [no])
    const forgotten = books.db.change('DELETE FROM arrivals WHERE table_no = ?', [no])
    books.db.change('DELETE FROM offers WHERE run_no IN (SELECT no FROM runs WHERE table_uri = ?)', [table])
    books.db.change('UPDATE tables SET lost = last_seq, definition = NULL WHERE no = ?', [no])
    return forgotten
  })
}

/** An uncommitted arrival loses its number, and its path is new again. */
function giveWay(books: Books, table: bigint, seq: number): void {
  books.db.change('DELETE FROM paths WHERE table_no = ? AND seq = ?', [table, seq])
  books.db.change('DELETE FROM offers WHERE seq = ? AND run_no IN (SELECT no FROM runs WHERE table_uri = (SELECT uri FROM tables WHERE no = ?))', [seq, table])
  books.db.change('DELETE FROM arrivals WHERE table_no = ? AND seq = ?', [table, seq])
}

export function lanes(books: Books, table: string): Map<number, number> {
  const rows = books.db.all('SELECT lane, fence FROM lanes WHERE table_no = (SELECT no FROM tables WHERE uri = ?)', [table])
  return new Map(rows.map((row) => [number(row, 'lane'), number(row, 'fence')]))
}

/** The stamp is empty: nobody saw the file, so it is hashed at the next look. */
function writeBack(books: Books, table: bigint, { arrival, covered }: Told): boolean {
  const row = books.db.get('SELECT state, covered FROM arrivals WHERE table_no = ? AND seq = ?', [table, arrival.seq])
  const there = row?.['state']
  if (there === 'IN_PROGRESS') return false
  if (there === 'COMPLETED' || (there !== undefined && row?.['covered'] !== null)) {
    // The table may have more of it than this ledger knew.
    cover(books, table, arrival.seq, covered?.intervals ?? null)
    books.db.change("UPDATE arrivals SET state = 'COMPLETED', fault = NULL, batch_no = CASE WHEN state = 'COMPLETED' THEN batch_no END WHERE table_no = ? AND seq = ?", [table, arrival.seq])
    return false
  }
  if (there !== undefined) giveWay(books, table, arrival.seq)
  const former = books.db.get('SELECT no, seq FROM paths WHERE table_no = ? AND path = ?', [table, arrival.path])
  const path = former === undefined ? nextNo(books, 'paths') : BigInt(String(former['no']))
  const brought = arrival.counts.read > 0
  if (former === undefined) {
    books.db.change('INSERT INTO paths (no, table_no, path, seq, young, brought) VALUES (?, ?, ?, ?, 0, ?)', [path, table, arrival.path, arrival.seq, brought])
  } else {
    books.db.change('UPDATE paths SET seq = ?, brought = brought OR ? WHERE no = ?', [Math.max(number(former, 'seq'), arrival.seq), brought, path])
  }
  const now = books.clock.now()
  books.db.change(
    `INSERT INTO arrivals (table_no, seq, path_no, state, size, stamp, modified, sha256, generation, counts, offered_at, ended_at, covered)
     VALUES (?, ?, ?, 'COMPLETED', ?, '', 0, ?, ?, ?, ?, ?, ?)`,
    [table, arrival.seq, path, arrival.size, arrival.sha256, arrival.generation, asJson(arrival.counts), now, now, asJson(covered?.intervals ?? null)],
  )
  return true
}
