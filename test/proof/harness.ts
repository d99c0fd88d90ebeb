/**
 * What the proofs share: running the command in a process of its own, copying a data folder, and comparing tables.
 * Every proof prints one line `<name>: … N passed, N failed` that `scripts/proof.ts` sums up.
 */
import { fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Said } from '../command.ts'
import { BIN, saidBy } from '../command.ts'
import type { Row } from '../../src/core/schema.ts'
import { openBrowser } from '../../src/service/browse.ts'
import type { Browser } from '../../src/service/browse.ts'
import { checkup } from '../../src/service/doctor.ts'

export type Ended = Said

/** Starts the command (or another `program`); `group`: in a process group of its own, so that all of it can be killed. */
export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}, group = false, program = BIN): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: group })
  const ended = saidBy(child)
  return { child, ended }
}

export function sluice(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return start(args, env).ended
}

/** A folder that is removed when the work is done, also when it fails. */
export async function inFolder<T>(name: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), `sluice-${name}-`))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

export function copyFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true, preserveTimestamps: true })
}

/** The user's columns of every row as text, sorted: two tables are equal if these are. And what doctor calls broken; empty when it is clean. */
export async function examine(dataDir: string, table: string, to?: string): Promise<{ rows: string[]; broken: string[] }> {
  const browser = await openBrowser(dataDir)
  try {
    const { schema, rows } = await browser.head(table, Number.MAX_SAFE_INTEGER, to)
    const order = schema.map((column, at) => ({ name: column.name, at })).toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const text = rows.map((row: Row) => order.map(({ name, at }) => `${name}=${show(row[at] ?? null)}`).join(' ')).toSorted()
    return { rows: text, broken: await findings(browser) }
  } finally {
    await browser.close()
  }
}

function show(value: Row[number]): string {
  return typeof value === 'bigint' ? `${value}n` : Object.is(value, -0) ? '0' : JSON.stringify(value)
}

async function findings(browser: Browser): Promise<string[]> {
  return (await checkup(browser)).findings.filter((finding) => finding.grade === 'broken').map((finding) => `${finding.path}: ${finding.message}`)
}

/** The first difference between two sorted lists, for a message; null when they are equal. */
export function difference(got: readonly string[], expected: readonly string[]): string | null {
  if (got.length === expected.length && got.every((line, at) => line === expected[at])) return null
  const lost = expected.filter((line) => !got.includes(line)).slice(0, 3)
  const extra = got.filter((line) => !expected.includes(line)).slice(0, 3)
  return `${got.length} rows instead of ${expected.length}; missing: ${lost.join(' | ') || 'none'}; too many: ${extra.join(' | ') || 'none or doubles'}`
}

/** Runs the cases with a few at a time; a case that throws is a failure and is printed. */
export async function runCases<T>(cases: readonly T[], width: number, name: (item: T) => string, work: (item: T) => Promise<void>): Promise<{ passed: number; failed: number }> {
  let passed = 0
  let failed = 0
  const queue = [...cases]
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
        try {
          await work(item)
          passed++
        } catch (thrown) {
          failed++
          console.log(`  failed: ${name(item)}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
        }
      }
    }),
  )
  return { passed, failed }
}

/** Whether this process is a lane: another one of the same proof sends it cases, see `runInLanes`. */
export const IS_LANE = process.argv[2] === 'lane' && process.send !== undefined

/**
 * As `runCases`, with `width` processes of the same program (`url`), each of which plays one case after the other, see
 * `playAsLane`. What a case keeps in memory is of no other case then, and the engine that one call leaves over is there for
 * the next one: a third of the processor time of a case were engines that start.
 */
export async function runInLanes<T extends object>(url: string, cases: readonly T[], width: number, name: (item: T) => string): Promise<{ passed: number; failed: number }> {
  const free: ChildProcess[] = []
  const result = await runCases(cases, width, name, async (item) => {
    const lane = free.pop() ?? fork(fileURLToPath(url), ['lane'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const { promise, resolve, reject } = Promise.withResolvers<{ wrong: string | null }>()
    const ended = (code: number | null, signal: string | null): void => reject(new Error(`its process ended with ${code ?? signal}`))
    lane.once('message', resolve).once('exit', ended)
    lane.send(item)
    const { wrong } = await promise
    lane.removeListener('exit', ended)
    free.push(lane)
    if (wrong !== null) throw new Error(wrong)
  })
  for (const lane of free) lane.disconnect()
  return result
}

/** What a lane does; it ends when nobody sends it cases any more. */
export function playAsLane<T>(work: (item: T) => Promise<void>): void {
  process.on('message', (item: T) => {
    work(item).then(
      () => process.send?.({ wrong: null }),
      (thrown: unknown) => process.send?.({ wrong: thrown instanceof Error ? thrown.message : String(thrown) }),
    )
  })
}

/** The closing line of a proof; a proof that looked at nothing has failed. */
export function close(name: string, result: { passed: number; failed: number }, atLeast: number, detail = ''): void {
  const short = result.passed + result.failed < atLeast
  if (short) console.log(`  failed: ${name} ran ${result.passed + result.failed} cases of at least ${atLeast}`)
  console.log(`${name}: ${detail}${detail === '' ? '' : ', '}${result.passed} passed, ${result.failed + (short ? 1 : 0)} failed`)
  if (result.failed > 0 || short) process.exitCode = 1
}
