/**
 * Separates the losers of a batch from its winners, out of core, and counts what lies in the parts.
 *
 * First the hashes of the keys are looked at; records whose hash is none of several are done with. Hashes lie in the parts
 * (`candidates.ts`); where a rule looks at a value, or a key has a boolean, DuckDB finds them (`suspects.ts`). The few
 * others are decided exactly, by their keys, in slices that fit into memory (DuckDB's own spilling gives up on many groups of
 * text).
 * What is written of a loser is its place: the row stays where it lies.
 */
import { join } from 'node:path'
import type { Keep } from '../../core/definition.ts'
import type { Part, Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { tampering } from '../../core/failpoint.ts'
import type { Tampering } from '../../core/failpoint.ts'
import type { Likes } from '../../core/likes.ts'
import { findColumn } from '../../core/schema.ts'
import { LOST, LOST_TABLE, REPEATED, candidatesSql, filesSql, forgetSql, hashesSql, lostSql, pickedSql, placesSql, recordsSql, separateSql, sizeSql, valueSql } from '../../resolve/duckdb-batch.ts'
import type { Lying } from '../../resolve/duckdb-batch.ts'
import { quoteName } from '../../sql/quote.ts'
import type { Connection } from './database.ts'
import { prefixOf } from './protocol.ts'
import type { PlainJob } from './protocol.ts'
import { candidatesOf, keysLying } from './candidates.ts'
import { suspectsOf } from './suspects.ts'

type Records = Omit<Lying, 'losers'>

/**
 * @param likes what was found of the keys while the parts were written
 * @returns the records parts (as given, unless a test falsifies them) and the places of the losers
 * @throws SluiceError BALANCE_BROKEN when the losers written are not those that were found
 */
export async function separate(connection: Connection, staged: Records, job: PlainJob, likes: Likes | null = null): Promise<Pick<Staged, 'records' | 'losers'>> {
  const { key, keep } = job.definition
  const falsify = tampering('stage')
  if (keep === null || staged.records.length === 0) return { records: await falsifyRecords(connection, staged.records, job, falsify), losers: [] }
  const found = await findLosers(connection, staged, key, keep, join(job.folder, `${prefixOf(job)}-suspects`), likes)
  const losers: Part[] = []
  if (found > 0) {
    const uri = join(job.folder, `${prefixOf(job)}-losers.parquet`)
    const { rows } = await connection.copy('stage.losers', falsified(`SELECT ${quoteName('_place')} FROM ${LOST}`, falsify, ' ORDER BY ALL'), uri)
    if (rows > 0) losers.push({ uri, rows })
  }
  await connection.exec(forgetSql('all'))
  const lying = await count(connection, `SELECT count(*) AS n FROM (${lostSql({ losers })})`)
  if (lying !== found) {
    throw new SluiceError('BALANCE_BROKEN', `Batch ${job.batch.id}: ${found} records lose to another one of the batch, but ${lying} were written as losers. Nothing was committed.`)
  }
  if (losers.length === 0) return { records: await falsifyRecords(connection, staged.records, job, falsify), losers }
  return { records: await placed(connection, staged.records), losers }
}

/** What DuckDB needs for one suspect, and to group one key beside its bytes. */
const SUSPECT_BYTES = 64
const GROUP_BYTES = 48
/** The part of DuckDB's memory that a slice may take. */
const SLICE_SHARE = 2

/** Fills LOST, slice by slice so that each fits into memory. @returns how many losers the groups imply */
async function findLosers(connection: Connection, staged: Records, key: readonly string[], keep: Keep, name: string, likes: Likes | null): Promise<number> {
  const path = (n: number): string => `${name}-${n}.parquet`
  const lying = 'column' in keep ? null : keysLying(staged.schema, key, staged.records)
  const suspects = lying === null ? await suspectsOf(connection, hashesSql(staged, key), rowsOf(staged.records), path) : await candidatesOf(staged.records, lying, staged.excluded, connection.memory, path, likes)
  await connection.exec(LOST_TABLE)
  const of = suspects.length === 0 ? 0 : slices(connection, rowsOf(suspects) * SUSPECT_BYTES)
  let found = 0
  for (let at = 0; at < of; at++) {
    await connection.exec(lying === null ? candidatesSql(staged, suspects, key, keep, { at, of }) : pickedSql(staged.schema, suspects, key, { at, of }))
    const size = (await connection.rows(sizeSql(staged.schema, key, keep)))[0]
    const candidates = Number(size?.['n'] ?? 0)
    const cuts = candidates === 0 ? 0 : slices(connection, candidates * (Number(size?.['bytes'] ?? 0) + GROUP_BYTES))
    for (let cut = 0; cut < cuts; cut++) {
      for (const sql of separateSql(staged.schema, key, keep, { at: cut, of: cuts })) await connection.exec(sql)
      found += await count(connection, `SELECT coalesce(sum(n - 1), 0) AS n FROM ${REPEATED}`)
    }
  }
  await connection.exec(forgetSql('groups'))
  return found
}

function rowsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { rows }) => sum + rows, 0)
}

function slices(connection: Connection, bytes: number): number {
  return Math.max(1, Math.ceil(bytes / (connection.memory / SLICE_SHARE)))
}

/** The parts with their first and last place, so that whoever reads one looks only for its losers. */
async function placed(connection: Connection, records: readonly Part[]): Promise<Part[]> {
  const rows = await connection.rows(placesSql(records))
  const places = new Map(rows.map(({ path, lowest, highest }) => [path, { lowest, highest }]))
  return records.map((part) => {
    const { lowest, highest } = places.get(part.uri) ?? {}
    return typeof lowest === 'bigint' && typeof highest === 'bigint' ? { ...part, places: { lowest, highest } } : part
  })
}

/** Winners, from three counts over the files: all records, those that do not count, and the losers. */
export async function countWinners(connection: Connection, staged: Lying): Promise<number> {
  const good = await count(connection, `SELECT count(*) AS n FROM (${recordsSql(staged, [])})`)
  const lost = await count(connection, `SELECT count(*) AS n FROM (${lostSql(staged)})`)
  return good - lost
}

/** Least and greatest value of each key column over the records, so over the winners; booleans are left out. */
export async function rangeOfKeys(connection: Connection, staged: Records, key: readonly string[]): Promise<Staged['keyRange']> {
  const columns = key.flatMap((name) => findColumn(staged.schema, name) ?? []).filter(({ type }) => type !== 'boolean')
  if (key.length === 0 || columns.length === 0 || staged.records.length === 0) return null
  const names = columns.map(({ name }) => name)
  const wanted = columns.flatMap((column, at) => ['min', 'max'].map((of) => `CAST(${valueSql(column, `${of}(${quoteName(column.name)})`)} AS VARCHAR) AS ${of}${at}`))
  const row = (await connection.rows(`SELECT ${wanted.join(', ')} FROM (${recordsSql(staged, names)})`))[0]
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

/** Tests only: a relation with one row less or one row twice. */
function falsified(select: string, how: Tampering | null, order = ''): string {
  if (how === null) return `${select}${order}`
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
