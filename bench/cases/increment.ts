/** B8: a batch of 100,000 random text keys, half of them known, into a large table: dedupe. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeKeyed } from '../data.ts'
import { byHand, duel, run, sluice } from '../measure.ts'
import type { Line } from '../measure.ts'

const BATCH = 100_000
/** Frozen: a folder of Parquet files, an anti join, one new file. */
const BY_HAND = `COPY (SELECT n.* FROM read_json('batch.ndjson', format='newline_delimited', columns={"key": 'VARCHAR', v: 'BIGINT'}) AS n ANTI JOIN read_parquet('lake/*.parquet') AS t ON n."key" = t."key") TO 'lake/new.parquet' (FORMAT parquet, COMPRESSION zstd)`

export async function b8(folder: string, turns: number, rows: number): Promise<Line> {
  writeKeyed(join(folder, 'base.ndjson'), 0, rows)
  writeKeyed(join(folder, 'batch.ndjson'), rows - BATCH / 2, BATCH)
  const load = (path: string): string[] => ['load', path, '--into', 'x', '--key', 'key', '--data-dir', 'data']
  await sluice(load('base.ndjson'), folder)
  await run({ program: 'mv', args: ['data', 'held'], cwd: folder })
  rmSync(join(folder, 'base.ndjson'))
  let inserted = 0
  return duel({
    name: `B8 ${rows / 1e6} M`, work: `${BATCH} records, half known, random text keys, into ${rows / 1e6} M rows, whole commands`, bar: 2, aim: 1.3, most: 1e9, turns,
    prepare: async () => {
      for (const name of ['data', 'lake']) rmSync(join(folder, name), { recursive: true, force: true })
      await run({ program: 'cp', args: ['-a', 'held', 'data'], cwd: folder })
      await run({ program: 'bash', args: ['-c', 'mkdir lake && cp held/tables/x/*.parquet lake/'], cwd: folder })
    },
    baseline: (watch) => byHand([BY_HAND], folder, { watch }),
    ours: async (watch) => {
      const timed = await sluice(load('batch.ndjson'), folder, { watch })
      inserted = Number((timed.document['balance'] as Record<string, number>)['inserted'])
      return timed
    },
    check: async () => {
      const theirs = (await byHand([`SELECT count(*) FROM 'lake/new.parquet'`], folder)).out.trim()
      return inserted === BATCH / 2 && theirs === String(BATCH / 2) ? null : `${inserted} rows inserted, by hand ${theirs}`
    },
  })
}
