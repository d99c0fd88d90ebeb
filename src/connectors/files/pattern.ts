/** Patterns: `*`, `?`, `[…]` within a name, `**` over folders, `{a,b}` anywhere. A `*` does not match a leading dot. */
import type { Dirent } from 'node:fs'
import { glob } from 'node:fs/promises'
import { extname, join, resolve, sep } from 'node:path'

export interface Match {
  path: string
  name: string
  kind: 'file' | 'folder' | 'other'
}

const WILD = /[*?[\]{}]/

export function isPattern(path: string): boolean {
  return WILD.test(path)
}

/** `*.log` asks for an extension by itself; then it need not be one of those that folders are searched for. */
export function namesExtension(pattern: string): boolean {
  const extension = extname(pattern)
  return extension !== '' && !isPattern(extension)
}

/**
 * What matches now, unsorted, by absolute path, nothing of it inside `without`. Links are of kind other: they are not
 * followed. A relative pattern stays relative: the name of the current folder may itself look like a pattern.
 */
export async function expand(pattern: string, without: ReadonlyMap<string, boolean>, pause: () => Promise<void>): Promise<Match[]> {
  const folders = [...without.keys()]
  const inside = (path: string): boolean => folders.some((folder) => path.startsWith(`${folder}${sep}`))
  const matches: Match[] = []
  for await (const entry of glob(pattern, { cwd: process.cwd(), withFileTypes: true })) {
    const path = resolve(join(entry.parentPath, entry.name))
    if (!inside(path)) matches.push({ path, name: entry.name, kind: kindOf(entry) })
    await pause()
  }
  return matches
}

function kindOf(entry: Dirent): Match['kind'] {
  return entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other'
}
