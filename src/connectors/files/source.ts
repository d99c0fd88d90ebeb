/** Local files, folders and patterns as a source of arrivals. Nothing is read but folders and what `stat` says. */
import { createHash } from 'node:crypto'
import { realpathSync, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { resolve } from 'node:path'
import { setImmediate as yieldNow } from 'node:timers/promises'
import type { Pin } from '../../core/arrival.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Discovery, Source } from '../../core/source.ts'
import { errnoOf, storageError } from '../../storage/errors.ts'
import { openPinned } from '../../storage/pin.ts'
import { lookAtAll } from './look.ts'
import { comparePaths } from './order.ts'
import { expand, isPattern, namesExtension } from './pattern.ts'
import { isLeftOut, isWanted, walk } from './walk.ts'
import type { Walked } from './walk.ts'

export interface FilesQuestion {
  /** Files, folders and patterns, as they were written. */
  paths: readonly string[]
  /** Never entered and not counted. */
  dataDir: string
  /** Never entered; each counts once as left out. */
  tableDirs: readonly string[]
}

// After so many folders or matches of a pattern signals and timers get a turn.
const PAUSE_EVERY = 1_000
const READ_BYTES = 1 << 20

export function openFilesSource(question: FilesQuestion): Source {
  return { discover: (signal) => discover(question, signal), compare: (a, b) => comparePaths(a.uri, b.uri) }
}

async function discover(question: FilesQuestion, signal?: AbortSignal): Promise<Discovery> {
  let steps = 0
  const pause = async (): Promise<void> => {
    if (++steps % PAUSE_EVERY === 0) await yieldNow()
    signal?.throwIfAborted()
  }
  const found: Walked = { files: [], ignored: new Set() }
  const without = new Map<string, boolean>()
  for (const folder of question.tableDirs) for (const name of namesOf(folder)) without.set(name, true)
  for (const name of namesOf(question.dataDir)) without.set(name, false)
  for (const path of question.paths) await take(path, without, found, pause)

  signal?.throwIfAborted()
  const [only] = question.paths
  if (question.paths.length === 1 && only !== undefined && !isPattern(only)) return { pins: await lookAtAll(found.files, signal), ignored: found.ignored.size }
  // What one argument leaves out, another may name outright, and several may lead to one file.
  const files = new Set(found.files)
  return { pins: await lookAtAll([...files], signal), ignored: [...found.ignored].filter((path) => !files.has(path)).length }
}

/** A folder may be reached by its own name or through a link above it. */
function namesOf(folder: string): string[] {
  const name = resolve(folder)
  try {
    return [name, realpathSync(name)]
  } catch {
    return [name]
  }
}

async function take(written: string, without: ReadonlyMap<string, boolean>, found: Walked, pause: () => Promise<void>): Promise<void> {
  const path = resolve(written)
  const stat = statOf(path)
  if (stat?.isDirectory() === true) return walk(path, without, found, pause)
  if (stat !== null) {
    if (stat.isFile()) found.files.push(path)
    else throw new SluiceError('PATH_NOT_FOUND', `${path} is neither a file nor a folder.`, { where: { path } })
    return
  }
  if (!isPattern(written)) throw new SluiceError('PATH_NOT_FOUND', `There is nothing at ${path}.`, { where: { path } })
  const matches = await expand(written, without, pause)
  if (matches.length === 0) throw new SluiceError('PATH_NOT_FOUND', `Nothing matches ${written}.`, { where: { path: written } })
  const asked = namesExtension(written)
  for (const match of matches) {
    if (match.kind === 'folder') await walk(match.path, without, found, pause)
    else if (match.kind === 'file' && (asked ? !isLeftOut(match.name) : isWanted(match.name))) found.files.push(match.path)
    else found.ignored.add(match.path)
  }
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path)
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT' || errnoOf(thrown) === 'ENOTDIR') return null
    throw storageError(thrown, 'look at', path)
  }
}

/**
 * SHA-256 of a pinned file as hex; null when it is gone or changed meanwhile.
 * @throws SluiceError PERMISSION_DENIED, IO_FAILED
 */
export async function hashPinned(pin: Pin): Promise<string | null> {
  const file = openPinned(pin)
  if (file === null) return null
  try {
    const hash = createHash('sha256')
    const buffer = new Uint8Array(Math.min(READ_BYTES, Math.max(1, pin.size)))
    for (let n = file.read(buffer, 0, buffer.length); n > 0; n = file.read(buffer, 0, buffer.length)) {
      hash.update(buffer.subarray(0, n))
      if (n === READ_BYTES) await yieldNow()
    }
    return file.unchanged() ? hash.digest('hex') : null
  } finally {
    file.close()
  }
}
