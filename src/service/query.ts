/** `query()`: one SELECT on the tables of a target, which it cannot change. The same for programs and for `sluice sql`. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Answer, Console } from '../core/console.ts'
import { SluiceError } from '../core/errors.ts'
import { isTableName } from '../core/schema.ts'
import { parseDuration, parseSize } from '../core/units.ts'
import { MODEL_FILE } from '../connectors/delta/layout.ts'
import { CONSOLES } from '../registry.ts'
import { localFs } from '../storage/local.ts'
import { systemRandom } from '../storage/system.ts'
import { closeFolder, openEngine, openFolder } from './folder.ts'
import type { DataFolder } from './folder.ts'
import { knownTables } from './lookup.ts'
import { dataFolder } from './options.ts'
import { isServer, parseTarget, tablesFolder } from './targets.ts'
import type { Place } from './targets.ts'

export interface QueryOptions {
  /** One SELECT. */
  sql: string
  /** Absent: the Delta tables of the data folder; where it has none, the one other place that holds its tables. */
  to?: string
  /** Default: SLUICE_DATA_DIR, else ./sluice-data. */
  dataDir?: string
  /** Memory of the process that works (1GB). */
  memory?: string
  /** How long the query may take, until its last row is taken (10m). */
  timeout?: string
  /** Every column shall have one type, also where the database gives each value its own. */
  typed?: boolean
  signal?: AbortSignal
  /** What is worth knowing beside the answer. */
  onNotice?: (text: string) => void
}

export interface Query extends Answer {
  /** Ends it, wherever it is. To be called whatever happened. */
  close(): Promise<void>
}

/** Of the memory of a console: what its queries may put on the disk beside it. */
const SPILL = 20
const LEAST_MEMORY = 512e6

/**
 * Asks, and gives the rows as they come.
 * @throws SluiceError NOT_FOUND no data folder or file · TARGET_INVALID, USAGE · SQL_INVALID, SQL_REFUSED, SQL_FAILED, SQL_TIMEOUT ·
 *   the signal's reason. `rows` throws the latter ones, too.
 */
export async function query(options: QueryOptions): Promise<Query> {
  if (options.sql.trim() === '') throw new SluiceError('USAGE', 'The query is empty.')
  const memory = parseSize('--memory', options.memory ?? '1GB')
  if (memory < LEAST_MEMORY) throw new SluiceError('MEMORY_TOO_SMALL', `--memory ${options.memory ?? ''} is less than 512MB.`)
  const limit = options.timeout ?? '10m'
  const late = AbortSignal.timeout(Math.min(parseDuration('--timeout', limit), 2 ** 31 - 1))
  const signal = options.signal === undefined ? late : AbortSignal.any([options.signal, late])
  const said = (thrown: unknown): unknown => (late.aborted && options.signal?.aborted !== true ? new SluiceError('SQL_TIMEOUT', `The query took longer than ${limit}.`) : thrown)
  const ends: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end()
  }
  try {
    const console = await openConsole(options, memory, ends)
    const { columns, rows } = await console.ask(options.sql, { signal, ...(options.typed === undefined ? {} : { typed: options.typed }) })
    const told = async function* (): Answer['rows'] & AsyncGenerator {
      try {
        yield* rows
      } catch (thrown) {
        throw said(thrown)
      }
    }
    return { columns, rows: told(), close }
  } catch (thrown) {
    await close()
    throw said(thrown)
  }
}

async function openConsole(options: QueryOptions, memory: number, ends: (() => Promise<unknown>)[]): Promise<Console> {
  const path = dataFolder(options.dataDir)
  const named = options.to === undefined ? null : parseTarget(options.to, path)
  const folder = named === null || (named.scheme === 'delta' && named.location === tablesFolder(path)) ? await openFolder(path, { existing: true }) : null
  if (folder !== null) ends.push(() => closeFolder(folder))
  const { place, tables } = named !== null && folder === null ? { place: named, tables: await tablesIn(named) } : await tablesOf(folder as DataFolder, options)
  if (CONSOLES[place.scheme] === undefined) throw new SluiceError('LATER', `SQL on ${place.scheme}: is not built yet.`)
  if (!isServer(place.scheme) && (await localFs.stat(place.location)) === null) throw new SluiceError('NOT_FOUND', `There is nothing at ${place.location}.`, { where: { path: place.location }, hint: 'Check --to; sluice tables ls lists the tables and where they are.' })
  const spool = folder?.spool ?? join(tmpdir(), `sluice-sql-${systemRandom.id(12)}`)
  await localFs.makeFolder('sql.spool', spool)
  if (folder === null) ends.push(() => localFs.remove('sql.spool', spool))
  const engine = await openEngine({ spool }, { memory, jobs: 1 })
  try {
    const console = await CONSOLES[place.scheme]?.({ location: place.location, tables, engine, memory, spill: memory * SPILL, spool, timeout: parseDuration('--timeout', options.timeout ?? '10m'), ...(place.options === undefined ? {} : { options: place.options }), ...(place.secret === undefined ? {} : { secret: place.secret }) })
    if (console === undefined) throw new SluiceError('LATER', `SQL on ${place.scheme}: is not built yet.`)
    ends.push(() => console.close())
    return console
  } finally {
    // It was only for opening tables; a console has a process of its own.
    await engine.close()
  }
}

interface Found {
  place: Place
  tables: { name: string; location: string }[]
}

/** Delta tables that the data folder knows, wherever they are; where it has none, its only other place. */
async function tablesOf(folder: DataFolder, options: QueryOptions): Promise<Found> {
  const known = (await knownTables(folder)).filter(({ there }) => there)
  const home = tablesFolder(folder.path)
  const tables = new Map<string, string>()
  for (const { name, place } of known) {
    if (place.scheme !== 'delta') continue
    const other = tables.get(name)
    if (other !== undefined) options.onNotice?.(`There are several tables ${name}; the one in ${other === home ? other : place.location} is asked. Name another place with --to.`)
    if (other !== home) tables.set(name, place.location)
  }
  for (const location of new Set(tables.values())) for (const model of await modelsIn(location)) if (!tables.has(model)) tables.set(model, location)
  if (options.to === undefined && tables.size === 0 && known.length > 0) {
    const places = new Map(known.map(({ place }) => [`${place.scheme}:${place.location}`, place]))
    const [only] = places.values()
    if (places.size > 1 || only === undefined) throw new SluiceError('USAGE', `The tables of ${folder.path} are in ${places.size} places: ${[...places.keys()].join(', ')}.`, { hint: 'Say which one is asked with --to.' })
    return { place: only, tables: [] }
  }
  const meant = options.to === undefined ? known.find(({ name, place }) => place.scheme !== 'delta' && !tables.has(name) && new RegExp(`\\b${name}\\b`, 'i').test(options.sql)) : undefined
  if (meant !== undefined) throw new SluiceError('SQL_INVALID', `The table ${meant.name} is in ${meant.place.scheme}:${meant.place.location}, and a query asks one place.`, { hint: `Name it: --to ${meant.place.scheme}:${meant.place.location}` })
  return { place: { scheme: 'delta', location: folder.path }, tables: [...tables].map(([name, location]) => ({ name, location })) }
}

/** Models among the Delta tables of a folder. */
async function modelsIn(location: string): Promise<string[]> {
  const names: string[] = []
  for (const { name } of (await localFs.list(location)) ?? []) if ((await localFs.stat(join(location, name, MODEL_FILE))) !== null && (await localFs.stat(join(location, name, '_delta_log'))) !== null) names.push(name)
  return names
}

/** Tables of a folder that `--to` names. */
async function tablesIn({ scheme, location }: Place): Promise<Found['tables']> {
  if (scheme !== 'delta') return []
  const found: Found['tables'] = []
  for (const { name } of (await localFs.list(location)) ?? []) {
    if (isTableName(name) && (await localFs.stat(join(location, name, '_delta_log'))) !== null) found.push({ name, location })
  }
  return found
}
