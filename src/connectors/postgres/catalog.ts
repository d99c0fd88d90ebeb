/** Types of PostgreSQL's columns as ours, and the texts of its values in the form of `Value`. */
import type { SqlValue } from '../../core/effects.ts'
import type { ColumnType, Value } from '../../core/schema.ts'

export interface PostgresColumn {
  name: string
  oid: number
  modifier: number
}

const OIDS: Readonly<Record<number, ColumnType>> = { 16: 'boolean', 20: 'int64', 21: 'int64', 23: 'int64', 26: 'int64', 700: 'double', 701: 'double', 1082: 'date', 1114: 'timestamp_local', 1184: 'timestamp', 114: 'json', 3802: 'json' }
const NUMERIC = 1700
const BYTEA = 17

/** A type that is not listed is its own text; so is a numeric without a scale, whose digits have no bound. */
export function typeOfColumn({ oid, modifier }: PostgresColumn): ColumnType {
  if (oid !== NUMERIC) return OIDS[oid] ?? 'string'
  const precision = ((modifier - 4) >> 16) & 0xffff
  const scale = (modifier - 4) & 0x7ff
  return modifier >= 4 && precision >= 1 && precision <= 38 && scale <= precision ? `decimal(${precision},${scale})` : 'string'
}

export function isBytes({ oid }: PostgresColumn): boolean {
  return oid === BYTEA
}

const TIME = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(\+00)?$/

/** Null: a value that the type cannot hold (infinity, years before Christ, NaN of a numeric). */
export function valueOf(column: PostgresColumn, type: ColumnType, value: SqlValue): Value {
  if (value === null || typeof value !== 'string') return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  if (isBytes(column)) return value.replace(/^\\x/, '')
  if (type === 'timestamp' || type === 'timestamp_local') {
    const [, day, time, fraction = ''] = TIME.exec(value) ?? []
    return day === undefined ? null : `${day}T${time ?? ''}.${fraction.padEnd(6, '0')}${type === 'timestamp' ? 'Z' : ''}`
  }
  if (type === 'date') return /^\d{4}-\d\d-\d\d$/.test(value) ? value : null
  return type.startsWith('decimal') && !/^-?\d+(\.\d+)?$/.test(value) ? null : value
}
