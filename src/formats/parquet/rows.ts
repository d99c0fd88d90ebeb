/** Rows of `Value`s into one Parquet file that stands alone: answers of queries, windows of tables. */
import type { Column, Row, Schema, Value } from '../../core/schema.ts'
import { MAX_PRECISION, nodeOf, unscaledOf } from '../../core/types.ts'
import { UnwritableValue } from '../unwritable.ts'
import { Clockwork, LOCAL, ZONED, days } from '../typing/temporal.ts'
import { ColumnBuffer, SMALL_DECIMAL } from './column.ts'
import type { ColumnMark } from './column.ts'
import { ParquetFile } from './file.ts'

const GROUP_ROWS = 65_536
const GROUP_BYTES = 8 << 20
const NONE: ColumnMark = { bytes: 0, values: 0 }
const INT64 = 2n ** 63n

type Put = (column: ColumnBuffer, row: number, value: Exclude<Value, null>) => number

export interface RowsFile {
  readonly rows: number
  /** @throws UnwritableValue: the row is not in the file, and the next one may follow */
  add(row: Row): void
  /** Writes what waits and the footer. Not synced. */
  finish(): void
  /** Closes and removes it. */
  discard(): void
}

/** Makes the file; it must not exist. `point` names the failpoints around every change. */
export function openRowsFile(point: string, path: string, schema: Schema): RowsFile {
  const file = new ParquetFile(path, { point, says: true })
  const columns = schema.map(({ name, type }) => new ColumnBuffer(name, type))
  const puts = schema.map(putOf)
  let waiting = 0
  let weight = 0
  let rows = 0
  const flush = (): void => {
    if (waiting > 0) file.group(columns.map((buffer) => ({ buffer, begin: NONE, end: buffer.mark() })), 0, waiting)
    for (const column of columns) column.clear()
    waiting = weight = 0
  }
  return {
    get rows() {
      return rows
    },
    add(row) {
      let size = columns.length
      try {
        for (let at = 0; at < columns.length; at++) {
          const value = row[at]
          if (value !== null && value !== undefined) size += (puts[at] as Put)(columns[at] as ColumnBuffer, waiting, value)
        }
      } catch (thrown) {
        for (const column of columns) column.undo(waiting)
        throw thrown
      }
      weight += size
      rows++
      if (++waiting >= GROUP_ROWS || weight >= GROUP_BYTES) flush()
    },
    finish() {
      flush()
      file.finish(schema)
    },
    discard: () => file.discard(),
  }
}

function putOf({ name, type }: Column): Put {
  const no = (value: Value, why: string): UnwritableValue => new UnwritableValue(name, String(value), why)
  const wrong = (value: Value): UnwritableValue => no(value, `${type} cannot hold it`)
  const node = nodeOf(type)
  switch (node.kind) {
    case 'boolean':
      return (column, row, value) => {
        if (typeof value !== 'boolean') throw wrong(value)
        column.bool(row, value)
        return 1
      }
    case 'int64':
      return (column, row, value) => {
        if (typeof value !== 'bigint' || value >= INT64 || value < -INT64) throw wrong(value)
        column.i64(row, Number(BigInt.asIntN(32, value)), Number(value >> 32n))
        return 8
      }
    case 'double':
      return (column, row, value) => {
        const near = typeof value === 'bigint' ? Number(value) : value
        if (typeof near !== 'number' || (typeof value === 'bigint' && BigInt(near) !== value)) throw wrong(value)
        column.f64(row, near)
        return 8
      }
    case 'date':
      return (column, row, value) => {
        const bytes = Buffer.from(String(value))
        const day = typeof value === 'string' && bytes.length === 10 ? days(bytes, 0) : NaN
        if (Number.isNaN(day)) throw wrong(value)
        column.i32(row, day)
        return 4
      }
    case 'timestamp':
    case 'timestamp_local': {
      const clock = new Clockwork()
      return (column, row, value) => {
        const bytes = Buffer.from(String(value))
        const found = typeof value === 'string' ? clock.time(bytes, 0, bytes.length) : 0
        if (found !== (node.kind === 'timestamp' ? ZONED : LOCAL)) throw wrong(value)
        column.i64(row, clock.low, clock.high)
        return 8
      }
    }
    case 'decimal': {
      const { precision, scale } = node
      const most = 10n ** BigInt(Math.min(precision, MAX_PRECISION))
      const form = new RegExp(`^-?\\d+${scale === 0 ? '' : `\\.\\d{${scale}}`}$`)
      return (column, row, value) => {
        const unscaled = typeof value === 'string' && form.test(value) ? unscaledOf(value) : null
        if (unscaled === null || unscaled >= most || unscaled <= -most) throw wrong(value)
        if (precision > SMALL_DECIMAL) column.wide(row, unscaled)
        else column.i64(row, Number(BigInt.asIntN(32, unscaled)), Number(unscaled >> 32n))
        return 16
      }
    }
    case 'string':
    case 'json':
    case 'list':
    case 'struct':
      return (column, row, value) => {
        if (typeof value !== 'string') throw wrong(value)
        const bytes = Buffer.from(value)
        column.text(row, bytes, 0, bytes.length)
        return bytes.length + 4
      }
  }
}
