/**
 * gzip (RFC 1952): any number of members, each with its own check. Headers and trailers are read here, so that a fault has
 * its offset and a cut is told from damage; the deflate stream between them is zlib's.
 */
import { crc32 } from 'node:zlib'
import { InflateRaw } from 'minizlib'
import type { Packed, Unpacker } from './packed.ts'

/** Packed bytes that are given to zlib at once: they become 16 MB at most. */
const STEP = 16 << 10
/** Pieces of what comes out; the typings know only the options of the stream around it. */
const OPTIONS = { chunkSize: 64 << 10, flush: 0 }
const HEADER_CRC = 2
const EXTRA = 4
const NAME = 8
const COMMENT = 16
/** Longest name or comment of a header. */
const LONGEST_TEXT = 64 << 10

export class Gunzip implements Unpacker {
  private readonly packed: Packed
  private readonly zlib = new InflateRaw(OPTIONS)
  private out: Buffer[] = []
  private broken: string | null = null
  private members = 0
  private inside = false
  private began = 0
  private crc = 0
  private size = 0

  constructor(packed: Packed) {
    this.packed = packed
    this.zlib.on('data', (data) => this.out.push(data))
    this.zlib.on('error', (thrown) => (this.broken = String(thrown).replace(/^.*zlib: /, '')))
  }

  next(): Buffer[] | null {
    const packed = this.packed
    if (!this.inside) {
      if (this.members > 0 && !this.more()) return null
      this.header()
    }
    if (!packed.has(1)) throw packed.cut()
    const at = packed.offset
    const given = packed.buf.subarray(packed.pos, packed.pos + Math.min(STEP, packed.ready))
    this.out = []
    this.zlib.write(given)
    if (this.broken !== null) throw packed.invalid(at, this.broken)
    const used = this.zlib.handle?.bytesWritten ?? 0
    packed.pos += used
    for (const piece of this.out) {
      this.crc = crc32(piece, this.crc)
      this.size += piece.length
    }
    // zlib leaves bytes alone only when the stream is at its end.
    if (used < given.length) this.trailer()
    return this.out
  }

  /** False: nothing follows but the zeros that tapes and block devices pad with. */
  private more(): boolean {
    const packed = this.packed
    const at = packed.offset
    while (packed.has(1)) {
      if (packed.buf[packed.pos] !== 0) break
      packed.pos++
    }
    if (packed.ready === 0) return false
    const padded = packed.offset > at
    const magic = packed.buf[packed.pos] === 0x1f && (!packed.has(2) || packed.buf[packed.pos + 1] === 0x8b)
    if (padded || !magic) throw packed.invalid(packed.offset, 'bytes that are no gzip follow its end')
    return true
  }

  private header(): void {
    const packed = this.packed
    this.began = packed.offset
    const fixed = packed.take(10)
    const flags = fixed[3] as number
    if (fixed[2] !== 8 || (flags & 0xe0) !== 0) throw packed.invalid(this.began, 'the header asks for a method that is unknown')
    if ((flags & EXTRA) !== 0) packed.skip(packed.take(2).readUInt16LE(0))
    if ((flags & NAME) !== 0) this.text()
    if ((flags & COMMENT) !== 0) this.text()
    if ((flags & HEADER_CRC) !== 0) packed.skip(2)
    this.crc = 0
    this.size = 0
    this.inside = true
  }
  private text(): void {
    for (let n = 0; n < LONGEST_TEXT; n++) if (this.packed.take(1)[0] === 0) return
    throw this.packed.invalid(this.began, 'the header has a name without an end')
  }

  private trailer(): void {
    const packed = this.packed
    const at = packed.offset
    const trailer = packed.take(8)
    if (trailer.readUInt32LE(0) !== this.crc) throw packed.invalid(at, 'the check sum does not agree with the content')
    if (trailer.readUInt32LE(4) !== this.size % 2 ** 32) throw packed.invalid(at + 4, 'the length does not agree with the content')
    this.members++
    this.inside = false
    this.zlib.reset()
  }
}
