/**
 * Sealing one window: rows into a Parquet file that takes its name when it is whole and on the disk. A window that has its
 * name is an ordinary file for everything that follows.
 */
import { join } from 'node:path'
import type { Fs } from '../../core/effects.ts'
import type { Row, Schema } from '../../core/schema.ts'
import { openRowsFile } from '../../formats/parquet/rows.ts'
import type { RowsFile } from '../../formats/parquet/rows.ts'
import { openAppendFile } from '../../storage/appendFile.ts'
import type { AppendFile } from '../../storage/appendFile.ts'
import { REST } from './name.ts'

/** Begins the names of files that are not sealed. */
const WORKING = '.working'

export class Sealing {
  private readonly fs: Fs
  private readonly folder: string
  private readonly file: RowsFile
  private readonly working: string
  private rest: AppendFile | null = null
  rows = 0
  odd = 0
  /** About what was written, bytes. */
  bytes = 0

  constructor(fs: Fs, folder: string, schema: Schema) {
    this.fs = fs
    this.folder = folder
    this.working = join(folder, WORKING)
    this.file = openRowsFile('window.write', `${this.working}.parquet`, schema)
  }

  /** Removes what a dead process had begun. */
  static async sweep(fs: Fs, folder: string): Promise<void> {
    for (const { name } of (await fs.list(folder)) ?? []) if (name.startsWith(WORKING)) await fs.remove('window.sweep', join(folder, name))
  }

  /** @param odd the row as JSON, when its values are not of their columns' types */
  add(row: Row, odd: string | undefined): void {
    this.rows++
    if (odd === undefined) {
      this.file.add(row)
      for (const value of row) this.bytes += typeof value === 'string' ? value.length : 8
      return
    }
    this.rest ??= openAppendFile('window.write', `${this.working}${REST}`)
    this.rest.append(Buffer.from(`${odd}\n`))
    this.bytes += odd.length
    this.odd++
  }

  /** The rest first: a window that is there is there as a whole. */
  async seal(name: string): Promise<void> {
    this.file.finish()
    if (this.rest !== null) {
      this.rest.close()
      await this.place(`${this.working}${REST}`, `${name}${REST}`)
    }
    await this.place(`${this.working}.parquet`, `${name}.parquet`)
    await this.fs.sync('window.sealed', this.folder)
  }

  private async place(from: string, name: string): Promise<void> {
    await this.fs.sync('window.sync', from)
    await this.fs.rename('window.seal', from, join(this.folder, name))
  }

  discard(): void {
    this.file.discard()
    this.rest?.discard()
  }
}
