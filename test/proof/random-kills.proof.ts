/**
 * Random kills from outside: four processes load overlapping folders into one table while the whole process group is
 * killed at random times, again and again. After one more run of each the table equals the model and doctor is clean.
 * Bounded: 9 rounds per combination of mode and target; one into DuckDB, where every process waits for the file.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { close, difference, examine, inFolder, runCases, sluice, start } from './harness.ts'

const ROUNDS = Number(process.env['SLUICE_KILL_ROUNDS'] ?? 9)
const FILES = 24
const RECORDS = 400

interface Case {
  mode: 'append' | 'dedupe' | 'upsert'
  target: 'delta' | 'sqlite' | 'duckdb'
  seed: number
}

/** A small generator of its own (mulberry32), so that a round can be played again by its seed. */
function random(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

interface Rec {
  id: string
  v: number
}

function writeFiles(folder: string, next: () => number): Map<string, Rec[]> {
  const files = new Map<string, Rec[]>()
  for (const part of ['a', 'b', 'c']) mkdirSync(join(folder, 'in', part), { recursive: true })
  for (let n = 0; n < FILES; n++) {
    const records = Array.from({ length: RECORDS }, () => ({ id: `k${Math.floor(next() * FILES * RECORDS * 0.6)}`, v: Math.floor(next() * 1e6) }))
    const path = join(folder, 'in', 'abc'[n % 3] ?? 'a', `f${n}.json`)
    writeFileSync(path, JSON.stringify({ records }))
    files.set(path, records)
  }
  // A copy under another name, in another folder.
  const [first] = files.keys()
  if (first !== undefined) writeFileSync(join(folder, 'in', 'c', 'copy.json'), readFileSync(first))
  return files
}

/** Which number the table gave each content: the one thing that depends on the order of discovery. */
async function numbers(dataDir: string): Promise<Map<string, number>> {
  const { openBrowser } = await import('../../src/service/browse.ts')
  const browser = await openBrowser(dataDir)
  const bySeq = new Map<string, number>()
  try {
    for await (const table of browser.opened()) for await (const arrival of table.arrivals()) bySeq.set(arrival.sha256, arrival.seq)
  } finally {
    await browser.close()
  }
  return bySeq
}

async function expected(c: Case, folder: string, files: Map<string, Rec[]>): Promise<string[]> {
  const { createHash } = await import('node:crypto')
  const bySha = await numbers(join(folder, 'data'))
  const ordered = [...files].map(([path, records]) => {
    const seq = bySha.get(createHash('sha256').update(readFileSync(path)).digest('hex'))
    if (seq === undefined) throw new Error(`${path} is not in the table`)
    return { seq, records }
  })
  const rows = new Map<string, Rec>()
  let at = 0
  for (const { records } of ordered.toSorted((a, b) => a.seq - b.seq)) {
    for (const record of records) {
      const key = c.mode === 'append' ? String(at++) : record.id
      if (c.mode !== 'dedupe' || !rows.has(key)) rows.set(key, record)
    }
  }
  return [...rows.values()].map((row) => `id=${JSON.stringify(row.id)} v=${row.v}n`).toSorted()
}

async function round(c: Case): Promise<void> {
  await inFolder('kills', async (folder) => {
    const next = random(c.seed)
    const files = writeFiles(folder, next)
    const to = c.target === 'delta' ? `delta:${join(folder, 'lake')}` : `${c.target}:${join(folder, 't.db')}`
    const args = (parts: string[]): string[] => [
      'load', ...parts.map((part) => join(folder, 'in', part)), '--into', 't', '--mode', c.mode, ...(c.mode === 'append' ? [] : ['--key', 'id']),
      '--columns', 'id:string,v:int64', '--to', to, '--data-dir', join(folder, 'data'), '--jobs', '1', '--json',
    ]
    const overlapping = [['a', 'b'], ['b', 'c'], ['c', 'a'], ['a', 'b', 'c']]
    for (let blow = 0; blow < 3; blow++) {
      const running = overlapping.map((parts) => start(args(parts), {}, true))
      await sleep(200 + next() * 1500)
      for (const { child } of running) {
        try {
          if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
        } catch {
          // It had ended by itself.
        }
      }
      await Promise.all(running.map(({ ended }) => ended))
    }
    const last = await Promise.all(overlapping.map((parts) => sluice(args(parts))))
    for (const run of last) if (run.code !== 0) throw new Error(`the last run ended with ${run.code}: ${run.stdout.slice(0, 400)} ${run.stderr.slice(0, 400)}`)
    const found = await examine(join(folder, 'data'), 't', to)
    const wrong = difference(found.rows, await expected(c, folder, files))
    if (wrong !== null) throw new Error(wrong)
    if (found.broken.length > 0) throw new Error(`doctor: ${found.broken.join('; ')}`)
    const spool = readdirSync(join(folder, 'data')).includes('spool') ? readdirSync(join(folder, 'data', 'spool')) : []
    if (spool.length > 0) throw new Error(`the spool is not empty: ${spool.join(', ')}`)
  })
}

const cases: Case[] = []
for (let n = 0; n < ROUNDS; n++) for (const mode of ['append', 'dedupe', 'upsert'] as const) for (const target of ['delta', 'sqlite'] as const) cases.push({ mode, target, seed: n * 6 + cases.length + 1 })
const inDuckdb = Math.ceil(ROUNDS / 9)
for (let n = 0; n < inDuckdb; n++) for (const mode of ['append', 'dedupe', 'upsert'] as const) cases.push({ mode, target: 'duckdb', seed: 1_000 + cases.length })
const result = await runCases(cases, 1, (c) => `${c.mode} ${c.target} seed ${c.seed}`, round)
close('random-kills', result, ROUNDS * 6 + inDuckdb * 3, `${cases.length * 3} kills of four process groups`)
