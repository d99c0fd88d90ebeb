/** What both hot paths read: digits, powers of ten, days. */
export const POWERS = memory.data<f64>([1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15])

// @ts-ignore: decorator
@inline
export function digit(p: usize): u32 {
  return <u32>load<u8>(p) - 0x30
}

/** Two digits, or more than 99. */
// @ts-ignore: decorator
@inline
export function two(p: usize): i32 {
  const a = digit(p)
  const b = digit(p + 1)
  return a <= 9 && b <= 9 ? <i32>(a * 10 + b) : 100
}

export const NO_DAY = i32.MAX_VALUE
const MONTHS = memory.data<u8>([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])

/** Days since 1970 of `YYYY-MM-DD`, years 1 to 9999; as in typing/temporal.ts. */
export function days(p: usize): i32 {
  const century = two(p)
  const rest = two(p + 2)
  const month = two(p + 5)
  const day = two(p + 8)
  if (century > 99 || rest > 99 || month < 1 || month > 12 || day < 1 || load<u8>(p + 4) != 0x2d || load<u8>(p + 7) != 0x2d) return NO_DAY
  const year = century * 100 + rest
  const leap = (year & 3) == 0 && (year % 100 != 0 || year % 400 == 0)
  if (year < 1 || day > (month == 2 && leap ? 29 : <i32>load<u8>(MONTHS + month))) return NO_DAY
  const y = month <= 2 ? year - 1 : year
  const era = y / 400
  const yoe = y - era * 400
  const doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468
}
