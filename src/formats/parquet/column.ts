/** The values of one column that wait for their row group, already as PLAIN bytes. */
import type { ColumnType } from '../../core/schema.ts'
import { nodeOf } from '../../core/types.ts'
import type { Scalar } from '../../core/types.ts'
import { ByteList } from './bytes.ts'

const FIXED_LEN_BYTE_ARRAY = 7
/** Digits of the decimals that lie in 64 bits; larger ones take 16 bytes. */
export const SMALL_DECIMAL = 18
export const WIDE_BYTES = 16

const PHYSICAL: Readonly<Record<Scalar, number>> = {
  boolean: 0,
  date: 1,
  int64: 2,
  timestamp: 2,
  timestamp_local: 2,
  double: 5,
  string: 6,
  json: 6,
}

/** Parquet's physical type. Lists and structs lie in parts as text, see `typing/nested.ts`. */
export function physicalOf(type: ColumnType): number {
  const node = nodeOf(type)
  if (node.kind === 'decimal') return node.precision <= SMALL_DECIMAL ? PHYSICAL.int64 : FIXED_LEN_BYTE_ARRAY
  return node.kind === 'list' || node.kind === 'struct' ? PHYSICAL.string : PHYSICAL[node.kind]
}

const WIDTHS: Readonly<Record<number, number>> = { 0: 1, 1: 4, 2: 8, 5: 8, [FIXED_LEN_BYTE_ARRAY]: WIDE_BYTES }

/** Bytes of a value in a buffer; null: a text, of which 4 bytes tell the length. */
export function widthOf(type: ColumnType): number | null {
  return WIDTHS[physicalOf(type)] ?? null
}

/** Where a column stood: rows never straddle it when they are flushed. */
export interface ColumnMark {
  bytes: number
  values: number
}

export class ColumnBuffer {
  readonly name: string
  type: ColumnType
  readonly data = new ByteList(512)
  /** 1 where the row has a value; zero beyond the last value. */
  levels = new Uint8Array(64)
  values = 0
  private before = 0

  constructor(name: string, type: ColumnType) {
    this.name = name
    this.type = type
  }
  private reach(rows: number): void {
    if (rows <= this.levels.length) return
    const grown = new Uint8Array(Math.max(rows, this.levels.length * 2))
    grown.set(this.levels)
    this.levels = grown
  }
  private present(row: number): void {
    this.reach(row + 1)
    this.levels[row] = 1
    this.values++
    this.before = this.data.length
  }
  text(row: number, from: Buffer, start: number, end: number): void {
    this.present(row)
    this.data.u32(end - start)
    this.data.bytes(from, start, end)
  }
  i64(row: number, low: number, high: number): void {
    this.present(row)
    this.data.i64(low, high)
  }
  /** 16 bytes, highest first, as decimals of more than SMALL_DECIMAL digits are stored. */
  wide(row: number, value: bigint): void {
    this.present(row)
    this.data.need(WIDE_BYTES)
    this.data.view.setBigInt64(this.data.length, value >> 64n)
    this.data.view.setBigUint64(this.data.length + 8, BigInt.asUintN(64, value))
    this.data.length += WIDE_BYTES
  }
  i32(row: number, value: number): void {
    this.present(row)
    this.data.u32(value)
  }
  f64(row: number, value: number): void {
    this.present(row)
    this.data.f64(value)
  }
  bool(row: number, value: boolean): void {
    this.present(row)
    this.data.byte(value ? 1 : 0)
  }
  /** Values of several rows at once, as PLAIN bytes; `levels` has 1 for each row that has one. */
  append(row: number, levels: Uint8Array, values: number, data: Uint8Array): void {
    if (values === 0) return
    if (values === levels.length) return this.appendAll(row, values, data)
    this.reach(row + levels.length)
    this.levels.set(levels, row)
    this.values += values
    this.data.run(data)
  }
  /** The same where every row has a value. */
  appendAll(row: number, rows: number, data: Uint8Array): void {
    this.reach(row + rows)
    this.levels.fill(1, row, row + rows)
    this.values += rows
    this.data.run(data)
  }
  /** Values of 64 bits for the first `rows` rows, which are the only ones; to be filled. */
  words(rows: number): Int32Array {
    this.data.need(rows * 8)
    this.data.length = rows * 8
    this.values = rows
    return new Int32Array(this.data.view.buffer, 0, rows * 2)
  }
  /** Takes back the value of the last row, if it has one. */
  undo(row: number): void {
    if (this.levels[row] !== 1) return
    this.levels[row] = 0
    this.values--
    this.data.length = this.before
  }
  mark(): ColumnMark {
    return { bytes: this.data.length, values: this.values }
  }
  /** Back to a mark that was taken when the buffer held `row` rows. */
  rollback(mark: ColumnMark, row: number): void {
    this.levels.fill(0, row)
    this.data.length = mark.bytes
    this.values = mark.values
  }
  clear(): void {
    this.levels.fill(0)
    this.data.length = 0
    this.values = 0
  }
}

/** Definition levels of rows [from, to) as RLE runs of bit width 1, without the length before them. */
export function runs(levels: Uint8Array, from: number, to: number, out: ByteList): void {
  let at = from
  while (at < to) {
    const level = levels[at] ?? 0
    let next = at + 1
    while (next < to && (levels[next] ?? 0) === level) next++
    out.varint((next - at) * 2)
    out.byte(level)
    at = next
  }
}

/** The same for `rows` rows that all have a value. */
export function oneRun(rows: number, out: ByteList): void {
  out.varint(rows * 2)
  out.byte(1)
}

/** One byte per value to one bit per value, lowest bit first. */
export function packBits(data: Buffer, from: number, to: number, out: ByteList): void {
  for (let at = from; at < to; at += 8) {
    let byte = 0
    for (let bit = 0; bit < 8 && at + bit < to; bit++) byte |= (data[at + bit] as number) << bit
    out.byte(byte)
  }
}
