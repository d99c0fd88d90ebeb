/**
 * Log files that several processes write at once: one per day, and a further one when it grows too large.
 *
 *   sluice-2026-01-31.log  sluice-2026-01-31.2.log  …
 * A line is one write to a file opened for appending, so lines of processes do not mix, and what was written survives the
 * death of the process, also by SIGKILL. Nothing is ever renamed: the name follows from the day and the sizes, so nobody
 * has to agree with anybody. Not synced, no failpoints: a log is no part of what must survive a power cut.
 */
import { closeSync, constants, fstatSync, openSync, readSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { SluiceError } from '../core/errors.ts'
import { storageError } from './errors.ts'
import { makeFolders } from './folders.ts'

const NAME = /^sluice-(\d{4}-\d{2}-\d{2})(?:\.(\d+))?\.log$/
const DAY = 86_400_000
/** Own bytes after which the size of the file is looked at. */
const LOOK_EVERY = 262_144

export interface LogFile {
  /** Appends a line that ends with a newline. Never throws: after a fault nothing more is written. */
  write(line: string): void
  close(): void
}

export interface LogFileSettings {
  folder: string
  /** Bytes from which a file is followed by a new one. */
  size: number
  /** Milliseconds that files are kept, by the day in their name. */
  keep: number
  /** Milliseconds since 1970. */
  now: () => number
  /** Called once, when the log cannot be written (any more). */
  onFault: (error: SluiceError) => void
}

/** Log files of a folder, oldest first. */
export function logFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .flatMap((name) => {
        const match = NAME.exec(name)
        return match === null ? [] : [{ name, day: match[1] ?? '', part: Number(match[2] ?? 1) }]
      })
      .toSorted((a, b) => (a.day === b.day ? a.part - b.part : a.day < b.day ? -1 : 1))
      .map(({ name }) => join(folder, name))
  } catch {
    return []
  }
}

/** Makes folder and file when the first line is written. */
export function openLogFile(settings: LogFileSettings): LogFile {
  let handle: number | null = null
  let day = -1
  let since = 0
  let failed = false
  const next = (today: number): void => {
    if (handle !== null) closeSync(handle)
    handle = null
    makeFolders(settings.folder)
    handle = openNext(settings, today)
    day = today
    since = 0
    removeOld(settings, today)
  }
  return {
    write(line) {
      if (failed) return
      try {
        const today = Math.floor(settings.now() / DAY)
        if (handle === null || day !== today || (since >= LOOK_EVERY && fstatSync(handle).size >= settings.size)) next(today)
        if (since >= LOOK_EVERY) since = 0
        const bytes = Buffer.from(line)
        const written = writeSync(handle as number, bytes)
        since += written
        if (written < bytes.length) throw Object.assign(new Error('ENOSPC: the line was cut short'), { code: 'ENOSPC' })
      } catch (thrown) {
        failed = true
        settings.onFault(storageError(thrown, 'write the log in', settings.folder))
      }
    },
    close() {
      if (handle !== null) closeSync(handle)
      handle = null
      failed = true
    },
  }
}

function openNext({ folder, size }: LogFileSettings, today: number): number {
  const date = new Date(today * DAY).toISOString().slice(0, 10)
  for (let part = 1; ; part++) {
    const path = join(folder, part === 1 ? `sluice-${date}.log` : `sluice-${date}.${part}.log`)
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= size) continue
    const handle = openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o640)
    // A full disk may have cut somebody's line short: ours begins on a line of its own. A line that is being written at this moment
    // looks the same, for a file grows page by page: then an empty line comes behind it, which readers pass over.
    const last = Buffer.alloc(1)
    const end = fstatSync(handle).size
    if (end > 0 && readSync(handle, last, 0, 1, end - 1) === 1 && last[0] !== 10) writeSync(handle, '\n')
    return handle
  }
}

function removeOld({ folder, keep }: LogFileSettings, today: number): void {
  for (const path of logFiles(folder)) {
    const date = NAME.exec(path.slice(folder.length + 1))?.[1] ?? ''
    if (today * DAY - Date.parse(`${date}T00:00:00Z`) > keep) rmSync(path, { force: true })
  }
}
