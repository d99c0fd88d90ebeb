/** Numbers as they are written: whether they fit int64, and whether a double keeps them. */

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
/** Largest exponent that is written out. */
const WIDEST = 400

/** A decimal in its one form: digits without zeros at either end, times ten to the exponent. */
interface Decimal {
  negative: boolean
  digits: string
  exponent: number
}

function decimal(text: string): Decimal {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null) return { negative: false, digits: '', exponent: NaN }
  const fraction = match[3] ?? ''
  const all = `${match[2] ?? ''}${fraction}`.replace(/^0+/, '')
  // By hand: /0+$/ takes quadratic time on many zeros before another digit.
  let end = all.length
  while (end > 0 && all[end - 1] === '0') end--
  const digits = all.slice(0, end)
  if (digits === '') return { negative: false, digits: '', exponent: 0 }
  return { negative: match[1] === '-', digits, exponent: Number(match[4] ?? 0) - fraction.length + all.length - digits.length }
}

/** The integer that a number of any form stands for, if it is one within int64. `1.0` and `1e3` are. */
export function integerOf(text: string): bigint | null {
  const d = decimal(text)
  if (d.digits === '') return Number.isNaN(d.exponent) ? null : 0n
  if (d.exponent < 0 || d.exponent > WIDEST || d.digits.length > WIDEST) return null
  const value = BigInt(d.digits) * 10n ** BigInt(d.exponent) * (d.negative ? -1n : 1n)
  return value < INT64_MIN || value > INT64_MAX ? null : value
}

/** The digits of a number of any form as a whole number, `scale` of them after the point; or why it is no such decimal. */
export function scaledOf(text: string, precision: number, scale: number): bigint | 'TYPE_MISMATCH' | 'PRECISION_LOST' {
  const d = decimal(text)
  if (d.digits === '') return Number.isNaN(d.exponent) ? 'TYPE_MISMATCH' : 0n
  if (d.digits.length + d.exponent > precision - scale) return 'TYPE_MISMATCH'
  if (d.exponent < -scale) return 'PRECISION_LOST'
  return BigInt(d.digits) * 10n ** BigInt(d.exponent + scale) * (d.negative ? -1n : 1n)
}

/** True when the shortest text of the nearest double stands for the same number. */
export function survives(text: string): boolean {
  const value = Number(text)
  if (!Number.isFinite(value)) return false
  const before = decimal(text)
  const after = decimal(String(value))
  return before.digits === after.digits && before.exponent === after.exponent && before.negative === after.negative
}

const POWERS = Array.from({ length: 16 }, (_, n) => 10 ** n)

/**
 * A decimal without exponent and with at most 15 digits; else NaN. Such a number survives as a double: digits and power of
 * ten are exact, so their quotient is the nearest double, and no two decimals of 15 digits have the same one.
 */
export function plain(buf: Uint8Array, from: number, to: number): number {
  const negative = buf[from] === 0x2d
  const start = negative ? from + 1 : from
  if (to - start > 16) return NaN
  let value = 0
  let point = to - 1
  for (let p = start; p < to; p++) {
    const c = buf[p] as number
    if (c === 0x2e) point = p
    else if (c >= 0x30 && c <= 0x39) value = value * 10 + c - 0x30
    else return NaN
  }
  value /= POWERS[to - 1 - point] as number
  return negative ? -value : value
}

/** Digits [from, to), a minus perhaps before them, at most 15 digits: a double holds them exactly. Else NaN. */
export function small(buf: Uint8Array, from: number, to: number): number {
  const negative = buf[from] === 0x2d
  const start = negative ? from + 1 : from
  if (to - start > 15) return NaN
  let value = 0
  for (let p = start; p < to; p++) value = value * 10 + (buf[p] as number) - 0x30
  return negative ? -value : value
}

/**
 * A number without exponent as a whole number, `scale` of its digits after the point, when that has at most 15 digits and
 * the number no more than `scale` behind its point; else NaN, which says nothing.
 */
export function scaledSmall(buf: Uint8Array, from: number, to: number, precision: number, scale: number): number {
  const negative = buf[from] === 0x2d
  const start = negative ? from + 1 : from
  if (to - start > 16) return NaN
  let value = 0
  let digits = 0
  let point = -1
  for (let p = start; p < to; p++) {
    const c = buf[p] as number
    if (c === 0x2e) point = p
    else if (c >= 0x30 && c <= 0x39) {
      value = value * 10 + c - 0x30
      digits++
    } else return NaN
  }
  const missing = scale - (point < 0 ? 0 : to - 1 - point)
  if (missing < 0 || digits + missing > 15) return NaN
  value *= POWERS[missing] as number
  if (value >= (POWERS[Math.min(precision, 15)] as number) && precision < 15) return NaN
  return negative ? -value : value
}
