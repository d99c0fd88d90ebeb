/** Typed rows as JSON text, without losing a digit of a 64-bit integer. */
import type { Row, Schema } from '../../core/schema.ts'
import { isJsonText } from '../../core/types.ts'

/** A typed row as JSON text: numbers with all their digits, json columns, lists and structs as what they are. */
export function rowToJson(row: Row, schema: Schema): string {
  const members = schema.map((column, i) => {
    const value = row[i] ?? null
    const text = typeof value === 'bigint' || (isJsonText(column.type) && typeof value === 'string') ? String(value) : JSON.stringify(value)
    return `${JSON.stringify(column.name)}:${text}`
  })
  return `{${members.join(',')}}`
}
