/** A table of a database as what a load reads: which one is meant, whether it can be read safely into this table, and its windows. */
import { createHash } from 'node:crypto'
import { basename, join, resolve } from 'node:path'
import { isAddress, parseAddress } from '../core/address.ts'
import type { SourceAddress } from '../core/address.ts'
import type { Pin } from '../core/arrival.ts'
import type { Definition, DefinitionRequest } from '../core/definition.ts'
import type { Engine, Standing } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { LoadEvent } from '../core/events.ts'
import type { Interval } from '../core/interval.ts'
import { nameSafe } from '../core/mark.ts'
import type { Source } from '../core/source.ts'
import type { Table } from '../core/target.ts'
import { comparePaths } from '../connectors/files/order.ts'
import { hashPinned } from '../connectors/files/source.ts'
import { identityOf, parsePostgresUrl } from '../connectors/postgres/url.ts'
import { discoverWindows, tidyWindows } from '../connectors/windows/source.ts'
import { holdLock } from '../sql/lock.ts'
import { SOURCES } from '../registry.ts'
import type { DataFolder } from './folder.ts'

/** Folder of sealed windows in a data folder. */
export function windowsFolder(dataDir: string): string {
  return join(dataDir, 'windows')
}

/** The source that the paths of a load name; null: they are paths. @throws SluiceError SOURCE_INVALID, LATER */
export function addressOf(paths: readonly string[]): SourceAddress | null {
  const found = paths.find(isAddress)
  if (found === undefined) return null
  const address = parseAddress(found)
  if (!Object.hasOwn(SOURCES, address.scheme)) throw new SluiceError('LATER', `--from ${address.scheme}: is not built yet; there are ${Object.keys(SOURCES).join(' and ')}.`)
  return address
}

/**
 * A mark says that everything up to it is in the table; a window of which only some dates are in would say so, too.
 * @throws SluiceError SOURCE_UNSUITABLE for a source that is to be loaded by date
 */
export function refuseByDate(paths: readonly string[], asked: Interval | null): void {
  if (asked === null || !paths.some(isAddress)) return
  throw new SluiceError('SOURCE_UNSUITABLE', 'A table of a database is not loaded by date: with --since or --until a window would come in only in part, and the next load would go on behind it.', {
    hint: 'Load everything, or read only those rows with query= and a WHERE.',
  })
}

/**
 * What a new table takes over from its source: the key that the address names, unless the command names one or wants none;
 * and as rows of a database change, with a key the last state of each is kept, unless a mode says otherwise.
 */
export function definitionFor(address: SourceAddress | null, request: DefinitionRequest): DefinitionRequest {
  if (address === null) return request
  const keyed = request.mode !== 'append' && request.mode !== 'replace'
  const key = request.key ?? (keyed && address.key.length > 0 ? address.key.join(',') : undefined)
  if (key === undefined) return request
  return { ...request, key, ...(request.mode === undefined && request.keep === undefined ? { mode: 'upsert' } : {}) }
}

/**
 * Refuses what would lose or double rows.
 * @throws SluiceError SOURCE_UNSUITABLE with the way out
 */
export function refuseUnsafe({ cursor }: SourceAddress, { mode, key }: Definition): void {
  if (mode === 'replace' && cursor !== null) throw new SluiceError('SOURCE_UNSUITABLE', 'With cursor= only what is new is read, and --mode replace would make that the whole table.', { hint: 'Leave cursor= out, or load with --key and --mode upsert.' })
  if (mode === 'append') {
    const why = cursor === null ? 'the whole table comes again with every load' : 'rows of the overlap come again, because rows may be committed with a cursor that is lower than one that was read'
    throw new SluiceError('SOURCE_UNSUITABLE', `A table of a database into an append table: ${why}, and every row would be stored again.`, { hint: `Give the columns that make a row unique with --key${cursor === null ? ', or replace the table with --mode replace' : ''}.` })
  }
  if (key.length === 0 && cursor !== null) throw new SluiceError('SOURCE_UNSUITABLE', 'Without a key rows that come again cannot be told.', { hint: 'Give the columns that make a row unique with --key.' })
}

export interface WindowsSource extends Source {
  /** What becomes of the windows is told by the events of the load. */
  hear(event: LoadEvent): void
  /** Removes the windows that are in the table. */
  tidy(): Promise<void>
  close(): Promise<void>
}

interface Reading {
  folder: DataFolder
  engine: Engine
  address: SourceAddress
  definition: Definition
  table: Table
  /** Name of the table in the ledger. */
  key: string
  reload: boolean
  on(text: string): void
}

/** @throws SluiceError SOURCE_INVALID, SOURCE_UNSUITABLE, and what opening the database may throw */
export async function openWindows({ folder, engine, address, definition, table, key, reload, on }: Reading): Promise<WindowsSource> {
  refuseUnsafe(address, definition)
  const open = SOURCES[address.scheme]
  if (open === undefined) throw new SluiceError('INTERNAL', `There is no source ${address.scheme}.`)
  const isFile = !address.location.startsWith('//')
  // Without the password: with another one it is the same source.
  const location = isFile ? resolve(address.location) : identityOf(parsePostgresUrl(`postgres:${address.location}`))
  if (isFile && (await folder.fs.stat(location)) === null) throw new SluiceError('PATH_NOT_FOUND', `There is nothing at ${location}.`, { where: { path: location } })
  const source = await open({ location, address, key: address.key.length > 0 ? address.key : definition.key, engine })
  const label = nameSafe(address.table ?? 'query').slice(0, 60)
  const identity = JSON.stringify([address.scheme, location, address.table, address.query, address.cursor, key])
  const own = join(windowsFolder(folder.path), `${label}-${createHash('sha256').update(identity).digest('hex').slice(0, 12)}`)
  let hashes: ReadonlyMap<string, string> = new Map()
  let pins: Pin[] = []
  const loaded = new Set<string>()
  return {
    hear(event) {
      if (event.kind === 'arrival.ended' && event.outcome.state === 'loaded') loaded.add(event.path)
    },
    compare: (a, b) => comparePaths(a.uri, b.uri),
    async discover(signal) {
      await folder.fs.makeFolder('window.folder', windowsFolder(folder.path))
      const lock = holdLock('window.lock', `${own}.lock`)
      if (lock === null) throw new SluiceError('BUSY', `Another process reads ${address.table ?? 'this query'} from ${basename(location)} into the same table.`)
      try {
        const question = { source, fs: folder.fs, folder: own, label, cursor: address.cursor, overlap: address.overlap, committed: pathsOf(table), reload, hash: hashPinned, isCommitted: async (sha256: string) => isWhole((await table.standing([sha256])).get(sha256)), on, ...(address.window === undefined ? {} : { rows: address.window }) }
        const found = await discoverWindows(question, signal ?? new AbortController().signal)
        hashes = found.hashes ?? hashes
        pins = [...found.pins, ...(found.later ?? [])]
        return found
      } finally {
        lock.release()
      }
    },
    async tidy() {
      const sightings = pins.flatMap((pin) => {
        const sha256 = hashes.get(pin.uri)
        return sha256 === undefined ? [] : [{ pin, sha256 }]
      })
      const known = await folder.ledger.recognise(key, sightings)
      await tidyWindows(folder.fs, label, [...known.keys()], loaded)
    },
    close: () => source.close(),
  }
}

/** What came by dates is in only in part until a commit without dates brings the rest. */
async function* pathsOf(table: Table): AsyncGenerator<string> {
  for await (const { path, dates } of table.recent()) if (dates === undefined) yield path
}

function isWhole(standing: Standing | undefined): boolean {
  return standing !== undefined && standing.covered === undefined
}
