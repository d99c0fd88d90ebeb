/**
 * Power cuts: a process loads small files without end into a table on a loop-mounted ext4 image; at random instants the
 * image file is copied, which is what the disk would hold after a cut. Every copy is mounted and looked at: every load
 * that was acknowledged before is in the table, doctor is clean (no torn file), and a further load goes on.
 *
 * Controls: a copy of the sources without the sync of data files, and one whose SQLite syncs nothing, must be caught.
 * Needs root and loop devices; fails without them. SLUICE_CUTS=<n>: how many cuts (default 300).
 * What it does not cover: a disk that reorders writes below the kernel.
 */
import { join } from 'node:path'
import { CONTROLS, copyEdited } from './cut-controls.ts'
import { close, inFolder, runCases } from './harness.ts'
import { cutPower } from './power-cut.ts'
import type { Workload } from './power-cut.ts'

const CUTS = Number(process.env['SLUICE_CUTS'] ?? 300)
/** Cuts of one image before it is made anew: the table grows and with it the time to look at it. */
const PER_IMAGE = 25
/** A control that has not been caught by then has failed. */
const CONTROL_CUTS = 40

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

const caught = await runCases(CONTROLS, 2, ({ work, file }) => `control of ${work.target}, ${file}`, (control) =>
  inFolder('cuts-control', async (folder) => {
    let cuts = 0
    let seen: string | null = null
    await cutPower(folder, control.work, (wrong) => {
      cuts++
      seen = wrong
      return wrong === null && cuts < CONTROL_CUTS
    }, copyEdited(control, join(folder, 'tree')))
    if (seen === null) throw new Error(`${CONTROL_CUTS} cuts did not show that nothing is synced`)
    console.log(`  control of ${control.work.target}: caught at cut ${cuts}: ${String(seen).slice(0, 200)}`)
  }),
)
result.passed += caught.passed
result.failed += cutting.failed + caught.failed
close('power-cuts', result, CUTS + CONTROLS.length, `${CUTS} cuts of ext4 images, ${CONTROLS.length} controls`)
