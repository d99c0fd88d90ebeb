/** The columns of a batch, for the engine in memory: declared ones, or types by what the values are. */
import type { Definition } from '../../src/core/definition.ts'
import { SluiceError } from '../../src/core/errors.ts'
import { columnName, findColumn, isReserved, mergeSchema } from '../../src/core/schema.ts'
import type { Column, ColumnType, Schema } from '../../src/core/schema.ts'
import { NumberText, typeValue } from '../typing.ts'
import type { Json } from '../typing.ts'

/** Narrowest first; text becomes a date or a timestamp only when every value is one. */
const CANDIDATES: readonly ColumnType[] = ['boolean', 'int64', 'double', 'date', 'timestamp', 'string', 'json']

/** @throws SluiceError KEY_UNKNOWN */
export function schemaOf(definition: Definition, pinned: Schema | null, records: readonly Json[]): Schema {
  if (definition.columns !== null) return pinned ?? definition.columns
  const values = new Map<string, { member: string; seen: Json[] }>()
  for (const record of records) {
    if (record === null || typeof record !== 'object' || Array.isArray(record) || record instanceof NumberText) continue
    for (const [member, value] of Object.entries(record)) {
      const name = columnName(member)
      if (isReserved(name)) continue
      const known = [...values.keys()].find((other) => findColumn([{ name: other, type: 'json' }], name) !== undefined) ?? name
      const entry = values.get(known) ?? { member, seen: [] }
      values.set(known, { ...entry, seen: [...entry.seen, value] })
    }
  }
  const seen = [...values].map(([name, entry]): Column => {
    const type = typeOf(entry.seen)
    return entry.member === name ? { name, type } : { name, type, original: entry.member }
  })
  const schema = mergeSchema(pinned ?? [], seen)
  const missing = definition.key.find((name) => findColumn(schema, name) === undefined)
  if (missing !== undefined && records.length > 0) throw new SluiceError('KEY_UNKNOWN', `No record has the key column ${missing}.`)
  return schema
}

export function typeOf(seen: readonly Json[]): ColumnType {
  const values = seen.filter((json) => json !== null)
  if (values.length === 0) return 'string'
  return CANDIDATES.find((type) => values.every((json) => isLossless(type, json))) ?? 'json'
}

function isLossless(type: ColumnType, json: Json): boolean {
  const typed = typeValue(type, json)
  if (typeof typed === 'object' && typed !== null) return false
  if (type === 'int64') return json instanceof NumberText && /^-?\d+$/.test(json.text)
  return true
}
