/** A table in memory as a source: the contract's own, and what windows are tested with. */
import type { Mark } from '../../src/core/mark.ts'
import { compareMarks } from '../../src/core/mark.ts'
import type { Row, Schema } from '../../src/core/schema.ts'
import { SluiceError } from '../../src/core/errors.ts'
import type { Position, RowSource, SourceChunk, SourceRange } from '../../src/core/source.ts'

export interface MemoryTable {
  schema: Schema
  rows: Row[]
}

/** @param columns by name; `cursor` null: snapshots. `chunk`: rows of one. */
export function openMemorySource(table: MemoryTable, columns: { cursor: string | null; key: readonly string[] }, chunk = 3): RowSource {
  const at = (name: string): number => {
    const index = table.schema.findIndex((column) => column.name === name)
    if (index < 0) throw new SluiceError('SOURCE_INVALID', `There is no column ${name}.`)
    return index
  }
  const cursor = columns.cursor === null ? null : at(columns.cursor)
  const key = columns.key.map(at)
  const positionOf = (row: Row): Position => ({ cursor: cursor === null ? '' : (row[cursor] as Mark), key: key.map((index) => row[index] as Mark) })
  return {
    columns: async () => ({ schema: table.schema, notices: [] }),
    async newest() {
      if (cursor === null || table.rows.length === 0) return null
      if (table.rows.some((row) => row[cursor] === null || key.some((index) => row[index] === null))) throw new SluiceError('SOURCE_UNSUITABLE', 'Rows lack their cursor.')
      return table.rows.map((row) => row[cursor] as Mark).reduce((a, b) => (compareMarks(a, b) < 0 ? b : a))
    },
    async *rows({ after, from, until, count }: SourceRange, signal: AbortSignal): AsyncGenerator<SourceChunk> {
      const wanted = table.rows
        .filter((row) => {
          const place = positionOf(row)
          if (cursor === null) return true
          if (until !== null && compareMarks(place.cursor, until) > 0) return false
          return after !== null ? comparePositions(place, after) > 0 : from === null || compareMarks(place.cursor, from) >= 0
        })
        .toSorted((a, b) => comparePositions(positionOf(a), positionOf(b)))
        .slice(0, count ?? undefined)
      for (let start = 0; start < wanted.length; start += chunk) {
        signal.throwIfAborted()
        const rows = wanted.slice(start, start + chunk)
        const odd = new Map(rows.flatMap((row, index) => (table.schema.some(({ type }, i) => type === 'int64' && typeof row[i] === 'string') ? [[index, JSON.stringify(Object.fromEntries(table.schema.map(({ name }, i) => [name, typeof row[i] === 'bigint' ? Number(row[i]) : row[i]])))] as const] : [])))
        yield { rows, odd, position: (index) => positionOf(rows[index] as Row) }
      }
    },
    close: async () => {},
  }
}

function comparePositions(a: Position, b: Position): number {
  const parts = [compareMarks(a.cursor, b.cursor), ...a.key.map((part, at) => compareMarks(part, b.key[at] as Mark))]
  return parts.find((difference) => difference !== 0) ?? 0
}
