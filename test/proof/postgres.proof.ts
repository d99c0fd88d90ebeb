/**
 * PostgreSQL under everything that can go wrong between a load and its server. Runs where SLUICE_TEST_POSTGRES_URL names a
 * server, and says so where it does not.
 *
 *   sweep     SIGKILL of the load at every failpoint of the target, for append, dedupe, upsert and replace, fresh and grown; then once more
 *   backends  the server's process for the load ends at each of these failpoints, and the load goes on or says so; then once more
 *   commits   the answer to COMMIT is lost, after the server has it or before
 *   loaders   two processes, again and again killed, load overlapping files into one table
 *   server    (SLUICE_TEST_POSTGRES_DATA: its data folder, which this proof may kill and start) kill -9 of the server during loads
 * After each the table is what it must be, and doctor finds nothing. SLUICE_SWEEP=<n> takes every n-th kill only.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, ownDatabase, serverUrl } from '../postgres.ts'
import type { OwnDatabase } from '../postgres.ts'
import { lossyWay } from './drop-commit.ts'
import { calledWell } from './called.ts'
import { IS_LANE, close, difference, examine, inFolder, playAsLane, runCases, runInLanes, sluice, start } from './harness.ts'
import { baseName } from './points.ts'

const MODES = ['append', 'dedupe', 'upsert', 'replace'] as const
type Mode = (typeof MODES)[number]
interface Rec {
  id: string
  v: number
}
const EVERY = Number(process.env['SLUICE_SWEEP'] ?? 1)
const ROUNDS = Number(process.env['SLUICE_KILL_ROUNDS'] ?? 4)

/** The files of a load, and what a grown table has before it. */
const BEFORE: Rec[] = [{ id: 'k0', v: 0 }, { id: 'k1', v: 0 }, { id: 'k2', v: 0 }]
const FILES: Rec[][] = [
  [{ id: 'k0', v: 1 }, { id: 'n1', v: 1 }, { id: 'n1', v: 2 }],
  [{ id: 'k1', v: 0 }, { id: 'n2', v: 2 }, { id: 'n1', v: 3 }],
]

function expected(mode: Mode, grown: boolean): string[] {
  const rows = new Map<string, Rec>()
  const all = [...(grown && mode !== 'replace' ? BEFORE : []), ...FILES.flat()]
  for (const [at, row] of all.entries()) {
    const key = mode === 'append' ? String(at) : row.id
    if (mode !== 'dedupe' || !rows.has(key)) rows.set(key, row)
  }
  return [...rows.values()].map(({ id, v }) => `id=${JSON.stringify(id)} v=${v}n`).toSorted()
}

interface Stage {
  database: OwnDatabase
  folder: string
  mode: Mode
  grown: boolean
}

function args({ database, folder, mode }: Stage, paths = [join(folder, 'in')], url = database.url): ['load', ...string[]] {
  return ['load', ...paths, '--into', 't', '--mode', mode, ...(mode === 'append' ? [] : ['--key', 'id']), '--columns', 'id:string,v:int64', '--to', url, '--data-dir', join(folder, 'data'), '--jobs', '1', '--grace', '0', '--allow-partial', '--json']
}

/** A database and a folder of one case. */
async function onStage(mode: Mode, grown: boolean, work: (stage: Stage) => Promise<void>): Promise<void> {
  await inFolder('postgres', async (folder) => {
    const database = await ownDatabase()
    try {
      const stage = { database, folder, mode, grown }
      mkdirSync(join(folder, 'in'))
      for (const [n, records] of FILES.entries()) writeFileSync(join(folder, 'in', `f${n}.json`), JSON.stringify({ records: [...records, { id: null }] }))
      if (grown) {
        writeFileSync(join(folder, 'seed.ndjson'), BEFORE.map((record) => `${JSON.stringify(record)}\n`).join(''))
        await calledWell(args(stage, [join(folder, 'seed.ndjson')]), 'the seed')
      }
      await work(stage)
    } finally {
      // A server that is down must not hide why.
      await database.drop().catch(() => undefined)
    }
  })
}

async function check(stage: Stage): Promise<void> {
  await calledWell(args(stage), 'the run after it')
  await hold(stage, expected(stage.mode, stage.grown).concat(stage.mode === 'append' ? ['id=null v=null', 'id=null v=null'] : []).toSorted())
}

async function hold({ database, folder }: Stage, rows: string[]): Promise<void> {
  const found = await examine(join(folder, 'data'), 't', database.url)
  const wrong = difference(found.rows, rows)
  if (wrong !== null) throw new Error(wrong)
  if (found.broken.length > 0) throw new Error(`doctor: ${found.broken.join('; ')}`)
}

interface Kill {
  /** The load is killed, or its backend. */
  what: 'load' | 'backend'
  mode: Mode
  grown: boolean
  point: string
}

/** Failpoints of the target that an undisturbed load passes. */
async function points(mode: Mode, grown: boolean): Promise<string[]> {
  let found: string[] = []
  await onStage(mode, grown, async (stage) => {
    const log = join(stage.folder, 'points.log')
    await sluice(args(stage), { SLUICE_FAILPOINT_LOG: log })
    found = [...new Set(readFileSync(log, 'utf8').split('\n'))].filter((line) => /^. (database|postgres)\./.test(line))
    await check(stage)
  })
  return found
}

async function sweep({ mode, grown, point }: Kill): Promise<void> {
  await onStage(mode, grown, async (stage) => {
    const once = join(stage.folder, 'killed')
    await sluice(args(stage), { SLUICE_FAILPOINT: point.slice(2), SLUICE_FAILPOINT_KILL: 'self', SLUICE_FAILPOINT_ONCE: once })
    readFileSync(once)
    await check(stage)
  })
}

/** The load stops at the point for a moment, in which its sessions end. */
async function backend({ mode, grown, point }: Kill): Promise<void> {
  await onStage(mode, grown, async (stage) => {
    const once = join(stage.folder, 'held')
    const { child, ended } = start(args(stage), { SLUICE_FAILPOINT: point.slice(2), SLUICE_FAILPOINT_KILL: 'stop', SLUICE_FAILPOINT_ONCE: once })
    for (let waited = 0; !stopped(child.pid ?? 0); waited += 10) {
      if (child.exitCode !== null || waited > 60_000) throw new Error('the load did not come to the point')
      await sleep(10)
    }
    await ask(serverUrl(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()`, [stage.database.name])
    child.kill('SIGCONT')
    const said = await ended
    if (said.code !== 0 && said.code !== 5) throw new Error(`the load ended with ${said.code}: ${said.stdout.slice(0, 300)} ${said.stderr.slice(0, 300)}`)
    await check(stage)
  })
}

function stopped(pid: number): boolean {
  try {
    return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** All of it by a way that loses answers: also what is asked afterwards may get lost. */
async function lostAnswer({ mode, when, cuts }: { mode: Mode; when: 'before' | 'after'; cuts: number }): Promise<void> {
  await onStage(mode, false, async (stage) => {
    const server = new URL(stage.database.url)
    const way = await lossyWay(server.hostname, Number(server.port), when)
    try {
      const through = new URL(stage.database.url)
      through.host = `127.0.0.1:${way.port}`
      const go = async (paths?: string[]): Promise<void> => {
        const said = await sluice(args(stage, paths, through.href))
        if (said.code !== 0) throw new Error(`the load ended with ${said.code}: ${said.stdout.slice(0, 400)} ${said.stderr.slice(0, 300)}`)
      }
      writeFileSync(join(stage.folder, 'seed.ndjson'), BEFORE.map((record) => `${JSON.stringify(record)}\n`).join(''))
      await go([join(stage.folder, 'seed.ndjson')])
      way.arm(cuts)
      await go()
      if (way.cuts !== cuts) throw new Error(`${way.cuts} connections were cut, not ${cuts}`)
      await go()
      const rows = (await stage.database.ask('SELECT id, v::text AS v FROM t WHERE id IS NOT NULL')).map(({ id, v }) => `id=${JSON.stringify(id)} v=${String(v)}n`).toSorted()
      const wrong = difference(rows, expected(mode, true))
      if (wrong !== null) throw new Error(wrong)
    } finally {
      await way.close()
    }
  })
}

/** Two process groups load overlapping files; both are killed at random times, and in the end run once more. */
async function loaders({ mode, seed, server }: { mode: Mode; seed: number; server?: () => Promise<void> }): Promise<void> {
  await onStage(mode, false, async (stage) => {
    const rows = Array.from({ length: 12 }, (_, n) => Array.from({ length: 200 }, (__, i) => ({ id: `k${(n * 131 + i * 7 + seed) % 900}`, v: n * 1000 + i })))
    for (const part of ['a', 'b']) mkdirSync(join(stage.folder, part))
    for (const [n, records] of rows.entries()) writeFileSync(join(stage.folder, 'ab'[n % 2] ?? 'a', `f${n}.json`), JSON.stringify({ records }))
    const both = [['a', 'b'], ['b', 'a']].map((parts) => args(stage, parts.map((part) => join(stage.folder, part))))
    for (let blow = 0; blow < 3; blow++) {
      const running = both.map((flags) => start(flags, {}, true))
      await sleep(300 + ((seed * 7919 + blow * 104_729) % 1700))
      if (server !== undefined) await server()
      else {
        for (const { child } of running) {
          try {
            if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
          } catch {
            // It had ended by itself.
          }
        }
      }
      await Promise.all(running.map(({ ended }) => ended))
    }
    for (const run of await Promise.all(both.map((flags) => sluice(flags)))) if (run.code !== 0) throw new Error(`the last run ended with ${run.code}: ${run.stdout.slice(0, 400)} ${run.stderr.slice(0, 300)}`)
    // Which number the table gave each file is the one thing that depends on who was first.
    const order = (await stage.database.ask('SELECT path, seq FROM sluice.arrivals ORDER BY seq')).map(({ path }) => Number(/f(\d+)\.json$/.exec(String(path))?.[1]))
    if (order.length !== rows.length || new Set(order).size !== rows.length) throw new Error(`the table knows the files ${order.join(', ')}`)
    const wanted = new Map<string, Rec>()
    let at = 0
    for (const n of order) {
      for (const record of rows[n] ?? []) {
        const key = mode === 'append' ? String(at++) : record.id
        if (mode !== 'dedupe' || !wanted.has(key)) wanted.set(key, record)
      }
    }
    await hold(stage, [...wanted.values()].map(({ id, v }) => `id=${JSON.stringify(id)} v=${v}n`).toSorted())
  })
}

/** SIGKILL of the server and of all its processes, and its start: it recovers by its log. */
function restart(data: string): () => Promise<void> {
  return async () => {
    const pid = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0])
    // Its processes for the sessions as well: as long as one of them lives, no other server may take the data.
    const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === pid).map(Number)
    for (const one of [pid, ...children]) {
      try {
        process.kill(one, 'SIGKILL')
      } catch {
        // It had ended with its parent.
      }
    }
    const restarting = process.env['SLUICE_TEST_POSTGRES_START'] ?? ''
    await sleep(300)
    execFileSync('bash', ['-c', restarting], { stdio: 'ignore' })
    for (let tries = 0; ; tries++) {
      try {
        await ask(serverUrl(), 'SELECT 1')
        return
      } catch (thrown) {
        if (tries > 300) throw thrown
        await sleep(100)
      }
    }
  }
}

function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return 0
  }
}

async function main(): Promise<void> {
  const kills: Kill[] = []
  for (const mode of MODES) {
    // What a fresh table passes beside a grown one does not depend on how its rows were decided.
    for (const grown of mode === 'append' || mode === 'upsert' ? [false, true] : [true]) for (const point of await points(mode, grown)) kills.push({ what: 'load', mode, grown, point })
  }
  const chosen = kills.filter((_, at) => at % EVERY === 0)
  const result = { passed: 0, failed: 0 }
  const count = (what: string, cases: readonly unknown[], { passed, failed }: typeof result): void => {
    console.log(`  ${what}: ${passed} of ${cases.length}`)
    result.passed += passed
    result.failed += failed
  }
  const play = async <T>(what: string, cases: readonly T[], name: (item: T) => string, work: (item: T) => Promise<void>, width = 2): Promise<void> => count(what, cases, await runCases(cases, width, name, work))
  const told = ({ mode, grown, point }: Kill): string => `${mode} ${grown ? 'grown' : 'fresh'} ${point}`
  const backends = chosen.filter(({ grown, point }) => grown && point.startsWith('p ')).map((kill): Kill => ({ ...kill, what: 'backend' }))
  count('killed at each failpoint', chosen, await runInLanes(import.meta.url, chosen, 3, told))
  count('backend ended at each failpoint', backends, await runInLanes(import.meta.url, backends, 3, told))
  const answers = MODES.slice(0, 3).flatMap((mode) => (['before', 'after'] as const).flatMap((when) => [1, 3].map((cuts) => ({ mode, when, cuts }))))
  await play('answer to COMMIT lost', answers, ({ mode, when, cuts }) => `${mode} ${when} ${cuts}`, lostAnswer)
  const seeds = Array.from({ length: ROUNDS }, (_, n) => MODES.slice(0, 3).map((mode) => ({ mode, seed: n * 3 + 1 }))).flat()
  await play('two loaders killed three times', seeds, ({ mode, seed }) => `${mode} seed ${seed}`, loaders, 1)
  const data = process.env['SLUICE_TEST_POSTGRES_DATA']
  if (data !== undefined) await play('server killed three times', seeds, ({ mode, seed }) => `server ${mode} seed ${seed}`, (c) => loaders({ ...c, server: restart(data) }), 1)
  else console.log('  not run: kill -9 of the server (SLUICE_TEST_POSTGRES_DATA is not set)')
  const seen = new Set(kills.map(({ point }) => baseName(point.slice(2))))
  if (seen.size < 20) {
    console.log(`  failed: only ${seen.size} failpoints were reached: ${[...seen].join(', ')}`)
    result.failed++
  }
  close('postgres', result, EVERY === 1 ? 200 : 1, `${seen.size} failpoints`)
}

if (process.env['SLUICE_TEST_POSTGRES_URL'] === undefined) {
  console.log('not run: postgres (SLUICE_TEST_POSTGRES_URL is not set)')
  console.log('postgres: 0 passed, 0 failed')
} else {
  // Doctor opens tables by what their folders remember.
  process.env['PGPASSWORD'] = decodeURIComponent(new URL(serverUrl()).password)
  if (IS_LANE) playAsLane((kill: Kill) => (kill.what === 'load' ? sweep(kill) : backend(kill)))
  else await main()
}
