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
  const digits = all.replace(/0+$/, '')
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
