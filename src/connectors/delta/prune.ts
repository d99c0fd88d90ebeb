/**
 * Which data files may hold a key of a batch: the others are not read. In doubt a file stays.
 */
import type { Staged } from '../../core/engine.ts'
import type { ColumnType, Schema } from '../../core/schema.ts'
import { MAX_PRECISION, isDecimal, isString } from '../../core/types.ts'
import { columnOf } from '../../resolve/duckdb-table.ts'
import type { AddAction } from './actions.ts'
import { CUT, HIGHEST, readBounds } from './stats.ts'
import type { Bounds } from './stats.ts'

/** False only when no row of the file can have a key within the ranges of the batch. */
export function mayHold(add: AddAction, schema: Schema, keyRange: Staged['keyRange']): boolean {
  if (keyRange === null) return true
  const columns = keyRange.map(({ name }) => columnOf(schema, name))
  const bounds = readBounds(add.stats, columns.map(({ name }) => name))
  return keyRange.every(({ min, max }, at) => {
    const column = columns[at]
    if (column === undefined) return true
    const inPartition = add.partitionValues[column.name]
    // A key is never null.
    if (inPartition === null || inPartition === '') return false
    const told = inPartition === undefined ? bounds.get(column.name) : { min: inPartition, max: inPartition, exact: true }
    return told === undefined || overlaps(column.type, told, min, max)
  })
}

function overlaps(type: ColumnType, { min: low, max: high }: Bounds, min: string, max: string): boolean {
  if (type === 'int64') return (!whole(low) || BigInt(low) <= BigInt(max)) && (!whole(high) || BigInt(high) >= BigInt(min))
  if (isDecimal(type)) return !(low !== undefined && above(low, max)) && !(high !== undefined && above(min, high))
  if (type === 'timestamp' || type === 'timestamp_local') return reachesTime(low, 'down', max) && reachesTime(high, 'up', min)
  if (type === 'date') return (low === undefined || low <= max) && (high === undefined || high >= min)
  if (isString(type)) return (low === undefined || order(low, max) <= 0) && (high === undefined || reaches(high, min))
  return true
}

/** True when both are numbers and the first is the larger one; other writers may use exponents. */
function above(a: string, b: string): boolean {
  const [x, y] = [scaled(a), scaled(b)]
  return x !== null && y !== null && x > y
}

/** A number as digits of which MAX_PRECISION are behind the point, or null for what no decimal column holds. */
function scaled(text: string): bigint | null {
  const match = /^(-?)(\d{1,99})(?:\.(\d{1,99}))?(?:[eE]([+-]?\d{1,2}))?$/.exec(text)
  if (match === null) return null
  const fraction = match[3] ?? ''
  const shift = Number(match[4] ?? 0) - fraction.length + MAX_PRECISION
  return shift < 0 ? null : BigInt(`${match[1]}${match[2]}${fraction}`) * 10n ** BigInt(shift)
}

function whole(bound: string | undefined): bound is string {
  return bound !== undefined && /^-?\d{1,19}$/.test(bound)
}

const TIME = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?(?:Z|\+00:?00)?$/

/**
 * Bounds have any number of fraction digits, values six; text of equal width sorts as time. A maximum may have been cut to
 * what is written, so everything that begins like it is within; a bound in another form tells nothing.
 */
function reachesTime(bound: string | undefined, end: 'down' | 'up', value: string): boolean {
  const match = bound === undefined ? null : TIME.exec(bound)
  if (match === null) return true
  const text = `${match[1]}T${match[2]}.${(match[3] ?? '').padEnd(6, end === 'up' ? '9' : '0')}`
  const bare = value.endsWith('Z') ? value.slice(0, -1) : value
  return end === 'up' ? text >= bare : text <= bare
}

function order(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** A cut maximum stands for every text that begins like it; other writers cut at 32 characters as well, and mark it otherwise. */
function reaches(high: string, min: string): boolean {
  const points = [...high]
  const kept = points.length === CUT + 1 && points[CUT] === HIGHEST ? CUT : CUT - 1
  if (points.length >= CUT) return order(points.slice(0, kept).join(''), [...min].slice(0, kept).join('')) >= 0
  return order(high, min) >= 0
}
