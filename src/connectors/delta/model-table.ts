/**
 * The table of a model: what it holds, and the commit that gives it other rows.
 *
 * A commit says in the log which definition and which version of each input its rows come from. So a death between the
 * commit of a table and that of its models leaves models that are behind and say so, and a refresh that was done is known
 * to be done. Why a refresh failed stands beside the log: it changes no rows, so it is no version.
 */
import { join } from 'node:path'
import type { Clock, Random } from '../../core/effects.ts'
import type { Written } from '../../core/engine.ts'
import type { Model } from '../../core/model.ts'
import type { Schema } from '../../core/schema.ts'
import { inputsKey } from '../../models/record.ts'
import { localFs } from '../../storage/local.ts'
import { BATCH_TAG, FORMAT, MODEL_PROPERTY, inputApp, protocolFor, schemaString } from './actions.ts'
import type { Action, AddAction, Refreshed } from './actions.ts'
import { uuidOf } from './commit.ts'
import { refreshOf } from './foreign.ts'
import { FOLDERS, MODEL_FILE, encodePath } from './layout.ts'
import { prepareEntry, probeLinks, putIfAbsent, readEntry, replaceFile } from './log.ts'
import type { LiveFile, TableState } from './state.ts'
import { statsText } from './stats.ts'

/** What a model's rows come from. */
export interface Held extends Refreshed {
  /** Milliseconds since 1970. */
  at: number
}

/** Null: nothing, or somebody else wrote last, or it cannot be told any more. */
export async function heldBy(root: string, state: TableState): Promise<Held | null> {
  if (!state.exists) return null
  const actions = (await readEntry(root, state.version))?.actions ?? []
  const refreshed = refreshOf(actions)
  return refreshed === null ? null : { ...refreshed, at: actions.find(({ commitInfo }) => commitInfo !== undefined)?.commitInfo?.timestamp ?? 0 }
}

/** Why it is behind; beside the log. */
export interface Mark {
  model: string
  state: 'failed' | 'waiting' | null
  message: string | null
  /** Definition and versions that failed; the same is not tried again by a load. Null: it is. */
  tried: string | null
}

export async function markOf(root: string): Promise<Mark | null> {
  const bytes = await localFs.read(join(root, MODEL_FILE))
  if (bytes === null) return null
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as Mark
  } catch {
    // Cut short by a failing disk: the log tells everything that counts.
    return { model: '', state: null, message: null, tried: null }
  }
}

export async function writeMark(root: string, mark: Mark, random: Random): Promise<void> {
  await localFs.makeFolder('delta.model.folder', join(root, '_sluice'))
  await replaceFile('delta.model.mark', join(root, '_sluice'), 'model.json', `${JSON.stringify(mark)}\n`, random)
}

export function triedKey(model: Model, inputs: Readonly<Record<string, number>>): string {
  return inputsKey(model.hash, new Map(Object.entries(inputs)))
}

/** The mark is of another definition than this one. */
export function triedAnother({ tried }: Mark, hash: string): boolean {
  return tried !== null && !tried.startsWith(`["${hash}"`)
}

/** Folders of a model, and the mark that it is one, before anything is committed to it. */
export async function prepareModel(root: string, model: Model, random: Random): Promise<void> {
  await writeMark(root, { model: model.name, state: null, message: null, tried: null }, random)
  for (const folder of FOLDERS) await localFs.makeFolder('delta.model.folder', join(root, folder))
  await probeLinks(root, random)
}

/** What a refresh does to the files of a model. */
export interface Remade {
  schema: Schema
  left: readonly LiveFile[]
  came: readonly Written[]
  refreshed: Refreshed
}

/** False: another process took the version. @throws SluiceError DISK_FULL, IO_FAILED */
export async function commitModel(root: string, state: TableState, model: Model, made: Remade, by: { clock: Clock; random: Random }): Promise<boolean> {
  const now = by.clock.now()
  const { schema, refreshed } = made
  const tags = { [BATCH_TAG]: `model ${model.name}` }
  const adds = made.came.map((written): AddAction => ({ path: encodePath(written.uri.slice(root.length + 1)), partitionValues: {}, size: written.bytes, modificationTime: now, dataChange: true, stats: statsText(schema, written), tags }))
  const { name, inputs, key, sql } = model
  const text = schemaString([], schema, [], false)
  const property = JSON.stringify({ name, inputs, key, sql })
  const same = state.metaData?.schemaString === text && state.metaData.configuration[MODEL_PROPERTY] === property
  const metaData = {
    id: state.metaData?.id ?? uuidOf(by.random), name, format: { provider: 'parquet', options: {} }, schemaString: text, partitionColumns: [], createdTime: state.metaData?.createdTime ?? now,
    configuration: { 'delta.enableExpiredLogCleanup': 'false', 'sluice.format': String(FORMAT), [MODEL_PROPERTY]: property },
  }
  const protocol = protocolFor(schema)
  const actions: Action[] = [
    { commitInfo: { timestamp: now, operation: 'WRITE', operationParameters: { mode: made.left.length === state.files.size ? 'Overwrite' : 'Append', inputs: JSON.stringify(refreshed.inputs) }, engineInfo: 'Sluice', sluice: refreshed } },
    ...(state.protocol === null || protocol.minWriterVersion > state.protocol.minWriterVersion ? [{ protocol }] : []),
    ...(same ? [] : [{ metaData }]),
    ...Object.entries(refreshed.inputs).map(([input, version]) => ({ txn: { appId: inputApp(input), version, lastUpdated: now } })),
    ...made.left.map(({ add }) => ({ remove: { path: add.path, deletionTimestamp: now, dataChange: true, extendedFileMetadata: true, partitionValues: add.partitionValues, size: add.size, tags } })),
    ...adds.map((add) => ({ add })),
  ]
  const prepared = await prepareEntry(root, `${actions.map((action) => JSON.stringify(action)).join('\n')}\n`, by.random, 'delta.model.entry')
  return putIfAbsent(root, state.version + 1, prepared, 'delta.model.link')
}
