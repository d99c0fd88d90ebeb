/**
 * Power cuts: a process loads small files without end into tables on a loop-mounted ext4 image; at random instants the
 * image file is copied, which is what the disk would hold after a cut. Every copy is mounted and looked at: every load
 * that was acknowledged before the copy is in the table, doctor is clean (no torn file), and a further load goes on.
 *
 * Needs root and loop devices; refuses (and fails) without them. SLUICE_CUTS=<n>: how many cuts (default 300).
 * What it does not cover: a disk that reorders writes below the kernel.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { load } from '../../src/index.ts'
import { broken, close, inFolder, tableText } from './harness.ts'

const CUTS = Number(process.env['SLUICE_CUTS'] ?? 300)
/** Cuts of one image before it is made anew: the table grows and with it the time to look at it. */
const PER_IMAGE = 25
const WORKER = fileURLToPath(new URL('./cut-worker.ts', import.meta.url))

function run(command: string, args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

async function unmount(path: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return run('umount', [path])
    } catch (thrown) {
      if (attempt >= 20) throw thrown
      await sleep(100)
    }
  }
}

/** Lines that the worker has acknowledged so far. */
function acknowledged(log: string): string[] {
  return readFileSync(log, 'utf8').split('\n').filter((line) => line !== '')
}

async function image(folder: string, target: 'delta' | 'sqlite', cuts: number, result: { passed: number; failed: number }): Promise<void> {
  const disk = join(folder, `${target}.img`)
  const mounted = join(folder, `${target}-live`)
  const copy = join(folder, `${target}-copy.img`)
  const looked = join(folder, `${target}-look`)
  const log = join(folder, `${target}.log`)
  mkdirSync(mounted, { recursive: true })
  mkdirSync(looked, { recursive: true })
  writeFileSync(log, '')
  execFileSync('truncate', ['-s', '96M', disk])
  run('mkfs.ext4', ['-q', '-F', disk])
  run('mount', ['-o', 'loop', disk, mounted])
  const worker: ChildProcess = spawn(process.execPath, [WORKER, mounted, target, log], { stdio: ['ignore', 'ignore', 'inherit'], detached: true })
  try {
    while (acknowledged(log).length < 2) await sleep(50)
    for (let cut = 0; cut < cuts; cut++) {
      await sleep(Math.random() * 400)
      const before = acknowledged(log)
      // The whole group stands still while the image is copied, so the copy is one instant and not a stretch of time.
      if (worker.pid !== undefined) process.kill(-worker.pid, 'SIGSTOP')
      copyFileSync(disk, copy)
      if (worker.pid !== undefined) process.kill(-worker.pid, 'SIGCONT')
      try {
        await look(copy, looked, target, before)
        result.passed++
      } catch (thrown) {
        result.failed++
        console.log(`  failed: ${target} cut ${cut} after ${before.length} loads: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      }
    }
  } finally {
    if (worker.pid !== undefined) process.kill(-worker.pid, 'SIGKILL')
    await sleep(50)
    await unmount(mounted)
  }
}

async function look(copy: string, looked: string, target: 'delta' | 'sqlite', before: readonly string[]): Promise<void> {
  run('mount', ['-o', 'loop', copy, looked])
  try {
    const data = join(looked, 'data')
    const findings = await broken(data)
    if (findings.length > 0) throw new Error(`doctor: ${findings.join('; ')}`)
    const to = target === 'delta' ? undefined : `sqlite:${join(looked, 't.db')}`
    const next = join(looked, 'next.ndjson')
    writeFileSync(next, '{"id":"next"}\n')
    const result = await load({ paths: [next], into: 't', key: 'id', dataDir: data, jobs: 1, ...(to === undefined ? {} : { to }) })
    if (result.exit !== 0) throw new Error(`the load after the cut ended with ${result.exit}: ${JSON.stringify(result.errors)}`)
    const rows = new Set(await tableText(data, 't', to))
    const lost = [...before, 'next'].filter((id) => !rows.has(`id=${JSON.stringify(id)}`))
    if (lost.length > 0) throw new Error(`${lost.length} acknowledged loads are lost: ${lost.slice(0, 3).join(', ')}`)
    const after = await broken(data)
    if (after.length > 0) throw new Error(`doctor after the load: ${after.join('; ')}`)
  } finally {
    await unmount(looked)
  }
}

const result = { passed: 0, failed: 0 }
try {
  for (let left = CUTS, at = 0; left > 0; left -= PER_IMAGE, at++) {
    await inFolder('cuts', (folder) => image(folder, at % 2 === 0 ? 'delta' : 'sqlite', Math.min(left, PER_IMAGE), result))
  }
} catch (thrown) {
  result.failed++
  console.log(`  failed: no cuts possible here: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
}
close('power-cuts', result, CUTS, 'ext4 image copies')
