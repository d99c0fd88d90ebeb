/**
 * The hot path of CSV, compiled to WebAssembly (AssemblyScript): rows straight into the bytes of their columns. Like shape.ts
 * it accepts a part exactly and knows no fault: at the first row that is not what it takes it stops, and the reader in
 * JavaScript goes on from there. It takes rows with as many fields as there are columns, each null or of its column's type,
 * in UTF-8 that was checked, quotes doubled, ends with LF or CRLF.
 *
 * Memory is laid out as for shape.ts, see src/formats/json/lane.ts; a NUL ends every token and is taken by none.
 */
import { NO_DAY, POWERS, days, digit, two } from './digits'

const COLUMNS: usize = 4096
const SIZE: usize = 64
const NAME: usize = 0
const LENGTH: usize = 4
const TYPE: usize = 8
const REQUIRED: usize = 12
const DATA: usize = 16
const LEVELS: usize = 20
const DONE: usize = 24
const COUNT: usize = 28
const AT: usize = 32
const LIMIT: usize = 36

const STRING = 0
const INT64 = 1
const DOUBLE = 2
const BOOLEAN = 3
const DATE = 4
const TIMESTAMP = 5
const LEFT = 6
// 7: nothing but null is taken.

/** Behind the last whole row. */
export let pos: u32 = 0
/** A timestamp without a zone was taken as UTC. */
export let assumed: bool = false
let hasLocal: bool = false

let delimiter: u8 = 0
/** 0: quotes are text, and rows with them would stop here at a NUL only. */
let quote: u8 = 0

/**
 * Reads rows from `from`, where one begins.
 * @param marks the delimiter, and 256 times the quote
 * @returns how many rows, at most `max`
 */
export function run(from: usize, end: usize, columns: i32, marks: i32, places: usize, offsets: usize, seq: u32, row: u32, base: f64, max: i32): i32 {
  const last = COLUMNS + <usize>columns * SIZE
  for (let d = COLUMNS; d < last; d += SIZE) {
    store<u32>(d, load<u32>(d, DATA), DONE)
    store<u32>(d, 0, COUNT)
  }
  delimiter = <u8>(marks & 255)
  quote = <u8>(marks >> 8)
  assumed = false
  pos = <u32>from
  let n = 0
  let p = from
  while (n < max && p < end) {
    const c = load<u8>(p)
    // Blank lines, marks, and rows that may be the header once more.
    if (c == 0x0a || c == 0x0d || c == 0xef || repeats(c == quote ? p + 1 : p)) break
    hasLocal = false
    const behind = record(p, end, last, n)
    if (behind == 0) break
    for (let d = COLUMNS; d < last; d += SIZE) {
      store<u32>(d, load<u32>(d, AT), DONE)
      store<u32>(d, load<u32>(d, COUNT) + <u32>load<u8>(<usize>load<u32>(d, LEVELS) + n), COUNT)
    }
    if (hasLocal) assumed = true
    store<u64>(places + (<usize>n << 3), (<u64>seq << 32) + <u64>row + <u64>n)
    store<u64>(offsets + (<usize>n << 3), <u64>(base + <f64>(p - from)))
    n++
    p = behind
    pos = <u32>p
  }
  return n
}

/** The field at `p` begins with the first name; the name lies between quotes. */
function repeats(p: usize): bool {
  const name = <usize>load<u32>(COLUMNS, NAME) + 1
  const length = <usize>load<u32>(COLUMNS, LENGTH) - 2
  for (let i: usize = 0; i < length; i++) if (load<u8>(p + i) != load<u8>(name + i)) return false
  return length > 0
}

/** The row at `p`, as row `n`; answers what follows its line end, or 0. */
function record(p: usize, end: usize, last: usize, n: i32): usize {
  for (let d = COLUMNS; d < last; d += SIZE) {
    store<u32>(d, load<u32>(d, DONE), AT)
    p = field(p, d, n)
    if (p == 0) return 0
    const c = load<u8>(p)
    if (d + SIZE < last) {
      if (c != delimiter) return 0
      p++
    } else {
      if (c == 0x0d) p++
      if (load<u8>(p) != 0x0a) return 0
      p++
    }
  }
  return p <= end ? p : 0
}

/** The field at `p` into its column; answers where it ends, or 0. */
function field(p: usize, d: usize, n: i32): usize {
  const level = <usize>load<u32>(d, LEVELS) + n
  const type = load<u32>(d, TYPE)
  let c = load<u8>(p)
  if (c == delimiter || c == 0x0a || c == 0x0d) {
    if (load<u32>(d, REQUIRED) != 0) return 0
    store<u8>(level, type == LEFT ? 1 : 0)
    return p
  }
  store<u8>(level, 1)
  const at = <usize>load<u32>(d, AT)
  const quoted = quote != 0 && c == quote
  if (quoted) p++
  if (type == STRING || type == LEFT) {
    p = quoted ? enclosed(p, d, at) : plain(p, d, at)
    if (type == LEFT) store<u32>(d, <u32>at, AT)
    return p
  }
  switch (type) {
    case INT64:
      p = integer(p, d, at)
      break
    case DOUBLE:
      p = double(p, d, at)
      break
    case BOOLEAN: {
      const yes = load<u32>(p) == 0x65757274
      if (!yes && (load<u32>(p) != 0x736c6166 || load<u8>(p + 4) != 0x65)) return 0
      store<u8>(at, yes ? 1 : 0)
      store<u32>(d, <u32>(at + 1), AT)
      p += yes ? 4 : 5
      break
    }
    case DATE: {
      const day = days(p)
      if (day == NO_DAY) return 0
      store<i32>(at, day)
      store<u32>(d, <u32>(at + 4), AT)
      p += 10
      break
    }
    case TIMESTAMP:
      p = time(p, d, at)
      break
    default:
      return 0
  }
  if (p == 0 || !quoted) return p
  return load<u8>(p) == quote ? p + 1 : 0
}

/** Text up to a delimiter or line end, copied sixteen bytes at a time; a quote in it is not for here. */
function plain(p: usize, d: usize, at: usize): usize {
  let o = at + 4
  for (;;) {
    const v = v128.load(p)
    v128.store(o, v)
    const ends = v128.or(v128.or(i8x16.eq(v, i8x16.splat(delimiter)), i8x16.eq(v, i8x16.splat(0x0a))), v128.or(i8x16.eq(v, i8x16.splat(0x0d)), i8x16.eq(v, i8x16.splat(0))))
    const stops = i8x16.bitmask(v128.or(ends, i8x16.eq(v, i8x16.splat(quote))))
    if (stops == 0) {
      p += 16
      o += 16
      continue
    }
    const rest = <usize>ctz(stops)
    p += rest
    o += rest
    const c = load<u8>(p)
    if (c == 0 || c == quote || <u32>(o - at - 4) > load<u32>(d, LIMIT)) return 0
    store<u32>(at, <u32>(o - at - 4))
    store<u32>(d, <u32>o, AT)
    return p
  }
}

/** Text up to the closing quote, doubled quotes once. */
function enclosed(p: usize, d: usize, at: usize): usize {
  let o = at + 4
  for (;;) {
    const v = v128.load(p)
    v128.store(o, v)
    const stops = i8x16.bitmask(v128.or(i8x16.eq(v, i8x16.splat(quote)), i8x16.eq(v, i8x16.splat(0))))
    if (stops == 0) {
      p += 16
      o += 16
      continue
    }
    const rest = <usize>ctz(stops)
    p += rest
    o += rest
    if (load<u8>(p) != quote) return 0
    p++
    if (load<u8>(p) != quote) break
    store<u8>(o++, quote)
    p++
  }
  if ((o == at + 4 && load<u32>(d, REQUIRED) != 0) || <u32>(o - at - 4) > load<u32>(d, LIMIT)) return 0
  store<u32>(at, <u32>(o - at - 4))
  store<u32>(d, <u32>o, AT)
  return p
}

/** At most 15 bytes, minus and all, without zeros before it; `-0` is no number here. */
function integer(p: usize, d: usize, at: usize): usize {
  const from = p
  const minus = load<u8>(p) == 0x2d
  if (minus) p++
  if (digit(p) > 9) return 0
  let whole: i64 = 0
  if (load<u8>(p) == 0x30) {
    if (minus) return 0
    p++
  } else {
    while (digit(p) <= 9) {
      whole = whole * 10 + <i64>digit(p)
      p++
    }
  }
  if (p - from > 15) return 0
  store<i64>(at, minus ? -whole : whole)
  store<u32>(d, <u32>(at + 8), AT)
  return p
}

/** Without exponent and of at most 15 digits: digits and power of ten are exact, so their quotient is the nearest double. */
function double(p: usize, d: usize, at: usize): usize {
  const from = p
  const minus = load<u8>(p) == 0x2d
  if (minus) p++
  if (digit(p) > 9) return 0
  let whole: i64 = 0
  if (load<u8>(p) == 0x30) p++
  else {
    while (digit(p) <= 9) {
      whole = whole * 10 + <i64>digit(p)
      p++
    }
  }
  let result: f64
  if (load<u8>(p) == 0x2e) {
    const point = ++p
    if (digit(p) > 9) return 0
    while (digit(p) <= 9) {
      whole = whole * 10 + <i64>digit(p)
      p++
    }
    if (p - from > 16) return 0
    result = <f64>whole / load<f64>(POWERS + ((p - point) << 3))
  } else {
    if (p - from > 15 || (minus && whole == 0)) return 0
    result = <f64>whole
  }
  store<f64>(at, minus ? -result : result)
  store<u32>(d, <u32>(at + 8), AT)
  return p
}

/** `YYYY-MM-DDTHH:MM:SS[.f…][Z]`, `T` or a space, at most six digits of fraction. Other zones are not for here. */
function time(p: usize, d: usize, at: usize): usize {
  const day = days(p)
  const hour = two(p + 11)
  const minute = two(p + 14)
  const second = two(p + 17)
  const between = load<u8>(p + 10)
  if (day == NO_DAY || (between != 0x54 && between != 0x20) || hour > 23 || load<u8>(p + 13) != 0x3a || minute > 59 || load<u8>(p + 16) != 0x3a || second > 59) return 0
  p += 19
  let micros: i64 = 0
  if (load<u8>(p) == 0x2e) {
    let left = 6
    p++
    if (digit(p) > 9) return 0
    while (digit(p) <= 9) {
      if (--left < 0) return 0
      micros = micros * 10 + <i64>digit(p)
      p++
    }
    for (; left > 0; left--) micros *= 10
  }
  if (load<u8>(p) == 0x5a) p++
  else hasLocal = true
  store<i64>(at, (<i64>day * 86400 + <i64>(hour * 3600 + minute * 60 + second)) * 1000000 + micros)
  store<u32>(d, <u32>(at + 8), AT)
  return p
}
