/**
 * Laying rows apart: the values of a table's partitions as SQL, the tuples that a batch has, and one file for each.
 *
 *   sluice_tuples  n, p1, p2, …: the partitions that the rows of a batch belong to, values as text
 *   sluice_sorted  the rows by n and place, so that the file of one n reads its own rows only
 */
import type { Session } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { partitionFolder, partitionName, storedColumns } from '../../core/partition.ts'
import type { Partition } from '../../core/partition.ts'
import { findColumn, fold } from '../../core/schema.ts'
import type { Schema } from '../../core/schema.ts'
import { castSql, columnOf } from '../../resolve/duckdb-table.ts'
import { quoteName } from '../../sql/quote.ts'
import type { LiveFile } from './state.ts'

/** Values by the names of the partition columns, as the log has them. */
export type PartitionValues = Record<string, string | null>

/** The value of a partition as text; null stays null. Instants have the days of UTC. */
function textSql(schema: Schema, { column, by }: Partition): string {
  const { name, type } = columnOf(schema, column)
  const quoted = quoteName(name)
  if (by === 'value') return type === 'date' ? `strftime(${quoted}, '%Y-%m-%d')` : `CAST(${quoted} AS VARCHAR)`
  const day = `CAST(${type === 'timestamp' ? `(${quoted} AT TIME ZONE 'UTC')` : quoted} AS DATE)`
  if (by === 'year') return `CAST(year(${day}) AS VARCHAR)`
  return `strftime(${by === 'month' ? `date_trunc('month', ${day})` : day}, '%Y-%m-%d')`
}

function nameOf(schema: Schema, partition: Partition): string {
  const name = partitionName(partition)
  return findColumn(schema, name)?.name ?? name
}

/** Folders below the table's, one per partition, as Hive names them: Polars takes values from there. */
export function folderOf(values: PartitionValues, order: readonly string[]): string {
  return order.map((name) => partitionFolder(name, values[name] ?? null)).join('/')
}

/** Names of the partition columns, in their order. */
export function partitionNames(schema: Schema, partitions: readonly Partition[]): string[] {
  return partitions.map((partition) => nameOf(schema, partition))
}

/**
 * Sorts rows by their partitions. Answers, for each partition that has any, its values and the query of its rows.
 * @param rows query of rows in the table's columns and `_place`
 */
export async function layApart(session: Session, schema: Schema, partitions: readonly Partition[], rows: string): Promise<{ values: PartitionValues; select: string }[]> {
  const texts = partitions.map((partition, at) => `${textSql(schema, partition)} AS p${at + 1}`).join(', ')
  const names = partitionNames(schema, partitions)
  const ps = names.map((_, at) => `p${at + 1}`)
  await session.exec(`CREATE TEMP TABLE sluice_tuples AS SELECT row_number() OVER () AS n, * FROM (SELECT DISTINCT ${texts} FROM (${rows}))`)
  await session.exec(
    `CREATE TEMP TABLE sluice_sorted AS SELECT t.n AS _sluice_n, r.* EXCLUDE (${ps.map((p) => `_sluice_${p}`).join(', ')}) ` +
      `FROM (SELECT *, ${partitions.map((partition, at) => `${textSql(schema, partition)} AS _sluice_p${at + 1}`).join(', ')} FROM (${rows})) AS r ` +
      `JOIN sluice_tuples AS t ON ${ps.map((p) => `t.${p} IS NOT DISTINCT FROM r._sluice_${p}`).join(' AND ')} ORDER BY t.n, r._place`,
  )
  const tuples = await session.rows('SELECT * FROM sluice_tuples ORDER BY n')
  const cast = castSql(storedColumns(schema, partitions))
  return tuples.map((tuple) => ({
    values: Object.fromEntries(names.map((name, at) => [name, textOf(tuple[`p${at + 1}`])])),
    select: `SELECT ${cast} FROM sluice_sorted WHERE _sluice_n = ${String(tuple['n'])}`,
  }))
}

export async function forgetApart(session: Session): Promise<void> {
  for (const table of ['sluice_sorted', 'sluice_tuples']) await session.exec(`DROP TABLE IF EXISTS ${table}`)
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (typeof value !== 'string') throw new SluiceError('INTERNAL', 'A partition is no text.')
  return value
}

/**
 * Which files may hold a key of the batch, told by their partitions: only where every partition follows from the key, so
 * that equal keys lie in equal partitions. Null: nothing follows.
 * @param incoming query of the batch's rows
 */
export async function partitionsOfKeys(session: Session, schema: Schema, partitions: readonly Partition[], key: readonly string[], incoming: string): Promise<((file: LiveFile) => boolean) | null> {
  const folded = key.map(fold)
  if (partitions.length === 0 || !partitions.every(({ column }) => folded.includes(fold(column)))) return null
  const names = partitionNames(schema, partitions)
  const texts = partitions.map((partition, at) => `${textSql(schema, partition)} AS p${at + 1}`).join(', ')
  const rows = await session.rows(`SELECT DISTINCT ${texts} FROM (${incoming})`)
  const wanted = new Set(rows.map((row) => JSON.stringify(names.map((_, at) => row[`p${at + 1}`] ?? null))))
  // What other writers say of a derived column is not relied upon.
  return ({ add, ours }) => !ours || wanted.has(JSON.stringify(names.map((name) => add.partitionValues[name] ?? null)))
}
