/** Checks that a SQLite table holds what its records say. Reads only; call it inside a snapshot. */
import { SluiceError } from '../../core/errors.ts'
import { findColumn } from '../../core/schema.ts'
import type { Finding } from '../../core/target.ts'
import { quoteName } from '../../sql/quote.ts'
import type { SqliteSession } from '../../sql/sqlite.ts'
import { LATEST_BATCH, namesOf } from './layout.ts'
import type { State } from './state.ts'

export function verifyTable(session: SqliteSession, uri: string, table: string, state: State): Finding[] {
  const findings: string[] = []
  for (const row of session.all('PRAGMA main.integrity_check')) {
    if (row['integrity_check'] !== 'ok') findings.push(`SQLite finds: ${String(row['integrity_check'])}`)
  }
  // What SQLite itself cannot read any more cannot be counted.
  if (findings.length === 0) findings.push(...verifyKey(session, table, state), ...verifyRows(session, table, state), ...verifyArrivals(session, table, state), ...verifyBatches(session, table))
  return findings.map((message) => ({ grade: 'broken', path: uri, message }))
}

/** The finding that an error stands for, when SQLite cannot read the file any more. @throws what is no damage */
export function damage(thrown: unknown, uri: string): Finding {
  const CORRUPT = 11
  const cause = thrown instanceof SluiceError ? thrown.cause : undefined
  if (cause instanceof Error && 'errcode' in cause && (Number(cause.errcode) & 0xff) === CORRUPT) return { grade: 'broken', path: uri, message: `SQLite cannot read the file: ${cause.message}` }
  throw thrown
}

function verifyKey(session: SqliteSession, table: string, state: State): string[] {
  const names = namesOf(table)
  const key = (state.definition?.key ?? []).map((name) => findColumn(state.schema, name))
  if (key.length === 0 || key.some((column) => column === undefined)) return []
  const findings: string[] = []
  if (session.get(`SELECT 1 FROM main.sqlite_schema WHERE type = 'index' AND name = ?`, [names.keyIndex]) === undefined) findings.push(`The unique index ${names.keyIndex} is gone.`)
  const columns = key.map((column) => quoteName(column?.name ?? '')).join(', ')
  if (session.get(`SELECT 1 FROM ${names.table} GROUP BY ${columns} HAVING count(*) > 1 LIMIT 1`) !== undefined) findings.push(`A key (${columns}) is in ${table} more than once.`)
  return findings
}

/** Under replace only the newest batch is in the table. */
function ofLatest({ definition }: State): string {
  return definition?.mode === 'replace' ? ` AND batch = ${LATEST_BATCH}` : ''
}

function verifyRows(session: SqliteSession, table: string, state: State): string[] {
  const number = (sql: string): number => Number(session.get(sql, sql.includes('?') ? [table] : [])?.['n'])
  const stand = number(`SELECT count(*) AS n FROM ${namesOf(table).table}`)
  const inserted = number(`SELECT coalesce(sum(inserted), 0) AS n FROM main._sluice_arrivals WHERE tbl = ?1${ofLatest(state)}`)
  const findings: string[] = []
  if (stand !== inserted) findings.push(`${table} has ${stand} rows; its arrivals inserted ${inserted}.`)
  if (state.rows !== inserted) findings.push(`The last commit of ${table} says ${state.rows} rows; its arrivals inserted ${inserted}.`)
  return findings
}

/** Every record that came in lies in the table, in the losers or in the rejects, and the arrival's counts say where. */
function verifyArrivals(session: SqliteSession, table: string, state: State): string[] {
  const names = namesOf(table)
  const sql = `
    WITH lies (seq, stands, duplicate, stale, quarantined) AS (
      SELECT _place >> 32, 1, 0, 0, 0 FROM ${names.table}
      UNION ALL SELECT _place >> 32, _sluice_outcome = 'replaced', _sluice_outcome = 'duplicate', _sluice_outcome = 'stale', 0 FROM ${names.losers}
      UNION ALL SELECT place >> 32, evicted, 0, 0, 1 - evicted FROM main._sluice_rejects WHERE tbl = ?1),
    found AS (SELECT seq, sum(stands) AS stands, sum(duplicate) AS duplicate, sum(stale) AS stale, sum(quarantined) AS quarantined FROM lies GROUP BY seq),
    said AS (SELECT seq, sum(CASE WHEN true${ofLatest(state)} THEN inserted + updated ELSE 0 END) AS stands, sum(duplicate) AS duplicate, sum(stale) AS stale, sum(quarantined) AS quarantined FROM main._sluice_arrivals WHERE tbl = ?1 GROUP BY seq)
    SELECT coalesce(s.seq, f.seq) AS seq,
      format('%d in, %d duplicate, %d stale, %d quarantined', coalesce(s.stands, 0), coalesce(s.duplicate, 0), coalesce(s.stale, 0), coalesce(s.quarantined, 0)) AS said,
      format('%d, %d, %d, %d', coalesce(f.stands, 0), coalesce(f.duplicate, 0), coalesce(f.stale, 0), coalesce(f.quarantined, 0)) AS found
    FROM said s FULL JOIN found f ON f.seq = s.seq
    WHERE coalesce(s.stands, 0) <> coalesce(f.stands, 0) OR coalesce(s.duplicate, 0) <> coalesce(f.duplicate, 0)
      OR coalesce(s.stale, 0) <> coalesce(f.stale, 0) OR coalesce(s.quarantined, 0) <> coalesce(f.quarantined, 0)
    ORDER BY 1 LIMIT 100`
  return session.all(sql, [table]).map((row) => `Arrival ${String(row['seq'])} of ${table}: its record says ${String(row['said'])}; found are ${String(row['found'])}.`)
}

function verifyBatches(session: SqliteSession, table: string): string[] {
  const row = session.get('SELECT count(*) AS n, min(version) AS low, max(version) AS high FROM main._sluice_batches WHERE tbl = ?', [table])
  const dense = Number(row?.['low']) === 1 && Number(row?.['high']) === Number(row?.['n'])
  const stray = session.get('SELECT count(*) AS n FROM main._sluice_arrivals a WHERE tbl = ?1 AND NOT EXISTS (SELECT 1 FROM main._sluice_batches b WHERE b.tbl = ?1 AND b.id = a.batch)', [table])
  const findings: string[] = []
  if (!dense) findings.push(`The commits of ${table} are not numbered 1 to ${String(row?.['n'])}.`)
  if (Number(stray?.['n']) > 0) findings.push(`${String(stray?.['n'])} arrivals of ${table} belong to no commit.`)
  return findings
}
