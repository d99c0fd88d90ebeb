/**
 * The console inside its process: views of the tables, settings that nothing can change any more, and one query at a time
 * with its values in the exact form of `Value`.
 */
import type { AnswerColumn } from '../../core/console.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Row } from '../../core/schema.ts'
import type { ColumnType } from '../../core/types.ts'
import { valueSql } from '../../resolve/duckdb-batch.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { firstStatement, lineAndColumn } from '../../sql/statement.ts'
import type { Connection, Database } from './database.ts'
import { FUNCTIONS_SQL, checkQuery } from './gate.ts'
import type { ConsoleFile, ConsoleSetup } from './protocol.ts'

/** Name of a file among the databases of the process. */
const ATTACHED = 'sluice_file'

/** In this order: what may be opened, then that nothing else may, then that this stays so. */
const LOCKS = [
  'SET allow_community_extensions = false',
  'SET allow_persistent_secrets = false',
  'SET enable_external_access = false',
  'SET lock_configuration = true',
]

/** The second wall, behind the gate: this process opens these files, and nothing that a query says changes that. */
export async function lockDown(connection: Connection, files: readonly string[], spill: number): Promise<void> {
  await connection.exec(`SET allowed_paths = [${files.map(quoteText).join(', ')}]`)
  await connection.exec(`SET max_temp_directory_size = '${spill}B'`)
  for (const lock of LOCKS) await connection.exec(lock)
}

export class Asked {
  private readonly connection: Connection
  private readonly tables: readonly string[]
  private readonly functions: ReadonlySet<string>
  /** What was asked, and how it is put to DuckDB. */
  private one = ''
  private sql = ''

  private constructor(connection: Connection, tables: readonly string[], functions: ReadonlySet<string>) {
    this.connection = connection
    this.tables = tables
    this.functions = functions
  }

  static async open(database: Database, { relations, file, spill }: ConsoleSetup): Promise<Asked> {
    const connection = await database.connect()
    // Before a file is attached: its macros are not for the console.
    const functions = new Set((await connection.rows(FUNCTIONS_SQL)).map(({ name }) => String(name)))
    for (const { name, select } of relations) await connection.exec(`CREATE VIEW ${quoteName(name)} AS ${select}`)
    const attached = file === undefined ? [] : await attach(connection, file)
    // The file is open already, so nobody need be able to open it again.
    await lockDown(connection, relations.flatMap(({ files }) => files), spill)
    return new Asked(connection, [...relations.map(({ name }) => name), ...attached], functions)
  }

  /** What a query may name: `items`, and `raw.items` of a file that has schemas. */
  get names(): readonly string[] {
    return this.tables
  }

  /** Checks the query and answers its columns; `rows` then streams it. */
  async ask(sql: string): Promise<AnswerColumn[]> {
    const [answer] = await this.connection.rows(`SELECT CAST(json_serialize_sql(${textOf(sql)}) AS VARCHAR) AS tree`)
    checkQuery(sql, String(answer?.['tree']), this.tables, this.functions)
    const one = firstStatement(sql)
    const columns = await this.connection.describe(one).catch((thrown: unknown) => {
      throw queryError(thrown, sql, 0)
    })
    const typed = columns.map(({ name, type }) => ({ name, declared: type, ...shapeOf(type) }))
    const names = typed.map((_, at) => `c${at}`)
    this.one = one
    this.sql = `SELECT ${typed.map(({ value }, at) => `${value(`c${at}`)} AS c${at}`).join(', ')} FROM (\n${one}\n) AS q(${names.join(', ')})`
    return typed.map(({ name, type, declared }) => ({ name, type, declared }))
  }

  async *rows(): AsyncGenerator<Row[]> {
    try {
      yield* this.connection.stream(this.sql)
    } catch (thrown) {
      throw queryError(thrown, this.one, 1)
    }
  }
}

/**
 * The tables of a file as views of the same names, in schemas of the same names. Its own views are left out: they may read
 * whatever they like.
 */
async function attach(connection: Connection, { path, hidden }: ConsoleFile): Promise<string[]> {
  await connection.exec(`ATTACH ${quoteText(path)} AS ${ATTACHED} (TYPE duckdb, READ_ONLY)`)
  const found = await connection.rows(`SELECT schema_name AS "schema", table_name AS name FROM duckdb_tables() WHERE database_name = ${quoteText(ATTACHED)} AND lower(schema_name) <> ${quoteText(hidden)} ORDER BY schema_name <> 'main', 1, 2`)
  for (const { schema, name } of found) {
    const at = `${quoteName(String(schema))}.${quoteName(String(name))}`
    await connection.exec(`CREATE SCHEMA IF NOT EXISTS memory.${quoteName(String(schema))}`)
    await connection.exec(`CREATE VIEW memory.${at} AS SELECT * FROM ${ATTACHED}.${at}`)
  }
  return found.map(({ schema, name }) => (schema === 'main' ? String(name) : `${String(schema)}.${String(name)}`))
}

/** @throws SluiceError SQL_INVALID for a text that no parser takes */
function textOf(sql: string): string {
  if (sql.includes('\0')) throw new SluiceError('SQL_INVALID', 'The query holds a NUL character.')
  return quoteText(sql)
}

interface Shape {
  type: ColumnType
  /** Gives the value as BIGINT, DOUBLE, BOOLEAN or text in the form of `Value`. */
  value: (x: string) => string
}

const text = (x: string): string => `CAST(${x} AS VARCHAR)`
const SHAPES: Readonly<Record<string, Shape>> = {
  BOOLEAN: { type: 'boolean', value: (x) => x },
  ...Object.fromEntries(['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'UTINYINT', 'USMALLINT', 'UINTEGER'].map((name) => [name, { type: 'int64', value: (x: string) => `CAST(${x} AS BIGINT)` }])),
  ...Object.fromEntries(['UBIGINT', 'HUGEINT', 'UHUGEINT'].map((name) => [name, { type: 'decimal(38,0)', value: text }])),
  DOUBLE: { type: 'double', value: (x) => x },
  // The nearest double of a float has digits that the float never had.
  FLOAT: { type: 'double', value: (x) => `CAST(${text(x)} AS DOUBLE)` },
  DATE: { type: 'date', value: (x) => `coalesce(strftime(${x}, '%Y-%m-%d'), ${text(x)})` },
  'TIMESTAMP WITH TIME ZONE': { type: 'timestamp', value: (x) => valueSql({ name: '', type: 'timestamp' }, x) },
  ...Object.fromEntries(['TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS'].map((name) => [name, { type: 'timestamp_local', value: (x: string) => valueSql({ name: '', type: 'timestamp_local' }, `CAST(${x} AS TIMESTAMP)`) }])),
  BLOB: { type: 'string', value: (x) => `lower(hex(${x}))` },
  JSON: { type: 'json', value: text },
}

/** What is not listed is its own text (UUID, ENUM, TIME, INTERVAL …); maps and unions are JSON. */
export function shapeOf(declared: string): Shape {
  const known = SHAPES[declared]
  if (known !== undefined) return known
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(declared)
  if (decimal !== null) return { type: `decimal(${Number(decimal[1])},${Number(decimal[2])})`, value: text }
  if (!/[\])]$/.test(declared) || declared.startsWith('ENUM')) return { type: 'string', value: text }
  const type = nestedType(declared)
  return type === null ? { type: 'json', value: (x) => `CAST(to_json(${x}) AS VARCHAR)` } : { type, value: (x) => valueSql({ name: '', type }, x) }
}

const SCALARS: Readonly<Record<string, string>> = { VARCHAR: 'string', BOOLEAN: 'boolean', BIGINT: 'int64', INTEGER: 'int64', SMALLINT: 'int64', TINYINT: 'int64', DOUBLE: 'double', DATE: 'date', TIMESTAMP: 'timestamp_local', 'TIMESTAMP WITH TIME ZONE': 'timestamp' }

/** Lists and structs of scalars that have a type of ours; null: they are told as JSON. */
function nestedType(declared: string): ColumnType | null {
  if (declared.endsWith('[]')) {
    const element = innerType(declared.slice(0, -2))
    return element === null ? null : `list<${element}>`
  }
  const [, inside] = /^STRUCT\((.*)\)$/s.exec(declared) ?? []
  if (inside === undefined) return null
  const members = membersOf(inside)
  if (members === null) return null
  const types = members.map(({ name, type }) => ({ name, type: innerType(type) }))
  const folded = new Set(types.map(({ name }) => name.toLowerCase()))
  if (folded.size < types.length || types.some(({ name, type }) => type === null || !/^[A-Za-z_]\w*$/.test(name))) return null
  return `struct<${types.map(({ name, type }) => `${name}:${type ?? ''}`).join(',')}>`
}

function innerType(declared: string): string | null {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(declared)
  if (decimal !== null) return `decimal(${decimal[1]},${decimal[2]})`
  return SCALARS[declared] ?? nestedType(declared)
}

/** `"a" INTEGER, "b" DECIMAL(2,1)[]` */
function membersOf(inside: string): { name: string; type: string }[] | null {
  const members: { name: string; type: string }[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at <= inside.length; at++) {
    const sign = inside[at]
    if (sign === '"') {
      at = inside.indexOf('"', at + 1)
      if (at < 0) return null
    } else if (sign === '(') depth++
    else if (sign === ')') depth--
    else if (depth === 0 && (sign === ',' || sign === undefined)) {
      const [, name, type] = /^\s*"([^"]*)" (.*)$/s.exec(inside.slice(from, at)) ?? []
      if (name === undefined || type === undefined) return null
      members.push({ name, type })
      from = at + 1
    }
  }
  return members
}

/** What DuckDB says of a query of a user: its fault, unless the machine ran out of something. `above`: lines of ours before it. */
export function queryError(thrown: unknown, sql: string, above: number): unknown {
  if (!(thrown instanceof SluiceError) || thrown.code !== 'ENGINE_FAILED') return thrown
  const said = (thrown.cause instanceof Error ? thrown.cause.message : thrown.message).split('\nin: ')[0] ?? ''
  const [head = '', ...rest] = said.split(/\n\s*LINE /)
  const sentence = head.replace(/^(\w+ )+Error: /, '').replace(/\s+/g, ' ').trim().replace(/[.!]$/, '')
  const at = rest[0] === undefined ? null : pointOf(rest[0], sql, above)
  const place = at === null ? '' : ` (${lineAndColumn(sql, at)})`
  const isText = /^(Parser|Syntax|Binder|Catalog) Error/.test(said)
  return new SluiceError(isText ? 'SQL_INVALID' : 'SQL_FAILED', `${sentence}${place}.`, { cause: thrown, ...(at === null ? {} : { where: { offset: Buffer.byteLength(sql.slice(0, at)) } }) })
}

/** Index of the place that `1: select nosuch\n               ^` points at; null where the text is shortened. */
function pointOf(shown: string, sql: string, above: number): number | null {
  const [first = '', second = ''] = shown.split('\n')
  const [, number, line] = /^(\d+): (.*)$/s.exec(first) ?? []
  const caret = second.indexOf('^') - `LINE ${number}: `.length
  if (number === undefined || line === undefined || line.startsWith('...') || caret < 0) return null
  const lines = sql.split('\n')
  const index = Number(number) - 1 - above
  if (index < 0) return null
  return lines.slice(0, index).reduce((sum, one) => sum + one.length + 1, 0) + caret
}

