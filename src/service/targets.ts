/** From `--to` to a target, and from a table's name to the target that holds it. */
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { Clock, Fs, Random } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import type { Target } from '../core/target.ts'
import { identityOf, lastingOptions, parsePostgresUrl } from '../connectors/postgres/url.ts'
import { LATER_TARGETS, TARGETS } from '../registry.ts'
import { findPlaces, tablesFolder } from './places.ts'
import type { DataFolder } from './folder.ts'
import type { Place } from './places.ts'

export { tablesFolder } from './places.ts'
export type { Place } from './places.ts'

/** Understands `delta:`, `delta:DIR`, `sqlite:FILE`, `duckdb:FILE`, `postgres://…`. @throws SluiceError TARGET_INVALID or LATER */
export function parseTarget(to: string | undefined, dataDir: string): Place {
  if (to === undefined) return { scheme: 'delta', location: tablesFolder(dataDir) }
  const at = to.indexOf(':')
  const scheme = at < 0 ? to : to.slice(0, at)
  const rest = at < 0 ? '' : to.slice(at + 1)
  if (LATER_TARGETS.includes(scheme)) throw new SluiceError('LATER', `--to ${scheme}: is not built yet; there are ${Object.keys(TARGETS).join(' and ')}.`)
  if (scheme === 'postgres' || scheme === 'postgresql') {
    const url = parsePostgresUrl(to)
    const options = lastingOptions(url)
    return { scheme: 'postgres', location: identityOf(url), ...(options === '' ? {} : { options }), ...(url.password === null ? {} : { secret: url.password }) }
  }
  if (!Object.hasOwn(TARGETS, scheme) || at < 0) throw new SluiceError('TARGET_INVALID', `--to ${to} is not a target.`)
  if (scheme === 'delta') return { scheme, location: rest === '' ? tablesFolder(dataDir) : resolve(rest) }
  if (rest === '') throw new SluiceError('TARGET_INVALID', `--to ${to}: a file is missing, as in sqlite:warehouse.db.`)
  return { scheme, location: resolve(rest) }
}

export async function openTarget(place: Place, clock: Clock, random: Random): Promise<Target> {
  const open = TARGETS[place.scheme]
  if (open === undefined) throw new SluiceError('TARGET_INVALID', `There is no target ${place.scheme}.`)
  const { location, options, secret } = place
  return open({ location, clock, random, ...(options === undefined ? {} : { options }), ...(secret === undefined ? {} : { secret }) })
}

/** A place as somebody would write it after --to. */
export function describePlace({ scheme, location }: Place): string {
  return isServer(scheme) ? location : `${scheme}:${location}`
}

/** Does a server keep the tables? Then nothing of them can be seen on the disk. */
export function isServer(scheme: string): boolean {
  return scheme === 'postgres'
}

/** Of the same target; what is known of only one of them (options, a password) counts. */
export function samePlace(a: Place, b: Place): boolean {
  return a.scheme === b.scheme && a.location === b.location
}

/**
 * Under which name the ledger keeps a table: its URI, with paths inside of the data folder written relative to it. So a
 * data folder can be moved or copied and still knows its own tables.
 */
export function tableKey(uri: string, dataDir: string): string {
  const [, scheme = '', path = ''] = /^(sqlite:|duckdb:)?(.*)$/s.exec(uri) ?? []
  return path.startsWith(`${dataDir}/`) ? `${scheme}./${path.slice(dataDir.length + 1)}` : uri
}

/** The place of a table that the ledger remembers, from its key. */
export function placeOfTable(key: string, name: string, dataDir: string): Place {
  if (key.startsWith('postgres://')) return { scheme: 'postgres', location: key.slice(0, key.lastIndexOf('#')) }
  const [, scheme, path = ''] = /^(sqlite|duckdb):(.*)$/s.exec(key) ?? [null, undefined, key]
  const absolute = path.startsWith('./') ? join(dataDir, path) : path
  if (scheme !== undefined) return { scheme, location: absolute.slice(0, absolute.lastIndexOf('#')) }
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
async function usable(fs: Fs, place: Place, name: string, dataDir: string): Promise<Place> {
  if (isServer(place.scheme)) return place
  const inside = relative(realPath(dataDir), realPath(place.location))
  const isInside = !inside.startsWith('..') && !isAbsolute(inside)
  const isOwn = place.scheme === 'delta' ? inside !== 'tables' : /^(ledger\.db.*|(workers|spool|windows|tables|logs)(\/.*)?)?$/.test(inside)
  if (isInside && isOwn) {
    throw new SluiceError('TARGET_INVALID', `${place.location} is a part of the data folder ${dataDir}, which Sluice keeps for itself.`, { hint: 'Leave --to out, or name a place outside of the data folder.' })
  }
  if (place.scheme === 'delta' && !(await isThere(fs, place, name))) {
    // The table's own folder instead of the one that holds it: the new table would lie among the files of the other.
    const around = await tableAround(fs, realPath(place.location))
    if (around !== null) throw new SluiceError('TARGET_INVALID', `${around} is a Delta table; another one cannot lie inside of it.`, { where: { path: around }, hint: `--to delta: takes the folder that holds the tables: --to delta:${dirname(around)} --into ${basename(around)} means this one.` })
  }
  const there = await fs.stat(place.location)
  const wanted = place.scheme === 'delta' ? 'folder' : 'file'
  if (there !== null && there.kind !== wanted) throw new SluiceError('TARGET_INVALID', `${place.location} is not a ${wanted}.`, { where: { path: place.location } })
  return place
}

/** The nearest Delta table that a folder is or lies in. */
async function tableAround(fs: Fs, folder: string): Promise<string | null> {
  for (let at = folder; ; at = dirname(at)) {
    if ((await fs.stat(join(at, '_delta_log'))) !== null) return at
    if (at === dirname(at)) return null
  }
}

/** Is there anything at this place that could be the table? Looks at names only, and asks no server. */
export async function isThere(fs: Fs, place: Place, name: string): Promise<boolean> {
  if (isServer(place.scheme)) return true
  return (await fs.stat(place.scheme === 'delta' ? join(place.location, name, '_delta_log') : place.location)) !== null
}

/**
 * Where the table `name` is meant to be: what `--to` says, else where the ledger knows a table of that name.
 * @throws SluiceError DEFINITION_DIFFERS when several are meant
 */
export async function choosePlace(folder: Pick<DataFolder, 'ledger' | 'fs' | 'path'>, name: string, to: string | undefined): Promise<Place> {
  const { ledger, fs, path: dataDir } = folder
  if (to !== undefined) return usable(fs, parseTarget(to, dataDir), name, dataDir)
  const pointed = await findPlaces(folder)
  const places: Place[] = []
  for (const table of await ledger.tables()) {
    const place = table.name === name ? placeOfTable(table.uri, name, dataDir) : null
    if (place !== null && (await isThere(fs, place, name))) places.push(pointed.find((one) => one.name === name && samePlace(one.place, place))?.place ?? place)
  }
  const home = places.find((place) => place.scheme === 'delta' && place.location === tablesFolder(dataDir))
  if (home !== undefined || places.length === 0) return home ?? parseTarget(undefined, dataDir)
  if (places.length > 1) {
    throw new SluiceError('DEFINITION_DIFFERS', `There are ${places.length} tables ${name}: ${places.map(describePlace).join(', ')}.`, { hint: 'Say which one is meant with --to.' })
  }
  return places[0] as Place
}
