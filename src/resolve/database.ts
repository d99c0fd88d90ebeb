/**
 * The winner rule and the classes of the balance as expressions that PostgreSQL, DuckDB and SQLite read alike.
 *
 * What is compared is given as expressions: whoever renders a column sees to it that text compares by its UTF-8 bytes.
 * Held equal to `reference` by the contract of targets, database by database.
 */
import type { Keep } from '../core/definition.ts'

/** Expressions of one side of a comparison: the value of the keep column (`NULL` without one) and the place. */
export interface Side {
  value: string
  place: string
}

/** True when `a` beats `b`, else false; never null. */
export function beatsSql(keep: Keep, a: Side, b: Side): string {
  const highest = keep.rule === 'last' || keep.rule === 'max'
  const byPlace = `${a.place} ${highest ? '>' : '<'} ${b.place}`
  if (keep.rule !== 'max' && keep.rule !== 'min') return `(${byPlace})`
  const byValue = `${a.value} ${keep.rule === 'max' ? '>' : '<'} ${b.value}`
  return `(CASE WHEN ${a.value} IS NOT DISTINCT FROM ${b.value} THEN ${byPlace} WHEN ${b.value} IS NULL THEN true WHEN ${a.value} IS NULL THEN false ELSE ${byValue} END)`
}

/** The order of the rule, best first. */
export function orderSql(keep: Keep, side: Side): string {
  const place = `${side.place} ${keep.rule === 'last' || keep.rule === 'max' ? 'DESC' : 'ASC'}`
  return 'column' in keep ? `${side.value} ${keep.rule === 'max' ? 'DESC' : 'ASC'} NULLS LAST, ${place}` : place
}

/** True when every pair of expressions is equal, null being equal to null. */
export function sameSql(pairs: readonly (readonly [string, string])[]): string {
  return pairs.length === 0 ? 'true' : balanced(pairs.map(([a, b]) => `${a} IS NOT DISTINCT FROM ${b}`), 'AND')
}

/** True when every pair is equal and not null: the join on a key. Flat, so that a planner sees each condition. */
export function keySql(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([a, b]) => `${a} = ${b}`).join(' AND ')
}

/** Terms as a balanced tree: SQLite takes expressions of depth 1,000 at most, and tables of 2,000 columns. */
export function balanced(terms: readonly string[], operator: 'AND' | '||'): string {
  if (terms.length < 2) return `(${String(terms[0])})`
  const half = terms.length >> 1
  return `(${balanced(terms.slice(0, half), operator)} ${operator} ${balanced(terms.slice(half), operator)})`
}

/** The class of a record that is not in the table: `same` tells whether it equals the final winner of its key. */
export function lostSql(keep: Keep, same: string): string {
  if (keep.rule === 'first') return `'duplicate'`
  return `CASE WHEN ${same} THEN 'duplicate' ELSE ${keep.rule === 'error' ? `'KEY_REPEATED'` : `'stale'`} END`
}

/**
 * The class of a batch's winner against the stored row of its key.
 * @param stored expression that is null when the key is new
 * @param wins true when the incoming record beats the effective rank of the stored row
 * @param same true when both have the same content
 */
export function outcomeSql(keep: Keep, stored: string, wins: string, same: string): string {
  return `CASE WHEN ${stored} IS NULL THEN 'inserted' WHEN ${wins} THEN CASE WHEN ${same} THEN 'duplicate' ELSE 'updated' END ELSE ${lostSql(keep, same)} END`
}
