/**
 * One refresh of a model on Delta tables, as a commit of its own.
 *
 *   what it holds · what its inputs have now → nothing to do | touched groups | the whole → files → ★ link
 * It starts from the logs alone, so it does not matter who committed to the inputs, how often, or whether they lived to tell.
 */
import { join } from 'node:path'
import type { Clock, Random } from '../../core/effects.ts'
import type { Engine, Session, Written } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Model, ModelOutcome } from '../../core/model.ts'
import { columnName, findColumn, fold, isReserved } from '../../core/schema.ts'
import type { Column, ColumnType, Schema } from '../../core/schema.ts'
import { drive } from '../../models/dialect.ts'
import type { ModelDialect } from '../../models/dialect.ts'
import { duckdbColumns, duckdbSpeech } from '../../models/duckdb.ts'
import { prove } from '../../models/full.ts'
import { anyNull, cut, groupsOf, inputValues, member, resultValues } from '../../models/groups.ts'
import { rendered } from '../../models/reading.ts'
import { duckdbUuid5 } from '../../models/uuid.ts'
import { filesOfTableSql } from '../../resolve/duckdb-table.ts'
import { quoteName } from '../../sql/quote.ts'
import { localFs } from '../../storage/local.ts'
import { FORMAT } from './actions.ts'
import { attemptName, dataName } from './layout.ts'
import { changedSql, columnsOf, inputSql } from './model-input.ts'
import type { ModelInput } from './model-input.ts'
import { commitModel, prepareModel } from './model-table.ts'
import type { Held, Remade } from './model-table.ts'
import { tableFile } from './reading.ts'
import type { LiveFile, TableState } from './state.ts'

/** More files than this are written as one with the next refresh. */
const MOST_FILES = 8
const GROUPS = '_sluice_groups'
const NO_TYPES = new Map<string, string>()

export interface Refreshing {
  root: string
  state: TableState
  held: Held | null
  model: Model
  inputs: readonly ModelInput[]
  engine: Engine
  clock: Clock
  random: Random
  /** Recompute all of it. */
  full: boolean
}

/** Null: another process refreshed it meanwhile; look again. @throws SluiceError MODEL_FAILED, ENGINE_FAILED: the SQL's fault; and all others */
export async function refreshModel(work: Refreshing, signal?: AbortSignal): Promise<ModelOutcome | null> {
  const session = await work.engine.session(signal)
  const paths: string[] = []
  try {
    const refresh = new Refresh(work, session, paths)
    await refresh.open()
    const groups = await refresh.touchedGroups()
    const made = groups === null ? await refresh.whole() : await refresh.parts(groups)
    signal?.throwIfAborted()
    if (!work.state.exists) await prepareModel(work.root, work.model, work.random)
    await localFs.sync('delta.model.sync', work.root)
    const committed = await commitModel(work.root, work.state, work.model, made, work)
    if (!committed) await discard(paths)
    return committed ? { name: work.model.name, state: 'fresh', how: groups === null ? 'full' : 'groups', groups: groups?.n ?? null, rows: made.refreshed.rows, message: null } : null
  } catch (thrown) {
    // Files of a commit whose outcome is unknown are never removed: they are garbage if nobody names them.
    if (!(thrown instanceof SluiceError) || thrown.kind !== 'transient') await discard(paths)
    throw thrown
  } finally {
    await session.close()
  }
}

async function discard(paths: readonly string[]): Promise<void> {
  for (const path of paths) await localFs.remove('delta.model.discard', path).catch(() => undefined)
}

interface Touched {
  n: number
  nulls: boolean
}

class Refresh {
  private readonly work: Refreshing
  private readonly session: Session
  private readonly paths: string[]
  private readonly name: string
  constructor(work: Refreshing, session: Session, paths: string[]) {
    this.work = work
    this.session = session
    this.paths = paths
    this.name = attemptName(`m_${work.random.id(12)}`, work.state.version + 1, 1, 1)
  }

  private view(input: string): string {
    return `_sluice_in_${this.work.model.inputs.indexOf(input)}`
  }

  async open(): Promise<void> {
    await this.session.exec(duckdbUuid5('VARCHAR'))
    for (const input of this.work.inputs) await this.session.exec(`CREATE TEMP VIEW ${this.view(input.name)} AS ${inputSql(input)}`)
  }

  /** Fills the table of groups; null: the whole must be recomputed. */
  async touchedGroups(): Promise<Touched | null> {
    const { held, model, inputs, full } = this.work
    const { grouping } = model
    if (grouping === null || held === null || full || held.hash !== model.hash || !held.proven) return null
    const parts: string[] = []
    for (const input of inputs) {
      const since = held.inputs[input.name]
      if (since === input.state.version) continue
      if (since === undefined || since > input.state.version || !grouping.of.includes(input.name)) return null
      const changed = await changedSql(input, since, grouping.columns.map((column) => findColumn(input.state.schema, column.input)?.name ?? column.input))
      if (changed === null) return null
      parts.push(groupsOf(grouping, inputValues(duckdbSpeech, grouping, NO_TYPES), `(${changed})`))
    }
    await this.session.exec(`CREATE TEMP TABLE ${GROUPS} AS ${parts.join(' UNION ')}`)
    const [counted] = await this.session.rows(`SELECT count(*) AS n, count(*) FILTER (WHERE ${anyNull(grouping)}) AS nulls FROM ${GROUPS}`)
    return { n: Number(counted?.['n']), nulls: Number(counted?.['nulls']) > 0 }
  }

  async whole(): Promise<Remade> {
    const { model, state } = this.work
    const select = rendered(model, (input) => this.view(input))
    const schema = schemaOf(model, await this.session.rows(duckdbColumns(`(${select}) AS q`)))
    const came = await this.write(`SELECT ${columnsOf(schema)} FROM (SELECT *, NULL AS _place FROM (${select}))`)
    const made = madeSql(schema, came)
    await this.session.exec(`CREATE TEMP VIEW _sluice_made AS ${made}`)
    await this.checkKey('_sluice_made')
    const dialect: Pick<ModelDialect, 'table' | 'columns' | 'day' | 'within' | 'comparable'> = { ...duckdbSpeech, table: (name) => (name === model.name ? '_sluice_made' : this.view(name)), columns: (name) => duckdbColumns(name === model.name ? '_sluice_made' : this.view(name)) }
    const session = { run: async (_: string, sql: string) => this.session.exec(sql).then(() => 0), all: (sql: string) => this.session.rows(sql) }
    // eslint-disable-next-line require-yield -- nothing is to be asked: types decide nothing in DuckDB
    const proven = model.grouping !== null && (await drive(prove(dialect, model, model.grouping, function* () { return NO_TYPES }), session))
    return { schema, left: [...state.files.values()], came, refreshed: this.refreshed(came.reduce((sum, { rows }) => sum + rows, 0), proven) }
  }

  /** Rows of other groups in the files that hold touched ones stay, in one new file with what was recomputed. */
  async parts({ nulls }: Touched): Promise<Remade> {
    const { model, state, root } = this.work
    const { grouping } = model
    if (grouping === null) throw new SluiceError('INTERNAL', `${model.name} has no groups.`)
    const { schema } = state
    const values = inputValues(duckdbSpeech, grouping, NO_TYPES)
    const cutInput = (input: string): string => (grouping.of.includes(input) ? `(${cut(duckdbSpeech, grouping, values, this.view(input), GROUPS, nulls)})` : this.view(input))
    const mine = member(duckdbSpeech, grouping, resultValues(grouping), GROUPS, nulls)
    const files = [...state.files.values()]
    const left = files.length > MOST_FILES ? files : await this.holding(files, mine)
    const stays = `SELECT t.* FROM (${filesOfTableSql(schema, left.map((file) => tableFile(root, schema, file)))}) AS t WHERE NOT coalesce(${mine}, false)`
    const came = `SELECT *, CAST(NULL AS BIGINT) AS _place FROM (${rendered(model, cutInput)})`
    const select = `SELECT ${columnsOf(schema)} FROM (${came})${left.length === 0 ? '' : ` UNION ALL SELECT ${columnsOf(schema)} FROM (${stays})`}`
    const written = await this.write(select)
    if (written.length > 0) await this.checkKey(`(${madeSql(schema, written)})`)
    const rows = state.rows - left.reduce((sum, file) => sum + file.rows, 0) + written.reduce((sum, file) => sum + file.rows, 0)
    return { schema, left, came: written, refreshed: this.refreshed(rows, true) }
  }

  /** The files in which some row is of a touched group. */
  private async holding(files: readonly LiveFile[], mine: string): Promise<LiveFile[]> {
    const { root, state } = this.work
    if (files.length === 0) return []
    const relation = filesOfTableSql(state.schema, files.map((file) => tableFile(root, state.schema, file)))
    const found = new Set((await this.session.rows(`SELECT DISTINCT t._sluice_file AS path FROM (${relation}) AS t WHERE ${mine}`)).map((row) => String(row['path'])))
    return files.filter((file) => found.has(join(root, file.path)))
  }

  /** In the order of the groups, so that readers and later refreshes leave files out by their statistics. */
  private async write(select: string): Promise<Written[]> {
    const { root, model } = this.work
    const order = model.grouping?.columns.map(({ output }) => output) ?? model.key
    const by = order.length === 0 ? '' : ` ORDER BY ${order.map(quoteName).join(', ')}`
    const path = join(root, dataName(this.name, this.paths.length + 1))
    this.paths.push(path)
    if (!this.work.state.exists) await localFs.makeFolder('delta.model.folder', root)
    const written = await this.session.copy('delta.model.data', `SELECT * FROM (${select})${by}`, path)
    return written.rows === 0 ? [] : [written]
  }

  private async checkKey(relation: string): Promise<void> {
    const { key } = this.work.model
    if (key.length === 0) return
    const columns = key.map(quoteName).join(', ')
    const twice = await this.session.rows(`SELECT 1 AS twice FROM ${relation} AS q GROUP BY ${columns} HAVING count(*) > 1 LIMIT 1`)
    if (twice.length > 0) throw new SluiceError('MODEL_FAILED', `The key ${key.join(', ')} is not unique in the result.`)
  }

  private refreshed(rows: number, proven: boolean): Remade['refreshed'] {
    const { model, inputs } = this.work
    return { format: FORMAT, model: model.name, hash: model.hash, inputs: Object.fromEntries(inputs.map(({ name, state }) => [name, state.version])), rows, proven }
  }
}

function madeSql(schema: Schema, written: readonly Written[]): string {
  return `SELECT ${columnsOf(schema)} FROM (${filesOfTableSql(schema, written.map(({ uri }) => ({ uri })))})`
}

const INTEGER = /^(TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER)$/

/** The columns of a result as a table can have them. @throws SluiceError MODEL_FAILED */
function schemaOf(model: Model, described: readonly Record<string, unknown>[]): Schema {
  const columns: Column[] = []
  for (const row of described) {
    const name = String(row['name'])
    const type = typeOf(String(row['type']))
    if (columnName(name) !== name || isReserved(name)) throw new SluiceError('MODEL_FAILED', `The result has a column ${name}, which cannot be the name of one. Give it a name with AS.`)
    if (findColumn(columns, name) !== undefined) throw new SluiceError('MODEL_FAILED', `The result has two columns ${name}.`)
    if (type === null) throw new SluiceError('MODEL_FAILED', `The column ${name} is of the type ${String(row['type'])}, which a Delta table cannot have. Cast it, for example to VARCHAR.`)
    columns.push({ name, type })
  }
  const wanted = [...model.key, ...(model.grouping?.columns ?? []).map(({ output }) => output)]
  const lacking = wanted.find((name) => !columns.some((column) => fold(column.name) === fold(name)))
  if (lacking !== undefined) throw new SluiceError('MODEL_FAILED', `The result has no column ${lacking}; it has ${columns.map(({ name }) => name).join(', ')}.`)
  return columns
}

function typeOf(duck: string): ColumnType | null {
  if (INTEGER.test(duck)) return 'int64'
  // Sums of integers are that wide in DuckDB.
  if (duck === 'HUGEINT' || duck === 'UBIGINT') return 'decimal(38,0)'
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(duck) ?? []
  if (precision !== undefined) return `decimal(${Number(precision)},${Number(scale)})`
  switch (duck) {
    case 'VARCHAR': case 'UUID': return 'string'
    case 'BOOLEAN': return 'boolean'
    case 'DOUBLE': case 'FLOAT': return 'double'
    case 'DATE': return 'date'
    case 'TIMESTAMP WITH TIME ZONE': return 'timestamp'
    case 'TIMESTAMP': case 'TIMESTAMP_S': case 'TIMESTAMP_MS': return 'timestamp_local'
    case 'JSON': return 'json'
    default: return null
  }
}

