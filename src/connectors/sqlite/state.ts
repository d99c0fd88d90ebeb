/** Reads what a SQLite file says about one table, and refuses what Sluice did not make. */
import type { Definition } from '../../core/definition.ts'
import { SluiceError } from '../../core/errors.ts'
import { describeSchema } from '../../core/schema.ts'
import type { Schema } from '../../core/schema.ts'
import type { Standing } from '../../core/engine.ts'
import { joinCovered } from '../../core/interval.ts'
import type { ByDate, Covered } from '../../core/interval.ts'
import type { Head } from '../../core/target.ts'
import { quoteName } from '../../sql/quote.ts'
import type { SqliteRow, SqliteSession } from '../../sql/sqlite.ts'
import { FORMAT, FROM_1, OWN_TABLES, sqlType } from './layout.ts'

/** A table as it stands in one state of the file. */
export interface State extends Head {
  /** See `Table.highest`. */
  highest: bigint
  /** Rows of the newest batch record; 0 before the first. */
  version: number | null
}

export function nothing(): State {
  return { exists: false, version: null, definition: null, schema: [], made: 0, rows: 0, highest: 0n, lanes: new Map(), ledger: null }
}

/**
 * State of a table. Call it inside a transaction or a snapshot.
 * @param ledger null: whoever's it is
 * @throws SluiceError TABLE_FOREIGN, TABLE_UNSUPPORTED, TABLE_OTHER_LEDGER, TABLE_BROKEN
 */
export function readState(session: SqliteSession, file: string, table: string, ledger: string | null): State {
  const encoding = session.get('PRAGMA encoding')?.['encoding']
  if (encoding !== 'UTF-8') {
    throw new SluiceError('TABLE_UNSUPPORTED', `${file} holds its text as ${String(encoding)}: it would not sort by UTF-8 bytes.`, { where: { path: file }, hint: 'Load into another file.' })
  }
  const meta = readMeta(session, file, table)
  const found = session.get('SELECT name, type FROM main.sqlite_schema WHERE name = ? COLLATE NOCASE', [table])
  if (meta === null) {
    if (found === undefined) return nothing()
    throw new SluiceError('TABLE_FOREIGN', `${file} has a ${String(found['type'])} ${String(found['name'])} that Sluice did not make.`, { where: { path: file } })
  }
  if (ledger !== null && meta.ledger !== ledger) {
    throw new SluiceError('TABLE_OTHER_LEDGER', `The table ${table} in ${file} belongs to the ledger ${meta.ledger}; this one is ${ledger}.`, { where: { path: file } })
  }
  if (found === undefined) throw new SluiceError('TABLE_BROKEN', `${file}: the table ${table} was removed, but its records are there.`, { where: { path: file } })
  const made = checkColumns(session, file, table, meta.schema)
  const last = session.get('SELECT version, highest, rows FROM main._sluice_batches WHERE tbl = ? ORDER BY version DESC LIMIT 1', [table])
  if (last === undefined) throw new SluiceError('TABLE_BROKEN', `${file}: the table ${table} has no record of a commit.`, { where: { path: file } })
  const lanes = new Map<number, number>()
  for (const row of session.all('SELECT lane, max(fence) AS fence FROM main._sluice_batches WHERE tbl = ? GROUP BY lane', [table])) lanes.set(Number(row['lane']), Number(row['fence']))
  return { exists: true, version: Number(last['version']), made, rows: Number(last['rows']), highest: BigInt(last['highest'] as bigint), lanes, ...meta }
}

/** The file's arrivals are as format 1 has them; the next commit brings them to this one. */
function isOld(session: SqliteSession): boolean {
  const columns = session.all(`PRAGMA main.table_info('_sluice_arrivals')`).map((column) => column['name'])
  return columns.length > 0 && !columns.includes('since')
}

/** Sluice's own tables as this format has them. Inside a transaction. */
export function bringUp(session: SqliteSession): void {
  if (isOld(session)) session.exec('sqlite.format', FROM_1)
  session.exec('sqlite.own', OWN_TABLES)
}

/** Column by whose dates arrivals came in; null: none did. */
export function readDateField(session: SqliteSession, table: string): string | null {
  if (isOld(session)) return null
  const row = session.get('SELECT field FROM main._sluice_arrivals WHERE tbl = ? AND field IS NOT NULL LIMIT 1', [table])
  return row === undefined ? null : String(row['field'])
}

/** What a commit brought of an arrival; undefined: everything that was not in. */
export function datesOf(row: SqliteRow): ByDate | undefined {
  const { field, since, until } = row
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
  return typeof field === 'string' ? { field, since: text(since), until: text(until) } : undefined
}

interface Meta {
  ledger: string
  definition: Definition
  schema: Schema
}

function readMeta(session: SqliteSession, file: string, table: string): Meta | null {
  const columns = session.all(`PRAGMA main.table_info('_sluice_meta')`).map((column) => column['name'])
  if (columns.length === 0) return null
  if (!columns.includes('tbl') || !columns.includes('format')) {
    throw new SluiceError('TABLE_FOREIGN', `${file} has a table _sluice_meta that Sluice did not make.`, { where: { path: file } })
  }
  const format = Number(session.get('SELECT max(format) AS format FROM main._sluice_meta')?.['format'] ?? 0)
  if (format > FORMAT) {
    throw new SluiceError('TABLE_UNSUPPORTED', `${file} was written in format ${format}; this Sluice knows ${FORMAT}.`, { where: { path: file }, hint: 'Use the version that wrote it, or a newer one.' })
  }
  const row = session.get('SELECT ledger, definition, schema FROM main._sluice_meta WHERE tbl = ?', [table])
  if (row === undefined) return null
  return { ledger: String(row['ledger']), definition: JSON.parse(String(row['definition'])) as Definition, schema: JSON.parse(String(row['schema'])) as Schema }
}

/** The columns must be what the last commit left: a change behind our back is somebody else's table. Answers how many came first. */
function checkColumns(session: SqliteSession, file: string, table: string, schema: Schema): number {
  const stored = session.all(`PRAGMA main.table_info(${quoteName(table)})`).map((column) => `${String(column['name'])} ${String(column['type'])}`)
  const expected = schema.map((column) => `${column.name} ${sqlType(column.type)}`)
  const own = stored.filter((column) => column !== '_place INTEGER')
  if (own.length + 1 === stored.length && own.join('\0') === expected.join('\0')) return stored.indexOf('_place INTEGER')
  throw new SluiceError('TABLE_FOREIGN', `${file}: the columns of ${table} were changed from outside. They are ${stored.join(', ')}; its record says ${describeSchema(schema)} and _place.`, { where: { path: file } })
}

/** The newest commit of each of these contents. */
export function readStanding(session: SqliteSession, table: string, shas: readonly string[]): Map<string, Standing> {
  const found = new Map<string, Standing>()
  for (const sha of new Set(shas)) {
    const rows = session.all('SELECT * FROM main._sluice_arrivals WHERE tbl = ?1 AND sha256 = ?2 AND generation = (SELECT max(generation) FROM main._sluice_arrivals WHERE tbl = ?1 AND sha256 = ?2)', [table, sha])
    const [first] = rows
    if (first === undefined) continue
    const whole = rows.some((row) => row['field'] === null || row['field'] === undefined)
    const covered = whole ? undefined : rows.reduce((before: Covered | undefined, row) => joinCovered(before, datesOf(row), Number(row['read'])), undefined)
    found.set(sha, { generation: Number(first['generation']), seq: Number(first['seq']), ...(covered === undefined ? {} : { covered }) })
  }
  return found
}
