/**
 * The winner among records of one key, as data and as a reference in memory.
 *
 * The order is total, so the winner of a union is the winner of the winners: stored rows and a batch can be decided
 * without the batches before. Every SQL rendering in this folder is tested against `reference`.
 */
import type { Keep } from '../core/definition.ts'
import type { Value } from '../core/schema.ts'

/** What the rule looks at: the place, and the value of the keep column (null without one). */
export interface Candidate {
  place: bigint
  value: Value
}

/** True when `a` beats `b`. Null loses; equal values: highest place under max, lowest under min. */
export function beats(keep: Keep, a: Candidate, b: Candidate): boolean {
  if (keep.rule === 'max' || keep.rule === 'min') {
    const order = compareValues(a.value, b.value)
    if (a.value === null || b.value === null) {
      if (a.value !== b.value) return b.value === null
    } else if (order !== 0) return keep.rule === 'max' ? order > 0 : order < 0
  }
  const highest = keep.rule === 'last' || keep.rule === 'max'
  return highest ? a.place > b.place : a.place < b.place
}

/** The reference: which of the candidates wins. */
export function reference<T extends Candidate>(keep: Keep, candidates: readonly T[]): T | undefined {
  let best: T | undefined
  for (const candidate of candidates) if (best === undefined || beats(keep, candidate, best)) best = candidate
  return best
}

/** Order of two values of one column: text by UTF-8 bytes, false before true; null is equal to null only. */
export function compareValues(a: Value, b: Value): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? -1 : 1
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : a > b ? 1 : 0
}
