/**
 * A data folder: the ledger, the tables in it, and pointers to its tables elsewhere.
 *
 *   ledger.db  tables/<name>/  tables/<name>@<hash>.json (pointer)  spool/<worker>/  workers/<worker>.db
 * A lost ledger is rebuilt from the tables; pointers make that possible for tables that lie outside of the folder.
 */
import { join } from 'node:path'
import type { Clock, Fs, Random } from '../core/effects.ts'
import type { Engine } from '../core/engine.ts'
import { SluiceError, asSluiceError } from '../core/errors.ts'
import type { Ledger, TableRow } from '../core/ledger.ts'
import type { Head, Table } from '../core/target.ts'
import { openLedger } from '../ledger/sqlite.ts'
import { localFs } from '../storage/local.ts'
import { systemClock, systemRandom } from '../storage/system.ts'
import { ENGINES } from '../registry.ts'
import type { OpenedEngine } from '../registry.ts'
import { findPlaces, isOurs, tablesFolder } from './places.ts'
import { openTarget, tableKey } from './targets.ts'

export interface DataFolder {
  path: string
  ledger: Ledger
  fs: Fs
  clock: Clock
  random: Random
  /** This process's own folder for parts and spilling. */
  spool: string
}

/** There is a ledger, or tables of which a lost one can be made again. */
export async function isDataFolder(path: string): Promise<boolean> {
  if ((await localFs.stat(join(path, 'ledger.db'))) !== null) return true
  for (const entry of (await localFs.list(tablesFolder(path))) ?? []) if (await isOurs(localFs, tablesFolder(path), entry)) return true
  return false
}

/**
 * Opens a data folder, making it when it is not there; `existing` refuses to make one.
 * @throws SluiceError DATA_DIR_NEWER, PERMISSION_DENIED, NOT_FOUND
 */
export async function openFolder(path: string, options: { existing?: boolean } = {}): Promise<DataFolder> {
  if (options.existing === true && !(await isDataFolder(path))) {
    throw new SluiceError('NOT_FOUND', `There is no data folder at ${path}.`, { where: { path }, hint: 'Name it with --data-dir, or load something first.' })
  }
  const there = await localFs.stat(path)
  if (there !== null && there.kind !== 'folder') throw new SluiceError('USAGE', `The data folder ${path} is not a folder.`, { where: { path }, hint: 'Name another one with --data-dir.' })
  await localFs.makeFolder('folder.make', path)
  const ledger = await openLedger(path, { clock: systemClock, random: systemRandom })
  return { path, ledger, fs: localFs, clock: systemClock, random: systemRandom, spool: join(path, 'spool', ledger.worker) }
}

/** Releases the folder: the spool of this process goes, the ledger is closed. */
export async function closeFolder(folder: DataFolder): Promise<void> {
  await folder.fs.remove('spool.remove', folder.spool).catch(() => {})
  await folder.ledger.close()
}

/** @param folder its spool is asked when it is first needed, so the engine may start while the folder is being opened */
export function openEngine(folder: Pick<DataFolder, 'spool'>, settings: { memory: number; jobs?: number }): Promise<OpenedEngine> {
  const open = ENGINES['duckdb']
  if (open === undefined) throw new SluiceError('INTERNAL', 'There is no engine.')
  return open({ memory: settings.memory, spool: () => folder.spool, ...(settings.jobs === undefined ? {} : { jobs: settings.jobs }) })
}

/** Spool folders of processes that are gone. Called after recovery, which removes the files of dead workers. */
export async function sweepSpool(folder: DataFolder): Promise<void> {
  const spool = join(folder.path, 'spool')
  for (const entry of (await folder.fs.list(spool)) ?? []) {
    // Whatever else somebody put here is not ours to remove.
    if (entry.name === folder.ledger.worker || !/^w_[a-z0-9]+$/.test(entry.name)) continue
    if ((await folder.fs.stat(join(folder.path, 'workers', `${entry.name}.db`))) === null) await folder.fs.remove('spool.sweep', join(spool, entry.name))
  }
}

/** Writes into the ledger what a table of it remembers. @returns how many arrivals were restored */
export function restoreTable(folder: DataFolder, table: Table, name: string, head: Head): Promise<number> {
  const row: TableRow = { uri: tableKey(table.uri, folder.path), name, definition: head.definition }
  return folder.ledger.restore(row, table.arrivals(), head.lanes)
}

/**
 * An empty ledger takes back what the tables of its folder remember. Returns a sentence to say, or null when there was
 * nothing to take back.
 * @param adopting table that this command takes over, whosever it is: it says nothing of this folder's ledger
 */
export async function rebuildLedger(folder: DataFolder, engine: Engine, adopting: string | null = null): Promise<string | null> {
  if (!(await folder.ledger.isEmpty())) return null
  let tables = 0
  let arrivals = 0
  for (const { name, place } of await findPlaces(folder)) {
    if (name === adopting) continue
    const target = await openTarget(place, folder.clock, folder.random)
    const table = await target.open(name, null, engine)
    try {
      const head = await table.head()
      if (!head.exists || head.ledger === null) continue
      if (head.ledger !== folder.ledger.id && !(await folder.ledger.adopt(head.ledger))) {
        throw new SluiceError('TABLE_OTHER_LEDGER', `${table.uri} belongs to the ledger ${head.ledger}, other tables of ${folder.path} to ${folder.ledger.id}.`)
      }
      arrivals += await restoreTable(folder, table, name, head)
      tables++
    } catch (thrown) {
      throw asSluiceError(thrown)
    } finally {
      await table.close()
    }
  }
  return tables === 0 ? null : `The ledger was empty and has been rebuilt from ${tables} table(s): ${arrivals} arrivals.`
}

