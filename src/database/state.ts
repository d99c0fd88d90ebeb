/** Reads what a database says about one table, and refuses what Sluice did not make. */
import type { Definition } from '../core/definition.ts'
import type { Standing } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import { joinCovered } from '../core/interval.ts'
import { describeSchema, fold, isReserved } from '../core/schema.ts'
import type { Schema } from '../core/schema.ts'
import type { Head, Receipt } from '../core/target.ts'
import type { Dialect, Relation, Store } from './dialect.ts'
import { datesFromSql, receiptFromJson } from './record.ts'
import { first } from './session.ts'
import type { DatabaseSession, SqlRow } from './session.ts'

/** A table as it stands in one state of the database. */
export interface State extends Head {
  /** See `Table.highest`. */
  highest: bigint
  relation: Relation | null
  /** Of a table that Sluice did not make: the rows that it had when it was taken over; else null. */
  adopted: number | null
}

export function nothing(relation: Relation | null = null): State {
  return { exists: false, version: null, definition: null, schema: [], made: 0, rows: 0, highest: 0n, lanes: new Map(), ledger: null, relation, adopted: null }
}

/** What a table of somebody else would be: its columns that can be loaded, and that the database does not fill itself. */
function foreign(store: Store, relation: Relation): State {
  const schema = relation.columns.flatMap((stored) => {
    const type = stored.filled === true || stored.generated === true || isReserved(stored.name) ? null : store.dialect.typeOf(stored.type)
    return type === null ? [] : [{ name: stored.name, type }]
  })
  return { ...nothing(relation), exists: true, schema, made: schema.length }
}

/**
 * State of a table. Call it inside a transaction or a snapshot.
 * @param ledger null: whoever's it is
 * @param adopting a table that Sluice did not make is told as it is, without a definition
 * @throws SluiceError TABLE_FOREIGN, TABLE_UNSUPPORTED, TABLE_OTHER_LEDGER, TABLE_BROKEN
 */
export async function readState(store: Store, session: DatabaseSession, table: string, ledger: string | null, adopting = false): Promise<State> {
  const { location, dialect } = store
  const where = { path: store.uri(table) }
  const meta = await readMeta(store, session, table)
  const relation = await store.relation(session, table)
  if (meta === null) {
    if (relation === null) return nothing()
    if (relation.kind !== 'table') throw new SluiceError('TABLE_FOREIGN', `${location} has a ${relation.kind} ${table}, which cannot be loaded.`, { where, hint: 'Load into a table: take another name with --into.' })
    if (!adopting || !dialect.adopts) throw new SluiceError('TABLE_FOREIGN', `${location} has a ${relation.kind} ${table} that Sluice did not make.`, { where })
    if (relation.unfit !== undefined) throw new SluiceError('TABLE_UNSUPPORTED', `${location}: the table ${table} cannot be taken over: ${relation.unfit}.`, { where, hint: 'Load into a table of its own.' })
    return foreign(store, relation)
  }
  if (ledger !== null && meta.ledger !== ledger) {
    throw new SluiceError('TABLE_OTHER_LEDGER', `The table ${table} in ${location} belongs to the ledger ${meta.ledger}; this one is ${ledger}.`, { where })
  }
  if (relation === null) throw new SluiceError('TABLE_BROKEN', `${location}: the table ${table} was removed, but its records are there.`, { where })
  if (meta.adopted !== null && relation.unfit !== undefined) throw new SluiceError('TABLE_UNSUPPORTED', `${location}: the table ${table} cannot be loaded any more: ${relation.unfit}.`, { where })
  const made = checkColumns(store, table, relation, meta.schema)
  const found = await session.all(lanesSql(dialect), [table])
  const last = found.reduce<SqlRow | undefined>((a, b) => (a === undefined || Number(b['version']) > Number(a['version']) ? b : a), undefined)
  if (last === undefined) throw new SluiceError('TABLE_BROKEN', `${location}: the table ${table} has no record of a commit.`, { where })
  const lanes = new Map(found.map((row) => [Number(row['lane']), Number(row['fence'])]))
  return { exists: true, version: Number(last['version']), made, rows: Number(last['rows']), highest: BigInt(last['highest'] as bigint), lanes, relation, ...meta }
}

/** A row per lane of table $1: its highest fence; and version, highest and rows of its newest commit, or in all rows of the newest of all. */
function lanesSql({ own, ofNewest }: Dialect): string {
  const batches = own('batches')
  if (ofNewest !== undefined) return `SELECT lane, max(fence) AS fence, max(version) AS version, ${ofNewest('highest')} AS highest, ${ofNewest('rows')} AS rows FROM ${batches} WHERE tbl = $1 GROUP BY lane`
  const newest = `SELECT version, highest, rows FROM ${batches} WHERE tbl = $1 ORDER BY version DESC LIMIT 1`
  return `SELECT l.lane, l.fence, n.version, n.highest, n.rows FROM (SELECT lane, max(fence) AS fence FROM ${batches} WHERE tbl = $1 GROUP BY lane) l CROSS JOIN (${newest}) n`
}

interface Meta {
  ledger: string
  definition: Definition
  schema: Schema
  adopted: number | null
}

async function readMeta(store: Store, session: DatabaseSession, table: string): Promise<Meta | null> {
  if (!(await store.hasOwn(session))) return null
  const meta = store.dialect.own('meta')
  // Also a table that is not there is refused in a database that a newer Sluice wrote.
  const newest = `SELECT max(format) AS newest FROM ${meta}`
  const row = await first(session, `SELECT (${newest}) AS newest, m.* FROM ${meta} m WHERE tbl = $1`, [table])
  const format = Number((row ?? (await first(session, newest)))?.['newest'] ?? 0)
  const known = store.dialect.format
  if (format > known) {
    throw new SluiceError('TABLE_UNSUPPORTED', `${store.location} was written in format ${format}; this Sluice knows ${known}.`, { hint: 'Use the version that wrote it, or a newer one.' })
  }
  if (row === undefined) return null
  const adopted = row['adopted'] ?? null
  return { ledger: String(row['ledger']), definition: JSON.parse(String(row['definition'])) as Definition, schema: JSON.parse(String(row['schema'])) as Schema, adopted: adopted === null ? null : Number(adopted) }
}

/** Our columns must be what the last commit left; others are left alone where tables can be others'. Answers how many came first. */
function checkColumns(store: Store, table: string, relation: Relation, schema: Schema): number {
  const { location, dialect } = store
  const stored = new Map(relation.columns.map((column) => [fold(column.name), column]))
  const wrong = schema.filter((column) => {
    const there = stored.get(fold(column.name))
    return there === undefined || there.name !== column.name || !dialect.holds(there.type, column.type)
  })
  const place = relation.columns.findIndex(({ name }) => name === '_place')
  const strange = dialect.adopts ? 0 : relation.columns.length - schema.length - 1
  if (relation.kind === 'table' && wrong.length === 0 && place >= 0 && strange === 0) {
    const before = new Set(relation.columns.slice(0, place).map(({ name }) => name))
    return schema.filter(({ name }) => before.has(name)).length
  }
  const columns = relation.columns.map(({ name, type }) => `${name} ${type}`).join(', ')
  throw new SluiceError('TABLE_FOREIGN', `${location}: the columns of ${table} were changed from outside. They are ${columns}; its record says ${describeSchema(schema)} and _place.`, { where: { path: store.uri(table) } })
}

/**
 * Looks at columns of others that are loaded from now on: because records have them, or because they were accepted.
 * @throws SluiceError DEFINITION_INVALID
 */
export async function checkJoined({ dialect }: Store, session: DatabaseSession, table: string, { adopted, relation, schema: before }: State, schema: Schema): Promise<void> {
  if (adopted === null || dialect.checkStanding === undefined) return
  const joined = schema.slice(before.length).filter(({ name }) => relation?.columns.some((stored) => fold(stored.name) === fold(name)))
  if (joined.length > 0) await dialect.checkStanding(session, table, dialect.names(table).table, joined)
}

/** @param adopted others made the table · @throws SluiceError TABLE_UNSUPPORTED when rows of another table would go or change with those that are replaced */
export async function checkReplaced({ dialect }: Store, session: DatabaseSession, table: string, adopted: boolean): Promise<void> {
  const found = (await dialect.dragged?.(session, table, adopted)) ?? null
  if (found === null) return
  throw new SluiceError('TABLE_UNSUPPORTED', `${table} cannot be replaced: ${found.child} refers to it ON DELETE ${found.does}, so its rows would go or change with those that are replaced.`, {
    hint: 'Load it with --mode upsert, which takes no row out, or take that clause away.',
  })
}

/** The newest commit of each of these contents. */
export async function readStanding({ dialect }: Store, session: DatabaseSession, table: string, shas: readonly string[]): Promise<Map<string, Standing>> {
  const found = new Map<string, Standing>()
  const wanted = [...new Set(shas)]
  for (let at = 0; at < wanted.length; at += 500) {
    const part = wanted.slice(at, at + 500)
    const list = part.map((_, i) => `$${i + 2}`).join(', ')
    const rows = await session.all(`SELECT sha256, generation, seq, read, field, since, until FROM ${dialect.own('arrivals')} WHERE tbl = $1 AND sha256 IN (${list}) ORDER BY generation, seq`, [table, ...part])
    // Of the newest generation everything is in, or what its commits brought together.
    const newest = new Map(rows.map((row) => [String(row['sha256']), Number(row['generation'])]))
    const whole = new Set(rows.filter((row) => row['field'] === null && newest.get(String(row['sha256'])) === Number(row['generation'])).map((row) => String(row['sha256'])))
    for (const row of rows) {
      const [sha, generation] = [String(row['sha256']), Number(row['generation'])]
      if (newest.get(sha) !== generation) continue
      const covered = whole.has(sha) ? undefined : joinCovered(found.get(sha)?.covered, datesFromSql(row), Number(row['read']))
      found.set(sha, { generation, seq: Number(row['seq']), ...(covered === undefined ? {} : { covered }) })
    }
  }
  return found
}

export async function readReceipt({ dialect }: Store, session: DatabaseSession, table: string, batch: string): Promise<Receipt | null> {
  const row = await first(session, `SELECT receipt FROM ${dialect.own('batches')} WHERE tbl = $1 AND id = $2`, [table, batch])
  return row === undefined ? null : receiptFromJson(String(row['receipt']))
}
