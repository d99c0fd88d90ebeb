/** Checks that a table holds what its records say. Reads only; call it inside a snapshot. */
import { findColumn } from '../core/schema.ts'
import type { Finding } from '../core/target.ts'
import { quoteName } from '../sql/quote.ts'
import type { Store } from './dialect.ts'
import { keyIndexes, latestBatch } from './layout.ts'
import { first } from './session.ts'
import type { DatabaseSession, SqlRow } from './session.ts'
import type { State } from './state.ts'

/** What a table is looked at with. */
interface Look {
  store: Store
  session: DatabaseSession
  table: string
  state: State
}

export async function verifyTable(look: Look): Promise<Finding[]> {
  const found = (await look.store.inspect?.(look.session)) ?? []
  // What the database itself cannot read any more cannot be counted.
  const messages = found.length > 0 ? found : [...(await verifyKey(look)), ...(await verifyRows(look)), ...(await verifyArrivals(look)), ...(await verifyBatches(look))]
  return messages.map((message) => ({ grade: 'broken', path: look.store.uri(look.table), message }))
}

async function verifyKey({ store, session, table, state }: Look): Promise<string[]> {
  const key = (state.definition?.key ?? []).map((name) => findColumn(state.schema, name)?.name)
  if (key.length === 0 || key.some((name) => name === undefined)) return []
  const findings: string[] = []
  if (store.dialect.indexes && keyIndexes(state.relation, state.definition?.key ?? []).length === 0) findings.push(`The unique index on the key of ${table} is gone.`)
  const columns = key.map((name) => store.dialect.bytewise?.(quoteName(name ?? '')) ?? quoteName(name ?? '')).join(', ')
  // Rows of others may have no key, several of them.
  const given = key.map((name) => `${quoteName(name ?? '')} IS NOT NULL`).join(' AND ')
  if ((await first(session, `SELECT 1 AS one FROM ${store.dialect.names(table).table} WHERE ${given} GROUP BY ${columns} HAVING count(*) > 1 LIMIT 1`)) !== undefined) findings.push(`A key (${columns}) is in ${table} more than once.`)
  return findings
}

/** Under replace only the newest batch is in the table. */
function ofLatest({ store, state }: Look): string {
  return state.definition?.mode === 'replace' ? ` AND batch = ${latestBatch(store.dialect)}` : ''
}

async function verifyRows(look: Look): Promise<string[]> {
  const { store, session, table, state } = look
  const number = (row: SqlRow | undefined): number => Number(row?.['n'])
  const stand = number(await first(session, `SELECT count(*) AS n FROM ${store.dialect.names(table).table}`))
  const inserted = number(await first(session, `SELECT coalesce(sum(inserted), 0) AS n FROM ${store.dialect.own('arrivals')} WHERE tbl = $1${ofLatest(look)}`, [table]))
  const findings: string[] = []
  // Others may add rows to an adopted table and take some out; what has a place is compared arrival by arrival.
  if (state.adopted !== null) return []
  if (stand !== inserted) findings.push(`${table} has ${stand} rows; its arrivals inserted ${inserted}.`)
  if (state.rows !== inserted) findings.push(`The last commit of ${table} says ${state.rows} rows; its arrivals inserted ${inserted}.`)
  return findings
}

const TERMS = ['stands', 'duplicate', 'stale', 'quarantined'] as const

/** Every record that came in lies in the table, in the losers or in the rejects, and the arrival's counts say where. */
async function verifyArrivals(look: Look): Promise<string[]> {
  const { store, session, table } = look
  const { own } = store.dialect
  const names = store.dialect.names(table)
  const is = (outcome: string): string => `CASE WHEN _sluice_outcome = '${outcome}' THEN 1 ELSE 0 END`
  const differs = TERMS.map((term) => `coalesce(s.${term}, 0) <> coalesce(f.${term}, 0)`).join(' OR ')
  const sql = `
    WITH lies (seq, stands, duplicate, stale, quarantined) AS (
      SELECT _place >> 32, 1, 0, 0, 0 FROM ${names.table} WHERE _place IS NOT NULL
      UNION ALL SELECT _place >> 32, ${is('replaced')}, ${is('duplicate')}, ${is('stale')}, 0 FROM ${names.losers} WHERE _place > 0
      UNION ALL SELECT place >> 32, evicted, 0, 0, 1 - evicted FROM ${own('rejects')} WHERE tbl = $1 AND place > 0),
    found AS (SELECT seq, sum(stands) AS stands, sum(duplicate) AS duplicate, sum(stale) AS stale, sum(quarantined) AS quarantined FROM lies GROUP BY seq),
    said AS (SELECT seq, sum(CASE WHEN true${ofLatest(look)} THEN inserted + updated ELSE 0 END) AS stands, sum(duplicate) AS duplicate, sum(stale) AS stale, sum(quarantined) AS quarantined FROM ${own('arrivals')} WHERE tbl = $1 GROUP BY seq)
    SELECT coalesce(s.seq, f.seq) AS seq, ${TERMS.map((term) => `s.${term} AS said_${term}, f.${term} AS found_${term}`).join(', ')}
    FROM said s FULL JOIN found f ON f.seq = s.seq WHERE ${differs} ORDER BY 1 LIMIT 100`
  const told = (row: SqlRow, who: string): string => TERMS.map((term) => `${Number(row[`${who}_${term}`] ?? 0)} ${term === 'stands' ? 'in' : term}`).join(', ')
  return (await session.all(sql, [table])).map((row) => `Arrival ${String(row['seq'])} of ${table}: its record says ${told(row, 'said')}; found are ${told(row, 'found')}.`)
}

async function verifyBatches({ store, session, table }: Look): Promise<string[]> {
  const { own } = store.dialect
  const row = await first(session, `SELECT count(*) AS n, min(version) AS low, max(version) AS high FROM ${own('batches')} WHERE tbl = $1`, [table])
  const dense = Number(row?.['low']) === 1 && Number(row?.['high']) === Number(row?.['n'])
  const stray = await first(session, `SELECT count(*) AS n FROM ${own('arrivals')} a WHERE tbl = $1 AND NOT EXISTS (SELECT 1 FROM ${own('batches')} b WHERE b.tbl = $1 AND b.id = a.batch)`, [table])
  const findings: string[] = []
  if (!dense) findings.push(`The commits of ${table} are not numbered 1 to ${String(row?.['n'])}.`)
  if (Number(stray?.['n']) > 0) findings.push(`${String(stray?.['n'])} arrivals of ${table} belong to no commit.`)
  return findings
}
