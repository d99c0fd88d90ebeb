/**
 * How DuckDB keeps and compares what Sluice writes: types of its own for everything, lists and structs too.
 *
 * No index, neither on the key nor elsewhere: loading through a primary key took five times as long and made the file
 * seven times as large; joins find keys without, and `verify` looks for one that is there twice.
 */
import { SluiceError } from '../../core/errors.ts'
import { findColumn } from '../../core/schema.ts'
import type { ColumnType, Schema, Value } from '../../core/schema.ts'
import type { SqlValue } from '../../core/effects.ts'
import type { Dialect, Names, StoredColumn } from '../../database/dialect.ts'
import type { Check } from '../../database/work.ts'
import { valueSql } from '../../resolve/duckdb-batch.ts'
import { duckType, jsonTextSql } from '../../resolve/nested.ts'
import { quoteName } from '../../sql/quote.ts'

/**
 * Under this name and a number of its own a session has attached its file, and uses it: names are written without it, so two
 * files in one process of the engine do not meet.
 */
export const CATALOG = 'sluice_file'
/** Where tables lie that are named without a schema. */
export const DEFAULT_SCHEMA = 'main'
export const OWN_SCHEMA = 'sluice'
/** DuckDB itself has no limit; rows that wide take minutes. */
const MOST_COLUMNS = 10_000

/** `raw.events` → schema and table. */
export function partsOf(table: string): { schema: string; name: string } {
  const at = table.indexOf('.')
  return at < 0 ? { schema: DEFAULT_SCHEMA, name: table } : { schema: table.slice(0, at), name: table.slice(at + 1) }
}

/** The one name of a table, with its schema. */
export function fullName(table: string): string {
  const { schema, name } = partsOf(table)
  return `${schema}.${name}`
}

/** A name of the file, as it is written in SQL. */
export function within(schema: string, name: string): string {
  return `${quoteName(schema)}.${quoteName(name)}`
}

function names(table: string): Names {
  const { schema, name } = partsOf(table)
  return { table: within(schema, name), losers: within(OWN_SCHEMA, `losers_${schema}.${name}`) }
}

/** JSON has a type that is a text by another name. */
function sqlType(type: ColumnType): string {
  return type === 'json' ? 'JSON' : duckType(type)
}

/** The catalog writes `TIMESTAMP WITH TIME ZONE`, and struct members without quotes where they need none. */
function holds(stored: string, type: ColumnType): boolean {
  const bare = (text: string): string => text.replaceAll('"', '').toUpperCase().replaceAll('TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ')
  return bare(stored) === bare(sqlType(type)) || (type === 'json' && bare(stored) === 'VARCHAR') || (type === 'string' && bare(stored).startsWith('VARCHAR'))
}

const SCALARS: Readonly<Record<string, ColumnType>> = {
  VARCHAR: 'string', BOOLEAN: 'boolean', BIGINT: 'int64', INTEGER: 'int64', SMALLINT: 'int64', TINYINT: 'int64', DOUBLE: 'double', DATE: 'date',
  'TIMESTAMP WITH TIME ZONE': 'timestamp', TIMESTAMP: 'timestamp_local', JSON: 'json',
}

function typeOf(stored: string): ColumnType | null {
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(stored) ?? []
  if (isText(stored)) return 'string'
  return precision === undefined || scale === undefined ? (SCALARS[stored] ?? null) : `decimal(${Number(precision)},${Number(scale)})`
}

/** Types of tables of others that are written and read as texts. */
function isText(stored: string): boolean {
  return stored === 'UUID' || stored.startsWith('ENUM(')
}

const RANGES: Readonly<Record<string, string>> = { TINYINT: '127', SMALLINT: '32767', INTEGER: '2147483647' }

function checks(type: ColumnType, { name, type: stored, notNull, filled }: StoredColumn, isKey: boolean): Check[] {
  const found: Check[] = []
  if (notNull === true) found.push({ column: name, when: (value) => `${value} IS NULL`, why: `${name} must not be null${filled === true ? ', and a record without it has null' : ''}.` })
  if (isText(stored)) found.push({ column: name, when: (value) => `${value} IS NOT NULL AND TRY_CAST(${value} AS ${stored}) IS NULL`, why: `${name} is ${stored}, and this is no value of it.` })
  // Keys were compared as texts when the batch was staged.
  if (stored === 'UUID' && isKey) found.push({ column: name, when: (value) => `${value} <> CAST(TRY_CAST(${value} AS UUID) AS VARCHAR)`, why: `${name} is UUID and part of the key: it must be 8-4-4-4-12 digits in lower case.` })
  const range = RANGES[stored]
  if (type === 'int64' && range !== undefined) found.push({ column: name, when: (value) => `${value} NOT BETWEEN -${range} - 1 AND ${range}`, why: `${name} is ${stored}, and the number is beyond it.` })
  return found
}

function value(answer: SqlValue | undefined, _: ColumnType): Value {
  return answer === undefined || answer instanceof Uint8Array ? null : answer
}

/** Lists and structs hold nothing that is equal and yet different but a NaN, which is equal to itself here. */
function content(type: ColumnType, expression: string, stored?: StoredColumn): string {
  if (stored?.type === 'UUID') return `TRY_CAST(${expression} AS UUID)`
  return type === 'json' ? `CAST(${expression} AS VARCHAR)` : expression
}

function rowId(schema: Schema): string {
  if (findColumn(schema, 'rowid') === undefined) return 'rowid'
  throw new SluiceError('TABLE_UNSUPPORTED', 'A table with a column named rowid cannot be kept in DuckDB.', { hint: 'Load it into a Delta table, or leave the column out with --columns.' })
}

export const duckdb: Dialect = {
  product: 'DuckDB',
  format: 1,
  integer: 'BIGINT',
  mostColumns: MOST_COLUMNS,
  ending: '',
  indexes: false,
  savepoints: false,
  adopts: true,
  ownRefuse: true,
  // An update of a list or a struct is a new row.
  idsStay: false,
  own: (table) => within(OWN_SCHEMA, table),
  ofNewest: (column) => `arg_max(${column}, version)`,
  names,
  deltaName: (table) => names(table).table,
  sqlType,
  typeOf,
  beside: sqlType,
  checks,
  holds: (stored, type) => holds(stored, type) || typeOf(stored) === type,
  shown: (type, expression) => (type === 'json' || type === 'string' ? `CAST(${expression} AS VARCHAR)` : valueSql({ name: '', type }, expression)),
  value,
  // Text compares by its UTF-8 bytes.
  ordered: (_, expression) => expression,
  content,
  foreign: {
    read: ({ type }, expression) => (isText(type) ? `CAST(${expression} AS VARCHAR)` : expression),
    write: ({ type }, expression) => (isText(type) ? `CAST(${expression} AS ${type})` : expression),
    met: ({ type }, column, value) => (type === 'UUID' ? [column, `TRY_CAST(${value} AS UUID)`] : isText(type) ? [`CAST(${column} AS VARCHAR)`, value] : [column, value]),
  },
  json: (type, expression) => (type === 'json' ? `CAST(${expression} AS VARCHAR)` : jsonTextSql(type, expression)),
  rowId,
  checkOrder(_, schema) {
    rowId(schema)
  },
}
