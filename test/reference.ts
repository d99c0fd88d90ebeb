/**
 * The reference model: what a table must hold, given the set of arrivals that were committed. It knows no batches, no
 * commits and no order of work; that is the point of it.
 */
import { createHash } from 'node:crypto'
import type { Definition } from '../src/core/definition.ts'
import { placeOf } from '../src/core/place.ts'
import { fold, rankOf } from '../src/core/schema.ts'
import type { Row, Schema, Value } from '../src/core/schema.ts'
import { reference } from '../src/resolve/rule.ts'
import type { ByDate } from '../src/core/interval.ts'
import { isIn } from './dates.ts'
import { typeRecord } from './typing.ts'
import type { Json } from './typing.ts'

/** An arrival as it was committed; `records` in the order of its bytes, good and bad. */
export interface ModelArrival {
  seq: number
  /** Identity of its bytes and generation; an arrival whose content came in before under a lower seq is no arrival. */
  content: string
  records: readonly Json[]
  /** What its commits brought, undefined: all that was not in; absent: one that brought everything. */
  commits?: (ByDate | undefined)[]
}

export interface Model {
  /** Values and the place, in place order. Which of several equal records gave the place is open in a keyed table. */
  rows: Row[]
  /** Every good record with its place. */
  good: Row[]
  /** Places of the records that were put aside by their own fault. */
  bad: bigint[]
}

export function model(definition: Definition, schema: Schema, arrivals: readonly ModelArrival[]): Model {
  const good: Row[] = []
  const bad: bigint[] = []
  const contents = new Set<string>()
  for (const arrival of arrivals.toSorted((a, b) => a.seq - b.seq)) {
    if (contents.has(arrival.content)) continue
    contents.add(arrival.content)
    arrival.records.forEach((json, index) => {
      if (arrival.commits !== undefined && !isIn(json, arrival.commits)) return
      const place = placeOf(arrival.seq, index + 1)
      const typed = typeRecord(json, schema, definition.key)
      if (Array.isArray(typed)) good.push([...typed, place])
      else bad.push(place)
    })
  }
  return { rows: definition.keep === null ? good : winners(definition, schema, good), good, bad }
}

function winners(definition: Definition, schema: Schema, good: readonly Row[]): Row[] {
  const keep = definition.keep ?? { rule: 'first' }
  const at = (name: string): number => schema.findIndex((column) => fold(column.name) === fold(name))
  const keys = definition.key.map(at)
  const by = 'column' in keep ? at(keep.column) : -1
  const candidates = good.map((row) => ({ row, place: row.at(-1) as bigint, value: by < 0 ? null : rankOf(schema[by]?.type ?? 'string', row[by] ?? null) }))
  const groups = Map.groupBy(candidates, (candidate) => showRow(keys.map((index) => candidate.row[index] ?? null)))
  const best = [...groups.values()].flatMap((group) => reference(keep, group) ?? [])
  return best.toSorted((a, b) => Number(a.place - b.place)).map((candidate) => candidate.row)
}

/** A row as text: equal texts, equal rows. -0 is 0; integers and doubles differ. */
export function showRow(row: readonly Value[]): string {
  return row.map((value) => (typeof value === 'bigint' ? `${value}n` : JSON.stringify(value))).join(' | ')
}

export function contentOf(bytes: string | Uint8Array, generation = 0): string {
  return `${createHash('sha256').update(bytes).digest('hex')}#${generation}`
}
