/**
 * Models of a database, brought up to date inside of its transaction.
 *
 *   begin    what Sluice remembers of the models; a table for the groups that the change touches, one per model
 *   touch    groups of rows that are about to leave the table, and of rows that came
 *   finish   model by model, after those that it reads: nothing to do · its touched groups · the whole
 *
 * Groups are enough when all that changed since the model was refreshed is known: the definition is the same, it held the
 * version from which the table went on, only inputs that have its groups changed, and it was proven that its groups stand
 * alone (`full.ts`). In every other case the whole is recomputed. A model that the database refuses is rolled back to its savepoint and marked; the transaction goes on.
 */
import { asSluiceError } from '../core/errors.ts'
import type { Grouping, Model, ModelOutcome, ModelWork } from '../core/model.ts'
import { fold } from '../core/schema.ts'
import { rows, run } from './dialect.ts'
import type { ModelDialect, Rows, Steps } from './dialect.ts'
import { keyHolds, rebuild } from './full.ts'
import type { Rebuilt } from './full.ts'
import { anyNull, cut, groupsOf, inputValues, member, resultValues } from './groups.ts'
import type { Types } from './groups.ts'
import { rendered } from './reading.ts'
import { forgotten, inputsKey, readRecords, record } from './record.ts'
import type { ModelRecord } from './record.ts'

/** The database refused a model and cannot go back to before it: the transaction is to be repeated with the model named as failing. */
export class ModelRefused extends Error {
  readonly model: string
  constructor(model: string, cause: unknown) {
    super(asSluiceError(cause).message, { cause })
    this.model = model
  }
}

/** The table that a transaction changes. */
export interface TableChange {
  table: string
  /** Its version before; null: it is made now. */
  before: number | null
}

const SAVEPOINT = 'sluice_model'

export class ModelRefresh {
  private readonly dialect: ModelDialect
  private readonly work: ModelWork
  private readonly change: TableChange | null
  private readonly failing: ReadonlyMap<string, string>
  private records = new Map<string, ModelRecord>()
  /** Tables of touched groups, by model. */
  private readonly touched = new Map<string, string>()
  private readonly types = new Map<string, Types>()
  /** Inputs whose changes in this transaction are known by group, and the version that they went on from. */
  private readonly told = new Map<string, number | null>()
  private readonly versions = new Map<string, number>()

  /** @param change null: no table changes, models only catch up · @param failing models that were refused before, and why */
  constructor(dialect: ModelDialect, work: ModelWork, change: TableChange | null, failing: ReadonlyMap<string, string> = new Map()) {
    this.dialect = dialect
    this.work = work
    this.change = change
    this.failing = failing
  }

  *begin(): Steps<void> {
    for (const statement of this.dialect.makeOwn) yield* run('models.own', statement)
    this.records = yield* readRecords(this.dialect)
    if (this.change !== null) this.told.set(this.change.table, this.change.before)
    for (const [at, model] of this.work.models.entries()) {
      const known = this.records.get(model.name)
      const [of] = model.grouping?.of ?? []
      if (of === undefined || known?.state !== 'fresh' || !known.proven || known.hash !== model.hash || this.failing.has(model.name) || this.work.full === true) continue
      const table = `_sluice_touched_${at}`
      const refused = yield* this.attempt(model, function* (this: ModelRefresh): Steps<void> {
        yield* run('models.touched', `CREATE TEMP TABLE ${table} AS ${yield* this.touchedBy(model, of, `(SELECT * FROM ${this.dialect.table(of)} WHERE 1 = 0)`)}`)
      }.bind(this))
      if (refused === null) this.touched.set(model.name, table)
    }
  }

  /** Notes the groups of rows of the changed table: before they leave it, and after they came. `relation`: a query or a table. */
  *touch(relation: string): Steps<void> {
    if (this.change !== null) yield* this.note(this.change.table, relation)
  }

  /** All rows left the table, or it is not told which ones. */
  untold(): void {
    if (this.change !== null) this.told.delete(this.change.table)
  }

  /** @param after version of the changed table; without a change null */
  *finish(after: number | null): Steps<ModelOutcome[]> {
    if (this.change !== null && after !== null) this.versions.set(this.change.table, after)
    const outcomes: ModelOutcome[] = []
    for (const model of this.work.models) {
      const began = this.work.clock?.() ?? 0
      const outcome = yield* this.refresh(model)
      outcomes.push(outcome.how === 'none' || this.work.clock === undefined ? outcome : { ...outcome, ms: Math.round(this.work.clock() - began) })
    }
    for (const table of this.touched.values()) yield* run('models.tidy', `DROP TABLE ${table}`)
    return outcomes
  }

  private *note(input: string, relation: string): Steps<void> {
    for (const model of this.work.models) {
      const table = this.touched.get(model.name)
      if (table === undefined || !(model.grouping?.of ?? []).includes(input)) continue
      const refused = yield* this.attempt(model, function* (this: ModelRefresh): Steps<void> {
        yield* run('models.touch', `INSERT INTO ${table} ${yield* this.touchedBy(model, input, relation)}`)
      }.bind(this))
      if (refused !== null) this.touched.delete(model.name)
    }
  }

  private *touchedBy(model: Model, input: string, relation: string): Steps<string> {
    if (model.grouping === null) return ''
    return groupsOf(model.grouping, inputValues(this.dialect, model.grouping, yield* this.typesOf(input)), relation)
  }

  private *typesOf(input: string): Steps<Types> {
    const known = this.types.get(input)
    if (known !== undefined) return known
    const types = new Map((yield* rows(this.dialect.columns(input))).map((row) => [fold(String(row['name'])), String(row['type'])]))
    this.types.set(input, types)
    return types
  }

  private *groupTypes({ by, columns }: Grouping, input: string): Steps<string[]> {
    const types = yield* this.typesOf(input)
    return columns.map((column) => (by === 'day' ? 'date' : (types.get(fold(column.input)) ?? '')))
  }

  /** Null: done; else what the database said. What it did is undone. */
  private *attempt(model: Model, work: () => Steps<void>): Steps<string | null> {
    const { dialect } = this
    if (dialect.savepoints) yield* run('models.savepoint', `SAVEPOINT ${SAVEPOINT}`)
    try {
      yield* work()
    } catch (thrown) {
      if (!dialect.refused(thrown)) throw thrown
      if (!dialect.savepoints) throw new ModelRefused(model.name, thrown)
      yield* run('models.rollback', `ROLLBACK TO SAVEPOINT ${SAVEPOINT}`)
      yield* run('models.release', `RELEASE SAVEPOINT ${SAVEPOINT}`)
      return asSluiceError(thrown).message
    }
    if (dialect.savepoints) yield* run('models.release', `RELEASE SAVEPOINT ${SAVEPOINT}`)
    return null
  }

  private *versionOf(input: string): Steps<number | null> {
    const set = this.versions.get(input)
    if (set !== undefined) return set
    const model = this.records.get(input)
    if (model !== undefined) return model.rows === null ? null : model.version
    const found: Rows = yield* rows(this.dialect.version(input))
    const version = found[0]?.['version']
    return version === undefined || version === null ? null : Number(version)
  }

  private *refresh(model: Model): Steps<ModelOutcome> {
    const known = this.records.get(model.name) ?? forgotten(model.name)
    const now = new Map<string, number>()
    for (const input of model.inputs) {
      const version = yield* this.versionOf(input)
      if (version !== null) now.set(input, version)
    }
    const missing = model.inputs.filter((input) => !now.has(input))
    if (missing.length > 0) return yield* this.mark(model, known, 'waiting', `${missing.join(' and ')} is not there yet.`, now)
    const moved = model.inputs.filter((input) => known.inputs.get(input) !== now.get(input))
    const same = known.hash === model.hash && known.rows !== null && this.work.full !== true
    if (same && known.state === 'fresh' && moved.length === 0) return { name: model.name, state: 'fresh', how: 'none', groups: null, rows: known.rows, message: null }
    const repeated = known.state === 'failed' && known.tried === inputsKey(model.hash, now) && this.work.retry !== true && this.work.full !== true
    const failing = this.failing.get(model.name) ?? (repeated ? known.message : null)
    if (failing !== null) return yield* this.mark(model, known, 'failed', failing, now)
    const told = (input: string): boolean => model.grouping?.of.includes(input) === true && this.told.has(input) && this.told.get(input) === known.inputs.get(input)
    const groups = same && known.proven && known.state === 'fresh' && moved.every(told) ? this.touched.get(model.name) : undefined
    let done: Rebuilt & { groups: number | null } = { rows: 0, groups: null, proven: false }
    const refused = yield* this.attempt(model, function* (this: ModelRefresh): Steps<void> {
      done = groups === undefined ? { ...(yield* rebuild(this.dialect, model, known, (input) => this.typesOf(input))), groups: null } : { ...(yield* this.parts(model, groups, known.rows ?? 0)), proven: true }
    }.bind(this))
    if (refused !== null) return yield* this.mark(model, known, 'failed', refused, now)
    if (groups !== undefined) this.told.set(model.name, known.version)
    const version = known.version + 1
    this.versions.set(model.name, version)
    yield* record(this.dialect, { name: model.name, hash: model.hash, inputs: now, version, rows: done.rows, state: 'fresh', message: null, refreshed: this.work.now, tried: null, proven: done.proven })
    return { name: model.name, state: 'fresh', how: groups === undefined ? 'full' : 'groups', groups: done.groups, rows: done.rows, message: null }
  }

  /** Its rows stay what they are. */
  private *mark(model: Model, known: ModelRecord, state: 'failed' | 'waiting', message: string, now: ReadonlyMap<string, number>): Steps<ModelOutcome> {
    yield* record(this.dialect, { ...known, name: model.name, state, message, tried: inputsKey(model.hash, now) })
    return { name: model.name, state, how: 'none', groups: null, rows: known.rows, message }
  }

  /** Recomputes the touched groups. */
  private *parts(model: Model, touched: string, before: number): Steps<{ rows: number; groups: number }> {
    const { dialect } = this
    const { grouping } = model
    if (grouping === null) return { rows: before, groups: 0 }
    const groups = '_sluice_groups'
    yield* run('models.groups', `CREATE TEMP TABLE ${groups} AS SELECT DISTINCT * FROM ${touched}`)
    for (const statement of dialect.settle(groups)) yield* run('models.settle', statement)
    const counted = yield* rows(`SELECT count(*) AS n, coalesce(sum(CASE WHEN ${anyNull(grouping)} THEN 1 ELSE 0 END), 0) AS nulls FROM ${groups}`)
    const [n, nulls] = [Number(counted[0]?.['n']), Number(counted[0]?.['nulls']) > 0]
    const table = dialect.table(model.name)
    const own = `SELECT t.* FROM ${table} AS t WHERE ${member(dialect, grouping, resultValues(grouping), groups, nulls)}`
    const sources = new Map<string, string>()
    for (const input of model.inputs) {
      if (!grouping.of.includes(input)) sources.set(input, dialect.table(input))
      else {
        const values = inputValues(dialect, grouping, yield* this.typesOf(input))
        const index = dialect.index(`_sluice_group_${model.name.replace('.', '_')}_${grouping.of.indexOf(input)}`, input, inputValues(dialect, grouping, yield* this.typesOf(input), ''), { types: yield* this.groupTypes(grouping, input) })
        if (index !== null) yield* run('models.index', index)
        sources.set(input, `(${cut(dialect, grouping, values, dialect.table(input), groups, nulls)})`)
      }
    }
    yield* this.note(model.name, `(${own})`)
    const left = yield* run('models.delete', `DELETE FROM ${table} AS t WHERE ${member(dialect, grouping, resultValues(grouping), groups, nulls)}`)
    const came = yield* run('models.insert', `INSERT INTO ${table} SELECT * FROM (${rendered(model, (input) => sources.get(input) ?? '')}) AS q`)
    yield* this.note(model.name, `(${own})`)
    if (!dialect.uniqueIndexes && model.key.length > 0) yield* keyHolds(model, `(${own})`)
    yield* run('models.tidy', `DROP TABLE ${groups}`)
    return { rows: before - left + came, groups: n }
  }
}
