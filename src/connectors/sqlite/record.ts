/** Receipts and typed rows as JSON text, and back, without losing a digit of a 64-bit integer. */
import type { Receipt, RejectRow } from '../../core/target.ts'
import type { Row, Schema } from '../../core/schema.ts'
import { isJsonText } from '../../core/types.ts'
import type { SqliteRow } from '../../sql/sqlite.ts'

/** The place of a reject does not fit a JSON number, so it is text there. */
export function receiptToJson(receipt: Receipt): string {
  return JSON.stringify({ ...receipt, faults: receipt.faults.map((fault) => ({ ...fault, place: String(fault.place) })) })
}

export function receiptFromJson(text: string): Receipt {
  const stored = JSON.parse(text) as Receipt & { faults: readonly (Omit<RejectRow, 'place'> & { place: string })[] }
  return { ...stored, faults: stored.faults.map((fault) => ({ ...fault, place: BigInt(fault.place) })) }
}

/** A typed row as JSON text: numbers with all their digits, json columns, lists and structs as what they are. */
export function rowToJson(row: Row, schema: Schema): string {
  const members = schema.map((column, i) => {
    const value = row[i] ?? null
    const text = typeof value === 'bigint' || (isJsonText(column.type) && typeof value === 'string') ? String(value) : JSON.stringify(value)
    return `${JSON.stringify(column.name)}:${text}`
  })
  return `{${members.join(',')}}`
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

export function rejectFromSql(stored: SqliteRow): RejectRow {
  return {
    batch: String(stored['batch']),
    place: BigInt(stored['place'] as bigint),
    offset: stored['offset'] === null ? null : Number(stored['offset']),
    code: String(stored['code']),
    column: text(stored['column']),
    value: text(stored['value']),
    message: String(stored['message']),
    raw: text(stored['raw']),
  }
}
