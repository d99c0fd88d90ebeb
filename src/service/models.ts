/** Models from outside of a load: which there are, bringing them up to date, looking into one. */
import { resolve } from 'node:path'
import type { Clock } from '../core/effects.ts'
import type { Engine } from '../core/engine.ts'
import { SluiceError, asSluiceError } from '../core/errors.ts'
import type { LoadEvent } from '../core/events.ts'
import type { Model, ModelOutcome, ModelState } from '../core/model.ts'
import type { Value } from '../core/schema.ts'
import type { ModelKeeper, Target } from '../core/target.ts'
import { readModels } from '../models/files.ts'
import { inOrder, reachedBy } from '../models/graph.ts'
import { closeFolder, openEngine, openFolder } from './folder.ts'
import type { DataFolder } from './folder.ts'
import { knownTables } from './lookup.ts'
import { dataFolder } from './options.ts'
import type { LoadOptions } from './options.ts'
import type { Place } from './places.ts'
import { choosePlace, describePlace, openTarget, parseTarget, samePlace } from './targets.ts'
import { glances } from './unseen.ts'
import type { Unseen } from './unseen.ts'

/** The models that a load is given, as far as its table reaches them. @throws SluiceError TARGET_INVALID, TABLE_UNSUPPORTED */
export function modelsOf(options: LoadOptions, models: readonly Model[], target: Target): { models: Model[]; keeper: ModelKeeper | null } {
  const reached = reachedBy(options.into, models)
  if (models.length > 0 && target.models === undefined) throw new SluiceError('TARGET_INVALID', `Models are not kept in ${target.scheme} tables.`, { hint: 'Leave --models out, or load into another target.' })
  target.models?.suits(reached)
  if (models.length > 0 && reached.length === 0) options.onEvent?.({ kind: 'notice', text: `None of the ${models.length} models reads the table ${options.into}.` })
  return { models: reached, keeper: target.models ?? null }
}

/** After the last commit: what was not refreshed with it, and what a death in between left. */
export async function refreshAfter({ models, keeper, engine, clock, signal }: { models: readonly Model[]; keeper: ModelKeeper | null; engine: Engine; clock: Clock; signal: AbortSignal | undefined }, on: (event: LoadEvent) => void): Promise<ModelOutcome[]> {
  if (keeper === null || models.length === 0 || signal?.aborted === true) return []
  let outcomes: ModelOutcome[]
  try {
    outcomes = await keeper.refresh({ models, now: clock.now() }, engine, signal)
  } catch (thrown) {
    // The rows are in: whatever keeps the models from following them is theirs, and the next load tries again.
    const { message } = asSluiceError(thrown)
    outcomes = models.map(({ name }) => ({ name, state: 'failed', how: 'none', groups: null, rows: null, message }))
  }
  for (const outcome of outcomes) if (outcome.how !== 'none' || outcome.state !== 'fresh') on({ kind: 'model', outcome })
  return outcomes
}

/** What a run tells of its models: how they were refreshed with its commits, where nothing was left to do afterwards. */
export function told(outcomes: readonly ModelOutcome[], before: ReadonlyMap<string, ModelOutcome>): ModelOutcome[] {
  return outcomes.map((outcome) => (outcome.how === 'none' && outcome.state === 'fresh' ? { ...outcome, ...before.get(outcome.name), rows: outcome.rows } : outcome))
}

/** Models of one place: those of a pipeline, or those that a command names. */
export interface ModelSource {
  /** Folders and files. */
  models: readonly string[]
  /** Absent: where the tables are that they read. */
  to?: string
  /** A table that they read, to find its place by. */
  into?: string
}

export interface ModelsOptions {
  sources: readonly ModelSource[]
  /** Only the models of this target. */
  to?: string
  dataDir?: string
  memory?: number
}

export interface ModelItem extends Omit<ModelState, 'state' | 'hash'> {
  /** `unseen`: its target could not be asked, `fault` says why. */
  state: ModelState['state'] | 'unseen'
  /** Null: unseen. */
  hash: string | null
  fault: Unseen | null
  /** Scheme and location of its target. */
  target: string
  /** Its file; null: none of those that were named. */
  path: string | null
}

export interface ModelBook {
  /** Every model that is written down or remembered. */
  list(): Promise<ModelItem[]>
  /**
   * Brings the named ones (none: all that are written down) up to date; also those that failed before.
   * @throws SluiceError NOT_FOUND for a name that none of the files has
   */
  run(names: readonly string[], full: boolean, signal?: AbortSignal): Promise<(ModelOutcome & { target: string })[]>
  /** @throws SluiceError NOT_FOUND, USAGE when several targets have one of this name */
  show(name: string, limit: number): Promise<{ item: ModelItem; sql: string | null; columns: string[]; rows: Value[][] }>
  close(): Promise<void>
}

interface Shelf {
  name: string
  place: Place
  keeper: ModelKeeper
  models: Model[]
}

const MEMORY = 1e9

/** @throws SluiceError NOT_FOUND without a data folder; MODEL_INVALID, PATH_NOT_FOUND */
export async function openModels(options: ModelsOptions): Promise<ModelBook> {
  const folder = await openFolder(dataFolder(options.dataDir), { existing: true })
  const engine = await openEngine(folder, { memory: options.memory ?? MEMORY })
  const close = async (): Promise<void> => {
    await engine.close()
    await closeFolder(folder)
  }
  try {
    const shelves = await shelvesOf(folder, options.sources, options.to === undefined ? null : parseTarget(options.to, folder.path))
    return { ...bookOf(folder, engine, shelves), close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

/** The places of all tables that the folder knows, and the models that are written down for each. */
async function shelvesOf(folder: DataFolder, sources: readonly ModelSource[], only: Place | null): Promise<Shelf[]> {
  const shelves = new Map<string, Shelf>()
  const isMeant = (place: Place): boolean => only === null || samePlace(place, only)
  const shelf = async (place: Place): Promise<Shelf> => {
    const name = describePlace(place)
    const known = shelves.get(name)
    if (known !== undefined) return known
    const { models: keeper } = await openTarget(place, folder.clock, folder.random)
    const made = { name, place, keeper: keeper ?? none(place), models: [] }
    shelves.set(name, made)
    return made
  }
  for (const { models: paths, to, into } of sources) {
    const models = await readModels(paths.map((path) => resolve(path)))
    const names = new Set(models.map(({ name }) => name))
    const table = into ?? models.flatMap(({ inputs }) => inputs).find((input) => !names.has(input)) ?? ''
    const on = await shelf(await choosePlace(folder, table, to))
    // Two pipelines may name the same folder.
    on.models = inOrder([...on.models, ...models.filter(({ path }) => !on.models.some((other) => other.path === path))])
  }
  // Last: what a command says of the way to a server counts, a password is remembered nowhere.
  if (only !== null) await shelf(only)
  for (const { place, there } of await knownTables(folder)) if (there && isMeant(place)) await shelf(place)
  return [...shelves.values()]
}

function none(place: Place): ModelKeeper {
  return {
    suits: () => undefined,
    refresh: () => Promise.reject(new SluiceError('TARGET_INVALID', `Models are not kept in ${place.scheme} tables.`)),
    states: () => Promise.resolve([]),
    verify: () => Promise.resolve([]),
    garbage: () => Promise.resolve([]),
    rows: (name) => Promise.reject(new SluiceError('NOT_FOUND', `There is no model ${name} in ${describePlace(place)}.`)),
  }
}

/** Of a target that could not be asked: a model that is written down for it, or, without a name, whatever it may hold. */
function unseen(name: string, target: string, path: string | null, fault: Unseen): ModelItem {
  return { name, state: 'unseen', hash: null, rows: null, inputs: [], refreshed: null, message: fault.message, fault, target, path }
}

function bookOf(folder: DataFolder, engine: Engine, shelves: readonly Shelf[]): Omit<ModelBook, 'close'> {
  const list = async (): Promise<ModelItem[]> => {
    const items: ModelItem[] = []
    const look = glances()
    for (const { name: target, place, keeper, models } of shelves) {
      const found = await look(place, () => keeper.states(models, engine))
      if ('seen' in found) items.push(...found.seen.map((state) => ({ ...state, fault: null, target, path: models.find(({ name }) => name === state.name)?.path ?? null })))
      else if (models.length === 0) items.push(unseen('', target, null, found.unseen))
      else items.push(...models.map(({ name, path }) => unseen(name, target, path, found.unseen)))
    }
    return items
  }
  return {
    list,
    async run(names, full, signal) {
      const written = new Set(shelves.flatMap(({ models }) => models.map(({ name }) => name)))
      const unknown = names.find((name) => !written.has(name))
      if (unknown !== undefined) throw new SluiceError('NOT_FOUND', `No file of a model makes ${unknown}.`, { hint: written.size === 0 ? 'Name the folder of the models with --models.' : `There are ${[...written].toSorted().join(', ')}.` })
      if (written.size === 0) throw new SluiceError('USAGE', 'There are no models here.', { hint: 'Name their folder with --models, or with models in a pipeline of the configuration.' })
      const outcomes: (ModelOutcome & { target: string })[] = []
      for (const { name: target, keeper, models } of shelves) {
        const meant = names.length === 0 ? models : models.filter(({ name }) => names.includes(name))
        if (meant.length === 0) continue
        for (const outcome of await keeper.refresh({ models: meant, now: folder.clock.now(), full, retry: true }, engine, signal)) outcomes.push({ ...outcome, target })
      }
      return outcomes
    },
    async show(name, limit) {
      const all = await list()
      const found = all.filter((item) => item.name === name)
      const [item, other] = found
      // It may be in the one that could not be asked.
      const fault = found.find((one) => one.fault !== null)?.fault ?? (item === undefined ? all.find((one) => one.fault !== null)?.fault : undefined) ?? null
      if (fault !== null) throw new SluiceError(fault.code, fault.message, { hint: fault.hint })
      if (item === undefined) throw new SluiceError('NOT_FOUND', `There is no model ${name}.`, { hint: 'sluice models ls lists them.' })
      if (other !== undefined) throw new SluiceError('USAGE', `There are ${found.length} models ${name}: ${found.map(({ target }) => target).join(', ')}.`, { hint: 'Say which one is meant with --to and --models.' })
      const shelf = shelves.find((one) => one.name === item.target)
      const sql = shelf?.models.find((model) => model.name === name)?.sql.trim() ?? null
      const { columns, rows } = item.rows === null || shelf === undefined ? { columns: [], rows: [] } : await shelf.keeper.rows(name, limit, engine)
      return { item, sql, columns, rows }
    },
  }
}
