/**
 * `npm run bench [-- NAME…]`: ratios measured in one run, medians of 5, kept in bench/results/. NAMEs choose lines (B1, B8 …).
 *
 * A bar that is missed is printed as missed; nothing fails for being slow. It fails when rows differ, memory is above its
 * limit, or a command fails. SLUICE_BENCH_TURNS and SLUICE_BENCH_FILES make it smaller for a quick look, which is not kept.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { b3Mixed, b3Products } from './cases/csv.ts'
import { noServer, p1, p1Small, p2, p3, p4 } from './cases/databases.ts'
import { b2 } from './cases/document.ts'
import { b1, b1b } from './cases/files.ts'
import { b8 } from './cases/increment.ts'
import { b6 } from './cases/one-core.ts'
import { b4, b5, b7 } from './cases/small.ts'
import type { Line } from './measure.ts'

const RESULTS = fileURLToPath(new URL('./results/', import.meta.url))
const TURNS = Number(process.env['SLUICE_BENCH_TURNS'] ?? 5)

const CASES: readonly [name: string, (folder: string) => Promise<Line | Line[]>][] = [
  ['B1', (folder) => b1(folder, TURNS)],
  ['B1b', (folder) => b1b(folder, TURNS)],
  ['B2', (folder) => b2(folder, TURNS, 1, '1GB')],
  ['B2-512', (folder) => b2(folder, TURNS, 1, '512MB')],
  ['B2-4', (folder) => b2(folder, 1, 4, '1GB')],
  ['B3', (folder) => b3Products(folder, TURNS)],
  ['B3-mixed', (folder) => b3Mixed(folder, TURNS)],
  ['B4', (folder) => b4(folder, Math.max(TURNS, 5))],
  ['B5', (folder) => b5(folder, TURNS)],
  ['B6', (folder) => b6(folder)],
  ['B7', (folder) => b7(folder)],
  ['B8', (folder) => b8(folder, TURNS, 1e6)],
  ['B8-10', (folder) => b8(folder, TURNS, 1e7)],
  ['P1', (folder) => p1(folder, TURNS)],
  ['P1-small', (folder) => p1Small(folder)],
  ['P2', (folder) => p2(folder, TURNS)],
  ['P3', (folder) => p3(folder, TURNS)],
  ['P4', (folder) => p4(folder, TURNS)],
]
const WANTS_SERVER: readonly string[] = ['P1', 'P1-small', 'P3', 'P4']

function told({ name, work, sluice, baseline, ratio, bar, aim, memory, faults, detail }: Line): string {
  const seconds = (ms: number | null): string => (ms === null ? '–' : `${(ms / 1000).toFixed(2)} s`)
  const against = ratio === null ? '' : `, against ${seconds(baseline)}: ${ratio.toFixed(2)}× (bar ${bar ?? '–'}×${aim === null ? '' : `, aim ${aim}×`}) ${bar !== null && ratio > bar ? 'MISSED' : 'held'}`
  const cpu = detail['cpuRatio'] === undefined ? '' : `, processor time ${(detail['cpuRatio'] as number).toFixed(2)}×`
  return `${name}  ${work}: ${seconds(sluice)}${against}${cpu}, ${(memory / 1e6).toFixed(0)} MB${faults.map((fault) => `, FAULT: ${fault}`).join('')}`
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !CASES.some(([known]) => known === name))
if (unknown.length > 0) throw new Error(`no such line: ${unknown.join(', ')}; there are ${CASES.map(([name]) => name).join(', ')}`)
const lines: Line[] = []
for (const [name, work] of CASES) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const lacks = WANTS_SERVER.includes(name) ? noServer() : null
  if (lacks !== null) {
    console.log(`${name}  skipped: ${lacks}`)
    continue
  }
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  try {
    for (const line of [await work(folder)].flat()) {
      lines.push(line)
      console.log(told(line))
    }
  } catch (thrown) {
    process.exitCode = 1
    console.log(`${name}  FAILED: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
if (lines.some(({ faults }) => faults.length > 0)) process.exitCode = 1
if (TURNS >= 3 && process.env['SLUICE_BENCH_FILES'] === undefined && lines.length > 0) {
  mkdirSync(RESULTS, { recursive: true })
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: RESULTS, encoding: 'utf8' }).trim()
  const machine = { cores: cpus().length, memory: totalmem(), node: process.version }
  const part = asked.length === 0 ? '' : `-${asked.join('-')}`
  writeFileSync(join(RESULTS, `${new Date().toISOString().slice(0, 10)}-${commit}${part}.json`), `${JSON.stringify({ commit, machine, lines }, null, 2)}\n`)
}
