/**
 * Statistics of a data file: from what the engine says of a written file to the text in the `add` action.
 *
 * Bounds may be wide, never narrow: a reader leaves a file out by them. 64-bit integers are written as raw digits, since
 * a JavaScript number rounds beyond 2^53; for the same reason they are read back as text.
 */
import type { ColumnStats, Written } from '../../core/engine.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
import type { ColumnType, Schema } from '../../core/schema.ts'
import { isDecimal, isString } from '../../core/types.ts'

/** Longer texts are cut; a cut maximum gets the highest code point behind it. */
export const CUT = 32
export const HIGHEST = '\u{10FFFF}'

/** The `stats` text of an add action: numRecords, minValues, maxValues, nullCount. */
export function statsText(schema: Schema, written: Written): string {
  const mins: string[] = []
  const maxs: string[] = []
  const nulls: string[] = []
  for (const { name, type } of [...schema, { name: PLACE_COLUMN, type: 'int64' } as const]) {
    const stats = written.stats[name]
    if (stats === undefined) continue
    const member = JSON.stringify(name)
    nulls.push(`${member}:${stats.nulls}`)
    const bounds = boundsOf(type, stats, written.rows)
    if (bounds === null) continue
    mins.push(`${member}:${bounds.min}`)
    if (bounds.max !== null) maxs.push(`${member}:${bounds.max}`)
  }
  return `{"numRecords":${written.rows},"minValues":{${mins.join(',')}},"maxValues":{${maxs.join(',')}},"nullCount":{${nulls.join(',')}}}`
}

/** Both bounds as JSON texts; null when they are not to be told. */
function boundsOf(type: ColumnType, stats: ColumnStats, rows: number): { min: string; max: string | null } | null {
  const { min, max } = stats
  // Spark sorts NaN highest, DuckDB's maximum passes over it.
  if (min === undefined || max === undefined || stats.nan === true || stats.nulls === rows) return null
  if (isString(type)) return { min: JSON.stringify(cut(min).text), max: highEnd(max) }
  if (type === 'int64') return INTEGER.test(min) && INTEGER.test(max) ? { min, max } : null
  if (isDecimal(type)) return NUMBER.test(min) && NUMBER.test(max) ? { min, max } : null
  // The zeros are equal, yet some readers order them.
  if (type === 'double') return NUMBER.test(min) && NUMBER.test(max) ? { min: min === '0.0' ? '-0.0' : min, max: max === '-0.0' ? '0.0' : max } : null
  if (type === 'date') return DATE.test(min) && DATE.test(max) ? { min: JSON.stringify(min), max: JSON.stringify(max) } : null
  if (type === 'timestamp' || type === 'timestamp_local') return timeBounds(min, max, type === 'timestamp' ? 'Z' : '')
  // boolean: no reader expects bounds; json: nobody filters on its text; lists and structs have none.
  return null
}

const INTEGER = /^-?\d{1,19}$/
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/
const DATE = /^\d{4}-\d{2}-\d{2}$/
const TIME = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?(?:Z|\+00(?::00)?)?$/

/** The first code points of a text, never half of a surrogate pair. */
function cut(text: string): { text: string; next: string | undefined } {
  if (text.length <= CUT) return { text, next: undefined }
  const points = Array.from(text.slice(0, 2 * CUT + 2))
  return { text: points.slice(0, CUT).join(''), next: points[CUT] }
}

function highEnd(max: string): string | null {
  const { text, next } = cut(max)
  // What follows the cut must be below U+10FFFF, else the bound would be too low: then no bound.
  return next === undefined ? JSON.stringify(text) : next === HIGHEST ? null : JSON.stringify(text + HIGHEST)
}

/** Milliseconds: the minimum is cut down, the maximum rounded up when microseconds were cut. */
function timeBounds(min: string, max: string, zone: string): { min: string; max: string } | null {
  const from = TIME.exec(min)
  const to = TIME.exec(max)
  if (from === null || to === null) return null
  const micros = (to[3] ?? '').padEnd(6, '0')
  const up = Date.parse(`${to[1]}T${to[2]}.${micros.slice(0, 3)}Z`) + (micros.slice(3) === '000' ? 0 : 1)
  const high = new Date(up).toISOString()
  // The last millisecond of the year 9999 rounds up to a year of five digits, which readers do not parse.
  if (high.startsWith('+')) return null
  return { min: JSON.stringify(`${from[1]}T${from[2]}.${(from[3] ?? '').padEnd(6, '0').slice(0, 3)}${zone}`), max: JSON.stringify(high.replace('Z', zone)) }
}

/** Bounds as they stand in the log; numbers as their digits. */
export interface Bounds {
  min: string | undefined
  max: string | undefined
}

/** Bounds of one column of a stats text. Nothing told: undefined. */
export function readBounds(stats: string | undefined, columns: readonly string[]): Map<string, Bounds> {
  if (stats === undefined) return new Map()
  // `source` is the text of a number as it stands: JSON.parse alone rounds beyond 2^53. TypeScript does not know it yet.
  const exact = (_: string, value: unknown, context?: { source?: string }): unknown => (typeof value === 'number' ? (context?.source ?? String(value)) : value)
  const parsed = JSON.parse(stats, exact) as { minValues?: Record<string, unknown>; maxValues?: Record<string, unknown> }
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  return new Map(columns.map((name) => [name, { min: text(parsed.minValues?.[name]), max: text(parsed.maxValues?.[name]) }]))
}
