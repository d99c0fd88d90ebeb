/** A run of a history through `load()` or the command: alone or with others, whole or killed and repeated. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { load } from '../../src/index.ts'
import type { LoadEvent } from '../../src/core/events.ts'
import { RANGE } from '../../src/engines/duckdb/ranges.ts'
import { BATCH_LIMIT } from '../../src/pipeline/ingest.ts'
import { TABLE, arrange } from '../histories.ts'
import type { History, HistoryRun } from '../histories.ts'
import { MEMORY } from './called.ts'
import { start } from './harness.ts'
import type { Ended } from './harness.ts'
import { expectedPoints } from './points.ts'

/** The command, with small batches. */
const BUILT = process.env['SLUICE_TEST_BUILT']
const PROGRAM = BUILT === undefined ? fileURLToPath(new URL('./small-batches.ts', import.meta.url)) : join(BUILT, 'dist/small-batches.js')
/** Everything well; or something is empty, put aside or failed, which a history may contain. */
const GOOD = new Set<number | null>([0, 3])

/** Whoever takes longer for a few small files waits for what never comes. */
const STUCK_MS = 180_000

/** What a proof must have seen to be one. Counts histories. */
export interface Seen {
  ran: number
  /** Several processes loaded at once. */
  several: number
  /** A process died at a failpoint. */
  killed: number
  /** An arrival was committed after one with a higher number. */
  late: number
  reloaded: number
  /** A run loaded by date. */
  dated: number
}

export interface Stage {
  folder: string
  target: 'delta' | 'sqlite'
  to: string
  /** Highest number that a run in this process has loaded. */
  highest: number
}

type Marks = Set<Exclude<keyof Seen, 'ran'>>

/** @param marks is told what happened · @throws Error when a run ends badly without having been killed */
export async function play(history: History, run: HistoryRun, stage: Stage, marks: Marks): Promise<void> {
  const { folder } = stage
  if (run.loseLedger) for (const end of ['', '-wal', '-shm']) rmSync(join(folder, 'data', `ledger.db${end}`), { force: true })
  arrange(join(folder, 'in'), run)
  if (run.reload) marks.add('reloaded')
  if (run.dates !== null) marks.add('dated')
  if (run.kill === null && run.processes === 1) return alone(history, run, stage, marks)
  if (run.processes > 1) marks.add('several')
  const death = run.kill === null ? {} : deathOf(history, run, stage)
  const ended = await Promise.all(Array.from({ length: run.processes }, (_, n) => command(history, run, stage, n === 0 ? death : {})))
  for (const [n, { code, signal, stdout, stderr, stuck }] of ended.entries()) {
    if (stuck) throw new Error(`process ${n} of ${run.processes} did not end: ${stderr}`)
    // Its workers may die at the same point in every attempt: then it gives up, and says so.
    const gaveUp = code === 1 && stdout.includes('"code":"ENGINE_DIED"')
    if (n === 0 && run.kill !== null && (signal === 'SIGKILL' || gaveUp)) marks.add('killed')
    else if (!GOOD.has(code)) throw new Error(`process ${n} of ${run.processes} ended with ${code ?? signal}: ${stdout} ${stderr}`)
  }
  // Whoever was killed comes back; what is in is known to it.
  if (run.kill !== null) await alone(history, { ...run, reload: false }, stage, marks)
}

async function alone(history: History, run: HistoryRun, stage: Stage, marks: Marks): Promise<void> {
  BATCH_LIMIT.files = run.batch
  // Half of the runs read even the smallest batch with all processes at once.
  RANGE.bytes = run.batch % 2 === 0 ? 1 : Infinity
  const before = stage.highest
  const onEvent = (event: LoadEvent): void => {
    if (event.kind !== 'arrival.ended' || event.outcome.state !== 'loaded' || event.outcome.read === 0) return
    if (event.outcome.seq < before) marks.add('late')
    stage.highest = Math.max(stage.highest, event.outcome.seq)
  }
  const result = await load({ ...history.request, ...common(stage), jobs: 1, memory: MEMORY, reload: run.reload, ...datesOf(history, run), onEvent, now: AbortSignal.timeout(STUCK_MS) })
  if (!GOOD.has(result.exit) || !result.balance.balances) throw new Error(`a run ended with ${result.exit}: ${JSON.stringify(result)}`)
}

function datesOf({ dateField }: History, { dates }: HistoryRun): { dateField?: string; since?: string; until?: string } {
  return dates === null || dateField === null ? {} : { ...dates, dateField }
}

/** After runs by date: what they left out. */
export async function loadRest(history: History, stage: Stage): Promise<void> {
  const result = await load({ ...history.request, ...common(stage), jobs: 1, memory: MEMORY, now: AbortSignal.timeout(STUCK_MS) })
  if (!GOOD.has(result.exit) || !result.balance.balances) throw new Error(`a load of the rest ended with ${result.exit}: ${JSON.stringify(result)}`)
}

/** After everything: one more load finds every file known. */
export async function loadAgain(history: History, stage: Stage): Promise<void> {
  const result = await load({ ...history.request, ...common(stage), jobs: 1, memory: MEMORY, now: AbortSignal.timeout(STUCK_MS) })
  if (!GOOD.has(result.exit) || result.balance.read > 0) throw new Error(`a load of what is in read records: ${JSON.stringify(result)}`)
}

function common({ folder, to }: Stage): { paths: string[]; into: string; to: string; dataDir: string } {
  return { paths: [join(folder, 'in')], into: TABLE, to, dataDir: join(folder, 'data') }
}

async function command(history: History, run: HistoryRun, stage: Stage, env: NodeJS.ProcessEnv): Promise<Ended & { stuck: boolean }> {
  const { columns, key, mode, keep } = history.request
  const { paths, into, to, dataDir } = common(stage)
  const { dateField, ...asked } = datesOf(history, run)
  const flags = Object.entries({ ...asked, 'date-field': dateField, into, to, 'data-dir': dataDir, jobs: '1', columns, key, mode, keep }).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]))
  const { child, ended } = start(['load', ...paths, ...flags, '--json', ...(run.reload ? ['--reload'] : [])], { SLUICE_PROOF_BATCH: String(run.batch), ...env }, false, PROGRAM)
  let stuck = false
  const timer = setTimeout(() => {
    stuck = true
    child.kill('SIGKILL')
  }, STUCK_MS)
  const end = await ended
  clearTimeout(timer)
  return { ...end, stuck }
}

/** Passed only by the first load, or by few: the sweep kills there, a history would hardly ever meet them. */
const SELDOM = /checkpoint|fold|probe|pointer|create|schema|workers|forget|restore/

/** Where the process dies. Not every load passes every point: then nobody does. */
function deathOf(history: History, run: HistoryRun, { folder, target }: Stage): NodeJS.ProcessEnv {
  const { point, hit, how, once } = run.kill ?? { point: 0, hit: 1, how: 'self', once: true }
  const points = [...expectedPoints(history.definition.mode, target)].filter((name) => !SELDOM.test(name)).flatMap((name) => [`${name}.before`, `${name}.after`]).toSorted()
  return {
    SLUICE_FAILPOINT: points[point % points.length],
    SLUICE_FAILPOINT_HIT: String(hit),
    SLUICE_FAILPOINT_KILL: how,
    ...(once ? { SLUICE_FAILPOINT_ONCE: join(folder, `killed-${point}-${hit}`) } : {}),
  }
}
