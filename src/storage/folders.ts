/** Makes folders with their parents, each by a call of its own: Node's `recursive` never returns where a system says ENOENT of a folder below one that is there (`/proc/x`). */
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from './errors.ts'

/** @returns the outermost folder that was made; null: all were there. @throws the system's error */
export function makeFolders(path: string): string | null {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return null
  try {
    return makeOne(path)
  } catch (thrown) {
    const parent = dirname(path)
    if (errnoOf(thrown) !== 'ENOENT' || parent === path) throw thrown
    const first = makeFolders(parent)
    const own = makeOne(path)
    return first ?? own
  }
}

/** Perhaps somebody else made it meanwhile. */
function makeOne(path: string): string | null {
  try {
    mkdirSync(path)
    return path
  } catch (thrown) {
    if (errnoOf(thrown) === 'EEXIST' && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return null
    throw thrown
  }
}
