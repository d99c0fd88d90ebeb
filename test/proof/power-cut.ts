/**
 * A power cut: the image file under a mounted ext4 is copied while everything that writes to it stands still. The copy is
 * what the disk would hold; it is mounted, looked at and worked on.
 */
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { load } from '../../src/index.ts'
import { openBrowser } from '../../src/service/browse.ts'
import { checkup } from '../../src/service/doctor.ts'
import { MEMORY } from './called.ts'
import { mount, run, signalGroup, unmount, watchGroup } from './mounts.ts'

export interface Workload {
  target: 'delta' | 'sqlite' | 'duckdb'
  mode: 'dedupe' | 'upsert'
}

const WORKER = fileURLToPath(new URL('./cut-worker.ts', import.meta.url))
/** A cut comes at most so many ms after the last one: about the time of a load, so that every step is met. */
const WITHIN = 350

/**
 * Works on a new image and cuts its power again and again. `cut` gets what is wrong with each copy, null for nothing,
 * and answers whether to go on.
 */
export async function cutPower(folder: string, work: Workload, cut: (wrong: string | null) => boolean, worker = WORKER): Promise<void> {
  const disk = join(folder, 'live.img')
  const live = join(folder, 'live')
  const copy = join(folder, 'copy.img')
  const log = join(folder, 'acknowledged')
  // The input is the user's and was there before: it does not lie on the disk that loses power.
  const input = join(folder, 'in')
  mkdirSync(live)
  mkdirSync(input)
  writeFileSync(log, '')
  await run('truncate', ['-s', '64M', disk])
  await run('mkfs.ext4', ['-q', '-F', disk])
  mount(['-o', 'loop', disk], live)
  const child = spawn(process.execPath, [worker, live, input, work.target, work.mode, log], { stdio: ['ignore', 'ignore', 'inherit'], detached: true })
  watchGroup(child)
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  try {
    while (!existsSync(join(live, 'data')) && child.exitCode === null) await sleep(5)
    for (let more = true; more; ) {
      await sleep(Math.random() * WITHIN)
      if (child.exitCode !== null) throw new Error(`the worker ended with ${child.exitCode}`)
      signalGroup(child, 'SIGSTOP')
      const acknowledged = Math.max(-1, ...readFileSync(log, 'utf8').split('\n').filter((line) => line !== '').map(Number))
      await copyInstant(disk, copy)
      // At the same place, over the live one: a disk that comes back. Nobody but us opens a path meanwhile.
      mount(['-o', 'loop', copy], live)
      try {
        more = cut(await look(live, input, work, acknowledged).catch((thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown))))
      } finally {
        await unmount(live)
      }
      signalGroup(child, 'SIGCONT')
    }
  } finally {
    signalGroup(child, 'SIGKILL')
    await ended
    await unmount(live)
  }
}

/** Copies the image when nothing, not even the kernel, has written to it meanwhile: the copy is one instant. */
async function copyInstant(disk: string, copy: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { mtimeMs } = statSync(disk)
    // Times have the grain of the kernel's tick: a write in the same tick would not show.
    if (Date.now() - mtimeMs < 10) {
      await sleep(10)
      continue
    }
    copyFileSync(disk, copy)
    if (statSync(disk).mtimeMs === mtimeMs) return
  }
  throw new Error('the image never stood still')
}

/** What is wrong with a mounted copy on which loads up to number `acknowledged` had returned; null: nothing. */
async function look(disk: string, input: string, work: Workload, acknowledged: number): Promise<string | null> {
  const data = join(disk, 'data')
  const to = work.target === 'delta' ? undefined : `${work.target}:${join(disk, 't.db')}`
  if (acknowledged >= 0 || existsSync(join(data, 'ledger.db'))) {
    const found = await inspect(data, to, work, acknowledged)
    if (found !== null) return found
  }
  const next = join(input, 'next.ndjson')
  writeFileSync(next, '{"id":"next","v":1}\n')
  const result = await load({ paths: [next], into: 't', key: 'id', mode: work.mode, dataDir: data, jobs: 1, memory: MEMORY, ...(to === undefined ? {} : { to }) })
  if (result.exit !== 0) return `the load after the cut ended with ${result.exit}: ${JSON.stringify(result.errors)}`
  const found = await inspect(data, to, work, acknowledged)
  if (found !== null) return `after a further load: ${found}`
  return null
}

/** Doctor and every acknowledged row, in one session. */
async function inspect(data: string, to: string | undefined, work: Workload, acknowledged: number): Promise<string | null> {
  const browser = await openBrowser(data)
  try {
    const findings = (await checkup(browser)).findings.filter((finding) => finding.grade === 'broken')
    if (findings.length > 0) return `doctor: ${findings.map(({ path, message }) => `${path}: ${message}`).join('; ')}`
    if (acknowledged < 0) return null
    const { rows } = await browser.head('t', Number.MAX_SAFE_INTEGER, to)
    const values = new Map(rows.map(([id, v]) => [id, Number(v)]))
    for (let n = 0; n <= acknowledged; n++) {
      const v = values.get(`r${n}`)
      // The load after the last acknowledged one may be in or not.
      const right = work.mode === 'dedupe' ? v === n : n === acknowledged ? v === n || v === n + 1 : v === n + 1
      if (!right) return `load ${acknowledged} was acknowledged, and the row r${n} is ${v === undefined ? 'lost' : `at ${v}`}`
    }
    return null
  } finally {
    await browser.close()
  }
}
