/** Models in a SQLite file: the dialect of `models/refresh.ts`, inside of a commit and on their own. */
import { SluiceError } from '../../core/errors.ts'
import type { ModelOutcome, ModelWork } from '../../core/model.ts'
import type { Finding, ModelKeeper } from '../../core/target.ts'
import { drive } from '../../models/dialect.ts'
import type { ModelDialect, Steps } from '../../models/dialect.ts'
import { reachedBy } from '../../models/graph.ts'
import { RECORD_COLUMNS, modelStates } from '../../models/record.ts'
import { ModelRefresh } from '../../models/refresh.ts'
import type { TableChange } from '../../models/refresh.ts'
import { uuid5 } from '../../models/uuid.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import type { SqliteSession } from '../../sql/sqlite.ts'
import { checkTableName } from './layout.ts'

const OWN = 'main._sluice_models'
/** Primary result codes that say something about the SQL: ERROR, TOOBIG, CONSTRAINT, MISMATCH, RANGE. */
const REFUSALS = new Set([1, 18, 19, 20, 25])

const sqliteDialect: ModelDialect = {
  table: (name) => `main.${quoteName(name)}`,
  own: OWN,
  makeOwn: [`CREATE TABLE IF NOT EXISTS ${OWN} (${RECORD_COLUMNS})`],
  *room() {
    yield* []
  },
  savepoints: true,
  uniqueIndexes: true,
  exists: (name) => `SELECT 1 AS found FROM main.sqlite_schema WHERE name = ${quoteText(name)} COLLATE NOCASE`,
  columns: (name) => `SELECT name, type FROM pragma_table_info(${quoteText(name)}, 'main')`,
  version: (name) => `SELECT max(version) AS version FROM main._sluice_batches WHERE tbl = ${quoteText(name)}`,
  // Timestamps are text in UTC; date() also takes the offset of a text that has one.
  day: (column) => `date(${column})`,
  within: (values, groups) => (values.length === 1 ? `${values[0] ?? ''} IN (SELECT g1 FROM ${groups})` : `(${values.join(', ')}) IN (SELECT ${values.map((_, at) => `g${at + 1}`).join(', ')} FROM ${groups})`),
  // Any column may hold any type, row by row.
  comparable: (column) => `CASE typeof(${column}) WHEN 'real' THEN printf('%.6e', ${column}) ELSE ${column} END`,
  settle: () => [],
  index: (name, table, expressions, { unique = false } = {}) => `CREATE ${unique ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS main.${quoteName(name)} ON ${quoteName(table)} (${expressions.join(', ')})`,
  refused(thrown) {
    if (!(thrown instanceof SluiceError)) return false
    if (thrown.code === 'MODEL_FAILED') return true
    const { cause } = thrown
    return cause instanceof Error && 'errcode' in cause && REFUSALS.has(Number(cause.errcode) & 0xff)
  },
}

function carryOut<T>(session: SqliteSession, steps: Steps<T>): T {
  return drive(steps, { run: (point, sql) => session.run(point, sql), all: (sql) => session.all(sql) })
}

function knowFunctions(session: SqliteSession): void {
  session.define('uuid5', (name) => {
    if (name !== null && typeof name !== 'string') throw new SluiceError('MODEL_FAILED', `uuid5() takes a text, not ${String(name)}.`)
    return name === null ? null : uuid5(name)
  })
}

/** Models of one commit; to be told of its rows before they leave and after they came. */
interface CommitModels {
  touched(relation: string): void
  untold(): void
  /** @param after version of the table */
  finish(after: number): ModelOutcome[]
}

export function refreshIn(session: SqliteSession, work: ModelWork, change: TableChange): CommitModels {
  knowFunctions(session)
  const refresh = new ModelRefresh(sqliteDialect, { ...work, models: reachedBy(change.table, work.models) }, change)
  carryOut(session, refresh.begin())
  return {
    touched: (relation) => carryOut(session, refresh.touch(relation)),
    untold: () => refresh.untold(),
    finish: (after) => carryOut(session, refresh.finish(after)),
  }
}

/** How the target opens its file; null: there is none. */
interface Access {
  read<T>(work: (session: SqliteSession) => T): Promise<T | null>
  write<T>(work: (session: SqliteSession) => T, signal?: AbortSignal): Promise<T>
}

export function sqliteModels(file: string, { read, write }: Access): ModelKeeper {
  const hasOwn = (session: SqliteSession): boolean => session.get(`SELECT 1 FROM main.sqlite_schema WHERE name = '_sluice_models'`) !== undefined
  const hasTables = (session: SqliteSession): boolean => session.get(`SELECT 1 FROM main.sqlite_schema WHERE name = '_sluice_batches'`) !== undefined
  const keeper: ModelKeeper = {
    suits(models) {
      for (const { name } of models) checkName(name, file)
    },
    async refresh(work, engine, signal) {
      keeper.suits(work.models)
      const states = await keeper.states(work.models, engine)
      const idle = work.full !== true && work.models.every(({ name }) => states.find((state) => state.name === name)?.state === 'fresh')
      if (idle) return work.models.map(({ name }) => ({ name, state: 'fresh', how: 'none', groups: null, rows: states.find((state) => state.name === name)?.rows ?? null, message: null }))
      // Without a table there is nothing to make a model of, and no file is made for it.
      if ((await read(hasTables)) !== true) return work.models.map(({ name, inputs }) => ({ name, state: 'waiting', how: 'none', groups: null, rows: null, message: `${inputs.join(' and ')} is not there yet.` }))
      return write((session) => {
        knowFunctions(session)
        const refresh = new ModelRefresh(sqliteDialect, work, null)
        carryOut(session, refresh.begin())
        return carryOut(session, refresh.finish(null))
      }, signal)
    },
    async states(models) {
      const known = await read((session) => (hasOwn(session) ? carryOut(session, modelStates(sqliteDialect, models)) : null))
      return known ?? models.map(({ name, hash, inputs }) => ({ name, state: 'new', hash, rows: null, inputs: inputs.map((input) => ({ name: input, held: null, now: null })), refreshed: null, message: null }))
    },
    async verify() {
      const found = await read((session) => {
        if (!hasOwn(session)) return []
        return session.all(`SELECT name, row_count FROM ${OWN} WHERE row_count IS NOT NULL`).flatMap(({ name, row_count: says }): Finding[] => {
          const path = `${file}#${String(name)}`
          if (session.get(sqliteDialect.exists(String(name))) === undefined) return [{ grade: 'broken', path, message: 'The table of the model is gone; sluice models run --full-refresh makes it again.' }]
          const has = session.get(`SELECT count(*) AS n FROM ${sqliteDialect.table(String(name))}`)?.['n']
          return has === says ? [] : [{ grade: 'broken', path, message: `The model has ${String(has)} rows, its record says ${String(says)}; sluice models run --full-refresh makes it again.` }]
        })
      })
      return found ?? []
    },
    garbage: () => Promise.resolve([]),
    async rows(name, limit) {
      const found = await read((session) => {
        const known = hasOwn(session) && session.get(`SELECT 1 FROM ${OWN} WHERE name = ? AND row_count IS NOT NULL`, [name]) !== undefined
        if (!known) return null
        const columns = session.all(sqliteDialect.columns(name)).map((row) => String(row['name']))
        return { columns, rows: session.arrays(`SELECT * FROM ${sqliteDialect.table(name)} ORDER BY 1 LIMIT ${limit}`).map((row) => row.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value))) }
      })
      if (found === null) throw new SluiceError('NOT_FOUND', `There is no model ${name} in ${file}.`, { hint: 'sluice models ls lists them.' })
      return found
    },
  }
  return keeper
}

function checkName(name: string, file: string): void {
  if (name.includes('.')) throw new SluiceError('TABLE_UNSUPPORTED', `${file}: a table in SQLite has no schema before its name: ${name}.`, { hint: 'Give the model a name without a dot.' })
  checkTableName(name, file)
}
