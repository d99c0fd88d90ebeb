/**
 * The file system of this machine, with a failpoint on both sides of every change.
 *
 * Nothing here retries an fsync: after a failed one the kernel may call lost pages clean. The caller throws the file away
 * and begins again under a new name.
 */
import { constants } from 'node:fs'
import { link, lstat, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { FileStat, Fs } from '../core/effects.ts'
import { crash } from '../core/failpoint.ts'
import { errnoOf, storageError } from './errors.ts'
import { makeFolders } from './folders.ts'

interface Kinds {
  isFile(): boolean
  isDirectory(): boolean
  isSymbolicLink(): boolean
}

function kindOf(entry: Kinds): FileStat['kind'] {
  return entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : entry.isSymbolicLink() ? 'link' : 'other'
}

const ABSENT = new Set(['ENOENT', 'ENOTDIR'])

async function around<T>(point: string, doing: string, path: string, work: () => Promise<T>): Promise<T> {
  crash(`${point}.before`)
  try {
    const result = await work()
    crash(`${point}.after`)
    return result
  } catch (thrown) {
    throw storageError(thrown, doing, path)
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export const localFs: Fs = {
  async stat(path, follow = true) {
    try {
      const s = await (follow ? stat : lstat)(path, { bigint: true })
      return { kind: kindOf(s), size: Number(s.size), device: s.dev, inode: s.ino, mtime: s.mtimeNs, ctime: s.ctimeNs }
    } catch (thrown) {
      if (ABSENT.has(errnoOf(thrown) ?? '')) return null
      throw storageError(thrown, 'look at', path)
    }
  },
  async list(path) {
    try {
      const entries = await readdir(path, { withFileTypes: true })
      return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
    } catch (thrown) {
      if (ABSENT.has(errnoOf(thrown) ?? '')) return null
      throw storageError(thrown, 'list', path)
    }
  },
  async read(path) {
    try {
      return await readFile(path)
    } catch (thrown) {
      if (ABSENT.has(errnoOf(thrown) ?? '')) return null
      throw storageError(thrown, 'read', path)
    }
  },
  async makeFolder(point, path) {
    await around(point, 'make the folder', path, async () => {
      const first = makeFolders(path)
      // Every folder that was made is named in its parent: sync the parents, from the outermost new one inwards.
      for (let made = path; first !== null; made = dirname(made)) {
        await syncPath(dirname(made))
        if (made === first || made === dirname(made)) break
      }
    })
  },
  async write(point, path, bytes) {
    await around(point, 'write', path, async () => {
      const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644)
      try {
        await handle.writeFile(bytes)
        await handle.sync()
      } finally {
        await handle.close()
      }
    })
  },
  async link(point, from, to) {
    return around(point, 'link', to, async () => {
      try {
        await link(from, to)
        return true
      } catch (thrown) {
        if (errnoOf(thrown) === 'EEXIST') return false
        throw thrown
      }
    })
  },
  async rename(point, from, to) {
    await around(point, 'rename', to, () => rename(from, to))
  },
  async remove(point, path) {
    await around(point, 'remove', path, () => rm(path, { recursive: true, force: true }))
  },
  async sync(point, path) {
    await around(point, 'sync', path, () => syncPath(path))
  },
}
