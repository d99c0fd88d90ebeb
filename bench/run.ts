/**
 * `npm run bench`: ratios measured in one run, kept in bench/results/. No bar is checked here.
 *
 *   B1  5,000 wrapper files × 1,000 records, 10 % duplicates → deduplicated Delta table with all guarantees, against the
 *       frozen hand-written DuckDB statement with two threads
 *   B4  one file of 1,000 records from a cold start, against `node -e 0`
 * SLUICE_BENCH_FILES makes B1 smaller for a quick look. The medians of 5 runs (3 for B1) are printed with their ratio.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../bin/sluice.js', import.meta.url))
const RESULTS = fileURLToPath(new URL('./results/', import.meta.url))
const FILES = Number(process.env['SLUICE_BENCH_FILES'] ?? 5000)

/** The frozen statement: what a skilled person would write for the same work, without any guarantee. */
const BY_HAND = `COPY (SELECT id, any_value("data") AS "data", ts FROM (SELECT unnest(records, recursive := true) FROM read_json('in/*.json', columns={records: 'STRUCT(id VARCHAR, "data" VARCHAR, ts TIMESTAMP)[]'})) GROUP BY id, ts) TO 't.parquet' (FORMAT parquet, COMPRESSION zstd)`

function time(command: string, args: string[], cwd: string): { ms: number; out: string; err: string } {
  const began = performance.now()
  const ended = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1e8 })
  const ms = performance.now() - began
  if (ended.status !== 0) throw new Error(`${args.join(' ')} ended with ${ended.status}: ${ended.stderr.slice(0, 1000)}`)
  return { ms, out: ended.stdout, err: ended.stderr }
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

interface Line {
  name: string
  work: string
  sluice: number
  baseline: number
  ratio: number
  detail: Record<string, unknown>
}

function b1(folder: string): Line {
  time(process.execPath, [BIN, 'generate', '--files', String(FILES), '--records', '1000', '--dup', '10%', '--bad', '0', '--seed', '7', '-o', 'in'], folder)
  const script = join(folder, 'by-hand.mjs')
  const duckdb = import.meta.resolve('@duckdb/node-api')
  writeFileSync(script, `import { DuckDBInstance } from ${JSON.stringify(duckdb)}
const c = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect()
await c.run(${JSON.stringify(BY_HAND)})
console.log(String((await c.runAndReadAll("SELECT count(*), bit_xor(hash(id, ts)) FROM 't.parquet'")).getRows()[0]))`)
  const hand: number[] = []
  const ours: number[] = []
  let rows = ''
  let phases: string[] = []
  let document: Record<string, unknown> = {}
  // A warm-up of each, then turns: neither gets the quiet machine alone.
  for (let turn = -1; turn < 3; turn++) {
    const a = time(process.execPath, [script], folder)
    rows = a.out.trim()
    rmSync(join(folder, 'data'), { recursive: true, force: true })
    const b = time(process.execPath, [BIN, 'load', 'in', '--into', 'events', '--key', 'id,ts', '--data-dir', 'data', '--json', '-v', '--progress', 'none'], folder)
    document = JSON.parse(b.out) as Record<string, unknown>
    phases = phasesOf(b.err)
    if (turn < 0) continue
    hand.push(a.ms)
    ours.push(b.ms)
  }
  const digest = time(process.execPath, ['--input-type=module', '-e', `import { DuckDBInstance } from ${JSON.stringify(duckdb)}
const c = await (await DuckDBInstance.create(':memory:')).connect()
console.log(String((await c.runAndReadAll("SELECT count(*), bit_xor(hash(id, ts::TIMESTAMP)) FROM 'data/tables/events/*.parquet'")).getRows()[0]))`], folder).out.trim()
  if (digest !== rows) throw new Error(`other rows: by hand ${rows}, Sluice ${digest}`)
  return line('B1', `${FILES} files × 1,000 records → Delta`, ours, hand, { rows, balance: document['balance'], phases, hand, ours })
}

/** How long each batch was staged and committed; the batches overlap. */
function phasesOf(said: string): string[] {
  return said.split('\n').flatMap((line) => /^\s*((?:staged|committed|settled)\s.*)$/.exec(line)?.[1] ?? [])
}

function b4(folder: string): Line {
  mkdirSync(join(folder, 'one'))
  time(process.execPath, [BIN, 'generate', '--files', '1', '--records', '1000', '--dup', '0', '--bad', '0', '--seed', '1', '-o', 'one'], folder)
  const bare: number[] = []
  const ours: number[] = []
  for (let turn = -1; turn < 5; turn++) {
    const a = time(process.execPath, ['-e', '0'], folder)
    rmSync(join(folder, 'data'), { recursive: true, force: true })
    const b = time(process.execPath, [BIN, 'load', 'one', '--into', 'events', '--key', 'id,ts', '--data-dir', 'data', '--json'], folder)
    if (turn < 0) continue
    bare.push(a.ms)
    ours.push(b.ms)
  }
  return line('B4', 'one file of 1,000 records, cold, against node -e 0', ours, bare, { bare, ours })
}

function line(name: string, work: string, ours: number[], baseline: number[], detail: Record<string, unknown>): Line {
  return { name, work, sluice: median(ours), baseline: median(baseline), ratio: median(ours) / median(baseline), detail }
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
try {
  const lines = [b1(folder), b4(folder)]
  for (const l of lines) for (const phase of (l.detail['phases'] ?? []) as string[]) console.log(`    ${phase}`)
  for (const l of lines) console.log(`${l.name}  ${l.work}: Sluice ${(l.sluice / 1000).toFixed(2)} s, baseline ${(l.baseline / 1000).toFixed(2)} s, ratio ${l.ratio.toFixed(2)}`)
  if (!existsSync(RESULTS)) mkdirSync(RESULTS)
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: RESULTS, encoding: 'utf8' }).trim()
  const machine = { cores: cpus().length, memory: totalmem(), node: process.version }
  if (FILES === 5000) writeFileSync(join(RESULTS, `${new Date().toISOString().slice(0, 10)}-${commit}.json`), `${JSON.stringify({ commit, machine, lines }, null, 2)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
