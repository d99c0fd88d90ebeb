/**
 * One row of CSV out of bytes: fields as ranges, what is quoted unwrapped, what is escaped copied without its escapes.
 *
 * The loop asks one table per byte. Measured on 149 MB of eight mixed columns, processor time on a busy two-core machine: rows alone
 * 320 MB a second, with types and parts 120; the fast lane (wasm/rows.ts) takes what is usual at 370 with all of it, so this is
 * the way of the first row, of what is odd, and of dialects that the lane does not know. Before the writer of a column was kept with
 * it, and `true` compared without making a text of it, types took it down to 88.
 */
import { FIELD, NULL } from '../record.ts'
import type { RecordView } from '../record.ts'
import { CR, LF } from './dialect.ts'
import type { Dialect } from './dialect.ts'

/** The row goes on beyond the bytes that are there. */
export const NEED = -1
/** The row is none: see `fault`. */
export const FAULTY = -2

export type RowFault = 'stray' | 'after' | 'open' | 'return'

const NONE = new Int32Array(0)
const FALSE_BYTES = new Uint8Array(0)

export class Row implements RecordView {
  /** Of the fields; another buffer than that of the row when something was escaped. */
  buf: Buffer = Buffer.alloc(1)
  count = 0
  /** Fields that the row has; `count` is what RecordView tells. */
  fields = 0
  names: readonly string[] = []
  readonly nameFrom = NONE
  readonly nameTo = NONE
  readonly nameEscaped = FALSE_BYTES
  valueFrom: Int32Array
  valueTo: Int32Array
  kind: Uint8Array
  escaped: Uint8Array
  readonly depth = 1
  readonly lone = false
  size = 0
  /** Where the text of the row ends, without its line end. */
  end = 0
  fault: RowFault = 'stray'
  /** Index of the byte that is wrong, and of the quote that opened its field (-1: none did). */
  faultAt = 0
  openedAt = -1

  private readonly delimiter: number
  /** Bytes of the delimiter behind the first; null: there are none. */
  private readonly rest: Buffer | null
  private readonly quote: number
  private readonly escape: number
  private readonly cr: boolean
  /** 1 for bytes that end a plain field or are wrong in it. */
  private readonly special = new Uint8Array(256)
  private readonly nulls: Buffer[]
  private readonly quotedNulls: Buffer[]
  private quoted: Uint8Array
  private scratch: Buffer = Buffer.alloc(1)

  /** @param most fields that are kept; more are counted */
  constructor(dialect: Dialect, most: number) {
    const delimiter = Buffer.from(dialect.delimiter, 'utf8')
    this.delimiter = delimiter[0] as number
    this.rest = delimiter.length > 1 ? delimiter.subarray(1) : null
    this.quote = dialect.quote
    this.escape = dialect.escape
    this.cr = dialect.cr
    for (const c of [this.delimiter, this.quote, this.escape, LF, CR]) if (c >= 0) this.special[c] = 1
    this.nulls = dialect.nulls.filter(({ quoted }) => !quoted).map(({ text }) => Buffer.from(text, 'utf8'))
    this.quotedNulls = dialect.nulls.filter(({ quoted }) => quoted).map(({ text }) => Buffer.from(text, 'utf8'))
    this.valueFrom = new Int32Array(most + 1)
    this.valueTo = new Int32Array(most + 1)
    this.kind = new Uint8Array(most + 1)
    this.escaped = new Uint8Array(most + 1)
    // 1: quoted, 2: with escapes, 3: both.
    this.quoted = new Uint8Array(most + 1)
  }

  /**
   * Reads the row at `from`; answers the index behind its line end, or NEED, or FAULTY.
   * @param end bytes that are there; the byte at `end` is LF, lent by the caller
   * @param last nothing follows `end`
   */
  read(buf: Buffer, from: number, end: number, last: boolean): number {
    const { special, delimiter, quote, escape, rest, valueFrom, valueTo, kind, quoted } = this
    const most = kind.length - 1
    let escapes = false
    let n = 0
    let p = from
    for (;;) {
      let c = buf[p] as number
      let start = p
      let how = 0
      let stop: number
      if (c === quote) {
        how = 1
        start = ++p
        for (;;) {
          while ((c = buf[p] as number) !== quote && c !== escape && p < end) p++
          if (p >= end) return last ? this.fail('open', start - 1, start - 1) : NEED
          if (c !== quote) {
            how = 3
            p += 2
          } else if (escape === quote && buf[p + 1] === quote && p + 1 < end) {
            how = 3
            p += 2
          } else break
        }
        stop = p++
        c = buf[p] as number
        if (p < end && c !== LF && c !== CR && !this.delimits(buf, p)) return this.fail('after', p, start - 1)
      } else {
        for (;;) {
          while (special[(c = buf[p] as number)] === 0) p++
          if (c === delimiter ? rest === null || this.delimits(buf, p) : c === LF || c === CR) break
          if (c === escape && c !== quote) {
            if (p + 1 >= end) {
              if (!last) return NEED
              p++
              continue
            }
            how = 2
            p += 2
          } else if (c === quote) return this.fail('stray', p, -1)
          else p++
        }
        stop = p
      }
      if (n < most) {
        valueFrom[n] = start
        valueTo[n] = stop
        kind[n] = how === 0 && start === stop ? NULL : FIELD
        quoted[n] = how
        if (how > 1) escapes = true
      }
      n++
      if (p >= end) {
        if (!last) return NEED
        return this.done(buf, from, end, end, n, escapes)
      }
      if (c === LF) {
        if (this.cr) return this.fail('return', p, -1)
        return this.done(buf, from, p, p + 1, n, escapes)
      }
      if (c === CR) {
        if (p + 1 >= end && !last) return NEED
        const next = p + 1 < end && buf[p + 1] === LF ? p + 2 : p + 1
        if (next === p + 1 && !this.cr && p + 1 < end) return this.fail('return', p, -1)
        return this.done(buf, from, p, next, n, escapes)
      }
      p += rest === null ? 1 : rest.length + 1
    }
  }

  private delimits(buf: Buffer, p: number): boolean {
    if (buf[p] !== this.delimiter) return false
    const rest = this.rest
    if (rest !== null) for (let i = 0; i < rest.length; i++) if (buf[p + 1 + i] !== rest[i]) return false
    return true
  }

  private fail(fault: RowFault, at: number, opened: number): number {
    this.fault = fault
    this.faultAt = at
    this.openedAt = opened
    return FAULTY
  }

  private done(buf: Buffer, from: number, stop: number, next: number, n: number, escapes: boolean): number {
    this.buf = buf
    this.fields = n
    this.count = Math.min(n, this.kind.length - 1)
    this.size = stop - from
    this.end = stop
    if (this.nulls.length + this.quotedNulls.length > 0) this.markNulls()
    if (escapes) this.unescape(stop - from)
    return next
  }

  private markNulls(): void {
    for (let i = 0; i < this.count; i++) {
      const from = this.valueFrom[i] as number
      const to = this.valueTo[i] as number
      const texts = ((this.quoted[i] as number) & 1) === 1 ? this.quotedNulls : this.nulls
      for (const text of texts) if (text.length === to - from && this.buf.compare(text, 0, text.length, from, to) === 0) this.kind[i] = NULL
    }
  }

  /** Copies all fields, without their escapes, into a buffer of their own. */
  private unescape(room: number): void {
    if (this.scratch.length < room + 1) this.scratch = Buffer.allocUnsafeSlow(Math.max(room + 1, this.scratch.length * 2))
    const { scratch, buf, escape, quote } = this
    let at = 0
    for (let i = 0; i < this.count; i++) {
      const from = this.valueFrom[i] as number
      const to = this.valueTo[i] as number
      this.valueFrom[i] = at
      if ((this.quoted[i] as number) < 2) {
        buf.copy(scratch, at, from, to)
        at += to - from
      } else {
        for (let p = from; p < to; p++) {
          const next = buf[p + 1]
          // A backslash before a letter is text; it stands for something only before what has a meaning.
          if (buf[p] === escape && p + 1 < to && (next === quote || next === escape || (escape !== quote && this.special[next as number] === 1))) p++
          scratch[at++] = buf[p] as number
        }
      }
      this.valueTo[i] = at
    }
    this.buf = scratch
  }

  /** A field stands in quotes. */
  get anyQuoted(): boolean {
    for (let i = 0; i < this.count; i++) if (((this.quoted[i] as number) & 1) === 1) return true
    return false
  }

  /** The fields as text. */
  texts(): string[] {
    return Array.from({ length: this.count }, (_, i) => this.buf.toString('utf8', this.valueFrom[i], this.valueTo[i]))
  }
}
