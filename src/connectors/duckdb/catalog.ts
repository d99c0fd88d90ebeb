/** Types of DuckDB's columns as ours, for reading: the value of each as it goes into a window, exactly or not at all. */
import { SluiceError } from '../../core/errors.ts'
import type { ColumnType } from '../../core/schema.ts'

export interface ReadColumn {
  type: ColumnType
  /** The value for a Parquet file. */
  value(x: string): string
  /** Whether the type holds the value; absent: it holds all that are not null, and null. */
  holds?(x: string): string
  /** The bytes of a value, where it has no width of its own. */
  size?(x: string): string
}

const same = (x: string): string => x
const text = (x: string): string => `CAST(${x} AS VARCHAR)`
const length = (x: string): string => `coalesce(strlen(${x}), 0)`
const times = (type: string, zone: string) => (x: string): string => `(${x} IS NULL OR ${x} BETWEEN ${type} '0001-01-01 00:00:00${zone}' AND ${type} '9999-12-31 23:59:59.999999${zone}')`
const TEXT: ReadColumn = { type: 'string', value: text, size: (x) => length(text(x)) }
/** Parquet has no integers of 128 bits: DuckDB would write doubles. */
const WIDE: ReadColumn = { type: 'decimal(38,0)', value: (x) => `TRY_CAST(${x} AS DECIMAL(38,0))`, holds: (x) => `(${x} IS NULL OR TRY_CAST(${x} AS DECIMAL(38,0)) IS NOT NULL)` }

const COLUMNS: Readonly<Record<string, ReadColumn>> = {
  VARCHAR: { type: 'string', value: same, size: length },
  BOOLEAN: { type: 'boolean', value: same },
  ...Object.fromEntries(['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'UTINYINT', 'USMALLINT', 'UINTEGER'].map((name) => [name, { type: 'int64', value: (x: string) => `CAST(${x} AS BIGINT)` } satisfies ReadColumn])),
  UBIGINT: { type: 'decimal(20,0)', value: (x) => `CAST(${x} AS DECIMAL(20,0))` },
  HUGEINT: WIDE,
  UHUGEINT: WIDE,
  DOUBLE: { type: 'double', value: same },
  // The nearest double of a float has digits that the float never had.
  FLOAT: { type: 'double', value: (x) => `CAST(${text(x)} AS DOUBLE)` },
  DATE: { type: 'date', value: same, holds: (x) => `(${x} IS NULL OR ${x} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31')` },
  'TIMESTAMP WITH TIME ZONE': { type: 'timestamp', value: same, holds: times('TIMESTAMPTZ', '+00') },
  ...Object.fromEntries(['TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS'].map((name) => [name, { type: 'timestamp_local', value: (x: string) => `CAST(${x} AS TIMESTAMP)`, holds: times('TIMESTAMP', '') } satisfies ReadColumn])),
  BLOB: { type: 'string', value: (x) => `lower(hex(${x}))`, size: (x) => `coalesce(octet_length(${x}), 0)` },
  JSON: { type: 'json', value: same, size: (x) => length(text(x)) },
}

/** Of these a Parquet file would hold another value, inside of a list or a struct. */
const UNTRUE = /HUGEINT|UNION|BIT\b|TIME WITH TIME ZONE|TIME_NS|VARIANT|GEOMETRY|BIGNUM|INTERVAL/

/** @throws SluiceError SOURCE_UNSUITABLE */
export function columnOf(name: string, declared: string): ReadColumn {
  const known = COLUMNS[declared]
  if (known !== undefined) return known
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(declared) ?? []
  if (precision !== undefined && scale !== undefined) return { type: `decimal(${Number(precision)},${Number(scale)})`, value: same }
  if (!isNested(declared)) return TEXT
  if (UNTRUE.test(declared.replace(/"[^"]*"/g, ''))) throw new SluiceError('SOURCE_UNSUITABLE', `The column ${name} is ${declared}, which no file of ours holds exactly.`, { hint: 'Read it with query= and a cast, such as CAST(… AS VARCHAR).' })
  // As JSON of DuckDB's own making 1.10 would become 1.1: it lies in the file as what it is.
  return { type: 'json', value: same, size: (x) => length(text(x)) }
}

/** Lists, arrays, structs, maps. */
export function isNested(declared: string): boolean {
  return declared.endsWith(']') || /^(STRUCT|MAP|UNION)\b/.test(declared)
}
