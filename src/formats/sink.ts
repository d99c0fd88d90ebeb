/** What a format's reader tells: records, what is none, and what is wrong with the file. */
import type { Code } from '../core/codes.ts'
import type { RecordView } from './record.ts'

export interface Sink {
  /** A whole record of at most 16 MB; its text is [from, to) of `raw`. The offset is in bytes of the (unpacked) file. */
  record(record: RecordView, raw: Buffer, from: number, to: number, offset: number): void
  /**
   * Records from `from`, where one begins, up to `to`, as far as they look like the last one.
   * @param how JSON: 1 for one a line, 0 for elements of an array; CSV: the delimiter, and 256 times the quote · @param offset of `from`
   * @returns the index behind the last one that was taken (lines: behind its line feed); `from`: none was
   */
  alike(buf: Buffer, from: number, to: number, how: number, offset: number): number
  /** A record that is none; [from, to) of the buffer is the beginning of its text. */
  bad(code: Code, message: string, offset: number, raw: Buffer, from: number, to: number): void
  /** What came so far were no records. */
  restart(): void
  progress(bytes: number): void
  /**
   * A record that will come again as `record`: what its values are like may be noted, nothing else. A column that is known
   * beforehand to hold fractions need not begin as integers. False: nothing can be learned.
   */
  rehearse(record: RecordView): boolean
  /** Something about the file that the user should hear once. */
  notice(text: string): void
}

/** Thrown by a reader: the file as a whole cannot be loaded. */
export class FileFault extends Error {
  readonly code: Code | 'UNFINISHED' | 'EMPTY'
  readonly offset: number
  /** Set where the fault is that of a record. */
  readonly row: number | undefined
  constructor(code: Code | 'UNFINISHED' | 'EMPTY', message: string, offset: number, row?: number) {
    super(message)
    this.code = code
    this.offset = offset
    this.row = row
  }
}
