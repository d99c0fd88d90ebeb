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
import { isDecimal, isNested, isString } from '../core/types.ts'
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
const PLACED = quoteName(PLACE_COLUMN)

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
  // NOT IN keeps the order of the parts, an anti join may turn its sides around.
  return staged.losers.length === 0 ? records : `SELECT * FROM (${records}) WHERE ${PLACED} NOT IN (${lostHereSql(staged)})`
}

/** Records that lost to another one of the batch: the named columns (default: all), then `_place`. */
export function losersSql(staged: Lying, columns?: readonly string[]): string {
  if (staged.losers.length === 0) return recordsSql({ ...staged, records: [], excluded: [] }, columns)
  // Likewise: a bare IN would become a semi join.
  return `SELECT * FROM (${recordsSql(staged, columns)}) WHERE coalesce(${PLACED} IN (${lostHereSql(staged)}), false)`
}

/** `_place` of every loser of the batch, as it was written. */
export function lostSql({ losers }: Pick<Lying, 'losers'>): string {
  return relation(losers, [PLACE])
}

/** Those within the places of these parts, if they are known: what is held follows a part, not the batch. */
function lostHereSql(staged: Lying): string {
  const places = staged.records.map((part) => part.places)
  const [first, last] = [places[0], places.at(-1)]
  const range = first === undefined || last === undefined ? '' : ` WHERE ${PLACED} BETWEEN ${first.lowest} AND ${last.highest}`
  return `SELECT ${PLACED} FROM (${lostSql(staged)})${range}`
}

/** Rejects of the arrivals that count, columns as in REJECT_COLUMNS. */
export function rejectsSql(staged: Pick<Staged, 'rejects' | 'excluded'>): string {
  const columns = REJECT_COLUMNS.map((name) => ({ name, duck: name === PLACE_COLUMN || name === 'offset' ? 'BIGINT' : 'VARCHAR' }))
  return `SELECT * FROM (${relation(staged.rejects, columns)})${counting(staged.excluded)}`
}

/** What `Value` is of a column: dates, timestamps, decimals, lists and structs as text, everything else as it is. */
export function valueSql({ name, type }: Column, expression = quoteName(name)): string {
  if (type === 'date' || type === 'timestamp' || type === 'timestamp_local') return timeSql(type, expression)
  return isDecimal(type) || isNested(type) ? jsonTextSql(type, expression) : expression
}

/**
 * Temporary tables of the separation. CANDIDATE has keys, keep value and place of the records whose key has the same hash
 * as another one's; REPEATED is of one slice of the candidates; LOST has the `_place` of every loser.
 */
export const CANDIDATE = 'sluice_candidate'
export const REPEATED = 'sluice_repeated'
export const LOST = 'sluice_lost'
export const LOST_TABLE = `CREATE TEMP TABLE ${LOST} (${PLACED} BIGINT)`

/** A share of the keys, cut by hash: slice `at` of `of`, from 0. */
export interface Slice {
  at: number
  of: number
}

/** Key columns and the keep column, each once. */
function deciding(schema: Schema, key: readonly string[], keep: Keep): Column[] {
  const names = 'column' in keep ? [...key, keep.column] : key
  return [...new Set(names.map((name) => known(schema, name)))]
}

/** 63 bits: Parquet and the parts know no unsigned numbers. */
function hashSql(schema: Schema, key: readonly string[], alias = ''): string {
  return `CAST(hash(${key.map((name) => `${alias}${quoteName(known(schema, name).name)}`).join(', ')}) >> 1 AS BIGINT)`
}

function sliced(hash: string, slice: Slice): string {
  return slice.of === 1 ? '' : ` WHERE ${hash} % ${slice.of} = ${slice.at}`
}

/** A query for each part: one list of the hashes of the keys of all its records that count, in any order; NULL for none. */
export function hashesSql(staged: Omit<Lying, 'losers'>, key: readonly string[]): string[] {
  return staged.records.map((part) => `SELECT list(${hashSql(staged.schema, key)}) AS hashes FROM (${recordsSql({ ...staged, records: [part] }, key)})`)
}

/** Column of the parts of the suspects: hashes of keys that may be those of several records. */
export const SUSPECT_COLUMN = 'h'

/**
 * Fills CANDIDATE from a slice of the suspects: the records whose key has the hash of one. A slice costs another look at all
 * keys: 0.5 s of wall time for 14.7 million on two cores.
 */
export function candidatesSql(staged: Omit<Lying, 'losers'>, suspects: readonly Part[], key: readonly string[], keep: Keep, slice: Slice): string {
  const names = deciding(staged.schema, key, keep).map(({ name }) => name)
  const met = `SELECT ${SUSPECT_COLUMN} FROM read_parquet(${filesSql(suspects)})${sliced(SUSPECT_COLUMN, slice)}`
  return `CREATE OR REPLACE TEMP TABLE ${CANDIDATE} AS SELECT b.* FROM (${recordsSql(staged, names)}) AS b SEMI JOIN (${met}) AS m ON ${hashSql(staged.schema, key, 'b.')} = m.${SUSPECT_COLUMN}`
}

/** Fills CANDIDATE from a slice of parts that have the candidates alone, by other bits than those that `separateSql` cuts by. */
export function pickedSql(schema: Schema, picked: readonly Part[], key: readonly string[], slice: Slice): string {
  return `CREATE OR REPLACE TEMP TABLE ${CANDIDATE} AS SELECT * FROM (${recordsSql({ schema, records: picked, excluded: [] }, key)})${sliced(hashSql(schema, key), slice)}`
}

/** Asks for `n` candidates and for `bytes`, the average size of what is grouped of one. */
export function sizeSql(schema: Schema, key: readonly string[], keep: Keep): string {
  const sizes = deciding(schema, key, keep).map(({ name, type }) => (isString(type) ? `coalesce(avg(strlen(${quoteName(name)})), 0)` : '8'))
  return `SELECT count(*) AS n, CAST(${sizes.join(' + ')} AS DOUBLE) AS bytes FROM ${CANDIDATE}`
}

/**
 * Statements that find the losers among a slice of the candidates by the rule of `rule.ts`. Afterwards REPEATED has one row
 * per key with several records: the key as _sluice_k1…, `n` records, `place` of the winner; the losers' places are added to
 * LOST.
 */
export function separateSql(schema: Schema, key: readonly string[], keep: Keep, slice: Slice): string[] {
  const keys = key.map((name, at) => ({ name: quoteName(known(schema, name).name), as: `_sluice_k${at + 1}` }))
  const aliases = keys.map(({ as }) => as).join(', ')
  const selected = keys.map(({ name, as }) => `${name} AS ${as}`).join(', ')
  const same = keys.map(({ name, as }) => `b.${name} = r.${as}`).join(' AND ')
  const highest = keep.rule === 'last' || keep.rule === 'max' ? 'max' : 'min'
  // Other bits than those that cut the candidates.
  const batch = `SELECT * FROM ${CANDIDATE}${sliced(`(${hashSql(schema, key)} >> 32)`, slice)}`
  const lost = `INSERT INTO ${LOST} SELECT b.${PLACED} FROM (${batch}) AS b JOIN ${REPEATED} AS r ON ${same} WHERE b.${PLACED} <> r.place`
  if (!('column' in keep)) {
    return [`CREATE OR REPLACE TEMP TABLE ${REPEATED} AS SELECT ${selected}, count(*) AS n, ${highest}(${PLACED}) AS place FROM (${batch}) GROUP BY ${aliases} HAVING count(*) > 1`, lost]
  }
  // max and min pass over NULL: a null value wins only where all values are null.
  const value = quoteName(known(schema, keep.column).name)
  const best = `SELECT ${selected}, count(*) AS n, ${keep.rule}(${value}) AS best FROM (${batch}) GROUP BY ${aliases} HAVING count(*) > 1`
  return [
    `CREATE OR REPLACE TEMP TABLE ${REPEATED}_value AS ${best}`,
    `CREATE OR REPLACE TEMP TABLE ${REPEATED} AS SELECT ${keys.map(({ as }) => `r.${as}`).join(', ')}, any_value(r.n) AS n, ${highest}(b.${PLACED}) AS place ` +
      `FROM (${batch}) AS b JOIN ${REPEATED}_value AS r ON ${same} WHERE b.${value} IS NOT DISTINCT FROM r.best GROUP BY ALL`,
    lost,
  ]
}

/** Drops the groups, or all that the separation made. */
export function forgetSql(what: 'groups' | 'all'): string {
  return [...(what === 'all' ? [LOST] : []), CANDIDATE, REPEATED, `${REPEATED}_value`].map((table) => `DROP TABLE IF EXISTS ${table}`).join('; ')
}

/** First and last place of each part: path, lowest, highest. */
export function placesSql(parts: readonly Part[]): string {
  return `SELECT filename AS path, min(${PLACED}) AS lowest, max(${PLACED}) AS highest FROM read_parquet(${filesSql(parts)}, filename = true) GROUP BY filename`
}
