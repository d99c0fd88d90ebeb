/**
 * Loading by date: the stretch of time that a load asks for, and what all loads of an arrival cover together.
 *
 * Ends are instants of UTC as text, `2020-12-08T00:00:00.000000Z`: they sort as they follow one another, in databases too.
 * `since` belongs to the interval, `until` does not; null: no end. What is covered is the union of what was asked for, so a
 * record is in exactly when its date is; records without a date belong to no interval, only to a load of everything.
 */
import type { ArrivalOutcome } from './arrival.ts'
import type { Standing } from './engine.ts'
import { SluiceError } from './errors.ts'
import { fold } from './schema.ts'

export interface Interval {
  since: string | null
  until: string | null
}
/** What a load by date brings: records whose date, in this column, lies in the interval. */
export interface ByDate extends Interval {
  field: string
}
/** What of an arrival is in. Intervals are in order and do not touch. */
export interface Covered {
  field: string
  intervals: readonly Interval[]
  /** Records of the arrival in all, as each of its loads found them: else their places would not be the same. */
  read: number
}
/** Records that a load by date left out: of other dates (or brought by an earlier load), and without a date. */
export interface Aside {
  outside: number
  undated: number
}

const INSTANT = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(?:Z|([+-])(\d\d):?(\d\d))?)?$/

/**
 * A date or timestamp as a user writes it; without a zone it is of UTC.
 * @throws SluiceError USAGE
 */
export function parseInstant(flag: string, text: string): string {
  const wrong = new SluiceError('USAGE', `${flag} ${text} is no date: expected one such as 2020-12-08 or 2020-12-08T06:30:00Z.`)
  const match = INSTANT.exec(text.trim())
  if (match === null) throw wrong
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', sign, zoneHours = '00', zoneMinutes = '00'] = match
  const at = new Date(0)
  at.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  at.setUTCHours(Number(hour), Number(minute), Number(second))
  // What overflows into the next hour or month was no date; years have four digits.
  if (!at.toISOString().startsWith(`${year}-${month}-${day}T${hour}:${minute}:${second}`) || Number(zoneHours) > 23 || Number(zoneMinutes) > 59) throw wrong
  const shifted = new Date(at.getTime() - (sign === '-' ? -1 : 1) * (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000)
  if (!/^\d{4}-/.test(shifted.toISOString())) throw wrong
  return `${shifted.toISOString().slice(0, 19)}.${fraction.padEnd(6, '0')}Z`
}

/** @throws SluiceError USAGE for ends that enclose nothing */
export function parseInterval(since: string | undefined, until: string | undefined): Interval {
  const interval = { since: since === undefined ? null : parseInstant('--since', since), until: until === undefined ? null : parseInstant('--until', until) }
  if (interval.since !== null && interval.until !== null && interval.since >= interval.until) {
    throw new SluiceError('USAGE', `--since ${since} --until ${until} encloses nothing: --until is exclusive and must be later.`, { hint: 'For one day give the next one as --until.' })
  }
  return interval
}

/** Microseconds since 1970 of an end. */
export function microsOf(instant: string): bigint {
  return BigInt(Date.parse(`${instant.slice(0, 19)}Z`)) * 1000n + BigInt(instant.slice(20, 26))
}

/** What lies in any of them: in order, apart from one another. */
export function union(intervals: readonly Interval[]): Interval[] {
  const sorted = intervals.toSorted((a, b) => ((a.since ?? '') < (b.since ?? '') ? -1 : 1))
  const joined: Interval[] = []
  for (const { since, until } of sorted) {
    const last = joined.at(-1)
    if (last === undefined || (last.until !== null && since !== null && since > last.until)) joined.push({ since, until })
    else if (last.until !== null && (until === null || until > last.until)) last.until = until
  }
  return joined
}

/**
 * What is in after another load.
 * @param before undefined: nothing · @param more undefined: everything that was not in · @param read records of the arrival
 * @returns undefined: everything
 */
export function joinCovered(before: Covered | undefined, more: ByDate | undefined, read: number): Covered | undefined {
  if (more === undefined) return undefined
  const { field, since, until } = more
  return { field: before?.field ?? field, intervals: union([...(before?.intervals ?? []), { since, until }]), read }
}

/**
 * Is everything in that is asked for?
 * @param covered null: everything is · @param asked null: everything is asked for
 */
export function isCovered(covered: readonly Interval[] | null, asked: Interval | null): boolean {
  if (covered === null) return true
  if (asked === null) return false
  return covered.some(({ since, until }) => (since === null || (asked.since !== null && asked.since >= since)) && (until === null || (asked.until !== null && asked.until <= until)))
}

export function sameCovered(a: Covered | undefined, b: Covered | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return fold(a.field) === fold(b.field) && showIntervals(a.intervals) === showIntervals(b.intervals)
}

/**
 * May this arrival be committed, given what the table has? Every target asks it before its commit, so that no record comes
 * in twice whoever loads which days at the same time.
 * @param stands what the table has of its bytes · @param numbered the table has an arrival of this number
 */
export function mayEnter({ seq, generation, after }: ArrivalOutcome, stands: Standing | undefined, numbered: boolean): boolean {
  if (after === undefined) return !numbered && (stands === undefined || stands.generation < generation)
  return stands?.seq === seq && stands.generation === generation && stands.covered !== undefined && sameCovered(stands.covered, after)
}

function showInstant(instant: string): string {
  return instant.replace(/T00:00:00\.000000Z$/, '').replace(/\.0+Z$/, 'Z').replace(/(\.\d*?)0+Z$/, '$1Z')
}

export function showInterval({ since, until }: Interval): string {
  if (since === null) return until === null ? 'every date' : `before ${showInstant(until)}`
  return until === null ? `from ${showInstant(since)}` : `${showInstant(since)} to ${showInstant(until)}`
}

export function showIntervals(intervals: readonly Interval[]): string {
  return intervals.map(showInterval).join(', ')
}
