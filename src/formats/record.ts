/**
 * One record as its format's reader found it: members as ranges of bytes, nothing decoded. What the typing room reads.
 */

/** Kinds of values. */
export const NULL = 0
export const TRUE = 1
export const FALSE = 2
/** Digits with an optional minus. */
export const INTEGER = 3
/** With fraction or exponent. */
export const DECIMAL = 4
/** Text between quotes, without them; `escaped` when it holds JSON escapes. */
export const STRING = 5
/** An array or object as JSON text. */
export const NESTED = 6
/** A field of CSV: text that has no kind of its own. */
export const FIELD = 7

/** NaN, Infinity, -Infinity, as these texts; only binary formats have them. */
export const SPECIAL = 9

/** Levels that a record may have, itself included. */
export const MAX_DEPTH = 256

/** Valid until the reader goes on. Arrays are longer than `count`. */
export interface RecordView {
  /** Names and values lie here; UTF-8. */
  readonly buf: Buffer
  /** Members. */
  readonly count: number
  /**
   * Set where all records of the file have the same members in the same order: their names, decoded. Two records with the
   * same array are looked up once. The ranges of names say nothing then.
   */
  readonly names?: readonly string[]
  readonly nameFrom: Int32Array
  readonly nameTo: Int32Array
  readonly nameEscaped: Uint8Array
  readonly valueFrom: Int32Array
  readonly valueTo: Int32Array
  readonly kind: Uint8Array
  readonly escaped: Uint8Array
  /** Levels of the deepest value. */
  readonly depth: number
  /** An escape stood for half a surrogate pair. */
  readonly lone: boolean
  /** Bytes of the record, about. */
  readonly size: number
}

/** A record of one member: what lets a value that stands alone be read as if it were a member. */
export class OneMember implements RecordView {
  buf: Buffer = Buffer.alloc(0)
  readonly count = 1
  readonly nameFrom = new Int32Array(1)
  readonly nameTo = new Int32Array(1)
  readonly nameEscaped = new Uint8Array(1)
  readonly valueFrom = new Int32Array(1)
  readonly valueTo = new Int32Array(1)
  readonly kind = new Uint8Array(1)
  readonly escaped = new Uint8Array(1)
  readonly depth = 1
  readonly lone = false
  readonly size = 0
  set(buf: Buffer, from: number, to: number, kind: number): void {
    this.buf = buf
    this.valueFrom[0] = from
    this.valueTo[0] = to
    this.kind[0] = kind
  }
}
