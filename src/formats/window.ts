/**
 * The bytes of a file that are looked at: contiguous, growing when a record needs it, checked for UTF-8 as they come in.
 */
import { isUtf8 } from 'node:buffer'

/** Largest record, bytes. */
export const MAX_RECORD = 16 << 20
const FIRST = 4 << 20

/** Reads up to `length` bytes into `into` from index `at`; 0 at the end. */
export type Read = (into: Uint8Array, at: number, length: number) => number

export class Window {
  buf: Buffer
  /** The next byte to be looked at, and the end of what may be looked at. */
  pos = 0
  end = 0
  /** Offset of buf[0] in the file. */
  base = 0
  /** Nothing follows `end`. */
  eof = false
  /** Offset of the first byte that is not UTF-8: the window ends before it. -1: none. */
  badAt = -1
  /** The file ends inside a character. */
  cut = false
  /** Index that must stay in the window; -1: none. */
  hold = -1
  /** Lines are checked one by one: the window goes on behind bytes that are not UTF-8 and says so here. */
  lenient = false
  dirty = false
  private filled = 0
  private read: Read

  /** @param spare a buffer that is free again: one of an earlier window */
  constructor(read: Read, first = FIRST, spare: Buffer | null = null) {
    this.read = read
    this.buf = spare ?? Buffer.allocUnsafeSlow(first + 1)
  }
  /** Puts something between the file and the window, before the first refill. */
  through(make: (read: Read) => Read): void {
    this.read = make(this.read)
  }
  /** Makes more bytes visible, keeping those from `pos` (or `hold`). False: there are none. */
  refill(): boolean {
    if (this.eof) return false
    const keep = this.hold >= 0 ? this.hold : this.pos
    const capacity = this.buf.length - 1
    if (this.filled - keep > capacity >> 1) {
      const grown = Buffer.allocUnsafeSlow(capacity * 2 + 1)
      this.buf.copy(grown, 0, keep, this.filled)
      this.buf = grown
    } else if (keep > 0) this.buf.copyWithin(0, keep, this.filled)
    this.base += keep
    this.pos -= keep
    this.end -= keep
    this.filled -= keep
    if (this.hold >= 0) this.hold = 0
    const before = this.end
    let last = false
    // One byte at the end is the scanner's.
    while (this.filled < this.buf.length - 1) {
      const got = this.read(this.buf, this.filled, this.buf.length - 1 - this.filled)
      if (got <= 0) {
        last = true
        break
      }
      this.filled += got
    }
    this.check(last)
    return this.end > before
  }
  private check(last: boolean): void {
    const whole = this.filled - incomplete(this.buf, this.end, this.filled)
    const clean = isUtf8(this.buf.subarray(this.end, whole))
    if (this.lenient) {
      this.dirty = this.dirty || !clean || (last && whole < this.filled)
      this.end = last ? this.filled : whole
    } else if (clean) {
      this.end = whole
      this.cut = last && whole < this.filled
    } else {
      this.end = firstInvalid(this.buf, this.end, whole)
      this.badAt = this.base + this.end
      last = true
    }
    this.eof = last
  }
  /** Lets lines be judged one by one; call before the first bytes are used up. */
  beLenient(): void {
    if (this.lenient) return
    this.lenient = true
    this.dirty = this.badAt >= 0 || this.cut
    const stopped = this.badAt >= 0
    this.badAt = -1
    this.cut = false
    this.end = this.filled
    if (stopped) this.eof = false
  }
}

/** Bytes at the end that begin a character whose rest has not come. */
function incomplete(buf: Uint8Array, from: number, to: number): number {
  for (let back = 1; back <= 3 && to - back >= from; back++) {
    const c = buf[to - back] as number
    if (c < 0x80) return 0
    if (c >= 0xc2) return back < (c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2) && c <= 0xf4 ? back : 0
  }
  return 0
}

/** Index of the first character in [from, to) that is not UTF-8; `to` when all are. */
export function firstInvalid(buf: Uint8Array, from: number, to: number): number {
  let p = from
  while (p < to) {
    const c = buf[p] as number
    if (c < 0x80) {
      p++
      continue
    }
    const size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2
    if (c < 0xc2 || c > 0xf4 || p + size > to || !isUtf8(buf.subarray(p, p + size))) return p
    p += size
  }
  return to
}
