/**
 * Reads one record that lies contiguous in a buffer: full validation (RFC 8259; UTF-8 is the window's business) and where
 * its members are. No recursion, no objects per record; strings and numbers stay bytes.
 *
 * The byte at `end` is 0 while scanning and put back after: it belongs to no token, so the loops need no bounds.
 */
import { DECIMAL, FALSE, INTEGER, NESTED, NULL, SPECIAL, STRING, TRUE } from '../record.ts'
import type { RecordView } from '../record.ts'

export const DONE = 0
/** The bytes ended first. */
export const NEED = 1
/** Not JSON; `at` and `why` say where and how. */
export const BAD = 2
export type Status = typeof DONE | typeof NEED | typeof BAD

/** 1 where a string's plain run ends: quote, backslash, control characters. */
const STOPS = new Uint8Array(256)
for (let c = 0; c < 32; c++) STOPS[c] = 1
STOPS[0x22] = 1
STOPS[0x5c] = 1

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39
}

export class Scanner implements RecordView {
  buf: Buffer
  end = 0
  /** After DONE: behind the value. */
  pos = 0
  at = 0
  why = ''
  /** Members of the record: bytes of name and value, strings without their quotes. */
  count = 0
  nameFrom = new Int32Array(64)
  nameTo = new Int32Array(64)
  nameEscaped = new Uint8Array(64)
  valueFrom = new Int32Array(64)
  valueTo = new Int32Array(64)
  kind = new Uint8Array(64)
  escaped = new Uint8Array(64)
  /** Levels of the deepest value of the record. */
  depth = 0
  /** An escape stood for half a surrogate pair. */
  lone = false
  /** NaN, Infinity and -Infinity may stand as members' values, bare: rows that come from binary formats. */
  specials = false
  private lastEscaped = false
  private lastKind = 0
  private stack = new Uint8Array(256)

  constructor(buf: Buffer) {
    this.buf = buf
  }
  /** Of the record that `object` has just read. */
  get size(): number {
    return this.count === 0 ? 0 : this.pos - (this.nameFrom[0] as number)
  }

  /** The object that begins at `start`, in bytes up to `end` (exclusive; `buf` must be longer). */
  object(start: number, end: number): Status {
    const kept = this.buf[end] as number
    this.buf[end] = 0
    this.end = end
    const status = this.members(start)
    this.buf[end] = kept
    return status
  }
  private members(start: number): Status {
    const buf = this.buf
    this.count = 0
    this.depth = 1
    this.lone = false
    let p = this.space(start + 1)
    if (buf[p] === 0x7d) {
      this.pos = p + 1
      return DONE
    }
    for (;;) {
      if (buf[p] !== 0x22) return this.fail(p, 'expected a member name')
      const n = this.count
      if (n === this.kind.length) this.grow()
      this.nameFrom[n] = p + 1
      p = this.string(p)
      if (p < 0) return this.status()
      this.nameTo[n] = p - 1
      this.nameEscaped[n] = this.lastEscaped ? 1 : 0
      if (buf[p] !== 0x3a) p = this.space(p)
      if (buf[p] !== 0x3a) return this.fail(p, 'expected a colon')
      p++
      let c = buf[p] as number
      if (c <= 0x20) {
        p = this.space(p)
        c = buf[p] as number
      }
      if (c === 0x22) {
        this.valueFrom[n] = p + 1
        p = this.string(p)
        if (p < 0) return this.status()
        this.valueTo[n] = p - 1
        this.kind[n] = STRING
        this.escaped[n] = this.lastEscaped ? 1 : 0
      } else {
        this.valueFrom[n] = p
        if (c === 0x7b || c === 0x5b) {
          this.lastKind = NESTED
          p = this.nested(p)
        } else p = this.scalar(p)
        if (p < 0) return this.status()
        this.valueTo[n] = p
        this.kind[n] = this.lastKind
      }
      this.count = n + 1
      c = buf[p] as number
      if (c <= 0x20) {
        p = this.space(p)
        c = buf[p] as number
      }
      if (c === 0x2c) {
        p++
        if ((buf[p] as number) <= 0x20) p = this.space(p)
        continue
      }
      if (c === 0x7d) {
        this.pos = p + 1
        return DONE
      }
      return this.fail(p, 'expected a comma or }')
    }
  }

  /** Any value that begins at `start`; no members are noted of an object. A number at the very end is DONE. */
  value(start: number, end: number): Status {
    const kept = this.buf[end] as number
    this.buf[end] = 0
    this.end = end
    this.depth = 0
    this.lone = false
    const c = this.buf[start]
    const p = c === 0x22 ? this.string(start) : c === 0x7b || c === 0x5b ? this.nested(start) : this.scalar(start)
    this.buf[end] = kept
    if (p < 0) return this.status()
    this.pos = p
    return DONE
  }

  /** First byte at or after `p` that is no white space. */
  space(p: number): number {
    const buf = this.buf
    let c = buf[p]
    while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = buf[++p]
    return p
  }

  private status(): Status {
    return this.at >= this.end ? NEED : BAD
  }
  private fail(p: number, why: string): Status {
    this.at = p
    this.why = why
    return this.status()
  }
  private no(p: number, why: string): number {
    this.at = p
    this.why = why
    return -1
  }

  /** From the opening quote to behind the closing one; -1: failed. */
  private string(p: number): number {
    const buf = this.buf
    this.lastEscaped = false
    p++
    for (;;) {
      while (STOPS[buf[p] as number] === 0) p++
      const c = buf[p]
      if (c === 0x22) return p + 1
      if (c !== 0x5c) return this.no(p, 'control character in a string')
      this.lastEscaped = true
      p = this.escape(p)
      if (p < 0) return -1
    }
  }
  private escape(p: number): number {
    const c = this.buf[p + 1]
    if (p + 1 >= this.end) return this.no(this.end, 'unfinished escape')
    if (c !== 0x75) {
      if (c === 0x22 || c === 0x5c || c === 0x2f || c === 0x62 || c === 0x66 || c === 0x6e || c === 0x72 || c === 0x74) return p + 2
      return this.no(p + 1, 'unknown escape in a string')
    }
    const unit = this.hex(p + 2)
    if (unit < 0) return -1
    p += 6
    if (unit < 0xd800 || unit > 0xdfff) return p
    if (unit < 0xdc00 && this.buf[p] === 0x5c && this.buf[p + 1] === 0x75 && p + 1 < this.end) {
      const low = this.hex(p + 2)
      if (low < 0) return -1
      // Another unit is looked at again on its own.
      if (low >= 0xdc00 && low <= 0xdfff) return p + 6
    }
    this.lone = true
    return p
  }
  private hex(p: number): number {
    let unit = 0
    for (let i = p; i < p + 4; i++) {
      const c = i < this.end ? (this.buf[i] as number) : 0
      const low = c | 0x20
      const digit = isDigit(c) ? c - 0x30 : low >= 0x61 && low <= 0x66 ? low - 0x57 : -1
      if (digit < 0) return this.no(i, 'expected four hexadecimal digits')
      unit = unit * 16 + digit
    }
    return unit
  }

  private scalar(p: number): number {
    const buf = this.buf
    const c = buf[p] as number
    if (c === 0x2d || isDigit(c)) return this.number(p)
    if (c === 0x74) {
      this.lastKind = TRUE
      return this.word(p, 'true')
    }
    if (c === 0x66) {
      this.lastKind = FALSE
      return this.word(p, 'false')
    }
    if (c === 0x6e) {
      this.lastKind = NULL
      return this.word(p, 'null')
    }
    if (this.specials && (c === 0x4e || c === 0x49)) {
      this.lastKind = SPECIAL
      return this.word(p, c === 0x4e ? 'NaN' : 'Infinity')
    }
    return this.no(p, 'expected a value')
  }
  private word(p: number, word: string): number {
    for (let i = 1; i < word.length; i++) if (this.buf[p + i] !== word.charCodeAt(i) || p + i >= this.end) return this.no(Math.min(p + i, this.end), `expected ${word}`)
    return p + word.length
  }
  private number(p: number): number {
    const buf = this.buf
    this.lastKind = INTEGER
    if (buf[p] === 0x2d) p++
    let c = buf[p] as number
    if (c === 0x30) p++
    else if (c >= 0x31 && c <= 0x39) {
      do c = buf[++p] as number
      while (c >= 0x30 && c <= 0x39)
    } else if (this.specials && c === 0x49) {
      this.lastKind = SPECIAL
      return this.word(p, 'Infinity')
    } else return this.no(p, 'expected a digit')
    if (buf[p] === 0x2e) {
      this.lastKind = DECIMAL
      p++
      if (!isDigit(buf[p] as number)) return this.no(p, 'expected a digit after the point')
      while (isDigit(buf[p] as number)) p++
    }
    if (((buf[p] as number) | 0x20) === 0x65) {
      this.lastKind = DECIMAL
      p++
      if (buf[p] === 0x2b || buf[p] === 0x2d) p++
      if (!isDigit(buf[p] as number)) return this.no(p, 'expected a digit in the exponent')
      while (isDigit(buf[p] as number)) p++
    }
    return p
  }

  /** An array or object of any depth. */
  private nested(p: number): number {
    const buf = this.buf
    let top = 0
    let fresh = true
    let object = buf[p] === 0x7b
    this.stack[0] = object ? 1 : 0
    let deepest = 1
    p++
    for (;;) {
      p = this.space(p)
      let c = buf[p] as number
      if (c === (object ? 0x7d : 0x5d)) {
        p++
        if (top === 0) {
          this.levels(deepest)
          return p
        }
        object = this.stack[--top] === 1
        fresh = false
        continue
      }
      if (!fresh) {
        if (c !== 0x2c) return this.no(p, `expected a comma or ${object ? '}' : ']'}`)
        p = this.space(p + 1)
        c = buf[p] as number
      }
      if (object) {
        if (c !== 0x22) return this.no(p, 'expected a member name')
        p = this.string(p)
        if (p < 0) return -1
        p = this.space(p)
        if (buf[p] !== 0x3a) return this.no(p, 'expected a colon')
        p = this.space(p + 1)
        c = buf[p] as number
      }
      if (c === 0x7b || c === 0x5b) {
        p++
        if (++top === this.stack.length) this.deeper()
        object = c === 0x7b
        this.stack[top] = object ? 1 : 0
        if (top + 1 > deepest) deepest = top + 1
        fresh = true
        continue
      }
      if (c === 0x22) p = this.string(p)
      else {
        const kind = this.lastKind
        p = this.scalar(p)
        this.lastKind = kind
      }
      if (p < 0) return -1
      fresh = false
    }
  }
  /** A value of `levels` levels was a member of the record, or stands alone. */
  private levels(levels: number): void {
    if (levels + 1 > this.depth) this.depth = levels + 1
  }
  private deeper(): void {
    const grown = new Uint8Array(this.stack.length * 2)
    grown.set(this.stack)
    this.stack = grown
  }
  private grow(): void {
    const wider = <T extends Int32Array | Uint8Array>(old: T, fresh: T): T => {
      fresh.set(old)
      return fresh
    }
    const n = this.kind.length * 2
    this.nameFrom = wider(this.nameFrom, new Int32Array(n))
    this.nameTo = wider(this.nameTo, new Int32Array(n))
    this.nameEscaped = wider(this.nameEscaped, new Uint8Array(n))
    this.valueFrom = wider(this.valueFrom, new Int32Array(n))
    this.valueTo = wider(this.valueTo, new Int32Array(n))
    this.kind = wider(this.kind, new Uint8Array(n))
    this.escaped = wider(this.escaped, new Uint8Array(n))
  }
}
