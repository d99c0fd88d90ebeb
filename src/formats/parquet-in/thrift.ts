/**
 * Reads Thrift's compact protocol out of hostile bytes: every length is checked against what is there, nothing is built
 * that was not asked for, and skipping has a depth.
 */
import { FileFault } from '../sink.ts'

/** Types of the protocol, as far as Parquet has them. */
export const TRUE = 1
export const FALSE = 2
export const BINARY = 8
export const LIST = 9
export const STRUCT = 12
const MAX_SKIP = 64

export class ThriftReader {
  readonly buf: Buffer
  pos: number
  /** Where the last field's header lies. */
  headAt = 0
  private readonly end: number
  /** Offset of buf[0] in the file, for messages. */
  private readonly base: number
  private depth = 0

  constructor(buf: Buffer, base: number, pos = 0, end = buf.length) {
    this.buf = buf
    this.base = base
    this.pos = pos
    this.end = end
  }
  bad(why: string): FileFault {
    const offset = this.base + this.pos
    return new FileFault('PARQUET_INVALID', `The Parquet metadata is damaged at byte ${offset}: ${why}.`, offset)
  }
  private byte(): number {
    if (this.pos >= this.end) throw this.bad('it ends too early')
    return this.buf[this.pos++] as number
  }
  private varint(): number {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = this.byte()
      value += (byte & 127) * shift
      if (value > Number.MAX_SAFE_INTEGER || shift > 2 ** 56) throw this.bad('a number is out of range')
      if (byte < 128) return value
    }
  }
  int(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
  private size(): number {
    const size = this.varint()
    if (size > this.end - this.pos) throw this.bad('a length goes beyond the end')
    return size
  }
  text(): string {
    const from = this.bytes()
    return this.buf.toString('utf8', from, this.pos)
  }
  /** Goes over a byte string; answers where it begins. */
  private bytes(): number {
    const size = this.size()
    this.pos += size
    return this.pos - size
  }
  /** Each field: read it and answer true, or answer false to have it skipped. */
  struct(each: (id: number, type: number) => boolean): void {
    if (++this.depth > MAX_SKIP) throw this.bad('it is nested too deep')
    let id = 0
    for (;;) {
      this.headAt = this.pos
      const head = this.byte()
      if (head === 0) break
      const type = head & 15
      id = head >> 4 === 0 ? this.int() : id + (head >> 4)
      if (!each(id, type)) this.skip(type)
    }
    this.depth--
  }
  /** Each element; at most `most`. */
  list(type: number, most: number, each: (index: number) => void): void {
    const head = this.byte()
    const count = head >> 4 === 15 ? this.varint() : head >> 4
    // An element has a byte at least.
    if (count > this.end - this.pos || count > most) throw this.bad(`a list of ${count} elements`)
    if ((head & 15) !== type && count > 0) throw this.bad('a list of another type')
    for (let i = 0; i < count; i++) each(i)
  }
  private skip(type: number): void {
    if (++this.depth > MAX_SKIP) throw this.bad('it is nested too deep')
    if (type === TRUE || type === FALSE) return void this.depth--
    if (type === 3) this.byte()
    else if (type >= 4 && type <= 6) this.long()
    else if (type === 7) this.pos += 8
    else if (type === BINARY) this.bytes()
    else if (type === STRUCT) this.struct(() => false)
    else if (type === LIST || type === 10) {
      const head = this.byte()
      const count = head >> 4 === 15 ? this.varint() : head >> 4
      if (count > this.end - this.pos) throw this.bad(`a list of ${count} elements`)
      for (let i = 0; i < count; i++) this.element(head & 15)
    } else if (type === 11) {
      const count = this.varint()
      if (count > this.end - this.pos) throw this.bad(`a map of ${count} entries`)
      const types = count === 0 ? 0 : this.byte()
      for (let i = 0; i < count; i++) {
        this.element(types >> 4)
        this.element(types & 15)
      }
    } else throw this.bad(`an unknown type ${type}`)
    if (this.pos > this.end) throw this.bad('it ends too early')
    this.depth--
  }
  /** In a list a boolean is a byte of its own. */
  private element(type: number): void {
    if (type === TRUE || type === FALSE) this.byte()
    else this.skip(type)
  }
  /** A number whose value does not matter. */
  private long(): void {
    for (let n = 0; n < 10; n++) if (this.byte() < 128) return
    throw this.bad('a number is out of range')
  }
}
