/** A table that is laid apart by awkward values, for readers of other makes; and what DuckDB reads from its folders. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { load } from '../../src/index.ts'

export interface PartRow {
  id: number
  c: string | null
  day: string | null
}

const TEXTS = ['plain', 'New York', 'a/b', 'k=v', '100%', '%41', "it's", 'é 日本', '..', '.hidden', '_x', 'a"b', '*?[x]', 'a:b#c', 'tab\there', '\\', '2024-01-01', '007', ' lead', 'trail ', null]

/** Loads in three batches, the last of which updates rows of all partitions. @returns the rows that must be there */
export async function loadParts(folder: string, data: string): Promise<PartRow[]> {
  const rows = new Map<number, PartRow>()
  for (let commit = 0; commit < 3; commit++) {
    const batch = TEXTS.map((c, at): PartRow => ({ id: commit < 2 ? commit * 100 + at : at * 7, c, day: at % 5 === 4 ? null : `202${at % 3}-0${1 + (at % 2)}-2${commit}` }))
    const path = join(folder, `parts-${commit}.ndjson`)
    writeFileSync(path, batch.map(({ id, c, day }) => `${JSON.stringify({ id, c, ts: day === null ? null : `${day}T23:59:59.999999Z`, v: commit })}\n`).join(''))
    for (const row of batch) rows.set(row.id, row)
    const { exit, errors } = await load({ paths: [path], into: 'parts', key: 'id', mode: 'upsert', columns: 'id:int64,c:string,ts:timestamp,v:int64', partitionBy: 'day(ts),c', dataDir: data, jobs: 1 })
    if (exit !== 0) throw new Error(`a load ended with ${exit}: ${JSON.stringify(errors)}`)
  }
  return [...rows.values()]
}

/** What DuckDB reads of these files, values of the partitions taken from the folders. */
export async function readByFolders(files: readonly string[]): Promise<PartRow[]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const list = files.map((file) => `'${file.replaceAll("'", "''").replaceAll(/[[*?]/g, '[$&]')}'`).join(', ')
  const from = `read_parquet([${list}], hive_partitioning = true, hive_types = {'ts_day': DATE, 'c': VARCHAR})`
  const answer = await connection.runAndReadAll(`SELECT id, c, strftime(ts_day, '%Y-%m-%d') AS day FROM ${from}`)
  return answer.getRowObjectsJson().map(({ id, c, day }) => ({ id: Number(id), c: c as string | null, day: day as string | null }))
}
