/**
 * The fast lane: records that look like the record before them, read by `wasm/shape.ts` straight into PLAIN values.
 *
 * It takes a part of JSON: the same members in the same order (some may be missing), scalars of the column's own type,
 * UTC timestamps. What it takes means exactly what the scanner and the writers of `typing/` would make of it; what it does
 * not take it leaves to them. Two readers of one file are not two rules: a test gives both the same texts.
 *
 * Measured per record of 125 bytes (uuid, 40 characters, timestamp), processor time with hash and parts: 0.35–0.45 µs, and
 * 0.75–1 µs through scanner and writers. docs/decisions/hot-path.md has the ways that were tried.
 */
import type { ColumnType } from '../../core/schema.ts'
import { isString, nodeOf } from '../../core/types.ts'
import type { ColumnBuffer } from '../parquet/column.ts'
import { SHAPE_CODE } from './shape-code.ts'

/** Most columns, bytes of names, bytes of input and records of one run. */
export const LANE = { columns: 64, names: 16_384, bytes: 65_536, rows: 4096 }

/** One expected member. */
export interface LaneColumn {
  /** Its bytes as they are written, without quotes. */
  name: Buffer
  /** `left`: passed over and counted; `null`: has only nulls so far. */
  type: ColumnType | 'left' | 'null'
  /** Null and empty text are not for here. */
  required: boolean
}

const CODES: Readonly<Partial<Record<LaneColumn['type'], number>>> = { string: 0, int64: 1, double: 2, boolean: 3, date: 4, timestamp: 5, left: 6 }
const NOTHING = 7
const NO_LIMIT = 0xffff_ffff

/** Code of the type, and the most bytes of a text: `string(n)` has at most n characters, so as many bytes are never too many. */
function codeOf(type: LaneColumn['type']): { code: number; limit: number } {
  const code = CODES[type]
  if (code !== undefined || type === 'left' || type === 'null' || !isString(type)) return { code: code ?? NOTHING, limit: NO_LIMIT }
  const node = nodeOf(type)
  return { code: CODES.string ?? NOTHING, limit: ('length' in node ? node.length : undefined) ?? NO_LIMIT }
}

// Memory: descriptions, names (eight bytes behind each), input and its zeros, places, offsets, then levels and values.
const COLUMNS = 4096
const SIZE = 64
const NAMES = COLUMNS + SIZE * LANE.columns
const INPUT = NAMES + LANE.names
const PAD = 64
const PLACES = INPUT + LANE.bytes + PAD
const OFFSETS = PLACES + 8 * LANE.rows
const OUTPUT = OFFSETS + 8 * LANE.rows
/** No value takes more than twice the bytes of its member. */
const VALUES = 2 * LANE.bytes + PAD

/** What TypeScript's library for browsers declares, and Node's types do not. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { exports: unknown }
}

interface Code {
  memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  pos: { readonly value: number }
  /** CSV: a timestamp without a zone was taken as UTC. */
  assumed?: { readonly value: number }
  run(from: number, end: number, columns: number, how: number, places: number, offsets: number, seq: number, row: number, base: number, max: number): number
}

class Lane {
  private readonly code: Code
  private bytes: Uint8Array
  private view: DataView
  private shape: readonly LaneColumn[] = []
  private rows = 0

  /** @param code SHAPE_CODE, or ROWS_CODE of CSV, which has the same layout */
  constructor(code: string) {
    this.code = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(code, 'base64'))).exports as Code
    this.bytes = new Uint8Array(this.code.memory.buffer)
    this.view = new DataView(this.code.memory.buffer)
  }

  /**
   * Reads records that begin at `from`, in bytes up to `to`.
   * @param how JSON: 1 for one record a line, 0 for elements of an array; CSV: the delimiter, and 256 times the quote
   * @param row of the first record · @param offset of `from` in the file · @param most records
   * @returns how many records; `end` is the index behind them
   */
  run(shape: readonly LaneColumn[], buf: Uint8Array, from: number, to: number, how: number, seq: number, row: number, offset: number, most: number): number {
    if (shape !== this.shape) this.expect(shape)
    const length = Math.min(to - from, LANE.bytes)
    this.bytes.set(buf.subarray(from, from + length), INPUT)
    this.bytes.fill(0, INPUT + length, INPUT + length + PAD)
    this.rows = this.code.run(INPUT, INPUT + length, shape.length, how, PLACES, OFFSETS, seq, row, offset, Math.min(most, LANE.rows))
    return this.rows
  }
  /** Bytes that the records of the last run took, with what stands between them. */
  get used(): number {
    return (this.code.pos.value >>> 0) - INPUT
  }

  /** CSV: a timestamp of the last run was taken as UTC. */
  get assumed(): boolean {
    return this.code.assumed?.value === 1
  }

  /** How many of the last run's records had member `i`, nulls left out. */
  values(i: number): number {
    return this.view.getUint32(COLUMNS + i * SIZE + 28, true)
  }
  /** Gives a column of the parts the values of member `i`; the first goes to `row`. */
  give(i: number, column: ColumnBuffer, row: number): void {
    const d = COLUMNS + i * SIZE
    const data = this.view.getUint32(d + 16, true)
    const levels = this.view.getUint32(d + 20, true)
    const done = this.view.getUint32(d + 24, true)
    column.append(row, this.bytes.subarray(levels, levels + this.rows), this.values(i), this.bytes.subarray(data, done))
  }
  /** The same for places and offsets, which every record has. */
  givePlaces(place: ColumnBuffer, offset: ColumnBuffer, row: number): void {
    place.appendAll(row, this.rows, this.bytes.subarray(PLACES, PLACES + 8 * this.rows))
    offset.appendAll(row, this.rows, this.bytes.subarray(OFFSETS, OFFSETS + 8 * this.rows))
  }

  private expect(shape: readonly LaneColumn[]): void {
    const needed = OUTPUT + shape.length * (LANE.rows + VALUES)
    if (needed > this.bytes.length) {
      this.code.memory.grow(Math.ceil((needed - this.bytes.length) / 65_536))
      this.bytes = new Uint8Array(this.code.memory.buffer)
      this.view = new DataView(this.code.memory.buffer)
    }
    let name = NAMES
    for (const [i, column] of shape.entries()) {
      const d = COLUMNS + i * SIZE
      const levels = OUTPUT + i * (LANE.rows + VALUES)
      const quoted = Buffer.concat([Buffer.from('"'), column.name, Buffer.from('"')])
      this.bytes.set(quoted, name)
      const { code, limit } = codeOf(column.type)
      const fields = [name, quoted.length, code, column.required ? 1 : 0, levels + LANE.rows, levels]
      for (const [at, value] of fields.entries()) this.view.setUint32(d + 4 * at, value, true)
      this.view.setUint32(d + 36, limit, true)
      name += quoted.length + 8
    }
    this.shape = shape
  }
}

export type { Lane }

/** True when the members fit; others are read by the scanner alone. */
export function fitsLane(shape: readonly LaneColumn[]): boolean {
  return shape.length > 0 && shape.length <= LANE.columns && shape.reduce((sum, { name }) => sum + name.length + 10, 0) <= LANE.names
}

const opened = new Map<string, Lane>()

/** One for the process and code: a run and the taking of its values are one step. */
export function lane(code = SHAPE_CODE): Lane {
  let one = opened.get(code)
  if (one === undefined) opened.set(code, (one = new Lane(code)))
  return one
}
