/** Reads one file, of whatever format, into a sink: the only place that knows all formats. */
import { SluiceError } from '../core/errors.ts'
import type { Format, Reading } from '../core/reading.ts'
import { copyBytes, openAppendFile } from '../storage/appendFile.ts'
import type { AppendFile } from '../storage/appendFile.ts'
import { readCsv } from './csv/reader.ts'
import { detect, isParquet, notParquet } from './detect.ts'
import { JsonReader } from './json/reader.ts'
import type { Unpacked } from './packing/unpack.ts'
import { drain, readParquet } from './parquet-in/reader.ts'
import type { ForeignRows, Told } from './parquet-in/reader.ts'
import { FileFault } from './sink.ts'
import type { Sink } from './sink.ts'
import type { Window } from './window.ts'

/** How files are to be read; the same for all files of a job. */
export interface Manner {
  reading: Reading
  /** Names from the root to the records of a document. */
  records: string[] | null
  key: readonly string[]
  /** Names of columns that the files are expected to have. */
  expected: readonly string[]
  /** Begins the names of copies, for files that cannot be read where they lie. */
  copies: string
  /** Decodes Parquet files; without it they are refused. */
  parquetRows: ForeignRows | undefined
  /** Every byte is read, in order; else only what is needed. */
  whole: boolean
}
export interface Opened {
  input: { seq: number; path: string; size: number }
  bytes: Unpacked
  /** Over `bytes`. */
  window: Window
  sink: Sink
  /** Told the number of records where the file says it itself. */
  counted?: (rows: number) => void
  /** Takes what the file's own schema declares; empty: nothing any more. */
  tell(columns: readonly Told[]): void
}

/** @returns the format that it was read as. @throws FileFault, and what the sink throws */
export async function readFile(file: Opened, how: Manner, on: (format: Format) => void = () => {}): Promise<void> {
  const { window, sink } = file
  const format = detect(how.reading.format, file.input.path, file.bytes)
  on(format)
  switch (format) {
    case 'parquet':
      return readForeign(file, how)
    case 'json':
    case 'ndjson':
      window.refill()
      if (isParquet(window.buf.subarray(window.pos, window.end))) throw notParquet(how.reading.format, format)
      return new JsonReader(window, sink, how.records, how.key).read(format === 'ndjson')
    case 'csv':
    case 'tsv':
      return readCsv(window, sink, how.reading.csv, format === 'tsv', how.expected)
  }
}

/** A copy is laid down when the file is packed (pages are read from anywhere) or needs another footer. */
async function readForeign({ input, window, bytes, sink, tell, counted }: Opened, { copies, parquetRows, whole }: Manner): Promise<void> {
  window.beLenient()
  if (!window.refill()) throw new FileFault('EMPTY', 'The file has no content.', 0)
  if (parquetRows === undefined) throw new FileFault('PARQUET_UNSUPPORTED', 'Nothing here decodes Parquet.', 0)
  const open = (): AppendFile => openAppendFile('stage.copy', `${copies}-${input.seq}.parquet`)
  let copied = bytes.layers.length > 0 ? open() : null
  try {
    if (whole || copied !== null) drain(window, sink.progress, (piece) => copied?.append(piece))
    const copy = (at: number, footer: Buffer): string => {
      if (copied === null) {
        copied = open()
        copyBytes(input.path, at, copied)
      } else copied.truncate(at)
      copied.append(footer)
      return copied.path
    }
    await readParquet({ path: copied?.path ?? input.path, size: copied?.size ?? input.size, rows: parquetRows, copy, tell, ...(counted === undefined ? {} : { counted }) }, sink)
  } catch (thrown) {
    // The file is opened once more here, and may be gone by now; that is not the disk of the parts.
    if (!(thrown instanceof SluiceError) || thrown.code === 'DISK_FULL' || thrown.where.path !== input.path) throw thrown
    throw new FileFault(thrown.code === 'PATH_NOT_FOUND' ? 'FILE_GONE' : 'FILE_UNREADABLE', thrown.message, 0)
  } finally {
    tell([])
    copied?.discard()
  }
}
