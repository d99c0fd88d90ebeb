/**
 * Columns, their types, and their names.
 *
 * A value in memory (`Value`) is neutral and exact: string and json are text; int64 is a bigint; double a number;
 * boolean a boolean; a date is `YYYY-MM-DD`; a timestamp is `YYYY-MM-DDTHH:MM:SS.ffffffZ` (UTC instant, six fraction
 * digits), a timestamp_local the same without `Z`. Text of dates and timestamps has a fixed width, so it sorts as time.
 * A decimal is text with all digits of its scale (`1.10`); lists and structs are JSON text of one form: no white space,
 * every member in declared order, absent ones null, numbers with the digits of their type, doubles with a fraction.
 */
import { shorten } from './errors.ts'
import { isDecimal, unscaledOf } from './types.ts'
import type { ColumnType } from './types.ts'

export type { ColumnType } from './types.ts'

export interface Column {
  /** As it is in the table: Delta's forbidden characters are replaced, see `columnName`. */
  name: string
  type: ColumnType
  /** The member's name in the records when it differs from `name`. */
  original?: string
}

/** Columns in table order; `_place` is not among them. */
export type Schema = readonly Column[]

export type Value = string | number | bigint | boolean | null
/** One value per column of a schema, in its order. */
export type Row = Value[]

/** What a value is compared by: of a decimal its digits, of everything else the value itself. */
export function rankOf(type: ColumnType, value: Value): Value {
  return isDecimal(type) && typeof value === 'string' ? unscaledOf(value) : value
}

/** Most columns that a table may have. */
export const MAX_COLUMNS = 1000
/** Most bytes of a column's name: names go into SQL, into logs and into every data file. */
export const MAX_NAME_BYTES = 1024
/** Most bytes of a key, and of a value that decides between records: they are grouped, sorted and kept as statistics. */
export const MAX_KEY_BYTES = 65_536

/** Names are matched without case. */
export function fold(name: string): string {
  return name.toLowerCase()
}

/** The name that a member gets as a column: characters that Delta refuses become `_`. */
export function columnName(member: string): string {
  const name = member.replace(/[ ,;{}()=\t\n]/g, '_')
  return name === '' ? '_' : name
}

/** Why this cannot be the name of a column; null: it can. */
export function nameFault(name: string): string | null {
  const bytes = Buffer.byteLength(name)
  if (name.includes('\0')) return `The name of a member holds a NUL character: ${shorten(name.replaceAll('\0', '\\u0000'))}.`
  return bytes > MAX_NAME_BYTES ? `The name of a member has ${bytes} bytes; ${MAX_NAME_BYTES} are allowed: ${shorten(name)}.` : null
}

/** `_place` and everything that begins with `_sluice` belong to Sluice. */
export function isReserved(name: string): boolean {
  const folded = fold(name)
  return folded === '_place' || folded.startsWith('_sluice')
}

/** Perhaps with the schema that it lies in: `raw.events`. */
const TABLE_NAME = /^([A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,62}$/
export function isTableName(name: string): boolean {
  return TABLE_NAME.test(name)
}

export function findColumn(schema: Schema, name: string): Column | undefined {
  const folded = fold(name)
  return schema.find((column) => fold(column.name) === folded)
}

/** The schema after columns that it does not have yet are added at the end, in their order. */
export function mergeSchema(pinned: Schema, seen: Schema): Schema {
  return [...pinned, ...seen.filter((column) => findColumn(pinned, column.name) === undefined)]
}

/** True when every column of `staged` has the type that `pinned` has for it (or is new to it). */
export function fits(staged: Schema, pinned: Schema): boolean {
  return staged.every((column) => {
    const known = findColumn(pinned, column.name)
    return known === undefined || known.type === column.type
  })
}

/** Of more a message says how many there are. */
const SHOWN_COLUMNS = 40

/** `name:type, …`, for people. */
export function describeSchema(schema: Schema): string {
  const shown = schema.slice(0, SHOWN_COLUMNS).map((column) => `${column.name}:${column.type}`).join(', ')
  return schema.length > SHOWN_COLUMNS ? `${shown}, … ${schema.length} columns in all` : shown
}
