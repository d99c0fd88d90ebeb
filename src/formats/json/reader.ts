/**
 * Finds the records of a JSON file: lines, a root array, or a list inside a document. Constant memory, one pass, pull
 * based; what is found goes to a sink, what is wrong with the file is thrown as FileFault.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import { columnName, fold } from '../../core/schema.ts'
import type { Code } from '../../core/codes.ts'
import { checkRecordsPath } from '../../core/records-path.ts'
import { LANE } from './lane.ts'
import { BAD, DONE, NEED, Scanner } from './scan.ts'
import { Skipper } from './skip.ts'
import { decode } from './text.ts'
import { FileFault, RAW_BYTES } from '../sink.ts'
import type { Sink } from '../sink.ts'
import { MAX_RECORD, firstInvalid } from '../window.ts'
import type { Window } from '../window.ts'

/** The fast lane is shown at least so many bytes, and rests for at most so many records. */
const LEAST_REACH = 4096
const MOST_SHY = 63
/** Bytes of a member name around the records. */
const MAX_NAME = 1 << 20

/** `a.b`, `/a/b` or `.` as names from the root; null: by the rule for documents. @throws SluiceError DEFINITION_INVALID */
export function pathOf(records: string | null): string[] | null {
  if (records === null) return null
  checkRecordsPath(records)
  if (records === '.') return []
  if (records.startsWith('/')) return records.slice(1).split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  return records.split('.')
}

export class JsonReader {
  private readonly w: Window
  private readonly sink: Sink
  private readonly scanner: Scanner
  private readonly skipper = new Skipper()
  private readonly key: Set<string>
  private readonly path: string[] | null
  private found = 0
  /** Set while elements are only checked. */
  private mute = false
  /** Records that the fast lane is not tried for, how many the last time, and bytes that it is shown. */
  private pause = 0
  private shy = 0
  private reach = LEAST_REACH

  constructor(w: Window, sink: Sink, path: string[] | null, key: readonly string[]) {
    this.w = w
    this.sink = sink
    this.scanner = new Scanner(w.buf)
    this.path = path
    this.key = new Set(key.map(fold))
  }

  async read(linesByName: boolean): Promise<void> {
    const w = this.w
    if (linesByName) w.beLenient()
    if (w.end === 0) w.refill()
    if (w.buf[0] === 0xef && w.buf[1] === 0xbb && w.buf[2] === 0xbf && w.end >= 3) w.pos = 3
    if (linesByName) return this.lines()
    const c = this.peek()
    if (c < 0) throw this.ended('EMPTY')
    if (c === 0x7b && this.looksLikeLines()) {
      w.beLenient()
      return this.lines()
    }
    const without = await this.document(c)
    if (this.peek() >= 0) throw this.invalid(w.pos, 'text after the end of the document')
    if (w.badAt >= 0 || w.cut) throw this.ended('UNFINISHED')
    if (without !== null) throw without
  }

  // --- lines ---

  /** The first line is one whole object, and more follows. */
  private looksLikeLines(): boolean {
    const w = this.w
    let line: number
    while ((line = w.buf.subarray(0, w.end).indexOf(10, w.pos)) < 0) if (w.end - w.pos > MAX_RECORD || !this.refill()) return false
    // What follows is looked for first: a document of one line is then not scanned in vain.
    let next = line
    for (;;) {
      while (next < w.end && isSpace(w.buf[next] as number)) next++
      if (next < w.end || w.badAt >= 0) break
      const before = next - w.pos
      const within = line - w.pos
      if (w.end - w.pos > MAX_RECORD || !this.refill()) return false
      next = w.pos + before
      line = w.pos + within
    }
    this.scanner.buf = w.buf
    return this.scanner.object(w.pos, line) === DONE && this.scanner.space(this.scanner.pos) >= line
  }

  private async lines(): Promise<void> {
    const w = this.w
    if (this.path !== null && this.path.length > 0) throw new FileFault('RECORDS_NOT_FOUND', 'The file holds one record a line; --records can only be . for it.', 0)
    let any = false
    for (;;) {
      const line = w.pos < w.end ? w.buf.subarray(0, w.end).indexOf(10, w.pos) : -1
      if (line < 0) {
        if (w.end - w.pos > MAX_RECORD) {
          await this.longLine()
          any = true
          continue
        }
        if (!w.eof) {
          this.refill()
          await breathe()
          continue
        }
        if (w.pos < w.end && this.line(w.pos, w.end)) any = true
        if (!any) throw this.ended('EMPTY')
        return
      }
      if (this.line(w.pos, line)) any = true
      w.pos = line + 1
      while (w.pos < w.end && w.buf[w.pos] === 0x7b && this.alike(true));
    }
  }
  /** One line; false: it is blank. */
  private line(from: number, to: number): boolean {
    const w = this.w
    const s = this.scanner
    s.buf = w.buf
    s.end = to
    let p = from
    while (p < to && isSpace(w.buf[p] as number)) p++
    if (p === to) return false
    const raw = (code: Code, message: string, offset: number): true => {
      this.sink.bad(code, message, offset, w.buf, from, Math.min(to, from + RAW_BYTES))
      return true
    }
    if (to - from > MAX_RECORD) return raw('RECORD_TOO_LARGE', 'The record is larger than 16 MB.', w.base + p)
    if (w.dirty) {
      const wrong = firstInvalid(w.buf, from, to)
      if (wrong < to) return raw('UTF8_INVALID', `The line is not UTF-8 at byte ${w.base + wrong}.`, w.base + wrong)
    }
    const object = w.buf[p] === 0x7b
    const status = object ? s.object(p, to) : s.value(p, to)
    let rest = s.pos
    while (status === DONE && rest < to && isSpace(w.buf[rest] as number)) rest++
    if (status !== DONE) return raw('JSON_INVALID', `The line is not JSON at byte ${w.base + s.at}: ${status === NEED ? 'it ends too early' : s.why}.`, w.base + s.at)
    if (rest < to) return raw('JSON_INVALID', `The line is not JSON at byte ${w.base + rest}: text after the end of the record.`, w.base + rest)
    if (!object) return raw('RECORD_NOT_OBJECT', 'The record is not an object.', w.base + p)
    this.sink.record(s, w.buf, p, s.pos, w.base + p)
    return true
  }
  private async longLine(): Promise<void> {
    const w = this.w
    const offset = w.base + w.pos
    this.sink.bad('RECORD_TOO_LARGE', 'The line is larger than 16 MB.', offset, w.buf, w.pos, w.pos + RAW_BYTES)
    for (;;) {
      const line = w.buf.subarray(0, w.end).indexOf(10, w.pos)
      if (line >= 0) {
        w.pos = line + 1
        return
      }
      w.pos = w.end
      if (!this.refill()) return
      await breathe()
    }
  }

  /**
   * At `{`: hands on the records that look like the one before; false: none did. Where none do this must cost nothing: then
   * it is tried less and less often, and with few bytes.
   */
  private alike(lines: boolean): boolean {
    const w = this.w
    if (w.dirty || this.pause-- > 0) return false
    const to = Math.min(w.end, w.pos + this.reach)
    const behind = this.sink.alike(w.buf, w.pos, to, lines ? 1 : 0, w.base + w.pos)
    const used = behind - w.pos
    this.shy = used === 0 ? Math.min(2 * this.shy + 1, MOST_SHY) : 0
    this.pause = this.shy
    this.reach = Math.min(LANE.bytes, Math.max(2 * used, LEAST_REACH))
    w.pos = behind
    return used > 0
  }

  // --- documents ---

  /** Answers why it has no records: text that is no JSON at all is the worse fault, and may show only behind it. */
  private async document(c: number): Promise<FileFault | null> {
    const path = this.path
    if (path === null && c === 0x7b) return this.byRule()
    if (path === null ? c === 0x5b : true) await this.descend(path ?? [], 0, c)
    else await this.skip()
    if (this.found === 0) return new FileFault('RECORDS_NOT_FOUND', path === null ? 'The document is neither an object nor an array.' : `The document has no list of records at --records ${path.length === 0 ? '.' : path.join('.')}.`, 0)
    if (this.found > 1) return new FileFault('RECORDS_AMBIGUOUS', `The document has several members at --records ${(path ?? []).join('.')}.`, 0)
    return null
  }
  /** At a value; `level` names of the path lie behind. */
  private async descend(path: string[], level: number, c: number): Promise<void> {
    const w = this.w
    if (level === path.length) {
      if (c === 0x5b) {
        this.found++
        await this.elements()
      } else if (c === 0x7b) {
        this.found++
        await this.single()
      } else await this.skip()
      return
    }
    const wanted = path[level] as string
    if (c === 0x7b) {
      await this.members(async (name, first) => (name === wanted ? this.descend(path, level + 1, first) : this.skip()))
    } else if (c === 0x5b && /^(0|[1-9]\d*)$/.test(wanted)) {
      w.pos++
      if (this.must() === 0x5d) return void w.pos++
      for (let i = 0; ; i++) {
        const first = this.must()
        await (i === Number(wanted) ? this.descend(path, level + 1, first) : this.skip())
        if (this.separator(0x5d)) return
      }
    } else await this.skip()
  }
  /** The rule: an object with all key columns is the record itself; else its only array holds them. */
  private async byRule(): Promise<FileFault | null> {
    const w = this.w
    const missing = new Set(this.key)
    const arrays: string[] = []
    const start = w.base + w.pos
    if (this.key.size > 0) w.hold = w.pos
    await this.members(async (name, first) => {
      missing.delete(fold(columnName(name)))
      if (first !== 0x5b) return this.skip()
      arrays.push(name)
      this.mute = arrays.length > 1 || (this.key.size > 0 && missing.size === 0)
      await this.elements()
    })
    this.mute = false
    if (this.key.size > 0 && missing.size === 0) {
      this.sink.restart()
      const held = w.hold
      w.hold = -1
      const buf = w.buf
      if (held < 0 || w.pos - held > MAX_RECORD) {
        this.sink.bad('RECORD_TOO_LARGE', 'The record is larger than 16 MB.', start, buf, 0, 0)
        return null
      }
      this.scanner.buf = buf
      if (this.scanner.object(held, w.pos) === DONE) this.sink.record(this.scanner, this.scanner.buf, held, w.pos, start)
      return null
    }
    w.hold = -1
    if (arrays.length === 0) return new FileFault('RECORDS_NOT_FOUND', 'The document has no member that is a list of records.', 0)
    if (arrays.length > 1) return new FileFault('RECORDS_AMBIGUOUS', `The document has several lists: ${arrays.slice(0, 20).join(', ')}.`, 0)
    return null
  }
  /** At `{`: each member's name and the first byte of its value, at which the window stands. */
  private async members(each: (name: string, first: number) => Promise<void>): Promise<void> {
    const w = this.w
    w.pos++
    if (this.must() === 0x7d) return void w.pos++
    for (;;) {
      if (this.must() !== 0x22) throw this.invalid(w.pos, 'expected a member name')
      const name = this.name()
      if (this.must() !== 0x3a) throw this.invalid(w.pos, 'expected a colon')
      w.pos++
      await each(name, this.must())
      if (this.separator(0x7d)) return
    }
  }
  private name(): string {
    const w = this.w
    const s = this.scanner
    for (;;) {
      s.buf = w.buf
      const status = s.value(w.pos, w.end)
      if (status === BAD) throw this.invalid(s.at, s.why)
      if (status === DONE) break
      if (w.end - w.pos > MAX_NAME) throw this.invalid(w.pos, 'a member name of more than 1 MB')
      if (!this.refill()) throw this.ended('UNFINISHED')
    }
    const name = decode(w.buf, w.pos + 1, s.pos - 1, true)
    w.pos = s.pos
    return name
  }
  /** Behind a value: a comma goes on (false), the closing byte ends (true). */
  private separator(close: number): boolean {
    const c = this.must()
    if (c !== 0x2c && c !== close) throw this.invalid(this.w.pos, `expected a comma or ${String.fromCharCode(close)}`)
    this.w.pos++
    return c === close
  }
  /** At `[`: its elements are the records. */
  private async elements(): Promise<void> {
    const w = this.w
    w.pos++
    if (this.must() === 0x5d) return void w.pos++
    let base = w.base
    for (;;) {
      if (this.must() === 0x7b) {
        // A record in the window costs no turn of the event loop.
        const later = this.mute || !this.alike(false) ? this.single() : undefined
        if (later !== undefined) await later
      }
      else if (this.mute) await this.skip()
      else if (!this.plainElement()) {
        const offset = w.base + w.pos
        const raw = await this.skipKeeping()
        this.sink.bad('RECORD_NOT_OBJECT', 'The record is not an object.', offset, raw, 0, raw.length)
      }
      if (this.separator(0x5d)) return
      if (w.base !== base) {
        base = w.base
        await breathe()
      }
    }
  }
  /** An element that is no object and lies whole in the window: nothing need be copied. */
  private plainElement(): boolean {
    const w = this.w
    const s = this.scanner
    s.buf = w.buf
    if (s.value(w.pos, w.end) !== DONE || s.pos >= w.end) return false
    this.sink.bad('RECORD_NOT_OBJECT', 'The record is not an object.', w.base + w.pos, w.buf, w.pos, Math.min(s.pos, w.pos + RAW_BYTES))
    w.pos = s.pos
    return true
  }
  /** At `{`: one record. */
  private single(): Promise<void> | undefined {
    const w = this.w
    const s = this.scanner
    for (;;) {
      s.buf = w.buf
      const status = s.object(w.pos, w.end)
      if (status === DONE) {
        if (!this.mute) {
          if (s.pos - w.pos > MAX_RECORD) this.sink.bad('RECORD_TOO_LARGE', 'The record is larger than 16 MB.', w.base + w.pos, w.buf, w.pos, w.pos + RAW_BYTES)
          else this.sink.record(s, w.buf, w.pos, s.pos, w.base + w.pos)
        }
        w.pos = s.pos
        return
      }
      if (status === BAD) throw this.invalid(s.at, s.why)
      if (w.end - w.pos > MAX_RECORD) return this.large()
      if (!this.refill()) throw this.ended('UNFINISHED')
    }
  }
  private async large(): Promise<void> {
    const offset = this.w.base + this.w.pos
    const raw = await this.skipKeeping()
    if (!this.mute) this.sink.bad('RECORD_TOO_LARGE', 'The record is larger than 16 MB.', offset, raw, 0, raw.length)
  }
  /** Skips a value and answers the beginning of its text. */
  private async skipKeeping(): Promise<Buffer> {
    const w = this.w
    while (w.end - w.pos < RAW_BYTES && this.refill());
    const raw = Buffer.from(w.buf.subarray(w.pos, Math.min(w.end, w.pos + RAW_BYTES)))
    const from = w.base + w.pos
    await this.skip()
    return raw.subarray(0, w.base + w.pos - from)
  }
  private async skip(): Promise<void> {
    const w = this.w
    this.skipper.start()
    for (;;) {
      const status = this.skipper.feed(w.buf, w.pos, w.end)
      if (status === BAD) throw this.invalid(this.skipper.at, this.skipper.why)
      w.pos = this.skipper.pos
      if (status === DONE) return
      if (!this.refill()) {
        if (this.skipper.finish() === DONE && w.badAt < 0 && !w.cut) return
        throw this.ended('UNFINISHED')
      }
      await breathe()
    }
  }

  // --- bytes ---

  private refill(): boolean {
    const w = this.w
    // A document that may be the record itself is held up to the size of a record.
    if (w.hold >= 0 && w.end - w.hold > MAX_RECORD) w.hold = -1
    const more = w.refill()
    this.sink.progress(w.base + w.end)
    return more
  }
  /** First byte that is no white space, -1 at the end. */
  private peek(): number {
    const w = this.w
    for (;;) {
      while (w.pos < w.end) {
        const c = w.buf[w.pos] as number
        if (!isSpace(c)) return c
        w.pos++
      }
      if (!this.refill()) {
        if (w.badAt >= 0) throw this.ended('UNFINISHED')
        return -1
      }
    }
  }
  private must(): number {
    const c = this.peek()
    if (c < 0) throw this.ended('UNFINISHED')
    return c
  }
  private invalid(index: number, why: string): FileFault {
    const offset = this.w.base + index
    return new FileFault('JSON_INVALID', `The document is not JSON at byte ${offset}: ${why}.`, offset)
  }
  private ended(how: 'UNFINISHED' | 'EMPTY'): FileFault {
    const w = this.w
    if (w.badAt >= 0) return new FileFault('UTF8_INVALID', `The document is not UTF-8 at byte ${w.badAt}.`, w.badAt)
    return new FileFault(how, how === 'EMPTY' ? 'The file has no content.' : `The document ends at byte ${w.base + w.end} before it is complete.`, w.base + w.end)
  }
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09
}
