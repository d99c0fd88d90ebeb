/** B3: CSV → Parquet. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeMixed, writeProducts } from '../data.ts'
import { byHand, digest, duel, sluice } from '../measure.ts'
import type { Line } from '../measure.ts'

/** Frozen: types found by DuckDB itself. */
const BY_HAND = `COPY (SELECT * FROM read_csv('x.csv')) TO 't.parquet' (FORMAT parquet, COMPRESSION zstd)`

async function b3(name: string, work: string, columns: string, folder: string, turns: number): Promise<Line> {
  return duel({
    name, work, bar: 1.25, aim: 1, most: 1e9, turns,
    prepare: () => rmSync(join(folder, 'data'), { recursive: true, force: true }),
    baseline: (watch) => byHand([BY_HAND], folder, { watch }),
    ours: (watch) => sluice(['load', 'x.csv', '--into', 'x', '--data-dir', 'data'], folder, { watch }),
    check: async () => {
      const ours = await digest(columns, 'data/tables/x/*.parquet', folder)
      const theirs = await digest(columns, 't.parquet', folder)
      return ours === theirs ? null : `other rows: ${ours}, by hand ${theirs}`
    },
  })
}

export async function b3Products(folder: string, turns: number): Promise<Line> {
  writeProducts(join(folder, 'x.csv'), 500_000)
  return b3('B3 products', 'CSV, 500,000 products → Parquet', 'name, sku, description', folder, turns)
}

export async function b3Mixed(folder: string, turns: number): Promise<Line> {
  const rows = writeMixed(join(folder, 'x.csv'), 1e9)
  return b3('B3 mixed', `CSV, ${rows} rows × 8 columns, 1 GB → Parquet`, 'id, token, price, "at"::TIMESTAMP, active, amount, day, word', folder, turns)
}
