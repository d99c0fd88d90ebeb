/**
 * An engine for tests of targets with SQL: stages in memory, hands its rows over as Parquet parts, and runs sessions on
 * DuckDB in this very process, so failpoint handlers of a test reach every step.
 */
import { join } from 'node:path'
import { REJECT_COLUMNS } from '../../src/core/engine.ts'
import type { Engine, Part, Staged } from '../../src/core/engine.ts'
import type { Row, Schema, Value } from '../../src/core/schema.ts'
import { Database } from '../../src/engines/duckdb/database.ts'
import type { Connection } from '../../src/engines/duckdb/database.ts'
import { isNested, nodeOf } from '../../src/core/types.ts'
import type { TypeNode } from '../../src/core/types.ts'
import { duckType } from '../../src/resolve/nested.ts'
import { quoteName, quoteText } from '../../src/sql/quote.ts'
import { collect } from '../contract/scene.ts'
import { minify, parseJson } from '../typing.ts'
import type { Json } from '../typing.ts'
import { memoryEngine } from './engine.ts'

/** @param folder existing folder for parts and for what spills */
export async function hybridEngine(folder: string): Promise<Engine> {
  const database = await Database.open({ threads: 2, memory: 200_000_000, temp: join(folder, 'spill') })
  const inner = memoryEngine()
  return {
    ...inner,
    async stage(job, on, signal) {
      const staged = await inner.stage(job, on, signal)
      const connection = await database.connect()
      try {
        return await asParquet(staged, inner, connection, job.folder)
      } finally {
        await connection.close()
      }
    },
    async session() {
      const connection = await database.connect()
      let open = true
      return {
        dialect: 'duckdb' as const,
        widen: (columns, times) => connection.widen(columns, times),
        exec: (sql) => connection.exec(sql),
        rows: (sql) => connection.rows(sql),
        copy: (point, select, uri) => connection.copy(point, select, uri),
        copyText: (point, select, quoted, uri) => connection.copyText(point, select, quoted, uri),
        async close() {
          if (open) await connection.close()
          open = false
        },
      }
    },
  }
}

async function asParquet(staged: Staged, inner: Engine, connection: Connection, folder: string): Promise<Staged> {
  const types = [...staged.schema.map(({ name, type }) => [name, isNested(type) ? 'VARCHAR' : duckType(type)] as const), ['_place', 'BIGINT'] as const]
  const rejectTypes = REJECT_COLUMNS.map((name) => [name, name === '_place' || name === 'offset' ? 'BIGINT' : 'VARCHAR'] as const)
  let n = 0
  const put = async (rows: Row[], columns: readonly (readonly [string, string])[]): Promise<Part[]> => {
    if (rows.length === 0) return []
    const uri = join(folder, `part-${++n}.parquet`)
    const casts = columns.map(([name, type], at) => `CAST(c${at} AS ${type}) AS ${quoteName(name)}`)
    const values = rows.map((row) => `(${columns.map((_, at) => literal(row[at] ?? null)).join(', ')})`)
    await connection.copy('test.part', `SELECT ${casts.join(', ')} FROM (VALUES ${values.join(', ')}) AS t(${columns.map((_, at) => `c${at}`).join(', ')})`, uri)
    return [{ uri, rows: rows.length }]
  }
  const rowsOf = (what: 'winners' | 'losers', of: Staged = staged): Promise<Row[]> => collect(inner.read(of, what))
  // Without losers every record is a winner: all records, those of arrivals that do not count among them.
  const records = await rowsOf('winners', { ...staged, losers: [], excluded: [] })
  return {
    ...staged,
    records: await put(asParts(records, staged.schema), types),
    losers: await put(asParts(await rowsOf('losers'), staged.schema), types),
    rejects: await put(await collect(inner.rejects(staged)), rejectTypes),
  }
}

/** Lists and structs lie in parts with every value inside as a string. */
function asParts(rows: readonly Row[], schema: Schema): Row[] {
  return rows.map((row) =>
    row.map((value, at) => {
      const type = schema[at]?.type
      return type !== undefined && isNested(type) && typeof value === 'string' ? quoted(parseJson(value), nodeOf(type)) : value
    }),
  )
}

function quoted(json: Json, node: TypeNode): string {
  if (json === null) return 'null'
  if (node.kind === 'list' && Array.isArray(json)) return `[${json.map((one) => quoted(one, node.element)).join(',')}]`
  if (node.kind === 'struct') return `{${node.members.map(({ name, type }) => `${JSON.stringify(name)}:${quoted((json as { [member: string]: Json })[name] ?? null, type)}`).join(',')}}`
  return JSON.stringify(node.kind !== 'json' && typeof json === 'string' ? json : minify(json))
}

function literal(value: Value): string {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return value.split('\0').map(quoteText).join(' || chr(0) || ')
  return typeof value === 'number' ? `CAST('${Object.is(value, -0) ? '-0.0' : value}' AS DOUBLE)` : String(value)
}

