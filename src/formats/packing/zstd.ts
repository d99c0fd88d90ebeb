/**
 * zstd (RFC 8878): any number of frames, skippable ones among them. The frames are walked here, block by block, so that a
 * cut is told from damage, no step makes more than 2 MB, and a window is refused before memory is taken for it.
 */
import { ZstdDecompress } from 'minizlib'
import type { Packed, Unpacker } from './packed.ts'

const MAGIC = 0xfd2fb528
const SKIPPABLE = 0x184d2a5
/** A block is at most this long, packed and unpacked. */
const BLOCK = 128 << 10
/** Pieces of what comes out; the typings know only the options of the stream around it. */
const OPTIONS = { chunkSize: BLOCK, flush: 0 }
const BLOCKS_AT_ONCE = 16
/** What the library itself grants. */
const LARGEST_WINDOW = 128 << 20

export class Unzstd implements Unpacker {
  private readonly packed: Packed
  private readonly zstd = new ZstdDecompress(OPTIONS)
  private out: Buffer[] = []
  private broken: string | null = null
  private frames = 0
  private inside = false
  private checked = false

  constructor(packed: Packed) {
    this.packed = packed
    this.zstd.on('data', (data) => this.out.push(data))
    this.zstd.on('error', (thrown) => (this.broken = String(thrown).replace(/^.*zlib: /, '')))
  }

  next(): Buffer[] | null {
    this.out = []
    if (!this.inside) {
      if (this.frames > 0 && !this.packed.has(1)) return null
      this.frames++
      if (!this.header()) return this.out
    }
    for (let n = 0; n < BLOCKS_AT_ONCE && this.inside; n++) this.block()
    return this.out
  }

  private give(at: number, bytes: Buffer): void {
    this.zstd.write(bytes)
    if (this.broken !== null) throw this.packed.invalid(at, this.broken)
  }

  /** False: a skippable frame, now behind us. */
  private header(): boolean {
    const packed = this.packed
    const began = packed.offset
    if (!packed.has(4)) {
      if (this.frames > 1) throw packed.invalid(began, 'bytes that are no zstd follow its end')
      throw packed.cut()
    }
    const magic = packed.buf.readUInt32LE(packed.pos)
    if (magic >>> 4 === SKIPPABLE) {
      packed.skip(4)
      packed.skip(packed.take(4).readUInt32LE(0))
      return false
    }
    if (magic !== MAGIC) throw packed.invalid(began, 'bytes that are no zstd follow its end')
    if (!packed.has(5)) throw packed.cut()
    const descriptor = packed.buf[packed.pos + 4] as number
    const single = (descriptor & 0x20) !== 0
    const dictionary = [0, 1, 2, 4][descriptor & 3] as number
    const content = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number
    const size = 5 + (single ? 0 : 1) + dictionary + content
    const header = packed.take(size)
    if ((descriptor & 8) !== 0) throw packed.invalid(began, 'the header asks for a feature that is unknown')
    if (header.subarray(size - content - dictionary, size - content).some((byte) => byte !== 0)) throw packed.invalid(began, 'it was packed with a dictionary of its own')
    const window = single ? contentSize(header.subarray(size - content)) : windowSize(header[5] as number)
    if (window > LARGEST_WINDOW) throw packed.invalid(began, `it needs a window of ${window} bytes, and 128 MB are granted; pack it without --long=28 and above`)
    this.checked = (descriptor & 4) !== 0
    this.inside = true
    this.give(began, header)
    return true
  }

  private block(): void {
    const packed = this.packed
    const at = packed.offset
    if (!packed.has(3)) throw packed.cut()
    const header = packed.buf.readUIntLE(packed.pos, 3)
    const type = (header >> 1) & 3
    const size = header >>> 3
    if (type === 3 || size > BLOCK) throw packed.invalid(at, 'a block of an impossible kind')
    this.give(at, packed.take(3 + (type === 1 ? 1 : size)))
    if ((header & 1) === 0) return
    if (this.checked) this.give(packed.offset, packed.take(4))
    this.inside = false
  }
}

function windowSize(byte: number): number {
  const base = 2 ** (10 + (byte >> 3))
  return base + (base / 8) * (byte & 7)
}
function contentSize(bytes: Buffer): number {
  if (bytes.length === 8) return Number(bytes.readBigUInt64LE(0))
  return bytes.readUIntLE(0, bytes.length) + (bytes.length === 2 ? 256 : 0)
}
