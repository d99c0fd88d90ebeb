/** `sync()`: exact copies of a folder's files. The same for programs and for the command. */
import { existsSync, realpathSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { setImmediate as breathe } from 'node:timers/promises'
import type { SyncSettings } from '../config/sync.ts'
import { SluiceError, asSluiceError } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import { YOUNG_MS } from '../core/ledger.ts'
import type { RunState } from '../core/ledger.ts'
import type { Origin } from '../core/origins.ts'
import type { SyncEvent, SyncItem } from '../core/sync.ts'
import { openOrigins } from '../ledger/origins.ts'
import { differences } from '../pipeline/differences.ts'
import type { Comparing } from '../pipeline/differences.ts'
import { findGone } from '../pipeline/known.ts'
import { recoverMoves } from '../pipeline/place.ts'
import { end, syncAll, workingName } from '../pipeline/sync.ts'
import type { SyncTally, SyncTodo } from '../pipeline/sync.ts'
import { standsInTheWay } from '../pipeline/way.ts'
import { openCopier } from '../storage/copier.ts'
import { localFs } from '../storage/local.ts'
import { systemClock } from '../storage/system.ts'
import { seeFile, walkTree } from '../storage/tree.ts'
import type { Tree } from '../storage/tree.ts'
import { identify } from './convert.ts'

/** Options of `sync()`: its settings, and what only a program can give. */
export interface SyncOptions extends SyncSettings {
  onEvent?: (event: SyncEvent) => void
  /** Aborted: finish the files in work and stop. */
  signal?: AbortSignal
  /** Aborted: stop at once; the same call goes on where it stopped. */
  now?: AbortSignal
}

/** What a sync did: the `--json` document of `sluice sync`. */
export interface SyncResult {
  schema: 'sluice.sync/1'
  state: RunState
  /** Exit code that the command ends with. */
  exit: number
  /** Absolute paths. */
  from: string
  to: string
  /** total = copied + replaced + repaired + verified + known + waiting + failed; gone and removed are copies without a source. */
  files: { total: number; copied: number; replaced: number; repaired: number; verified: number; known: number; waiting: number; failed: number; ignored: number; gone: number; removed: number }
  /** Bytes that were copied, and parts of large files that an earlier sync had copied or that had to be tried again. */
  bytes: number
  kept: number
  retried: number
  /** The first 100. */
  errors: Fault[]
  /** Every file but the known ones. */
  items: SyncItem[]
  ms: number
}

const OWN = '.sluice-sync'
/** More threads than this hold too many files open for small limits. */
const MOST_JOBS = 64
const SHOWN_LEFT = 10
const never = new AbortController().signal

/**
 * Makes `to` hold an exact copy of every file below `from`. Resolves for every run that began: see `state`, `exit`.
 * @throws SluiceError when the run could not begin: wrong options, missing folder, one folder inside of the other, no permission
 */
export async function sync(options: SyncOptions): Promise<SyncResult> {
  const [from, to] = [resolve(options.from), resolve(options.to)]
  refuse(options, from, to)
  const began = systemClock.monotonic()
  const lookedAt = systemClock.now()
  const on = options.onEvent ?? ((): void => {})
  const stop = AbortSignal.any([options.signal ?? never, options.now ?? never])
  const tree = await walkTree(from, async () => {
    await breathe()
    if (stop.aborted) throw new SluiceError('INTERRUPTED', 'Stopped while looking for files; nothing was begun.')
  })
  const own = `${to}/${OWN}`
  await localFs.makeFolder('sync.own', `${own}/work`)
  const origins = openOrigins(own)
  const width = Math.min(options.jobs ?? Math.max(2, availableParallelism()), MOST_JOBS)
  const copier = openCopier(width)
  try {
    const work: Comparing = {
      fs: localFs, origins, folder: to, copier, clock: systemClock, work: `${own}/work`, width, identify, overwrite: options.overwrite === true, verify: options.verify === true, mirror: options.mirror === true,
      young: (pin) => pin.modified >= lookedAt - YOUNG_MS, look: (path) => seeFile(from, path), on, stop, halt: options.now ?? never,
    }
    const tally: SyncTally = { items: [], interrupted: true }
    let known = 0
    let failure: SluiceError | null = null
    try {
      if ((await recoverMoves(work)) > 0) on({ kind: 'notice', text: 'A sync into this folder had been cut short; what it had finished was put in place.' })
      known = await run(work, tree, tally, from)
    } catch (thrown) {
      failure = options.now?.aborted === true ? null : asSluiceError(thrown)
    }
    for (const fault of tree.faults) end(work, tally, { path: relative(from, fault.path), pin: { uri: fault.path, size: 0, stamp: '', modified: 0 } }, 'failed', { fault })
    return resultOf(options, { from, to, tree, tally, known, failure, ms: systemClock.monotonic() - began })
  } finally {
    await copier.close()
    origins.close()
  }
}

/** @returns how many files are known; the tally has the others */
async function run(work: Comparing, tree: Tree, tally: SyncTally, from: string): Promise<number> {
  const say = (text: string): void => work.on({ kind: 'notice', text })
  for (const { path, what } of tree.left.slice(0, SHOWN_LEFT)) say(`${path} is ${what} and was left out.`)
  if (tree.left.length > SHOWN_LEFT) say(`${tree.left.length - SHOWN_LEFT} more links and special files were left out.`)
  tally.interrupted = false
  const outputs = tree.files.map(({ path }) => path)
  // Nothing is known of what lies below a folder that could not be listed.
  const blind = tree.faults.map(({ path }) => path)
  const within = (path: string): boolean => path.startsWith(`${from}${sep}`) && !blind.some((folder) => path === folder || path.startsWith(`${folder}${sep}`))
  const went = new Set<string>()
  const clear = async (concerns: (path: string, origin: Origin) => boolean): Promise<void> => {
    const gone = await findGone({ ...work, on: say }, outputs.map((output) => ({ output })), concerns, work.mirror)
    for (const { origin, removed } of gone) {
      went.add(origin.output)
      end(work, tally, { path: origin.output, pin: { uri: origin.source, size: 0, stamp: '', modified: 0 } }, removed ? 'removed' : 'gone', { sha256: origin.sha256 })
    }
  }
  // Before anything is copied go only the copies in whose place others have to come.
  const inTheWay = standsInTheWay(outputs)
  if (work.mirror) await clear((path, origin) => within(path) && inTheWay(origin))
  const { todo, known } = await differences(work, tree.files, work.origins.all(), tally)
  await sweep(work, todo)
  work.on({ kind: 'discovered', files: todo.length, bytes: todo.reduce((sum, { pin }) => sum + pin.size, 0), known, ignored: tree.left.length })
  await syncAll(work, todo, tally)
  if (!tally.interrupted && !work.stop.aborted) await clear((path, origin) => within(path) && !went.has(origin.output))
  return known
}

/** Working files that no file of this run resumes. */
async function sweep(work: Comparing, todo: readonly SyncTodo[]): Promise<void> {
  const wanted = new Set(todo.map(({ path }) => workingName(path)))
  for (const { name } of (await work.fs.list(work.work)) ?? []) if (!wanted.has(name)) await work.fs.remove('sync.sweep', join(work.work, name))
}

function refuse(options: SyncOptions, from: string, to: string): void {
  const stat = statSync(from, { throwIfNoEntry: false })
  if (stat === undefined) throw new SluiceError('PATH_NOT_FOUND', `There is nothing at ${from}.`, { where: { path: from } })
  if (!stat.isDirectory()) throw new SluiceError('USAGE', `${from} is no folder; sync copies folders.`)
  if (options.jobs !== undefined && !(Number.isSafeInteger(options.jobs) && options.jobs >= 1)) throw new SluiceError('USAGE', `--jobs ${options.jobs}: expected a number from 1.`)
  const target = statSync(to, { throwIfNoEntry: false })
  if (target !== undefined && !target.isDirectory()) throw new SluiceError('USAGE', `${to} is no folder; sync copies into folders.`)
  const [source, copy] = [realpathSync(from), realOf(to)]
  if (source === copy) throw new SluiceError('USAGE', `${from} and ${to} are the same folder.`)
  if (copy.startsWith(`${source}${sep}`)) throw new SluiceError('USAGE', `${to} lies inside of ${from}: every sync would copy its own copies.`)
  if (source.startsWith(`${copy}${sep}`)) throw new SluiceError('USAGE', `${from} lies inside of ${to}: copies would land among their sources.`)
}

/** The real path of a folder that may not be there yet. */
function realOf(path: string): string {
  return existsSync(path) || dirname(path) === path ? realpathSync(path) : join(realOf(dirname(path)), path.slice(dirname(path).length))
}

interface Ending {
  from: string
  to: string
  tree: Tree
  tally: SyncTally
  known: number
  failure: SluiceError | null
  ms: number
}

function resultOf(options: SyncOptions, { from, to, tree, tally, known, failure, ms }: Ending): SyncResult {
  const items = tally.items.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  const count = (state: SyncItem['state']): number => items.filter((item) => item.state === state).length
  const files = {
    total: tree.files.length + tree.faults.length, copied: count('copied'), replaced: count('replaced'), repaired: count('repaired'), verified: count('verified'), known,
    waiting: count('waiting'), failed: count('failed'), ignored: tree.left.length, gone: count('gone'), removed: count('removed'),
  }
  const interrupted = failure === null && (tally.interrupted || (options.now?.aborted ?? false))
  const state = failure !== null ? 'FAILED' : interrupted ? 'INTERRUPTED' : 'COMPLETED'
  const signals = [options.signal?.reason, options.now?.reason]
  const partial = files.failed + files.waiting > 0 && options.allowPartial !== true
  const exit = failure !== null ? failure.exit : interrupted ? (signals.includes('SIGTERM') ? 143 : 130) : partial ? 3 : 0
  const faults = [...(failure === null ? [] : [{ ...failure.where, code: failure.code, message: failure.message, hint: failure.hint }]), ...items.flatMap(({ fault }) => (fault === null ? [] : [fault]))]
  const copies = items.filter((item) => ['copied', 'replaced', 'repaired'].includes(item.state))
  const sum = (of: (item: SyncItem) => number): number => copies.reduce((total, item) => total + of(item), 0)
  return {
    schema: 'sluice.sync/1', state, exit, from, to, files, bytes: sum(({ bytes }) => bytes), kept: sum(({ kept }) => kept), retried: sum(({ retried }) => retried),
    errors: faults.slice(0, 100), items, ms: Math.round(ms),
  }
}

