/**
 * Types of columns that nobody declared. What was seen of a column is a set of flags that only grows, and the type is a
 * function of the set: so it does not depend on the order of the records.
 */
import type { ColumnType } from '../../core/schema.ts'
import { MAX_PRECISION } from '../../core/types.ts'
import { DECIMAL, FALSE, INTEGER, NULL, SPECIAL, STRING, TRUE } from '../record.ts'
import { plain, small, survives } from './number.ts'
import { Clockwork, LOCAL, ZONED, days } from './temporal.ts'

export const SAW_BOOLEAN = 1
/** Integers up to 2⁵³, which doubles hold. */
export const SAW_INTEGER = 2
/** Other integers of int64. */
export const SAW_LONG = 4
/** Integers beyond int64, and fractions that a double would change. */
export const SAW_WIDE = 8
export const SAW_DOUBLE = 16
export const SAW_DATE = 32
export const SAW_TIME = 64
export const SAW_TEXT = 128
export const SAW_NESTED = 256
/** Wall time: only a file's own schema says so. */
export const SAW_LOCAL = 512
/** Decimals of a file's own schema; how many digits they have is told beside the flags. */
export const SAW_DECIMAL = 1024

const NUMBERS = SAW_INTEGER | SAW_LONG | SAW_WIDE | SAW_DOUBLE | SAW_DECIMAL
const STRINGS = SAW_DATE | SAW_TIME | SAW_TEXT | SAW_LOCAL

/** The most digits before the point and behind it of decimals that schemas declare, in one number; 0: there were none. */
export function digitsOf(whole: number, scale: number): number {
  return whole * 64 + scale
}
/** Room for both. */
export function widerOf(a: number, b: number): number {
  return digitsOf(Math.max(a >> 6, b >> 6), Math.max(a & 63, b & 63))
}

/** The narrowest type that loses nothing; null: nothing but nulls was seen. @param digits of `digitsOf` */
export function typeOf(flags: number, digits = 0): ColumnType | null {
  if (flags === 0) return null
  if ((flags & SAW_NESTED) !== 0) return 'json'
  const kinds = ((flags & SAW_BOOLEAN) !== 0 ? 1 : 0) + ((flags & NUMBERS) !== 0 ? 1 : 0) + ((flags & STRINGS) !== 0 ? 1 : 0)
  if (kinds > 1) return 'string'
  if (flags === SAW_BOOLEAN) return 'boolean'
  if ((flags & NUMBERS) !== 0) {
    if ((flags & ~(SAW_INTEGER | SAW_LONG)) === 0) return 'int64'
    if (flags === SAW_DECIMAL) {
      const scale = digits & 63
      const precision = (digits >> 6) + scale
      return precision > MAX_PRECISION ? 'string' : `decimal(${precision},${scale})`
    }
    return (flags & ~(SAW_INTEGER | SAW_DOUBLE)) === 0 ? 'double' : 'string'
  }
  if (flags === SAW_LOCAL) return 'timestamp_local'
  return flags === SAW_DATE ? 'date' : flags === SAW_TIME ? 'timestamp' : 'string'
}

/**
 * True when a value that the column's writer takes leaves the type as it is, now and whatever follows: the value need not
 * be looked at twice. What is not noted in the flags then would not have changed the type of any set it is in.
 */
export function settled(type: ColumnType, buf: Buffer, kind: number, from: number, to: number, escaped: boolean): boolean {
  switch (type) {
    case 'json':
    case 'string':
      return true
    case 'timestamp':
    case 'date':
      return kind === STRING && !escaped
    case 'boolean':
      return kind === TRUE || kind === FALSE
    case 'int64':
      return kind === INTEGER && to - from <= 15
    case 'double':
      return kind === INTEGER ? to - from <= 15 : kind === DECIMAL && !Number.isNaN(plain(buf, from, to))
    // Never inferred, like every type that is declared only.
    case 'timestamp_local':
    default:
      return false
  }
}

const clockwork = new Clockwork()

/** The flag of one value, given by its kind and its bytes (strings without quotes). */
export function flagOf(buf: Buffer, kind: number, from: number, to: number, escaped: boolean): number {
  if (kind === NULL) return 0
  if (kind === TRUE || kind === FALSE) return SAW_BOOLEAN
  if (kind === STRING) {
    if (escaped) return SAW_TEXT
    const first = buf[from] as number
    if (to - from < 10 || first < 0x30 || first > 0x39) return SAW_TEXT
    if (to - from === 10) return Number.isNaN(days(buf, from)) ? SAW_TEXT : SAW_DATE
    const time = clockwork.time(buf, from, to)
    return time === ZONED || time === LOCAL ? SAW_TIME : SAW_TEXT
  }
  if (kind === INTEGER) {
    if (!Number.isNaN(small(buf, from, to))) return SAW_INTEGER
    if (to - from > 20) return SAW_WIDE
    const value = BigInt(buf.toString('latin1', from, to))
    if (value < -(2n ** 63n) || value >= 2n ** 63n) return SAW_WIDE
    return value >= -(2n ** 53n) && value <= 2n ** 53n ? SAW_INTEGER : SAW_LONG
  }
  if (kind === SPECIAL) return SAW_DOUBLE
  if (kind === DECIMAL) return !Number.isNaN(plain(buf, from, to)) || survives(buf.toString('latin1', from, to)) ? SAW_DOUBLE : SAW_WIDE
  return SAW_NESTED
}
