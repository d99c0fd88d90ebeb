/**
 * Which pairs of rows have the same content, in DuckDB's SQL.
 *
 * A join that compares whole rows holds one side of them, whole. For many columns they are compared a slice of the columns at a
 * time, each against what is equal so far: 10,000 rows of 998 columns wanted more than the 200 MB that DuckDB has of
 * `--memory 1GB`; in slices they take no more than rows of 128 columns. Hashes of whole rows would be one pass instead of
 * eight, but equal hashes are not equal rows.
 */
import type { Schema } from '../core/schema.ts'
import { quoteName } from '../sql/quote.ts'

/** So many columns are compared at once, whatever the rows. */
const AT_ONCE = 128
/** Of many rows fewer: so many values of a side are held. */
const VALUES = 4_000_000
/** Each slice is another look at the files. */
const LEAST = 16

/** Places of pairs that differ, while slices are compared. */
const DIFFERING = 'sluice_differing'

/** Equal in these columns. */
export function equalSql(columns: Schema, a: string, b: string): string {
  return columns.length === 0 ? 'true' : `(${columns.map(({ name }) => `${a}.${quoteName(name)} IS NOT DISTINCT FROM ${b}.${quoteName(name)}`).join(' AND ')})`
}

/** Whether so many columns are compared in slices. */
export function isWide(columns: Schema): boolean {
  return columns.length > AT_ONCE
}

/** @param rows of a side, about */
export function slicesOf(columns: Schema, rows: number): Schema[] {
  const size = Math.max(LEAST, Math.min(AT_ONCE, Math.floor(VALUES / Math.max(1, rows))))
  return Array.from({ length: Math.ceil(columns.length / size) }, (_, at) => columns.slice(at * size, (at + 1) * size))
}

/** Pairs of rows, and where they are told whether they are equal. */
export interface Pairs {
  /** Relation: place (its own in it), a, b (what the rows of the two sides are found by), and whatever else. */
  pairs: string
  /** The two sides, with the columns of a slice, and the column that `a` or `b` is compared with. */
  a: { rows: (slice: Schema) => string; by: string }
  b: { rows: (slice: Schema) => string; by: string }
}

/** Statements around `then`, which may use `equal`: whether the pair of a `place` is equal in all slices. */
export function slicedSql({ pairs, a, b }: Pairs, slices: readonly Schema[], then: (equal: (place: string) => string) => string[]): string[] {
  const differing = `(SELECT place FROM ${DIFFERING})`
  const compared = slices.map((slice) => {
    const left = `SELECT * FROM (${pairs}) WHERE place NOT IN ${differing}`
    const rows = `(${left}) AS p JOIN (${a.rows(slice)}) AS x ON x.${a.by} = p.a JOIN (${b.rows(slice)}) AS y ON y.${b.by} = p.b`
    return `INSERT INTO ${DIFFERING} SELECT p.place FROM ${rows} WHERE NOT ${equalSql(slice, 'x', 'y')}`
  })
  return [`CREATE TEMP TABLE ${DIFFERING} (place BIGINT)`, ...compared, ...then((place) => `${place} NOT IN ${differing}`), `DROP TABLE ${DIFFERING}`]
}
