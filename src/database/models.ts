/**
 * Models in a database: inside of a commit, and on their own. The work is `models/refresh.ts`; here tables get their full
 * names, so that a model and the commit of a table mean the same one however either spells it.
 */
import type { Engine } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { Model, ModelOutcome, ModelState, ModelWork } from '../core/model.ts'
import type { Finding, ModelKeeper } from '../core/target.ts'
import { drive } from '../models/dialect.ts'
import type { ModelDialect, Steps } from '../models/dialect.ts'
import { reachedBy } from '../models/graph.ts'
import { rendered } from '../models/reading.ts'
import { modelStates } from '../models/record.ts'
import { ModelRefresh, ModelRefused } from '../models/refresh.ts'
import type { TableChange } from '../models/refresh.ts'
import { tokensOf } from '../models/token.ts'
import type { Store } from './dialect.ts'
import type { DatabaseSession } from './session.ts'
import type { Watcher } from './work.ts'

/** What a database has for models. */
export interface ModelRoom {
  readonly dialect: ModelDialect
  /** The one name of a table. */
  full(name: string): string
  /** The same as short as it can be. */
  short(name: string): string
  /** How SQL calls uuid5(). */
  readonly uuid5: string
  /** Is Sluice's table of models there? */
  isThere(session: DatabaseSession): Promise<boolean>
  /** Makes it, and the functions that models call. Nobody else refreshes models until the transaction ends. */
  prepare(session: DatabaseSession): Promise<void>
}

/** With full names, also in the SQL. */
function inFull(model: Model, room: ModelRoom): Model {
  const sql = rendered(model, (input) => room.dialect.table(room.full(input)))
  const { grouping } = model
  return {
    ...model, name: room.full(model.name), inputs: model.inputs.map((input) => room.full(input)), sql: calling(sql, room.uuid5),
    grouping: grouping === null ? null : { ...grouping, of: grouping.of.map((input) => room.full(input)) },
  }
}

/** The SQL with another name for the function uuid5. */
function calling(sql: string, name: string): string {
  let text = ''
  let from = 0
  const tokens = tokensOf(sql, 'the model')
  for (const [at, { kind, text: word, start, end }] of tokens.entries()) {
    if (kind !== 'word' || word.toLowerCase() !== 'uuid5' || tokens[at + 1]?.text !== '(' || tokens[at - 1]?.text === '.') continue
    text += sql.slice(from, start) + name
    from = end
  }
  return text + sql.slice(from)
}

/** Back to the names that the files have. */
function asWritten<T extends { name: string }>(found: readonly T[], models: readonly Model[], room: ModelRoom): T[] {
  const names = new Map(models.map(({ name }) => [room.full(name), name]))
  return found.map((one) => ({ ...one, name: names.get(one.name) ?? room.short(one.name) }))
}

function carryOut<T>(session: DatabaseSession, steps: Steps<T>): Promise<T> {
  return drive(steps, { run: (point, sql) => session.run(point, sql), all: (sql) => session.all(sql) })
}

/** Models of one commit. */
export interface CommitModels extends Watcher {
  /** All rows leave. */
  untold(): void
  /** @param after version of the table */
  finish(after: number): Promise<ModelOutcome[]>
}

/** @param failing models that were refused before in a database that cannot go back, and why. @throws ModelRefused there */
export async function refreshIn(room: ModelRoom, session: DatabaseSession, work: ModelWork, change: TableChange, failing: ReadonlyMap<string, string>): Promise<CommitModels> {
  await room.prepare(session)
  const models = reachedBy(change.table, work.models.map((model) => inFull(model, room)))
  const refresh = new ModelRefresh(room.dialect, { ...work, models }, change, failing)
  await carryOut(session, refresh.begin())
  const touch = (relation: string): Promise<void> => carryOut(session, refresh.touch(relation))
  return {
    leave: touch,
    come: touch,
    untold: () => refresh.untold(),
    finish: async (after) => asWritten(await carryOut(session, refresh.finish(after)), work.models, room),
  }
}

/** @param open the database, with the engine that stages for it */
export function databaseModels(open: (engine: Engine) => Store): ModelKeeper {
  const withStore = async <T>(engine: Engine, work: (room: ModelRoom, store: Store) => Promise<T>): Promise<T> => {
    const store = open(engine)
    try {
      if (store.models === undefined) throw new SluiceError('INTERNAL', `${store.location} keeps no models.`)
      return await work(store.models, store)
    } finally {
      await store.close()
    }
  }
  /** Null: there is no database, or it has nothing to look at. */
  const look = async <T>(store: Store, has: (session: DatabaseSession) => Promise<boolean>, work: (session: DatabaseSession) => Promise<T>): Promise<T | null> => {
    const session = await store.reading()
    if (session === null) return null
    try {
      return await session.snapshot(async () => ((await has(session)) ? work(session) : null))
    } finally {
      await session.close()
    }
  }
  const keeper: ModelKeeper = {
    suits(models) {
      // Which names are taken is asked of the database's own connector; it needs no engine for that.
      const store = open(NO_ENGINE)
      for (const { name } of models) store.checkName(name)
    },
    async refresh(work, engine, signal) {
      keeper.suits(work.models)
      const states = await keeper.states(work.models, engine)
      const stateOf = (name: string): ModelState | undefined => states.find((state) => state.name === name)
      if (work.full !== true && work.models.every(({ name }) => stateOf(name)?.state === 'fresh')) {
        return work.models.map(({ name }) => ({ name, state: 'fresh', how: 'none', groups: null, rows: stateOf(name)?.rows ?? null, message: null }))
      }
      const once = (failing: ReadonlyMap<string, string>): Promise<ModelOutcome[]> => withStore(engine, async (room, store) => {
        // Without a table there is nothing to make a model of, and no file is made for it.
        if ((await look(store, (session) => store.hasOwn(session), () => Promise.resolve(true))) === null) {
          return work.models.map(({ name, inputs }) => ({ name, state: 'waiting', how: 'none', groups: null, rows: null, message: `${inputs.join(' and ')} is not there yet.` }))
        }
        const session = await store.writing(signal)
        try {
          return await session.transaction('database.models', async () => {
            await room.prepare(session)
            const refresh = new ModelRefresh(room.dialect, { ...work, models: work.models.map((model) => inFull(model, room)) }, null, failing)
            await carryOut(session, refresh.begin())
            return asWritten(await carryOut(session, refresh.finish(null)), work.models, room)
          })
        } finally {
          await session.close()
        }
      })
      // Where there are no savepoints all of it is made again without the model that was refused, which marks it.
      for (const failing = new Map<string, string>(); ; ) {
        try {
          return await once(failing)
        } catch (thrown) {
          if (!(thrown instanceof ModelRefused) || failing.has(thrown.model)) throw thrown
          failing.set(thrown.model, thrown.message)
        }
      }
    },
    states: (models, engine) =>
      withStore(engine, async (room, store) => {
        const found = await look(store, (session) => room.isThere(session), (session) => carryOut(session, modelStates(room.dialect, models.map((model) => inFull(model, room)))))
        if (found === null) return models.map(({ name, hash, inputs }): ModelState => ({ name, state: 'new', hash, rows: null, inputs: inputs.map((input) => ({ name: input, held: null, now: null })), refreshed: null, message: null }))
        return asWritten(found, models, room).map((state) => ({ ...state, inputs: state.inputs.map((input) => ({ ...input, name: room.short(input.name) })) }))
      }),
    verify: (engine) =>
      withStore(engine, async (room, store) => {
        const { dialect } = room
        const found = await look(store, (session) => room.isThere(session), async (session) => {
          const findings: Finding[] = []
          for (const { name, row_count: says } of await session.all(`SELECT name, row_count FROM ${dialect.own} WHERE row_count IS NOT NULL ORDER BY name`)) {
            const path = store.uri(String(name))
            const there = (await session.all(dialect.exists(String(name)))).length > 0
            const has = there ? Number((await session.all(`SELECT count(*) AS n FROM ${dialect.table(String(name))}`))[0]?.['n']) : null
            if (has !== Number(says)) findings.push({ grade: 'broken', path, message: `${has === null ? 'The table of the model is gone' : `The model has ${has} rows, its record says ${String(says)}`}; sluice models run --full-refresh makes it again.` })
          }
          return findings
        })
        return found ?? []
      }),
    garbage: () => Promise.resolve([]),
    rows: (name, limit, engine) =>
      withStore(engine, async (room, store) => {
        const { dialect } = room
        const full = room.full(name)
        const found = await look(store, (session) => room.isThere(session), async (session) => {
          const known = await session.all(`SELECT 1 AS found FROM ${dialect.own} WHERE name = $1 AND row_count IS NOT NULL`, [full])
          if (known.length === 0) return null
          const columns = (await session.all(dialect.columns(full))).map((row) => String(row['name']))
          const rows = await session.all(`SELECT * FROM ${dialect.table(full)} ORDER BY 1 LIMIT ${limit}`)
          return { columns, rows: rows.map((row) => columns.map((column) => { const value = row[column] ?? null; return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value })) }
        })
        if (found === null) throw new SluiceError('NOT_FOUND', `There is no model ${name} in ${store.location}.`, { hint: 'sluice models ls lists them.' })
        return found
      }),
  }
  return keeper
}

const NO_ENGINE = new Proxy({}, { get: () => () => Promise.reject(new SluiceError('INTERNAL', 'There is no engine here.')) }) as Engine
