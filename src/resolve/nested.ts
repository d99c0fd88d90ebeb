/**
 * Lists and structs in DuckDB's SQL: from the text that parts carry (`formats/typing/nested.ts`), and to the one JSON text
 * that a `Value` is.
 */
import { nodeOf } from '../core/types.ts'
import type { ColumnType, DecimalNode, Scalar, TypeNode } from '../core/types.ts'
import { quoteName, quoteText } from '../sql/quote.ts'

const DUCK_TYPES: Readonly<Record<Scalar, string>> = {
  string: 'VARCHAR',
  boolean: 'BOOLEAN',
  int64: 'BIGINT',
  double: 'DOUBLE',
  date: 'DATE',
  timestamp: 'TIMESTAMPTZ',
  timestamp_local: 'TIMESTAMP',
  json: 'VARCHAR',
}

export function duckType(type: ColumnType): string {
  return duckTypeOf(nodeOf(type))
}

function duckTypeOf(node: TypeNode): string {
  if (node.kind === 'decimal') return `DECIMAL(${node.precision},${node.scale})`
  if (node.kind === 'list') return `${duckTypeOf(node.element)}[]`
  if (node.kind === 'struct') return `STRUCT(${node.members.map(({ name, type }) => `${quoteName(name)} ${duckTypeOf(type)}`).join(', ')})`
  return DUCK_TYPES[node.kind]
}

/** A list or struct of the text in a part. Values arrive as strings; casting them is exact, reading them as JSON is not. */
export function ofTextSql(type: ColumnType, expression: string): string {
  return `CAST(from_json(${expression}, ${quoteText(JSON.stringify(shapeOf(nodeOf(type))))}) AS ${duckType(type)})`
}

type Shape = 'VARCHAR' | [Shape] | { [name: string]: Shape }

function shapeOf(node: TypeNode): Shape {
  if (node.kind === 'list') return [shapeOf(node.element)]
  if (node.kind === 'struct') return Object.fromEntries(node.members.map(({ name, type }) => [name, shapeOf(type)]))
  return 'VARCHAR'
}

/** JSON text of a value of any type, NULL for none: numbers with all digits of their type, members in declared order. */
export function jsonTextSql(type: ColumnType, expression: string): string {
  return textOf(nodeOf(type), expression, 1)
}

function textOf(node: TypeNode, x: string, depth: number): string {
  switch (node.kind) {
    case 'json':
      return x
    case 'string':
    case 'double':
      return `CAST(to_json(${x}) AS VARCHAR)`
    case 'int64':
    case 'boolean':
      return `CAST(${x} AS VARCHAR)`
    case 'decimal':
      return decimalSql(node, x)
    case 'date':
    case 'timestamp':
    case 'timestamp_local':
      return `'"' || ${timeSql(node.kind, x)} || '"'`
    case 'list': {
      const element = `e${depth}`
      return `(CASE WHEN ${x} IS NULL THEN NULL ELSE '[' || array_to_string(list_transform(${x}, lambda ${element}: coalesce(${textOf(node.element, element, depth + 1)}, 'null')), ',') || ']' END)`
    }
    case 'struct': {
      const members = node.members.map(({ name, type }, at) => `${quoteText(`${at === 0 ? '' : ','}${JSON.stringify(name)}:`)} || coalesce(${textOf(type, `(${x}).${quoteName(name)}`, depth)}, 'null')`)
      return `(CASE WHEN ${x} IS NULL THEN NULL ELSE '{' || ${members.join(' || ')} || '}' END)`
    }
  }
}

/** A decimal with all digits of its scale. DuckDB writes `.05` where all digits are fraction: no JSON, and no text of `decimalText`. */
export function decimalSql({ precision, scale }: DecimalNode, expression: string): string {
  const text = `CAST(${expression} AS VARCHAR)`
  return precision === scale ? `regexp_replace(${text}, '^(-?)\\.', '\\10.')` : text
}

/** Dates and timestamps as text of fixed width, as `Value` has them. */
export function timeSql(kind: 'date' | 'timestamp' | 'timestamp_local', expression: string): string {
  if (kind === 'date') return `strftime(${expression}, '%Y-%m-%d')`
  if (kind === 'timestamp') return `strftime(${expression} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')`
  return `strftime(${expression}, '%Y-%m-%dT%H:%M:%S.%f')`
}
