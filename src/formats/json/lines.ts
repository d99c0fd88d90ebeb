/** Records that are lines: each is judged alone, so a bad one stops nothing. */
import { setImmediate as breathe } from 'node:timers/promises'
import type { Code } from '../../core/codes.ts'
import { RAW_LIMIT } from '../../core/target.ts'
import { FileFault } from '../sink.ts'
import { MAX_RECORD, firstInvalid } from '../window.ts'
import { isSpace } from './input.ts'
import type { JsonInput } from './input.ts'
import { DONE, NEED } from './scan.ts'

export class LineReader {
  private readonly input: JsonInput

  constructor(input: JsonInput) {
    this.input = input
  }

  /** @param path of --records: only the root has lines @throws FileFault */
  async read(path: readonly string[] | null): Promise<void> {
    const { w } = this.input
    if (path !== null && path.length > 0) throw new FileFault('RECORDS_NOT_FOUND', 'The file holds one record a line; --records can only be . for it.', 0)
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
          this.input.refill()
          await breathe()
          continue
        }
        if (w.pos < w.end && this.line(w.pos, w.end)) any = true
        if (!any) throw this.input.ended('EMPTY')
        return
      }
      if (this.line(w.pos, line)) any = true
      w.pos = line + 1
      while (w.pos < w.end && w.buf[w.pos] === 0x7b && this.input.alike(true));
    }
  }
  /** One line; false: it is blank. */
  private line(from: number, to: number): boolean {
    const { w } = this.input
    const s = this.input.scanner
    s.buf = w.buf
    s.end = to
    let p = from
    while (p < to && isSpace(w.buf[p] as number)) p++
    if (p === to) return false
    const raw = (code: Code, message: string, offset: number): true => {
      this.input.sink.bad(code, message, offset, w.buf, from, Math.min(to, from + RAW_LIMIT))
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
    this.input.sink.record(s, w.buf, p, s.pos, w.base + p)
    return true
  }
  private async longLine(): Promise<void> {
    const { w } = this.input
    const offset = w.base + w.pos
    this.input.sink.bad('RECORD_TOO_LARGE', 'The line is larger than 16 MB.', offset, w.buf, w.pos, w.pos + RAW_LIMIT)
    for (;;) {
      const line = w.buf.subarray(0, w.end).indexOf(10, w.pos)
      if (line >= 0) {
        w.pos = line + 1
        return
      }
      w.pos = w.end
      if (!this.input.refill()) return
      await breathe()
    }
  }
}
