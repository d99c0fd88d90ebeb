/**
 * How SQLite keeps and compares what Sluice writes, and its own tables as files have had them from the beginning.
 *
 *   <table>                  STRICT, unique index `_sluice_key_<table>` on the key
 *   _sluice_losers_<table>   index `_sluice_late_<table>` on the key
 *   _sluice_meta, _sluice_batches, _sluice_arrivals, _sluice_rejects, _sluice_deltas
 *
 *   boolean → INTEGER · int64 → INTEGER · double → REAL · all else → TEXT
 * Text compares as BINARY, which in a UTF-8 file is the order of its bytes; dates and timestamps are text of a fixed width.
 */
import type { Definition } from '../../core/definition.ts'
import { SluiceError } from '../../core/errors.ts'
import { findColumn } from '../../core/schema.ts'
import type { SqlValue } from '../../core/effects.ts'
import type { ColumnType, Schema, Value } from '../../core/schema.ts'
import { isDecimal, nodeOf } from '../../core/types.ts'
import type { Scalar } from '../../core/types.ts'
import type { Dialect, Names, OwnTable } from '../../database/dialect.ts'
import { quoteName } from '../../sql/quote.ts'
import { checkStanding, checks, dragged, holds, typeOf } from './foreign.ts'

/** Grows when the layout changes so that an older Sluice would read it wrongly. */
const FORMAT = 3
/** SQLite takes 2,000 columns in a table; some of them are Sluice's own. */
const MOST_COLUMNS = 1990

const TYPES: Readonly<Record<Scalar, string>> = {
  string: 'TEXT', boolean: 'INTEGER', int64: 'INTEGER', double: 'REAL', date: 'TEXT', timestamp: 'TEXT', timestamp_local: 'TEXT', json: 'TEXT',
}

export function sqlType(type: ColumnType): string {
  // SQLite has no exact decimals: they are text, as lists and structs are JSON text.
  const { kind } = nodeOf(type)
  return kind === 'decimal' || kind === 'list' || kind === 'struct' ? 'TEXT' : TYPES[kind]
}

const OWN: Readonly<Record<OwnTable, readonly string[]>> = {
  meta: [`CREATE TABLE IF NOT EXISTS _sluice_meta (
    tbl TEXT PRIMARY KEY, format INTEGER NOT NULL, ledger TEXT NOT NULL, definition TEXT NOT NULL, schema TEXT NOT NULL, adopted INTEGER) STRICT, WITHOUT ROWID`],
  batches: [`CREATE TABLE IF NOT EXISTS _sluice_batches (
    tbl TEXT NOT NULL, version INTEGER NOT NULL, id TEXT NOT NULL, lane INTEGER NOT NULL, fence INTEGER NOT NULL,
    highest INTEGER NOT NULL, rows INTEGER NOT NULL, receipt TEXT NOT NULL,
    PRIMARY KEY (tbl, version), UNIQUE (tbl, id), UNIQUE (tbl, lane, fence)) STRICT, WITHOUT ROWID`],
  arrivals: [
    `CREATE TABLE IF NOT EXISTS _sluice_arrivals (
      tbl TEXT NOT NULL, seq INTEGER NOT NULL, sha256 TEXT NOT NULL, generation INTEGER NOT NULL, batch TEXT NOT NULL,
      path TEXT NOT NULL, size INTEGER NOT NULL, read INTEGER NOT NULL, inserted INTEGER NOT NULL, updated INTEGER NOT NULL,
      duplicate INTEGER NOT NULL, stale INTEGER NOT NULL, skipped INTEGER NOT NULL, quarantined INTEGER NOT NULL,
      field TEXT, since TEXT, until TEXT,
      PRIMARY KEY (tbl, seq, batch)) STRICT, WITHOUT ROWID`,
    'CREATE INDEX IF NOT EXISTS _sluice_arrivals_by_content ON _sluice_arrivals (tbl, sha256, generation)',
  ],
  rejects: [
    `CREATE TABLE IF NOT EXISTS _sluice_rejects (
      tbl TEXT NOT NULL, place INTEGER NOT NULL, batch TEXT NOT NULL, offset INTEGER, code TEXT NOT NULL, "column" TEXT,
      value TEXT, message TEXT NOT NULL, raw TEXT, evicted INTEGER NOT NULL) STRICT`,
    'CREATE INDEX IF NOT EXISTS _sluice_rejects_by_place ON _sluice_rejects (tbl, place)',
    'CREATE INDEX IF NOT EXISTS _sluice_rejects_by_batch ON _sluice_rejects (tbl, batch, place)',
  ],
  deltas: ['CREATE TABLE IF NOT EXISTS _sluice_deltas (name TEXT PRIMARY KEY COLLATE NOCASE, tbl TEXT NOT NULL, run TEXT NOT NULL) STRICT, WITHOUT ROWID'],
}

/** What shows the arrivals of a file of format 1 as this one has them: an arrival was in one commit there, and by no dates. */
export const SEEN_AS_2 = 'CREATE TEMP VIEW _sluice_arrivals AS SELECT *, NULL AS field, NULL AS since, NULL AS until FROM main._sluice_arrivals'

/** What brings the arrivals of a file of format 1 to those of 2. */
export const FROM_1: readonly string[] = [
  'ALTER TABLE main._sluice_arrivals RENAME TO _sluice_arrivals_1',
  ...OWN.arrivals,
  'INSERT INTO main._sluice_arrivals SELECT *, NULL, NULL, NULL FROM main._sluice_arrivals_1',
  'DROP TABLE main._sluice_arrivals_1',
]

/** What brings a file of format 2 to this one: tables of others can be in it. */
export const FROM_2: readonly string[] = ['ALTER TABLE main._sluice_meta ADD COLUMN adopted INTEGER', `UPDATE main._sluice_meta SET format = ${FORMAT}`]

function names(table: string): Names {
  const [there, losers] = [quoteName(table), quoteName(`_sluice_losers_${table}`)]
  const index = (name: string, on: string): { name: string; on: string } => ({ name: `main.${quoteName(`_sluice_${name}_${table}`)}`, on })
  return { table: `main.${there}`, losers: `main.${losers}`, keyIndex: index('key', there), lateIndex: index('late', losers) }
}

/** SQLite would compare decimals as text or as doubles. */
function checkOrder({ key, keep }: Definition, schema: Schema): void {
  rowId(schema)
  for (const [flag, name] of [...key.map((one) => ['--key', one] as const), ...(keep !== null && 'column' in keep ? [[`--keep ${keep.rule}:`, keep.column] as const] : [])]) {
    const column = findColumn(schema, name)
    if (column === undefined || !isDecimal(column.type)) continue
    throw new SluiceError('TABLE_UNSUPPORTED', `${flag}${flag.endsWith(':') ? '' : ' '}${column.name}: SQLite has no exact ${column.type}, it would be compared as text.`, {
      where: { column: column.name },
      hint: 'Load into a Delta table, or declare the column as int64 in the smallest unit (cents), or as string.',
    })
  }
}

/** SQLite's row number: a column of its name would hide it. */
function rowId(schema: Schema): string {
  const free = ['rowid', '_rowid_', 'oid'].find((name) => findColumn(schema, name) === undefined)
  if (free !== undefined) return free
  throw new SluiceError('TABLE_UNSUPPORTED', 'A table with columns named rowid, _rowid_ and oid cannot be kept in SQLite.', { hint: 'Load it into a Delta table, or leave one of them out with --columns.' })
}

function truth(expression: string): string {
  return `CASE ${expression} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END`
}

function json(type: ColumnType, expression: string): string {
  switch (nodeOf(type).kind) {
    case 'boolean':
      return truth(expression)
    case 'int64':
      return `CAST(${expression} AS TEXT)`
    case 'decimal':
    case 'json':
    case 'list':
    case 'struct':
      return expression
    case 'string':
    case 'double':
    case 'date':
    case 'timestamp':
    case 'timestamp_local':
      return `json_quote(${expression})`
  }
}

/** In tables of others a double may lie as a whole number. */
function value(answer: SqlValue | undefined, type: ColumnType): Value {
  if (answer === undefined || answer === null || answer instanceof Uint8Array) return null
  if (type === 'boolean') return answer === 'true'
  return type === 'double' && typeof answer === 'bigint' ? Number(answer) : answer
}

export const sqlite: Dialect = {
  product: 'SQLite',
  format: FORMAT,
  integer: 'INTEGER',
  mostColumns: MOST_COLUMNS,
  ending: ' STRICT',
  indexes: true,
  adopts: true,
  ownRefuse: false,
  bytewise: (column) => `${column} COLLATE BINARY`,
  checkStanding,
  dragged,
  savepoints: true,
  idsStay: true,
  // Without the name of the database, so that `SEEN_AS_2` stands in the place of a table.
  own: (table) => `_sluice_${table}`,
  ownTable: (table) => OWN[table],
  names,
  keyTold: (table, columns) => columns.map((column) => `${table}.${column}`).join(', '),
  deltaName: (table) => table,
  sqlType,
  typeOf,
  // Whatever others put into the column is kept as it is.
  beside: (type, stored) => (stored === undefined ? sqlType(type) : 'ANY'),
  checks,
  holds,
  shown: (type, expression) => (type === 'boolean' ? truth(expression) : expression),
  value,
  ordered: (type, expression) => (sqlType(type) === 'TEXT' ? `${expression} COLLATE BINARY` : expression),
  content: (type, expression, stored) => (stored !== undefined && sqlType(type) === 'TEXT' ? `${expression} COLLATE BINARY` : expression),
  foreign: {
    read: (_, expression) => expression,
    write: (_, expression) => expression,
    met: (_, column, value) => [`${column} COLLATE BINARY`, value],
  },
  json,
  rowId,
  checkOrder,
}
