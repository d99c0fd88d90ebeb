/**
 * What lies in a SQLite file of Sluice: the user's tables and Sluice's own.
 *
 *   <table>                  columns of the schema and `_place`, STRICT, UNIQUE index `_sluice_key_<table>` on the key
 *   _sluice_losers_<table>   valid records that are not in the table: the same columns, batch, outcome
 *   _sluice_meta             per table: format, ledger, definition, schema
 *   _sluice_batches          one row per commit of a table
 *   _sluice_arrivals         one row per committed arrival and commit: one that came by dates is in several
 *   _sluice_rejects          records that did not get in
 *   _sluice_deltas           which tables hold what the last load brought, and the run that they are of
 *
 * Losers lie in columns of their own types, not in JSON: so every value is exact, and a late batch finds them by key.
 */
import type { Definition } from '../../core/definition.ts'
import { SluiceError } from '../../core/errors.ts'
import { findColumn, fold } from '../../core/schema.ts'
import type { ColumnType, Row, Schema, Value } from '../../core/schema.ts'
import { isDecimal, nodeOf } from '../../core/types.ts'
import type { Scalar } from '../../core/types.ts'
import type { SqlValue } from '../../core/effects.ts'
import { quoteName } from '../../sql/quote.ts'

/** Grows when the layout changes so that an older Sluice would read it wrongly. */
export const FORMAT = 2

/** SQLite takes 2,000 columns in a table; some of them are Sluice's own. */
const SQLITE_COLUMNS = 1990

const SQL_TYPE: Readonly<Record<Scalar, string>> = {
  string: 'TEXT',
  boolean: 'INTEGER',
  int64: 'INTEGER',
  double: 'REAL',
  date: 'TEXT',
  timestamp: 'TEXT',
  timestamp_local: 'TEXT',
  json: 'TEXT',
}

export function sqlType(type: ColumnType): string {
  // SQLite has no exact decimals: they are text, as lists and structs are JSON text.
  const { kind } = nodeOf(type)
  return kind === 'decimal' || kind === 'list' || kind === 'struct' ? 'TEXT' : SQL_TYPE[kind]
}

const ARRIVALS = `
CREATE TABLE IF NOT EXISTS main._sluice_arrivals (
  tbl TEXT NOT NULL, seq INTEGER NOT NULL, sha256 TEXT NOT NULL, generation INTEGER NOT NULL, batch TEXT NOT NULL,
  path TEXT NOT NULL, size INTEGER NOT NULL, read INTEGER NOT NULL, inserted INTEGER NOT NULL, updated INTEGER NOT NULL,
  duplicate INTEGER NOT NULL, stale INTEGER NOT NULL, skipped INTEGER NOT NULL, quarantined INTEGER NOT NULL,
  field TEXT, since TEXT, until TEXT,
  PRIMARY KEY (tbl, seq, batch)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS main._sluice_arrivals_by_content ON _sluice_arrivals (tbl, sha256, generation);`

/** Sluice's tables that all tables of a file share. */
export const OWN_TABLES = `
CREATE TABLE IF NOT EXISTS main._sluice_meta (
  tbl TEXT PRIMARY KEY, format INTEGER NOT NULL, ledger TEXT NOT NULL, definition TEXT NOT NULL, schema TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS main._sluice_batches (
  tbl TEXT NOT NULL, version INTEGER NOT NULL, id TEXT NOT NULL, lane INTEGER NOT NULL, fence INTEGER NOT NULL,
  highest INTEGER NOT NULL, rows INTEGER NOT NULL, receipt TEXT NOT NULL,
  PRIMARY KEY (tbl, version), UNIQUE (tbl, id), UNIQUE (tbl, lane, fence)
) STRICT, WITHOUT ROWID;
${ARRIVALS}
CREATE TABLE IF NOT EXISTS main._sluice_deltas (name TEXT PRIMARY KEY COLLATE NOCASE, tbl TEXT NOT NULL, run TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS main._sluice_rejects (
  tbl TEXT NOT NULL, place INTEGER NOT NULL, batch TEXT NOT NULL, offset INTEGER, code TEXT NOT NULL, "column" TEXT,
  value TEXT, message TEXT NOT NULL, raw TEXT, evicted INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS main._sluice_rejects_by_place ON _sluice_rejects (tbl, place);
CREATE INDEX IF NOT EXISTS main._sluice_rejects_by_batch ON _sluice_rejects (tbl, batch, place);
`

/** What brings a file of format 1 to this one: an arrival was in one commit there, and by no dates. */
export const FROM_1 = `
ALTER TABLE main._sluice_arrivals RENAME TO _sluice_arrivals_1;
${ARRIVALS}
INSERT INTO main._sluice_arrivals SELECT *, NULL, NULL, NULL FROM main._sluice_arrivals_1;
DROP TABLE main._sluice_arrivals_1;
UPDATE main._sluice_meta SET format = ${FORMAT};
`

/** Names of a table's parts, quoted, with the database they lie in. */
export interface Names {
  table: string
  losers: string
  /** Without the database, as an index is named on its table. */
  bareTable: string
  bareLosers: string
  keyIndex: string
  lateIndex: string
}

/** Id of the newest batch of table ?1 that brought arrivals. */
export const LATEST_BATCH = '(SELECT a.batch FROM main._sluice_arrivals AS a JOIN main._sluice_batches AS b ON b.tbl = a.tbl AND b.id = a.batch WHERE a.tbl = ?1 ORDER BY b.version DESC LIMIT 1)'

export function namesOf(table: string): Names {
  return {
    table: `main.${quoteName(table)}`,
    losers: `main.${quoteName(`_sluice_losers_${table}`)}`,
    bareTable: quoteName(table),
    bareLosers: quoteName(`_sluice_losers_${table}`),
    keyIndex: `_sluice_key_${table}`,
    lateIndex: `_sluice_late_${table}`,
  }
}

/** @throws SluiceError TARGET_INVALID for a name that belongs to Sluice or to SQLite */
export function checkTableName(table: string, file: string): void {
  if (/^(_sluice|sqlite_)/i.test(table)) {
    throw new SluiceError('TARGET_INVALID', `${file}: a table cannot be named ${table}.`, { hint: 'Names that begin with _sluice or sqlite_ are reserved; take another name with --into.' })
  }
}

/** SQLite would compare decimals as text or as doubles. @throws SluiceError TABLE_UNSUPPORTED */
export function checkOrder(definition: Definition, schema: Schema): void {
  const { key, keep } = definition
  for (const [flag, name] of [...key.map((one) => ['--key', one] as const), ...(keep !== null && 'column' in keep ? [[`--keep ${keep.rule}:`, keep.column] as const] : [])]) {
    const column = findColumn(schema, name)
    if (column === undefined || !isDecimal(column.type)) continue
    throw new SluiceError('TABLE_UNSUPPORTED', `${flag}${flag.endsWith(':') ? '' : ' '}${column.name}: SQLite has no exact ${column.type}, it would be compared as text.`, {
      where: { column: column.name },
      hint: 'Load into a Delta table, or declare the column as int64 in the smallest unit (cents), or as string.',
    })
  }
}

/** The name by which SQLite's row number can be asked for: a column of that name would hide it. */
export function rowNumber(schema: Schema): string {
  const free = ['rowid', '_rowid_', 'oid'].find((name) => findColumn(schema, name) === undefined)
  if (free !== undefined) return free
  throw new SluiceError('TABLE_UNSUPPORTED', 'A table with columns named rowid, _rowid_ and oid cannot be kept in SQLite.', { hint: 'Load it into a Delta table, or leave one of them out with --columns.' })
}

/** Statements that bring a table from the schema it has (null: there is none) to the one it shall have. */
export function growTable(table: string, from: Schema | null, to: Schema): string[] {
  if (to.length > SQLITE_COLUMNS) {
    throw new SluiceError('TABLE_UNSUPPORTED', `The table ${table} would have ${to.length} columns; SQLite takes ${SQLITE_COLUMNS}.`, { hint: 'Declare the columns that matter with --columns, or load it into a Delta table.' })
  }
  const names = namesOf(table)
  const definitions = to.map((column) => `${quoteName(column.name)} ${sqlType(column.type)}`)
  const statements: string[] = []
  if (from === null) {
    statements.push(`CREATE TABLE ${names.table} (${[...definitions, '_place INTEGER NOT NULL'].join(', ')}) STRICT`)
    statements.push(`CREATE TABLE ${names.losers} (${[...definitions, '_place INTEGER NOT NULL', '_sluice_batch TEXT NOT NULL', '_sluice_outcome TEXT NOT NULL'].join(', ')}) STRICT`)
  } else {
    for (const definition of definitions.slice(from.length)) {
      for (const name of [names.table, names.losers]) statements.push(`ALTER TABLE ${name} ADD COLUMN ${definition}`)
    }
  }
  return statements
}

/** The indexes on the key, as soon as the table has all its columns. */
export function indexTable(table: string, schema: Schema, key: readonly string[]): string[] {
  const names = namesOf(table)
  const columns = key.map((name) => findColumn(schema, name))
  if (columns.length === 0 || !columns.every((column) => column !== undefined)) return []
  const list = columns.map((column) => quoteName(column.name)).join(', ')
  return [
    `CREATE UNIQUE INDEX IF NOT EXISTS main.${quoteName(names.keyIndex)} ON ${names.bareTable} (${list})`,
    `CREATE INDEX IF NOT EXISTS main.${quoteName(names.lateIndex)} ON ${names.bareLosers} (${list})`,
  ]
}

/** A stored value as a `Value`: SQLite has no booleans. */
export function fromSql(value: SqlValue | undefined, type: ColumnType): Value {
  if (value === undefined || value === null || value instanceof Uint8Array) return null
  return type === 'boolean' ? value === 1n || value === 1 : value
}

/** A row of `SELECT c0 …, place`: values of the schema, then the place. */
export function rowFromSql(stored: Record<string, SqlValue>, schema: Schema): Row {
  const row: Row = schema.map((column, i) => fromSql(stored[`c${i}`], column.type))
  row.push(BigInt(stored['place'] as bigint))
  return row
}

/** What to select so that `rowFromSql` understands it. */
export function rowSelect(schema: Schema, alias: string): string {
  return [...schema.map((column, i) => `${alias}.${quoteName(column.name)} AS c${i}`), `${alias}._place AS place`].join(', ')
}

/** Where a column of the table lies in a staged row; -1 when the batch does not have it. */
export function positions(schema: Schema, staged: Schema): number[] {
  return schema.map((column) => staged.findIndex((other) => fold(other.name) === fold(column.name)))
}
