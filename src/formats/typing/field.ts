/**
 * Fields of CSV into columns. A field has no kind: it is a number if it is written as a JSON number, a boolean if it is
 * `true` or `false`, a date or a timestamp if it is written as one, and text otherwise. So `007`, `+1`, `1_000`, `0x10`, `.5`
 * and ` 1` are text, and a mismatch in a column of numbers.
 *
 * Two measures: *narrow* is what makes or keeps an inferred type, *wide* is what a column that exists already takes besides.
 * Only wide: `1e5` (without point or sign it is as likely an article number), `-0`, `1.0` as an integer, `True` and `TRUE`.
 */
import { isDecimal, nodeOf } from '../../core/types.ts'
import type { ColumnType, Scalar } from '../../core/types.ts'
import { DECIMAL, INTEGER, MAX_DEPTH, NESTED, OneMember } from '../record.ts'
import { DONE, Scanner } from '../json/scan.ts'
import { compact, repeatedName } from '../json/text.ts'
import { ByteList } from '../parquet/bytes.ts'
import type { ColumnBuffer } from '../parquet/column.ts'
import { SAW_BOOLEAN, SAW_DATE, SAW_DOUBLE, SAW_INTEGER, SAW_LONG, SAW_TEXT, SAW_TIME, SAW_WIDE } from './infer.ts'
import { integerOf, plain, small, survives } from './number.ts'
import { Clockwork, LOCAL, NOT_A_TIME, TOO_FINE, ZONED, days } from './temporal.ts'
import { inside } from './nested.ts'
import { ASSUMED_UTC, longer } from './write.ts'
import type { Written } from './write.ts'
import { writerOf } from './writers.ts'

const clockwork = new Clockwork()
const scratch = new ByteList(4096)

/** What a field looks like as a number. */
const NO_NUMBER = 0
const WHOLE = 1
const FRACTION = 2
/** An exponent behind digits alone: `1e5`. */
const BARE = 3
const MINUS_ZERO = 4

function numberForm(buf: Uint8Array, from: number, to: number): number {
  let p = from
  const negative = buf[p] === 0x2d
  if (negative) p++
  const first = p < to ? (buf[p] as number) - 0x30 : -1
  if (first < 0 || first > 9) return NO_NUMBER
  const digits = p
  p = digitsEnd(buf, p, to)
  if (first === 0 && p - digits > 1) return NO_NUMBER
  if (p === to) return negative && first === 0 ? MINUS_ZERO : WHOLE
  const point = buf[p] === 0x2e
  if (point) {
    const start = p + 1
    p = digitsEnd(buf, start, to)
    if (p === start) return NO_NUMBER
    if (p === to) return FRACTION
  }
  if (buf[p] !== 0x65 && buf[p] !== 0x45) return NO_NUMBER
  const sign = buf[p + 1] === 0x2b || buf[p + 1] === 0x2d
  const start = p + (sign ? 2 : 1)
  p = digitsEnd(buf, start, to)
  if (p === start || p < to) return NO_NUMBER
  return point || sign ? FRACTION : BARE
}

function digitsEnd(buf: Uint8Array, from: number, to: number): number {
  let p = from
  while (p < to && (buf[p] as number) >= 0x30 && (buf[p] as number) <= 0x39) p++
  return p
}

/** A plain integer of at most 15 digits; else NaN, which says nothing. */
function quick(buf: Uint8Array, from: number, to: number): number {
  const first = buf[from] as number
  const start = first === 0x2d ? from + 1 : from
  const length = to - start
  if (length < 1 || length > 15) return NaN
  let value = 0
  for (let p = start; p < to; p++) {
    const digit = (buf[p] as number) - 0x30
    if (digit < 0 || digit > 9) return NaN
    value = value * 10 + digit
  }
  if (buf[start] === 0x30 && (length > 1 || start > from)) return NaN
  return start > from ? -value : value
}

/** The flag of a field that is not null. */
export function fieldFlag(buf: Buffer, from: number, to: number): number {
  const first = from < to ? (buf[from] as number) : 0
  if (first === 0x2d || (first >= 0x30 && first <= 0x39)) {
    if (!Number.isNaN(quick(buf, from, to))) return SAW_INTEGER
    const form = numberForm(buf, from, to)
    if (form === WHOLE) return wholeFlag(buf, from, to)
    if (form === FRACTION) return !Number.isNaN(plain(buf, from, to)) || survives(buf.toString('latin1', from, to)) ? SAW_DOUBLE : SAW_WIDE
    if (form !== NO_NUMBER || to - from < 10) return SAW_TEXT
    if (to - from === 10) return Number.isNaN(days(buf, from)) ? SAW_TEXT : SAW_DATE
    const time = clockwork.time(buf, from, to)
    return time === ZONED || time === LOCAL ? SAW_TIME : SAW_TEXT
  }
  return truth(buf, from, to, true) >= 0 ? SAW_BOOLEAN : SAW_TEXT
}

function wholeFlag(buf: Buffer, from: number, to: number): number {
  if (to - from > 20) return SAW_WIDE
  const value = BigInt(buf.toString('latin1', from, to))
  if (value < -(2n ** 63n) || value >= 2n ** 63n) return SAW_WIDE
  return value >= -(2n ** 53n) && value <= 2n ** 53n ? SAW_INTEGER : SAW_LONG
}

/** 1, 0, or -1 for what is no boolean. */
function truth(buf: Buffer, from: number, to: number, narrow: boolean): number {
  if (to - from < 4 || to - from > 5) return -1
  // Lower case without making a text of it.
  if (to - from === 4 && buf[from] === 0x74 && buf[from + 1] === 0x72 && buf[from + 2] === 0x75 && buf[from + 3] === 0x65) return 1
  if (to - from === 5 && buf[from] === 0x66 && buf[from + 1] === 0x61 && buf[from + 2] === 0x6c && buf[from + 3] === 0x73 && buf[from + 4] === 0x65) return 0
  if (narrow) return -1
  const text = buf.toString('latin1', from, to)
  return text === 'True' || text === 'TRUE' ? 1 : text === 'False' || text === 'FALSE' ? 0 : -1
}

/** Writes a field that is not null. @param narrow only what leaves an inferred type as it is, and has no need to be noted */
export type FieldWriter = (column: ColumnBuffer, row: number, buf: Buffer, from: number, to: number, narrow: boolean) => Written

const FIELD_WRITERS: Readonly<Record<Scalar, FieldWriter>> = {
  string: writeText,
  json: writeJson,
  boolean: writeBoolean,
  int64: writeInteger,
  double: writeDouble,
  date: writeDate,
  timestamp: writeTimestamp,
  timestamp_local: writeWallTime,
}

const others = new Map<ColumnType, FieldWriter>()

/** The writer of a type. A field of a decimal is a number, one of a list or struct is its JSON text. */
export function fieldWriterOf(type: ColumnType): FieldWriter {
  const scalar = FIELD_WRITERS[type as Scalar] as FieldWriter | undefined
  if (scalar !== undefined) return scalar
  let writer = others.get(type)
  if (writer === undefined) others.set(type, (writer = limited(type) ?? relayed(type)))
  return writer
}

/** A text of limited length; null: the type is none. */
function limited(type: ColumnType): FieldWriter | null {
  const node = nodeOf(type)
  const most = 'length' in node ? node.length : undefined
  if (most === undefined) return null
  return (column, row, buf, from, to) => {
    if (longer(buf, from, to, most)) return 'LENGTH_EXCEEDED'
    column.text(row, buf, from, to)
    return null
  }
}

/** The field as the one member of a record of JSON. */
function relayed(type: ColumnType): FieldWriter {
  const write = writerOf(type)
  const view = new OneMember()
  const decimal = isDecimal(type)
  return (column, row, buf, from, to, narrow) => {
    // None of them is inferred from fields.
    if (narrow) return 'TYPE_MISMATCH'
    inside.fault = null
    if (decimal) {
      const form = numberForm(buf, from, to)
      if (form === NO_NUMBER) return 'TYPE_MISMATCH'
      view.set(buf, from, to, form === WHOLE ? INTEGER : DECIMAL)
      return write(column, row, view, 0)
    }
    const text = jsonOf(buf, from, to)
    if (text === null || (text.data[text.from] !== 0x5b && text.data[text.from] !== 0x7b)) return 'TYPE_MISMATCH'
    view.set(text.data, text.from, text.to, NESTED)
    return write(column, row, view, 0)
  }
}

/** A field that is one JSON value; null: it is none, or one that a record of JSON may not hold. */
function jsonOf(buf: Buffer, from: number, to: number): { data: Buffer; from: number; to: number } | null {
  const size = to - from
  // The scanner wants a byte behind its end.
  const data = Buffer.allocUnsafe(size + 1)
  buf.copy(data, 0, from, to)
  data[size] = 0
  const scanner = new Scanner(data)
  const start = scanner.space(0)
  if (start >= size || scanner.value(start, size) !== DONE) return null
  const stop = scanner.pos
  if (scanner.space(stop) < size || scanner.lone || scanner.depth > MAX_DEPTH) return null
  const first = data[start]
  if ((first === 0x7b || first === 0x5b) && repeatedName(data, start, stop) !== null) return null
  return { data, from: start, to: stop }
}

function writeText(column: ColumnBuffer, row: number, buf: Buffer, from: number, to: number): Written {
  column.text(row, buf, from, to)
  return null
}

/** The text of a JSON value, white space removed. */
function writeJson(column: ColumnBuffer, row: number, buf: Buffer, from: number, to: number): Written {
  const text = jsonOf(buf, from, to)
  if (text === null) return 'TYPE_MISMATCH'
  scratch.length = 0
  compact(text.data, text.from, text.to, scratch)
  column.text(row, scratch.data, 0, scratch.length)
  return null
}

function writeBoolean(column: ColumnBuffer, row: number, buf: Buffer, from: number, to: number, narrow: boolean): Written {
  const value = truth(buf, from, to, narrow)
  if (value < 0) return 'TYPE_MISMATCH'
  column.bool(row, value === 1)
  return null
}

function writeInteger(column: ColumnBuffer, row: number, buf: Buffer, from: number, to: number, narrow: boolean): Written {
  const value = quick(buf, from, to)
  if (!Number.isNaN(value)) {
    column.i64(row, value, Math.floor(value / 4_294_967_296))
    return null
  }
  // A longer integer decides about the type of a set with fractions: it must be noted.
  if (narrow || numberForm(buf, from, to) === NO_NUMBER) return 'TYPE_MISMATCH'
  const whole = integerOf(buf.toString('latin1', from, to))
  if (whole === null) return 'TYPE_MISMATCH'
  column.i64(row, Number(BigInt.asIntN(32, whole)), Number(whole >> 32n))
  return null
}

function writeDouble(column: ColumnBuffer, row: number, buf: Buffer, from: number, to: number, narrow: boolean): Written {
  let value = quick(buf, from, to)
  if (Number.isNaN(value)) {
    const form = numberForm(buf, from, to)
    if (form === NO_NUMBER || (narrow && form !== FRACTION)) return 'TYPE_MISMATCH'
    value = form === WHOLE ? small(buf, from, to) : form === FRACTION ? plain(buf, from, to) : NaN
    if (Number.isNaN(value)) {
      const text = buf.toString('latin1', from, to)
      if (narrow && !survives(text)) return 'TYPE_MISMATCH'
      value = Number(text)
      if (!Number.isFinite(value)) return 'TYPE_MISMATCH'
    }
  }
  column.f64(row, value)
  return null
}

function writeDate(column: ColumnBuffer, row: number, buf: Buffer, from: number, to: number): Written {
  const day = to - from === 10 ? days(buf, from) : NaN
  if (Number.isNaN(day)) return 'TYPE_MISMATCH'
  column.i32(row, day)
  return null
}

function writeTimestamp(column: ColumnBuffer, row: number, buf: Buffer, from: number, to: number): Written {
  const found = clockwork.time(buf, from, to)
  if (found === NOT_A_TIME) return 'TYPE_MISMATCH'
  if (found === TOO_FINE) return 'PRECISION_LOST'
  column.i64(row, clockwork.low, clockwork.high)
  return found === LOCAL ? ASSUMED_UTC : null
}

function writeWallTime(column: ColumnBuffer, row: number, buf: Buffer, from: number, to: number): Written {
  const found = clockwork.time(buf, from, to)
  if (found === NOT_A_TIME || found === ZONED || (found === TOO_FINE && clockwork.zoned)) return 'TYPE_MISMATCH'
  if (found === TOO_FINE) return 'PRECISION_LOST'
  column.i64(row, clockwork.low, clockwork.high)
  return null
}
