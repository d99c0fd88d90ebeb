/**
 * The log: dense, numbered entries; one entry is one commit, and it is there or not.
 *
 * An entry is written under another name, synced, and given its number by `link`, which fails if the number is taken.
 * Whoever acts on an entry that it found syncs the folder first: the writer may have died between link and sync.
 */
import { join } from 'node:path'
import type { Random } from '../../core/effects.ts'
import { SluiceError } from '../../core/errors.ts'
import { errnoOf } from '../../storage/errors.ts'
import { localFs } from '../../storage/local.ts'
import type { Action } from './actions.ts'
import { LOG_FOLDER, checkpointPath, logPath } from './layout.ts'

/** An entry as it was read. */
export interface Entry {
  version: number
  actions: Action[]
  bytes: number
}

/** @throws SluiceError TABLE_BROKEN when it is not JSON lines */
export async function readEntry(root: string, version: number): Promise<Entry | null> {
  const bytes = await localFs.read(logPath(root, version))
  if (bytes === null) return null
  try {
    const lines = Buffer.from(bytes).toString('utf8').split('\n')
    return { version, bytes: bytes.byteLength, actions: lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as Action) }
  } catch (thrown) {
    throw new SluiceError('TABLE_BROKEN', `${logPath(root, version)} is not a log entry: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown })
  }
}

export interface Listing {
  /** Versions that have an entry, and versions that have a checkpoint, ascending. */
  entries: number[]
  checkpoints: number[]
}

export async function listLog(root: string): Promise<Listing> {
  const listing: Listing = { entries: [], checkpoints: [] }
  for (const { name } of (await localFs.list(join(root, LOG_FOLDER))) ?? []) {
    const entry = /^(\d{20})\.json$/.exec(name)
    const checkpoint = /^(\d{20})\.checkpoint(\..+)?\.parquet$/.exec(name)
    if (entry !== null) listing.entries.push(Number(entry[1]))
    if (checkpoint !== null) listing.checkpoints.push(Number(checkpoint[1]))
  }
  listing.entries.sort((a, b) => a - b)
  listing.checkpoints.sort((a, b) => a - b)
  return listing
}

export async function versionIsKnown(root: string, version: number): Promise<boolean> {
  return (await localFs.stat(logPath(root, version))) !== null || (await localFs.stat(checkpointPath(root, version))) !== null
}

export async function syncLog(root: string): Promise<void> {
  await localFs.sync('delta.log.sync', join(root, LOG_FOLDER))
}

/** Writes a new entry under a name that nobody reads; synced. */
export async function prepareEntry(root: string, body: string, random: Random, point = 'delta.entry.write'): Promise<string> {
  const temporary = join(root, LOG_FOLDER, `.tmp-${random.id(16)}`)
  await localFs.write(point, temporary, body)
  return temporary
}

/**
 * Commits a prepared entry. False: another writer took this version, nothing of ours is visible.
 * After an error the outcome is unknown: nothing that the entry names may be removed.
 */
export async function putIfAbsent(root: string, version: number, prepared: string, point = 'delta.link'): Promise<boolean> {
  const ours = await localFs.link(point, prepared, logPath(root, version))
  await localFs.sync('delta.link.sync', join(root, LOG_FOLDER))
  await localFs.remove('delta.entry.tidy', prepared).catch(() => undefined)
  return ours
}

const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'])

/** Tries a link before the first commit of a table. @throws SluiceError FILE_SYSTEM_UNFIT */
export async function probeLinks(root: string, random: Random): Promise<void> {
  const from = join(root, LOG_FOLDER, `.tmp-${random.id(16)}`)
  const to = `${from}-link`
  await localFs.write('delta.probe.write', from, '')
  try {
    const made = await localFs.link('delta.probe.link', from, to)
    // A second link to the same name must be refused, or two writers could take one version.
    if (!made || (await localFs.link('delta.probe.again', from, to))) throw new SluiceError('FILE_SYSTEM_UNFIT', `${root}: a hard link does not behave as it must.`)
  } catch (thrown) {
    const cause = thrown instanceof SluiceError ? thrown.cause : thrown
    if (NO_LINKS.has(errnoOf(cause) ?? '')) throw new SluiceError('FILE_SYSTEM_UNFIT', `${root}: the file system has no hard links.`, { cause: thrown })
    throw thrown
  } finally {
    await localFs.remove('delta.probe.tidy', to)
    await localFs.remove('delta.probe.tidy', from)
  }
}

/** Writes a file that replaces an older one: whole, durable, or not at all. */
export async function replaceFile(point: string, folder: string, name: string, bytes: Uint8Array | string, random: Random): Promise<void> {
  const temporary = join(folder, `.tmp-${random.id(16)}`)
  await localFs.write(`${point}.write`, temporary, bytes)
  await localFs.rename(`${point}.rename`, temporary, join(folder, name))
  await localFs.sync(`${point}.sync`, folder)
}
