/**
 * A staged batch in DuckDB's SQL: its parts as typed relations, and the winner rule among its own records.
 *
 * A relation has every column of the schema with its type: a part that lacks a column reads as NULL there. No relation
 * promises an order; who needs one sorts by `_place`.
 */
import type { Keep } from '../core/definition.ts'
import type { Part, Staged } from '../core/engine.ts'
import { REJECT_COLUMNS } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import { PLACE_COLUMN } from '../core/place.ts'
import { findColumn } from '../core/schema.ts'
import type { Column, Schema } from '../core/schema.ts'
import { isDecimal, isNested } from '../core/types.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { duckType, jsonTextSql, ofTextSql, timeSql } from './nested.ts'

/** Files of parts as DuckDB's list literal. Its readers take paths as patterns, so their special characters are escaped. */
export function filesSql(parts: readonly Pick<Part, 'uri'>[]): string {
  return `[${parts.map((part) => quoteText(part.uri.replaceAll(/[[*?]/g, '[$&]'))).join(', ')}]`
}

interface Typed {
  name: string
  duck: string
}

/** Parts as a relation with exactly these columns. */
function relation(parts: readonly Part[], columns: readonly Typed[]): string {
  const list = columns.map(({ name, duck }) => `CAST(NULL AS ${duck}) AS ${quoteName(name)}`).join(', ')
  const empty = `SELECT ${list} WHERE false`
  if (parts.length === 0) return empty
  const typed = columns.map(({ name, duck }) => `CAST(${quoteName(name)} AS ${duck}) AS ${quoteName(name)}`).join(', ')
  return `SELECT ${typed} FROM (${empty} UNION ALL BY NAME SELECT * FROM read_parquet(${filesSql(parts)}, union_by_name = true))`
}

const PLACE: Typed = { name: PLACE_COLUMN, duck: 'BIGINT' }

/** Types of columns in parts: lists and structs lie there as text. */
function typed(columns: readonly Column[]): Typed[] {
  return [...columns.map(({ name, type }) => ({ name, duck: isNested(type) ? 'VARCHAR' : duckType(type) })), PLACE]
}

/** A relation of parts with real lists and structs. */
function opened(relation: string, columns: readonly Column[]): string {
  const nested = columns.filter(({ type }) => isNested(type))
  if (nested.length === 0) return relation
  return `SELECT * REPLACE (${nested.map(({ name, type }) => `${ofTextSql(type, quoteName(name))} AS ${quoteName(name)}`).join(', ')}) FROM (${relation})`
}

/** The named columns of a schema (all by default), in the order asked. @throws SluiceError INTERNAL for an unknown name */
function pick(schema: Schema, names: readonly string[] | undefined): readonly Column[] {
  return names === undefined ? schema : names.map((name) => known(schema, name))
}

function known(schema: Schema, name: string): Column {
  const column = findColumn(schema, name)
  if (column === undefined) throw new SluiceError('INTERNAL', `The staged batch has no column ${name}.`)
  return column
}

/** `WHERE …` that leaves out the arrivals that do not count; empty when all do. */
function counting(excluded: readonly number[], alias = ''): string {
  const place = `${alias}${quoteName(PLACE_COLUMN)}`
  return excluded.length === 0 ? '' : ` WHERE (${place} >> 32) NOT IN (${excluded.join(', ')})`
}

/** Where the rows of a staged batch lie. */
export type Lying = Pick<Staged, 'schema' | 'records' | 'excluded' | 'losers'>

/** All good records that count, winners and losers: the named columns (default: all), then `_place`. */
export function recordsSql(staged: Omit<Lying, 'losers'>, columns?: readonly string[]): string {
  const picked = pick(staged.schema, columns)
  return `SELECT * FROM (${opened(relation(staged.records, typed(picked)), picked)})${counting(staged.excluded)}`
}

/** The winners of a batch, one per key (append: every record): the named columns (default: all), then `_place`. */
export function winnersSql(staged: Lying, columns?: readonly string[]): string {
  const records = recordsSql(staged, columns)
  if (staged.losers.length === 0) return records
  const lost = relation(staged.losers, [PLACE])
  return `SELECT r.* FROM (${records}) AS r ANTI JOIN (${lost}) AS l ON r.${quoteName(PLACE_COLUMN)} = l.${quoteName(PLACE_COLUMN)}`
}

/** Records that lost to another one of the batch: the named columns (default: all), then `_place`. */
export function losersSql(staged: Pick<Lying, 'schema' | 'losers'>, columns?: readonly string[]): string {
  const picked = pick(staged.schema, columns)
  return opened(relation(staged.losers, typed(picked)), picked)
}

/** Rejects of the arrivals that count, columns as in REJECT_COLUMNS. */
export function rejectsSql(staged: Pick<Staged, 'rejects' | 'excluded'>): string {
  const columns = REJECT_COLUMNS.map((name) => ({ name, duck: name === PLACE_COLUMN || name === 'offset' ? 'BIGINT' : 'VARCHAR' }))
  return `SELECT * FROM (${relation(staged.rejects, columns)})${counting(staged.excluded)}`
}

/** What `Value` is of a column: dates, timestamps, decimals, lists and structs as text, everything else as it is. */
export function valueSql({ name, type }: Column, expression = quoteName(name)): string {
  if (type === 'date' || type === 'timestamp' || type === 'timestamp_local') return timeSql(type, expression)
  if (isDecimal(type)) return `CAST(${expression} AS VARCHAR)`
  return isNested(type) ? jsonTextSql(type, expression) : expression
}

/** Temporary tables of the separation. LOST has the `_place` of every loser; REPEATED is of one slice of the keys. */
export const REPEATED = 'sluice_repeated'
export const LOST = 'sluice_lost'
export const LOST_TABLE = `CREATE TEMP TABLE ${LOST} (${quoteName(PLACE_COLUMN)} BIGINT)`

/** A share of the keys, cut by hash: slice `at` of `of`, from 0. */
export interface Slice {
  at: number
  of: number
}

/** Asks for `n` records and for `bytes`, the average size of what is grouped of one. */
export function sizeSql(staged: Omit<Lying, 'losers'>, key: readonly string[], keep: Keep): string {
  const columns = deciding(staged.schema, key, keep)
  const sizes = columns.map(({ name, type }) => (type === 'string' ? `coalesce(avg(strlen(${quoteName(name)})), 0)` : '8'))
  return `SELECT count(*) AS n, CAST(${sizes.join(' + ')} AS DOUBLE) AS bytes FROM (${recordsSql(staged, columns.map(({ name }) => name))})`
}

/** Key columns and the keep column, each once. */
function deciding(schema: Schema, key: readonly string[], keep: Keep): Column[] {
  const names = 'column' in keep ? [...key, keep.column] : key
  return [...new Set(names.map((name) => known(schema, name)))]
}

/**
 * Statements that find the losers of a slice by the rule of `rule.ts`, reading only keys, places and the keep column.
 * Afterwards REPEATED has one row per key with several records: the key as _sluice_k1…, `n` records, `place` of the
 * winner; the losers' places are added to LOST. Grouping comes first, so only keys with several records are joined.
 */
export function separateSql(staged: Omit<Lying, 'losers'>, key: readonly string[], keep: Keep, slice: Slice): string[] {
  const keys = key.map((name, at) => ({ name: quoteName(known(staged.schema, name).name), as: `_sluice_k${at + 1}` }))
  const aliases = keys.map(({ as }) => as).join(', ')
  const selected = keys.map(({ name, as }) => `${name} AS ${as}`).join(', ')
  const same = keys.map(({ name, as }) => `b.${name} = r.${as}`).join(' AND ')
  const place = quoteName(PLACE_COLUMN)
  const highest = keep.rule === 'last' || keep.rule === 'max' ? 'max' : 'min'
  const ofSlice = slice.of === 1 ? '' : ` WHERE hash(${keys.map(({ name }) => name).join(', ')}) % ${slice.of} = ${slice.at}`
  const batch = `SELECT * FROM (${recordsSql(staged, deciding(staged.schema, key, keep).map(({ name }) => name))})${ofSlice}`
  const lost = `INSERT INTO ${LOST} SELECT b.${place} FROM (${batch}) AS b JOIN ${REPEATED} AS r ON ${same} WHERE b.${place} <> r.place`
  if (!('column' in keep)) {
    return [`CREATE OR REPLACE TEMP TABLE ${REPEATED} AS SELECT ${selected}, count(*) AS n, ${highest}(${place}) AS place FROM (${batch}) GROUP BY ${aliases} HAVING count(*) > 1`, lost]
  }
  // max and min pass over NULL: a null value wins only where all values are null.
  const value = quoteName(known(staged.schema, keep.column).name)
  const best = `SELECT ${selected}, count(*) AS n, ${keep.rule}(${value}) AS best FROM (${batch}) GROUP BY ${aliases} HAVING count(*) > 1`
  return [
    `CREATE OR REPLACE TEMP TABLE ${REPEATED}_value AS ${best}`,
    `CREATE OR REPLACE TEMP TABLE ${REPEATED} AS SELECT ${keys.map(({ as }) => `r.${as}`).join(', ')}, any_value(r.n) AS n, ${highest}(b.${place}) AS place ` +
      `FROM (${batch}) AS b JOIN ${REPEATED}_value AS r ON ${same} WHERE b.${value} IS NOT DISTINCT FROM r.best GROUP BY ALL`,
    lost,
  ]
}

/** Drops the groups, or all that the separation made. */
export function forgetSql(what: 'groups' | 'all'): string[] {
  return [...(what === 'all' ? [LOST] : []), REPEATED, `${REPEATED}_value`].map((table) => `DROP TABLE IF EXISTS ${table}`)
}

/** Whole rows of the losers that lie in one records part and this range, in place order and as they lie in parts. */
export function losersOfPartSql(staged: Omit<Lying, 'losers'>, part: Part, range: { lowest: bigint; highest: bigint }): string {
  const place = quoteName(PLACE_COLUMN)
  const lost = `SELECT ${place} FROM ${LOST} WHERE ${place} BETWEEN ${range.lowest} AND ${range.highest}`
  const rows = relation([part], typed(staged.schema))
  return `SELECT p.* FROM (${rows}) AS p SEMI JOIN (${lost}) AS l ON p.${place} = l.${place} ORDER BY p.${place}`
}
