/** One value into one column: the types of semantics.md, "Keys, values, columns". Faults are answered, never thrown. */
import type { Code } from '../../core/codes.ts'
import { shorten } from '../../core/errors.ts'
import type { ColumnType } from '../../core/schema.ts'
import { DECIMAL, FALSE, INTEGER, NESTED, NULL, STRING, TRUE } from '../json/scan.ts'
import { compact, decode } from '../json/text.ts'
import { ByteList } from '../parquet/bytes.ts'
import type { ColumnBuffer } from '../parquet/column.ts'
import { integerOf, small } from './number.ts'
import { Clockwork, LOCAL, NOT_A_TIME, TOO_FINE, days } from './temporal.ts'

const clockwork = new Clockwork()
const scratch = new ByteList(4096)
const BOOLEANS = Buffer.from('truefalse')

/** A timestamp without a zone was taken as UTC. */
export const ASSUMED_UTC = 'assumed'
export type Written = null | typeof ASSUMED_UTC | Extract<Code, 'TYPE_MISMATCH' | 'PRECISION_LOST'>

/** @param from bytes of the value, strings without their quotes */
export function writeValue(column: ColumnBuffer, type: ColumnType, row: number, buf: Buffer, kind: number, from: number, to: number, escaped: boolean): Written {
  if (kind === NULL) return null
  if (type === 'json') {
    scratch.length = 0
    const quoted = kind === STRING ? 1 : 0
    compact(buf, from - quoted, to + quoted, scratch)
    column.text(row, scratch.data, 0, scratch.length)
    return null
  }
  if (kind === NESTED) return 'TYPE_MISMATCH'
  if (type === 'string') {
    if (kind === STRING && escaped) {
      const bytes = Buffer.from(decode(buf, from, to, true), 'utf8')
      column.text(row, bytes, 0, bytes.length)
    } else if (kind === TRUE) column.text(row, BOOLEANS, 0, 4)
    else if (kind === FALSE) column.text(row, BOOLEANS, 4, 9)
    else column.text(row, buf, from, to)
    return null
  }
  if (type === 'boolean') {
    if (kind !== TRUE && kind !== FALSE) return 'TYPE_MISMATCH'
    column.bool(row, kind === TRUE)
    return null
  }
  if (type === 'int64' || type === 'double') return number(column, type, row, buf, kind, from, to)
  if (kind !== STRING) return 'TYPE_MISMATCH'
  if (escaped) {
    const bytes = Buffer.from(decode(buf, from, to, true), 'utf8')
    return temporal(column, type, row, bytes, 0, bytes.length)
  }
  return temporal(column, type, row, buf, from, to)
}

function number(column: ColumnBuffer, type: 'int64' | 'double', row: number, buf: Buffer, kind: number, from: number, to: number): Written {
  if (kind !== INTEGER && kind !== DECIMAL) return 'TYPE_MISMATCH'
  const value = kind === INTEGER ? small(buf, from, to) : NaN
  if (type === 'double') {
    const nearest = Number.isNaN(value) ? Number(buf.toString('latin1', from, to)) : value
    if (!Number.isFinite(nearest)) return 'TYPE_MISMATCH'
    column.f64(row, nearest)
  } else if (Number.isNaN(value)) {
    const whole = integerOf(buf.toString('latin1', from, to))
    if (whole === null) return 'TYPE_MISMATCH'
    column.i64(row, Number(BigInt.asIntN(32, whole)), Number(whole >> 32n))
  } else column.i64(row, value, Math.floor(value / 4_294_967_296))
  return null
}

function temporal(column: ColumnBuffer, type: ColumnType, row: number, buf: Buffer, from: number, to: number): Written {
  if (type === 'date') {
    const day = to - from === 10 ? days(buf, from) : NaN
    if (Number.isNaN(day)) return 'TYPE_MISMATCH'
    column.i32(row, day)
    return null
  }
  const found = clockwork.time(buf, from, to)
  if (found === NOT_A_TIME) return 'TYPE_MISMATCH'
  // Wall time with a zone is a mismatch, however fine it is.
  const zoned = found !== LOCAL && (found !== TOO_FINE || /(Z|[+-]\d\d(:?\d\d)?)$/.test(buf.toString('latin1', from + 16, to)))
  if (type === 'timestamp_local' && zoned) return 'TYPE_MISMATCH'
  if (found === TOO_FINE) return 'PRECISION_LOST'
  column.i64(row, clockwork.low, clockwork.high)
  return found === LOCAL && type === 'timestamp' ? ASSUMED_UTC : null
}

/** The value as it is shown in messages. */
export function shown(buf: Buffer, kind: number, from: number, to: number, escaped: boolean): string {
  const end = Math.min(to, from + 1024)
  return shorten(kind === STRING && end === to ? decode(buf, from, to, escaped) : buf.toString('utf8', from, end))
}
