/**
 * Moving what was made to where it belongs, so that a death at any step loses nothing and repeats nothing that shows:
 *
 *   working file, synced ─▶ intend ★ ─▶ rename ─▶ folder synced ─▶ placed
 * Behind ★ the next process finishes the moves; before it the working files are left-overs and are made again.
 */
import { posix } from 'node:path'
import type { FileStat, Fs } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import type { Made, Move, Origin, Origins } from '../core/origins.ts'

export interface Place {
  fs: Fs
  origins: Origins
  /** Absolute path of the folder that the outputs are in. */
  folder: string
}

/** As in a pin. */
export function stampOf(stat: FileStat): string {
  return `${stat.device}:${stat.inode}:${stat.size}:${stat.mtime}:${stat.ctime}`
}

export function pathIn(place: Pick<Place, 'folder'>, path: string): string {
  return `${place.folder}/${path}`
}

/** Puts everything in place. After it returns all of it survives a power cut. */
export async function putInPlace(place: Place, entries: readonly { origin: Origin; moves: readonly Move[] }[]): Promise<void> {
  if (entries.length === 0) return
  for (const folder of foldersOf(entries.flatMap(({ moves }) => moves))) await place.fs.makeFolder('origins.folder', pathIn(place, folder))
  place.origins.intend(entries)
  await finish(place, entries)
}

/** Finishes what a dead process had intended. @returns how many moves there were */
export async function recoverMoves(place: Place): Promise<number> {
  const moves = place.origins.moves()
  if (moves.length === 0) return 0
  const touched = new Set(moves.map(({ to }) => to))
  const origins = [...place.origins.all().values()].filter(({ made, beside }) => [made, beside].some((file) => file !== null && touched.has(file.path)))
  for (const folder of foldersOf(moves)) await place.fs.makeFolder('origins.folder', pathIn(place, folder))
  await finish(place, [...origins.map((origin) => ({ origin, moves: [] })), ...moves.map((move) => ({ origin: null, moves: [move] }))])
  return moves.length
}

async function finish(place: Place, entries: readonly { origin: Origin | null; moves: readonly Move[] }[]): Promise<void> {
  const { fs, origins } = place
  const moves = entries.flatMap((entry) => entry.moves)
  for (const { from, to } of moves) {
    if (from === null) await removeFile(place, to)
    // Gone when the process before died between its rename and its note.
    else if ((await fs.stat(from, false)) !== null) await fs.rename('origins.rename', from, pathIn(place, to))
  }
  for (const folder of foldersOf(moves)) await fs.sync('origins.sync', pathIn(place, folder))
  const placed: Origin[] = []
  for (const { origin } of entries) {
    if (origin !== null) placed.push({ ...origin, made: await stamped(place, origin.made), beside: await stamped(place, origin.beside) })
  }
  origins.placed(placed, moves.map(({ to }) => to))
}

async function stamped(place: Place, made: Made | null): Promise<Made | null> {
  if (made === null) return null
  const stat = await place.fs.stat(pathIn(place, made.path), false)
  return { ...made, stamp: stat === null ? '' : stampOf(stat) }
}

/** Removes a file, and nothing but a file. */
export async function removeFile(place: Place, path: string): Promise<void> {
  const stat = await place.fs.stat(pathIn(place, path), false)
  if (stat?.kind === 'file') await place.fs.remove('origins.remove', pathIn(place, path))
}

function foldersOf(moves: readonly Move[]): Set<string> {
  return new Set(moves.map(({ to }) => posix.dirname(to)))
}

/** SHA-256 of a file as it lies, with its pin's stamp; null when there is none. */
export type Identify = (path: string) => Promise<{ sha256: string; stamp: string } | null>

/**
 * Does a file lie as it was put there? Its stamp is compared, and its bytes where the stamp differs.
 * @returns the same, perhaps with a new stamp · changed: other bytes · gone
 */
export async function inspect(place: Place, made: Made, identify: Identify): Promise<Made | 'changed' | 'gone'> {
  const stat = await place.fs.stat(pathIn(place, made.path), false)
  if (stat === null) return 'gone'
  if (stat.kind !== 'file' || stat.size !== made.size) return 'changed'
  if (stampOf(stat) === made.stamp) return made
  const now = await identify(pathIn(place, made.path))
  return now === null ? 'gone' : now.sha256 === made.sha256 ? { ...made, stamp: now.stamp } : 'changed'
}

/** @throws SluiceError OUTPUT_EXISTS when something lies there that is not ours */
export async function refuseForeign(place: Place, path: string): Promise<void> {
  const stat = await place.fs.stat(pathIn(place, path), false)
  if (stat === null) return
  const what = stat.kind === 'file' ? 'a file' : stat.kind === 'link' ? 'a link' : stat.kind === 'folder' ? 'a folder' : 'something that is no file'
  throw new SluiceError('OUTPUT_EXISTS', `${pathIn(place, path)} is ${what} that Sluice did not put there.`, { where: { path: pathIn(place, path) } })
}
