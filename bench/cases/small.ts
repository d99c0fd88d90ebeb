/** B4, B5, B7: one small file, many known files, very many small files. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeSmallFiles } from '../data.ts'
import { duel, installed, run, sluice } from '../measure.ts'
import type { Line } from '../measure.ts'

const MANY = fileURLToPath(new URL('../many-files.ts', import.meta.url))

export async function b4(folder: string, turns: number): Promise<Line> {
  await run({ args: [installed(), 'generate', '--files', '1', '--records', '1000', '--dup', '0', '--bad', '0', '--seed', '1', '-o', 'one'], cwd: folder })
  return duel({
    name: 'B4', work: 'one file of 1,000 records from the installed package, against node -e 0', bar: 12, aim: 6, most: 250e6, turns,
    prepare: () => rmSync(join(folder, 'data'), { recursive: true, force: true }),
    baseline: () => run({ args: ['-e', '0'], cwd: folder }),
    ours: (watch) => run({ args: [installed(), 'load', 'one', '--into', 'events', '--key', 'id,ts', '--data-dir', 'data', '--json'], cwd: folder, watch }),
  })
}

/** Nothing is new: listing, a look at each file, and the ledger. */
export async function b5(folder: string, turns: number): Promise<Line> {
  const files = 100_000
  writeSmallFiles(join(folder, 'in'), files)
  const load = ['load', 'in', '--into', 'x', '--data-dir', 'data']
  // What was written less than two seconds before the look is hashed again; the second load gets past that.
  await sluice(load, folder)
  await sluice(load, folder)
  let known = 0
  return duel({
    name: 'B5', work: `${files} files already known, against find -printf of the tree`, bar: 3, aim: null, turns,
    baseline: () => run({ program: 'find', args: ['in', '-printf', '%p %s %T@ %C@ %i\\n'], cwd: folder }),
    ours: async (watch) => {
      const timed = await sluice(load, folder, { watch })
      known = Number((timed.document['files'] as Record<string, number>)['known'])
      return timed
    },
    check: async () => (known === files ? null : `${known} of ${files} files were known`),
  })
}

/** The time per file must not grow with the number of files. */
export async function b7(folder: string): Promise<Line> {
  const files = 200_000
  writeSmallFiles(join(folder, 'in'), files)
  const timed = await run({ args: [MANY, 'in', 'data'], cwd: folder, watch: true })
  const said = JSON.parse(timed.out) as { first: number; last: number; total: number; inserted: number }
  const ratio = said.last / said.first
  const faults = [
    ...(timed.handles > 256 ? [`${timed.handles} handles`] : []),
    ...(timed.memory > 1e9 ? [`${(timed.memory / 1e6).toFixed(0)} MB`] : []),
    ...(said.inserted === files * 10 ? [] : [`${said.inserted} rows inserted`]),
  ]
  return { name: 'B7', work: `${files} files of 1 kB in one folder, append: the last tenth against the first`, sluice: said.last, baseline: said.first, ratio, bar: 1.5, aim: null, memory: timed.memory, faults, detail: { ...said, handles: timed.handles, cpu: timed.cpu, version: readFileSync(join(folder, 'data/tables/x/_delta_log/00000000000000000000.json')).length } }
}
