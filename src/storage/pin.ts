/** Pins of local files, and reading a pinned file once, straight into a buffer. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import type { Pin } from '../core/arrival.ts'
import type { Fault } from '../core/errors.ts'
import { errnoOf, storageError } from './errors.ts'

function stampOf(s: BigIntStats): string {
  return `${s.dev}:${s.ino}:${s.size}:${s.mtimeNs}:${s.ctimeNs}`
}

export function pinOf(path: string, s: BigIntStats): Pin {
  return { uri: path, size: Number(s.size), stamp: stampOf(s), modified: Number(s.mtimeNs / 1_000_000n) }
}

/** The pin of a file as it is now; null when there is none. */
export function lookAt(path: string): Pin | null {
  try {
    const s = statSync(path, { bigint: true })
    return s.isFile() ? pinOf(path, s) : null
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT' || errnoOf(thrown) === 'ENOTDIR') return null
    throw storageError(thrown, 'look at', path)
  }
}

/**
 * True for a path that nothing can be found at because its name is not UTF-8: listings show such bytes as U+FFFD, which leads
 * nowhere. (A name that truly holds this character leads to its file.)
 */
export function isMisnamed(path: string): boolean {
  return path.includes('\uFFFD') && statSync(path, { throwIfNoEntry: false }) === undefined
}

/** What is said of such a file; it cannot be read under any path. */
export function misnamed(path: string): Fault & { path: string } {
  return { code: 'FILE_UNREADABLE', message: `The name of ${path} is not UTF-8.`, path, hint: 'Rename it: paths are UTF-8 here.' }
}

export interface PinnedFile {
  readonly path: string
  /** Where it is open; read on from where it stands, by one reader. */
  readonly handle: number
  /** Reads up to `length` bytes into `into` at `at`; 0 at the end. */
  read(into: Uint8Array, at: number, length: number): number
  /** True while the open file and its path are still what was pinned. */
  unchanged(): boolean
  close(): void
}

/** Hands over the bytes of a file of ours, chunk by chunk. @returns how many there were */
export function readWhole(path: string, take: (bytes: Uint8Array) => void): number {
  try {
    const handle = openSync(path, constants.O_RDONLY)
    try {
      const buffer = new Uint8Array(1 << 20)
      let size = 0
      for (let n = readSync(handle, buffer); n > 0; n = readSync(handle, buffer)) {
        take(buffer.subarray(0, n))
        size += n
      }
      return size
    } finally {
      closeSync(handle)
    }
  } catch (thrown) {
    throw storageError(thrown, 'read', path)
  }
}

/**
 * Opens a pinned file for one pass. Synchronous: it runs in a process of its own, and 5,000 small files cost 0.1 s this
 * way and more than 1 s through promises.
 * @returns null when the path is gone or is not the pinned file any more
 * @throws SluiceError PERMISSION_DENIED or IO_FAILED
 */
export function openPinned(pin: Pin): PinnedFile | null {
  let handle: number
  try {
    // Without O_NONBLOCK, opening a named pipe that took the file's place would wait for ever.
    handle = openSync(pin.uri, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT' || errnoOf(thrown) === 'ENOTDIR') return null
    throw storageError(thrown, 'open', pin.uri)
  }
  const same = (): boolean => stampOf(fstatSync(handle, { bigint: true })) === pin.stamp && lookAt(pin.uri)?.stamp === pin.stamp
  if (stampOf(fstatSync(handle, { bigint: true })) !== pin.stamp) {
    closeSync(handle)
    return null
  }
  return {
    path: pin.uri,
    handle,
    read(into, at, length) {
      try {
        return readSync(handle, into, at, length, null)
      } catch (thrown) {
        throw storageError(thrown, 'read', pin.uri)
      }
    },
    unchanged: same,
    close: () => closeSync(handle),
  }
}
