/**
 * How far a source was read, told by the windows that the target has committed and by those that are sealed.
 *
 * A window says nothing about what lies before it: one that failed may never have come in, though those behind it did. So a
 * window counts when the one before it counts, down to one that was read when everything before it was in the table: its
 * name says so (`after`), and nothing older has to be looked at.
 */
import { compareMarks } from '../../core/mark.ts'
import type { Mark } from '../../core/mark.ts'
import type { WindowName } from './name.ts'

/** A window of a read, and not of a snapshot. */
export type MarkedWindow = WindowName & { mark: Mark }

export interface Reached {
  /** The highest number that a window has. */
  last: number
  /** Null: from the beginning. */
  mark: Mark | null
  /** What the name of the next window says. */
  after: number | null
  /** Of the windows that count, the newest that lies there. */
  newest: MarkedWindow | null
  /** Sealed windows that do not count: what they follow is not there. */
  stray: MarkedWindow[]
}

/** @param committed newest first; read no further than it takes */
export async function reached(committed: AsyncIterable<MarkedWindow>, sealed: readonly MarkedWindow[]): Promise<Reached> {
  const inTable: MarkedWindow[] = []
  const wanted = new Set(sealed.flatMap(({ after }) => (after === null || after === 0 ? [] : [after])))
  let anchored = false
  for await (const window of committed) {
    inTable.push(window)
    wanted.delete(window.n)
    anchored ||= window.after !== null
    if (anchored && wanted.size === 0) break
  }
  const there = new Set(inTable.map(({ n }) => n))
  const counted = chain(inTable, () => true)
  // What a sealed window follows may have been taken from the table since.
  const known = new Set(inTable)
  const both = chain([...inTable, ...sealed], (window) => known.has(window) || window.after === 0 || there.has(window.after ?? 0))
  const last = [...inTable, ...both].reduce((most, { n }) => Math.max(most, n), 0)
  const [safe, far] = [highest(counted), highest(both)]
  const stray = sealed.filter((window) => !both.includes(window))
  const newest = sealed.filter((window) => both.includes(window)).reduce<MarkedWindow | null>((found, window) => (found === null || window.n > found.n ? window : found), null)
  const ahead = far !== null && (safe === null || compareMarks(far.mark, safe.mark) > 0)
  // The sealed windows are no part of the table yet: what follows them hangs on the last of them, by its number. So that one
  // must reach as far as the mark: after a reload that was stopped it may not, and then what lies between would be lost.
  const end = both.find(({ n }) => n === last)
  if (ahead && end !== undefined && compareMarks(end.mark, far.mark) >= 0) return { last, mark: far.mark, after: null, newest, stray }
  return { last, mark: safe?.mark ?? null, after: last === 0 ? null : (safe?.n ?? 0), newest, stray }
}

/** Those that go on where one of them ends, from the first one on. @param begins whether what its name says counts */
function chain(windows: readonly MarkedWindow[], begins: (window: MarkedWindow) => boolean): MarkedWindow[] {
  const counted: MarkedWindow[] = []
  const numbers = new Set<number>([0])
  for (const window of windows.toSorted((a, b) => a.n - b.n)) {
    if (window.after === null ? !numbers.has(window.n - 1) : !begins(window)) continue
    numbers.add(window.n)
    counted.push(window)
  }
  return counted
}

/** Of equal marks the first: those behind it may be known already, and then no commit names them. */
function highest(windows: readonly MarkedWindow[]): MarkedWindow | null {
  return windows.reduce<MarkedWindow | null>((found, window) => (found === null || compareMarks(window.mark, found.mark) > 0 ? window : found), null)
}
