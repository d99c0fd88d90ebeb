/** A growable run of bytes, little endian. */
export class ByteList {
  data: Buffer
  view: DataView
  length = 0

  constructor(capacity: number) {
    this.data = Buffer.allocUnsafeSlow(capacity)
    this.view = new DataView(this.data.buffer)
  }
  /** Makes room for `more` bytes. */
  need(more: number): void {
    const wanted = this.length + more
    if (wanted <= this.data.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.data.length * 2))
    this.data.copy(grown, 0, 0, this.length)
    this.data = grown
    this.view = new DataView(grown.buffer)
  }
  byte(value: number): void {
    this.need(1)
    this.data[this.length++] = value
  }
  u32(value: number): void {
    this.need(4)
    this.view.setInt32(this.length, value | 0, true)
    this.length += 4
  }
  /** Two's complement, given as its two halves. */
  i64(low: number, high: number): void {
    this.need(8)
    this.view.setInt32(this.length, low | 0, true)
    this.view.setInt32(this.length + 4, high | 0, true)
    this.length += 8
  }
  f64(value: number): void {
    this.need(8)
    this.view.setFloat64(this.length, value, true)
    this.length += 8
  }
  /** Unsigned LEB128, exact up to 2⁵³. */
  varint(value: number): void {
    while (value > 127) {
      this.byte((value % 128) | 128)
      value = Math.floor(value / 128)
    }
    this.byte(value)
  }
  run(from: Uint8Array): void {
    this.need(from.length)
    this.data.set(from, this.length)
    this.length += from.length
  }
  bytes(from: Buffer, start: number, end: number): void {
    const length = end - start
    this.need(length)
    const data = this.data
    let at = this.length
    // A native copy costs a call; short runs are quicker by hand.
    if (length > 48) from.copy(data, at, start, end)
    else for (let i = start; i < end; i++) data[at++] = from[i] as number
    this.length += length
  }
}
