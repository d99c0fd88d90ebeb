/** Running commands for the bench: wall and processor time, peak memory, medians, ratios against a baseline of the same run. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { watchTree } from '../test/processes.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const BY_HAND = fileURLToPath(new URL('./by-hand.ts', import.meta.url))

let bin: string | null = null

/**
 * The command as a user gets it: the package is built and packed once, and installed where there is no clone. A clone runs
 * its sources, file by file, which takes several times as long to start.
 */
export function installed(): string {
  if (bin !== null) return bin
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-package-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const app = join(folder, 'app')
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), '{"name":"elsewhere","private":true}\n')
  const npm = (args: string[], cwd: string): void => void execFileSync('npm', args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] })
  npm(['pack', '--silent', '--pack-destination', folder], ROOT)
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? ''
  npm(['install', '--no-progress', '--no-audit', '--no-fund', join(folder, tarball)], app)
  bin = join(app, 'node_modules', 'sluice', 'bin', 'sluice.js')
  return bin
}

export interface Timed {
  /** Milliseconds from start to end. */
  wall: number
  /** Milliseconds of processor time, children included. */
  cpu: number
  /** Peak of the summed PSS in bytes, and most open handles of one process; 0 when they were not sampled. */
  memory: number
  handles: number
  out: string
  err: string
}

export interface Command {
  args: readonly string[]
  cwd: string
  /** Runs under `taskset -c <cpus>`. */
  cpus?: string
  /** Samples memory and handles, which disturbs the time a little. */
  watch?: boolean
  env?: NodeJS.ProcessEnv
  program?: string
}

/** @throws when the command ends with anything but 0 */
export async function run({ args, cwd, cpus, watch = false, env = {}, program = process.execPath }: Command): Promise<Timed> {
  const words = [...(cpus === undefined ? [] : ['taskset', '-c', cpus]), program, ...args]
  const began = performance.now()
  // The shell's own clock counts the processor time of everything that it has waited for.
  const child = spawn('bash', ['-c', 'TIMEFORMAT="%U %S"; time "$@"', 'bench', ...words], { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const watching = watch ? watchTree(child.pid ?? 0) : null
  let out = ''
  let err = ''
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const wall = performance.now() - began
  const peak = watching?.stop() ?? { memory: 0, handles: 0 }
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${err.slice(-2000)} ${out.slice(-500)}`)
  const [user = '0', system = '0'] = (err.trimEnd().split('\n').at(-1) ?? '').split(' ')
  return { wall, cpu: (Number(user) + Number(system)) * 1000, ...peak, out, err }
}

/** The Sluice command; its document as parsed JSON. */
export async function sluice(args: readonly string[], cwd: string, options: Omit<Command, 'args' | 'cwd'> = {}): Promise<Timed & { document: Record<string, unknown> }> {
  const timed = await run({ ...options, args: [installed(), ...args, '--json', '-v', '--progress', 'none'], cwd })
  return { ...timed, document: JSON.parse(timed.out) as Record<string, unknown> }
}

/** Statements in DuckDB, in a process of their own with two threads; answers what the last one says as text. */
export async function byHand(statements: readonly string[], cwd: string, options: { memory?: string; threads?: number } & Omit<Command, 'args' | 'cwd'> = {}): Promise<Timed> {
  const { memory = '', threads = 2, ...rest } = options
  return run({ ...rest, args: [BY_HAND, String(threads), memory, ...statements], cwd })
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** One line of the table. */
export interface Line {
  name: string
  work: string
  /** Medians, milliseconds; null where there is no baseline. */
  sluice: number
  baseline: number | null
  ratio: number | null
  /** Ratio that must not be exceeded, and the one aimed at; null: none. */
  bar: number | null
  aim: number | null
  /** Peak of the summed PSS of Sluice, bytes. */
  memory: number
  /** What else must hold; empty: it does. */
  faults: string[]
  detail: Record<string, unknown>
}

export interface Duel {
  name: string
  work: string
  bar: number | null
  aim: number | null
  /** Bytes of summed PSS that Sluice may hold. */
  most?: number
  turns: number
  /** Both are made ready anew before each turn. */
  prepare?: () => void | Promise<void>
  ours: (watch: boolean) => Promise<Timed>
  baseline: (watch: boolean) => Promise<Timed>
  /** After the last turn: what is wrong with the rows, null for nothing. */
  check?: () => Promise<string | null>
}

/** Both in turns after a warm-up of each, in which memory is sampled: neither gets the quiet machine alone. */
export async function duel(asked: Duel): Promise<Line> {
  const ours: Timed[] = []
  const theirs: Timed[] = []
  let memory = 0
  let theirMemory = 0
  for (let turn = -1; turn < asked.turns; turn++) {
    await asked.prepare?.()
    const a = await asked.baseline(turn < 0)
    const b = await asked.ours(turn < 0)
    if (turn < 0) {
      memory = b.memory
      theirMemory = a.memory
    } else {
      theirs.push(a)
      ours.push(b)
    }
  }
  const wrong = (await asked.check?.()) ?? null
  const faults = [...(wrong === null ? [] : [wrong]), ...(asked.most !== undefined && memory > asked.most ? [`memory ${(memory / 1e6).toFixed(0)} MB is above ${(asked.most / 1e6).toFixed(0)} MB`] : [])]
  const wall = { ours: median(ours.map((one) => one.wall)), theirs: median(theirs.map((one) => one.wall)) }
  const cpu = { ours: median(ours.map((one) => one.cpu)), theirs: median(theirs.map((one) => one.cpu)) }
  return {
    name: asked.name, work: asked.work, sluice: wall.ours, baseline: wall.theirs, ratio: wall.ours / wall.theirs, bar: asked.bar, aim: asked.aim, memory, faults,
    detail: {
      cpu, cpuRatio: cpu.ours / cpu.theirs, theirMemory,
      walls: { ours: ours.map((one) => Math.round(one.wall)), theirs: theirs.map((one) => Math.round(one.wall)) },
      phases: phasesOf(ours.at(-1)?.err ?? ''),
    },
  }
}

/** How long each batch was staged and committed; batches overlap. */
export function phasesOf(said: string): string[] {
  return said.split('\n').flatMap((line) => /^\s*((?:staged|committed|settled)\s.*)$/.exec(line)?.[1] ?? [])
}

/** Rows and a digest of some columns of Parquet files, whatever their order; `at` is a glob relative to `cwd`. */
export async function digest(columns: string, at: string, cwd: string): Promise<string> {
  return (await byHand([`SELECT count(*), bit_xor(hash(${columns})) FROM read_parquet('${at}')`], cwd)).out.trim()
}
