/** Strings without their escapes, nested values without their white space, and names repeated inside them. */
import type { ByteList } from '../parquet/bytes.ts'

/** The text between the quotes as UTF-16. The bytes are a valid string, escapes and all. */
export function decode(buf: Buffer, from: number, to: number, escaped: boolean): string {
  const text = buf.toString('utf8', from, to)
  return escaped ? (JSON.parse(`"${text}"`) as string) : text
}

/** A valid value as JSON text without white space outside strings; order, numbers and escapes stay as written. */
export function compact(buf: Buffer, from: number, to: number, out: ByteList): void {
  let start = from
  let inside = false
  for (let p = from; p < to; p++) {
    const c = buf[p] as number
    if (inside) {
      if (c === 0x5c) p++
      else if (c === 0x22) inside = false
    } else if (c === 0x22) inside = true
    else if (c <= 0x20) {
      if (p > start) out.bytes(buf, start, p)
      start = p + 1
    }
  }
  if (to > start) out.bytes(buf, start, to)
}

/** The first member name that an object inside this valid value has twice, compared exactly after decoding; or null. */
export function repeatedName(buf: Buffer, from: number, to: number): string | null {
  const names: (Set<string> | null)[] = []
  let expectName = false
  for (let p = from; p < to; p++) {
    const c = buf[p] as number
    if (c === 0x22) {
      const start = p + 1
      let escaped = false
      for (p = start; buf[p] !== 0x22; p++) {
        if (buf[p] !== 0x5c) continue
        escaped = true
        p++
      }
      const top = names.at(-1)
      if (expectName && top) {
        const name = decode(buf, start, p, escaped)
        if (top.has(name)) return name
        top.add(name)
        expectName = false
      }
    } else if (c === 0x7b) {
      names.push(new Set())
      expectName = true
    } else if (c === 0x5b) {
      names.push(null)
      expectName = false
    } else if (c === 0x7d || c === 0x5d) {
      names.pop()
      expectName = false
    } else if (c === 0x2c) expectName = names.at(-1) !== null && names.length > 0
  }
  return null
}
