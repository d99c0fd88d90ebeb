/** From `--to` to a target, and from a table's name to the target that holds it. */
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { Clock, Fs, Random } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Target } from '../core/target.ts'
import { LATER_TARGETS, TARGETS } from '../registry.ts'

/** Where a target is, in a form that can be written down: scheme and absolute path. */
export interface Place {
  scheme: string
  location: string
}

/** Folder of the Delta tables in a data folder. */
export function tablesFolder(dataDir: string): string {
  return join(dataDir, 'tables')
}

/** Understands `delta:`, `delta:DIR`, `sqlite:FILE`. @throws SluiceError TARGET_INVALID or LATER */
export function parseTarget(to: string | undefined, dataDir: string): Place {
  if (to === undefined) return { scheme: 'delta', location: tablesFolder(dataDir) }
  const at = to.indexOf(':')
  const scheme = at < 0 ? to : to.slice(0, at)
  const rest = at < 0 ? '' : to.slice(at + 1)
  if (LATER_TARGETS.includes(scheme)) throw new SluiceError('LATER', `--to ${scheme}: is not built yet; there are ${Object.keys(TARGETS).join(' and ')}.`)
  if (!Object.hasOwn(TARGETS, scheme) || at < 0) throw new SluiceError('TARGET_INVALID', `--to ${to} is not a target.`)
  if (scheme === 'delta') return { scheme, location: rest === '' ? tablesFolder(dataDir) : resolve(rest) }
  if (rest === '') throw new SluiceError('TARGET_INVALID', `--to ${to}: a file is missing, as in sqlite:warehouse.db.`)
  return { scheme, location: resolve(rest) }
}

export async function openTarget(place: Place, clock: Clock, random: Random): Promise<Target> {
  const open = TARGETS[place.scheme]
  if (open === undefined) throw new SluiceError('TARGET_INVALID', `There is no target ${place.scheme}.`)
  return open({ location: place.location, clock, random })
}

/**
 * Under which name the ledger keeps a table: its URI, with paths inside of the data folder written relative to it. So a
 * data folder can be moved or copied and still knows its own tables.
 */
export function tableKey(uri: string, dataDir: string): string {
  const [, scheme = '', path = ''] = /^(sqlite:)?(.*)$/s.exec(uri) ?? []
  return path.startsWith(`${dataDir}/`) ? `${scheme}./${path.slice(dataDir.length + 1)}` : uri
}

/** The place of a table that the ledger remembers, from its key. */
export function placeOfTable(key: string, name: string, dataDir: string): Place {
  const [, scheme, path = ''] = /^(sqlite:)?(.*)$/s.exec(key) ?? []
  const absolute = path.startsWith('./') ? join(dataDir, path) : path
  if (scheme !== undefined) return { scheme: 'sqlite', location: absolute.slice(0, absolute.lastIndexOf('#')) }
  return { scheme: 'delta', location: absolute.slice(0, -(name.length + 1)) }
}

/** With links resolved as far as the path exists. */
function realPath(path: string): string {
  if (existsSync(path) || dirname(path) === path) return realpathSync(path)
  return join(realPath(dirname(path)), basename(path))
}

/**
 * Refuses places where a table would be in the way: the ledger, the spool and the locks of a data folder are not tables.
 * @throws SluiceError TARGET_INVALID
 */
async function usable(fs: Fs, place: Place, dataDir: string): Promise<Place> {
  const inside = relative(realPath(dataDir), realPath(place.location))
  const isInside = !inside.startsWith('..') && !isAbsolute(inside)
  const isOwn = place.scheme === 'delta' ? inside !== 'tables' : /^(ledger\.db.*|(workers|spool|tables|logs)(\/.*)?)?$/.test(inside)
  if (isInside && isOwn) {
    throw new SluiceError('TARGET_INVALID', `${place.location} is a part of the data folder ${dataDir}, which Sluice keeps for itself.`, { hint: 'Leave --to out, or name a place outside of the data folder.' })
  }
  const there = await fs.stat(place.location)
  const wanted = place.scheme === 'delta' ? 'folder' : 'file'
  if (there !== null && there.kind !== wanted) throw new SluiceError('TARGET_INVALID', `${place.location} is not a ${wanted}.`, { where: { path: place.location } })
  return place
}

/** Is there anything at this place that could be the table? Looks at names only. */
export async function isThere(fs: Fs, place: Place, name: string): Promise<boolean> {
  return (await fs.stat(place.scheme === 'delta' ? join(place.location, name, '_delta_log') : place.location)) !== null
}

/**
 * Where the table `name` is meant to be: what `--to` says, else where the ledger knows a table of that name.
 * @throws SluiceError DEFINITION_DIFFERS when several are meant
 */
export async function choosePlace(ledger: Ledger, fs: Fs, dataDir: string, name: string, to: string | undefined): Promise<Place> {
  if (to !== undefined) return usable(fs, parseTarget(to, dataDir), dataDir)
  const places: Place[] = []
  for (const table of await ledger.tables()) {
    const place = table.name === name ? placeOfTable(table.uri, name, dataDir) : null
    if (place !== null && (await isThere(fs, place, name))) places.push(place)
  }
  const home = places.find((place) => place.scheme === 'delta' && place.location === tablesFolder(dataDir))
  if (home !== undefined || places.length === 0) return home ?? parseTarget(undefined, dataDir)
  if (places.length > 1) {
    throw new SluiceError('DEFINITION_DIFFERS', `There are ${places.length} tables ${name}: ${places.map((place) => `${place.scheme}:${place.location}`).join(', ')}.`, { hint: 'Say which one is meant with --to.' })
  }
  return places[0] as Place
}
