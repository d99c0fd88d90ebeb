/**
 * What lies in a database of Sluice: the user's tables and Sluice's own.
 *
 *   <table>     columns of the schema and `_place`, a unique index on the key
 *   losers      one per table: valid records that are not in it, the same columns, batch, outcome
 *   meta        per table: format, ledger, definition, schema, and of an adopted table the rows that it had
 *   batches     one row per commit of a table
 *   arrivals    one row per committed arrival, and per interval of it when it was loaded by date
 *   rejects     records that did not get in
 *   deltas      which tables hold what the last load brought, and the run that they are of
 *
 * Losers lie in columns of their own types, not in JSON: so every value is exact, and a late batch finds them by key.
 */
import { SluiceError } from '../core/errors.ts'
import { findColumn, fold } from '../core/schema.ts'
import type { Column, Row, Schema } from '../core/schema.ts'
import { quoteName } from '../sql/quote.ts'
import type { Dialect, OwnTable, Relation, StoredColumn } from './dialect.ts'
import type { SqlRow } from './session.ts'

/** Statements that make one of Sluice's tables, which all tables of a database share. */
export function ownTable(dialect: Dialect, table: OwnTable): readonly string[] {
  if (dialect.ownTable !== undefined) return dialect.ownTable(table)
  const { own, integer, indexes } = dialect
  switch (table) {
    case 'meta':
      return [`CREATE TABLE IF NOT EXISTS ${own('meta')} (tbl TEXT PRIMARY KEY, format ${integer} NOT NULL, ledger TEXT NOT NULL, definition TEXT NOT NULL, schema TEXT NOT NULL, adopted ${integer})`]
    case 'batches':
      return [`CREATE TABLE IF NOT EXISTS ${own('batches')} (
        tbl TEXT NOT NULL, version ${integer} NOT NULL, id TEXT NOT NULL, lane ${integer} NOT NULL, fence ${integer} NOT NULL,
        highest ${integer} NOT NULL, rows ${integer} NOT NULL, receipt TEXT NOT NULL,
        PRIMARY KEY (tbl, version), UNIQUE (tbl, id), UNIQUE (tbl, lane, fence))`]
    case 'arrivals':
      return [`CREATE TABLE IF NOT EXISTS ${own('arrivals')} (
        tbl TEXT NOT NULL, seq ${integer} NOT NULL, sha256 TEXT NOT NULL, generation ${integer} NOT NULL, batch TEXT NOT NULL,
        field TEXT, since TEXT, until TEXT, path TEXT NOT NULL, size ${integer} NOT NULL, read ${integer} NOT NULL, inserted ${integer} NOT NULL,
        updated ${integer} NOT NULL, duplicate ${integer} NOT NULL, stale ${integer} NOT NULL, skipped ${integer} NOT NULL, quarantined ${integer} NOT NULL,
        PRIMARY KEY (tbl, seq, batch), UNIQUE (tbl, sha256, generation, batch))`]
    case 'rejects':
      return [
        `CREATE TABLE IF NOT EXISTS ${own('rejects')} (
        tbl TEXT NOT NULL, place ${integer} NOT NULL, batch TEXT NOT NULL, "offset" ${integer}, code TEXT NOT NULL, "column" TEXT,
        value TEXT, message TEXT NOT NULL, raw TEXT, evicted ${integer} NOT NULL)`,
        ...(indexes ? [`CREATE INDEX IF NOT EXISTS rejects_by_place ON ${own('rejects')} (tbl, place)`, `CREATE INDEX IF NOT EXISTS rejects_by_batch ON ${own('rejects')} (tbl, batch, place)`] : []),
      ]
    case 'deltas':
      return [`CREATE TABLE IF NOT EXISTS ${own('deltas')} (name TEXT PRIMARY KEY, tbl TEXT NOT NULL, run TEXT NOT NULL)`]
  }
}

/** Those that the first commit makes. */
export function ownTables(dialect: Dialect): string[] {
  return (['meta', 'batches', 'arrivals', 'rejects'] as const).flatMap((table) => ownTable(dialect, table))
}

/** Id of the newest batch of table $1 that brought arrivals. */
export function latestBatch({ own }: Dialect): string {
  return `(SELECT a.batch FROM ${own('arrivals')} a JOIN ${own('batches')} b ON b.tbl = a.tbl AND b.id = a.batch WHERE a.tbl = $1 ORDER BY b.version DESC LIMIT 1)`
}

/**
 * Statements that bring a table from the schema it has (null: there is none) to the one it shall have.
 * @param relation what there is of it, whoever made it
 * @throws SluiceError TABLE_UNSUPPORTED, DEFINITION_INVALID when it has a column of another type
 */
export function growTable(dialect: Dialect, table: string, from: Schema | null, to: Schema, relation: Relation | null): string[] {
  if (to.length > dialect.mostColumns) {
    throw new SluiceError('TABLE_UNSUPPORTED', `The table ${table} would have ${to.length} columns; ${dialect.product} takes ${dialect.mostColumns}.`, { hint: 'Declare the columns that matter with --columns, or load it into a Delta table.' })
  }
  const names = dialect.names(table)
  const there = (name: string): StoredColumn | undefined => relation?.columns.find((column) => fold(column.name) === fold(name))
  for (const column of to) fitting(dialect, table, column, there(column.name))
  const own = (column: Column): string => `${quoteName(column.name)} ${dialect.sqlType(column.type)}`
  const lost = (column: Column): string => `${quoteName(column.name)} ${dialect.beside(column.type, there(column.name))}`
  const statements: string[] = []
  if (from === null) {
    if (relation === null) statements.push(`CREATE TABLE ${names.table} (${[...to.map(own), `_place ${dialect.integer} NOT NULL`].join(', ')})${dialect.ending}`)
    statements.push(`CREATE TABLE ${names.losers} (${[...to.map(lost), `_place ${dialect.integer} NOT NULL`, '_sluice_batch TEXT NOT NULL', '_sluice_outcome TEXT NOT NULL'].join(', ')})${dialect.ending}`)
    return statements
  }
  for (const column of to.slice(from.length)) {
    if (there(column.name) === undefined) statements.push(`ALTER TABLE ${names.table} ADD COLUMN ${own(column)}`)
    statements.push(`ALTER TABLE ${names.losers} ADD COLUMN ${lost(column)}`)
  }
  return statements
}

/** A column that the table has must keep what the pipeline's has. */
function fitting(dialect: Dialect, table: string, column: Column, stored: StoredColumn | undefined): void {
  if (stored === undefined || (dialect.holds(stored.type, column.type) && stored.generated !== true && stored.name === column.name)) return
  const why = stored.generated === true ? `${dialect.product} makes its values itself` : stored.name === column.name ? `it is ${stored.type} there, which does not keep every ${column.type} as it is` : `it is spelled ${stored.name} there`
  const type = dialect.typeOf(stored.type)
  throw new SluiceError('DEFINITION_INVALID', `${table}: the column ${column.name} cannot be loaded: ${why}.`, {
    where: { column: column.name },
    hint: stored.generated === true || type === null ? 'Leave it out with --columns.' : `Declare it as --columns …,${stored.name}:${type}, or leave it out.`,
  })
}

/** Columns of the key as an index takes them, when the table has all of them. */
function keyColumns(dialect: Dialect, schema: Schema, key: readonly string[]): string[] | null {
  const columns = key.map((name) => findColumn(schema, name))
  return columns.length === 0 || !columns.every((column) => column !== undefined) ? null : columns.map((column) => dialect.bytewise?.(quoteName(column.name)) ?? quoteName(column.name))
}

/** Unique indexes of the table that are on its key and nothing else. */
export function keyIndexes(relation: Relation | null, key: readonly string[]): string[] {
  const wanted = new Set(key.map(fold))
  return (relation?.uniques ?? []).filter(({ columns }) => columns.length === wanted.size && columns.every((name) => wanted.has(fold(name)))).map(({ name }) => name)
}

/** The unique index on the key, as soon as the table has all its columns, and unless it has one. */
export function keyIndex(dialect: Dialect, table: string, schema: Schema, key: readonly string[], relation: Relation | null): string[] {
  const columns = keyColumns(dialect, schema, key)
  const { keyIndex: index } = dialect.names(table)
  if (columns === null || index === undefined || keyIndexes(relation, key).length > 0) return []
  const { name, on } = index
  return [`CREATE UNIQUE INDEX IF NOT EXISTS ${name} ON ${on} (${columns.join(', ')})`]
}

/** The index by which a late batch finds the losers of its keys; made for the first one that needs it. */
export function lateIndex(dialect: Dialect, table: string, schema: Schema, key: readonly string[]): string[] {
  const columns = keyColumns(dialect, schema, key)
  const { lateIndex: index } = dialect.names(table)
  if (columns === null || index === undefined) return []
  const { name, on } = index
  return [`CREATE INDEX IF NOT EXISTS ${name} ON ${on} (${columns.join(', ')})`]
}

/** Columns to insert into. */
export function columnList(schema: Schema): string {
  return [...schema.map((column) => quoteName(column.name)), '_place'].join(', ')
}

/** A row of `rowSelect`: values of the schema, then the place. */
export function rowFromSql(dialect: Dialect, stored: SqlRow, schema: Schema): Row {
  const row: Row = schema.map((column, i) => dialect.value(stored[`c${i}`], column.type))
  row.push(BigInt((stored['place'] ?? 0n) as bigint))
  return row
}

/** What to select so that `rowFromSql` understands it. */
export function rowSelect(dialect: Dialect, schema: Schema, alias: string): string {
  return [...schema.map((column, i) => `${dialect.shown(column.type, `${alias}.${quoteName(column.name)}`)} AS c${i}`), `${alias}._place AS place`].join(', ')
}

/** Where a column of the table lies in a staged row; -1 when the batch does not have it. */
export function positions(schema: Schema, staged: Schema): number[] {
  return schema.map((column) => staged.findIndex((other) => fold(other.name) === fold(column.name)))
}
