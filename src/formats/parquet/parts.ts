/**
 * The parts of an attempt: row groups of bounded bytes, at most PART_ROWS rows a file, and a savepoint to go back to.
 *
 * Rows before the savepoint and rows after it never share a row group, so going back is cutting files.
 */
import { PART_ROWS } from '../../core/engine.ts'
import type { KeyGroup, Part, Run } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
import { fold } from '../../core/schema.ts'
import type { Column, ColumnType } from '../../core/schema.ts'
import type { WriteBehind } from '../../storage/behind.ts'
import { ColumnBuffer } from './column.ts'
import type { ColumnMark } from './column.ts'
import { ParquetFile } from './file.ts'
import { hashRows } from './hash.ts'

/** No column can have this name. */
const HASH = '_sluice_hash'
const GROUP_ROWS = 65_536
const GROUP_BYTES = 8 << 20

export interface PartLimits {
  groupRows?: number
  partRows?: number
}

interface Savepoint {
  files: number
  file: { size: number; groups: number; rows: number } | null
  /** Rows that were waiting, and where each column stood. */
  row: number
  columns: ColumnMark[]
}

export class Parts {
  private readonly name: (n: number) => string
  readonly columns: ColumnBuffer[] = []
  private files: ParquetFile[] = []
  private point: Savepoint | null = null
  /** Number of the row being filled, within the rows that wait. */
  row = 0
  /** Writes row groups from a thread; null: they are written here. Whoever takes it away lets them settle first. */
  behind: WriteBehind | null = null
  private weight = 0
  /** Filled when a row group is, from columns with these folded names; written, and no column of the files. */
  private hash: { column: ColumnBuffer; of: readonly string[] } | null = null
  private readonly groupRows: number
  private readonly partRows: number

  /** @param name path of the n-th part, from 1 */
  constructor(name: (n: number) => string, limits: PartLimits = {}) {
    this.name = name
    this.groupRows = limits.groupRows ?? GROUP_ROWS
    this.partRows = limits.partRows ?? PART_ROWS
  }
  add(name: string, type: ColumnType): ColumnBuffer {
    const column = new ColumnBuffer(name, type)
    this.columns.push(column)
    return column
  }
  /** Hashes are written of the values of these columns and of `place`, which every row has. */
  hashKeys(key: readonly string[]): void {
    this.hash = { column: this.add(HASH, 'int64'), of: key.map(fold) }
  }
  get hashed(): boolean {
    return this.hash !== null
  }
  /** Takes back the values of the row being filled. */
  undoRow(): void {
    for (const column of this.columns) column.undo(this.row)
  }
  /** Rows that still fit into the row group. */
  get room(): number {
    return this.groupRows - this.row
  }
  /** Ends a row of about `bytes` bytes. */
  endRow(bytes: number): void {
    this.endRows(1, bytes)
  }
  /** Ends several rows, at most `room`, of about `bytes` bytes in all. */
  endRows(rows: number, bytes: number): void {
    this.row += rows
    this.weight += bytes + rows * this.columns.length
    if (this.row >= this.groupRows || this.weight >= GROUP_BYTES) this.flush()
  }
  /** What follows can be taken back. */
  savepoint(): void {
    const last = this.files.at(-1)
    this.point = { files: this.files.length, file: last?.mark() ?? null, row: this.row, columns: this.columns.map((column) => column.mark()) }
  }
  /** Takes back every row and column since the savepoint, which stays. */
  rollback(): void {
    const point = this.point
    if (point === null) throw new Error('no savepoint')
    for (const file of this.files.splice(point.files)) file.discard()
    if (point.file !== null) this.files.at(-1)?.rollback(point.file)
    this.columns.length = point.columns.length
    this.columns.forEach((column, i) => column.rollback(point.columns[i] as ColumnMark, point.row))
    this.row = point.row
    this.weight = this.columns.reduce((sum, column) => sum + column.data.length + this.row, 0)
  }
  /** Writes the rows that wait as a row group. */
  flush(): void {
    const point = this.point
    const none = { bytes: 0, values: 0 }
    this.fillHash()
    if (point !== null && point.row > 0) {
      this.write(point.columns, 0, point.row)
      this.writeFrom(point.columns, point.row)
    } else this.writeFrom([], 0)
    // The rows before the savepoint are on disk now: going back means going back to behind them.
    if (point !== null) {
      point.row = 0
      point.columns = point.columns.map(() => none)
    }
    for (const column of this.columns) column.clear()
    this.row = 0
    this.weight = 0
  }
  private keyed(of: readonly string[]): ColumnBuffer[] {
    return of.map((name) => {
      const column = this.columns.find((one) => fold(one.name) === name)
      if (column === undefined || column.values !== this.row) throw new SluiceError('INTERNAL', `A row without ${name} has no key.`)
      return column
    })
  }
  private fillHash(): void {
    if (this.hash === null) return
    const { column, of } = this.hash
    hashRows(this.keyed(of), this.row, column.words(this.row))
    const at = this.columns.indexOf(column)
    if (this.point !== null) this.point.columns[at] = { bytes: this.point.row * 8, values: this.point.row }
  }
  /** The rows before the savepoint, as a group of their own; then the savepoint stands behind them. */
  private write(ends: readonly ColumnMark[], from: number, to: number): void {
    const none = { bytes: 0, values: 0 }
    const columns = this.columns.slice(0, ends.length).map((buffer, i) => ({ buffer, begin: none, end: ends[i] as ColumnMark }))
    this.target().group(columns, from, to, this.behind, this.hash?.column)
    if (this.point !== null) {
      this.point.files = this.files.length
      this.point.file = this.files.at(-1)?.mark() ?? null
    }
  }
  private writeFrom(begins: readonly ColumnMark[], from: number): void {
    if (this.row === from) return
    const columns = this.columns.map((buffer, i) => ({ buffer, begin: begins[i] ?? { bytes: 0, values: 0 }, end: buffer.mark() }))
    this.target().group(columns, from, this.row, this.behind, this.hash?.column)
  }
  /** The file that the next group goes to; a group is never cut, so a file ends early when it would not fit. */
  private target(): ParquetFile {
    const last = this.files.at(-1)
    if (last !== undefined && last.rows + this.row <= this.partRows) return last
    const file = new ParquetFile(this.name(this.files.length + 1))
    this.files.push(file)
    return file
  }
  /** Writes what waits and closes the files with this schema. No rows: no files. */
  finish(schema: readonly Column[]): Part[] {
    this.point = null
    if (this.row > 0) this.flush()
    for (const file of this.files) file.finish(schema)
    return this.files.map((file) => ({ uri: file.path, rows: file.rows, ...this.lying(file, schema) }))
  }
  private lying(file: ParquetFile, schema: readonly Column[]): Pick<Part, 'keys'> {
    if (this.hash === null) return {}
    const names = this.hash.of.map((key) => schema.find(({ name }) => fold(name) === key)?.name ?? key)
    return { keys: file.lying([HASH, PLACE_COLUMN, ...names]).map(({ rows, looked, runs: [hash, place, ...key] }): KeyGroup => ({ rows, hash: hash as Run, looked, place: place as Run, key })) }
  }
  /** What is under way is written. @throws SluiceError DISK_FULL and its like */
  settle(): void {
    for (const file of this.files) file.settle()
  }
  /** Removes all that was written. */
  discard(): void {
    for (const file of this.files.splice(0)) file.discard()
  }
}
