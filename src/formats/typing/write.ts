/** One value into one column: the types of semantics.md, "Keys, values, columns". Faults are answered, never thrown. */
import type { Code } from '../../core/codes.ts'
import { shorten } from '../../core/errors.ts'
import type { DecimalNode, Scalar } from '../../core/types.ts'
import { DECIMAL, FALSE, INTEGER, NESTED, NULL, SPECIAL, STRING, TRUE } from '../record.ts'
import type { RecordView } from '../record.ts'
import { compact, decode } from '../json/text.ts'
import { ByteList } from '../parquet/bytes.ts'
import { SMALL_DECIMAL } from '../parquet/column.ts'
import type { ColumnBuffer } from '../parquet/column.ts'
import { integerOf, plain, scaledOf, scaledSmall, small } from './number.ts'
import { Clockwork, LOCAL, NOT_A_TIME, TOO_FINE, ZONED, days } from './temporal.ts'

const clockwork = new Clockwork()
const scratch = new ByteList(4096)

/** A timestamp without a zone was taken as UTC. */
export const ASSUMED_UTC = 'assumed'
export type Written = null | typeof ASSUMED_UTC | Extract<Code, 'TYPE_MISMATCH' | 'PRECISION_LOST' | 'LENGTH_EXCEEDED' | 'MEMBER_REPEATED'>

/** Writes member `i` of the record that the scanner holds; null has no value and is written as none. */
export type Writer = (column: ColumnBuffer, row: number, s: RecordView, i: number) => Written

/** By type, chosen once per column: the branches that are left in them are those of the value. */
export const WRITERS: Readonly<Record<Scalar, Writer>> = {
  string: writeText,
  json: writeJson,
  boolean: writeBoolean,
  int64: writeInteger,
  double: writeDouble,
  date: writeDate,
  timestamp: writeTimestamp,
  timestamp_local: writeWallTime,
}

/** The writer of a decimal: what fits 64 bits by its own loop, the rest through big integers. */
export function decimalWriter({ precision, scale }: DecimalNode): Writer {
  const wide = precision > SMALL_DECIMAL
  return (column, row, s, i) => {
    const kind = s.kind[i]
    if (kind === NULL) return null
    if (kind !== INTEGER && kind !== DECIMAL) return 'TYPE_MISMATCH'
    const from = s.valueFrom[i] as number
    const to = s.valueTo[i] as number
    const quick = wide ? NaN : scaledSmall(s.buf, from, to, precision, scale)
    if (Number.isNaN(quick)) {
      const value = scaledOf(s.buf.toString('latin1', from, to), precision, scale)
      if (typeof value === 'string') return value
      if (wide) column.wide(row, value)
      else column.i64(row, Number(BigInt.asIntN(32, value)), Number(value >> 32n))
    } else column.i64(row, quick, Math.floor(quick / 4_294_967_296))
    return null
  }
}

function writeText(column: ColumnBuffer, row: number, s: RecordView, i: number): Written {
  const kind = s.kind[i]
  if (kind === STRING) {
    if (s.escaped[i] === 0) column.text(row, s.buf, s.valueFrom[i] as number, s.valueTo[i] as number)
    else {
      const bytes = decoded(s, i)
      column.text(row, bytes, 0, bytes.length)
    }
  } else if (kind === NESTED) return 'TYPE_MISMATCH'
  else if (kind !== NULL) column.text(row, s.buf, s.valueFrom[i] as number, s.valueTo[i] as number)
  return null
}

/** Are there more than `most` characters (code points)? A text of no more bytes has no more characters. */
export function longer(buf: Uint8Array, from: number, to: number, most: number): boolean {
  if (to - from <= most) return false
  let characters = 0
  // Every byte but the second to fourth of a character begins one.
  for (let p = from; p < to; p++) if (((buf[p] as number) & 0xc0) !== 0x80 && ++characters > most) return true
  return false
}

/** The writer of a text of limited length. */
export function limitedWriter(most: number): Writer {
  return (column, row, s, i) => {
    const kind = s.kind[i]
    if (kind === NULL) return null
    if (kind === NESTED) return 'TYPE_MISMATCH'
    if (kind === STRING && s.escaped[i] === 1) {
      const bytes = decoded(s, i)
      if (longer(bytes, 0, bytes.length, most)) return 'LENGTH_EXCEEDED'
      column.text(row, bytes, 0, bytes.length)
      return null
    }
    if (longer(s.buf, s.valueFrom[i] as number, s.valueTo[i] as number, most)) return 'LENGTH_EXCEEDED'
    column.text(row, s.buf, s.valueFrom[i] as number, s.valueTo[i] as number)
    return null
  }
}

function writeJson(column: ColumnBuffer, row: number, s: RecordView, i: number): Written {
  if (s.kind[i] === NULL) return null
  scratch.length = 0
  const quoted = s.kind[i] === STRING ? 1 : 0
  if (s.kind[i] === SPECIAL) return 'TYPE_MISMATCH'
  compact(s.buf, (s.valueFrom[i] as number) - quoted, (s.valueTo[i] as number) + quoted, scratch)
  column.text(row, scratch.data, 0, scratch.length)
  return null
}

function writeBoolean(column: ColumnBuffer, row: number, s: RecordView, i: number): Written {
  const kind = s.kind[i]
  if (kind === NULL) return null
  if (kind !== TRUE && kind !== FALSE) return 'TYPE_MISMATCH'
  column.bool(row, kind === TRUE)
  return null
}

function writeInteger(column: ColumnBuffer, row: number, s: RecordView, i: number): Written {
  const kind = s.kind[i]
  if (kind === NULL) return null
  if (kind !== INTEGER && kind !== DECIMAL) return 'TYPE_MISMATCH'
  const from = s.valueFrom[i] as number
  const to = s.valueTo[i] as number
  const value = kind === INTEGER ? small(s.buf, from, to) : NaN
  if (Number.isNaN(value)) {
    const whole = integerOf(s.buf.toString('latin1', from, to))
    if (whole === null) return 'TYPE_MISMATCH'
    column.i64(row, Number(BigInt.asIntN(32, whole)), Number(whole >> 32n))
  } else column.i64(row, value, Math.floor(value / 4_294_967_296))
  return null
}

function writeDouble(column: ColumnBuffer, row: number, s: RecordView, i: number): Written {
  const kind = s.kind[i]
  if (kind === NULL) return null
  const from = s.valueFrom[i] as number
  const to = s.valueTo[i] as number
  if (kind === SPECIAL) {
    column.f64(row, Number(s.buf.toString('latin1', from, to)))
    return null
  }
  if (kind !== INTEGER && kind !== DECIMAL) return 'TYPE_MISMATCH'
  let nearest = kind === INTEGER ? small(s.buf, from, to) : plain(s.buf, from, to)
  if (Number.isNaN(nearest)) nearest = Number(s.buf.toString('latin1', from, to))
  if (!Number.isFinite(nearest)) return 'TYPE_MISMATCH'
  column.f64(row, nearest)
  return null
}

function writeDate(column: ColumnBuffer, row: number, s: RecordView, i: number): Written {
  const kind = s.kind[i]
  if (kind === NULL) return null
  if (kind !== STRING) return 'TYPE_MISMATCH'
  const escaped = s.escaped[i] === 1
  const buf = escaped ? decoded(s, i) : s.buf
  const from = escaped ? 0 : (s.valueFrom[i] as number)
  const to = escaped ? buf.length : (s.valueTo[i] as number)
  const day = to - from === 10 ? days(buf, from) : NaN
  if (Number.isNaN(day)) return 'TYPE_MISMATCH'
  column.i32(row, day)
  return null
}

function writeTimestamp(column: ColumnBuffer, row: number, s: RecordView, i: number): Written {
  const kind = s.kind[i]
  if (kind === NULL) return null
  if (kind !== STRING) return 'TYPE_MISMATCH'
  const found = timeOf(s, i)
  if (found === NOT_A_TIME) return 'TYPE_MISMATCH'
  if (found === TOO_FINE) return 'PRECISION_LOST'
  column.i64(row, clockwork.low, clockwork.high)
  return found === LOCAL ? ASSUMED_UTC : null
}

function writeWallTime(column: ColumnBuffer, row: number, s: RecordView, i: number): Written {
  const kind = s.kind[i]
  if (kind === NULL) return null
  if (kind !== STRING) return 'TYPE_MISMATCH'
  const found = timeOf(s, i)
  // Wall time with a zone is a mismatch, however fine it is.
  if (found === NOT_A_TIME || found === ZONED || (found === TOO_FINE && clockwork.zoned)) return 'TYPE_MISMATCH'
  if (found === TOO_FINE) return 'PRECISION_LOST'
  column.i64(row, clockwork.low, clockwork.high)
  return null
}

function timeOf(s: RecordView, i: number): number {
  if (s.escaped[i] === 0) return clockwork.time(s.buf, s.valueFrom[i] as number, s.valueTo[i] as number)
  const bytes = decoded(s, i)
  return clockwork.time(bytes, 0, bytes.length)
}

/** A string with its escapes taken out. */
function decoded(s: RecordView, i: number): Buffer {
  return Buffer.from(decode(s.buf, s.valueFrom[i] as number, s.valueTo[i] as number, true), 'utf8')
}

/** The value as it is shown in messages. */
export function shown(buf: Buffer, kind: number, from: number, to: number, escaped: boolean): string {
  const end = Math.min(to, from + 1024)
  return shorten(kind === STRING && end === to ? decode(buf, from, to, escaped) : buf.toString('utf8', from, end))
}
