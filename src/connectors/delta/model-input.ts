/**
 * What a model reads: the rows of a table or of another model at one version, and the rows that changed since another one.
 *
 * Changes come from the files that the log says left and came. A row that stayed is in both, since a rewrite copies it: by
 * its place, or by all its columns where places do not tell rows apart.
 */
import { join } from 'node:path'
import type { Engine } from '../../core/engine.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
import type { Schema } from '../../core/schema.ts'
import { castSql, filesOfTableSql } from '../../resolve/duckdb-table.ts'
import type { TableFile } from '../../resolve/duckdb-table.ts'
import { quoteName } from '../../sql/quote.ts'
import { localFs } from '../../storage/local.ts'
import type { AddAction, RemoveAction } from './actions.ts'
import { foreignWork } from './foreign.ts'
import { LOG_FOLDER, MODEL_FILE, decodePath } from './layout.ts'
import { readEntry } from './log.ts'
import { OpenTable } from './opening.ts'
import { tableFile } from './reading.ts'
import type { LiveFile, TableState } from './state.ts'

export interface ModelInput {
  name: string
  root: string
  state: TableState
  /** It is a model itself: its rows have no places. */
  model: boolean
}

/** Null: it is not there yet. @throws SluiceError TABLE_BROKEN, TABLE_UNSUPPORTED, TABLE_FOREIGN */
export async function openInput(folder: string, name: string, engine: Engine): Promise<ModelInput | null> {
  const root = join(folder, name)
  const model = (await localFs.stat(join(root, MODEL_FILE))) !== null
  if ((await localFs.stat(join(root, LOG_FOLDER))) === null) return null
  const state = await new OpenTable(root, null, engine, false, model).forward()
  return state.exists ? { name, root, state, model } : null
}

/** Its rows, or those of some of its files: the columns of the schema, then the place where there is one. */
export function inputSql({ state, model, root }: ModelInput, files: readonly TableFile[] = [...state.files.values()].map((file) => tableFile(root, state.schema, file))): string {
  const columns = castSql(state.schema)
  return `SELECT ${model ? columnsOf(state.schema) : columns} FROM (${filesOfTableSql(state.schema, files, { foreign: state.mixed ? state.highest : null })})`
}

/** The columns of a schema with their exact types and no place. */
export function columnsOf(schema: Schema): string {
  const casts = castSql(schema)
  return casts.slice(0, casts.lastIndexOf(', CAST(_place'))
}

interface Moved {
  left: TableFile[]
  came: TableFile[]
  /** Places tell rows apart: nobody else wrote meanwhile. */
  placed: boolean
}

/** Null: it cannot be told any more, since entries of the log or files that left are gone. */
async function movedSince({ root, state, model }: ModelInput, version: number): Promise<Moved | null> {
  const left = new Map<string, RemoveAction>()
  const came = new Map<string, AddAction>()
  let placed = !model
  for (let at = version + 1; at <= state.version; at++) {
    const entry = await readEntry(root, at)
    if (entry === null) return null
    if (foreignWork(at, entry.actions) !== null) placed = false
    for (const { remove } of entry.actions) {
      if (remove === undefined) continue
      const path = decodePath(root, remove.path)
      if (!came.delete(path)) left.set(path, remove)
    }
    for (const { add } of entry.actions) {
      if (add === undefined) continue
      const path = decodePath(root, add.path)
      // Taken away and added again with other statistics: the same rows.
      if (!left.delete(path)) came.set(path, add)
    }
  }
  const gone: TableFile[] = []
  for (const [path, remove] of left) {
    const values = remove.partitionValues
    if (values === undefined && (state.metaData?.partitionColumns.length ?? 0) > 0) return null
    if ((await localFs.stat(join(root, path))) === null) return null
    gone.push(tableFile(root, state.schema, { path, add: { partitionValues: values ?? {} } as AddAction } as LiveFile))
  }
  return { left: gone, came: [...came].map(([path, add]) => tableFile(root, state.schema, { path, add } as LiveFile)), placed }
}

/**
 * A relation that holds every row that left or came since a version, with at least the named columns; rows of the same
 * values that left and came in equal number are not in it.
 * @returns null when it cannot be told: recompute the whole
 */
export async function changedSql(input: ModelInput, version: number, columns: readonly string[]): Promise<string | null> {
  const moved = await movedSince(input, version)
  if (moved === null) return null
  if (moved.left.length === 0) return inputSql(input, moved.came)
  const wanted = moved.placed ? [...new Set([...columns.map(quoteName), PLACE_COLUMN])].join(', ') : '*'
  const [left, came] = [moved.left, moved.came].map((files) => `SELECT ${wanted} FROM (${inputSql(input, files)})`)
  return `(${left} EXCEPT ALL ${came}) UNION ALL (${came} EXCEPT ALL ${left})`
}
