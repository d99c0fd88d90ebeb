/**
 * `node bench/peers/run.ts`: what other tools need for a tenth of B1, what they do with the same load twice, and with one
 * truncated file among the others. Those that are not installed are skipped, with the reason. PYTHON names the Python.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installed, run, sluice } from '../measure.ts'

const SCRIPT = fileURLToPath(new URL('./peers.py', import.meta.url))
const PYTHON = process.env['PYTHON'] ?? 'python3'
const FILES = Number(process.env['SLUICE_BENCH_FILES'] ?? 500)

interface Step {
  /** Seconds; null: it failed. */
  seconds: number | null
  rows: number | null
  /** The last line of what it said. */
  said: string
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-peers-'))
try {
  await run({ args: [installed(), 'generate', '--files', String(FILES), '--records', '1000', '--dup', '10%', '--bad', '0', '--seed', '7', '-o', 'in'], cwd: folder })
  console.log(`${FILES} wrapper files × 1,000 records, 10 % duplicates; seconds, and rows of the table (${FILES * 900} are right)`)
  tell('sluice', 'this version', await ofSluice())
  for (const peer of ['duckdb', 'polars', 'pandas', 'deltalake']) {
    const version = spawnSync(PYTHON, [SCRIPT, peer, '--version'], { encoding: 'utf8' })
    if (version.status !== 0) {
      console.log(`${peer.padEnd(10)} skipped: ${version.error === undefined ? `${PYTHON} has no module ${peer}` : `there is no ${PYTHON}`}`)
      continue
    }
    tell(peer, version.stdout.trim(), ofPeer(peer))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function tell(name: string, version: string, steps: { first: Step; again: Step; broken: Step }): void {
  const show = ({ seconds, rows, said }: Step): string => (seconds === null ? `fails: ${said.slice(0, 160)}` : `${seconds.toFixed(2)} s, ${rows} rows`)
  console.log(`${name.padEnd(10)} ${version.padEnd(14)} once: ${show(steps.first)} · again: ${show(steps.again)} · with one truncated file: ${show(steps.broken)}`)
}

/** One document of the others, cut in the middle. */
function breakOne(): void {
  const name = `events-${'1'.padStart(String(FILES).length, '0')}.json`
  writeFileSync(join(folder, 'in', 'zz-cut.json'), readFileSync(join(folder, 'in', name)).subarray(0, 50_000))
}

function ofPeer(peer: string): { first: Step; again: Step; broken: Step } {
  const once = (): Step => {
    const began = performance.now()
    const { status, stdout, stderr } = spawnSync(PYTHON, [SCRIPT, peer, folder], { encoding: 'utf8', maxBuffer: 1e8 })
    const seconds = (performance.now() - began) / 1000
    return { seconds: status === 0 ? seconds : null, rows: status === 0 ? Number(stdout.trim()) : null, said: stderr.trim().split('\n').at(-1) ?? '' }
  }
  const [first, again] = [once(), once()]
  breakOne()
  const broken = once()
  rmSync(join(folder, 'in', 'zz-cut.json'))
  return { first, again, broken }
}

async function ofSluice(): Promise<{ first: Step; again: Step; broken: Step }> {
  const once = async (): Promise<Step> => {
    const { wall, document } = await sluice(['load', 'in', '--into', 'events', '--key', 'id,ts', '--data-dir', 'data', '--grace', '0s', '--allow-partial'], folder)
    const counted = await run({ args: [installed(), 'tables', 'count', 'events', '--data-dir', 'data', '--json'], cwd: folder })
    const { items } = JSON.parse(counted.out) as { items: { rows: number }[] }
    const files = document['files'] as Record<string, number>
    return { seconds: wall / 1000, rows: items[0]?.rows ?? 0, said: `${files['failed']} failed` }
  }
  const [first, again] = [await once(), await once()]
  breakOne()
  const broken = await once()
  if (!existsSync(join(folder, 'data'))) throw new Error('nothing was loaded')
  rmSync(join(folder, 'in', 'zz-cut.json'))
  return { first, again, broken }
}
