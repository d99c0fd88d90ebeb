/**
 * Reading a table's rows, losers and rejects through a session, page by page in place order.
 *
 * A session answers whole: a page is asked for by the last place of the one before. Places grow with the files, so their
 * statistics keep a page cheap.
 */
import type { Session } from '../../core/engine.ts'
import type { RejectRow } from '../../core/target.ts'
import type { Row, Schema } from '../../core/schema.ts'
import { quoteName } from '../../sql/quote.ts'
import { filesSql, valueSql } from '../../resolve/duckdb-batch.ts'
import { filesOfTableSql } from '../../resolve/duckdb-table.ts'

const PAGE = 20_000

/** Values of the schema, then the place. */
export async function* readRows(session: Session, schema: Schema, paths: readonly string[], limit: number | null): AsyncGenerator<Row[]> {
  if (paths.length === 0) return
  const values = schema.map((column, at) => `${valueSql(column)} AS c${at}`)
  const from = filesOfTableSql(schema, paths)
  let left = limit ?? Number.POSITIVE_INFINITY
  let after: bigint | null = null
  while (left > 0) {
    const page = Math.min(PAGE, left)
    const where: string = after === null ? '' : ` WHERE _place > ${after}`
    const rows = await session.rows(`SELECT ${[...values, '_place AS p'].join(', ')} FROM (${from})${where} ORDER BY _place LIMIT ${page}`)
    if (rows.length > 0) yield rows.map((row) => [...schema.map((_, at) => row[`c${at}`] ?? null), row['p'] ?? null])
    if (rows.length < page) return
    left -= rows.length
    after = BigInt(String(rows.at(-1)?.['p']))
  }
}

export async function readRejects(session: Session, paths: readonly string[], query: { limit: number; after?: bigint }): Promise<RejectRow[]> {
  if (paths.length === 0) return []
  const where = query.after === undefined ? '' : ` WHERE _place > ${query.after}`
  const from = `read_parquet(${filesSql(paths.map((uri) => ({ uri })))}, union_by_name = true, hive_partitioning = false)`
  return (await session.rows(`SELECT * FROM ${from}${where} ORDER BY ${quoteName('_place')} LIMIT ${query.limit}`)).map(rejectOf)
}

/** A row of a rejects file, columns as in REJECT_COLUMNS. */
export function rejectOf(row: Record<string, unknown>): RejectRow {
  const text = (value: unknown): string | null => (value === null || value === undefined ? null : String(value))
  const offset = row['offset']
  return {
    place: BigInt(String(row['_place'])),
    offset: offset === null || offset === undefined ? null : Number(offset),
    code: String(row['code']),
    column: text(row['column']),
    value: text(row['value']),
    message: String(row['message']),
    raw: text(row['raw']),
  }
}
