/**
 * Which format a file is of: by --format, by its name, by its first bytes. What name or command say is held against the
 * bytes where these cannot be mistaken.
 */
import { formatOfName } from '../core/reading.ts'
import type { Format } from '../core/reading.ts'
import type { Unpacked } from './packing/unpack.ts'
import { FileFault } from './sink.ts'

/** Bytes that are looked at where neither name nor command tells the format. */
const LOOK = 4096

/** @throws FileFault FORMAT_MISMATCH */
export function detect(said: Format | null, path: string, bytes: Unpacked): Format {
  const asked = said ?? formatOfName(path)
  // Nothing need be looked at before: its reader holds the first bytes in place.
  if (asked === 'json' || asked === 'ndjson') return asked
  const head = bytes.peek(LOOK)
  const parquet = isParquet(head)
  if (parquet && asked !== null && asked !== 'parquet') throw notParquet(said, asked)
  // An empty file, and one that has only begun, are not of another format.
  if (asked === 'parquet' && !parquet && head.length >= 4) throw new FileFault('FORMAT_MISMATCH', `The file is no Parquet (it does not begin with PAR1), and ${said === null ? 'its name' : '--format'} says so.`, 0)
  return asked ?? (parquet ? 'parquet' : looksLikeRows(head.toString('latin1')) ? 'csv' : 'json')
}

export function isParquet(head: Buffer): boolean {
  return head.length >= 4 && head.toString('latin1', 0, 4) === 'PAR1'
}
export function notParquet(said: Format | null, asked: Format): FileFault {
  return new FileFault('FORMAT_MISMATCH', `The file is Parquet (it begins with PAR1), and ${said === null ? 'its name' : '--format'} says ${asked}.`, 0)
}

/** Text that is no JSON, and whose first line has a delimiter. */
function looksLikeRows(head: string): boolean {
  const text = head.replace(/^\xef\xbb\xbf/, '').trimStart()
  return !/^[{[]/.test(text) && /[,;|\t]/.test(text.split(/[\r\n]/)[0] ?? '')
}
