/** B1, B1b: many wrapper documents into one deduplicated table. B6 runs the first on one core. */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { byHand, digest, duel, installed, run, sluice } from '../measure.ts'
import type { Line } from '../measure.ts'

export const FILES = Number(process.env['SLUICE_BENCH_FILES'] ?? 5000)
const RECORDS = `read_json('in/*.json', columns={records: 'STRUCT(id VARCHAR, "data" VARCHAR, ts TIMESTAMP)[]'})`
const grouped = (from: string): string => `SELECT id, any_value("data") AS "data", ts FROM (SELECT unnest(records, recursive := true) FROM ${from}) GROUP BY id, ts`

/** Frozen: parse, group, write. Deduplicates with QUALIFY or DISTINCT ON were 9–15 % slower. */
const BY_HAND = `COPY (${grouped(RECORDS)}) TO 't.parquet' (FORMAT parquet, COMPRESSION zstd)`
/** Frozen: the same against what is there. */
const INSERT_BY_HAND = `COPY (SELECT n.* FROM (${grouped(RECORDS)}) AS n ANTI JOIN read_parquet('t.parquet') AS t ON n.id = t.id AND n.ts = t.ts) TO 't2.parquet' (FORMAT parquet, COMPRESSION zstd)`

export const LOAD = ['load', 'in', '--into', 'events', '--key', 'id,ts', '--data-dir', 'data']
const TABLE = 'data/tables/events/*.parquet'

async function makeInput(folder: string): Promise<void> {
  await run({ args: [installed(), 'generate', '--files', String(FILES), '--records', '1000', '--dup', '10%', '--bad', '0', '--seed', '7', '-o', 'in'], cwd: folder })
}

async function sameRows(folder: string, byHandFiles: string): Promise<string | null> {
  const ours = await digest('id, ts::TIMESTAMP', TABLE, folder)
  const theirs = await digest('id, ts::TIMESTAMP', byHandFiles, folder)
  return ours === theirs ? null : `other rows: ${ours}, by hand ${theirs}`
}

export async function b1(folder: string, turns: number): Promise<Line> {
  await makeInput(folder)
  return duel({
    name: 'B1', work: `${FILES} wrapper files × 1,000 records → deduplicated zstd Delta table`, bar: 1.25, aim: 0.9, most: 1e9, turns,
    prepare: () => rmSync(join(folder, 'data'), { recursive: true, force: true }),
    baseline: (watch) => byHand([BY_HAND], folder, { watch }),
    ours: (watch) => sluice(LOAD, folder, { watch }),
    check: () => sameRows(folder, 't.parquet'),
  })
}

export async function b1b(folder: string, turns: number): Promise<Line> {
  await makeInput(folder)
  const names = readdirSync(join(folder, 'in')).toSorted()
  const second = join(folder, 'second')
  mkdirSync(second)
  for (const name of names.slice(names.length / 2)) renameSync(join(folder, 'in', name), join(second, name))
  // The state that holds the first half is made once, and copied before each turn.
  await sluice(LOAD, folder)
  await byHand([BY_HAND], folder)
  renameSync(join(folder, 'data'), join(folder, 'held'))
  renameSync(join(folder, 'in'), join(folder, 'first'))
  renameSync(second, join(folder, 'in'))
  return duel({
    name: 'B1b', work: 'the second half of the files into a table that holds the first', bar: 1.25, aim: 0.8, most: 1e9, turns,
    prepare: async () => {
      rmSync(join(folder, 'data'), { recursive: true, force: true })
      await run({ program: 'cp', args: ['-a', 'held', 'data'], cwd: folder })
    },
    baseline: (watch) => byHand([INSERT_BY_HAND], folder, { watch }),
    ours: (watch) => sluice(LOAD, folder, { watch }),
    check: () => sameRows(folder, 't*.parquet'),
  })
}
