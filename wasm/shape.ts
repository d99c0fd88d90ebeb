/**
 * The hot path of JSON, compiled to WebAssembly (AssemblyScript): records that look like the record before them, straight
 * into the bytes of their columns. It accepts a part of JSON exactly and knows no fault: at the first byte that is not what
 * it takes, it stops behind the last whole record, and the reader in JavaScript, which knows every rule, goes on from there.
 *
 * Built by `node scripts/wasm.ts` into src/formats/json/shape-code.ts. Memory is laid out by src/formats/json/lane.ts;
 * behind the input lie 64 zero bytes, which end every token.
 */
import { NO_DAY, POWERS, days, digit, two } from './digits'

/** A column is described by 64 bytes from here on. */
const COLUMNS: usize = 4096
const SIZE: usize = 64
// Fields of a description: where the name with its quotes lies, its length, the type, whether null is refused, where the
// values and levels go; then what was written: end of the values of whole records, how many, and of the record under way.
// Last the most bytes of a text: of more it may still have few enough characters, which is not decided here.
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
/** Left out: any scalar is passed over. */
const LEFT = 6
// 7: nothing but null is taken.

/** Behind the last whole record. */
export let pos: u32 = 0
/** White space may hold a line feed. */
let feeds: bool = true

/**
 * Reads records from `from`, where one begins, up to `end`.
 * @param lines one record a line; else elements of an array
 * @param places, offsets where those two columns go; the first record is row `row` of arrival `seq` and lies at `base`
 * @returns how many records, at most `max`
 */
export function run(from: usize, end: usize, columns: i32, lines: bool, places: usize, offsets: usize, seq: u32, row: u32, base: f64, max: i32): i32 {
  const last = COLUMNS + <usize>columns * SIZE
  for (let d = COLUMNS; d < last; d += SIZE) {
    store<u32>(d, load<u32>(d, DATA), DONE)
    store<u32>(d, 0, COUNT)
  }
  feeds = !lines
  pos = <u32>from
  let n = 0
  let p = from
  while (n < max && load<u8>(p) == 0x7b) {
    const behind = record(p, last, n)
    if (behind == 0) break
    if (lines && !ends(behind, end)) break
    for (let d = COLUMNS; d < last; d += SIZE) {
      store<u32>(d, load<u32>(d, AT), DONE)
      store<u32>(d, load<u32>(d, COUNT) + <u32>load<u8>(<usize>load<u32>(d, LEVELS) + n), COUNT)
    }
    store<u64>(places + (<usize>n << 3), (<u64>seq << 32) + <u64>row + <u64>n)
    store<u64>(offsets + (<usize>n << 3), <u64>(base + <f64>(p - from)))
    n++
    pos = <u32>behind
    p = space(behind)
    if (lines) {
      // The line ends here: see above.
      p++
      pos = <u32>p
    } else {
      if (load<u8>(p) != 0x2c) break
      p = space(p + 1)
    }
  }
  return n
}

/** Only white space follows up to the line feed. */
function ends(p: usize, end: usize): bool {
  p = space(p)
  return p < end && load<u8>(p) == 0x0a
}

// @ts-ignore: decorator
@inline
function space(p: usize): usize {
  let c = load<u8>(p)
  while (c == 0x20 || c == 0x09 || c == 0x0d || (c == 0x0a && feeds)) c = load<u8>(++p)
  return p
}

// @ts-ignore: decorator
@inline
function skip(p: usize): usize {
  return load<u8>(p) <= 0x20 ? space(p) : p
}

/** The record at `p`, as row `n`; answers where it ends, or 0. Members may be missing, but keep their order. */
function record(p: usize, last: usize, n: i32): usize {
  let d = COLUMNS
  for (let e = COLUMNS; e < last; e += SIZE) store<u32>(e, load<u32>(e, DONE), AT)
  p = skip(p + 1)
  for (;;) {
    for (;;) {
      if (d == last) return 0
      if (named(p, d)) break
      if (load<u32>(d, REQUIRED) != 0) return 0
      store<u8>(<usize>load<u32>(d, LEVELS) + n, 0)
      d += SIZE
    }
    p = skip(p + load<u32>(d, LENGTH))
    if (load<u8>(p) != 0x3a) return 0
    p = value(skip(p + 1), d, n)
    if (p == 0) return 0
    d += SIZE
    p = skip(p)
    const c = load<u8>(p)
    if (c == 0x2c) p = skip(p + 1)
    else if (c == 0x7d) break
    else return 0
  }
  for (; d < last; d += SIZE) {
    if (load<u32>(d, REQUIRED) != 0) return 0
    store<u8>(<usize>load<u32>(d, LEVELS) + n, 0)
  }
  return p + 1
}

/** The bytes at `p` are the name of the column, with its quotes. Behind a name lie eight bytes that nobody uses. */
// @ts-ignore: decorator
@inline
function named(p: usize, d: usize): bool {
  let name = <usize>load<u32>(d, NAME)
  let left = load<u32>(d, LENGTH)
  while (left > 8) {
    if (load<u64>(p) != load<u64>(name)) return false
    p += 8
    name += 8
    left -= 8
  }
  return (load<u64>(p) ^ load<u64>(name)) << (<u64>(8 - left) << 3) == 0
}

/** The value at `p` into the column; answers where it ends, or 0. */
function value(p: usize, d: usize, n: i32): usize {
  const level = <usize>load<u32>(d, LEVELS) + n
  const type = load<u32>(d, TYPE)
  if (load<u32>(p) == 0x6c6c756e) {
    store<u8>(level, 0)
    return load<u32>(d, REQUIRED) != 0 ? 0 : p + 4
  }
  store<u8>(level, 1)
  const at = <usize>load<u32>(d, AT)
  switch (type) {
    case STRING:
      return load<u8>(p) == 0x22 ? text(p, d, at) : 0
    case INT64:
      return integer(p, d, at)
    case DOUBLE:
      return double(p, d, at)
    case BOOLEAN: {
      const yes = isTrue(p)
      if (!yes && !isFalse(p)) return 0
      store<u8>(at, yes ? 1 : 0)
      store<u32>(d, at + 1, AT)
      return p + (yes ? 4 : 5)
    }
    case DATE: {
      if (load<u8>(p) != 0x22 || load<u8>(p + 11) != 0x22) return 0
      const day = days(p + 1)
      if (day == NO_DAY) return 0
      store<i32>(at, day)
      store<u32>(d, at + 4, AT)
      return p + 12
    }
    case TIMESTAMP:
      return time(p, d, at)
    case LEFT: {
      const c = load<u8>(p)
      if (c == 0x22) {
        const behind = text(p, d, at)
        store<u32>(d, at, AT)
        return behind
      }
      return isTrue(p) ? p + 4 : isFalse(p) ? p + 5 : number(p)
    }
    default:
      return 0
  }
}

// @ts-ignore: decorator
@inline
function isTrue(p: usize): bool {
  return load<u32>(p) == 0x65757274
}
// @ts-ignore: decorator
@inline
function isFalse(p: usize): bool {
  return load<u32>(p) == 0x736c6166 && load<u8>(p + 4) == 0x65
}

/** A string, copied sixteen bytes at a time while it is looked at. */
function text(p: usize, d: usize, at: usize): usize {
  let o = at + 4
  p++
  for (;;) {
    const v = v128.load(p)
    v128.store(o, v)
    const stops = i8x16.bitmask(v128.or(v128.or(i8x16.eq(v, i8x16.splat(0x22)), i8x16.eq(v, i8x16.splat(0x5c))), i8x16.lt_u(v, i8x16.splat(0x20))))
    if (stops == 0) {
      p += 16
      o += 16
      continue
    }
    const plain = <usize>ctz(stops)
    p += plain
    o += plain
    const c = load<u8>(p)
    if (c == 0x22) break
    if (c != 0x5c) return 0
    const e = load<u8>(p + 1)
    if (e == 0x75) {
      o = unit(p + 2, o)
      if (o == 0) return 0
      p += 6
      continue
    }
    const byte: u8 = e == 0x22 || e == 0x5c || e == 0x2f ? e : e == 0x6e ? 10 : e == 0x74 ? 9 : e == 0x72 ? 13 : e == 0x62 ? 8 : e == 0x66 ? 12 : 0
    if (byte == 0) return 0
    store<u8>(o++, byte)
    p += 2
  }
  const length = <u32>(o - at - 4)
  if (length > load<u32>(d, LIMIT) || (length == 0 && load<u32>(d, REQUIRED) != 0)) return 0
  store<u32>(at, length)
  store<u32>(d, <u32>o, AT)
  return p + 1
}

/** Four hexadecimal digits as UTF-8; halves of a pair are not for here. Answers the end of what was written, or 0. */
function unit(p: usize, o: usize): usize {
  let code: u32 = 0
  for (let i = 0; i < 4; i++) {
    const c = <u32>load<u8>(p + i)
    const low = c | 0x20
    const digit = c - 0x30 <= 9 ? c - 0x30 : low - 0x61 <= 5 ? low - 0x57 : 255
    if (digit == 255) return 0
    code = (code << 4) | digit
  }
  if (code < 0x80) {
    store<u8>(o, <u8>code)
    return o + 1
  }
  if (code < 0x800) {
    store<u8>(o, <u8>(0xc0 | (code >> 6)))
    store<u8>(o + 1, <u8>(0x80 | (code & 0x3f)))
    return o + 2
  }
  if (code >= 0xd800 && code <= 0xdfff) return 0
  store<u8>(o, <u8>(0xe0 | (code >> 12)))
  store<u8>(o + 1, <u8>(0x80 | ((code >> 6) & 0x3f)))
  store<u8>(o + 2, <u8>(0x80 | (code & 0x3f)))
  return o + 3
}

/** At most 15 bytes, minus and all; what follows is looked at by the caller. */
function integer(p: usize, d: usize, at: usize): usize {
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
  const start = p
  if (digit(p) > 9) return 0
  let whole: i64 = 0
  if (load<u8>(p) == 0x30) p++
  else {
    while (digit(p) <= 9) {
      whole = whole * 10 + <i64>digit(p)
      p++
    }
  }
  let size = p - from
  let result: f64
  if (load<u8>(p) == 0x2e) {
    const point = ++p
    if (digit(p) > 9) return 0
    while (digit(p) <= 9) {
      whole = whole * 10 + <i64>digit(p)
      p++
    }
    if (p - start > 16) return 0
    result = <f64>whole / load<f64>(POWERS + ((p - point) << 3))
  } else {
    if (size > 15) return 0
    result = <f64>whole
  }
  if ((load<u8>(p) | 0x20) == 0x65) return 0
  store<f64>(at, minus ? -result : result)
  store<u32>(d, <u32>(at + 8), AT)
  return p
}

/** Any number; answers where it ends, or 0. */
function number(p: usize): usize {
  if (load<u8>(p) == 0x2d) p++
  if (digit(p) > 9) return 0
  if (load<u8>(p) == 0x30) p++
  else while (digit(p) <= 9) p++
  if (load<u8>(p) == 0x2e) {
    if (digit(++p) > 9) return 0
    while (digit(p) <= 9) p++
  }
  if ((load<u8>(p) | 0x20) == 0x65) {
    p++
    if (load<u8>(p) == 0x2b || load<u8>(p) == 0x2d) p++
    if (digit(p) > 9) return 0
    while (digit(p) <= 9) p++
  }
  return p
}

/** `"YYYY-MM-DDTHH:MM:SS[.f…]Z"` with at most six digits of fraction. */
function time(p: usize, d: usize, at: usize): usize {
  if (load<u8>(p) != 0x22) return 0
  p++
  const day = days(p)
  const hour = two(p + 11)
  const minute = two(p + 14)
  const second = two(p + 17)
  if (day == NO_DAY || load<u8>(p + 10) != 0x54 || hour > 23 || load<u8>(p + 13) != 0x3a || minute > 59 || load<u8>(p + 16) != 0x3a || second > 59) return 0
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
  if (load<u8>(p) != 0x5a || load<u8>(p + 1) != 0x22) return 0
  store<i64>(at, (<i64>day * 86400 + <i64>(hour * 3600 + minute * 60 + second)) * 1000000 + micros)
  store<u32>(d, <u32>(at + 8), AT)
  return p + 2
}
