/** `load()`: files into a table, exactly once, and it balances. The same for programs and for the command. */
import { resolve } from 'node:path'
import { LOAD_SETTINGS } from '../config/load.ts'
import { flagOf } from '../config/settings.ts'
import type { AnyTable } from '../config/settings.ts'
import { agree, define } from '../core/definition.ts'
import type { Definition } from '../core/definition.ts'
import type { Engine } from '../core/engine.ts'
import { SluiceError, asSluiceError } from '../core/errors.ts'
import type { LoadEvent } from '../core/events.ts'
import type { ByDate } from '../core/interval.ts'
import type { Model, ModelOutcome } from '../core/model.ts'
import { redact } from '../core/secret.ts'
import type { Discovery, Source } from '../core/source.ts'
import type { Head, ModelKeeper, Table, Target } from '../core/target.ts'
import { openFilesSource } from '../connectors/files/source.ts'
import { readModels } from '../models/files.ts'
import { ingest } from '../pipeline/ingest.ts'
import { SHOWN_FAULTS } from '../pipeline/report.ts'
import type { Tally } from '../pipeline/work.ts'
import { recover } from '../pipeline/recover.ts'
import { takeOver } from './adopt.ts'
import { datesOf } from './dates.ts'
import { offerAll } from './discover.ts'
import { closeFolder, openEngine, openFolder, rebuildLedger, restoreTable, sweepSpool } from './folder.ts'
import type { DataFolder } from './folder.ts'
import { modelsOf, refreshAfter, told } from './models.ts'
import { PhaseTimes } from './phases.ts'
import { settingsOf } from './options.ts'
import type { LoadOptions, Settings } from './options.ts'
import { rememberPlace } from './places.ts'
import type { Place } from './places.ts'
import { finish, nothingAside } from './result.ts'
import type { LoadResult } from './result.ts'
import { choosePlace, openTarget, tableKey } from './targets.ts'
import { addressOf, definitionFor, openWindows, refuseByDate } from './windows.ts'
import type { WindowsSource } from './windows.ts'

/**
 * Loads files into a table. Resolves for every run that began, also a FAILED or INTERRUPTED one: see `state`, `exit`.
 * @throws SluiceError when the run could not begin: wrong options, missing path, other definition, no permission
 */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const settings = settingsOf(options)
  refuseByDate(options.paths, settings.asked)
  const models = await readModels((options.models ?? []).map((path) => resolve(path)))
  const spooling = { spool: '' }
  const engine = await openEngine(spooling, { memory: settings.memory, ...(options.jobs === undefined ? {} : { jobs: options.jobs }) })
  engine.warm()
  const folder = await openFolder(settings.dataDir).catch(async (thrown: unknown) => {
    await engine.close()
    throw thrown
  })
  spooling.spool = folder.spool
  try {
    if (engine.notice !== null) options.onEvent?.({ kind: 'notice', text: engine.notice })
    const rebuilt = await rebuildLedger(folder, engine, options.adopt === true ? options.into : null)
    if (rebuilt !== null) options.onEvent?.({ kind: 'notice', text: rebuilt })
    const place = await choosePlace(folder, options.into, options.to)
    const target = await openTarget(place, folder.clock, folder.random)
    refuseSchemas(options, target, place)
    const table = await target.open(options.into, folder.ledger.id, engine, { adopt: options.adopt === true })
    try {
      const keeping = modelsOf(options, models, target)
      return await loadInto({ options, settings, folder, engine, table, place, partitions: target.partitions, ...keeping })
    } finally {
      await table.close()
    }
  } finally {
    // Its processes are told to end before anything is waited for, and while they go the folder is closed.
    await Promise.all([engine.close(), closeFolder(folder)])
  }
}

interface Loading {
  options: LoadOptions
  settings: Settings
  folder: DataFolder
  engine: Engine & { jobs: number }
  table: Table
  place: Place
  /** The target can lay files apart. */
  partitions: boolean
  /** Those that the table reaches, and who keeps them. */
  models: readonly Model[]
  keeper: ModelKeeper | null
}

/** @throws SluiceError TARGET_INVALID for a name in a schema where there are none */
function refuseSchemas({ into, delta }: LoadOptions, { schemas }: Target, { scheme }: Place): void {
  if (schemas) return
  for (const [flag, name] of [['--into', into], ['--delta', delta]] as const) {
    if (name?.includes('.') === true) throw new SluiceError('TARGET_INVALID', `${flag} ${name}: ${scheme} tables lie in no schemas.`, { hint: 'Take a name without a dot, or load into PostgreSQL or DuckDB.' })
  }
}

/** @throws SluiceError TARGET_INVALID, RELOAD_APPEND: what this table cannot do */
function refuseUnsuited({ options, table, place, partitions }: Loading, definition: Definition): void {
  if (options.delta !== undefined && table.settleDelta === undefined) {
    throw new SluiceError('TARGET_INVALID', `${place.scheme} tables have no --delta: two of them cannot be written in one commit.`, { hint: 'Load into a database, as with --to sqlite:FILE or --to postgres://HOST/DB.' })
  }
  if (definition.partition !== undefined && !partitions) {
    throw new SluiceError('TARGET_INVALID', `${place.scheme} tables have no partitions.`, { hint: 'Leave --partition-by out, or load into a Delta table with --to delta:.' })
  }
  if (options.reload === true && definition.mode === 'append') throw new SluiceError('RELOAD_APPEND', `${options.into} is an append table: --reload would store every record twice.`)
}

async function loadInto(work: Loading): Promise<LoadResult> {
  const { options, folder, table } = work
  const { ledger, clock } = folder
  const refreshed = new Map<string, ModelOutcome>()
  const on = (event: LoadEvent): void => {
    if (event.kind === 'model') refreshed.set(event.outcome.name, event.outcome)
    windows?.hear(event)
    times.hear(event)
    options.onEvent?.(event)
  }
  let windows: WindowsSource | null = null
  const times = new PhaseTimes()
  const began = clock.monotonic()
  if (options.adopt === true) await takeOver(folder, table, options, on)
  const before = await table.head()
  const address = addressOf(options.paths)
  const definition = before.definition === null ? define(options.into, definitionFor(address, options)) : agree(before.definition, options)
  table.suits(definition)
  const dates = await datesOf(options, work.settings.asked, table, before, definition)
  refuseUnsuited(work, definition)
  const key = tableKey(table.uri, folder.path)
  const notice = (text: string): void => on({ kind: 'notice', text })
  if (address !== null) windows = await openWindows({ folder, engine: work.engine, address, definition, table, key, reload: options.reload === true, on: notice })
  const source = windows ?? openFilesSource({ paths: options.paths, dataDir: folder.path, tableDirs: work.place.scheme === 'delta' ? [table.uri] : [] })
  const never = new AbortController().signal
  const stop = AbortSignal.any([options.signal ?? never, options.now ?? never])
  const lookedAt = clock.now()
  const looking = clock.monotonic()
  const discovery = await discoverAll(source, stop, windows)
  times.add('discovered', clock.monotonic() - looking)
  await rememberPlace(folder, options.into, work.place)
  // The table has seen batches that the ledger does not know: it was moved here, or the ledger is an older copy.
  if (before.exists && isBehind(await ledger.lanes(key), before.lanes)) {
    const restored = await restoreTable(folder, table, options.into, before)
    if (restored > 0) on({ kind: 'notice', text: `The table ${options.into} knows ${restored} files that the ledger did not; they have been entered.` })
  }
  await ledger.putTable({ uri: key, name: options.into, definition })

  const run = `r_${clock.now().toString(36)}${folder.random.id(4)}`
  await ledger.begin({ id: run, table: key, command: describeCommand(options), ...(dates === null ? {} : { dates: { since: dates.since, until: dates.until } }) })
  on({ kind: 'run.started', run, table: options.into, target: table.uri })
  const beating = setInterval(() => void ledger.beat().catch(() => {}), 5000)
  beating.unref()
  let tally: Tally = { faults: [], interrupted: true, madeTable: false, aside: nothingAside() }
  let failure: SluiceError | null = null
  let models: ModelOutcome[] = []
  try {
    tally = await bringIn(work, { run, key, definition, dates, before, discovery, compare: source.compare, lookedAt, stop, times, on })
    await windows?.tidy()
    if (options.delta !== undefined && !tally.interrupted) await table.settleDelta?.({ table: options.delta, run })
    const refreshing = clock.monotonic()
    models = await refreshAfter({ models: work.models, keeper: work.keeper, engine: work.engine, clock, signal: options.now }, on)
    times.add('models', clock.monotonic() - refreshing)
  } catch (thrown) {
    // Stopped at once, whatever was in work fails; a graceful stop hides no fault.
    failure = options.now?.aborted === true ? null : asSluiceError(thrown)
    tally = { faults: [], interrupted: stop.aborted, madeTable: false, aside: nothingAside() }
  } finally {
    clearInterval(beating)
  }
  return finish(work, { run, tally, failure, dates, phases: times.phases(), models: told(models, refreshed), ignored: discovery.ignored, ms: clock.monotonic() - began })
}

/** A run that has begun, and what it found. */
interface Running {
  run: string
  key: string
  definition: Definition
  dates: ByDate | null
  /** The table as it was before. */
  before: Head
  discovery: Discovery
  compare: Source['compare']
  lookedAt: number
  stop: AbortSignal
  times: PhaseTimes
  on: (event: LoadEvent) => void
}

/** Cleans up after dead runs, offers what was found, and ingests it: all at once, or in two parts where a source wants it. */
async function bringIn(work: Loading, { run, key, definition, dates, before, discovery, compare, lookedAt, stop, times, on }: Running): Promise<Tally> {
  const { options, settings, folder, table, engine } = work
  const { ledger, clock, fs, spool } = folder
  // What a dead run left belongs to this one, too; but to replace is to take what this command names, and nothing else.
  const replaces = definition.mode === 'replace'
  await recover(ledger, key, table, replaces ? null : run, on)
  // Not earlier: while a dead process holds a claim of the table, nothing of it can be forgotten.
  const forgotten = before.exists || (await table.head()).exists ? 0 : await ledger.forget(key)
  if (forgotten > 0) {
    on({ kind: 'notice', text: `The table ${options.into} is gone from ${table.uri}; the ${forgotten} files that were in it are read again.` })
    await ledger.putTable({ uri: key, name: options.into, definition })
  }
  await sweepSpool(folder)
  await fs.makeFolder('spool.make', spool)
  const later = discovery.later ?? []
  // What is replaced is replaced in one commit.
  if (replaces) discovery.pins.push(...later.splice(0))
  const offering = { dates, reload: options.reload === true, lookedAt, compare, replacing: replaces ? table : null, on }
  const offer = async (found: Discovery): Promise<number> => {
    const from = clock.monotonic()
    const count = await offerAll(ledger, run, key, found, offering)
    times.add('discovered', clock.monotonic() - from)
    return count
  }
  const ingestAll = async (offered: number): Promise<Tally> => ingest({
    run, ledger, key, table, engine, fs, clock, definition, spool, width: engine.jobs + 1, reading: settings.reading, onBad: settings.onBad, maxBad: settings.maxBad, grace: settings.grace,
    dates, delta: options.delta ?? null, whole: replaces ? offered : null, models: work.models, allowPartial: options.allowPartial === true, on, stop, now: options.now ?? new AbortController().signal,
  })
  const offered = await offer(discovery)
  // 0.3 kB per path, which would be held until the end.
  discovery.pins.length = 0
  const first = await ingestAll(offered)
  if (later.length === 0 || stop.aborted) return first
  const rest = await ingestAll(await offer({ ...discovery, pins: later }))
  const aside = { outside: first.aside.outside + rest.aside.outside, undated: first.aside.undated + rest.aside.undated }
  return { faults: [...first.faults, ...rest.faults].slice(0, SHOWN_FAULTS), interrupted: rest.interrupted, madeTable: first.madeTable || rest.madeTable, aside }
}

/** @throws SluiceError INTERRUPTED, and what the source throws */
async function discoverAll(source: Source, stop: AbortSignal, windows: WindowsSource | null): Promise<Discovery> {
  try {
    return await source.discover(stop)
  } catch (thrown) {
    throw stop.aborted ? new SluiceError('INTERRUPTED', 'Stopped while looking for files; nothing was begun.') : thrown
  } finally {
    await windows?.close()
  }
}

function isBehind(ledger: ReadonlyMap<number, number>, table: ReadonlyMap<number, number>): boolean {
  return [...table].some(([lane, fence]) => fence > (ledger.get(lane) ?? 0))
}

/** The command as the ledger remembers it: what says which table this is, and no secret. */
function describeCommand(options: LoadOptions): string {
  const flags = Object.entries(LOAD_SETTINGS as AnyTable).flatMap(([name, setting]) => {
    const value = (options as unknown as Readonly<Record<string, unknown>>)[name]
    const told = name !== 'paths' && (setting.of === 'table' || setting.lasting === false || name === 'to')
    if (!told || value === undefined || value === false) return []
    return value === true ? [flagOf(name)] : [`${flagOf(name)} ${String(value)}`]
  })
  return redact(['load', ...options.paths.slice(0, 10), ...(options.paths.length > 10 ? ['…'] : []), ...flags].join(' '))
}
