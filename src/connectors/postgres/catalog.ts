/** Types of PostgreSQL's columns as ours, and the texts of its values in DuckDB and in the form of `Value`. */
import type { SqlValue } from '../../core/effects.ts'
import type { ColumnType, Value } from '../../core/schema.ts'
import { nodeOf } from '../../core/types.ts'
import { jsonOf } from '../../database/rest.ts'

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

const DATES = "DATE '0001-01-01' AND DATE '9999-12-31'"
const times = (type: string, zone: string): string => `${type} '0001-01-01 00:00:00${zone}' AND ${type} '9999-12-31 23:59:59.999999${zone}'`

/**
 * The text of a value, in DuckDB, as a value of its column's type: the server's text tells everything exactly. `holds` is
 * absent where the type holds whatever a column of the server may hold; infinity, years before Christ or behind 9999, NaN of
 * a numeric, and JSON that is none for a strict parser, are values of no type of ours.
 */
export function readingOf(column: PostgresColumn, type: ColumnType, text: string): { value: string; holds?: string } {
  const between = (sql: string, range: string): { value: string; holds: string } => {
    const value = `TRY_CAST(${text} AS ${sql})`
    return { value, holds: `(${text} IS NULL OR ${value} BETWEEN ${range})` }
  }
  const where = (sql: string): { value: string; holds: string } => {
    const value = `TRY_CAST(${text} AS ${sql})`
    return { value, holds: `(${text} IS NULL OR ${value} IS NOT NULL)` }
  }
  if (isBytes(column)) return { value: `substr(${text}, 3)` }
  switch (nodeOf(type).kind) {
    case 'boolean':
      return { value: `CAST(${text} AS BOOLEAN)` }
    case 'int64':
      return { value: `CAST(${text} AS BIGINT)` }
    case 'double':
      return { value: `CAST(${text} AS DOUBLE)` }
    case 'date':
      // DuckDB reads years before Christ as years after.
      return { value: `TRY_CAST(${text} AS DATE)`, holds: `(${text} IS NULL OR (strlen(${text}) = 10 AND TRY_CAST(${text} AS DATE) BETWEEN ${DATES}))` }
    case 'timestamp':
      return between('TIMESTAMPTZ', times('TIMESTAMPTZ', '+00'))
    case 'timestamp_local':
      return between('TIMESTAMP', times('TIMESTAMP', ''))
    case 'json':
      return where('JSON')
    case 'decimal':
      return where(type)
    case 'string':
    case 'list':
    case 'struct':
      return { value: text }
  }
}

/** The server's text of a value as it stands in a line of JSON, for the load to decide. */
export function jsonOfText(column: PostgresColumn, type: ColumnType, text: string | null): string {
  if (text === null) return 'null'
  if (isBytes(column)) return JSON.stringify(text.replace(/^\\x/, ''))
  return jsonOf(type, type === 'boolean' ? (text === 't' ? 'true' : 'false') : text)
}

const TIME = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(\+00)?$/

/** A value as the server tells it; what the type cannot hold (infinity, years before Christ) stays the server's text. */
export function valueOf(column: PostgresColumn, type: ColumnType, value: SqlValue): Value {
  if (value === null || typeof value !== 'string') return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  if (isBytes(column)) return value.replace(/^\\x/, '')
  if (type !== 'timestamp' && type !== 'timestamp_local') return value
  const [, day, time, fraction = ''] = TIME.exec(value) ?? []
  return day === undefined ? value : `${day}T${time ?? ''}.${fraction.padEnd(6, '0')}${type === 'timestamp' ? 'Z' : ''}`
}
