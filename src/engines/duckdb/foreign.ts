/**
 * Rows of a user's Parquet file as JSON texts: DuckDB decodes the pages and writes every value as text that loses nothing.
 *
 * An instance of its own, made when the first such file comes: a file that breaks it takes nothing else along.
 */
import { DuckDBInstance, DuckDBTypeId } from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import type { ForeignColumn, ForeignRows } from '../../formats/parquet-in/reader.ts'
import type { Lying } from '../../formats/parquet-in/lossless.ts'
import { FileFault } from '../../formats/sink.ts'
import { decimalSql } from '../../resolve/nested.ts'
import { quoteText } from '../../sql/quote.ts'
import { databaseError } from './database.ts'
import { keepWholeTexts } from './decoding.ts'
import { forgetConnection, running, watchConnection } from './motion.ts'

export class ForeignParquet {
  private readonly memory: number
  private instance: DuckDBInstance | null = null

  /** @param memory bytes that it may hold */
  constructor(memory: number) {
    this.memory = memory
  }

  readonly rows: ForeignRows = (path, columns) => this.read(path, columns)

  private async *read(path: string, told: readonly ForeignColumn[]): AsyncGenerator<readonly string[]> {
    const connection = await this.connect()
    watchConnection(connection)
    try {
      await connection.run("SET TimeZone = 'UTC'")
      // What a producer says of geometries besides the schema is not looked at.
      await connection.run('SET enable_geoparquet_conversion = false')
      if (told.some(({ lying }) => lying.includes('int96'))) for (const sql of INT96_MACROS) await connection.run(sql)
      const columns = told.map((_, i) => `c${i}`)
      const from = `read_parquet(${quoteText(path)}, hive_partitioning = false, filename = false, union_by_name = false) AS t(${columns.join(', ')})`
      const types = (await running(() => connection.run(`SELECT * FROM ${from} LIMIT 0`))).columnTypes()
      if (types.length !== told.length) throw new FileFault('PARQUET_INVALID', `The schema names ${told.length} columns, and ${types.length} can be read.`, 0)
      const result = await running(() => connection.stream(`SELECT ${lineSql(told, types)} FROM ${from}`))
      for (;;) {
        const chunk = await running(() => result.fetchChunk())
        if (chunk === null || chunk.rowCount === 0) return
        yield chunk.getColumnValues(0) as string[]
      }
    } catch (thrown) {
      throw this.faultOf(thrown)
    } finally {
      forgetConnection(connection)
      connection.closeSync()
    }
  }

  private async connect(): Promise<DuckDBConnection> {
    keepWholeTexts()
    // One thread: a row group is decoded after the other, and rows come in their order.
    this.instance ??= await DuckDBInstance.create(':memory:', {
      threads: '1',
      memory_limit: `${this.memory}B`,
      // Rows pass through; what would have to be spilled is refused.
      temp_directory: '',
      preserve_insertion_order: 'true',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    })
    return this.instance.connect()
  }

  private faultOf(thrown: unknown): unknown {
    if (thrown instanceof FileFault) return thrown
    const error = databaseError(thrown, 'reading Parquet')
    // A broken invariant makes an instance useless; the next file gets a fresh one.
    if (/INTERNAL|FATAL|invalidated/.test(error.message)) this.close()
    if (error.code === 'DISK_FULL' || error.code === 'IO_FAILED') return error.code === 'DISK_FULL' ? error : new FileFault('PARQUET_INVALID', `The Parquet file cannot be read: ${firstLine(error.message)}.`, 0)
    if (error.code === 'MEMORY_EXHAUSTED') return new FileFault('MEMORY_EXHAUSTED', `Its row groups need more than the ${this.memory} bytes that are granted for reading.`, 0)
    const unsupported = /unsupported|not supported|only supported|not implemented|unimplemented|requires two children/i.test(error.message)
    return new FileFault(unsupported ? 'PARQUET_UNSUPPORTED' : 'PARQUET_INVALID', `The Parquet file cannot be read: ${firstLine(error.message)}.`, 0)
  }

  close(): void {
    this.instance?.closeSync()
    this.instance = null
  }
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/\.$/, '').slice(0, 300)
}

/** One row as a JSON object. NaN and the infinities stand bare: the scanner is told that they may. */
function lineSql(columns: readonly ForeignColumn[], types: readonly DuckDBType[]): string {
  const members = columns.map(({ name, lying }, i) => `${quoteText(`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`)}, ${columnSql(name, lying, types[i] as DuckDBType, `c${i}`)}`)
  return `concat(${members.join(', ')}, '}')`
}

const { BOOLEAN, TINYINT, SMALLINT, INTEGER, BIGINT, UTINYINT, USMALLINT, UINTEGER, UBIGINT, HUGEINT, FLOAT, DOUBLE, DECIMAL, VARCHAR, ENUM, BLOB, SQLNULL } = DuckDBTypeId
const { DATE, TIME, TIME_TZ, TIME_NS, TIMESTAMP, TIMESTAMP_S, TIMESTAMP_MS, TIMESTAMP_NS, TIMESTAMP_TZ, INTERVAL, UUID, LIST, ARRAY, STRUCT, MAP, VARIANT, GEOMETRY, UHUGEINT, UNION, BIT, ANY, BIGNUM, STRING_LITERAL, INTEGER_LITERAL } = DuckDBTypeId

/** @throws FileFault PARQUET_UNSUPPORTED */
function columnSql(name: string, lying: readonly Lying[], type: DuckDBType, of: string): string {
  if (lying.every((leaf) => leaf === 'as said')) return new ValueSql([]).json(type, of, 0)
  const sql = new ValueSql(lying)
  const text = sql.json(type, of, 0)
  // A leaf that DuckDB shows as something else than a leaf: which of them lies is not known any more.
  if (sql.leaves !== lying.length) throw new FileFault('PARQUET_UNSUPPORTED', `The Parquet file cannot be read: ${name} holds times of nanoseconds beside a VARIANT; write them as microseconds.`, 0)
  return text
}

/** An INT96 is the nanoseconds of a day (8 bytes) and its Julian number (4 bytes), both little endian. */
const INT96_MACROS = [
  `CREATE OR REPLACE TEMP MACRO number_of(h, n) AS ('0x' || list_aggregate(list_transform(range(n, 0, -1), lambda i: substr(h, (2 * i - 1)::BIGINT, 2)), 'string_agg', ''))::UBIGINT`,
  `CREATE OR REPLACE TEMP MACRO int96_ns(h) AS (number_of(substr(h, 17), 4)::HUGEINT - 2440588) * 86400000000000 + number_of(h, 8)::HUGEINT`,
  `CREATE OR REPLACE TEMP MACRO instant_text(ns) AS CASE WHEN ns BETWEEN -62135596800000000000 AND 253402300799999999999
    THEN strftime(make_timestamp(((ns - ((ns % 1000 + 1000) % 1000)) // 1000)::BIGINT), '"%Y-%m-%dT%H:%M:%S.%f') || lpad(((ns % 1000 + 1000) % 1000)::VARCHAR, 3, '0') || '"'
    ELSE '"' || ns::VARCHAR || ' ns"' END`,
  'CREATE OR REPLACE TEMP MACRO int96_text(x) AS instant_text(int96_ns(hex(x)))',
]

/** Of Parquet's columns: what is nested is made of leaves. */
function isLeaf({ typeId }: DuckDBType): boolean {
  return typeId !== LIST && typeId !== ARRAY && typeId !== STRUCT && typeId !== MAP
}

/** Values of a type as JSON texts. Leaves are counted as they come: their order is that of the file's schema. */
class ValueSql {
  private readonly lying: readonly Lying[]
  leaves = 0

  constructor(lying: readonly Lying[]) {
    this.lying = lying
  }

  /** Never null. */
  json(type: DuckDBType, of: string, level: number): string {
    return `coalesce(${this.value(type, of, level)}, 'null')`
  }
  /** The same; null for null. */
  private value(type: DuckDBType, of: string, level: number): string {
    const lying = isLeaf(type) ? this.lying[this.leaves++] : undefined
    if (lying === 'int96') return level === 0 ? `int96_text(${of})` : `regexp_replace(int96_text(${of}), '\\.?0*"$', '"')`
    if (lying === 'utc nanoseconds') return `'"' || replace(${of}::VARCHAR, ' ', 'T') || 'Z"'`
    if (lying === 'nanoseconds of a day') return `'"' || regexp_replace(${of}::VARCHAR, '^1970-01-01 ', '') || '"'`
    const quoted = (text: string): string => `'"' || ${text} || '"'`
    switch (type.typeId) {
      case SQLNULL:
        return 'NULL'
      case BOOLEAN: case TINYINT: case SMALLINT: case INTEGER: case BIGINT: case UTINYINT: case USMALLINT: case UINTEGER: case UBIGINT: case HUGEINT:
        return `${of}::VARCHAR`
      case FLOAT: case DOUBLE: {
        const special = `CASE WHEN isnan(${of}) THEN 'NaN' WHEN ${of} > 0 THEN 'Infinity' ELSE '-Infinity' END`
        return `CASE WHEN isfinite(${of}) THEN ${of}::DOUBLE::VARCHAR WHEN ${of} IS NOT NULL THEN ${level === 0 ? special : quoted(special)} END`
      }
      case DECIMAL:
        return decimalSql({ kind: 'decimal', precision: type.width, scale: type.scale }, of)
      case VARCHAR:
        return type.alias === 'JSON' ? `${of}::VARCHAR` : `to_json(${of})::VARCHAR`
      case ENUM:
        return `to_json(${of}::VARCHAR)::VARCHAR`
      case VARIANT:
        return `to_json(${of})::VARCHAR`
      case BLOB:
        return quoted(`to_base64(${of})`)
      case GEOMETRY:
        return quoted(`to_base64(ST_AsWKB(${of}))`)
      case DATE: case TIME: case TIME_TZ: case TIME_NS: case INTERVAL: case UUID:
        return quoted(`${of}::VARCHAR`)
      case TIMESTAMP: case TIMESTAMP_S: case TIMESTAMP_MS: case TIMESTAMP_NS:
        return quoted(`replace(${of}::VARCHAR, ' ', 'T')`)
      case TIMESTAMP_TZ:
        return quoted(`replace(${of}::TIMESTAMP::VARCHAR, ' ', 'T') || 'Z'`)
      case LIST:
        return this.list(type.valueType, of, level)
      case ARRAY:
        return this.list(type.valueType, `${of}::${String(type.valueType)}[]`, level)
      case STRUCT: {
        const { entryNames, entryTypes } = type
        const members = entryNames.map((name, i) => `${quoteText(`${i === 0 ? '' : ','}${JSON.stringify(name)}:`)}, ${this.json(entryTypes[i] as DuckDBType, `struct_extract(${of}, ${quoteText(name)})`, level + 1)}`)
        return `CASE WHEN ${of} IS NOT NULL THEN concat('{', ${members.join(', ')}, '}') END`
      }
      case MAP: {
        const { keyType, valueType } = type
        const e = `e${level}`
        const key = this.json(keyType, `${e}."key"`, level + 1)
        const value = this.json(valueType, `${e}."value"`, level + 1)
        const text = keyType.typeId === VARCHAR && keyType.alias !== 'JSON'
        const entry = text ? `to_json(${e}."key")::VARCHAR || ':' || ${value}` : `concat('{"key":', ${key}, ',"value":', ${value}, '}')`
        const [open, close] = text ? ['{', '}'] : ['[', ']']
        return joined(`list_transform(map_entries(${of}), lambda ${e}: ${entry})`, of, open, close)
      }
      // Nothing of a Parquet file becomes these.
      case UHUGEINT: case UNION: case BIT: case ANY: case BIGNUM: case STRING_LITERAL: case INTEGER_LITERAL: default:
        throw new FileFault('PARQUET_UNSUPPORTED', `The Parquet file cannot be read: it has a column of the type ${String(type)}.`, 0)
    }
  }

  private list(type: DuckDBType, of: string, level: number): string {
    const e = `e${level}`
    return joined(`list_transform(${of}, lambda ${e}: ${this.json(type, e, level + 1)})`, of, '[', ']')
  }
}
function joined(list: string, of: string, open: string, close: string): string {
  return `CASE WHEN ${of} IS NOT NULL THEN concat('${open}', array_to_string(${list}, ','), '${close}') END`
}
