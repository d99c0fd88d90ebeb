/** Records inside of a document: a root array, the list at a path, the only list of an object, or the object itself. */
import { setImmediate as breathe } from 'node:timers/promises'
import { columnName, fold } from '../../core/schema.ts'
import { RAW_LIMIT } from '../../core/target.ts'
import { FileFault } from '../sink.ts'
import { MAX_RECORD } from '../window.ts'
import type { JsonInput } from './input.ts'
import { BAD, DONE } from './scan.ts'
import { Skipper } from './skip.ts'
import { decode } from './text.ts'

/** Bytes of a member name around the records. */
const MAX_NAME = 1 << 20

export class DocumentReader {
  private readonly input: JsonInput
  private readonly path: string[] | null
  private readonly key: Set<string>
  private readonly skipper = new Skipper()
  private found = 0
  /** Set while elements are only checked. */
  private mute = false

  /** @param path names from the root to the records; null: by the rule */
  constructor(input: JsonInput, path: string[] | null, key: readonly string[]) {
    this.input = input
    this.path = path
    this.key = new Set(key.map(fold))
  }

  /**
   * @param c the byte at which the window stands
   * @returns why it has no records: text that is no JSON at all is the worse fault, and may show only behind it.
   */
  async read(c: number): Promise<FileFault | null> {
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
    const { w } = this.input
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
      if (this.input.must() === 0x5d) return void w.pos++
      for (let i = 0; ; i++) {
        const first = this.input.must()
        await (i === Number(wanted) ? this.descend(path, level + 1, first) : this.skip())
        if (this.separator(0x5d)) return
      }
    } else await this.skip()
  }
  /** The rule: an object with all key columns is the record itself; else its only array holds them. */
  private async byRule(): Promise<FileFault | null> {
    const { w } = this.input
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
      this.input.sink.restart()
      const held = w.hold
      w.hold = -1
      const buf = w.buf
      if (held < 0 || w.pos - held > MAX_RECORD) {
        this.input.sink.bad('RECORD_TOO_LARGE', 'The record is larger than 16 MB.', start, buf, 0, 0)
        return null
      }
      this.input.scanner.buf = buf
      if (this.input.scanner.object(held, w.pos) === DONE) this.input.sink.record(this.input.scanner, this.input.scanner.buf, held, w.pos, start)
      return null
    }
    w.hold = -1
    if (arrays.length === 0) return new FileFault('RECORDS_NOT_FOUND', 'The document has no member that is a list of records.', 0)
    if (arrays.length > 1) return new FileFault('RECORDS_AMBIGUOUS', `The document has several lists: ${arrays.slice(0, 20).join(', ')}.`, 0)
    return null
  }
  /** At `{`: each member's name and the first byte of its value, at which the window stands. */
  private async members(each: (name: string, first: number) => Promise<void>): Promise<void> {
    const { w } = this.input
    w.pos++
    if (this.input.must() === 0x7d) return void w.pos++
    for (;;) {
      if (this.input.must() !== 0x22) throw this.input.invalid(w.pos, 'expected a member name')
      const name = this.name()
      if (this.input.must() !== 0x3a) throw this.input.invalid(w.pos, 'expected a colon')
      w.pos++
      await each(name, this.input.must())
      if (this.separator(0x7d)) return
    }
  }
  private name(): string {
    const { w } = this.input
    const s = this.input.scanner
    for (;;) {
      s.buf = w.buf
      const status = s.value(w.pos, w.end)
      if (status === BAD) throw this.input.invalid(s.at, s.why)
      if (status === DONE) break
      if (w.end - w.pos > MAX_NAME) throw this.input.invalid(w.pos, 'a member name of more than 1 MB')
      if (!this.input.refill()) throw this.input.ended('UNFINISHED')
    }
    const name = decode(w.buf, w.pos + 1, s.pos - 1, true)
    w.pos = s.pos
    return name
  }
  /** Behind a value: a comma goes on (false), the closing byte ends (true). */
  private separator(close: number): boolean {
    const c = this.input.must()
    if (c !== 0x2c && c !== close) throw this.input.invalid(this.input.w.pos, `expected a comma or ${String.fromCharCode(close)}`)
    this.input.w.pos++
    return c === close
  }
  /** At `[`: its elements are the records. */
  private async elements(): Promise<void> {
    const { w } = this.input
    w.pos++
    if (this.input.must() === 0x5d) return void w.pos++
    let base = w.base
    for (;;) {
      if (this.input.must() === 0x7b) {
        // A record in the window costs no turn of the event loop.
        const later = this.mute || !this.input.alike(false) ? this.single() : undefined
        if (later !== undefined) await later
      }
      else if (this.mute) await this.skip()
      else if (!this.plainElement()) {
        const offset = w.base + w.pos
        const raw = await this.skipKeeping()
        this.input.sink.bad('RECORD_NOT_OBJECT', 'The record is not an object.', offset, raw, 0, raw.length)
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
    const { w } = this.input
    const s = this.input.scanner
    s.buf = w.buf
    if (s.value(w.pos, w.end) !== DONE || s.pos >= w.end) return false
    this.input.sink.bad('RECORD_NOT_OBJECT', 'The record is not an object.', w.base + w.pos, w.buf, w.pos, Math.min(s.pos, w.pos + RAW_LIMIT))
    w.pos = s.pos
    return true
  }
  /** At `{`: one record. */
  private single(): Promise<void> | undefined {
    const { w } = this.input
    const s = this.input.scanner
    for (;;) {
      s.buf = w.buf
      const status = s.object(w.pos, w.end)
      if (status === DONE) {
        if (!this.mute) {
          if (s.pos - w.pos > MAX_RECORD) this.input.sink.bad('RECORD_TOO_LARGE', 'The record is larger than 16 MB.', w.base + w.pos, w.buf, w.pos, w.pos + RAW_LIMIT)
          else this.input.sink.record(s, w.buf, w.pos, s.pos, w.base + w.pos)
        }
        w.pos = s.pos
        return
      }
      if (status === BAD) throw this.input.invalid(s.at, s.why)
      if (w.end - w.pos > MAX_RECORD) return this.large()
      if (!this.input.refill()) throw this.input.ended('UNFINISHED')
    }
  }
  private async large(): Promise<void> {
    const offset = this.input.w.base + this.input.w.pos
    const raw = await this.skipKeeping()
    if (!this.mute) this.input.sink.bad('RECORD_TOO_LARGE', 'The record is larger than 16 MB.', offset, raw, 0, raw.length)
  }
  /** Skips a value and answers the beginning of its text. */
  private async skipKeeping(): Promise<Buffer> {
    const { w } = this.input
    while (w.end - w.pos < RAW_LIMIT && this.input.refill());
    const raw = Buffer.from(w.buf.subarray(w.pos, Math.min(w.end, w.pos + RAW_LIMIT)))
    const from = w.base + w.pos
    await this.skip()
    return raw.subarray(0, w.base + w.pos - from)
  }
  private async skip(): Promise<void> {
    const { w } = this.input
    this.skipper.start()
    for (;;) {
      const status = this.skipper.feed(w.buf, w.pos, w.end)
      if (status === BAD) throw this.input.invalid(this.skipper.at, this.skipper.why)
      w.pos = this.skipper.pos
      if (status === DONE) return
      if (!this.input.refill()) {
        if (this.skipper.finish() === DONE && w.badAt < 0 && !w.cut) return
        throw this.input.ended('UNFINISHED')
      }
      await breathe()
    }
  }
}
