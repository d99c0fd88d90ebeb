/** How made-up records stand in a file, per format: the bytes around their values. */

export const MADE_FORMATS = ['json', 'ndjson', 'csv'] as const
export type MadeFormat = (typeof MADE_FORMATS)[number]

export interface Frame {
  open: Buffer
  between: Buffer
  close: Buffer
  /** A whole file without a record. */
  none: Buffer
  /** Before the id, between id and data, between data and ts, behind ts. */
  good: readonly [Buffer, Buffer, Buffer, Buffer]
  /** Around the data of a record without a key: id and ts are not there, or there and without a value. */
  missing: readonly [Buffer, Buffer]
  empty: readonly [Buffer, Buffer]
}

function bytes<const T extends readonly string[]>(...texts: T): { [K in keyof T]: Buffer } {
  return texts.map((text) => Buffer.from(text, 'latin1')) as { [K in keyof T]: Buffer }
}

function json(open: string, between: string, close: string, none = open + close): Frame {
  const frame = bytes(open, between, close, none)
  return {
    open: frame[0],
    between: frame[1],
    close: frame[2],
    none: frame[3],
    good: bytes('{"id":"', '","data":"', '","ts":"', 'Z"}'),
    missing: bytes('{"data":"', '"}'),
    empty: bytes('{"id":null,"data":"', '","ts":null}'),
  }
}

export const FRAMES: Readonly<Record<MadeFormat, Frame>> = {
  json: json('{"records":[', ',', ']}\n'),
  ndjson: json('', '\n', '\n'),
  // A row that lacks its last field, and one whose id and ts are empty.
  csv: { ...json('id,data,ts\n', '\n', '\n', 'id,data,ts\n'), good: bytes('', ',"', '",', 'Z'), missing: bytes(',"', '"'), empty: bytes(',"', '",') },
}
