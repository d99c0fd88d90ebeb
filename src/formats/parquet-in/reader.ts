/**
 * Parquet files as records. Every byte is read once in order, for the hash; then the file is checked, and its rows come as
 * JSON texts, in the file's order, from whoever decodes the pages. The file's schema gives the types.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import { DONE, Scanner } from '../json/scan.ts'
import { SAW_BOOLEAN, SAW_DATE, SAW_DECIMAL, SAW_DOUBLE, SAW_INTEGER, SAW_LOCAL, SAW_NESTED, SAW_TEXT, SAW_TIME, SAW_WIDE, digitsOf } from '../typing/infer.ts'
import { RAW_LIMIT } from '../../core/target.ts'
import { FileFault } from '../sink.ts'
import type { Sink } from '../sink.ts'
import { MAX_RECORD } from '../window.ts'
import type { Window } from '../window.ts'
import { RATIO_FROM } from '../packing/unpack.ts'
import { checkParquet } from './check.ts'
import { BYTE_ARRAY, INT96 } from './footer.ts'
import { lossless, lyingOf } from './lossless.ts'
import type { Lying } from './lossless.ts'
import type { Field } from './footer.ts'

/**
 * Rows of a file that was checked, in order, by chunks: each a JSON object with these members in this order, in which
 * NaN, Infinity and -Infinity may stand bare. @throws FileFault; SluiceError DISK_FULL
 */
export type ForeignRows = (path: string, columns: readonly ForeignColumn[]) => AsyncIterable<readonly string[]>

export interface ForeignColumn {
  name: string
  /** Of its leaves, in order. */
  lying: readonly Lying[]
}
/** A column that a file's own schema declares. */
export interface Told {
  member: string
  /** What was seen of it, before any value was; both as in typing/infer.ts. */
  flags: number
  digits: number
}
export interface ParquetSource {
  /** Where DuckDB can open it. */
  path: string
  size: number
  rows: ForeignRows
  /** A copy of the file whose footer, from byte `at` on, is another one; answers its path. */
  copy(at: number, footer: Buffer): string
  /** Told the number of rows, as the footer has it. */
  counted?: (rows: number) => void
  /** Told before the first record. */
  tell(columns: readonly Told[]): void
}

/** Rows written out may be this many times the file's size: dictionaries and run lengths make a lot of little. */
const TEXT_RATIO = 1000

/** Reads what is left of the file: the hash is of all its bytes. */
export function drain(window: Window, progress: (bytes: number) => void, to?: (bytes: Buffer) => void): void {
  do {
    to?.(window.buf.subarray(window.pos, window.end))
    window.pos = window.end
    progress(window.base + window.end)
  } while (window.refill())
}

export async function readParquet(source: ParquetSource, sink: Sink): Promise<void> {
  const { path, size } = source
  const footer = checkParquet(path, size)
  source.counted?.(footer.rows)
  if (footer.rows === 0) return
  const changed = lossless(footer)
  const readable = changed === null ? path : source.copy(footer.at, changed)
  const columns = footer.columns.map((field): ForeignColumn => ({ name: field.name, lying: lyingOf(field) }))
  source.tell(footer.columns.map((field) => ({ member: field.name, flags: flagsOf(field, sink), digits: decimalOf(field) ?? 0 })))
  const scanner = new Scanner(Buffer.alloc(1))
  scanner.specials = true
  const skeleton = columns.reduce((sum, { name }) => sum + name.length + 4, 1)
  let row = 0
  let text = 0
  let buf = Buffer.allocUnsafeSlow(1 << 20)
  for await (const lines of source.rows(readable, columns)) {
    for (const line of lines) {
      if (buf.length <= line.length * 3) buf = Buffer.allocUnsafeSlow(line.length * 4)
      const end = buf.write(line, 0, 'utf8')
      text += Math.max(0, end - skeleton)
      if (text > RATIO_FROM && text > size * TEXT_RATIO) throw new FileFault('RATIO_EXCEEDED', `The ${size} bytes of the file make rows of more than ${TEXT_RATIO} times as many (${row} rows so far).`, size, row)
      scanner.buf = buf
      if (end > MAX_RECORD) sink.bad('RECORD_TOO_LARGE', 'The record is larger than 16 MB.', row, buf, 0, Math.min(end, RAW_LIMIT))
      else if (scanner.object(0, end) !== DONE || scanner.pos !== end) sink.bad('JSON_INVALID', `A JSON column of the row does not hold JSON: ${scanner.why}.`, row, buf, 0, Math.min(end, RAW_LIMIT))
      else sink.record(scanner, buf, 0, end, row)
      row++
    }
    sink.progress(size)
    await breathe()
  }
  if (row !== footer.rows) throw new FileFault('PARQUET_INVALID', `The Parquet file says that it has ${footer.rows} rows, and ${row} can be read.`, 0)
}

/** @throws FileFault PARQUET_UNSUPPORTED */
function flagsOf(field: Field, sink: Sink): number {
  for (const child of field.children) flagsOf(child, sink)
  const { meaning, type } = field
  if (meaning.is === 'decimal' && type !== null && meaning.precision > 38) {
    throw new FileFault('PARQUET_UNSUPPORTED', `The column ${field.name} is a decimal of ${meaning.precision} digits; 38 are read.`, 0)
  }
  if (type === null || field.repetition === 2) return SAW_NESTED
  switch (meaning.is) {
    case 'decimal':
      return decimalOf(field) === null ? SAW_WIDE : SAW_DECIMAL
    case 'integer':
      return SAW_INTEGER
    case 'timestamp':
      return meaning.utc ? SAW_TIME : SAW_LOCAL
    case 'date':
      return SAW_DATE
    case 'json':
    case 'variant':
      return SAW_NESTED
    case 'float16':
      return SAW_DOUBLE
    case 'nothing':
      return 0
    case 'bson':
    case 'geometry':
      return binary(field, sink)
    case 'plain':
      if (type === 0) return SAW_BOOLEAN
      if (type === INT96) return SAW_TIME
      return type < INT96 ? SAW_INTEGER : type < BYTE_ARRAY ? SAW_DOUBLE : binary(field, sink)
    case 'string':
    case 'enum':
    case 'time':
    case 'uuid':
    case 'interval':
      return SAW_TEXT
  }
}

/** The digits of a decimal column; null: it is none, or one that no type can name. */
function decimalOf({ meaning, type, repetition }: Field): number | null {
  if (meaning.is !== 'decimal' || type === null || repetition === 2) return null
  const { precision, scale } = meaning
  return precision < 1 || scale < 0 || scale > precision ? null : digitsOf(precision - scale, scale)
}

function binary({ name }: Field, sink: Sink): number {
  sink.notice(`The binary column ${name} is kept as base64 text.`)
  return SAW_TEXT
}
