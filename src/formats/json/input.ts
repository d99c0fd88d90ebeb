/** Where a reader of JSON stands: the window with its white space and its end, the scanner, and the fast lane. */
import { LANE } from './lane.ts'
import { Scanner } from './scan.ts'
import { FileFault } from '../sink.ts'
import type { Sink } from '../sink.ts'
import { MAX_RECORD } from '../window.ts'
import type { Window } from '../window.ts'

/** The fast lane is shown at least so many bytes, and rests for at most so many records. */
const LEAST_REACH = 4096
const MOST_SHY = 63

export class JsonInput {
  readonly w: Window
  readonly sink: Sink
  readonly scanner: Scanner
  /** Records that the fast lane is not tried for, how many the last time, and bytes that it is shown. */
  private pause = 0
  private shy = 0
  private reach = LEAST_REACH

  constructor(w: Window, sink: Sink) {
    this.w = w
    this.sink = sink
    this.scanner = new Scanner(w.buf)
  }

  /**
   * At `{`: hands on the records that look like the one before; false: none did. Where none do this must cost nothing: then
   * it is tried less and less often, and with few bytes.
   */
  alike(lines: boolean): boolean {
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

  refill(): boolean {
    const w = this.w
    // A document that may be the record itself is held up to the size of a record.
    if (w.hold >= 0 && w.end - w.hold > MAX_RECORD) w.hold = -1
    const more = w.refill()
    this.sink.progress(w.base + w.end)
    return more
  }
  /** First byte that is no white space, -1 at the end. */
  peek(): number {
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
  must(): number {
    const c = this.peek()
    if (c < 0) throw this.ended('UNFINISHED')
    return c
  }
  invalid(index: number, why: string): FileFault {
    const offset = this.w.base + index
    return new FileFault('JSON_INVALID', `The document is not JSON at byte ${offset}: ${why}.`, offset)
  }
  ended(how: 'UNFINISHED' | 'EMPTY'): FileFault {
    const w = this.w
    if (w.badAt >= 0) return new FileFault('UTF8_INVALID', `The document is not UTF-8 at byte ${w.badAt}.`, w.badAt)
    return new FileFault(how, how === 'EMPTY' ? 'The file has no content.' : `The document ends at byte ${w.base + w.end} before it is complete.`, w.base + w.end)
  }
}

export function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09
}
