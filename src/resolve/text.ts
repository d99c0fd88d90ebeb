/**
 * Records as text in DuckDB's SQL: one line per record, byte for byte what `formats/json/write.ts` and `formats/csv/write.ts`
 * make of its values. A record that its format cannot hold has no line (NULL); those writers say why.
 *
 * Why not by these writers alone: docs/decisions/text-by-sql.md.
 */
import type { Column, ColumnType, Schema } from '../core/schema.ts'
import { isString, nodeOf } from '../core/types.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { decimalSql, jsonTextSql, timeSql } from './nested.ts'

/** An expression over one record. */
type Sql = string

/** The line of a record, without its end. */
export function lineSql(schema: Schema, to: 'ndjson' | 'json' | 'csv', escapeFormulas: boolean): Sql {
  if (to === 'csv') return csvLine(schema, escapeFormulas)
  const members = schema.map((column, at) => `${quoteText(`${at === 0 ? '{' : ','}${JSON.stringify(column.original ?? column.name)}:`)} || ${jsonOf(column)}`)
  return schema.length === 0 ? quoteText('{}') : `${members.join(' || ')} || '}'`
}

/** Whether a record has no line; null: every one has. */
export function noLineSql(schema: Schema, to: 'ndjson' | 'json' | 'csv'): Sql | null {
  const [only, ...others] = schema
  // Readers skip empty lines, and only a line of one field can be empty.
  if (to === 'csv') return only !== undefined && others.length === 0 ? `${quoteName(only.name)} IS NULL` : null
  const doubles = schema.filter(({ type }) => type === 'double')
  return doubles.length === 0 ? null : doubles.map(({ name }) => `NOT isfinite(${quoteName(name)})`).join(' OR ')
}

function jsonOf({ name, type }: Column): Sql {
  const x = quoteName(name)
  if (type === 'double') return `CASE WHEN ${x} IS NULL THEN 'null' WHEN isfinite(${x}) THEN ${doubleSql(x)} END`
  const text = isString(type) ? jsonString(x) : plainSql(type, x)
  const quoted = type === 'date' || type === 'timestamp' || type === 'timestamp_local'
  return `coalesce(${quoted ? `'"' || ${text} || '"'` : text}, 'null')`
}

function csvLine(schema: Schema, escapeFormulas: boolean): Sql {
  const fields = schema.map(({ name, type }) => {
    const x = quoteName(name)
    if (type === 'double') return `coalesce(CASE WHEN isnan(${x}) THEN 'NaN' WHEN isinf(${x}) THEN CASE WHEN ${x} > 0 THEN 'Infinity' ELSE '-Infinity' END ELSE ${doubleSql(x)} END, '')`
    const text = plainSql(type, x)
    return `coalesce(${isText(type) ? field(text, escapeFormulas) : text}, '')`
  })
  const line = fields.length === 0 ? `''` : fields.join(` || ',' || `)
  return fields.length === 1 ? `nullif(${line}, '')` : line
}

function isText(type: ColumnType): boolean {
  const { kind } = nodeOf(type)
  return kind === 'string' || kind === 'json' || kind === 'list' || kind === 'struct'
}

/** The text of a value without quotes around it; NULL for NULL. Not for doubles. */
function plainSql(type: ColumnType, x: Sql): Sql {
  const node = nodeOf(type)
  switch (node.kind) {
    case 'string':
    case 'json':
      return x
    case 'boolean':
    case 'int64':
      return `CAST(${x} AS VARCHAR)`
    case 'decimal':
      return decimalSql(node, x)
    case 'date':
      return timeSql('date', x)
    case 'timestamp':
    case 'timestamp_local':
      // Milliseconds, or microseconds where there are any.
      return `CASE WHEN epoch_us(${x}) % 1000 = 0 THEN ${timeSql(node.kind, x).replace('%f', '%g')} ELSE ${timeSql(node.kind, x)} END`
    case 'list':
    case 'struct':
      return jsonTextSql(type, x)
    case 'double':
      return doubleSql(x)
  }
}

/** What `\s` of JavaScript is; RE2's own knows ASCII alone. */
const SPACE = String.raw`\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
const MUST_QUOTE = String.raw`[",\r\n;\t|]|^[${SPACE}#]|[${SPACE}]$`
const FORMULA = String.raw`^[=+\-@\t\r]`

function field(text: Sql, escapeFormulas: boolean): Sql {
  const value = escapeFormulas ? `CASE WHEN regexp_matches(${text}, '${FORMULA}') THEN '''' || ${text} ELSE ${text} END` : text
  return `CASE WHEN ${text} = '' OR regexp_matches(${value}, '${MUST_QUOTE}') THEN '"' || replace(${value}, '"', '""') || '"' ELSE ${value} END`
}

const COMMON: readonly [number, string][] = [[0x5c, '\\\\'], [0x22, '\\"'], [0x0a, '\\n'], [0x0d, '\\r'], [0x09, '\\t']]
/** Control characters that are seldom met: a replacement each. */
const RARE: readonly [number, string][] = Array.from({ length: 32 }, (_, code): [number, string] => [code, JSON.stringify(String.fromCharCode(code)).slice(1, -1)]).filter(([code]) => !COMMON.some(([common]) => common === code))

function replaced(x: Sql, what: readonly [number, string][]): Sql {
  return what.reduce((sql, [code, by]) => `replace(${sql}, chr(${code}), ${quoteText(by)})`, x)
}

function jsonString(x: Sql): Sql {
  const common = replaced(x, COMMON)
  return String.raw`CASE WHEN NOT regexp_matches(${x}, '["\\\x00-\x1f]') THEN '"' || ${x} || '"' WHEN regexp_matches(${x}, '[\x00-\x08\x0b\x0c\x0e-\x1f]') THEN '"' || ${replaced(common, RARE)} || '"' ELSE '"' || ${common} || '"' END`
}

/** The text of JavaScript for a finite double: the digits are the same, DuckDB only changes to exponents sooner, and pads them. */
function doubleSql(x: Sql): Sql {
  const text = `CAST(${x} AS VARCHAR)`
  const size = `abs(${x})`
  const sign = `CASE WHEN ${x} < 0 THEN '-' ELSE '' END`
  const digits = `replace(regexp_extract(${text}, '^-?([0-9.]+)', 1), '.', '')`
  const exponent = `CAST(regexp_extract(${text}, 'e([+-][0-9]+)$', 1) AS INTEGER)`
  return (
    `CASE WHEN ${x} = 0 OR (${size} >= 1e-4 AND ${size} < 1e15) THEN ${text} ` +
    `WHEN ${size} >= 1e-6 AND ${size} < 1e-4 THEN ${sign} || '0.' || repeat('0', -1 - ${exponent}) || ${digits} ` +
    `WHEN ${size} >= 1e15 AND ${size} < 1e21 THEN CASE WHEN ${text} LIKE '%e%' THEN ${sign} || rpad(${digits}, ${exponent} + 1, '0') || '.0' ELSE ${text} END ` +
    `ELSE regexp_replace(${text}, 'e([+-])0', 'e\\1') END`
  )
}
