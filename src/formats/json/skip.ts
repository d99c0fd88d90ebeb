/**
 * Validates a value of any length, resumable at any byte: for what lies around the records, and for records too large to
 * be held. Keeps one bit per open level and nothing else.
 */
import { BAD, DONE, NEED } from './scan.ts'
import type { Status } from './scan.ts'

const VALUE = 0
const FIRST_ELEMENT = 1
const FIRST_NAME = 2
const NAME = 3
const COLON = 4
const AFTER = 5
const TEXT = 6
const ESCAPE = 7
const HEX = 8
const MINUS = 9
const ZERO = 10
const DIGITS = 11
const POINT = 12
const FRACTION = 13
const E = 14
const SIGN = 15
const EXPONENT = 16
const WORD = 17

const WHY = [
  'expected a value', 'expected a value or ]', 'expected a member name or }', 'expected a member name', 'expected a colon',
  'expected a comma or the end', 'control character in a string', 'unknown escape in a string',
  'expected four hexadecimal digits', 'expected a digit', '', '', 'expected a digit after the point', '',
  'expected a digit in the exponent', 'expected a digit in the exponent', '', 'expected true, false or null',
] as const

export class Skipper {
  /** Where and why feed() answered BAD. */
  at = 0
  why = ''
  pos = 0
  private state = VALUE
  private name = false
  private hex = 0
  private word = ''
  private wordAt = 0
  private depth = 0
  private open = new Uint8Array(32)

  start(): void {
    this.state = VALUE
    this.depth = 0
    this.name = false
  }
  /** Goes on at `p`. DONE: `pos` is behind the value (a number at the top ends before the byte that ends it). */
  feed(buf: Uint8Array, p: number, end: number): Status {
    while (p < end) {
      const c = buf[p] as number
      switch (this.state) {
        case TEXT:
          if (c === 0x22) {
            this.state = this.name ? COLON : AFTER
            this.name = false
          } else if (c === 0x5c) this.state = ESCAPE
          else if (c < 0x20) return this.bad(p)
          break
        case ESCAPE:
          if (c === 0x75) {
            this.state = HEX
            this.hex = 4
          } else if ('"\\/bfnrt'.includes(String.fromCharCode(c))) this.state = TEXT
          else return this.bad(p)
          break
        case HEX:
          if (!((c >= 0x30 && c <= 0x39) || ((c | 0x20) >= 0x61 && (c | 0x20) <= 0x66))) return this.bad(p)
          if (--this.hex === 0) this.state = TEXT
          break
        case WORD:
          if (c !== this.word.charCodeAt(this.wordAt)) return this.bad(p)
          if (++this.wordAt === this.word.length) this.state = AFTER
          break
        default:
          if (this.state >= MINUS) {
            const next = this.digit(c)
            if (next < 0) return this.bad(p)
            this.state = next
            // The byte that ends a number belongs to what follows.
            if (next === AFTER) {
              if (this.depth === 0) return this.done(p)
              continue
            }
          } else if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09 && !this.token(c)) return this.bad(p)
      }
      p++
      if (this.state === AFTER && this.depth === 0) return this.done(p)
    }
    this.pos = p
    return NEED
  }
  /** The bytes are at their end: DONE only for a number at the top. */
  finish(): Status {
    const whole = this.state === ZERO || this.state === DIGITS || this.state === FRACTION || this.state === EXPONENT
    return whole && this.depth === 0 ? DONE : NEED
  }
  private done(p: number): Status {
    this.pos = p
    return DONE
  }
  private bad(p: number): Status {
    this.at = p
    this.why = WHY[this.state] ?? 'unexpected character'
    return BAD
  }
  /** Next state of a number, AFTER when it ended before `c`, -1 when it must not. */
  private digit(c: number): number {
    const digit = c >= 0x30 && c <= 0x39
    const exponent = c === 0x65 || c === 0x45
    switch (this.state) {
      case MINUS:
        return c === 0x30 ? ZERO : digit ? DIGITS : -1
      case ZERO:
        return c === 0x2e ? POINT : exponent ? E : AFTER
      case DIGITS:
        return digit ? DIGITS : c === 0x2e ? POINT : exponent ? E : AFTER
      case POINT:
        return digit ? FRACTION : -1
      case FRACTION:
        return digit ? FRACTION : exponent ? E : AFTER
      case E:
        return digit ? EXPONENT : c === 0x2b || c === 0x2d ? SIGN : -1
      case SIGN:
        return digit ? EXPONENT : -1
      default:
        return digit ? EXPONENT : AFTER
    }
  }
  private token(c: number): boolean {
    const state = this.state
    const object = this.depth > 0 && ((this.open[(this.depth - 1) >> 3] as number) & (1 << ((this.depth - 1) & 7))) !== 0
    if (state === COLON) {
      this.state = VALUE
      return c === 0x3a
    }
    if (state === AFTER) {
      if (c === 0x2c) this.state = object ? NAME : VALUE
      else if (c === (object ? 0x7d : 0x5d)) this.depth--
      else return false
      return true
    }
    if (state === FIRST_NAME || state === NAME) {
      if (c === 0x22) {
        this.state = TEXT
        this.name = true
        return true
      }
      if (c !== 0x7d || state === NAME) return false
      this.depth--
      this.state = AFTER
      return true
    }
    if (state === FIRST_ELEMENT && c === 0x5d) {
      this.depth--
      this.state = AFTER
      return true
    }
    return this.begin(c)
  }
  private begin(c: number): boolean {
    if (c === 0x7b || c === 0x5b) {
      if (this.depth >> 3 === this.open.length) {
        const grown = new Uint8Array(this.open.length * 2)
        grown.set(this.open)
        this.open = grown
      }
      const mask = 1 << (this.depth & 7)
      const at = this.depth >> 3
      this.open[at] = c === 0x7b ? (this.open[at] as number) | mask : (this.open[at] as number) & ~mask
      this.depth++
      this.state = c === 0x7b ? FIRST_NAME : FIRST_ELEMENT
    } else if (c === 0x22) {
      this.state = TEXT
      this.name = false
    } else if (c === 0x2d) this.state = MINUS
    else if (c === 0x30) this.state = ZERO
    else if (c >= 0x31 && c <= 0x39) this.state = DIGITS
    else if (c === 0x74 || c === 0x66 || c === 0x6e) {
      this.state = WORD
      this.word = c === 0x74 ? 'true' : c === 0x66 ? 'false' : 'null'
      this.wordAt = 1
    } else return false
    return true
  }
}
