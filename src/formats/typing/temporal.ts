/** Dates and timestamps out of bytes, exact: days since 1970, and microseconds as two halves of a 64-bit integer. */

/** What an attempt to read a timestamp found. */
export const NOT_A_TIME = 0
export const ZONED = 1
export const LOCAL = 2
/** Well formed, but with digits behind the sixth that are not zero. */
export const TOO_FINE = 3

const MONTH_DAYS = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
/** Seconds of 0001-01-01T00:00:00Z and of 9999-12-31T23:59:59Z. */
const FIRST_SECOND = -62_135_596_800
const LAST_SECOND = 253_402_300_799

/** Two digits at `p`, or -1. */
function two(buf: Uint8Array, p: number): number {
  const a = (buf[p] as number) - 0x30
  const b = (buf[p + 1] as number) - 0x30
  return a >= 0 && a <= 9 && b >= 0 && b <= 9 ? a * 10 + b : -1
}

/** Days since 1970-01-01 of the ten bytes `YYYY-MM-DD` at `p`; NaN when they are no day of the years 1 to 9999. */
export function days(buf: Uint8Array, p: number): number {
  const century = two(buf, p)
  const rest = two(buf, p + 2)
  const month = two(buf, p + 5)
  const day = two(buf, p + 8)
  if (century < 0 || rest < 0 || month < 1 || month > 12 || day < 1 || buf[p + 4] !== 0x2d || buf[p + 7] !== 0x2d) return NaN
  const year = century * 100 + rest
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  if (year < 1 || day > (month === 2 && leap ? 29 : (MONTH_DAYS[month] as number))) return NaN
  // Years from March, so that the leap day is the last one.
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yoe = y - era * 400
  const doy = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146_097 + yoe * 365 + Math.floor(yoe / 4) - Math.floor(yoe / 100) + doy - 719_468
}

/** Reads dates and timestamps; the result of the last one is in its fields. */
export class Clockwork {
  /** Two's complement halves of microseconds since 1970. */
  low = 0
  high = 0
  /** Of a well-formed time: a zone is given. */
  zoned = false

  /** `YYYY-MM-DD[T ]HH:MM[:SS[.fraction]][zone]` in [from, to). Without a zone the fields are as if in UTC. */
  time(buf: Uint8Array, from: number, to: number): number {
    if (to - from === 24 && this.usual(buf, from)) return ZONED
    if (to - from < 16) return NOT_A_TIME
    const separator = buf[from + 10]
    if (separator !== 0x54 && separator !== 0x20) return NOT_A_TIME
    const day = days(buf, from)
    const hour = two(buf, from + 11)
    const minute = two(buf, from + 14)
    if (Number.isNaN(day) || hour < 0 || hour > 23 || minute < 0 || minute > 59 || buf[from + 13] !== 0x3a) return NOT_A_TIME
    let p = from + 16
    let second = 0
    let micros = 0
    let fine = false
    if (p < to && buf[p] === 0x3a) {
      second = p + 3 <= to ? two(buf, p + 1) : -1
      if (second < 0 || second > 59) return NOT_A_TIME
      p += 3
      if (p < to && buf[p] === 0x2e) {
        const start = ++p
        let unit = 100_000
        for (; p < to; p++) {
          const digit = (buf[p] as number) - 0x30
          if (digit < 0 || digit > 9) break
          if (p - start < 6) {
            micros += digit * unit
            unit /= 10
          } else if (digit !== 0) fine = true
        }
        if (p === start) return NOT_A_TIME
      }
    }
    const zone = this.zone(buf, p, to)
    if (Number.isNaN(zone)) return NOT_A_TIME
    const seconds = day * 86_400 + hour * 3600 + minute * 60 + second - (zone === Infinity ? 0 : zone * 60)
    if (seconds < FIRST_SECOND || seconds > LAST_SECOND) return NOT_A_TIME
    this.set(seconds, micros)
    this.zoned = zone !== Infinity
    return fine ? TOO_FINE : zone === Infinity ? LOCAL : ZONED
  }
  /** `YYYY-MM-DDTHH:MM:SS.mmmZ`, which most programs write: without loops. False says nothing. */
  private usual(buf: Uint8Array, p: number): boolean {
    if (buf[p + 10] !== 0x54 || buf[p + 13] !== 0x3a || buf[p + 16] !== 0x3a || buf[p + 19] !== 0x2e || buf[p + 23] !== 0x5a) return false
    const day = days(buf, p)
    const hour = two(buf, p + 11)
    const minute = two(buf, p + 14)
    const second = two(buf, p + 17)
    const hundredths = two(buf, p + 20)
    const last = (buf[p + 22] as number) - 0x30
    if (Number.isNaN(day) || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || hundredths < 0 || last < 0 || last > 9) return false
    this.set(day * 86_400 + (hour * 3600 + minute * 60 + second), (hundredths * 10 + last) * 1000)
    this.zoned = true
    return true
  }
  /** Minutes east of UTC; Infinity: none is given; NaN: no zone. */
  private zone(buf: Uint8Array, p: number, to: number): number {
    if (p === to) return Infinity
    const c = buf[p]
    if (c === 0x5a) return p + 1 === to ? 0 : NaN
    if (c !== 0x2b && c !== 0x2d) return NaN
    const size = to - p
    if (size !== 3 && size !== 5 && size !== 6) return NaN
    if (size === 6 && buf[p + 3] !== 0x3a) return NaN
    const hours = two(buf, p + 1)
    const minutes = size === 3 ? 0 : two(buf, to - 2)
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return NaN
    return (hours * 60 + minutes) * (c === 0x2d ? -1 : 1)
  }
  /** seconds × 10⁶ + micros, in doubles that stay exact: the lower 32 bits of the seconds times 10⁶ are below 2⁵³. */
  private set(seconds: number, micros: number): void {
    const upper = Math.floor(seconds / 4_294_967_296)
    const t = (seconds - upper * 4_294_967_296) * 1_000_000 + micros
    const carry = Math.floor(t / 4_294_967_296)
    this.low = t - carry * 4_294_967_296
    this.high = upper * 1_000_000 + carry
  }
}
