/** Hostile Parquet files: a small whole one whose every length, count and offset can be made to lie. */
import { ThriftWriter } from '../../src/formats/parquet/thrift.ts'

interface Lies {
  pageUnpacked?: number
  pagePacked?: number
  pageValues?: number
  pageType?: number
  encoding?: number
  codec?: number
  values?: number
  unpacked?: number
  packed?: number
  from?: number
  groupRows?: number
  rows?: number
  children?: number
  depth?: number
  columns?: number
  groups?: number
  type?: number
  elsewhere?: boolean
  body?: Buffer
}

/** One column of three whole numbers, and what is said of it. */
export function parquetOf(lies: Lies = {}): Buffer {
  const body = lies.body ?? Buffer.from(new BigInt64Array([1n, 2n, 3n]).buffer)
  const header = new ThriftWriter()
  header.nested(() => {
    header.i32(1, lies.pageType ?? 0)
    header.i32(2, lies.pageUnpacked ?? body.length)
    header.i32(3, lies.pagePacked ?? body.length)
    header.struct(5, () => {
      header.i32(1, lies.pageValues ?? 3)
      header.i32(2, lies.encoding ?? 0)
      header.i32(3, 3)
      header.i32(4, 3)
    })
  })
  const page = Buffer.concat([bytesOf(header), body])
  return Buffer.concat([Buffer.from('PAR1'), page, footerOf(lies, page.length), Buffer.from('PAR1')])
}

function footerOf(lies: Lies, size: number): Buffer {
  const t = new ThriftWriter()
  const depth = lies.depth ?? 0
  const elements = [
    { name: 'schema', children: lies.children ?? lies.columns ?? 1 },
    ...Array.from({ length: depth }, (_, i) => ({ name: `g${i}`, children: 1 })),
    ...Array.from({ length: lies.columns ?? 1 }, (_, i) => ({ name: i === 0 ? 'id' : `c${i}`, children: 0 })),
  ]
  t.nested(() => {
    t.i32(1, 1)
    t.structs(2, elements, ({ name, children }) => {
      if (children === 0) t.i32(1, lies.type ?? 2)
      t.i32(3, 0)
      t.text(4, name)
      if (children !== 0) t.i32(5, children)
    })
    t.i64(3, lies.rows ?? 3)
    t.structs(4, Array.from({ length: lies.groups ?? 1 }), () => {
      t.structs(1, Array.from({ length: lies.columns ?? 1 }), () => {
        if (lies.elsewhere === true) t.text(1, '/etc/passwd')
        t.i64(2, 4)
        t.struct(3, () => {
          t.i32(1, lies.type ?? 2)
          t.i32s(2, [0])
          t.texts(3, ['id'])
          t.i32(4, lies.codec ?? 0)
          t.i64(5, lies.values ?? 3)
          t.i64(6, lies.unpacked ?? size)
          t.i64(7, lies.packed ?? size)
          t.i64(9, lies.from ?? 4)
        })
      })
      t.i64(2, size)
      t.i64(3, lies.groupRows ?? 3)
    })
  })
  const footer = bytesOf(t)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  return Buffer.concat([footer, length])
}

function bytesOf(t: ThriftWriter): Buffer {
  return Buffer.from(t.out.data.subarray(0, t.out.length))
}

/** The file with other last bytes: the footer's length and the magic. */
export function endingWith(file: Buffer, length: number, magic = 'PAR1'): Buffer {
  const copy = Buffer.from(file)
  copy.writeUInt32LE(length >>> 0, copy.length - 8)
  copy.write(magic, copy.length - 4, 'latin1')
  return copy
}

type Bomb = [name: string, expected: string, bytes: Buffer]

export function parquetBombs(): Bomb[] {
  const whole = parquetOf()
  const cut = (at: number): Buffer => whole.subarray(0, at)
  const bad = 'PARQUET_INVALID'
  const lie = (name: string, expected: string, lies: Lies): Bomb => [`p-${name}`, expected, parquetOf(lies)]
  return [
    ['p-whole', 'loaded 3', whole],
    ['p-cut-magic', 'FILE_TRUNCATED', cut(4)],
    ['p-cut-page-header', 'FILE_TRUNCATED', cut(10)],
    ['p-cut-page', 'FILE_TRUNCATED', cut(30)],
    ['p-cut-footer', 'FILE_TRUNCATED', cut(whole.length - 40)],
    ['p-cut-length', 'FILE_TRUNCATED', cut(whole.length - 6)],
    ['p-cut-last-byte', 'FILE_TRUNCATED', cut(whole.length - 1)],
    ['p-wrong-magic-first', 'FORMAT_MISMATCH', Buffer.concat([Buffer.from('PAR2'), whole.subarray(4)])],
    ['p-encrypted', 'PARQUET_UNSUPPORTED', endingWith(whole, whole.readUInt32LE(whole.length - 8), 'PARE')],
    ['p-footer-beyond', bad, endingWith(whole, whole.length * 2)],
    ['p-footer-4gb', bad, endingWith(whole, 0xffffffff)],
    ['p-footer-0', bad, endingWith(whole, 0)],
    ['p-footer-short', bad, endingWith(whole, 20)],
    ['p-footer-garbage', bad, Buffer.concat([cut(40), Buffer.alloc(64, 0x3c), Buffer.from([64, 0, 0, 0]), Buffer.from('PAR1')])],
    lie('rows-more', bad, { rows: 5 }),
    lie('rows-4-billion', 'ROWS_TOO_MANY', { rows: 2 ** 40, groupRows: 2 ** 40 }),
    lie('rows-said-not-there', bad, { rows: 9, groupRows: 9 }),
    lie('values-2-billion', 'RATIO_EXCEEDED', { values: 2 ** 31, pageValues: 2 ** 31 - 1, rows: 2 ** 31, groupRows: 2 ** 31 }),
    lie('values-less-than-pages', bad, { pageValues: 9 }),
    lie('page-2gb', bad, { pageUnpacked: 2 ** 31 - 1 }),
    lie('page-2gb-said-twice', 'RATIO_EXCEEDED', { pageUnpacked: 2 ** 31 - 1, unpacked: 2 ** 31 }),
    lie('page-negative', bad, { pageUnpacked: -5 }),
    lie('page-beyond-column', bad, { pagePacked: 100_000 }),
    lie('page-of-no-kind', bad, { pageType: 77 }),
    lie('encoding-unknown', bad, { encoding: 99 }),
    lie('codec-unknown', 'PARQUET_UNSUPPORTED', { codec: 42 }),
    lie('codec-lies', bad, { codec: 6 }),
    lie('offset-negative', bad, { from: -1 }),
    lie('offset-in-footer', bad, { from: 90 }),
    lie('column-beyond', bad, { packed: 2 ** 40 }),
    lie('schema-no-tree', bad, { children: 7 }),
    lie('schema-2-billion-children', bad, { children: 2 ** 31 - 1 }),
    lie('schema-300-deep', bad, { depth: 300 }),
    lie('columns-5000', 'COLUMNS_TOO_MANY', { columns: 5000 }),
    lie('groups-100000', bad, { groups: 100_000 }),
    lie('type-unknown', bad, { type: 55 }),
    lie('elsewhere', 'PARQUET_UNSUPPORTED', { elsewhere: true }),
    lie('bytes-missing', bad, { body: Buffer.alloc(5) }),
  ]
}
