/**
 * Properties: whole histories through `load()` on real Delta and real SQLite with real child processes. Any records, cut
 * into any files and any batches, in any order, with copies, moved, removed and late files, any number of runs, lost
 * ledgers, reloads, every mode and keep, some runs with 2–4 processes at once, some killed at a failpoint: at the end the
 * table equals the model, every record is accounted for, and doctor is clean.
 *
 * SLUICE_HISTORIES=<n> per target (default 500; at least a twentieth of them has runs with several processes).
 * SLUICE_SEED=<n> plays other histories. A failure prints its seed and path; one history is played again by
 * `SLUICE_PATH=<path> node test/proof/properties.proof.ts delta|sqlite 1 <seed>`.
 *
 * Each target is played by a few processes of this program, so that the batch limit of a run is that of no other.
 */
import { spawn } from 'node:child_process'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { histories, historiesWithoutDecimalKeys } from '../histories.ts'
import { close, inFolder } from './harness.ts'
import { examine } from './history-check.ts'
import { loadAgain, loadRest, play } from './history-play.ts'
import type { Seen, Stage } from './history-play.ts'

const COUNT = Number(process.env['SLUICE_HISTORIES'] ?? 500)
const SEED = Number(process.env['SLUICE_SEED'] ?? 20_261_121)
/** Players per target: while one waits for the disk, another one works. */
const PLAYERS = Math.min(2, COUNT)
/** Shrinking a failure must come to an end as well. */
const LIMIT_MS = 40 * 60_000

type Target = 'delta' | 'sqlite'

interface Played {
  seen: Seen
  failure: string | null
}

const nothing = (): Seen => ({ ran: 0, several: 0, killed: 0, late: 0, reloaded: 0, dated: 0 })

async function prove(target: Target, count: number, seed: number): Promise<Played> {
  enableCompileCache()
  const seen = nothing()
  const property = fc.asyncProperty(target === 'delta' ? histories : historiesWithoutDecimalKeys, (history) =>
    inFolder('history', async (folder) => {
      const stage: Stage = { folder, target, to: target === 'delta' ? 'delta:' : `sqlite:${join(folder, 't.db')}`, highest: 0 }
      const marks = new Set<Exclude<keyof Seen, 'ran'>>()
      for (const run of history.runs) await play(history, run, stage, marks)
      await examine(history, join(folder, 'data'))
      if (marks.has('dated')) {
        await loadRest(history, stage)
        await examine(history, join(folder, 'data'))
      }
      await loadAgain(history, stage)
      seen.ran++
      for (const mark of marks) seen[mark]++
    }),
  )
  const path = process.env['SLUICE_PATH']
  try {
    await fc.assert(property, { numRuns: count, seed, endOnFailure: true, interruptAfterTimeLimit: LIMIT_MS, markInterruptAsFailure: true, ...(path === undefined ? {} : { path }) })
    return { seen, failure: null }
  } catch (thrown) {
    return { seen, failure: told(thrown) }
  }
}

/** What was wrong before what it was wrong with: fast-check keeps the first as the cause. */
function told(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  return thrown.cause === undefined ? thrown.message : `${told(thrown.cause)}\n${thrown.message}`
}

/** Another process of this program plays `count` histories. */
function player(target: Target, count: number, seed: number): Promise<Played> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), target, String(count), String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(playedOf(text) ?? { seen: nothing(), failure: `a player ended with ${code ?? signal}: ${text.slice(-2000)}` }))
  })
}

/** The last line of a player; null when it is not its document. */
function playedOf(text: string): Played | null {
  try {
    return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as Played
  } catch {
    return null
  }
}

async function all(target: Target): Promise<{ seen: Seen; failures: string[] }> {
  const shares = Array.from({ length: PLAYERS }, (_, n) => Math.floor((COUNT * (n + 1)) / PLAYERS) - Math.floor((COUNT * n) / PLAYERS))
  const played = await Promise.all(shares.map((share, n) => player(target, share, SEED + 2 * n + (target === 'delta' ? 0 : 1))))
  const seen = nothing()
  for (const one of played) for (const name of Object.keys(seen) as (keyof Seen)[]) seen[name] += one.seen[name]
  return { seen, failures: played.flatMap(({ failure }) => failure ?? []) }
}

async function main(): Promise<void> {
  const result = { passed: 0, failed: 0 }
  const details = await Promise.all(
    (['delta', 'sqlite'] as const).map(async (target) => {
      const { seen, failures } = await all(target)
      // A proof that never met what is hard would prove little.
      for (const rare of ['several', 'killed', 'late', 'reloaded', 'dated'] as const) {
        // Far enough below what any seed draws: one in ten has several processes, one in nine a death, the others are more.
        const least = COUNT / { several: 20, killed: 40, late: 10, reloaded: 10, dated: 10 }[rare]
        if (failures.length === 0 && seen[rare] < least) failures.push(`only ${seen[rare]} histories were ${rare}`)
      }
      for (const failure of failures) console.log(`  failed: ${target}: ${failure}`)
      result.failed += failures.length
      result.passed += seen.ran
      return `${target} ${seen.ran} histories (${seen.several} with several processes, ${seen.killed} with a death, ${seen.late} with late files, ${seen.reloaded} with a reload, ${seen.dated} by date)`
    }),
  )
  close('properties', result, COUNT * 2, details.join('; '))
}

const [target, count, seed] = process.argv.slice(2)
if (target === 'delta' || target === 'sqlite') console.log(JSON.stringify(await prove(target, Number(count), Number(seed))))
else await main()
