/**
 * A new file that only grows, written synchronously: the parts that the engine's child makes while it splits.
 *
 * Nothing is synced: a part is made again after a crash. `truncate` takes back what an arrival wrote that does not count.
 */
import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync, writevSync } from 'node:fs'
import { around } from './around.ts'
import type { WriteBehind } from './behind.ts'
import { storageError } from './errors.ts'

export interface AppendFile {
  readonly path: string
  /** Bytes so far. */
  readonly size: number
  /** Writes these one after another. @throws SluiceError DISK_FULL, PERMISSION_DENIED or IO_FAILED */
  append(...runs: Uint8Array[]): void
  /** The same from a thread: that it failed is thrown by a later call. @param hashes see `WriteBehind.write` */
  appendBehind(writer: WriteBehind, runs: readonly Uint8Array[], hashes?: Uint8Array | null): void
  /** Bytes that were written, from one place up to another. */
  read(from: number, to: number): Buffer
  /** What is under way is written. @throws as append */
  settle(): void
  /** Cuts the file back to `size` bytes; what follows goes there. */
  truncate(size: number): void
  close(): void
  /** Closes and removes it. */
  discard(): void
}

/** Makes the file; it must not exist. `point` names the failpoints around every change. */
export function openAppendFile(point: string, path: string): AppendFile {
  const change = <T>(doing: string, work: () => T): T => around(point, doing, path, work)
  const fd = change('create', () => openSync(path, 'wx+'))
  let size = 0
  let open = true
  let behind: WriteBehind | null = null
  const settle = (): void => {
    const writer = behind
    behind = null
    writer?.settle(path)
  }
  const close = (): void => {
    if (!open) return
    settle()
    open = false
    change('close', () => closeSync(fd))
  }
  return {
    path,
    get size() {
      return size
    },
    settle,
    appendBehind(writer, runs, hashes = null) {
      behind = writer
      change('write', () => writer.write(fd, size, runs, path, hashes))
      size += runs.reduce((sum, run) => sum + run.length, 0)
    },
    append(...runs) {
      settle()
      change('write', () => {
        const total = runs.reduce((sum, run) => sum + run.length, 0)
        let done = runs.length < 2 ? 0 : writevSync(fd, runs, size)
        // A short write is not an error; the next one tells why (ENOSPC).
        for (let at = 0, run = 0; done < total; at += runs[run++]?.length ?? 0) {
          const bytes = runs[run] as Uint8Array
          while (done < at + bytes.length) done += writeSync(fd, bytes, done - at, bytes.length - (done - at), size + done)
        }
        size += total
      })
    },
    read(from, to) {
      settle()
      const bytes = Buffer.allocUnsafe(to - from)
      try {
        for (let done = 0, n = 1; done < bytes.length && n > 0; done += n) n = readSync(fd, bytes, done, bytes.length - done, from + done)
      } catch (thrown) {
        throw storageError(thrown, 'read', path)
      }
      return bytes
    },
    truncate(to) {
      settle()
      change('truncate', () => ftruncateSync(fd, to))
      size = to
    },
    close,
    discard() {
      // What could not be written goes with the rest; but an error may be of another file, and is left for that.
      behind?.wait()
      behind = null
      close()
      change('remove', () => rmSync(path, { force: true }))
    },
  }
}

const STEP = 1 << 20

/** Appends the first `length` bytes of a file. @throws SluiceError PERMISSION_DENIED, IO_FAILED, DISK_FULL */
export function copyBytes(from: string, length: number, to: AppendFile): void {
  let handle: number | null = null
  try {
    handle = openSync(from, 'r')
    const buffer = Buffer.allocUnsafe(STEP)
    for (let done = 0; done < length; ) {
      const n = readSync(handle, buffer, 0, Math.min(STEP, length - done), done)
      if (n === 0) return
      to.append(buffer.subarray(0, n))
      done += n
    }
  } catch (thrown) {
    throw storageError(thrown, 'copy', from)
  } finally {
    if (handle !== null) closeSync(handle)
  }
}
