/**
 * What stands in the way of an output: a file where one of its folders has to be, or a folder where it has to be itself. A
 * source that was a file and is a folder now, or the other way round, leaves its former copy there.
 */
import { SluiceError } from '../core/errors.ts'
import type { Origin } from '../core/origins.ts'
import { pathIn } from './place.ts'
import type { Place } from './place.ts'

/**
 * @param path below the folder of the outputs; nothing there, or a file, is no matter of this
 * @param free folders that were found free; looked at once
 * @param mirror folders that hold nothing but folders go, unless a link leads to them: they are somebody else's
 * @throws SluiceError OUTPUT_EXISTS
 */
export async function freeWay(place: Place, path: string, free: Set<string>, mirror: boolean): Promise<void> {
  for (const folder of foldersAbove(path)) {
    if (free.has(folder)) continue
    const stat = await place.fs.stat(pathIn(place, folder))
    if (stat !== null && stat.kind !== 'folder') throw exists(place, folder, `is a file, where ${pathIn(place, path)} needs a folder`)
    // A link that leads nowhere is there all the same.
    if (stat === null && (await place.fs.stat(pathIn(place, folder), false)) !== null) throw exists(place, folder, `is a link that leads nowhere, where ${pathIn(place, path)} needs a folder`)
    free.add(folder)
    if (stat === null) break
  }
  if ((await place.fs.stat(pathIn(place, path), false))?.kind !== 'folder') return
  if (!mirror || (await leadsElsewhere(place, path)) || !(await holdsNothing(place, pathIn(place, path)))) throw exists(place, path, 'is a folder, where a file has to be')
  await place.fs.remove('origins.way', pathIn(place, path))
}

/** Tells of a former output whether it stands in the way of one of these. */
export function standsInTheWay(outputs: readonly string[]): (origin: Pick<Origin, 'output'>) => boolean {
  const files = new Set(outputs)
  const folders = new Set(outputs.flatMap(foldersAbove))
  return ({ output }) => folders.has(output) || foldersAbove(output).some((folder) => files.has(folder))
}

/** `a`, `a/b` of `a/b/c`. */
function foldersAbove(path: string): string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'))
}

async function leadsElsewhere(place: Place, path: string): Promise<boolean> {
  for (const folder of foldersAbove(path)) if ((await place.fs.stat(pathIn(place, folder), false))?.kind === 'link') return true
  return false
}

async function holdsNothing(place: Place, folder: string): Promise<boolean> {
  for (const { name, kind } of (await place.fs.list(folder)) ?? []) if (kind !== 'folder' || !(await holdsNothing(place, `${folder}/${name}`))) return false
  return true
}

function exists(place: Place, path: string, what: string): SluiceError {
  return new SluiceError('OUTPUT_EXISTS', `${pathIn(place, path)} ${what}.`, {
    where: { path: pathIn(place, path) }, hint: 'Move it away, or write to another folder; --mirror removes what Sluice put there and whose source is gone.',
  })
}
