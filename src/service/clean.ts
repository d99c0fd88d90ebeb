/**
 * Removing what is left over: files of dead attempts, spools of dead processes, logs; or everything in a data folder.
 *
 * Never while another process works there, never through a link, and only what Sluice made: by name, or because a table's
 * own log does not know it. Killed half-way, the same call removes the rest.
 */
import { basename, join } from 'node:path'
import type { FileStat, Fs } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import { isLedger } from '../ledger/schema.ts'
import { livingWorkers } from '../ledger/workers.ts'
import { localFs } from '../storage/local.ts'
import { logFiles } from '../storage/logFile.ts'
import { systemClock } from '../storage/system.ts'
import { openBrowser } from './browse.ts'
import { isDataFolder } from './folder.ts'
import { dataFolder } from './options.ts'
import { TABLE_MARK, isOurs } from './places.ts'
import type { Unseen } from './unseen.ts'

/** `attempts`: files of Delta tables that no commit names · `spool`: parts of dead processes · `logs` · `data`: all there is. */
export const CLEAN_KINDS = ['attempts', 'spool', 'logs', 'data'] as const
export type CleanKind = (typeof CLEAN_KINDS)[number]

export interface Leftover {
  kind: CleanKind
  path: string
  /** Files in it, and their bytes. */
  files: number
  bytes: number
}

export interface CleanPlan {
  dataDir: string
  items: Leftover[]
  /** What is there and stays, with the reason. */
  kept: { path: string; why: string }[]
}

/** An attempt may be at work this long without a sign on the disk. */
export const ATTEMPT_AGE_MS = 3_600_000

/** Everything that Sluice makes in a data folder. The ledger goes last: while it is there, the folder is known as one. */
const OWN = ['tables', 'spool', 'windows', 'workers', 'logs', 'ledger.db-wal', 'ledger.db-shm', 'ledger.db-journal', 'ledger.db']

const NAMES: Readonly<Record<string, RegExp>> = { spool: /^w_[a-z0-9]+$/, windows: /-[0-9a-f]{12}(\W.*)?$/, workers: /^w_[a-z0-9]+\.db(-\w+)?$/, logs: /^sluice-\d{4}-\d\d-\d\d(\.\d+)?\.log$/ }
const FOREIGN = 'Sluice did not make it'

/**
 * What would be removed; removes nothing.
 * @param logDir folder of the logs
 * @throws SluiceError NOT_FOUND no data folder · BUSY another process works in it · TABLE_BROKEN and the like
 */
export async function planClean(named: string | undefined, logDir: string, kinds: ReadonlySet<CleanKind>): Promise<CleanPlan> {
  const dataDir = dataFolder(named)
  const plan: CleanPlan = { dataDir, items: [], kept: [] }
  if (!(await isDataFolder(dataDir)) && !(kinds.size === 1 && kinds.has('logs'))) throw new SluiceError('NOT_FOUND', `There is no data folder at ${dataDir}.`, { where: { path: dataDir }, hint: 'Name it with --data-dir; only what Sluice made is removed.' })
  await refuseBusy(dataDir)
  if (kinds.has('data')) await planData(plan)
  else {
    if (kinds.has('attempts')) await planAttempts(plan)
    if (kinds.has('spool')) await planSpool(plan)
  }
  if (kinds.has('logs')) for (const path of logFiles(logDir)) await offer(plan, 'logs', path)
  return plan
}

/**
 * Removes what was planned. What is gone already is fine.
 * @throws SluiceError BUSY when somebody began to work there since · PERMISSION_DENIED, IO_FAILED
 */
export async function runClean(plan: CleanPlan, fs: Fs = localFs): Promise<void> {
  await refuseBusy(plan.dataDir)
  for (const { kind, path } of plan.items) {
    if (kind === 'data') await emptyTables(fs, path)
    await fs.remove('clean.remove', path)
  }
}

/** What tells that a table is ours goes last: a table that was half removed would be taken for somebody else's. */
async function emptyTables(fs: Fs, path: string): Promise<void> {
  const inside = (await fs.list(path)) ?? []
  if (inside.some(({ name }) => name === TABLE_MARK)) {
    for (const { name } of inside) if (name !== TABLE_MARK) await fs.remove('clean.remove', join(path, name))
  } else if (basename(path) === 'tables') {
    for (const { name, kind } of inside) if (kind === 'folder') await emptyTables(fs, join(path, name))
  }
}

async function refuseBusy(dataDir: string): Promise<void> {
  const workers = await livingWorkers(dataDir)
  if (workers.length > 0) throw new SluiceError('BUSY', `${workers.length === 1 ? 'A process works' : `${workers.length} processes work`} in ${dataDir}; nothing is removed.`, { where: { path: dataDir }, hint: 'Wait until the load is over, or stop it; then clean again.' })
}

async function planData(plan: CleanPlan): Promise<void> {
  const ledger = isLedger(join(plan.dataDir, 'ledger.db'))
  const entries = new Map(((await localFs.list(plan.dataDir)) ?? []).map(({ name, kind }) => [name, kind]))
  for (const name of OWN) {
    const path = join(plan.dataDir, name)
    const kind = entries.get(name)
    if (kind === undefined) continue
    if (kind === 'link') {
      await offer(plan, 'data', path)
      continue
    }
    if (name.startsWith('ledger.db')) {
      // One that is damaged cannot say whose it is: what lies beside it does.
      const ours = ledger ?? plan.items.length > 0
      if (ours) await offer(plan, 'data', path)
      else plan.kept.push({ path, why: ledger === null ? 'it cannot be read' : FOREIGN })
      continue
    }
    if (kind !== 'folder') {
      plan.kept.push({ path, why: FOREIGN })
      continue
    }
    const foreign = new Set<string>()
    const inside = (await localFs.list(path)) ?? []
    for (const entry of inside) if (!(await isOwn(path, name, entry))) foreign.add(entry.name)
    if (foreign.size === 0) await offer(plan, 'data', path)
    else for (const entry of inside) if (!foreign.has(entry.name)) await offer(plan, 'data', join(path, entry.name))
    for (const entry of foreign) plan.kept.push({ path: join(path, entry), why: FOREIGN })
  }
  for (const name of entries.keys()) if (!OWN.includes(name)) plan.kept.push({ path: join(plan.dataDir, name), why: FOREIGN })
  for (const { name } of (await localFs.list(join(plan.dataDir, 'tables'))) ?? []) {
    if (name.endsWith('.json') && name.includes('@')) plan.kept.push({ path: name.slice(0, name.lastIndexOf('@')), why: 'this table is outside of the data folder' })
  }
}

/** Folders of these names are found in many a project: what lies in them is ours when its name is. */
async function isOwn(folder: string, called: string, entry: { name: string; kind: FileStat['kind'] }): Promise<boolean> {
  if (called !== 'tables') return NAMES[called]?.test(entry.name) ?? false
  // Of a table whose removal was killed at its end an empty folder is left.
  return (await isOurs(localFs, folder, entry)) || (entry.kind === 'folder' && (await localFs.list(join(folder, entry.name)))?.length === 0)
}

async function planAttempts(plan: CleanPlan): Promise<void> {
  const browser = await openBrowser(plan.dataDir)
  try {
    for await (const { uri, look } of browser.each()) await planSeen(plan, uri, await look((table) => table.garbage()))
    for await (const { uri, look } of browser.keepers()) await planSeen(plan, uri, await look((keeper) => keeper.garbage()))
  } finally {
    await browser.close()
  }
}

/** What could not be looked at stays as it is, and that is said. */
async function planSeen(plan: CleanPlan, uri: string, looked: { seen: readonly string[] } | { unseen: Unseen }): Promise<void> {
  if ('seen' in looked) await planGarbage(plan, looked.seen)
  else plan.kept.push({ path: uri, why: `${looked.unseen.code}: ${looked.unseen.message}` })
}

async function planGarbage(plan: CleanPlan, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const stat = await localFs.stat(path, false)
    if (stat === null) continue
    const age = systemClock.now() - Number(stat.mtime / 1_000_000n)
    if (age < ATTEMPT_AGE_MS) plan.kept.push({ path, why: 'younger than an hour' })
    else await offer(plan, 'attempts', path)
  }
}

async function planSpool(plan: CleanPlan): Promise<void> {
  const spool = join(plan.dataDir, 'spool')
  for (const { name } of (await localFs.list(spool)) ?? []) {
    const path = join(spool, name)
    if (/^w_[a-z0-9]+$/.test(name)) await offer(plan, 'spool', path)
    else plan.kept.push({ path, why: FOREIGN })
  }
}

/** Enters what is at `path`, unless it is a link: what it leads to is somebody else's, and so may the link be. */
async function offer(plan: CleanPlan, kind: CleanKind, path: string): Promise<void> {
  const stat = await localFs.stat(path, false)
  if (stat === null || plan.items.some((item) => path === item.path || path.startsWith(`${item.path}/`))) return
  if (stat.kind === 'link') plan.kept.push({ path, why: 'it is a link' })
  else plan.items.push({ kind, path, ...(await sizeOf(path, stat.kind, stat.size)) })
}

async function sizeOf(path: string, kind: string, size: number): Promise<{ files: number; bytes: number }> {
  if (kind !== 'folder') return { files: 1, bytes: kind === 'file' ? size : 0 }
  const sum = { files: 0, bytes: 0 }
  for (const entry of (await localFs.list(path)) ?? []) {
    const inner = join(path, entry.name)
    const stat = await localFs.stat(inner, false)
    if (stat === null) continue
    const { files, bytes } = await sizeOf(inner, stat.kind, stat.size)
    sum.files += files
    sum.bytes += bytes
  }
  return sum
}
