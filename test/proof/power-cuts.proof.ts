/**
 * Power cuts: a process loads small files without end into a table on a loop-mounted ext4 image; at random instants the
 * image file is copied, which is what the disk would hold after a cut. Every copy is mounted and looked at: every load
 * that was acknowledged before is in the table, doctor is clean (no torn file), and a further load goes on.
 *
 * Controls: a copy of the sources without the sync of data files, and one whose SQLite syncs nothing, must be caught.
 * Needs root and loop devices; fails without them. SLUICE_CUTS=<n>: how many cuts (default 300).
 * What it does not cover: a disk that reorders writes below the kernel.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { close, inFolder, runCases } from './harness.ts'
import { cutPower } from './power-cut.ts'
import type { Workload } from './power-cut.ts'

const CUTS = Number(process.env['SLUICE_CUTS'] ?? 300)
/** Cuts of one image before it is made anew: the table grows and with it the time to look at it. */
const PER_IMAGE = 25
/** A control that has not been caught by then has failed. */
const CONTROL_CUTS = 40
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const WORKLOADS: Workload[] = [{ target: 'delta', mode: 'upsert' }, { target: 'sqlite', mode: 'upsert' }, { target: 'delta', mode: 'dedupe' }, { target: 'sqlite', mode: 'dedupe' }, { target: 'duckdb', mode: 'upsert' }]

const result = { passed: 0, failed: 0 }
const images = Array.from({ length: Math.ceil(CUTS / PER_IMAGE) }, (_, at) => ({ at, cuts: Math.min(PER_IMAGE, CUTS - at * PER_IMAGE), work: WORKLOADS[at % WORKLOADS.length] as Workload }))
const name = ({ target, mode }: Workload): string => `${target} ${mode}`
const cutting = await runCases(images, 2, ({ work, at }) => `${name(work)}, image ${at}`, ({ work, cuts }) =>
  inFolder('cuts', (folder) => {
    let left = cuts
    return cutPower(folder, work, (wrong) => {
      if (wrong === null) result.passed++
      else {
        result.failed++
        console.log(`  failed: ${name(work)}: ${wrong}`)
      }
      return --left > 0
    })
  }),
)

interface Control {
  work: Workload
  file: string
  /** Replaced in `file`; each must be there exactly once. */
  edits: [string, string][]
}

const controls: Control[] = [
  { work: { target: 'delta', mode: 'upsert' }, file: 'src/engines/duckdb/database.ts', edits: [['await localFs.sync(`${point}.sync`, uri)\n      return written', 'return written']] },
  { work: { target: 'sqlite', mode: 'upsert' }, file: 'src/sql/sqlite.ts', edits: [['PRAGMA synchronous = EXTRA', 'PRAGMA synchronous = OFF'], ['level !== 3', 'level !== 0']] },
]
const caught = await runCases(controls, 2, ({ work, file }) => `control of ${work.target}, ${file}`, ({ work, file, edits }) =>
  inFolder('cuts-control', async (folder) => {
    const tree = join(folder, 'tree')
    mkdirSync(tree)
    cpSync(join(ROOT, 'src'), join(tree, 'src'), { recursive: true })
    cpSync(join(ROOT, 'test/proof/cut-worker.ts'), join(tree, 'test/proof/cut-worker.ts'))
    cpSync(join(ROOT, 'package.json'), join(tree, 'package.json'))
    symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
    let text = readFileSync(join(tree, file), 'utf8')
    for (const [from, to] of edits) {
      if (text.split(from).length !== 2) throw new Error(`${from} is not in ${file} exactly once`)
      text = text.replace(from, to)
    }
    writeFileSync(join(tree, file), text)
    let cuts = 0
    let seen: string | null = null
    await cutPower(folder, work, (wrong) => {
      cuts++
      seen = wrong
      return wrong === null && cuts < CONTROL_CUTS
    }, join(tree, 'test/proof/cut-worker.ts'))
    if (seen === null) throw new Error(`${CONTROL_CUTS} cuts did not show that nothing is synced`)
    console.log(`  control of ${work.target}: caught at cut ${cuts}: ${String(seen).slice(0, 200)}`)
  }),
)
result.passed += caught.passed
result.failed += cutting.failed + caught.failed
close('power-cuts', result, CUTS + controls.length, `${CUTS} cuts of ext4 images, ${controls.length} controls`)
