/** An engine that serves rows, and batches made of rows. */
import { createHash } from 'node:crypto'
import type { Definition } from '../../src/core/definition.ts'
import type { Engine, Staged } from '../../src/core/engine.ts'
import { SluiceError } from '../../src/core/errors.ts'
import { placeOf, seqOf } from '../../src/core/place.ts'
import { findColumn } from '../../src/core/schema.ts'
import type { Row, Schema, Value } from '../../src/core/schema.ts'
import { reference } from '../../src/resolve/rule.ts'

export interface Served {
  winners: Row[]
  losers: Row[]
  rejects: Row[]
}

/** Serves in chunks of two rows, so that chunks are crossed. */
export function servingEngine(): Engine & { parts: Map<Staged, Served> } {
  const parts = new Map<Staged, Served>()
  async function* chunks(rows: Row[]): AsyncIterable<Row[]> {
    for (let at = 0; at < rows.length; at += 2) yield rows.slice(at, at + 2)
  }
  const no = async (): Promise<never> => {
    throw new SluiceError('INTERNAL', 'This engine only serves rows.')
  }
  return {
    parts,
    stage: no,
    session: no,
    read: (staged, what) => chunks(parts.get(staged)?.[what] ?? []),
    rejects: (staged) => chunks(parts.get(staged)?.rejects ?? []),
    async close() {},
  }
}

/** Records of arrivals; a string stands for a record that the splitter put aside. */
export type Records = ReadonlyMap<number, readonly (Row | string)[]>

let fences = 0

/** Stages records as an engine would: places from the order, losers by the rule. */
export function stageRows(engine: ReturnType<typeof servingEngine>, definition: Definition, schema: Schema, records: Records, options: { id?: string; fence?: number; lane?: number; content?: string } = {}): Staged {
  const good: Row[] = []
  const rejects: Row[] = []
  for (const [seq, list] of records) {
    list.forEach((record, at) => {
      const place = placeOf(seq, at + 1)
      if (typeof record === 'string') rejects.push([place, BigInt(at), 'KEY_MISSING', 'id', null, record, `{"n":${at}}`])
      else good.push([...record, place])
    })
  }
  const { winners, losers } = separate(definition, schema, good)
  const places = [...good.map((row) => row.at(-1) as bigint), ...rejects.map((row) => row[0] as bigint)].toSorted((a, b) => (a < b ? -1 : 1))
  const seqs = [...records.keys()]
  const fence = options.fence ?? ++fences
  const staged: Staged = {
    batch: {
      id: options.id ?? `b_${fence}`, lane: options.lane ?? 1, fence, table: definition.table,
      arrivals: seqs.map((seq) => ({ seq, pin: { uri: `/in/${seq}.json`, size: 10, stamp: '', modified: 0 }, reload: false, replaced: false })),
    },
    attempt: 1,
    outcomes: seqs.map((seq) => ({
      seq, state: 'loaded', sha256: createHash('sha256').update(options.content ?? `content ${seq}`).digest('hex'), generation: 0, sameAs: null, bytes: 10,
      read: records.get(seq)?.length ?? 0, skipped: 0, rejected: rejects.filter((row) => seqOf(row[0] as bigint) === seq).length, fault: null,
    })),
    schema, records: [], excluded: [], losers: [], rejects: [], winners: winners.length,
    places: places.length === 0 ? null : { lowest: places[0] ?? 0n, highest: places.at(-1) ?? 0n },
    keyRange: null, faults: [], reasons: {}, notices: [], leftOut: [],
  }
  engine.parts.set(staged, { winners, losers, rejects })
  return staged
}

function separate(definition: Definition, schema: Schema, good: Row[]): { winners: Row[]; losers: Row[] } {
  const winners = winnersOf(definition, schema, good)
  return { winners, losers: good.filter((row) => !winners.includes(row)) }
}

/** The rows that must stand in a table after these records: the reference. */
export function winnersOf(definition: Definition, schema: Schema, good: readonly Row[]): Row[] {
  const { keep } = definition
  if (keep === null) return [...good]
  const at = (name: string): number => schema.findIndex((column) => column === findColumn(schema, name))
  const by = 'column' in keep ? at(keep.column) : -1
  const groups = Map.groupBy(good, (row) => definition.key.map((name) => String(row[at(name)])).join('\0'))
  const best = new Set([...groups.values()].map((rows) => reference(keep, rows.map((row) => ({ row, place: row.at(-1) as bigint, value: row[by] ?? null })))?.row))
  return good.filter((row) => best.has(row))
}

export const content = (rows: readonly Row[]): string[] =>
  rows.map((row) => JSON.stringify(row.slice(0, -1), (_, value: Value) => (typeof value === 'bigint' ? `${value}n` : value))).toSorted()
