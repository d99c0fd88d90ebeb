/**
 * The winner rule and the classes of the balance as SQLite expressions.
 *
 * Text compares as BINARY, which in a UTF-8 file is the order of its bytes; false < true is 0 < 1; dates and timestamps
 * are text of a fixed width. `IS` takes two nulls as equal, and -0.0 as 0.0. Held equal to `reference` by a test.
 */
import type { Keep } from '../core/definition.ts'

/** Expressions of one side of a comparison: the value of the keep column (`NULL` without one) and the place. */
export interface Side {
  value: string
  place: string
}

/** What becomes of an incoming record. */
export type Outcome = 'inserted' | 'updated' | 'duplicate' | 'stale' | 'KEY_REPEATED'

/** 1 when `a` beats `b`, else 0; never null. */
export function beatsSql(keep: Keep, a: Side, b: Side): string {
  const highest = keep.rule === 'last' || keep.rule === 'max'
  const byPlace = `${a.place} ${highest ? '>' : '<'} ${b.place}`
  if (keep.rule !== 'max' && keep.rule !== 'min') return `(${byPlace})`
  const byValue = `${a.value} ${keep.rule === 'max' ? '>' : '<'} ${b.value}`
  return `(CASE WHEN ${a.value} IS ${b.value} THEN ${byPlace} WHEN ${b.value} IS NULL THEN 1 WHEN ${a.value} IS NULL THEN 0 ELSE ${byValue} END)`
}

/** 1 when every pair of expressions is equal, null being equal to null. */
export function sameSql(pairs: readonly (readonly [string, string])[]): string {
  return allOf(pairs.map(([a, b]) => `${a} IS ${b}`))
}

/** 1 when every pair is equal and not null: the join on a key. */
export function keySql(pairs: readonly (readonly [string, string])[]): string {
  return allOf(pairs.map(([a, b]) => `${a} = ${b}`))
}

/** AND as a balanced tree: SQLite takes expressions of depth 1,000 at most, and tables of 2,000 columns. */
function allOf(terms: readonly string[]): string {
  if (terms.length === 0) return '1'
  if (terms.length === 1) return `(${String(terms[0])})`
  const half = terms.length >> 1
  return `(${allOf(terms.slice(0, half))} AND ${allOf(terms.slice(half))})`
}

/** The class of a record that is not in the table: `same` tells whether it equals the final winner of its key. */
export function lostSql(keep: Keep, same: string): string {
  if (keep.rule === 'first') return `'duplicate'`
  return `CASE WHEN ${same} THEN 'duplicate' ELSE ${keep.rule === 'error' ? `'KEY_REPEATED'` : `'stale'`} END`
}

/**
 * The class of a batch's winner against the stored row of its key.
 * @param stored expression that is null when the key is new
 * @param wins 1 when the incoming record beats the effective rank of the stored row
 * @param same 1 when both have the same content
 */
export function outcomeSql(keep: Keep, stored: string, wins: string, same: string): string {
  return `CASE WHEN ${stored} IS NULL THEN 'inserted' WHEN ${wins} THEN CASE WHEN ${same} THEN 'duplicate' ELSE 'updated' END ELSE ${lostSql(keep, same)} END`
}
