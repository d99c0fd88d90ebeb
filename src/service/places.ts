/** Where targets are, and how a data folder remembers it of tables that lie elsewhere: by a pointer file, never with a password. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { FileStat, Fs } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import { MODEL_FILE } from '../connectors/delta/layout.ts'
import type { Secret } from '../core/secret.ts'
import type { DataFolder } from './folder.ts'

/** Where a target is. */
export interface Place {
  scheme: string
  /** Absolute path, or the address of a server without password and options: whose table it is. */
  location: string
  /** Options of an address, as they may be written down. */
  options?: string
  /** A password that was given with this command, and that is remembered nowhere. */
  secret?: Secret
}

/** Folder of the Delta tables in a data folder. */
export function tablesFolder(dataDir: string): string {
  return join(dataDir, 'tables')
}

/** In the folder of every Delta table that Sluice made. */
export const TABLE_MARK = '_sluice'

/** Did Sluice put this into the folder of the tables: a Delta table of its own, or a pointer? Many a folder is called tables. */
export async function isOurs(fs: Fs, home: string, { name, kind }: { name: string; kind: FileStat['kind'] }): Promise<boolean> {
  if (kind === 'file') return /@[0-9a-f]{12}\.json(\.[0-9a-z]{8}\.tmp)?$/.test(name)
  return (await fs.stat(join(home, name, TABLE_MARK))) !== null
}

/** Writes down where a table outside of the data folder is, before anything is committed to it. */
export async function rememberPlace(folder: DataFolder, name: string, place: Place): Promise<void> {
  const home = tablesFolder(folder.path)
  if (place.scheme === 'delta' && place.location === home) return
  const hash = createHash('sha256').update(`${place.scheme}:${place.location}`).digest('hex').slice(0, 12)
  const path = join(home, `${name}@${hash}.json`)
  const { options } = place
  const known = (await folder.fs.stat(path)) === null ? null : (await readPointer(folder.fs, path)).place
  // Without options the ones that were given before still hold.
  if (known !== null && (options === undefined || options === known.options)) return
  await folder.fs.makeFolder('folder.tables', home)
  const part = `${path}.${folder.random.id(8)}.tmp`
  await folder.fs.write('folder.pointer', part, JSON.stringify({ table: name, scheme: place.scheme, location: place.location, ...(options === undefined ? {} : { options }) }))
  await folder.fs.rename('folder.pointer-place', part, path)
  await folder.fs.sync('folder.pointer-sync', home)
}

/** Tables of this folder, as the folder itself shows them: the truth for a lost ledger. */
export async function findPlaces(folder: Pick<DataFolder, 'fs' | 'path'>): Promise<{ name: string; place: Place }[]> {
  const home = tablesFolder(folder.path)
  const found: { name: string; place: Place }[] = []
  for (const entry of ((await folder.fs.list(home)) ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    // The table of a model follows from others: it holds nothing of the ledger's.
    if (entry.kind === 'folder' && (await folder.fs.stat(join(home, entry.name, MODEL_FILE))) !== null) continue
    if (entry.kind === 'folder' && (await folder.fs.stat(join(home, entry.name, '_delta_log'))) !== null) {
      found.push({ name: entry.name, place: { scheme: 'delta', location: home } })
    } else if (entry.name.endsWith('.json') && entry.name.includes('@')) {
      found.push(await readPointer(folder.fs, join(home, entry.name)))
    }
  }
  return found
}

async function readPointer(fs: Fs, path: string): Promise<{ name: string; place: Place }> {
  const text = Buffer.from((await fs.read(path)) ?? new Uint8Array()).toString()
  try {
    const pointer = JSON.parse(text) as Record<string, unknown>
    if (typeof pointer['table'] === 'string' && typeof pointer['scheme'] === 'string' && typeof pointer['location'] === 'string') {
      const options = pointer['options']
      return { name: pointer['table'], place: { scheme: pointer['scheme'], location: pointer['location'], ...(typeof options === 'string' ? { options } : {}) } }
    }
  } catch {
    // Said below, with the path.
  }
  throw new SluiceError('TABLE_BROKEN', `${path} does not say where its table is.`, { where: { path }, hint: 'Restore it from a copy, or remove it if the table is gone for good.' })
}
