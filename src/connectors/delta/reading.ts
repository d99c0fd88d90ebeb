/**
 * Reading a table's rows, losers and rejects through a session, page by page in place order.
 *
 * A session answers whole. So the rows are sorted once into a temporary table, which spills, and leave it in pages:
 * asking for each page by the place before would read the rest of the table for every page.
 */
import { join } from 'node:path'
import type { Session } from '../../core/engine.ts'
import type { RejectRow } from '../../core/target.ts'
import { findColumn, fold } from '../../core/schema.ts'
import type { Row, Schema } from '../../core/schema.ts'
import { quoteName } from '../../sql/quote.ts'
import { filesSql, valueSql } from '../../resolve/duckdb-batch.ts'
import { filesOfTableSql } from '../../resolve/duckdb-table.ts'
import type { TableFile } from '../../resolve/duckdb-table.ts'
import type { LiveFile, TableState } from './state.ts'

/** The live files of a table, to be read. */
export function tableFiles(root: string, state: TableState): TableFile[] {
  return [...state.files.values()].map((file) => tableFile(root, state.schema, file))
}

/** A live file with the values of the schema's columns that its partition holds. */
export function tableFile(root: string, schema: Schema, { path, add }: LiveFile): TableFile {
  const values: Record<string, string | null> = {}
  for (const [name, value] of Object.entries(add.partitionValues)) {
    // Delta takes an empty text for null.
    if (findColumn(schema, name) !== undefined) values[fold(name)] = value === '' ? null : value
  }
  return { uri: join(root, path), values }
}

/** Rows of a page: with rows of 10 kB it has 20 MB. */
const PAGE = 2_000

/** Values of the schema, then the place. One scan at a time in a session. */
export async function* readRows(session: Session, schema: Schema, files: readonly TableFile[], limit: number | null, foreign: bigint | null = null): AsyncGenerator<Row[]> {
  if (files.length === 0) return
  const values = schema.map((column, at) => `${valueSql(column)} AS c${at}`)
  const most = limit === null ? '' : ` LIMIT ${limit}`
  await session.exec(`CREATE OR REPLACE TEMP TABLE sluice_scan AS SELECT ${[...values, '_place AS p'].join(', ')} FROM (${filesOfTableSql(schema, files, { foreign })}) ORDER BY _place${most}`)
  for (let from = 0; ; from += PAGE) {
    const rows = await session.rows(`SELECT * FROM sluice_scan WHERE rowid >= ${from} AND rowid < ${from + PAGE} ORDER BY rowid`)
    if (rows.length > 0) yield rows.map((row) => [...schema.map((_, at) => row[`c${at}`] ?? null), row['p'] ?? null])
    if (rows.length < PAGE) return
  }
}

/** @param batches paths of rejects files, each with the batch that wrote it */
export async function readRejects(session: Session, batches: ReadonlyMap<string, string>, query: { limit: number; after?: bigint }): Promise<RejectRow[]> {
  const paths = [...batches.keys()]
  if (paths.length === 0) return []
  const where = query.after === undefined ? '' : ` WHERE _place > ${query.after}`
  const from = `read_parquet(${filesSql(paths.map((uri) => ({ uri })))}, union_by_name = true, hive_partitioning = false, filename = true)`
  return (await session.rows(`SELECT * FROM ${from}${where} ORDER BY ${quoteName('_place')} LIMIT ${query.limit}`)).map((row) => rejectOf(row, batches.get(String(row['filename'])) ?? ''))
}

/** A row of a rejects file, columns as in REJECT_COLUMNS. */
export function rejectOf(row: Record<string, unknown>, batch: string): RejectRow {
  const text = (value: unknown): string | null => (value === null || value === undefined ? null : String(value))
  const offset = row['offset']
  return {
    batch,
    place: BigInt(String(row['_place'])),
    offset: offset === null || offset === undefined ? null : Number(offset),
    code: String(row['code']),
    column: text(row['column']),
    value: text(row['value']),
    message: String(row['message']),
    raw: text(row['raw']),
  }
}
