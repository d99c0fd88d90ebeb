/**
 * Sealing windows: rows into files that take their names when they are whole and on the disk. A window that has its name is
 * an ordinary file for everything that follows.
 *
 * A window is read while the one before it is written, but none takes its name before that one has it.
 */
import { join } from 'node:path'
import type { Fs } from '../../core/effects.ts'
import type { Row, Schema } from '../../core/schema.ts'
import type { Position, RowSource, SourceRange, WindowFiles, WindowRows, WindowSize } from '../../core/source.ts'
import { openRowsFile } from '../../formats/parquet/rows.ts'
import type { RowsFile } from '../../formats/parquet/rows.ts'
import { openAppendFile } from '../../storage/appendFile.ts'
import type { AppendFile } from '../../storage/appendFile.ts'
import { REST } from './name.ts'

/** Begins the names of files that are not sealed. */
const WORKING = '.working'

/** Removes what was begun. */
export async function sweepWorking(fs: Fs, folder: string): Promise<void> {
  for (const { name } of (await fs.list(folder)) ?? []) if (name.startsWith(WORKING)) await fs.remove('window.sweep', join(folder, name))
}

export function workingFiles(folder: string, window: number): WindowFiles {
  const path = join(folder, `${WORKING}-${window}`)
  return { parquet: `${path}.parquet`, rest: `${path}${REST}`, text: `${path}.text` }
}

/** The rest first: a window that is there is there as a whole. */
export async function place(fs: Fs, folder: string, files: WindowFiles, name: string, odd: number): Promise<void> {
  for (const [from, to] of [...(odd > 0 ? [[files.rest, `${name}${REST}`] as const] : []), [files.parquet, `${name}.parquet`] as const]) {
    await fs.sync('window.sync', from)
    await fs.rename('window.seal', from, join(folder, to))
  }
  await fs.sync('window.sealed', folder)
}

/** Rows that come as values, written here one by one: the windows of `FileSource.write`. */
export async function* writeRows(source: RowSource, schema: Schema, range: SourceRange, most: WindowSize, files: (window: number) => WindowFiles, signal: AbortSignal): AsyncGenerator<WindowRows> {
  const whole = range.count === null
  let window = 0
  let last: Position | null = null
  const open: { writing: Writing | null } = { writing: null }
  const end = (writing: Writing, next: Position | null): WindowRows => {
    open.writing = null
    writing.finish()
    return { rows: writing.rows, last, next, written: Promise.resolve(writing.odd) }
  }
  try {
    for await (const { rows, odd, position } of source.rows(range, signal)) {
      for (const [at, row] of rows.entries()) {
        if (open.writing?.isFull(most) === true) {
          yield end(open.writing, whole ? null : position(at))
          if (!whole) return
        }
        open.writing ??= new Writing(files(window++), schema)
        open.writing.add(row, odd.get(at))
        if (!whole && (at === rows.length - 1 || open.writing.isFull(most))) last = position(at)
      }
    }
    if (open.writing !== null) yield end(open.writing, null)
  } finally {
    open.writing?.discard()
  }
}

/** The files of one window while its rows come. */
class Writing {
  private readonly files: WindowFiles
  private readonly file: RowsFile
  private rest: AppendFile | null = null
  rows = 0
  odd = 0
  /** About what was written. */
  private bytes = 0

  constructor(files: WindowFiles, schema: Schema) {
    this.files = files
    this.file = openRowsFile('window.write', files.parquet, schema)
  }

  isFull(most: WindowSize): boolean {
    return this.rows >= most.rows || this.bytes >= most.bytes
  }

  /** @param odd the row as JSON, when its values are not of their columns' types */
  add(row: Row, odd: string | undefined): void {
    this.rows++
    if (odd === undefined) {
      this.file.add(row)
      for (const value of row) this.bytes += typeof value === 'string' ? value.length : 8
      return
    }
    this.rest ??= openAppendFile('window.write', this.files.rest)
    this.rest.append(Buffer.from(`${odd}\n`))
    this.bytes += odd.length
    this.odd++
  }

  finish(): void {
    this.file.finish()
    this.rest?.close()
  }

  discard(): void {
    this.file.discard()
    this.rest?.discard()
  }
}
