/**
 * Separates the losers of a batch from its winners, out of core, and counts what lies in the parts.
 *
 * First the keys with several records are found over key columns and places alone, in slices of the keys that fit into
 * memory (DuckDB's own spilling gives up on many groups of text). Then the losers are copied part by part: no step holds
 * more than one part of whole rows.
 */
import { join } from 'node:path'
import type { Keep } from '../../core/definition.ts'
import type { Part, Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { tampering } from '../../core/failpoint.ts'
import type { Tampering } from '../../core/failpoint.ts'
import { findColumn } from '../../core/schema.ts'
import { LOST, LOST_TABLE, REPEATED, filesSql, forgetSql, losersOfPartSql, losersSql, recordsSql, separateSql, sizeSql, valueSql, winnersSql } from '../../resolve/duckdb-batch.ts'
import type { Lying } from '../../resolve/duckdb-batch.ts'
import { quoteName } from '../../sql/quote.ts'
import { localFs } from '../../storage/local.ts'
import type { Connection } from './database.ts'
import { prefixOf } from './protocol.ts'
import type { PlainJob } from './protocol.ts'

type Records = Omit<Lying, 'losers'>

/**
 * @returns the records parts (as given, unless a test falsifies them) and the losers parts
 * @throws SluiceError BALANCE_BROKEN when the losers written are not those that were found
 */
export async function separate(connection: Connection, staged: Records, job: PlainJob): Promise<Pick<Staged, 'records' | 'losers'>> {
  const { key, keep } = job.definition
  let falsify = tampering('stage')
  const losers: Part[] = []
  if (keep !== null && staged.records.length > 0) {
    const found = await findLosers(connection, staged, key, keep)
    if (found > 0) {
      for (const part of staged.records) {
        for (const range of await rangesOf(connection, part)) {
          const select = falsified(losersOfPartSql(staged, part, range), falsify)
          falsify = null
          const uri = join(job.folder, `${prefixOf(job)}-losers-${losers.length + 1}.parquet`)
          const written = await connection.copy('stage.losers', select, uri)
          if (written.rows > 0) losers.push({ uri, rows: written.rows })
        }
      }
    }
    for (const sql of forgetSql('all')) await connection.exec(sql)
    const lying = await count(connection, `SELECT count(*) AS n FROM (${losersSql({ ...staged, losers }, [])})`)
    if (lying !== found) {
      throw new SluiceError('BALANCE_BROKEN', `Batch ${job.batch.id}: ${found} records lose to another one of the batch, but ${lying} were written as losers. Nothing was committed.`)
    }
  }
  return { records: await falsifyRecords(connection, staged.records, job, losers.length === 0 ? falsify : null), losers }
}

/** What DuckDB needs to group one record beside its bytes, and the part of its memory that a slice may take. */
const GROUP_BYTES = 48
const SLICE_SHARE = 2
/** The part of DuckDB's memory that the losers of one file may take. */
const SORT_SHARE = 8

/** Fills LOST, slice by slice so that each fits into memory. @returns how many losers the groups imply */
async function findLosers(connection: Connection, staged: Records, key: readonly string[], keep: Keep): Promise<number> {
  const size = (await connection.rows(sizeSql(staged, key, keep)))[0]
  const needed = Number(size?.['n'] ?? 0) * (Number(size?.['bytes'] ?? 0) + GROUP_BYTES)
  const of = Math.max(1, Math.ceil(needed / (connection.memory / SLICE_SHARE)))
  await connection.exec(LOST_TABLE)
  let found = 0
  for (let at = 0; at < of; at++) {
    for (const sql of separateSql(staged, key, keep, { at, of })) await connection.exec(sql)
    found += await count(connection, `SELECT coalesce(sum(n - 1), 0) AS n FROM ${REPEATED}`)
  }
  for (const sql of forgetSql('groups')) await connection.exec(sql)
  return found
}

/** Winners, from three counts over the files: all records, those that do not count, and the losers. */
export async function countWinners(connection: Connection, staged: Lying): Promise<number> {
  const good = await count(connection, `SELECT count(*) AS n FROM (${recordsSql(staged, [])})`)
  const lost = await count(connection, `SELECT count(*) AS n FROM (${losersSql(staged, [])})`)
  return good - lost
}

/** Least and greatest value of each key column over the winners; booleans are left out. */
export async function rangeOfKeys(connection: Connection, staged: Lying, key: readonly string[]): Promise<Staged['keyRange']> {
  const columns = key.flatMap((name) => findColumn(staged.schema, name) ?? []).filter(({ type }) => type !== 'boolean')
  if (key.length === 0 || columns.length === 0 || staged.records.length === 0) return null
  const names = columns.map(({ name }) => name)
  const wanted = columns.flatMap((column, at) => ['min', 'max'].map((of) => `CAST(${valueSql(column, `${of}(${quoteName(column.name)})`)} AS VARCHAR) AS ${of}${at}`))
  const row = (await connection.rows(`SELECT ${wanted.join(', ')} FROM (${winnersSql(staged, names)})`))[0]
  const ranges = columns.flatMap(({ name }, at) => {
    const min = row?.[`min${at}`]
    const max = row?.[`max${at}`]
    return typeof min === 'string' && typeof max === 'string' ? [{ name, min, max }] : []
  })
  return ranges.length === 0 ? null : ranges
}

async function count(connection: Connection, sql: string): Promise<number> {
  return Number((await connection.rows(sql))[0]?.['n'] ?? 0)
}

interface Range {
  lowest: bigint
  highest: bigint
}

/** Ranges of places that cover the losers of a part, each with so few of its bytes that sorting them fits into memory. */
async function rangesOf(connection: Connection, part: Part): Promise<Range[]> {
  const inPart = `SELECT l._place FROM ${LOST} AS l, (SELECT min(_place) AS lowest, max(_place) AS highest FROM read_parquet(${filesSql([part])})) AS p WHERE l._place BETWEEN p.lowest AND p.highest`
  const lost = await count(connection, `SELECT count(*) AS n FROM (${inPart})`)
  if (lost === 0) return []
  // Parts are not compressed: their size is that of the rows.
  const bytes = ((await localFs.stat(part.uri))?.size ?? 0) * (lost / Math.max(1, part.rows))
  const slices = Math.min(lost, Math.max(1, Math.ceil(bytes / (connection.memory / SORT_SHARE))))
  const numbered = `SELECT _place, (row_number() OVER (ORDER BY _place) - 1) * ${slices} // ${lost} AS slice FROM (${inPart})`
  const rows = await connection.rows(`SELECT min(_place) AS lowest, max(_place) AS highest FROM (${numbered}) GROUP BY slice ORDER BY lowest`)
  return rows.flatMap(({ lowest, highest }) => (typeof lowest === 'bigint' && typeof highest === 'bigint' ? [{ lowest, highest }] : []))
}

/** Tests only: a relation with one row less or one row twice. */
function falsified(select: string, how: Tampering | null): string {
  if (how === null) return select
  return how === 'drop' ? `SELECT * FROM (${select}) OFFSET 1` : `SELECT * FROM (${select}) UNION ALL (SELECT * FROM (${select}) LIMIT 1)`
}

/** Tests only: writes the first part again, falsified. */
async function falsifyRecords(connection: Connection, records: readonly Part[], job: PlainJob, how: Tampering | null): Promise<readonly Part[]> {
  const [first, ...rest] = records
  if (how === null || first === undefined) return records
  const select = falsified(`SELECT * FROM read_parquet(${filesSql([first])})`, how)
  const written = await connection.copy('stage.falsified', select, join(job.folder, `${prefixOf(job)}-falsified.parquet`))
  return written.rows === 0 ? rest : [{ uri: written.uri, rows: written.rows }, ...rest]
}
