/**
 * What the bytes of a CSV file are: told by a mark or by the bytes, or declared; and their way to UTF-8.
 *
 * A byte that the encoding does not know becomes 0xff, which is no UTF-8: its row is put aside, not mended.
 */
import type { Encoding } from '../../core/csv.ts'
import { isUtf8 } from 'node:buffer'
import { FileFault } from '../sink.ts'
import type { Read } from '../window.ts'

/** What stands for a byte or a unit that is none; the byte is one of the file where the encoding has one a character. */
const WRONG = 0xff
const CHUNK = 65_536

/** 0x80 to 0x9f of Windows-1252; 0: not defined. */
const WINDOWS = [
  0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0,
  0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
]

export interface Told {
  encoding: Encoding
  /** Bytes of the mark at the beginning. */
  mark: number
  /** False: the bytes leave it to guess. */
  certain: boolean
}

/** @param sample the first bytes of the file @throws FileFault ENCODING_UNCLEAR */
export function tellEncoding(sample: Buffer, declared: Encoding | null): Told {
  const [a, b, c, d] = sample
  const mark: Told | null =
    a === 0xef && b === 0xbb && c === 0xbf ? { encoding: 'utf-8', mark: 3, certain: true }
    : a === 0xff && b === 0xfe ? { encoding: 'utf-16le', mark: 2, certain: true }
    : a === 0xfe && b === 0xff ? { encoding: 'utf-16be', mark: 2, certain: true }
    : null
  if (declared !== null) {
    // Read the other way round all of it would be one line of strange letters: a header, and no records.
    const [told, how] = mark !== null ? [mark.encoding, 'begins with the mark of'] : [wideOf(sample), 'has the zeros of']
    if (told !== null && told !== declared) throw new FileFault('ENCODING_UNCLEAR', `The file ${how} ${told}, and --csv-encoding says ${declared}. Leave the flag out, or say what the file is.`, 0)
    return { encoding: declared, mark: mark?.mark ?? 0, certain: true }
  }
  if (mark?.encoding === 'utf-16le' && c === 0 && d === 0) throw new FileFault('ENCODING_UNCLEAR', 'The file begins with the mark of UTF-32; convert it to UTF-8.', 0)
  if (mark !== null) return mark
  const wide = wideOf(sample)
  if (wide !== null) return { encoding: wide, mark: 0, certain: true }
  // The sample may end inside a character.
  for (let cut = 0; cut <= 3 && cut <= sample.length; cut++) if (isUtf8(sample.subarray(0, sample.length - cut))) return { encoding: 'utf-8', mark: 0, certain: true }
  return eightBits(sample)
}

/** UTF-16 without a mark: every second byte of text in Latin letters is zero. */
function wideOf(sample: Buffer): 'utf-16le' | 'utf-16be' | null {
  const size = Math.min(sample.length, 4096) & ~1
  if (size < 4) return null
  let even = 0
  let odd = 0
  for (let i = 0; i < size; i += 2) {
    if (sample[i] === 0) even++
    if (sample[i + 1] === 0) odd++
  }
  const most = size / 2
  if (odd > most * 0.7 && even < most * 0.05) return 'utf-16le'
  return even > most * 0.7 && odd < most * 0.05 ? 'utf-16be' : null
}

/** Not UTF-8: Windows-1252 when what it would say is plausible Western text; lines of UTF-8 with a few bad ones stay UTF-8. */
function eightBits(sample: Buffer): Told {
  let good = 0
  let single = 0
  let odd = 0
  for (let i = 0; i < sample.length; i++) {
    const c = sample[i] as number
    if (c < 0x80) continue
    const size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2
    if (c >= 0xc2 && c <= 0xf4 && isUtf8(sample.subarray(i, i + size))) {
      good++
      i += size - 1
      continue
    }
    single++
    if (!plausible(sample, i)) odd++
  }
  // Both kinds: mostly UTF-8 means lines of another origin, which are put aside one by one.
  if (good > single) return { encoding: 'utf-8', mark: 0, certain: true }
  if (good === 0 && odd === 0) return { encoding: 'windows-1252', mark: 0, certain: false }
  throw new FileFault('ENCODING_UNCLEAR', `The file is not UTF-8${good > 0 ? ' in most places' : ''}, and its bytes do not tell what it is. Say it with --csv-encoding (windows-1252, latin-1, utf-16le, utf-16be), or convert it to UTF-8.`, 0)
}

/** Would this byte make sense as Windows-1252? Letters stand alone or in pairs among ASCII; signs stand beside words. */
function plausible(sample: Buffer, i: number): boolean {
  const c = sample[i] as number
  const before = sample[i - 1] ?? 0x20
  const after = sample[i + 1] ?? 0x20
  const within = isLetter(before) && isLetter(after)
  if (c >= 0xc0) return c !== 0xd7 && c !== 0xf7 ? !(before >= 0x80 && after >= 0x80) : !within
  if (c >= 0xa0) return !within
  return WINDOWS[c - 0x80] !== 0 && (!within || c === 0x92 || c === 0x96 || c === 0x9c || c === 0x8c)
}

function isLetter(c: number): boolean {
  return (c | 0x20) >= 0x61 && (c | 0x20) <= 0x7a
}

/** Reads `head`, then the file, as UTF-8. The mark is left out where it is not that of UTF-8. */
export function transcoded(head: Buffer, read: Read, { encoding, mark }: Told): Read {
  let rest = encoding === 'utf-8' ? head : head.subarray(mark)
  if (encoding === 'utf-8') {
    return (into, at, length) => {
      if (rest.length === 0) return read(into, at, length)
      const n = rest.copy(into, at, 0, Math.min(length, rest.length))
      rest = rest.subarray(n)
      return n
    }
  }
  // Four bytes at the most for one of the file.
  const out = Buffer.allocUnsafeSlow(CHUNK * 3 + 8)
  const raw = Buffer.allocUnsafeSlow(CHUNK + 4)
  let ready = out.subarray(0, 0)
  let kept = 0
  const wide = encoding === 'utf-16le' || encoding === 'utf-16be'
  return (into, at, length) => {
    while (ready.length === 0) {
      let n = 0
      if (rest.length > 0) {
        n = rest.copy(raw, kept, 0, Math.min(CHUNK, rest.length))
        rest = rest.subarray(n)
      } else n = Math.max(0, read(raw, kept, CHUNK))
      const size = kept + n
      if (size === 0) return 0
      const used = wide ? fromWide(raw, size, out, encoding === 'utf-16be', n === 0) : fromBytes(raw, size, out, encoding === 'windows-1252')
      raw.copyWithin(0, used.read, size)
      kept = size - used.read
      ready = out.subarray(0, used.written)
    }
    const n = ready.copy(into, at, 0, Math.min(length, ready.length))
    ready = ready.subarray(n)
    return n
  }
}

function fromBytes(raw: Buffer, size: number, out: Buffer, windows: boolean): { read: number; written: number } {
  let at = 0
  for (let i = 0; i < size; i++) {
    const c = raw[i] as number
    if (c < 0x80) out[at++] = c
    else {
      const point = windows && c < 0xa0 ? (WINDOWS[c - 0x80] as number) : c
      if (point === 0) out[at++] = WRONG
      else at = put(out, at, point)
    }
  }
  return { read: size, written: at }
}

function fromWide(raw: Buffer, size: number, out: Buffer, big: boolean, last: boolean): { read: number; written: number } {
  let at = 0
  let i = 0
  for (; i + 1 < size; i += 2) {
    const unit = big ? ((raw[i] as number) << 8) | (raw[i + 1] as number) : (raw[i] as number) | ((raw[i + 1] as number) << 8)
    if (unit < 0x80) out[at++] = unit
    else if (unit < 0xd800 || unit > 0xdfff) at = put(out, at, unit)
    else if (unit > 0xdbff) out[at++] = WRONG
    else {
      if (i + 3 >= size && !last) break
      const low = i + 3 >= size ? 0 : big ? ((raw[i + 2] as number) << 8) | (raw[i + 3] as number) : (raw[i + 2] as number) | ((raw[i + 3] as number) << 8)
      if (low >= 0xdc00 && low <= 0xdfff) {
        at = put(out, at, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
        i += 2
      } else out[at++] = WRONG
    }
  }
  if (last && i < size) {
    out[at++] = WRONG
    i = size
  }
  return { read: i, written: at }
}

function put(out: Buffer, at: number, point: number): number {
  if (point < 0x800) {
    out[at] = 0xc0 | (point >> 6)
    out[at + 1] = 0x80 | (point & 63)
    return at + 2
  }
  if (point < 0x10000) {
    out[at] = 0xe0 | (point >> 12)
    out[at + 1] = 0x80 | ((point >> 6) & 63)
    out[at + 2] = 0x80 | (point & 63)
    return at + 3
  }
  out[at] = 0xf0 | (point >> 18)
  out[at + 1] = 0x80 | ((point >> 12) & 63)
  out[at + 2] = 0x80 | ((point >> 6) & 63)
  out[at + 3] = 0x80 | (point & 63)
  return at + 4
}

/** Offsets in the file's own bytes of places in its text, asked for in growing order. */
export class Offsets {
  private readonly wide: boolean
  private readonly plain: boolean
  /** A place in the text, and the byte of the file that it comes from. */
  private text = 0
  private file: number

  constructor({ encoding, mark }: Told) {
    this.plain = encoding === 'utf-8'
    this.wide = encoding === 'utf-16le' || encoding === 'utf-16be'
    this.file = this.plain ? 0 : mark
  }
  /** @param base offset in the text of buf[0] */
  at(buf: Buffer, base: number, p: number): number {
    if (this.plain) return base + p
    for (let i = this.text - base; i < p; i++) {
      const c = buf[i] as number
      if ((c & 0xc0) !== 0x80) this.file += this.wide ? (c >= 0xf0 && c < WRONG ? 4 : 2) : 1
    }
    this.text = base + p
    return this.file
  }
}
