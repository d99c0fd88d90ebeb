/** The bytes of a compressed file as they lie: looked at, taken, and counted, so that every fault has its offset. */
import { FileFault } from '../sink.ts'
import type { Read } from '../window.ts'

const ROOM = 256 << 10

export class Packed {
  /** Between `pos` and `end` lie bytes that are not used up. */
  buf = Buffer.allocUnsafeSlow(ROOM)
  pos = 0
  end = 0
  /** Offset of buf[0] in the file. */
  private base = 0
  private readonly source: Read
  /** For messages: gzip, zstd. */
  readonly name: string

  /** @param first bytes that were read already */
  constructor(name: string, source: Read, first: Uint8Array) {
    this.name = name
    this.source = source
    if (first.length > ROOM) this.buf = Buffer.allocUnsafeSlow(first.length)
    this.buf.set(first)
    this.end = first.length
  }
  get offset(): number {
    return this.base + this.pos
  }
  get ready(): number {
    return this.end - this.pos
  }
  /** Makes `n` bytes lie at `pos`, at most ROOM; false: the file ends before. */
  has(n: number): boolean {
    if (this.end - this.pos >= n) return true
    this.buf.copyWithin(0, this.pos, this.end)
    this.base += this.pos
    this.end -= this.pos
    this.pos = 0
    while (this.end < n) {
      const got = this.source(this.buf, this.end, this.buf.length - this.end)
      if (got <= 0) return false
      this.end += got
    }
    return true
  }
  /** The next `n` bytes; valid until the next call. */
  take(n: number): Buffer {
    if (!this.has(n)) throw this.cut()
    this.pos += n
    return this.buf.subarray(this.pos - n, this.pos)
  }
  skip(n: number): void {
    for (let rest = n; rest > 0; ) {
      if (!this.has(1)) throw this.cut()
      const step = Math.min(rest, this.ready)
      this.pos += step
      rest -= step
    }
  }
  cut(): FileFault {
    const end = this.base + this.end
    return new FileFault('UNFINISHED', `The ${this.name} data ends at byte ${end} before it is complete.`, end)
  }
  invalid(offset: number, why: string): FileFault {
    return new FileFault('COMPRESSED_INVALID', `The ${this.name} data is damaged at byte ${offset} of the file as it lies: ${why}.`, offset)
  }
}

/** Unpacks piece by piece. */
export interface Unpacker {
  /** Some next bytes, never many more than a few MB; null at the end. @throws FileFault */
  next(): Buffer[] | null
}
