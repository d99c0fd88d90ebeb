/** Models on Delta tables: each a table of its own beside them, refreshed by commits of its own. */
import { join } from 'node:path'
import type { Clock, Random } from '../../core/effects.ts'
import type { Engine } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Model, ModelOutcome, ModelState, ModelWork } from '../../core/model.ts'
import type { Finding, ModelKeeper } from '../../core/target.ts'
import { valueSql } from '../../resolve/duckdb-batch.ts'
import { filesOfTableSql } from '../../resolve/duckdb-table.ts'
import { localFs } from '../../storage/local.ts'
import { isDue, writeCheckpoint } from './checkpoint.ts'
import { MODEL_FILE } from './layout.ts'
import { openInput } from './model-input.ts'
import type { ModelInput } from './model-input.ts'
import { refreshModel } from './model-refresh.ts'
import { heldBy, markOf, triedAnother, triedKey, writeMark } from './model-table.ts'
import type { Held } from './model-table.ts'
import { OpenTable } from './opening.ts'
import { tableFiles } from './reading.ts'
import type { TableState } from './state.ts'
import { garbageOf, verifyTable } from './verify.ts'

/** Lost races for a version before it is said that somebody else is at work. */
const ROUNDS = 20

interface Means {
  root: string
  clock: Clock
  random: Random
}

/** @param means root: absolute path of the folder that holds the tables */
export function deltaModels(means: Means): ModelKeeper {
  const { root } = means
  const suits = (models: readonly Model[]): void => {
    const dotted = models.find(({ name }) => name.includes('.'))
    if (dotted !== undefined) throw new SluiceError('TABLE_UNSUPPORTED', `${root}: a Delta table has no schema before its name: ${dotted.name}.`, { hint: 'Give the model a name without a dot.' })
  }
  return {
    suits,
    async refresh(work, engine, signal) {
      suits(work.models)
      const outcomes: ModelOutcome[] = []
      for (const model of work.models) outcomes.push(await refresh(means, model, work, engine, signal))
      return outcomes
    },
    async states(models, engine) {
      const names = new Set([...models.map(({ name }) => name), ...(await foldersOf(root))])
      const states: ModelState[] = []
      for (const name of [...names].toSorted()) states.push(await stateOf(root, name, models.find((model) => model.name === name), engine))
      return states
    },
    async verify(engine) {
      const findings: Finding[] = []
      for (const name of await foldersOf(root)) findings.push(...(await verifyTable(new OpenTable(join(root, name), null, engine, false, true), engine)))
      return findings
    },
    async garbage(engine) {
      const paths: string[] = []
      for (const name of await foldersOf(root)) paths.push(...(await garbageOf(new OpenTable(join(root, name), null, engine, false, true))))
      return paths
    },
    async rows(name, limit, engine) {
      const state = await openModel(root, name, engine)
      if (state === null || !state.exists) throw new SluiceError('NOT_FOUND', `There is no model ${name} in ${root}.`, { hint: 'sluice models ls lists them.' })
      const session = await engine.session()
      try {
        const values = state.schema.map((column, at) => `${valueSql(column)} AS c${at}`)
        const found = await session.rows(`SELECT ${values.join(', ')} FROM (${filesOfTableSql(state.schema, tableFiles(join(root, name), state))}) ORDER BY 1 LIMIT ${limit}`)
        return { columns: state.schema.map((column) => column.name), rows: found.map((row) => state.schema.map((_, at) => row[`c${at}`] ?? null)) }
      } finally {
        await session.close()
      }
    },
  }
}

/** Names of the models that lie there. */
async function foldersOf(root: string): Promise<string[]> {
  const names: string[] = []
  for (const { name, kind } of (await localFs.list(root)) ?? []) if (kind === 'folder' && (await localFs.stat(join(root, name, MODEL_FILE))) !== null) names.push(name)
  return names.toSorted()
}

/** Null: there is a folder of that name that is no model's, or none. */
async function openModel(root: string, name: string, engine: Engine): Promise<TableState | null> {
  if ((await localFs.stat(join(root, name, MODEL_FILE))) === null) return null
  return new OpenTable(join(root, name), null, engine, false, true).forward()
}

async function refresh(means: Means, model: Model, work: ModelWork, engine: Engine, signal?: AbortSignal): Promise<ModelOutcome> {
  const root = join(means.root, model.name)
  for (let round = 1; round <= ROUNDS; round++) {
    let tried: string | null = null
    try {
      const table = new OpenTable(root, null, engine, false, true)
      const state = await table.forward()
      const held = await heldBy(root, state)
      const { inputs, missing } = await openInputs(means.root, model, engine)
      if (missing.length > 0) return await mark(means, model, state, 'waiting', `${missing.join(' and ')} is not there yet.`, null)
      const versions = Object.fromEntries(inputs.map((input) => [input.name, input.state.version]))
      tried = triedKey(model, versions)
      const fresh = held !== null && held.hash === model.hash && inputs.every((input) => held.inputs[input.name] === input.state.version)
      if (fresh && work.full !== true) return await settled(means, model, { name: model.name, state: 'fresh', how: 'none', groups: null, rows: state.rows, message: null })
      const known = await markOf(root)
      if (known?.state === 'failed' && known.tried === tried && work.full !== true && work.retry !== true) return { name: model.name, state: 'failed', how: 'none', groups: null, rows: state.exists ? state.rows : null, message: known.message }
      const outcome = await refreshModel({ ...means, root, state, held, model, inputs, engine, full: work.full === true }, signal)
      if (outcome === null) continue
      await afterwards(means, table, root, engine)
      return await settled(means, model, outcome)
    } catch (thrown) {
      if (!(thrown instanceof SluiceError) || signal?.aborted === true) throw thrown
      // What may be otherwise next time is tried again by the next load.
      return mark(means, model, null, 'failed', thrown.message.split(/\n+(?:LINE \d+|in): /)[0] ?? '', thrown.kind === 'transient' ? null : tried)
    }
  }
  return mark(means, model, null, 'failed', 'Other processes refreshed it again and again.', null)
}

async function openInputs(root: string, model: Model, engine: Engine): Promise<{ inputs: ModelInput[]; missing: string[] }> {
  const inputs: ModelInput[] = []
  const missing: string[] = []
  for (const name of model.inputs) {
    const input = await openInput(root, name, engine)
    if (input === null) missing.push(name)
    else inputs.push(input)
  }
  return { inputs, missing }
}

/** A refresh that went well takes the mark of one that did not away. */
async function settled({ root, random }: Means, model: Model, outcome: ModelOutcome): Promise<ModelOutcome> {
  const folder = join(root, model.name)
  if ((await markOf(folder))?.state !== null) await writeMark(folder, { model: model.name, state: null, message: null, tried: null }, random)
  return outcome
}

async function mark({ root, random }: Means, model: Model, state: TableState | null, kind: 'failed' | 'waiting', message: string, tried: string | null): Promise<ModelOutcome> {
  const folder = join(root, model.name)
  const isOurs = (await localFs.stat(join(folder, MODEL_FILE))) !== null || (await localFs.stat(folder)) === null
  // Nothing is put into a folder that is somebody else's.
  if (isOurs) await writeMark(folder, { model: model.name, state: kind, message, tried }, random)
  return { name: model.name, state: kind, how: 'none', groups: null, rows: state?.exists === true ? state.rows : null, message }
}

/** Nothing here may turn a commit into a failure. */
async function afterwards({ clock, random }: Means, table: OpenTable, root: string, engine: Engine): Promise<void> {
  try {
    const state = await table.forward()
    if (isDue(state)) await writeCheckpoint(root, state, { engine, clock, random })
  } catch {
    // The next refresh that is due tries again.
  }
}

async function stateOf(root: string, name: string, model: Model | undefined, engine: Engine): Promise<ModelState> {
  const folder = join(root, name)
  const state = await openModel(root, name, engine)
  const held: Held | null = state === null ? null : await heldBy(folder, state)
  const known = await markOf(folder)
  const inputs: ModelState['inputs'][number][] = []
  for (const input of model?.inputs ?? Object.keys(held?.inputs ?? {})) {
    inputs.push({ name: input, held: held?.inputs[input] ?? null, now: (await openInput(root, input, engine))?.state.version ?? null })
  }
  const hash = model?.hash ?? held?.hash ?? ''
  const behind = held === null || hash !== held.hash || inputs.some((input) => input.held !== input.now)
  // A mark holds until a refresh goes well: one that died after its commit had no time to take it away. What failed under another
  // definition than the table's has not gone well since, also where no input moved.
  const marked = known !== null && (behind || triedAnother(known, hash)) ? known.state : null
  const there = state?.exists === true
  return { name, state: marked ?? (!there ? 'new' : behind ? 'stale' : 'fresh'), hash, rows: there ? state.rows : null, inputs, refreshed: held?.at ?? null, message: marked === null ? null : (known?.message ?? null) }
}

