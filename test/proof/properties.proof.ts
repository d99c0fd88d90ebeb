/**
 * Properties: whole histories through `load()` on real Delta and real SQLite with real child processes. Any records, cut
 * into any files, in any order, with copies, moved and removed files, any number of runs, lost ledgers, every mode and
 * keep, some runs with 2–4 processes at once: at the end the table equals the model, every record is accounted for, and
 * doctor is clean.
 *
 * SLUICE_HISTORIES=<n> per target (default 500; at least a tenth of them has runs with several processes).
 * SLUICE_SEED=<n> plays other histories; a failure prints its seed and path.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { load } from '../../src/index.ts'
import type { CommittedArrival } from '../../src/core/target.ts'
import { openBrowser } from '../../src/service/browse.ts'
import { checkup } from '../../src/service/doctor.ts'
import { TABLE, arrange, committedOf, contentsOf, histories } from '../histories.ts'
import type { History, HistoryRun } from '../histories.ts'
import { model, showRow } from '../reference.ts'
import { close, difference, inFolder, sluice } from './harness.ts'

const COUNT = Number(process.env['SLUICE_HISTORIES'] ?? 500)
const SEED = Number(process.env['SLUICE_SEED'] ?? 20_261_121)
const CODES = new Set([0, 3])

interface Seen {
  ran: number
  several: number
}

async function play(history: History, run: HistoryRun, folder: string, to: string): Promise<'done' | 'no key'> {
  const data = join(folder, 'data')
  if (run.loseLedger) for (const end of ['', '-wal', '-shm']) rmSync(join(data, `ledger.db${end}`), { force: true })
  arrange(join(folder, 'in'), run)
  const { columns, key, mode, keep } = history.request
  if (run.processes === 1) {
    const result = await load({ ...history.request, paths: [join(folder, 'in')], into: TABLE, to, dataDir: data, jobs: 1 })
    if (result.errors[0]?.code === 'KEY_UNKNOWN') return 'no key'
    if (!CODES.has(result.exit) || !result.balance.balances) throw new Error(`a run ended with ${result.exit}: ${JSON.stringify(result)}`)
    return 'done'
  }
  const flags = Object.entries({ columns, key, mode, keep }).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]))
  const args = ['load', join(folder, 'in'), '--into', TABLE, '--to', to, '--data-dir', data, '--jobs', '1', '--json', ...flags]
  const ended = await Promise.all(Array.from({ length: run.processes }, () => sluice(args)))
  if (ended.some(({ stdout }) => stdout.includes('KEY_UNKNOWN'))) return 'no key'
  for (const { code, stdout, stderr } of ended) if (!CODES.has(code ?? -1)) throw new Error(`one of ${run.processes} processes ended with ${code}: ${stdout} ${stderr}`)
  return 'done'
}

async function examine(history: History, data: string, complete: boolean): Promise<void> {
  const browser = await openBrowser(data)
  try {
    const arrivals: CommittedArrival[] = []
    const kept: string[] = []
    const rejected: bigint[] = []
    for await (const table of browser.opened()) {
      for await (const arrival of table.arrivals()) arrivals.push(arrival)
      for await (const chunk of table.losers()) kept.push(...chunk.map(showRow))
      rejected.push(...(await table.rejects({ limit: 100_000 })).map((row) => row.place))
    }
    const committed = new Set(arrivals.map((arrival) => arrival.sha256))
    const lost = complete ? [...contentsOf(history)].filter((sha) => !committed.has(sha)) : []
    if (lost.length > 0) throw new Error(`${lost.length} contents are not in the table`)
    if (arrivals.length === 0) return
    const { schema, rows } = await browser.head(TABLE, Number.MAX_SAFE_INTEGER)
    const truth = model(history.definition, schema, committedOf(history, arrivals))
    const text = (list: typeof rows): string[] => list.map((row) => showRow(row.slice(0, -1))).toSorted()
    const wrong = difference(text(rows), text(truth.rows))
    if (wrong !== null) throw new Error(wrong)
    const accounted = rows.length + kept.length + rejected.length
    if (accounted !== truth.good.length + truth.bad.length) throw new Error(`${accounted} records are kept of ${truth.good.length + truth.bad.length}`)
    const places = new Set([...rows.map((row) => row.at(-1)), ...rejected])
    for (const place of truth.bad) if (!places.has(place)) throw new Error(`the reject at ${place} is not kept`)
    const { findings } = await checkup(browser)
    if (findings.some((finding) => finding.grade === 'broken')) throw new Error(`doctor: ${JSON.stringify(findings)}`)
  } finally {
    await browser.close()
  }
}

async function prove(target: 'delta' | 'sqlite', seen: Seen): Promise<void> {
  const property = fc.asyncProperty(histories, (history) =>
    inFolder('history', async (folder) => {
      const to = target === 'delta' ? 'delta:' : `sqlite:${join(folder, 't.db')}`
      let complete = true
      let ran = false
      for (const run of history.runs) {
        if ((await play(history, run, folder, to)) === 'no key') complete = false
        ran = true
      }
      if (ran) await examine(history, join(folder, 'data'), complete)
      seen.ran++
      if (history.runs.some((run) => run.processes > 1)) seen.several++
    }),
  )
  await fc.assert(property, { numRuns: COUNT, seed: SEED + (target === 'delta' ? 0 : 1), interruptAfterTimeLimit: 40 * 60_000, markInterruptAsFailure: true })
}

const result = { passed: 0, failed: 0 }
const details = await Promise.all(
  (['delta', 'sqlite'] as const).map(async (target) => {
    const seen = { ran: 0, several: 0 }
    try {
      await prove(target, seen)
      if (seen.several < COUNT / 10) throw new Error(`only ${seen.several} histories had several processes`)
      result.passed += seen.ran
    } catch (thrown) {
      result.failed++
      console.log(`  failed: ${target}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    }
    return `${target} ${seen.ran} histories, ${seen.several} of them with several processes`
  }),
)
close('properties', result, COUNT * 2, details.join('; '))
