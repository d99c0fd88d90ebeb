/** Everything below a folder, for copying: files with their pins, and what cannot be copied with the reason. */
import { lstatSync, readdirSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { errnoOf, storageError } from './errors.ts'
import { isMisnamed, misnamed, pinOf } from './pin.ts'
import type { Pin } from '../core/arrival.ts'
import type { Fault } from '../core/errors.ts'

export interface TreeFile {
  /** Below the folder, with `/`. */
  path: string
  pin: Pin
  mode: number
  mtime: bigint
}

export interface Tree {
  files: TreeFile[]
  /** Links and special files: absolute paths, with what they are. */
  left: { path: string; what: string }[]
  /** What could not be looked at. Nothing is known of what is below a folder among them. */
  faults: (Fault & { path: string })[]
}

/** Sluice's own notes in a folder of outputs; they are no data, and change while they are read. */
const OWN: ReadonlySet<string> = new Set(['.sluice-convert', '.sluice-sync'])

/** Links are not followed. @param pause called between folders, so that signals get a turn; may throw */
export async function walkTree(folder: string, pause: () => Promise<void>): Promise<Tree> {
  const tree: Tree = { files: [], left: [], faults: [] }
  const open = ['']
  for (let below = open.pop(); below !== undefined; below = open.pop()) {
    const absolute = `${folder}/${below}`.replace(/\/$/, '')
    let names: string[]
    try {
      names = readdirSync(absolute).toSorted()
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT') tree.faults.push(faultOf(thrown, absolute))
      continue
    }
    for (const name of names) {
      if (OWN.has(name)) continue
      const path = below === '' ? name : `${below}/${name}`
      const stat = statOf(`${folder}/${path}`, tree)
      if (stat === null) continue
      if (stat.isDirectory()) open.push(path)
      else if (stat.isFile()) tree.files.push({ path, pin: pinOf(`${folder}/${path}`, stat), mode: Number(stat.mode) & 0o7777, mtime: stat.mtimeNs })
      else tree.left.push({ path: `${folder}/${path}`, what: stat.isSymbolicLink() ? 'a link' : stat.isFIFO() ? 'a pipe' : stat.isSocket() ? 'a socket' : 'a device' })
    }
    await pause()
  }
  return tree
}

function statOf(path: string, tree: Tree): BigIntStats | null {
  try {
    return lstatSync(path, { bigint: true })
  } catch (thrown) {
    // A name that is not UTF-8 comes back with a replacement character, and leads nowhere.
    if (errnoOf(thrown) !== 'ENOENT') tree.faults.push(faultOf(thrown, path))
    else if (isMisnamed(path)) tree.faults.push(misnamed(path))
    return null
  }
}

function faultOf(thrown: unknown, path: string): Fault & { path: string } {
  const error = storageError(thrown, 'look at', path)
  return { code: error.code === 'PERMISSION_DENIED' ? 'FILE_UNREADABLE' : error.code, message: error.message, path }
}

/** One file as it is now; null: no file is there. */
export function seeFile(folder: string, path: string): TreeFile | null {
  try {
    const stat = lstatSync(`${folder}/${path}`, { bigint: true })
    return stat.isFile() ? { path, pin: pinOf(`${folder}/${path}`, stat), mode: Number(stat.mode) & 0o7777, mtime: stat.mtimeNs } : null
  } catch {
    // Whatever keeps it from being looked at, it cannot be copied now.
    return null
  }
}
