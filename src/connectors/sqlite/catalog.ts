/**
 * What the columns of a SQLite table are declared as, and its values in those types. SQLite lets every value have a type of
 * its own, so a value that is none of its column's is told apart, never bent.
 */
import type { SqlValue } from '../../core/effects.ts'
import type { ColumnType, Value } from '../../core/schema.ts'
import { nodeOf } from '../../core/types.ts'
import { Clockwork, LOCAL, ZONED, days } from '../../formats/typing/temporal.ts'

/** No value of the column's type. */
export const ODD = Symbol('odd')
export type Convert = (value: Exclude<SqlValue, null>) => Exclude<Value, null> | typeof ODD

/**
 * The type of a declared column, by the word of its declaration; `bytes` are told as hexadecimal text. Null: nothing is
 * declared, or a word that says nothing: the values decide.
 */
export function typeOfDeclared(declared: string): ColumnType | 'bytes' | null {
  const word = declared.toUpperCase().trim()
  const digits = /^(?:DECIMAL|NUMERIC)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)$/.exec(word)
  if (digits !== null) {
    const [precision, scale] = [Number(digits[1]), Number(digits[2] ?? 0)]
    return precision >= 1 && precision <= 38 && scale <= precision ? `decimal(${precision},${scale})` : 'string'
  }
  if (/^(BOOLEAN|BOOL)$/.test(word)) return 'boolean'
  if (/INT/.test(word) && !/POINT|INTERVAL/.test(word)) return 'int64'
  if (/^JSONB?$/.test(word)) return 'json'
  if (/CHAR|CLOB|TEXT|^STRING$|^UUID$/.test(word)) return 'string'
  if (/^DATE$/.test(word)) return 'date'
  if (/^(DATETIME|TIMESTAMP|TIMESTAMPTZ)/.test(word)) return 'timestamp'
  if (/BLOB|BINARY/.test(word)) return 'bytes'
  return /REAL|FLOA|DOUB/.test(word) ? 'double' : null
}

/** The type that holds all values of these storage classes. */
export function typeOfValues({ integer, real, text, blob }: { integer: boolean; real: boolean; text: boolean; blob: boolean }): ColumnType | 'bytes' {
  if (text) return 'string'
  if (blob) return integer || real ? 'string' : 'bytes'
  return real ? 'double' : integer ? 'int64' : 'string'
}

const clock = new Clockwork()

export function converterOf(type: ColumnType | 'bytes'): Convert {
  if (type === 'bytes') return (value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : ODD)
  const node = nodeOf(type)
  switch (node.kind) {
    case 'boolean':
      return (value) => (value === 1n ? true : value === 0n ? false : ODD)
    case 'int64':
      return (value) => (typeof value === 'bigint' ? value : ODD)
    case 'double':
      return (value) => (typeof value === 'number' ? value : typeof value === 'bigint' && BigInt(Number(value)) === value ? Number(value) : ODD)
    case 'decimal': {
      const { precision, scale } = node
      return (value) => decimalOf(value, precision, scale)
    }
    case 'date':
      return (value) => (typeof value === 'string' && value.length === 10 && !Number.isNaN(days(Buffer.from(value), 0)) ? value : ODD)
    case 'timestamp':
    case 'timestamp_local':
      return timestampOf
    case 'json':
      // SQLite makes numbers of texts that look like some, also in a column of JSON.
      return (value) => (typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value)) ? String(value) : typeof value === 'string' && isJson(value) ? value : ODD)
    case 'string':
    case 'list':
    case 'struct':
      return (value) => (typeof value === 'string' ? value : typeof value === 'bigint' ? String(value) : typeof value === 'number' ? String(value) : ODD)
  }
}

/** Digits of the shortest text of the value, filled up to the scale. */
function decimalOf(value: Exclude<SqlValue, null>, precision: number, scale: number): string | typeof ODD {
  if (typeof value !== 'bigint' && typeof value !== 'number' && typeof value !== 'string') return ODD
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(value)) ?? []
  const kept = fraction.replace(/0+$/, '')
  const digits = whole.replace(/^0+(?=\d)/, '')
  if (whole === '' || kept.length > scale || (digits === '0' ? 0 : digits.length) > precision - scale) return ODD
  return `${sign}${digits}${scale === 0 ? '' : `.${kept.padEnd(scale, '0')}`}`
}

/** SQLite's own clock writes UTC without saying so. */
function timestampOf(value: Exclude<SqlValue, null>): string | typeof ODD {
  if (typeof value !== 'string') return ODD
  const text = value.length === 10 ? `${value}T00:00:00Z` : value
  const bytes = Buffer.from(text)
  const found = clock.time(bytes, 0, bytes.length)
  return found === ZONED ? text : found === LOCAL ? `${text}Z` : ODD
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** A value of the row as it stands in a JSON object: the load tells what is wrong with it. */
export function oddText(value: SqlValue): string {
  if (value === null) return 'null'
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('hex'))
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : JSON.stringify(String(value))
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
