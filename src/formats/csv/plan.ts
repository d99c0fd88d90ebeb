/**
 * What a CSV file is like: its encoding, its dialect, its header, and where its first record lies. Settled once, from its first
 * bytes, before any record is read.
 */
import { isUtf8 } from 'node:buffer'
import type { CsvReading } from '../../core/csv.ts'
import { FileFault } from '../sink.ts'
import type { Sink } from '../sink.ts'
import type { Read, Window } from '../window.ts'
import { LF, describe } from './dialect.ts'
import type { Dialect } from './dialect.ts'
import { tellEncoding, transcoded } from './encoding.ts'
import type { Told } from './encoding.ts'
import { headerOf } from './header.ts'
import type { Header } from './header.ts'
import { beginsWithReturn, lineEnd } from './look.ts'
import type { Look, Sample } from './look.ts'
import { Row } from './row.ts'
import { sniff } from './sniff.ts'

/** Bytes that tell the encoding, and bytes of text that tell the dialect. */
const SAMPLE = 1 << 20
const DIALECT_SAMPLE = 256 << 10

/** What was settled about a file: all that is needed to read on from any row of it. */
export interface Plan {
  told: Told
  dialect: Dialect
  names: readonly string[]
  /** Offset of the first record in the text (UTF-8, its mark included). */
  from: number
}

/**
 * Looks at the beginning and lets the window read text from here on.
 * @param expected names that columns of the file should have
 * @throws FileFault for the file as a whole
 */
export function prepare(w: Window, sink: Sink, reading: CsvReading, tabs: boolean, expected: readonly string[]): Plan {
  let head: Buffer = Buffer.alloc(0)
  let told: Told = { encoding: 'utf-8', mark: 0, certain: true }
  let text: Buffer = head
  let whole = false
  w.through((read) => {
    const raw = Buffer.allocUnsafeSlow(SAMPLE)
    const size = fill(read, raw, 0, SAMPLE)
    head = raw.subarray(0, size)
    whole = size < SAMPLE
    mustBeText(head)
    told = tellEncoding(head, reading.encoding)
    const room = Buffer.allocUnsafeSlow(Math.min(size * 3, DIALECT_SAMPLE) + 4)
    const length = fill(transcoded(head, () => 0, told), room, 0, Math.min(room.length - 4, DIALECT_SAMPLE))
    whole &&= length < DIALECT_SAMPLE
    text = room.subarray(0, length + 1)
    text[length] = LF
    return transcoded(head, read, told)
  })
  const end = text.length - 1
  const begin = skipped(text, end, told.encoding === 'utf-8' ? told.mark : 0, reading.skip ?? 0)
  const separator = reading.skip === null ? separatorLine(text, begin, end) : null
  const from = separator?.next ?? begin
  const sample = { buf: text, from, end, whole }
  const said = separator === null || reading.delimiter !== null ? reading : { ...reading, delimiter: separator.delimiter }
  const seen = sniff(sample, said, tabs)
  if (seen.rows.length === 0 && !whole) throw new FileFault('HEADER_INVALID', `The first row does not end within the first ${DIALECT_SAMPLE >> 10} kB of text. Is a quote never closed, or is it one line of something else?`, 0)
  if (seen.rows.length === 0) throw new FileFault('EMPTY', from > 0 && end > 3 ? 'The file has no rows.' : 'The file is empty.', end)
  const header = headerOf(sample, seen, said, expected)
  const encoding = told.certain ? told.encoding : `${told.encoding}, which was guessed`
  sink.notice(`CSV: ${describe(seen.dialect)}, ${header.found ? 'a header' : `no header (${header.names.slice(0, 4).join(', ')}${header.names.length > 4 ? ' …' : ''})`}, ${encoding}${separator === null ? '' : ', the line sep= left out'}${header.before > 0 ? `, the first ${header.before === 1 ? 'row' : `${header.before} rows`} left out` : ''}.`)
  for (const name of header.nameless) sink.notice(`A column without a name in the header is called ${name}.`)
  rehearse(sample, seen, header, sink)
  return { told, dialect: seen.dialect, names: header.names, from: header.from }
}

/** Shows the rows that were looked at to the sink, as far as they will be records: see Sink. */
function rehearse({ buf, end, whole }: Sample, { rows, dialect }: Look, { names, from }: Header, sink: Sink): void {
  const row = new Row(dialect, names.length)
  row.names = names
  for (const seen of rows) {
    if (seen.from < from || seen.fields !== names.length) continue
    if (row.read(buf, seen.from, end, whole) < 0 || !isUtf8(buf.subarray(seen.from, row.end))) continue
    if (names.length > 1 && row.texts().every((text, i) => text === names[i])) continue
    if (buf[seen.from] === 0xef && buf[seen.from + 1] === 0xbb && buf[seen.from + 2] === 0xbf) continue
    if (!sink.rehearse(row)) return
  }
}

/** Files that are something else under the name of CSV. @throws FileFault DIALECT_UNCLEAR */
function mustBeText(head: Buffer): void {
  const begins = head.toString('latin1', 0, 200).replace(/^(\xef\xbb\xbf)?\s+/, '')
  if (/^(\xef\xbb\xbf)?(<!doctype|<html|<\?xml)/i.test(begins)) throw new FileFault('DIALECT_UNCLEAR', 'The file begins like a page of HTML or like XML; it is no CSV.', 0)
  if (begins.startsWith('PK\u0003\u0004')) throw new FileFault('DIALECT_UNCLEAR', 'The file is a ZIP archive, perhaps a workbook of a spreadsheet program; save it as CSV.', 0)
}

function fill(read: Read, into: Buffer, at: number, most: number): number {
  let size = at
  while (size < most) {
    const n = read(into, size, most - size)
    if (n <= 0) break
    size += n
  }
  return size
}

/** Behind so many lines. */
function skipped(buf: Buffer, end: number, from: number, lines: number): number {
  const cr = beginsWithReturn(buf, from, end)
  let p = from
  for (let i = 0; i < lines && p < end; i++) {
    const next = lineEnd(buf, p, end, cr)
    p = next < 0 ? end : next
  }
  return p
}

/** `sep=;` before the header: how spreadsheet programs are told of the delimiter. It is no row. */
function separatorLine(buf: Buffer, from: number, end: number): { delimiter: string; next: number } | null {
  const match = /^sep=([^\r\n"\w])(?:\r\n|\r|\n)/i.exec(buf.toString('latin1', from, Math.min(end, from + 8)))
  return match === null ? null : { delimiter: match[1] as string, next: from + match[0].length }
}
