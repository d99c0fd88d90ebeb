/** B2: one large wrapper document against the same records as NDJSON by hand. B6 runs the first size on one core. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeDocument } from '../data.ts'
import { byHand, digest, duel, sluice } from '../measure.ts'
import type { Line } from '../measure.ts'

/** Frozen: the wrapper itself takes DuckDB ten times as long and six times the memory. */
const BY_HAND = `COPY (SELECT id, ts, any_value(v) AS v FROM read_json('records.ndjson', format='newline_delimited', columns={id: 'VARCHAR', ts: 'TIMESTAMP', v: 'BIGINT'}) GROUP BY id, ts) TO 't.parquet' (FORMAT parquet, COMPRESSION zstd)`

export const LOAD_DOCUMENT = ['load', 'document.json', '--into', 'events', '--key', 'id,ts', '--data-dir', 'data']

export async function b2(folder: string, turns: number, gigabytes: number, memory: '1GB' | '512MB'): Promise<Line> {
  writeDocument(folder, gigabytes * 1e9)
  return duel({
    name: `B2 ${gigabytes} GB${memory === '1GB' ? '' : ', 512 MB'}`, work: `one wrapper document of ${gigabytes} GB, --memory ${memory}`, bar: 1.5, aim: 1, most: memory === '1GB' ? 1e9 : 512e6, turns,
    prepare: () => rmSync(join(folder, 'data'), { recursive: true, force: true }),
    baseline: (watch) => byHand([BY_HAND], folder, { watch, memory: '1GB' }),
    ours: (watch) => sluice([...LOAD_DOCUMENT, '--memory', memory], folder, { watch }),
    check: async () => {
      const ours = await digest('id, ts::TIMESTAMP', 'data/tables/events/*.parquet', folder)
      const theirs = await digest('id, ts::TIMESTAMP', 't.parquet', folder)
      return ours === theirs ? null : `other rows: ${ours}, by hand ${theirs}`
    },
  })
}
