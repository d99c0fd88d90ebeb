/**
 * What a JSON value becomes in a column, for the reference model. Written from docs/reference/semantics.md alone and on
 * top of JSON.parse, so that it shares no line with src/formats, which it judges.
 *
 * Limits of JSON.parse that inputs must respect: members whose names look like array indexes change their order, and of
 * members that are spelled the same only the last is seen.
 */
import type { Code } from '../src/core/codes.ts'
import { columnName, findColumn, fold, isReserved } from '../src/core/schema.ts'
import type { ColumnType, Row, Schema, Value } from '../src/core/schema.ts'
import { formatType, nodeOf } from '../src/core/types.ts'
import type { TypeNode } from '../src/core/types.ts'

/** A number as it was written. */
export class NumberText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}
export type Json = string | boolean | null | NumberText | Json[] | { [member: string]: Json }

type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown

/** @throws SyntaxError */
export function parseJson(text: string): Json {
  const reviver: Reviver = (_key, value, context) => (typeof value === 'number' ? new NumberText(context.source ?? '') : value)
  return JSON.parse(text, reviver as (this: unknown, key: string, value: unknown) => unknown) as Json
}

/** Without white space; numbers as they were written. */
export function minify(json: Json): string {
  if (json instanceof NumberText) return json.text
  if (Array.isArray(json)) return `[${json.map(minify).join(',')}]`
  if (json === null || typeof json !== 'object') return JSON.stringify(json)
  return `{${Object.entries(json).map(([name, value]) => `${JSON.stringify(name)}:${minify(value)}`).join(',')}}`
}

export interface Bad {
  code: Code
  column: string | null
  value: string | null
}

/** The row of a record in the columns of a schema, or why it is put aside. */
export function typeRecord(json: Json, schema: Schema, key: readonly string[]): Row | Bad {
  if (json === null || typeof json !== 'object' || Array.isArray(json) || json instanceof NumberText) {
    return { code: 'RECORD_NOT_OBJECT', column: null, value: null }
  }
  const members = new Map<string, Json>()
  for (const [member, value] of Object.entries(json)) {
    const name = columnName(member)
    if (isReserved(name)) return { code: 'NAME_RESERVED', column: name, value: null }
    if (members.has(fold(name))) return { code: 'MEMBER_REPEATED', column: name, value: null }
    if (/\p{Surrogate}/u.test(member) || halfSurrogate(value)) return { code: 'TEXT_INVALID', column: name, value: null }
    members.set(fold(name), value)
  }
  const row: Row = []
  for (const column of schema) {
    const json = members.get(fold(column.name)) ?? null
    const typed = typeValue(column.type, json)
    if (typeof typed === 'object' && typed !== null) return { code: typed.code, column: column.name, value: minify(json) }
    row.push(typed)
  }
  for (const name of key) {
    const value = row[schema.findIndex((column) => fold(column.name) === fold(name))]
    if (value === undefined || value === null || value === '') {
      return { code: 'KEY_MISSING', column: findColumn(schema, name)?.name ?? name, value: null }
    }
  }
  return row
}

function halfSurrogate(json: Json): boolean {
  return typeof json === 'string' && /\p{Surrogate}/u.test(json)
}

/**
 * A list or struct as the one JSON text of its type. Written from the reference page, too: no white space, declared order,
 * absent members null, numbers with the digits of their type, doubles with a fraction or an exponent.
 */
function nestedText(node: TypeNode, json: Json): string | { code: Code } {
  if (json === null) return 'null'
  if (node.kind === 'list') {
    if (!Array.isArray(json)) return MISMATCH
    const parts = json.map((one) => nestedText(node.element, one))
    return parts.find((part) => typeof part !== 'string') ?? `[${parts.join(',')}]`
  }
  if (node.kind === 'struct') {
    if (typeof json !== 'object' || Array.isArray(json) || json instanceof NumberText) return MISMATCH
    const given = Object.entries(json).map(([name, value]) => [fold(columnName(name)), value] as const)
    const parts = node.members.map(({ name, type }) => {
      const values = given.filter(([member]) => member === fold(name))
      if (values.length > 1) return { code: 'MEMBER_REPEATED' as const }
      const text = nestedText(type, values[0]?.[1] ?? null)
      return typeof text === 'string' ? `${JSON.stringify(name)}:${text}` : text
    })
    return parts.find((part) => typeof part !== 'string') ?? `{${parts.join(',')}}`
  }
  const value = typeValue(formatType(node), json)
  if (typeof value === 'object' && value !== null) return value
  if (node.kind === 'double') return doubleText(value as number)
  return node.kind === 'json' || node.kind === 'decimal' || typeof value === 'bigint' ? String(value) : escaped(JSON.stringify(value))
}

function doubleText(value: number): string {
  const text = String(value === 0 ? 0 : value).replace('e+', 'e')
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}

/** As DuckDB writes it: digits of an escape are capital letters. */
function escaped(text: string): string {
  return text.replaceAll(/\\u00(..)/g, (_, digits: string) => `\\u00${digits.toUpperCase()}`)
}

/** The number that a text means, with exactly `scale` digits behind the point. */
function decimalOf(text: string, precision: number, scale: number): string | { code: Code } {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null) return MISMATCH
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const shift = Number(exponent)
  // Point and digits moved by hand, then cut: what is cut away must be zeros.
  const left = shift >= 0 ? whole + fraction.padEnd(shift, '0').slice(0, shift) : whole.padStart(1 - shift, '0').slice(0, shift)
  const right = shift >= 0 ? fraction.slice(shift) : whole.padStart(1 - shift, '0').slice(shift) + fraction
  const digits = left.replace(/^0+(?=\d)/, '')
  if (digits !== '0' && digits.length > precision - scale) return MISMATCH
  if (/[1-9]/.test(right.slice(scale))) return { code: 'PRECISION_LOST' }
  const kept = right.slice(0, scale).padEnd(scale, '0')
  const text0 = scale === 0 ? digits : `${digits}.${kept}`
  return sign === '-' && /[1-9]/.test(text0) ? `-${text0}` : text0
}

/** A value of a column, or the code of the reason why it is none. Null stays null under every type. */
export function typeValue(type: ColumnType, json: Json): Value | { code: Code } {
  if (json === null) return null
  const node = nodeOf(type)
  if (node.kind === 'decimal') return json instanceof NumberText ? decimalOf(json.text, node.precision, node.scale) : MISMATCH
  if (node.kind === 'list' || node.kind === 'struct') return nestedText(node, json)
  switch (node.kind) {
    case 'json':
      return minify(json)
    case 'string':
      return limited(typeof json === 'string' ? json : json instanceof NumberText || typeof json === 'boolean' ? minify(json) : MISMATCH, node.length)
    case 'boolean':
      return typeof json === 'boolean' ? json : MISMATCH
    case 'int64':
      return json instanceof NumberText ? (integerOf(json.text) ?? MISMATCH) : MISMATCH
    case 'double':
      return json instanceof NumberText && Number.isFinite(Number(json.text)) ? Number(json.text) : MISMATCH
    case 'date':
      return typeof json === 'string' && /^\d{4}-\d\d-\d\d$/.test(json) && daysOf(json) !== null ? json : MISMATCH
    case 'timestamp':
    case 'timestamp_local':
      return typeof json === 'string' ? timestampOf(json, node.kind === 'timestamp') : MISMATCH
  }
}

function limited(typed: string | typeof MISMATCH, most = Infinity): string | { code: Code } {
  return typeof typed === 'string' && [...typed].length > most ? { code: 'LENGTH_EXCEEDED' } : typed
}

const MISMATCH = { code: 'TYPE_MISMATCH' } as const

/** The integer that a number text means exactly (`1.0`, `1e3`), if it fits 64 bits. */
function integerOf(text: string): bigint | null {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null) return null
  const fraction = match[3] ?? ''
  const digits = `${match[2]}${fraction}`.replace(/^0+/, '')
  const shift = Number(match[4] ?? 0) - fraction.length
  if (digits === '') return 0n
  if (digits.length + shift > 19 || digits.length + shift < 1) return null
  const whole = shift >= 0 ? digits + '0'.repeat(shift) : digits.slice(0, shift)
  if (shift < 0 && /[1-9]/.test(digits.slice(shift))) return null
  const value = match[1] === '-' ? -BigInt(whole) : BigInt(whole)
  return BigInt.asIntN(64, value) === value ? value : null
}

/** Days since 1970-01-01 of `YYYY-MM-DD`, null when there is no such day; the years are 0001 to 9999. */
function daysOf(text: string): number | null {
  const [year = 0, month = 0, day = 0] = text.split('-').map(Number)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const same = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  return year >= 1 && same ? date.getTime() / 86_400_000 : null
}

const STAMP = /^(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::?\d\d)?)?$/

function timestampOf(text: string, instant: boolean): Value | { code: Code } {
  const match = STAMP.exec(text)
  const days = match === null ? null : daysOf(match[1] ?? '')
  if (match === null || days === null) return MISMATCH
  const [hour, minute, second] = [Number(match[2]), Number(match[3]), Number(match[4] ?? 0)]
  if (hour > 23 || minute > 59 || second > 59) return MISMATCH
  // Wall time has no zone.
  if (!instant && match[6] !== undefined) return MISMATCH
  const fraction = match[5] ?? ''
  if (/[1-9]/.test(fraction.slice(6))) return { code: 'PRECISION_LOST' }
  const [sign, hours, minutes] = [match[6]?.[0], Number(match[6]?.slice(1, 3)), Number(match[6]?.slice(3).replace(':', ''))]
  if (hours > 23 || minutes > 59) return MISMATCH
  const offset = sign === undefined || sign === 'Z' ? 0 : (sign === '-' ? -1 : 1) * (hours * 60 + minutes)
  const date = new Date((days * 86_400 + (hour * 60 + minute - offset) * 60 + second) * 1000)
  if (date.getUTCFullYear() < 1 || date.getUTCFullYear() > 9999) return MISMATCH
  return `${date.toISOString().slice(0, 19)}.${fraction.slice(0, 6).padEnd(6, '0')}${instant ? 'Z' : ''}`
}
