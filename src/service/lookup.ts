/** Which table, which file is meant: from a name or an id that somebody typed to the one thing it names. */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { SluiceError } from '../core/errors.ts'
import type { ArrivalRow } from '../core/ledger.ts'
import type { DataFolder } from './folder.ts'
import { findPlaces, tablesFolder } from './places.ts'
import type { Place } from './places.ts'
import { describePlace, isThere, openTarget, parseTarget, placeOfTable, samePlace, tableKey } from './targets.ts'

export interface KnownTable {
  name: string
  place: Place
  /** Under which the ledger keeps it, see `tableKey`. */
  key: string
  /** Short and without spaces: tells tables of one name apart in cursors. */
  mark: string
  /** False: the ledger knows it, and nothing lies at its place. */
  there: boolean
}

/** Every table that the ledger knows or the folder shows, by name. */
export async function knownTables(folder: DataFolder): Promise<KnownTable[]> {
  // Pointers come first: they know the options of an address.
  const ledgers = (await folder.ledger.tables()).map((table) => ({ name: table.name, place: placeOfTable(table.uri, table.name, folder.path) }))
  const all = new Map<string, KnownTable>()
  for (const { name, place } of [...(await findPlaces(folder)), ...ledgers]) {
    const key = tableKey((await openTarget(place, folder.clock, folder.random)).uri(name), folder.path)
    if (all.has(key)) continue
    all.set(key, { name, place, key, mark: createHash('sha256').update(key).digest('hex').slice(0, 8), there: await isThere(folder.fs, place, name) })
  }
  return [...all.values()].toSorted((a, b) => (a.name === b.name ? (a.mark < b.mark ? -1 : 1) : a.name < b.name ? -1 : 1))
}

/**
 * The table of this name: in the target that `to` says, else at home in the data folder, else the only one. Tables that
 * lie at their place come before those that the ledger merely knows.
 * @throws SluiceError NOT_FOUND, USAGE when several are meant, TARGET_INVALID
 */
export async function tableNamed(folder: DataFolder, name: string, to: string | undefined): Promise<KnownTable> {
  const meant = await matching(folder, name, to)
  const [first] = meant
  if (first === undefined) throw new SluiceError('NOT_FOUND', `There is no table ${name} in ${to ?? folder.path}.`, { hint: 'sluice tables ls lists what there is.' })
  const home = meant.find((entry) => entry.place.scheme === 'delta' && entry.place.location === tablesFolder(folder.path))
  if (home !== undefined) return home
  if (meant.length > 1) {
    const choices = meant.map((entry) => describePlace(entry.place)).join(', ')
    throw new SluiceError('USAGE', `There are ${meant.length} tables ${name}: ${choices}.`, { hint: 'Say which one with --to.' })
  }
  return first
}

/** As it was loaded, or as the listings of files and runs write it: `public.events` is `events` in PostgreSQL. */
function isCalled({ name, key }: KnownTable, wanted: string): boolean {
  return name === wanted || (key.includes('#') && key.slice(key.lastIndexOf('#') + 1) === wanted)
}

async function matching(folder: DataFolder, name: string, to: string | undefined): Promise<KnownTable[]> {
  const wanted = to === undefined ? null : parseTarget(to, folder.path)
  const all = (await knownTables(folder)).filter((entry) => isCalled(entry, name) && (wanted === null || samePlace(entry.place, wanted)))
  // What the command says of the way there counts: a password is remembered nowhere.
  const named = all.map((entry) => ({ ...entry, place: { ...entry.place, ...wanted } }))
  const there = named.filter((entry) => entry.there)
  return there.length > 0 ? there : named
}

/** @returns the key of the table, to be put into a query of the ledger; nothing when no table is named. @throws as tableNamed */
export async function tableFilter(folder: DataFolder, name: string | undefined, to: string | undefined): Promise<{ table?: string }> {
  if (name !== undefined) return { table: (await tableNamed(folder, name, to)).key }
  if (to !== undefined) throw new SluiceError('USAGE', '--to says where a table is; --table, which one, is missing.', { hint: 'Give both, as in --table events --to sqlite:events.db.' })
  return {}
}

const SHOWN_MATCHES = 10

/**
 * The file of this id. The first of these that names any decides: its path · `<table>/<number>` · the beginning of its
 * SHA-256, from six digits on · a part of its path. `to` leaves only files of the tables in that target.
 * @throws SluiceError NOT_FOUND when there is none or several; the message then has their numbers
 */
export async function findFile(folder: DataFolder, id: string, to: string | undefined): Promise<ArrivalRow> {
  const tables = new Map((await knownTables(folder)).map((table) => [table.key, table]))
  const wanted = to === undefined ? null : parseTarget(to, folder.path)
  const isWanted = ({ table }: ArrivalRow): boolean => {
    const place = tables.get(table)?.place
    return wanted === null || (place !== undefined && samePlace(place, wanted))
  }
  for (const look of [exactly, byNumber, byContent, byPart]) {
    const found = (await look(folder, id, to)).filter(isWanted)
    if (found.length === 1 && found[0] !== undefined) return found[0]
    if (found.length === 0) continue
    const numbers = found.slice(0, SHOWN_MATCHES).map((file) => `${tables.get(file.table)?.name ?? file.table}/${file.seq}`)
    const alike = new Set(numbers).size < numbers.length
    throw new SluiceError('NOT_FOUND', `${id} means ${found.length > SHOWN_MATCHES ? 'many' : found.length} files: ${numbers.join(', ')}${found.length > SHOWN_MATCHES ? ', …' : ''}.`, {
      hint: alike ? 'Name one as table/number, and its target with --to.' : 'Name one as table/number.',
    })
  }
  throw new SluiceError('NOT_FOUND', `There is no file ${id} in ${to ?? folder.path}.`, { hint: 'sluice files ls lists them; name one by its path or as table/number.' })
}

async function exactly({ ledger }: DataFolder, id: string): Promise<ArrivalRow[]> {
  const path = resolve(id)
  const found: ArrivalRow[] = []
  for (let after: string | null = ''; after !== null; ) {
    const page = await ledger.files({ name: path, limit: 1000, ...(after === '' ? {} : { after }) })
    found.push(...page.items.filter((file) => file.path === path))
    after = page.next
  }
  return found
}

async function byNumber(folder: DataFolder, id: string, to: string | undefined): Promise<ArrivalRow[]> {
  const [, name, seq] = /^([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)\/(\d{1,15})$/.exec(id) ?? []
  // What looks like a number may still be a part of a path, as in 2026/11.
  if (name === undefined || (await matching(folder, name, to)).length === 0) return []
  const row = await folder.ledger.arrival((await tableNamed(folder, name, to)).key, Number(seq))
  return row === null ? [] : [row]
}

async function byContent({ ledger }: DataFolder, id: string): Promise<ArrivalRow[]> {
  if (!/^[0-9a-f]{6,64}$/i.test(id)) return []
  return (await ledger.files({ sha256: id.toLowerCase(), limit: 1000 })).items
}

async function byPart({ ledger }: DataFolder, id: string): Promise<ArrivalRow[]> {
  return (await ledger.files({ name: id, limit: 1000 })).items
}
