/**
 * One Parquet file: V1 data pages, PLAIN, uncompressed, every column optional, one page per column and row group.
 *
 * The schema is told at the end: a row group that lacks one of its columns gets a page of nulls for it, and columns that
 * the schema leaves out are merely not mentioned. So columns may appear late, and all parts of an attempt agree.
 */
import type { Run } from '../../core/engine.ts'
import type { Column, ColumnType } from '../../core/schema.ts'
import { isNested, isString, nodeOf } from '../../core/types.ts'
import { openAppendFile } from '../../storage/appendFile.ts'
import type { AppendFile } from '../../storage/appendFile.ts'
import type { WriteBehind } from '../../storage/behind.ts'
import { ByteList } from './bytes.ts'
import { SMALL_DECIMAL, WIDE_BYTES, oneRun, packBits, physicalOf, runs } from './column.ts'
import type { ColumnBuffer, ColumnMark } from './column.ts'
import { ThriftWriter } from './thrift.ts'

const PLAIN = 0
const RLE = 3
const MAGIC = Buffer.from('PAR1')

interface Chunk {
  offset: number
  bytes: number
  /** Bytes of the values alone, which are the last ones. */
  values: number
}
interface Group {
  rows: number
  chunks: Map<string, Chunk>
  /** See `KeyGroup`. */
  looked: boolean
}

export class ParquetFile {
  private readonly file: AppendFile
  private groups: Group[] = []
  rows = 0

  /** Texts that are JSON say so: what reads the file alone takes their type from it. */
  private readonly says: boolean

  constructor(path: string, { point = 'stage.part', says = false }: { point?: string; says?: boolean } = {}) {
    this.says = says
    this.file = openAppendFile(point, path)
    this.file.append(MAGIC)
  }
  get path(): string {
    return this.file.path
  }
  /**
   * Writes rows [from, to) of the buffers as a row group; the marks say where their bytes begin and end.
   * @param behind writes it from a thread; null: it is written here · @param hash the column of hashes
   */
  group(columns: readonly { buffer: ColumnBuffer; begin: ColumnMark; end: ColumnMark }[], from: number, to: number, behind: WriteBehind | null = null, hash: ColumnBuffer | null = null): void {
    const runs: Uint8Array[] = []
    let hashes: Uint8Array | null = null
    const group: Group = { rows: to - from, chunks: new Map(), looked: hash !== null && behind?.looks === true }
    let offset = this.file.size
    for (const { buffer, begin, end } of columns) {
      if (end.values === begin.values) continue
      const [head, values] = page(buffer, begin, end, from, to)
      // The values are written from where they lie: a copy of them cost a third of the time of writing.
      runs.push(head, values)
      if (buffer === hash) hashes = values
      group.chunks.set(buffer.name, { offset, bytes: head.length + values.length, values: values.length })
      offset += head.length + values.length
    }
    if (behind === null) this.file.append(...runs)
    else this.file.appendBehind(behind, runs, hashes)
    this.groups.push(group)
    this.rows += group.rows
  }
  /** Where the values of these columns lie, by row group. */
  lying(names: readonly string[]): { rows: number; looked: boolean; runs: Run[] }[] {
    return this.groups.map(({ rows, chunks, looked }) => ({
      rows,
      looked,
      runs: names.map((name) => {
        const { offset, bytes, values } = chunks.get(name) as Chunk
        return { at: offset + bytes - values, bytes: values }
      }),
    }))
  }
  mark(): { size: number; groups: number; rows: number } {
    return { size: this.file.size, groups: this.groups.length, rows: this.rows }
  }
  rollback(mark: { size: number; groups: number; rows: number }): void {
    if (this.file.size !== mark.size) this.file.truncate(mark.size)
    this.groups.length = mark.groups
    this.rows = mark.rows
  }
  /** What is under way is written. */
  settle(): void {
    this.file.settle()
  }
  discard(): void {
    this.file.discard()
  }
  /** Writes what the schema lacks, and the footer. */
  finish(schema: readonly Column[]): void {
    const out = new ByteList(4096)
    const start = this.file.size
    for (const group of this.groups) {
      for (const column of schema) {
        if (group.chunks.has(column.name)) continue
        const offset = out.length
        nullPage(group.rows, out)
        group.chunks.set(column.name, { offset: start + offset, bytes: out.length - offset, values: 0 })
      }
    }
    const footer = this.footer(schema)
    out.bytes(footer.data, 0, footer.length)
    out.u32(footer.length)
    out.bytes(MAGIC, 0, 4)
    this.file.append(out.data.subarray(0, out.length))
    this.file.close()
  }
  private footer(schema: readonly Column[]): ByteList {
    const t = new ThriftWriter()
    t.nested(() => {
      t.i32(1, 1)
      t.structs(2, [null, ...schema], (column) => {
        if (column === null) {
          t.text(4, 'schema')
          t.i32(5, schema.length)
        } else element(t, column.name, column.type, this.says)
      })
      t.i64(3, this.rows)
      t.structs(4, this.groups, (group) => {
        const chunks = schema.map((column) => group.chunks.get(column.name) as Chunk)
        t.structs(1, schema, (column, i) => {
          const chunk = chunks[i] as Chunk
          t.i64(2, chunk.offset)
          t.struct(3, () => {
            t.i32(1, physicalOf(column.type))
            t.i32s(2, [PLAIN, RLE])
            t.texts(3, [column.name])
            t.i32(4, 0)
            t.i64(5, group.rows)
            t.i64(6, chunk.bytes)
            t.i64(7, chunk.bytes)
            t.i64(9, chunk.offset)
          })
        })
        t.i64(2, chunks.reduce((sum, chunk) => sum + chunk.bytes, 0))
        t.i64(3, group.rows)
      })
      t.text(6, 'sluice')
    })
    return t.out
  }
}

/** SchemaElement: physical type, OPTIONAL, name, and what the bytes mean. */
function element(t: ThriftWriter, name: string, type: ColumnType, says: boolean): void {
  const node = nodeOf(type)
  t.i32(1, physicalOf(type))
  if (node.kind === 'decimal' && node.precision > SMALL_DECIMAL) t.i32(2, WIDE_BYTES)
  t.i32(3, 1)
  t.text(4, name)
  if (node.kind === 'decimal') {
    t.i32(6, 5)
    t.i32(7, node.scale)
    t.i32(8, node.precision)
    t.struct(10, () =>
      t.struct(5, () => {
        t.i32(1, node.scale)
        t.i32(2, node.precision)
      }),
    )
  } else if (says && (type === 'json' || isNested(type))) {
    t.i32(6, 19)
    t.struct(10, () => t.struct(12, () => {}))
  } else if (isString(type) || type === 'json' || isNested(type)) {
    t.i32(6, 0)
    t.struct(10, () => t.struct(1, () => {}))
  } else if (type === 'date') {
    t.i32(6, 6)
    t.struct(10, () => t.struct(6, () => {}))
  } else if (type === 'timestamp' || type === 'timestamp_local') {
    // ConvertedType TIMESTAMP_MICROS means UTC, so wall time has the logical type alone.
    if (type === 'timestamp') t.i32(6, 10)
    t.struct(10, () =>
      t.struct(8, () => {
        t.bool(1, type === 'timestamp')
        t.struct(2, () => t.struct(2, () => {}))
      }),
    )
  }
}

function header(values: number, size: number, out: ByteList): void {
  const t = new ThriftWriter()
  t.nested(() => {
    t.i32(1, 0)
    t.i32(2, size)
    t.i32(3, size)
    t.struct(5, () => {
      t.i32(1, values)
      t.i32(2, PLAIN)
      t.i32(3, RLE)
      t.i32(4, RLE)
    })
  })
  out.bytes(t.out.data, 0, t.out.length)
}

/** Header and levels, then the values. */
function page(buffer: ColumnBuffer, begin: ColumnMark, end: ColumnMark, from: number, to: number): [Uint8Array, Uint8Array] {
  const levels = new ByteList(64)
  // Where every row has a value, nobody needs to look at each.
  if (end.values - begin.values === to - from) oneRun(to - from, levels)
  else runs(buffer.levels, from, to, levels)
  let values = buffer.data.data.subarray(begin.bytes, end.bytes)
  if (buffer.type === 'boolean') {
    const bits = new ByteList(64)
    packBits(buffer.data.data, begin.bytes, end.bytes, bits)
    values = bits.data.subarray(0, bits.length)
  }
  const head = new ByteList(128)
  header(to - from, 4 + levels.length + values.length, head)
  head.u32(levels.length)
  head.bytes(levels.data, 0, levels.length)
  return [head.data.subarray(0, head.length), values]
}

function nullPage(rows: number, out: ByteList): void {
  const levels = new ByteList(16)
  runs(new Uint8Array(0), 0, rows, levels)
  header(rows, 4 + levels.length, out)
  out.u32(levels.length)
  out.bytes(levels.data, 0, levels.length)
}
