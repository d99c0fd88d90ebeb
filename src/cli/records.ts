/**
 * Made-up records whose outcome is known before they are loaded: `{"id":uuid,"data":40 characters,"ts":…ms Z}`.
 *
 * Everything follows from the seed; the format decides how the same records stand in the file (`frames.ts`). Which of the records are duplicates or bad is drawn without replacement, so their
 * numbers are exact. A duplicate has id and ts of an earlier record and other data; half of them repeat a record of
 * another file. A bad record has neither id nor ts, or both null (CSV: empty), so it is bad under every key of these columns.
 */

import { FRAMES } from './frames.ts'
import type { Frame, MadeFormat } from './frames.ts'

/** sfc32: 32 random bits per call, the same for the same seed on every machine. */
export function randomBits(seed: number): () => number {
  let a = seed | 0
  let b = (seed ^ 0x9e3779b9) | 0
  let c = 0x243f6a88 | 0
  let counter = 1
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 16; i++) next()
  return next
}

export interface Expected {
  files: number
  /** Records in all, good and bad. */
  records: number
  /** Different pairs of id and ts: what a table keyed by them holds afterwards. */
  keys: number
  duplicates: number
  bad: number
  /** Of all files. */
  bytes: number
}

/** Four random words of the id, then the time in milliseconds after FIRST. */
type Key = readonly [number, number, number, number, number]

const FIRST = Date.UTC(2026, 0, 1)
const DAY = 86_400_000
const DAYS = 28
/** Keys of earlier files that a duplicate may repeat; a bounded sample, so memory does not follow the number of files. */
const REMEMBERED = 32_768

const HEX = Buffer.from(Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0')).join(''), 'latin1')
const LETTERS = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .', 'latin1')
const DATES = Array.from({ length: DAYS }, (_, day) => Buffer.from(new Date(FIRST + day * DAY).toISOString().slice(0, 11), 'latin1'))

export class RecordMaker {
  /** What was made so far. */
  readonly expected: Expected = { files: 0, records: 0, keys: 0, duplicates: 0, bad: 0, bytes: 0 }
  private readonly bits: () => number
  private readonly frame: Frame
  private left: { records: number; duplicates: number; bad: number }
  private readonly earlier: Key[] = []
  private earlierSeen = 0
  private current: Key[] = []
  /** Duplicates in other files minus duplicates in the same file. */
  private lean = 0
  private readonly buffer = Buffer.allocUnsafe(1 << 20)
  private at = 0

  /** @param duplicates and bad: how many of the records */
  constructor(seed: number, records: number, duplicates: number, bad: number, format: MadeFormat = 'json') {
    this.bits = randomBits(seed)
    this.frame = FRAMES[format]
    this.left = { records, duplicates, bad }
  }

  /** Writes one file of `count` records, in chunks of at most 1 MB that are valid until the next one. */
  file(count: number, write: (bytes: Uint8Array) => void): void {
    this.expected.files++
    const { open, between, close, none } = this.frame
    this.put(count === 0 ? none : open)
    for (let i = 0; i < count; i++) {
      if (i > 0) this.put(between)
      this.record()
      if (this.at > this.buffer.length - 1024) this.flush(write)
    }
    if (count > 0) this.put(close)
    this.flush(write)
    for (const key of this.current) this.remember(key)
    this.current = []
  }

  private record(): void {
    const draw = (this.bits() / 2 ** 32) * this.left.records
    const { bad, duplicates } = this.left
    this.left.records--
    this.expected.records++
    if (draw < bad) {
      this.left.bad--
      this.expected.bad++
      const missing = (this.bits() & 1) === 0
      const [before, after] = missing ? this.frame.missing : this.frame.empty
      this.put(before)
      this.data()
      this.put(after)
      return
    }
    const repeated = draw < bad + duplicates ? this.repeated() : undefined
    const key = repeated ?? ([this.bits(), this.bits(), this.bits(), this.bits(), this.bits() % (DAYS * DAY)] as const)
    if (repeated === undefined) {
      this.expected.keys++
      this.current.push(key)
    } else {
      this.left.duplicates--
      this.expected.duplicates++
    }
    const [beforeId, beforeData, beforeTs, after] = this.frame.good
    this.put(beforeId)
    this.uuid(key)
    this.put(beforeData)
    this.data()
    this.put(beforeTs)
    this.timestamp(key[4])
    this.put(after)
  }

  /** A key that was there already: of another file when those are behind, else of this file; undefined if there is none. */
  private repeated(): Key | undefined {
    const other = this.earlier.length > 0 && (this.lean <= 0 || this.current.length === 0)
    const from = other ? this.earlier : this.current
    if (from.length === 0) return undefined
    this.lean += other ? 1 : -1
    return from[this.bits() % from.length]
  }

  /** Reservoir sampling: every key of an earlier file is remembered with the same chance. */
  private remember(key: Key): void {
    this.earlierSeen++
    if (this.earlier.length < REMEMBERED) this.earlier.push(key)
    else {
      const slot = this.bits() % this.earlierSeen
      if (slot < REMEMBERED) this.earlier[slot] = key
    }
  }

  private put(bytes: Buffer): void {
    this.buffer.set(bytes, this.at)
    this.at += bytes.length
  }

  private flush(write: (bytes: Uint8Array) => void): void {
    write(this.buffer.subarray(0, this.at))
    this.expected.bytes += this.at
    this.at = 0
  }

  /** A version 4 UUID. */
  private uuid(key: Key): void {
    this.hex(key[0], 4)
    this.buffer[this.at++] = 0x2d
    this.hex(key[1] >>> 16, 2)
    this.buffer[this.at++] = 0x2d
    this.hex((key[1] & 0x0fff) | 0x4000, 2)
    this.buffer[this.at++] = 0x2d
    this.hex(((key[2] >>> 16) & 0x3fff) | 0x8000, 2)
    this.buffer[this.at++] = 0x2d
    this.hex(key[2] & 0xffff, 2)
    this.hex(key[3], 4)
  }

  private hex(value: number, length: number): void {
    for (let i = length - 1; i >= 0; i--) {
      const byte = (value >>> (i * 8)) & 0xff
      this.buffer[this.at++] = HEX[byte * 2] ?? 0
      this.buffer[this.at++] = HEX[byte * 2 + 1] ?? 0
    }
  }

  private data(): void {
    for (let word = 0; word < 8; word++) {
      let bits = this.bits()
      for (let i = 0; i < 5; i++) {
        this.buffer[this.at++] = LETTERS[bits & 63] ?? 0
        bits >>>= 6
      }
    }
  }

  private timestamp(ms: number): void {
    this.put(DATES[Math.floor(ms / DAY)] ?? Buffer.alloc(0))
    const inDay = ms % DAY
    this.decimal(Math.floor(inDay / 3_600_000), 2, 0x3a)
    this.decimal(Math.floor(inDay / 60_000) % 60, 2, 0x3a)
    this.decimal(Math.floor(inDay / 1000) % 60, 2, 0x2e)
    this.decimal(inDay % 1000, 3, 0)
  }

  private decimal(value: number, width: number, after: number): void {
    for (let i = width - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 10)) this.buffer[this.at + i] = 0x30 + (rest % 10)
    this.at += width
    if (after !== 0) this.buffer[this.at++] = after
  }
}
