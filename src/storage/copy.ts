/**
 * Copying one file, part by part: each part is read, written and read back, and the hash of what was read is compared with
 * the hash of what was read back. A part that differs, or that the disk refuses, is tried again alone.
 *
 * Synchronous: it runs in a thread of its own. Parts that an earlier attempt left in the working file count when their
 * bytes are right, so nothing needs to be remembered of it.
 */
import { closeSync, constants, fchmodSync, fstatSync, fsyncSync, ftruncateSync, futimesSync, openSync, readSync, writeSync } from 'node:fs'
import { createHash } from 'node:crypto'
import type { CopyJob, CopyOutcome } from '../core/sync.ts'
import { PART_BYTES } from '../core/sync.ts'
import { SluiceError } from '../core/errors.ts'
import { tampering } from '../core/failpoint.ts'
import { around } from './around.ts'
import { errnoOf, storageError } from './errors.ts'
import { openPinned } from './pin.ts'
import type { PinnedFile } from './pin.ts'

/** So often a part is tried in all. */
const TRIES = 3
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT'])

/** @throws SluiceError DISK_FULL and other faults of the place of the copies */
export function copyFile(job: CopyJob, onPart: (bytes: number) => void): CopyOutcome {
  const path = job.pin.uri
  let source: PinnedFile | null
  try {
    source = openPinned(job.pin)
  } catch (thrown) {
    return unreadable(thrown, path)
  }
  if (source === null) return { state: 'changing' }
  try {
    return copyOpen(job, source, onPart)
  } finally {
    source.close()
  }
}

function copyOpen(job: CopyJob, source: PinnedFile, onPart: (bytes: number) => void): CopyOutcome {
  const { pin, to } = job
  const out = around('sync.create', 'create', to, () => openSync(to, constants.O_RDWR | constants.O_CREAT, 0o600))
  try {
    const before = fstatSync(out).size
    const [read, written] = [createHash('sha256'), createHash('sha256')]
    const part = Buffer.allocUnsafe(Math.min(PART_BYTES, Math.max(1, pin.size)))
    const back = Buffer.allocUnsafe(part.length)
    let [at, kept, retried] = [0, 0, 0]
    for (;;) {
      let length: number
      try {
        length = fill((from, room) => source.read(part, from, room), part.length)
      } catch (thrown) {
        return unreadable(thrown, pin.uri)
      }
      if (length === 0) break
      const right = (): boolean => fill((from, room) => readSync(out, back, from, room, at + from), length) === length && back.compare(part, 0, length, 0, length) === 0
      if (at + length <= before && right()) kept++
      else {
        const tries = write(out, to, part, length, at, right)
        if (tries === null) return differs(`The part at byte ${at} of ${pin.uri} was written ${TRIES} times to ${to}, and read back it was never the same.`, pin.uri, at)
        retried += tries - 1
      }
      read.update(part.subarray(0, length))
      written.update(back.subarray(0, length))
      at += length
      onPart(at)
    }
    if (before > at) around('sync.cut', 'cut', to, () => ftruncateSync(out, at))
    const [sha256, copy] = [read.digest('hex'), written.digest('hex')]
    if (sha256 !== copy) return differs(`${pin.uri} has SHA-256 ${sha256}, its copy ${to} has ${copy}.`, pin.uri)
    if (!source.unchanged() || at !== pin.size) return { state: 'changing' }
    dressOpen(out, to, job.mode, job.mtime)
    around('sync.sync', 'sync', to, () => fsyncSync(out))
    return { state: 'done', sha256, size: at, kept, retried }
  } finally {
    closeSync(out)
  }
}

/** @returns how many tries it took; null: it was never right */
function write(out: number, to: string, part: Buffer, length: number, at: number, right: () => boolean): number | null {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    // A test falsifies the first try, or every one.
    const how = tampering('copy')
    const bytes = how === 'double' || (how === 'drop' && attempt === 1) ? Buffer.from(part).fill(0, 0, 1).fill(1, 1, 2) : part
    try {
      around('sync.part', 'write', to, () => {
        for (let done = 0; done < length; ) done += writeSync(out, bytes, done, length - done, at + done)
      })
      if (right()) return attempt
    } catch (thrown) {
      const cause = thrown instanceof SluiceError ? thrown.cause : thrown
      if (attempt === TRIES || NO_ROOM.has(errnoOf(cause) ?? '')) throw storageError(thrown, 'write', to)
    }
  }
  return null
}

/** Reads until `length` bytes are there or nothing follows. */
function fill(read: (from: number, room: number) => number, length: number): number {
  let done = 0
  while (done < length) {
    const got = read(done, length - done)
    if (got === 0) break
    done += got
  }
  return done
}

/** Gives a file the mode and the time of its source; Node keeps microseconds of it. */
export function dressFile(path: string, mode: number, mtime: bigint): void {
  const handle = around('sync.open', 'open', path, () => openSync(path, constants.O_RDONLY))
  try {
    dressOpen(handle, path, mode, mtime)
    around('sync.sync', 'sync', path, () => fsyncSync(handle))
  } finally {
    closeSync(handle)
  }
}

function dressOpen(handle: number, path: string, mode: number, mtime: bigint): void {
  // Half a microsecond more: a double below the whole number would lose one.
  const seconds = (Number(mtime / 1000n) + 0.5) / 1e6
  around('sync.dress', 'set mode and time of', path, () => {
    fchmodSync(handle, mode & 0o7777)
    futimesSync(handle, seconds, seconds)
  })
}

function unreadable(thrown: unknown, path: string): CopyOutcome {
  const error = storageError(thrown, 'read', path)
  return { state: 'failed', fault: { code: error.code === 'PERMISSION_DENIED' ? 'FILE_UNREADABLE' : error.code, message: error.message, path } }
}

function differs(message: string, path: string, offset?: number): CopyOutcome {
  return { state: 'failed', fault: { code: 'COPY_DIFFERS', message, path, ...(offset === undefined ? {} : { offset }) } }
}
