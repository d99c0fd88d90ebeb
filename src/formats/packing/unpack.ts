/**
 * Takes gzip and zstd off a file, whatever its name says: told by the first bytes. What is not packed passes untouched and
 * uncopied. Limits hold before anything is kept: a few MB at a time, 200 times the file's size, two layers.
 */
import { FileFault } from '../sink.ts'
import type { Read } from '../window.ts'
import { Gunzip } from './gzip.ts'
import { Packed } from './packed.ts'
import type { Unpacker } from './packed.ts'
import { Unzstd } from './zstd.ts'

export const PACKINGS = ['gzip', 'zstd'] as const
export type Packing = (typeof PACKINGS)[number]

/** Packed inside packed: one layer more than the file itself. */
const LAYERS = 2
/** Unpacked bytes may be this many times the file's … */
export const RATIO = 200
/** … once there are more than these. */
export const RATIO_FROM = 10_000_000

/** By the first four bytes. */
export function packingOf(head: Uint8Array): Packing | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  const zstd = head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd && head[0] === 0x28
  const skippable = head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18 && ((head[0] ?? 0) & 0xf0) === 0x50
  return zstd || skippable ? 'zstd' : null
}

export class Unpacked {
  /** The layers that were found, outermost first; known once the first bytes were read. */
  readonly layers: Packing[] = []
  private readonly source: Read
  private readonly size: number
  private inner: Read | null = null
  private unpacked = 0

  /** @param size of the file as it lies, bytes */
  constructor(source: Read, size: number) {
    this.source = source
    this.size = size
  }

  /** Like `Read`. @throws FileFault COMPRESSED_INVALID, RATIO_EXCEEDED, LAYERS_EXCEEDED, UNFINISHED */
  read(into: Uint8Array, at: number, length: number): number {
    if (this.inner !== null) return this.inner(into, at, length)
    return this.begin(this.source, into, at, length)
  }

  /** First bytes of a layer: they say whether there is another below. */
  private begin(source: Read, into: Uint8Array, at: number, length: number): number {
    if (length < 4) {
      this.peek(4)
      return this.read(into, at, length)
    }
    let got = 0
    while (got < 4) {
      const n = source(into, at + got, length - got)
      if (n <= 0) break
      got += n
    }
    const head = into.subarray(at, at + got)
    const packing = packingOf(head)
    if (packing === null) {
      this.inner = source
      return got
    }
    if (this.layers.length === LAYERS) {
      throw new FileFault('LAYERS_EXCEEDED', `The file is packed more than ${LAYERS} times (${[...this.layers, packing].join(', ')}).`, 0)
    }
    this.layers.push(packing)
    const packed = new Packed(packing, source, head)
    return this.begin(this.pieces(packing === 'gzip' ? new Gunzip(packed) : new Unzstd(packed)), into, at, length)
  }

  /** Up to `length` (4 or more) of the first unpacked bytes; reading begins with them all the same. Once, before the first read. */
  peek(length: number): Buffer {
    const head = Buffer.alloc(length)
    let got = 0
    while (got < length) {
      const n = this.inner === null ? this.begin(this.source, head, got, length - got) : this.inner(head, got, length - got)
      if (n <= 0) break
      got += n
    }
    const rest = this.inner
    let from = 0
    this.inner = (target, index, most) => {
      if (from === got) return rest?.(target, index, most) ?? 0
      const n = head.copy(target, index, from, Math.min(got, from + most))
      from += n
      return n
    }
    return head.subarray(0, got)
  }

  private pieces(unpacker: Unpacker): Read {
    let waiting: Buffer[] = []
    let next = 0
    let from = 0
    let ended = false
    return (into, at, length) => {
      while (next === waiting.length) {
        if (ended) return 0
        const more = unpacker.next()
        if (more === null) {
          ended = true
          return 0
        }
        waiting = more
        next = 0
        for (const piece of more) this.count(piece.length)
      }
      let done = 0
      while (done < length && next < waiting.length) {
        const piece = waiting[next] as Buffer
        const n = piece.copy(into, at + done, from, Math.min(piece.length, from + length - done))
        done += n
        from += n
        if (from < piece.length) break
        next++
        from = 0
      }
      return done
    }
  }

  private count(bytes: number): void {
    this.unpacked += bytes
    if (this.unpacked <= RATIO_FROM || this.unpacked <= this.size * RATIO) return
    throw new FileFault('RATIO_EXCEEDED', `The ${this.size} bytes of the file unpack to more than ${RATIO} times as many (${this.unpacked} so far).`, this.size)
  }
}
