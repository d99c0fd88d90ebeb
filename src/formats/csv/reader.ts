/**
 * Finds the records of a CSV file: constant memory, one pass. What the file is like is settled first (plan.ts); then rows go to
 * the sink one by one, and a row that is none goes there alone when the next one can be found with certainty.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import type { Code } from '../../core/codes.ts'
import type { CsvReading } from '../../core/csv.ts'
import { RAW_LIMIT } from '../../core/target.ts'
import { FileFault } from '../sink.ts'
import type { Sink } from '../sink.ts'
import { MAX_RECORD, firstInvalid } from '../window.ts'
import type { Window } from '../window.ts'
import { CR, LF } from './dialect.ts'
import type { Dialect } from './dialect.ts'
import { Offsets } from './encoding.ts'
import { lineEnd } from './look.ts'
import { prepare } from './plan.ts'
import type { Plan } from './plan.ts'
import { FAULTY, NEED, Row } from './row.ts'

/** Bytes of rows below which asking the fast lane did not pay, and most rows without asking it. */
const FEW = 512
const MOST_PAUSE = 63

/**
 * @param expected names that columns of the file should have
 * @throws FileFault for the file as a whole
 */
export async function readCsv(w: Window, sink: Sink, reading: CsvReading, tabs: boolean, expected: readonly string[]): Promise<void> {
  const plan = prepare(w, sink, reading, tabs, expected)
  await new CsvRows(w, sink, plan).read()
}

/** Rows of one file, from any of them on. */
export class CsvRows {
  private readonly w: Window
  private readonly sink: Sink
  private readonly dialect: Dialect
  private readonly names: readonly string[]
  private readonly from: number
  private readonly row: Row
  private readonly offsets: Offsets
  private readonly comment: Buffer | null
  private readonly header: Buffer[]
  private readonly utf8: boolean
  /** What the fast lane is told, see Sink; -1: the dialect is not for it. */
  private readonly marks: number
  /** Rows to go before the fast lane is asked again, and how many that were the last time. */
  private pause = 0
  private lastPause = 0

  constructor(w: Window, sink: Sink, { told, dialect, names, from }: Plan) {
    this.w = w
    this.sink = sink
    this.dialect = dialect
    this.names = names
    this.from = from
    this.row = new Row(dialect, names.length)
    this.row.names = names
    this.offsets = new Offsets(told)
    this.comment = dialect.comment === null ? null : Buffer.from(dialect.comment, 'utf8')
    this.header = names.map((name) => Buffer.from(name, 'utf8'))
    this.utf8 = told.encoding === 'utf-8'
    this.marks = this.utf8 ? marksOf(dialect) : -1
  }

  async read(): Promise<void> {
    const w = this.w
    w.lenient = true
    w.refill()
    while (w.base + w.end < this.from && !w.eof) {
      this.offsets.at(w.buf, w.base, w.end)
      w.pos = w.end
      w.refill()
    }
    w.pos = this.from - w.base
    for (;;) {
      const left = this.some()
      if (left && w.eof) return
      this.offsets.at(w.buf, w.base, w.pos)
      if (!left || w.end - w.pos > MAX_RECORD) await this.beyond()
      else w.refill()
      this.sink.progress(w.base + w.pos)
      await breathe()
    }
  }

  /** Rows until the bytes are used up (true) or a row cannot be ended with them (false: at the end of the file, or too long). */
  private some(): boolean {
    const w = this.w
    const { buf, end, eof: last } = w
    const lent = buf[end] as number
    buf[end] = LF
    let p = w.pos
    let fine = true
    try {
      while (p < end) {
        const next = this.line(buf, p, end, last)
        if (next < 0) {
          fine = next === NEED && !last
          break
        }
        p = this.marks >= 0 && !w.dirty ? this.fast(buf, next, end) : next
        w.pos = p
      }
    } finally {
      buf[end] = lent
    }
    return fine
  }

  /** Rows that the fast lane takes; answers what follows them. Where it takes few it is asked seldom. */
  private fast(buf: Buffer, from: number, end: number): number {
    if (this.pause > 0) {
      this.pause--
      return from
    }
    let p = from
    for (;;) {
      const behind = this.sink.alike(buf, p, end, this.marks, this.w.base + p)
      if (behind === p) break
      p = behind
    }
    this.lastPause = p - from > FEW ? 0 : Math.min(MOST_PAUSE, this.lastPause * 2 + 1)
    this.pause = this.lastPause
    return p
  }

  /** One line or row; answers what follows, NEED, or FAULTY where the bytes that are there do not decide. */
  private line(buf: Buffer, p: number, end: number, last: boolean): number {
    const c = buf[p]
    if (c === LF || c === CR) {
      if (c === LF) return p + 1
      if (p + 1 >= end && !last) return NEED
      return buf[p + 1] === LF && p + 1 < end ? p + 2 : p + 1
    }
    if (this.comment !== null && c === this.comment[0]) {
      if (p + this.comment.length > end && !last) return NEED
      if (this.starts(buf, p, end, this.comment)) {
        const next = lineEnd(buf, p, end, this.dialect.cr)
        return next >= 0 ? next : last ? end : NEED
      }
    }
    const { row, w } = this
    const next = row.read(buf, p, end, last)
    if (next === FAULTY) return this.faulty(buf, p, end, last)
    if (next === NEED) return NEED
    const stop = row.end
    if (stop - p > MAX_RECORD) return this.bad('RECORD_TOO_LARGE', 'The row is larger than 16 MB.', p, stop, next)
    if (w.dirty) {
      const wrong = firstInvalid(buf, p, stop)
      if (wrong < stop) return this.bad(this.utf8 ? 'UTF8_INVALID' : 'ENCODING_INVALID', this.utf8 ? `The row is not UTF-8 at byte ${w.base + wrong}. Is --csv-encoding missing?` : 'The row holds a byte that its encoding does not know.', p, stop, next)
    }
    if (c === 0xef && buf[p + 1] === 0xbb && buf[p + 2] === 0xbf) return this.bad('LINE_INVALID', 'The row begins with a byte order mark: two files were joined here.', p, stop, next)
    if (row.fields !== this.names.length) return this.bad('FIELDS_MISMATCH', `The row has ${row.fields} field${row.fields === 1 ? '' : 's'}; there are ${this.names.length} columns.`, p, stop, next)
    if (this.repeatsHeader()) return this.bad('HEADER_REPEATED', 'The row holds the names of the columns, as the header does.', p, stop, next)
    this.sink.record(row, buf, p, stop, this.offsets.at(buf, w.base, p))
    return next
  }

  private bad(code: Code, message: string, p: number, stop: number, next: number): number {
    const { w, sink } = this
    sink.bad(code, message, this.offsets.at(w.buf, w.base, p), w.buf, p, Math.min(stop, p + RAW_LIMIT))
    return next
  }

  private starts(buf: Buffer, p: number, end: number, text: Buffer): boolean {
    return p + text.length <= end && buf.compare(text, 0, text.length, p, p + text.length) === 0
  }

  private repeatsHeader(): boolean {
    const { row, header } = this
    if (header.length < 2) return false
    for (let i = 0; i < header.length; i++) {
      const name = header[i] as Buffer
      const from = row.valueFrom[i] as number
      const to = row.valueTo[i] as number
      if (name.length !== to - from || name[0] !== row.buf[from]) return false
      if (row.buf.compare(name, 0, name.length, from, to) !== 0) return false
    }
    return true
  }

  /** A row with a quote or a line end that may not be there. */
  private faulty(buf: Buffer, p: number, end: number, last: boolean): number {
    const { row } = this
    const { fault, faultAt, openedAt } = row
    const cr = this.dialect.cr
    const code: Code = fault === 'return' ? 'LINE_INVALID' : 'QUOTE_INVALID'
    const behind = fault === 'open' ? -1 : lineEnd(buf, faultAt, end, cr)
    if (behind < 0 && fault !== 'open' && !last) return NEED
    const later = behind < 0 ? end : behind
    // The row may have ended in the line where the quote was opened: then the next line is a row.
    const first = openedAt < 0 ? later : lineEnd(buf, openedAt, end, cr)
    const early = first < 0 ? end : first
    if (early < later || fault === 'open') {
      const clean = early >= end ? (last ? 1 : NEED) : this.clean(buf, early, end, last)
      if (clean === NEED) return NEED
      if (clean === 1) return this.bad(code, this.quoteMessage(), p, trimmed(buf, p, early), early)
      if (fault === 'open') return FAULTY
    }
    return this.bad(code, this.quoteMessage(), p, trimmed(buf, p, later), later)
  }

  private quoteMessage(): string {
    const { fault, openedAt, faultAt } = this.row
    const at = (p: number): number => this.w.base + p
    if (fault === 'return') return `A line end that ends no row of this file stands outside of quotes at byte ${at(faultAt)}.`
    if (fault === 'stray') return `A quote stands in a field without quotes at byte ${at(faultAt)}.`
    if (fault === 'after') return `Text stands behind a closing quote at byte ${at(faultAt)}; the quote was opened at byte ${at(openedAt)}.`
    return `The quote opened at byte ${at(openedAt)} is never closed.`
  }

  /** 1: the next two rows from p on, or all there are, are rows; 0: they are not; NEED. */
  private clean(buf: Buffer, p: number, end: number, last: boolean): number {
    const probe = new Row(this.dialect, 1)
    let at = p
    for (let i = 0; at < end; ) {
      if (buf[at] === LF || buf[at] === CR) {
        at++
        continue
      }
      const next = probe.read(buf, at, end, last)
      if (next === NEED) return NEED
      if (next === FAULTY || probe.fields !== this.names.length) return 0
      at = next
      i++
      if (i === 2) return 1
    }
    return last ? 1 : NEED
  }

  /** A row that does not end within 16 MB, or not at all: what is there must decide. */
  private async beyond(): Promise<void> {
    const { w, row } = this
    const next = this.lending(() => this.line(w.buf, w.pos, w.end, true))
    if (next === FAULTY) throw new FileFault('QUOTE_INVALID', `${this.quoteMessage()} Where the next row begins cannot be told; nothing of the file was loaded.`, this.offsets.at(w.buf, w.base, w.pos))
    w.pos = next
    // The rest of a line that is too long; its beginning was put aside.
    const long = next === w.end && row.end === w.end && !w.eof
    while (long) {
      const line = lineEnd(w.buf, w.pos, w.end, this.dialect.cr)
      w.pos = line >= 0 ? line : w.end
      this.offsets.at(w.buf, w.base, w.pos)
      if (line >= 0 || !w.refill()) return
      await breathe()
    }
  }

  private lending<T>(act: () => T): T {
    const { buf, end } = this.w
    const lent = buf[end] as number
    buf[end] = LF
    try {
      return act()
    } finally {
      buf[end] = lent
    }
  }
}

/** What stands inside of numbers, dates and times: the fast lane would read on behind it. */
const IN_VALUES = /[0-9A-Za-z.:+-]/

/** A dialect that the fast lane reads: one byte between fields, quotes doubled or none, nothing that is left out or null. */
function marksOf({ delimiter, quote, escape, comment, cr, nulls }: Dialect): number {
  const code = delimiter.charCodeAt(0)
  if (delimiter.length !== 1 || code > 0x7f || code === 0 || IN_VALUES.test(delimiter) || escape !== quote || comment !== null || cr || nulls.length > 0) return -1
  return code + 256 * Math.max(0, quote)
}

/** The end of the text before a line end. */
function trimmed(buf: Buffer, from: number, next: number): number {
  let end = next
  if (end > from && buf[end - 1] === LF) end--
  if (end > from && buf[end - 1] === CR) end--
  return end
}
