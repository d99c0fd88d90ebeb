/**
 * Poison: files that kill their worker process, eat its memory or never end, among a thousand neighbours. Each is found
 * alone and FAILED with evidence within 60 s; the neighbours are loaded, everything balances, the parent and the limit of
 * memory hold, and the next load tries it once more and ends the same. Then hostile files, with what became of each.
 *
 * SLUICE_POISON_ALL=1 plays every kind at every place into both targets (some ten minutes); else each kind meets some places,
 * each place some kinds, and both targets as many.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { LoadResult } from '../../src/service/result.ts'
import { documentOf } from '../command.ts'
import { close, examine, inFolder, runCases } from './harness.ts'
import { HOSTILE } from './hostile.ts'
import type { Hostile } from './hostile.ts'
import { measure } from './peaks.ts'
import type { Measured } from './peaks.ts'

const NEIGHBOURS = 1000
const LIMIT = 1e9
const PARENT = 200e6
const SECONDS = 60

/** What a worker dies of, and how the evidence tells it. */
const KINDS: Readonly<Record<string, RegExp>> = {
  'SIGSEGV@20': /killed by SIGSEGV \(read up to byte \d+\)/,
  'SIGKILL@0': /killed by SIGKILL \(read up to byte \d+\)/,
  'SIGABRT@1': /killed by SIGABRT \(read up to byte \d+\)/,
  'exit@5': /exit code 7 \(read up to byte \d+\)/,
  'SIGSEGV@after': /killed by SIGSEGV \(read to its end\)/,
  'heap@1': /killed by SIGABRT \(read up to byte \d+\)/,
  'memory@1': /stopped: it took \d+ MB of memory/,
  'spin@after': /stopped: it made no progress for 8 s \(read to its end\)/,
  'spin@9': /stopped: it made no progress for 8 s \(read up to byte \d+\)/,
  'hang@9': /stopped: it made no progress for 8 s \(read up to byte \d+\)/,
}
const SLOW = ['heap@1', 'memory@1', 'spin@9', 'hang@9', 'spin@after']
const PLACES: Readonly<Record<string, readonly number[]>> = { alone: [], first: [0], middle: [500], last: [NEIGHBOURS], two: [300, 700] }

interface Case {
  kind: string
  place: string
  target: 'delta' | 'sqlite'
}

function cases(): Case[] {
  const all = Object.keys(KINDS).flatMap((kind, k) => Object.keys(PLACES).flatMap((place, p) => (['delta', 'sqlite'] as const).map((target, t) => ({ kind, place, target, turn: (k + p) % 2 + (Math.floor((k + p) / 2) + t) % 2 }))))
  if (process.env['SLUICE_POISON_ALL'] !== undefined) return all
  const slow = new Map([['heap@1', 'first'], ['memory@1', 'two'], ['spin@9', 'last'], ['hang@9', 'alone'], ['spin@after', 'middle']])
  // The longest first: they run beside the others.
  const chosen = all.filter(({ kind, place, target, turn }) => (SLOW.includes(kind) ? slow.get(kind) === place && target === (kind < 'm' ? 'delta' : 'sqlite') : turn === 0))
  return chosen.toSorted((a, b) => SLOW.indexOf(b.kind) - SLOW.indexOf(a.kind))
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

/** How much longer than on a quiet machine things take just now: the wall time of a moment of computing by its processor time. */
function slowness(): number {
  const began = performance.now()
  const { user, system } = process.cpuUsage()
  const used = (): number => {
    const now = process.cpuUsage()
    return (now.user + now.system - user - system) / 1000
  }
  while (used() < 100);
  return Math.max(1, (performance.now() - began) / used())
}

const line = (what: string, ended: string, { seconds, whole, parent }: Measured): void => {
  console.log(`  ${what.padEnd(38)} ${ended.padEnd(58)} ${seconds.toFixed(1).padStart(5)} s ${(whole / 1e6).toFixed(0).padStart(4)} MB, parent ${(parent / 1e6).toFixed(0).padStart(3)} MB`)
}

function argsOf(folder: string, paths: readonly string[], target: string): string[] {
  return ['load', ...paths, '--into', 't', '--key', 'id', '--data-dir', join(folder, 'data'), '--to', target === 'delta' ? 'delta:' : `sqlite:${join(folder, 't.db')}`, '--json']
}

async function play({ kind, place, target }: Case): Promise<void> {
  await inFolder('poison', async (folder) => {
    const input = join(folder, 'in')
    mkdirSync(input)
    const at = PLACES[place] ?? []
    const neighbours = place === 'alone' ? 0 : NEIGHBOURS
    const put = (name: string, id: string): void => writeFileSync(join(input, name), JSON.stringify({ records: [1, 2, 3].map((n) => ({ id: `${id}-${n}`, data: 'x'.repeat(40), ts: '2024-01-01T00:00:00.123Z' })) }))
    for (let n = 0; n < neighbours; n++) put(`f${n + 1}.json`, `n${n}`)
    const poisons = place === 'alone' ? ['f0-venom.json'] : at.map((n) => `f${n}${n === 0 ? '' : `-${n}`}-venom.json`)
    for (const name of poisons) put(name, name)
    const env = { SLUICE_TEST_ONLY: 'poison', SLUICE_POISON: `venom=${kind}` }
    const args = argsOf(folder, [input], target)
    const before = slowness()
    const first = await measure(args, env)
    const said = documentOf(first) as unknown as LoadResult
    const brief = `exit ${first.code}, ${said.files.loaded} loaded, ${said.files.failed} FAILED, balances ${said.balance.balances}`
    line(`${kind} ${place} → ${target}`, brief, first)
    const right = first.code === 3 && said.state === 'COMPLETED' && said.files.loaded === neighbours && said.files.failed === poisons.length && said.balance.inserted === 3 * neighbours && said.balance.balances
    expect(right, `${brief}; ${JSON.stringify(said.errors)} ${first.stderr.slice(-500)}`)
    for (const name of poisons) {
      const fault = said.errors.find((error) => error.path === join(input, name))
      expect(fault?.code === 'FILE_POISONED' && (KINDS[kind] as RegExp).test(fault.message), `${name}: ${JSON.stringify(fault)}`)
      expect((fault?.message.match(/attempt \d+/g) ?? []).length >= 3, `three deaths are told: ${fault?.message}`)
    }
    const slow = Math.max(before, slowness())
    expect(first.seconds < SECONDS * slow, `it took ${first.seconds} s on a machine that was ${slow.toFixed(1)} times slower than alone`)
    expect(first.parent < PARENT && first.whole < LIMIT, `memory: parent ${first.parent}, whole ${first.whole}`)
    const second = await measure(args, env)
    const again = documentOf(second) as unknown as LoadResult
    expect(second.code === 3 && again.files.known === neighbours && again.files.failed === poisons.length && again.balance.read === 0, `the second load: ${second.stdout.slice(0, 500)}`)
    // Reading everything back takes as long as the rest: the balance was counted in the table already.
    if (place !== 'two') return
    const { rows: stored, broken } = await examine(join(folder, 'data'), 't', target === 'delta' ? undefined : `sqlite:${join(folder, 't.db')}`)
    expect(stored.length === 3 * neighbours && broken.length === 0, `${stored.length} rows; ${broken.join('; ')}`)
  })
}

async function face({ name, make, code, exit = 3, outright }: Hostile): Promise<void> {
  await inFolder('hostile', async (folder) => {
    const input = join(folder, 'in')
    mkdirSync(input)
    for (let n = 0; n < 20; n++) writeFileSync(join(input, `neighbour${n}.json`), `{"records":[{"id":"n${n}"}]}`)
    const end = await make(input)
    try {
      const paths = outright === undefined ? [input] : [join(input, 'neighbour0.json'), isAbsolute(outright) ? outright : join(input, outright)]
      const before = slowness()
      const measured = await measure(argsOf(folder, paths, 'delta'))
      const said = documentOf(measured) as unknown as LoadResult & { code?: string }
      const codes = [...new Set([...Object.keys(said.reasons ?? {}), ...(said.errors ?? []).map((error) => error.code), ...(said.code === undefined ? [] : [said.code])])]
      line(name, `exit ${measured.code}${codes.length === 0 ? ', nothing of it or all of it was taken' : `, ${codes.join(', ')}`}`, measured)
      expect([exit].flat().includes(measured.code ?? -1), `exit ${measured.code}: ${measured.stdout.slice(0, 500)}`)
      if (outright === undefined) {
        const wanted = [code].flat()
        expect(codes.length === 0 ? wanted.includes(null) : codes.every((found) => wanted.includes(found)), `codes ${codes.join()}: ${measured.stdout.slice(0, 600)}`)
        expect(said.balance.balances && said.balance.inserted >= 20, `its neighbours: ${JSON.stringify(said.balance)}`)
      }
      expect(measured.whole < LIMIT && measured.seconds < SECONDS * Math.max(before, slowness()), `${measured.whole} bytes, ${measured.seconds} s`)
    } finally {
      end?.()
    }
  })
}

const played = cases()
const poisoned = await runCases(played, 2, ({ kind, place, target }) => `${kind} ${place} ${target}`, play)
const hostile = await runCases(HOSTILE, 2, ({ name }) => name, face)
close('poison', { passed: poisoned.passed + hostile.passed, failed: poisoned.failed + hostile.failed }, played.length + HOSTILE.length, `${played.length} poisons, ${HOSTILE.length} hostile files`)
