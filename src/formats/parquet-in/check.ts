/**
 * A Parquet file is checked before DuckDB sees a byte of it: that it is whole, that no length or count lies, and that what
 * it unpacks to is bounded. Reads the footer and the page headers, a few bytes per page.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { MAX_ROW } from '../../core/place.ts'
import { MAX_COLUMNS } from '../../core/schema.ts'
import { storageError } from '../../storage/errors.ts'
import { RATIO, RATIO_FROM } from '../packing/unpack.ts'
import { FileFault } from '../sink.ts'
import { readFooter } from './footer.ts'
import type { Chunk, Footer } from './footer.ts'
import { STRUCT, ThriftReader } from './thrift.ts'

const MAX_FOOTER = 64 << 20
/** A page is held whole while it is read. */
const MAX_PAGE = 256 << 20
/** A page header with its statistics. */
const HEADER_BYTES = 8 << 10
const STEP = 1 << 20
const LARGEST_HEADER = 16 << 20
const DICTIONARY_HEADER = 100
const MAGIC = 'PAR1'

export interface Checked extends Footer {
  /** Where the footer begins, and its bytes. */
  at: number
  bytes: Buffer
}

/** @throws FileFault UNFINISHED, PARQUET_INVALID, PARQUET_UNSUPPORTED, RATIO_EXCEEDED, COLUMNS_TOO_MANY, ROWS_TOO_MANY */
export function checkParquet(path: string, size: number): Checked {
  const file = openAt(path)
  try {
    return check(file, size)
  } finally {
    file.close()
  }
}

interface Bytes {
  /** Up to `length` bytes from `offset`. */
  at(offset: number, length: number): Buffer
  close(): void
}

function openAt(path: string): Bytes {
  const guarded = <T>(work: () => T): T => {
    try {
      return work()
    } catch (thrown) {
      throw storageError(thrown, 'read', path)
    }
  }
  const handle = guarded(() => openSync(path, 'r'))
  return {
    at: (offset, length) => {
      const into = Buffer.allocUnsafe(length)
      let done = 0
      while (done < length) {
        const n = guarded(() => readSync(handle, into, done, length - done, offset + done))
        if (n === 0) break
        done += n
      }
      return into.subarray(0, done)
    },
    close: () => closeSync(handle),
  }
}

function check(file: Bytes, size: number): Checked {
  const tail = file.at(Math.max(0, size - 8), 8)
  const magic = tail.toString('latin1', tail.length - 4)
  if (size < 12 || (magic !== MAGIC && magic !== 'PARE')) throw new FileFault('UNFINISHED', `The Parquet file ends at byte ${size} without its footer.`, size)
  if (magic === 'PARE') throw unsupported('it is encrypted')
  const length = tail.readUInt32LE(0)
  if (length > size - 12) throw invalid(size - 8, `a footer of ${length} bytes in a file of ${size}`)
  if (length > MAX_FOOTER) throw invalid(size - 8, `a footer of ${length} bytes; 64 MB are granted`)
  const end = size - 8 - length
  const bytes = file.at(end, length)
  const footer = readFooter(bytes, end)
  if (footer.encrypted) throw unsupported('it is encrypted')
  if (footer.elsewhere) throw unsupported('its columns lie in other files')
  if (footer.leaves > MAX_COLUMNS || footer.columns.length > MAX_COLUMNS) throw new FileFault('COLUMNS_TOO_MANY', `The file has ${footer.leaves} columns; ${MAX_COLUMNS} are granted.`, 0)
  if (footer.rows > MAX_ROW) throw new FileFault('ROWS_TOO_MANY', `The file holds ${footer.rows} records.`, 0)
  const rows = footer.groups.reduce((sum, group) => sum + group.rows, 0)
  if (rows !== footer.rows || footer.groups.some((group) => group.rows < 0)) throw invalid(end, `${footer.rows} rows are said, and the row groups have ${rows}`)
  checkRoom(file, footer, size, end)
  return { ...footer, at: end, bytes }
}

function checkRoom(file: Bytes, footer: Footer, size: number, end: number): void {
  const total = { bytes: 0, values: 0 }
  for (const group of footer.groups) {
    if (group.chunks.length !== footer.leaves) throw invalid(end, `a row group has ${group.chunks.length} columns, and the schema ${footer.leaves}`)
    for (const chunk of group.chunks) {
      const { from, packed, unpacked, values, codec } = chunk
      if (packed < 0 || unpacked < 0 || values < 0 || (values > 0 && (from < 4 || from + packed > end))) throw invalid(end, `a column of ${packed} bytes at ${from}, outside of the file's data`)
      if (codec < 0 || codec > 7) throw unsupported(`the codec ${codec} is unknown`)
      if (codec === 3 || codec === 5) throw unsupported(`the codec ${codec === 3 ? 'LZO' : 'LZ4 (of Hadoop)'} is not read; write it with zstd, snappy or LZ4_RAW`)
      total.bytes += unpacked
      total.values += values
      bounded(total, size)
    }
  }
  // What the footer says was bounded; now what the pages say of themselves.
  for (const group of footer.groups) for (const chunk of group.chunks) if (chunk.values > 0) checkPages(file, chunk)
}

/** A value counts as a byte: run lengths need none at all. */
function bounded(total: { bytes: number; values: number }, size: number): void {
  const most = Math.max(total.bytes, total.values)
  if (most <= RATIO_FROM || most <= size * RATIO) return
  throw new FileFault('RATIO_EXCEEDED', `The ${size} bytes of the file unpack to more than ${RATIO} times as many (${total.bytes} bytes, ${total.values} values).`, size)
}

function checkPages(file: Bytes, chunk: Chunk): void {
  let at = chunk.from
  // Old writers left the header of the dictionary out of the length.
  const end = chunk.from + chunk.packed + DICTIONARY_HEADER
  let unpacked = 0
  let values = 0
  while (at < end && values < chunk.values) {
    const page = pageAt(file, at, end)
    if (page.packed < 0 || page.unpacked < 0 || page.values < 0 || at + page.header + page.packed > end) throw invalid(at, `a page of ${page.packed} bytes, beyond the end of its column`)
    if (page.unpacked > MAX_PAGE) throw invalid(at, `a page of ${page.unpacked} bytes; 256 MB are granted`)
    if (page.crc !== null) checkSum(file, at + page.header, page)
    unpacked += page.unpacked
    values += page.data ? page.values : 0
    if (unpacked > chunk.unpacked + page.header) throw invalid(at, `pages of ${unpacked} bytes in a column of ${chunk.unpacked}`)
    if (values > chunk.values) throw invalid(at, `pages of ${values} values in a column of ${chunk.values}`)
    at += page.header + page.packed
  }
  if (values !== chunk.values) throw invalid(at, `${chunk.values} values are said, and the pages have ${values}`)
}

function checkSum(file: Bytes, at: number, { packed, crc }: Page): void {
  let sum = 0
  for (let done = 0; done < packed; done += STEP) sum = crc32(file.at(at + done, Math.min(STEP, packed - done)), sum)
  if (sum !== crc) throw invalid(at, 'the check sum of a page does not agree with its bytes')
}

interface Page {
  /** Unsigned; null: it has none. */
  crc: number | null
  header: number
  packed: number
  unpacked: number
  values: number
  data: boolean
}

function pageAt(file: Bytes, at: number, end: number): Page {
  for (let room = HEADER_BYTES; ; room *= 64) {
    const bytes = file.at(at, Math.min(room, end - at))
    const t = new ThriftReader(bytes, at)
    try {
      return readPage(t)
    } catch (thrown) {
      // Statistics of long values make long headers.
      if (!(thrown instanceof FileFault) || room > LARGEST_HEADER || bytes.length < room) throw thrown
    }
  }
}

function readPage(t: ThriftReader): Page {
  const page: Page = { header: 0, packed: -1, unpacked: -1, values: 0, data: false, crc: null }
  t.struct((id, type) => {
    if (type === 5 && id === 1) page.data = [0, 3].includes(t.int())
    else if (type === 5 && id === 2) page.unpacked = t.int()
    else if (type === 5 && id === 3) page.packed = t.int()
    else if (type === 5 && id === 4) page.crc = t.int() >>> 0
    else if (type === STRUCT && (id === 5 || id === 7 || id === 8)) {
      t.struct((field, of) => {
        if (field !== 1 || of !== 5) return false
        page.values = t.int()
        return true
      })
    } else return false
    return true
  })
  page.header = t.pos
  return page
}

function invalid(offset: number, why: string): FileFault {
  return new FileFault('PARQUET_INVALID', `The Parquet file is damaged at byte ${offset}: ${why}.`, offset)
}
function unsupported(why: string): FileFault {
  return new FileFault('PARQUET_UNSUPPORTED', `The Parquet file cannot be read: ${why}.`, 0)
}
