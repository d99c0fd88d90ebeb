/** What becomes of every record of a batch, one key after another: the reference for the SQL of the real targets. */
import type { Definition, Keep } from '../../src/core/definition.ts'
import { fold, rankOf } from '../../src/core/schema.ts'
import type { Row, Schema, Value } from '../../src/core/schema.ts'
import { beats, reference } from '../../src/resolve/rule.ts'

/** repeated: put aside as KEY_REPEATED. */
export type Outcome = 'inserted' | 'updated' | 'duplicate' | 'stale' | 'repeated'

export interface Resolution {
  /** Every incoming record, each once. */
  decided: { what: Outcome; row: Row }[]
  /** Stored rows that leave the table. */
  replaced: Row[]
}

/** Rows carry the values of one schema and then the place; `history` are the kept losers. */
export interface Incoming {
  rows: readonly Row[]
  history: readonly Row[]
  winners: readonly Row[]
  losers: readonly Row[]
}

export function splitRow(row: Row): { values: Row; place: bigint } {
  return { values: row.slice(0, -1), place: row.at(-1) as bigint }
}

/** The key of a row as text that tells types apart. */
export function keyOf(definition: Definition, schema: Schema, row: Row): string {
  const values = definition.key.map((name) => row[schema.findIndex((column) => fold(column.name) === fold(name))] ?? null)
  return JSON.stringify(values.map((value) => (typeof value === 'bigint' ? `${value}n` : value)))
}

export function resolve(definition: Definition, schema: Schema, incoming: Incoming): Resolution {
  const keep = definition.keep
  if (keep === null) return { decided: incoming.winners.map((row) => ({ what: 'inserted', row })), replaced: [] }
  const group = (rows: readonly Row[]): Map<string, Row[]> => Map.groupBy(rows, (row) => keyOf(definition, schema, row))
  const [rows, history, losers] = [group(incoming.rows), group(incoming.history), group(incoming.losers)]
  const by = 'column' in keep ? schema.findIndex((column) => fold(column.name) === fold(keep.column)) : -1
  const candidate = (row: Row): { place: bigint; value: Value } => ({ place: splitRow(row).place, value: by < 0 ? null : rankOf(schema[by]?.type ?? 'string', row[by] ?? null) })
  const decided: Resolution['decided'] = []
  const replaced: Row[] = []
  const finals = new Map<string, Row>()
  for (const winner of incoming.winners) {
    const key = keyOf(definition, schema, winner)
    const stored = rows.get(key)?.[0]
    if (stored === undefined) {
      finals.set(key, winner)
      decided.push({ what: 'inserted', row: winner })
      continue
    }
    // A kept loser of the same content may have a better place than the row: equal content is never written again.
    const rank = reference(keep, [stored, ...(history.get(key) ?? [])].map(candidate))
    const wins = rank === undefined || beats(keep, candidate(winner), rank)
    if (wins && !sameContent(winner, stored)) {
      finals.set(key, winner)
      decided.push({ what: 'updated', row: winner })
      replaced.push(stored)
    } else {
      finals.set(key, stored)
      decided.push({ what: lost(keep, winner, stored), row: winner })
    }
  }
  for (const [key, group] of losers) {
    const final = finals.get(key) ?? rows.get(key)?.[0]
    for (const row of group) decided.push({ what: final === undefined ? 'stale' : lost(keep, row, final), row })
  }
  return { decided, replaced }
}

/** What a record is that did not get in, beside the row that is in after this commit. */
function lost(keep: Keep, row: Row, final: Row): Outcome {
  if (keep.rule === 'first' || sameContent(row, final)) return 'duplicate'
  return keep.rule === 'error' ? 'repeated' : 'stale'
}

/** Equal in every column, the place aside; -0 equals 0. */
export function sameContent(a: Row, b: Row): boolean {
  return splitRow(a).values.every((value, index) => value === (b[index] ?? null))
}
