/** What DuckDB answers, as values of JavaScript: rows, small answers, and what it says of a Parquet file that it wrote. */
import type { DuckDBDataChunk, DuckDBResult, DuckDBType } from '@duckdb/node-api'
import type { ColumnStats, Written } from '../../core/engine.ts'
import type { Row } from '../../core/schema.ts'

export type Answer = Record<string, string | number | bigint | boolean | null>

/** Values of rows that are handed on at once, where the columns are many. */
const PIECE_VALUES = 64_000

/** JSON is a text to DuckDB that goes by another name. */
export function typeName(type: DuckDBType): string {
  return type.alias ?? String(type)
}

/** By columns: several times faster than the library's own rows, and still 3 of the 4 s of processor time that a million rows of 4 values take here. */
export function rowsOf(chunk: DuckDBDataChunk): Row[] {
  const columns = Array.from({ length: chunk.columnCount }, (_, at) => chunk.getColumnValues(at) as Row)
  return Array.from({ length: chunk.rowCount }, (_, row) => columns.map((column) => column[row] ?? null))
}

/** Of many columns few rows at once: two million values are more than a process of 512 MB has room for. */
export function* piecesOf(chunk: DuckDBDataChunk): Generator<Row[]> {
  const vectors = Array.from({ length: chunk.columnCount }, (_, at) => chunk.getColumnVector(at))
  const size = Math.max(1, Math.floor(PIECE_VALUES / vectors.length))
  for (let from = 0; from < chunk.rowCount; from += size) {
    yield Array.from({ length: Math.min(size, chunk.rowCount - from) }, (_, row) => vectors.map((vector) => vector.getItem(from + row) as Row[number]))
  }
}

export async function answers(result: DuckDBResult): Promise<Answer[]> {
  const names = result.deduplicatedColumnNames()
  const rows = await result.getRows()
  return rows.map((row) => Object.fromEntries(row.map((value, at) => [names[at], plain(value, String(result.columnType(at)))])))
}

const INTEGERS = /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/

function plain(value: unknown, type: string): Answer[string] {
  if (value === null || value === undefined) return null
  if (typeof value === 'number') return INTEGERS.test(type) ? BigInt(value) : value
  if (typeof value === 'bigint' || typeof value === 'boolean') return value
  // Dates, decimals, maps and the like are classes of the library with a text of their own.
  return (value as { toString(): string }).toString()
}

interface Entries {
  entries: { key: unknown; value: unknown }[]
}

export async function writtenOf(uri: string, result: DuckDBResult): Promise<Written> {
  const row = (await result.getRowObjects())[0]
  const columns = row?.['column_statistics'] as unknown as Entries | null | undefined
  const stats: Record<string, ColumnStats> = {}
  for (const { key, value } of columns?.entries ?? []) {
    stats[unquote(String(key))] = statsOf(new Map((value as Entries).entries.map((entry) => [String(entry.key), String(entry.value)])))
  }
  return { uri, rows: Number(row?.['count']), bytes: Number(row?.['file_size_bytes']), stats }
}

/** `"a""b"` → `a"b`. */
function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}

function statsOf(told: ReadonlyMap<string, string>): ColumnStats {
  const stats: ColumnStats = { nulls: Number(told.get('null_count') ?? 0) }
  const min = told.get('min')
  const max = told.get('max')
  if (min !== undefined && max !== undefined) Object.assign(stats, { min, max })
  if (told.has('has_nan')) stats.nan = told.get('has_nan') === 'true'
  return stats
}
