/**
 * How PostgreSQL keeps and compares what Sluice writes.
 *
 *   string → text COLLATE "C" · int64 → bigint · double → double precision · decimal(p,s) → numeric(p,s)
 *   timestamp → timestamptz · timestamp_local → timestamp · json, list, struct → json (the text is kept as it is written)
 *
 * Columns of tables that others made may also be uuid and enums, which are texts to Sluice, and jsonb, which is json. Their
 * values are read as PostgreSQL writes them, and texts that they refuse are rows that the database refuses.
 */
import { createHash } from 'node:crypto'
import { SluiceError } from '../../core/errors.ts'
import type { ColumnType, Value } from '../../core/schema.ts'
import { nodeOf } from '../../core/types.ts'
import type { Scalar } from '../../core/types.ts'
import type { SqlValue } from '../../core/effects.ts'
import type { Dialect, Names, StoredColumn } from '../../database/dialect.ts'
import { first } from '../../database/session.ts'
import type { DatabaseSession } from '../../database/session.ts'
import type { Check } from '../../database/work.ts'
import { quoteName } from '../../sql/quote.ts'

/** Bytes of a name; the server would cut what is longer, without a word. */
const MOST_NAME = 63
/** PostgreSQL takes 1,600 columns; some of them are Sluice's own, and dropped ones count. */
const MOST_COLUMNS = 1590
/** Where tables lie that are named without a schema. */
export const DEFAULT_SCHEMA = 'public'
export const OWN_SCHEMA = 'sluice'

const TYPES: Readonly<Record<Scalar, string>> = {
  string: 'text COLLATE "C"',
  boolean: 'boolean',
  int64: 'bigint',
  double: 'double precision',
  date: 'date',
  timestamp: 'timestamp with time zone',
  timestamp_local: 'timestamp without time zone',
  json: 'json',
}

/** `raw.events` → schema and table. */
export function partsOf(table: string): { schema: string; name: string } {
  const at = table.indexOf('.')
  return at < 0 ? { schema: DEFAULT_SCHEMA, name: table } : { schema: table.slice(0, at), name: table.slice(at + 1) }
}

/** The one name of a table, with its schema. */
export function fullName(table: string): string {
  const { schema, name } = partsOf(table)
  return `${schema}.${name}`
}

/** A name that fits; what does not is told apart by a hash. */
export function fitting(name: string): string {
  if (Buffer.byteLength(name) <= MOST_NAME) return name
  const mark = createHash('sha256').update(name).digest('hex').slice(0, 12)
  return `${Buffer.from(name).subarray(0, MOST_NAME - 13).toString('utf8').replace(/\uFFFD+$/, '')}_${mark}`
}

function names(table: string): Names {
  const { schema, name } = partsOf(table)
  const own = quoteName(OWN_SCHEMA)
  const there = `${quoteName(schema)}.${quoteName(name)}`
  const losers = `${own}.${quoteName(fitting(`losers_${schema}.${name}`))}`
  return {
    table: there,
    losers,
    keyIndex: { name: quoteName(fitting(`sluice_key_${name}`)), on: there },
    lateIndex: { name: quoteName(fitting(`late_${schema}.${name}`)), on: losers },
  }
}

function sqlType(type: ColumnType): string {
  const node = nodeOf(type)
  if (node.kind === 'decimal') return `numeric(${node.precision},${node.scale})`
  if (node.kind === 'list' || node.kind === 'struct') return 'json'
  return node.length === undefined ? TYPES[node.kind] : `character varying(${node.length}) COLLATE "C"`
}

function holds(stored: string, type: ColumnType): boolean {
  const node = nodeOf(type)
  switch (node.kind) {
    case 'string':
      return stored === 'text' || stored.startsWith('character varying') || isText(stored)
    case 'decimal': {
      const [, precision, scale = '0'] = /^numeric\((\d+),(-?\d+)\)$/.exec(stored) ?? []
      return stored === 'numeric' || (precision !== undefined && Number(scale) === node.scale && Number(precision) >= node.precision)
    }
    case 'json':
    case 'list':
    case 'struct':
      return stored === 'json' || stored === 'text' || stored === 'jsonb'
    case 'int64':
      return stored === 'bigint' || stored === 'integer' || stored === 'smallint'
    case 'boolean':
    case 'double':
    case 'date':
    case 'timestamp':
    case 'timestamp_local':
      return stored === TYPES[node.kind]
  }
}

/** Types of tables of others that are written and read as texts; the catalog's query marks enums. */
function isText(stored: string): boolean {
  return stored === 'uuid' || stored.startsWith(ENUM)
}

/** Its name in the catalog's query begins so. */
export const ENUM = 'enum '
/** `pg_temp` function that a session has when a table has a jsonb column: null for what jsonb cannot hold. */
export const JSONB = 'pg_temp.sluice_jsonb'

/** Types whose values are what Sluice has, perhaps written otherwise; char(n), real and times of less than microseconds are not. */
function typeOf(stored: string): ColumnType | null {
  const [, precision, scale] = /^numeric\((\d+),(\d+)\)$/.exec(stored) ?? []
  if (precision !== undefined && scale !== undefined) return Number(precision) <= 38 && Number(scale) <= Number(precision) ? `decimal(${Number(precision)},${Number(scale)})` : null
  const [, length] = /^character varying\((\d+)\)$/.exec(stored) ?? []
  if (length !== undefined) return `string(${Number(length)})`
  if (stored === 'character varying' || stored === 'text') return 'string'
  if (stored === 'integer' || stored === 'smallint') return 'int64'
  if (isText(stored)) return 'string'
  if (stored === 'jsonb') return 'json'
  const scalar = (Object.keys(TYPES) as Scalar[]).find((name) => TYPES[name] === stored)
  return scalar ?? null
}

function beside(type: ColumnType, stored: StoredColumn | undefined): string {
  return nodeOf(type).kind === 'string' && stored?.collation !== undefined ? `text COLLATE ${stored.collation}` : sqlType(type)
}

function checks(type: ColumnType, { name, type: stored, notNull, filled }: StoredColumn, isKey: boolean): Check[] {
  const found: Check[] = []
  // Of a column that is not in the batch the database would take its default, which null takes away.
  if (notNull === true) found.push({ column: name, when: (value) => `${value} IS NULL`, why: `${name} must not be null${filled === true ? ', and a record without it has null' : ''}.` })
  const range = { smallint: '32767', integer: '2147483647' }[stored]
  if (nodeOf(type).kind === 'int64' && range !== undefined) found.push({ column: name, when: (value) => `${value} NOT BETWEEN -${range} - 1 AND ${range}`, why: `${name} is ${stored}, and the number is beyond it.` })
  const [, length] = /^character varying\((\d+)\)$/.exec(stored) ?? []
  if (length !== undefined) found.push({ column: name, when: (value) => `char_length(${value}) > ${length}`, why: `${name} takes ${length} characters.` })
  // Keys were compared as texts when the batch was staged.
  if (stored === 'uuid' && isKey) found.push({ column: name, when: (value) => `${value} !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'`, why: `${name} is uuid and part of the key: it must be 8-4-4-4-12 digits in lower case.` })
  if (stored === 'jsonb') found.push({ column: name, when: (value) => `${value} IS NOT NULL AND ${JSONB}(${value}) IS NULL`, why: `${name} is jsonb, which cannot hold the value: \\u0000, half a surrogate pair, or a number beyond numeric.` })
  return found
}

function shown(type: ColumnType, expression: string): string {
  switch (nodeOf(type).kind) {
    case 'date':
      return `to_char(${expression}, 'YYYY-MM-DD')`
    case 'timestamp':
      return `to_char(${expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
    case 'timestamp_local':
      return `to_char(${expression}, 'YYYY-MM-DD"T"HH24:MI:SS.US')`
    case 'json':
    case 'list':
    case 'struct':
    case 'decimal':
      return `CAST(${expression} AS text)`
    case 'string':
    case 'boolean':
    case 'int64':
    case 'double':
      return expression
  }
}

function json(type: ColumnType, expression: string): string {
  switch (nodeOf(type).kind) {
    case 'string':
    case 'double':
      return `CAST(to_json(${expression}) AS text)`
    case 'date':
    case 'timestamp':
    case 'timestamp_local':
      return `'"' || ${shown(type, expression)} || '"'`
    case 'json':
    case 'list':
    case 'struct':
    case 'decimal':
    case 'boolean':
    case 'int64':
      return `CAST(${expression} AS text)`
  }
}

function content(type: ColumnType, expression: string, stored?: StoredColumn): string {
  const { kind } = nodeOf(type)
  if (stored?.type === 'jsonb') return `${JSONB}(${expression})`
  if (stored?.type === 'uuid') return `lower(${expression}) COLLATE "C"`
  if (kind === 'string') return `${expression} COLLATE "C"`
  return kind === 'json' || kind === 'list' || kind === 'struct' ? `CAST(${expression} AS text)` : expression
}

function value(answer: SqlValue | undefined): Value {
  return answer === undefined || answer instanceof Uint8Array ? null : answer
}

/** See `Dialect.dragged`: the server asks for every foreign key, whoever made the table. */
async function dragged(session: DatabaseSession, table: string): Promise<{ child: string; does: string } | null> {
  const found = await first(session, `SELECT conrelid::regclass::text AS child, CASE confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END AS does
    FROM pg_constraint WHERE contype = 'f' AND confrelid = to_regclass($1) AND conrelid <> confrelid AND confdeltype IN ('c', 'n', 'd') LIMIT 1`, [names(table).table])
  return found === undefined ? null : { child: String(found['child']), does: String(found['does']) }
}

export const postgres: Dialect = {
  product: 'PostgreSQL',
  format: 1,
  integer: 'BIGINT',
  mostColumns: MOST_COLUMNS,
  ending: '',
  indexes: true,
  adopts: true,
  ownRefuse: true,
  savepoints: true,
  idsStay: false,
  own: (table) => `${quoteName(OWN_SCHEMA)}.${quoteName(table)}`,
  names,
  deltaName: (table) => names(table).table,
  sqlType,
  holds,
  typeOf,
  beside,
  checks,
  shown,
  value,
  ordered: (type, expression) => (nodeOf(type).kind === 'string' ? `${expression} COLLATE "C"` : expression),
  content,
  foreign: {
    read: ({ type }, expression) => (isText(type) ? `CAST(${expression} AS text)` : type === 'jsonb' ? `CAST(${expression} AS json)` : expression),
    write: ({ type }, expression) => (isText(type) ? `CAST(${expression} AS ${type.replace(ENUM, '')})` : type === 'jsonb' ? `CAST(${expression} AS jsonb)` : expression),
    // A uuid is found by its index; a text that is no value of an enum is in no row.
    met: ({ type }, column, value) => (type === 'uuid' ? [column, `CAST(${value} AS uuid)`] : type.startsWith(ENUM) ? [`CAST(${column} AS text)`, value] : [column, value]),
  },
  json,
  rowId: () => 'ctid',
  dragged,
  checkOrder(_, schema) {
    // Longer names would be cut by the server, and two could become one.
    const long = schema.find(({ name }) => Buffer.byteLength(name) > MOST_NAME)
    if (long === undefined) return
    throw new SluiceError('TABLE_UNSUPPORTED', `The name of the column ${long.name} has ${Buffer.byteLength(long.name)} bytes; PostgreSQL takes ${MOST_NAME}.`, {
      where: { column: long.name },
      hint: 'Rename the member, or declare the columns that matter with --columns.',
    })
  },
}
