/** Thrift's compact protocol, as much of it as a Parquet footer and a page header need. Writing only. */
import { ByteList } from './bytes.ts'

const BOOL_TRUE = 1
const BOOL_FALSE = 2
const I32 = 5
const I64 = 6
const BINARY = 8
const LIST = 9
const STRUCT = 12

/** Writes one struct after the other; field numbers must grow inside a struct. */
export class ThriftWriter {
  readonly out = new ByteList(256)
  private last = 0
  private readonly stack: number[] = []

  private field(id: number, type: number): void {
    const delta = id - this.last
    if (delta > 0 && delta <= 15) this.out.byte((delta << 4) | type)
    else {
      this.out.byte(type)
      this.zigzag(id)
    }
    this.last = id
  }
  /** Signed number as zigzag varint; exact up to 2⁵². */
  private zigzag(value: number): void {
    this.out.varint(value >= 0 ? value * 2 : -value * 2 - 1)
  }
  private binary(text: string): void {
    const bytes = Buffer.from(text, 'utf8')
    this.out.varint(bytes.length)
    this.out.bytes(bytes, 0, bytes.length)
  }
  i32(id: number, value: number): void {
    this.field(id, I32)
    this.zigzag(value)
  }
  i64(id: number, value: number): void {
    this.field(id, I64)
    this.zigzag(value)
  }
  bool(id: number, value: boolean): void {
    this.field(id, value ? BOOL_TRUE : BOOL_FALSE)
  }
  text(id: number, value: string): void {
    this.field(id, BINARY)
    this.binary(value)
  }
  struct(id: number, body: () => void): void {
    this.field(id, STRUCT)
    this.nested(body)
  }
  /** A struct as a list's element, or at the top. */
  nested(body: () => void): void {
    this.stack.push(this.last)
    this.last = 0
    body()
    this.out.byte(0)
    this.last = this.stack.pop() ?? 0
  }
  private list(id: number, type: number, count: number): void {
    this.field(id, LIST)
    if (count < 15) this.out.byte((count << 4) | type)
    else {
      this.out.byte(0xf0 | type)
      this.out.varint(count)
    }
  }
  structs<T>(id: number, items: readonly T[], each: (item: T, index: number) => void): void {
    this.list(id, STRUCT, items.length)
    items.forEach((item, index) => this.nested(() => each(item, index)))
  }
  i32s(id: number, items: readonly number[]): void {
    this.list(id, I32, items.length)
    for (const item of items) this.zigzag(item)
  }
  texts(id: number, items: readonly string[]): void {
    this.list(id, BINARY, items.length)
    for (const item of items) this.binary(item)
  }
}
