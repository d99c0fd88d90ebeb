/** Listings of files and runs, page by page. A page ends where the next begins: no offsets, nothing is counted. */
import type { Balance } from '../core/balance.ts'
import type { Death } from '../core/death.ts'
import type { Definition } from '../core/definition.ts'
import type { Fault } from '../core/errors.ts'
import type { Interval } from '../core/interval.ts'
import { readCursor } from '../core/ledger.ts'
import type { ArrivalRow, ArrivalState, FileCounts, FilesQuery, Phases, RunRow, RunState, TableRow } from '../core/ledger.ts'
import type { SqlValue } from '../core/effects.ts'
import type { SqliteRow } from '../sql/sqlite.ts'
import { number, numberOrNull, structure, structureOrNull, textOrNull } from './books.ts'
import type { Books } from './books.ts'

const ARRIVAL = `SELECT t.uri, t.no AS table_no, a.*, p.path, coalesce(a.covered, (SELECT f.covered FROM arrivals f WHERE f.table_no = a.table_no AND f.seq = a.same_as)) AS covers, b.id AS batch, b.worker, b.claimed_at, r.id AS run
  FROM tables t CROSS JOIN arrivals a ON a.table_no = t.no CROSS JOIN paths p ON p.no = a.path_no
  LEFT JOIN batches b ON b.no = a.batch_no LEFT JOIN runs r ON r.no = b.run_no`

export function tables(books: Books): TableRow[] {
  return books.db.all('SELECT uri, name, definition FROM tables ORDER BY no').map((row) => ({
    uri: String(row['uri']), name: String(row['name']), definition: structureOrNull<Definition>(row, 'definition'),
  }))
}

export function files(
  books: Books,
  query: FilesQuery,
): { items: ArrivalRow[]; next: string | null } {
  const where: string[] = []
  const values: SqlValue[] = []
  const only = (condition: string, ...value: SqlValue[]): void => {
    where.push(condition)
    values.push(...value)
  }
  if (query.table !== undefined) only('t.uri = ?', query.table)
  if (query.state !== undefined) only('a.state = ?', query.state)
  if (query.name !== undefined) only('instr(p.path, ?) > 0', query.name)
  if (query.sha256 !== undefined) only('substr(a.sha256, 1, ?) = ?', query.sha256.length, query.sha256)
  if (query.after !== undefined) only('(a.table_no, a.seq) > (?, ?)', ...readCursor(query.after, 2))
  const rows = books.db.all(`${ARRIVAL} ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''} ORDER BY t.no, a.seq LIMIT ?`, [...values, query.limit + 1])
  const page = rows.slice(0, query.limit)
  const last = page.at(-1)
  return {
    items: page.map((row) => asArrivalRow(books, row)),
    next: rows.length > query.limit && last !== undefined ? `${number(last, 'table_no')}.${number(last, 'seq')}` : null,
  }
}

export function arrival(books: Books, table: string, seq: number): ArrivalRow | null {
  const row = books.db.get(`${ARRIVAL} WHERE t.uri = ? AND a.seq = ?`, [table, seq])
  return row === undefined ? null : asArrivalRow(books, row)
}

function asArrivalRow(books: Books, row: SqliteRow): ArrivalRow {
  const seq = number(row, 'seq')
  const copies = books.db.all(
    'SELECT DISTINCT p.path FROM arrivals a JOIN paths p ON p.no = a.path_no WHERE a.table_no = ? AND a.same_as = ? ORDER BY a.seq',
    [number(row, 'table_no'), seq],
  )
  const path = String(row['path'])
  return {
    table: String(row['uri']), seq, state: String(row['state']) as ArrivalState, path, size: number(row, 'size'),
    sha256: textOrNull(row, 'sha256'), generation: number(row, 'generation'), sameAs: numberOrNull(row, 'same_as'),
    attempts: number(row, 'attempts'), deaths: structureOrNull<Death[]>(row, 'deaths') ?? [], fault: structureOrNull<Fault>(row, 'fault'), counts: structureOrNull<Balance>(row, 'counts'), covered: structureOrNull<Interval[]>(row, 'covers'),
    batch: textOrNull(row, 'batch'), run: textOrNull(row, 'run'), worker: textOrNull(row, 'worker'),
    offeredAt: number(row, 'offered_at'), startedAt: numberOrNull(row, 'claimed_at'), endedAt: numberOrNull(row, 'ended_at'),
    paths: [...new Set([path, ...copies.map((copy) => String(copy['path']))])],
  }
}

export function runs(books: Books, query: { table?: string; limit: number; after?: string }): { items: RunRow[]; next: string | null } {
  const before = query.after === undefined ? Number.MAX_SAFE_INTEGER : (readCursor(query.after, 1)[0] ?? 0)
  const rows =
    query.table === undefined
      ? books.db.all('SELECT * FROM runs WHERE no < ? ORDER BY no DESC LIMIT ?', [before, query.limit + 1])
      : books.db.all('SELECT * FROM runs WHERE table_uri = ? AND no < ? ORDER BY no DESC LIMIT ?', [query.table, before, query.limit + 1])
  const page = rows.slice(0, query.limit)
  const last = page.at(-1)
  return { items: page.map(asRunRow), next: rows.length > query.limit && last !== undefined ? String(last['no']) : null }
}

export function run(books: Books, id: string): RunRow | null {
  const row = books.db.get('SELECT * FROM runs WHERE id = ?', [id])
  return row === undefined ? null : asRunRow(row)
}

export function runOfBatch(books: Books, batch: string): string | null {
  const row = books.db.get('SELECT r.id FROM batches b JOIN runs r ON r.no = b.run_no WHERE b.id = ?', [batch])
  return row === undefined ? null : String(row['id'])
}

function asRunRow(row: SqliteRow): RunRow {
  return {
    id: String(row['id']), table: String(row['table_uri']), command: String(row['command']), state: String(row['state']) as RunState,
    balance: structure<Balance>(row, 'balance'), evicted: number(row, 'evicted'), files: structure<FileCounts>(row, 'files'),
    reasons: structure<Record<string, number>>(row, 'reasons'), fault: structureOrNull<Fault>(row, 'fault'),
    exit: numberOrNull(row, 'exit'), startedAt: number(row, 'started_at'), endedAt: numberOrNull(row, 'ended_at'),
    phases: structureOrNull<Phases>(row, 'phases'),
  }
}
