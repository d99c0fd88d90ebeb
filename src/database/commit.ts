/**
 * One commit: everything between the lock on the table and COMMIT.
 *
 * Numbers are counted by the database as it writes, or from rows that stand afterwards; never from one another.
 */
import type { ArrivalOutcome } from '../core/arrival.ts'
import { checkBalance, noBalance } from '../core/balance.ts'
import type { Balance } from '../core/balance.ts'
import { sameDefinition } from '../core/definition.ts'
import type { Definition } from '../core/definition.ts'
import type { Staged } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { ModelWork } from '../core/model.ts'
import { mayEnter } from '../core/interval.ts'
import { describeSchema, findColumn, fits, fold, mergeSchema } from '../core/schema.ts'
import type { CommittedArrival, DeltaOf, Receipt } from '../core/target.ts'
import { DeltaRows, openDelta } from './delta.ts'
import type { Incoming, Store } from './dialect.ts'
import { growTable, keyIndex, keyIndexes, lateIndex, ownTables } from './layout.ts'
import { refreshIn } from './models.ts'
import { receiptToJson, rejectFromSql } from './record.ts'
import { writeSound } from './refused.ts'
import type { Sound } from './refused.ts'
import { replacedRows } from './resolution.ts'
import { askable } from './rules.ts'
import type { Rule } from './rules.ts'
import { first, total } from './session.ts'
import type { Count, DatabaseSession } from './session.ts'
import { checkJoined, checkReplaced, readReceipt, readStanding, readState } from './state.ts'
import type { State } from './state.ts'
import type { RefusedRow } from './trials.ts'
import type { Check, Watcher, Work } from './work.ts'

/** Rejects of a receipt, for the summary. */
const SHOWN_FAULTS = 20

export interface Commit {
  store: Store
  session: DatabaseSession
  table: string
  ledger: string
  staged: Staged
  incoming: Incoming
  definition: Definition
  /** Refreshed in this transaction, where the database keeps models. */
  models?: ModelWork
  /** Models that were refused before in a database that cannot go back to before them. */
  failing?: ReadonlyMap<string, string>
  /** Rows that the database refused before, where it cannot go back to before them. */
  known?: readonly RefusedRow[]
  /** Writes so many rows, and throws what came of it; neither models nor delta. */
  trial?: number
  delta: DeltaOf | undefined
}

type Loaded = ArrivalOutcome & { sha256: string }

/** @returns the receipt; `known` when an earlier attempt had committed the batch */
export async function commit(job: Commit): Promise<{ receipt: Receipt; known: boolean }> {
  const { store, session, table, staged } = job
  const { dialect } = store
  const { batch } = staged
  await store.lock(session, table)
  const state = await readState(store, session, table, job.ledger)
  const known = state.exists ? await readReceipt(store, session, table, batch.id) : null
  if (known !== null) return { receipt: known, known: true }
  const loaded = staged.outcomes.filter((outcome): outcome is Loaded => outcome.state === 'loaded' && outcome.sha256 !== null)
  await refuse(job, state, loaded)

  if (state.definition !== null) sameDefinition(state.definition, job.definition)
  const definition = state.definition ?? job.definition
  const schema = mergeSchema(state.schema, staged.schema)
  dialect.checkOrder(definition, schema)
  await make(job, state, schema)
  if (!state.exists || JSON.stringify(state.schema) !== JSON.stringify(schema)) await session.run('database.meta', `INSERT INTO ${dialect.own('meta')} (tbl, format, ledger, definition, schema) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tbl) DO UPDATE SET schema = excluded.schema`, [table, dialect.format, job.ledger, JSON.stringify(definition), JSON.stringify(schema)])

  const { table: name } = dialect.names(table)
  const replaces = definition.mode === 'replace'
  const late = !replaces && staged.places !== null && staged.places.lowest <= state.highest
  if (replaces && state.exists) await checkReplaced(store, session, table, state.adopted !== null)
  const left = replaces && state.exists ? await emptied(job, name) : 0
  if (replaces && left !== state.rows && state.adopted === null) throw broken(`${left} rows leave the table, its last commit left ${state.rows}`)
  const kept = replaces ? 0 : state.rows
  // Others may have put rows into an adopted table, or taken some out.
  const fresh = !late && (kept === 0 || state.adopted !== null) && (await first(session, `SELECT 1 AS one FROM ${name} LIMIT 1`)) === undefined
  if (late) for (const statement of lateIndex(dialect, table, schema, definition.key)) await session.run('database.late', statement)
  const indexes = keyIndex(dialect, table, schema, definition.key, state.relation)
  if (state.exists) for (const statement of indexes) await session.run('database.index', statement)
  const watchers: Watcher[] = []
  const work: Work = { store, session, table, batch: batch.id, definition, schema, staged: staged.schema, incoming: job.incoming, late, fresh, partitioned: state.relation?.partitioned === true, indexes: state.exists ? [] : indexes, watchers, checks: checksOf(store, state, schema, definition), stored: state.adopted === null ? [] : schema.map((column) => state.relation?.columns.find(({ name }) => fold(name) === fold(column.name))), rules: rulesOf(state, schema, definition), known: job.known ?? [], trial: job.trial ?? null, keyNames: keyNames(store, table, state, schema, definition) }

  if (job.delta !== undefined) await openDelta(store, session, table, schema, job.delta)
  const delta = job.delta === undefined ? null : new DeltaRows(store, session, schema, job.delta)
  if (delta !== null) watchers.push(delta)
  const models = job.models === undefined || store.models === undefined ? null : await refreshIn(store.models, session, job.models, { table, before: state.version }, job.failing ?? new Map())
  if (models !== null) watchers.push(models)
  if (replaces) models?.untold()
  const aside = await asideRows(work)
  const sound = await write(work)
  const { changes } = sound
  const counts = balances(loaded, aside, sound)
  const { replaced, evicted } = replacedRows(changes)
  const [inserted, updated] = [total(changes.inserted), total(changes.updated)]
  checkBalance(counts, { before: kept, after: kept + inserted })
  if (replaced + evicted !== updated) throw broken(`${updated} rows were updated, but ${replaced} of the old ones are kept and ${evicted} put aside`)
  const filled = delta?.filled ?? inserted + updated
  if (filled !== inserted + updated) throw broken(`${inserted} + ${updated} rows came in, ${filled} of them into the delta`)
  const receipt = await record(job, state, { counts, rows: kept + inserted, evicted, byTarget: total(changes.repeated, '0') + total(sound.refused) + job.incoming.refused }, loaded)
  return { receipt: models === null ? receipt : { ...receipt, models: await models.finish(receipt.version) }, known: false }
}

async function refuse({ store, session, table, staged }: Commit, state: State, loaded: readonly Loaded[]): Promise<void> {
  const { batch } = staged
  const fence = state.lanes.get(batch.lane) ?? -1
  if (fence >= batch.fence) throw new SluiceError('FENCED', `${table}: lane ${batch.lane} is at fence ${fence}, the batch ${batch.id} has ${batch.fence}.`)
  if (!state.exists) return
  const standing = await readStanding(store, session, table, loaded.map((outcome) => outcome.sha256))
  const taken = new Set((await session.all(`SELECT seq FROM ${store.dialect.own('arrivals')} WHERE tbl = $1 AND seq BETWEEN $2 AND $3`, [table, loaded[0]?.seq ?? 0, loaded.at(-1)?.seq ?? 0])).map((row) => Number(row['seq'])))
  for (const outcome of loaded) {
    const stands = standing.get(outcome.sha256)
    if (mayEnter(outcome, stands, taken.has(outcome.seq))) continue
    throw new SluiceError('ARRIVAL_COMMITTED', `${table}: arrival ${outcome.seq} of the batch ${batch.id} is in already${stands === undefined ? '' : ` as arrival ${stands.seq}`}.`)
  }
  if (!fits(staged.schema, state.schema)) {
    throw new SluiceError('SCHEMA_MOVED', `${table} has the columns ${describeSchema(state.schema)}; the batch was staged with ${describeSchema(staged.schema)}.`)
  }
}

/** Own tables, the table and its new columns, as far as they are missing. */
async function make({ store, session, table }: Commit, state: State, schema: State['schema']): Promise<void> {
  if (!state.exists) {
    await store.makeOwn(session)
    for (const statement of ownTables(store.dialect)) await session.run('database.own', statement)
    await store.makeRoom(session, table)
  }
  for (const statement of growTable(store.dialect, table, state.exists ? state.schema : null, schema, state.relation)) await session.run('database.columns', statement)
  await checkJoined(store, session, table, state, schema)
}

/** Takes all rows out. Others may refer to them: then nothing is replaced. */
async function emptied({ store, session, table }: Commit, name: string): Promise<number> {
  try {
    return await session.run('database.replace', `DELETE FROM ${name}`)
  } catch (thrown) {
    const why = store.refusal(thrown, [])
    if (why === null) throw thrown
    throw new SluiceError('ROWS_REFUSED', `${store.uri(table)}: ${store.dialect.product} does not let its rows go, so they cannot be replaced: ${why}`, { cause: thrown })
  }
}

/** What the catalog of a table that others made excludes; of our own tables nothing is left to exclude. */
function checksOf({ dialect }: Store, { relation, adopted }: State, schema: State['schema'], { key }: Definition): Check[] {
  if (adopted === null || relation === null) return []
  return schema.flatMap((column) => {
    const stored = relation.columns.find(({ name }) => fold(name) === fold(column.name))
    return stored === undefined ? [] : dialect.checks(column.type, stored, key.some((name) => fold(name) === fold(column.name)))
  })
}

function rulesOf({ relation, adopted }: State, schema: State['schema'], { key, keep }: Definition): Rule[] {
  return adopted === null ? [] : askable(relation?.rules ?? [], { schema, key, keyed: keep !== null })
}

/** How the database names what holds the key when it refuses a row. */
function keyNames({ dialect }: Store, table: string, { relation, adopted }: State, schema: State['schema'], { key }: Definition): string[] {
  const told = adopted === null ? dialect.keyTold?.(relation?.name ?? table, key.map((name) => findColumn(schema, name)?.name ?? name)) : undefined
  return [bare(dialect.names(table).keyIndex?.name ?? ''), ...keyIndexes(relation, key), ...(told === undefined ? [] : [told])]
}

/** A quoted name as the database tells it. */
function bare(name: string): string {
  return name.slice(name.lastIndexOf('"', name.length - 2) + 1, -1)
}

/** The splitter's rejects into the table of rejects. */
async function asideRows({ store, session, table, batch, incoming }: Work): Promise<readonly Count[]> {
  if (incoming.aside === null) return []
  const into = store.dialect.own('rejects')
  const sql = `INSERT INTO ${into} (tbl, batch, place, "offset", code, "column", value, message, raw, evicted) SELECT $1, $2, place, "offset", code, "column", value, coalesce(message, ''), raw, 0 FROM ${incoming.aside}`
  return session.write({ point: 'database.aside', sql, values: [table, batch], into, place: 'place' })
}

/** A key that is refused means that a row would be in twice; all else is a rule of the user's. */
async function write(work: Work): Promise<Sound> {
  try {
    return await writeSound(work)
  } catch (thrown) {
    if (work.store.isRepeated(thrown, work.keyNames)) throw broken(thrown instanceof Error ? thrown.message : String(thrown))
    // Of tables of our own rows are not looked for one by one.
    const why = work.store.dialect.savepoints ? work.store.refusal(thrown, work.keyNames) : null
    if (why === null) throw thrown
    throw new SluiceError('ROWS_REFUSED', `${work.store.uri(work.table)}: ${work.store.dialect.product} refuses rows of the batch: ${why}`, { cause: thrown })
  }
}

function broken(detail: string): SluiceError {
  return new SluiceError('BALANCE_BROKEN', `The numbers do not add up, nothing was committed: ${detail}`)
}

/** One balance per arrival: read and skipped from the splitter, all else from rows that were written. */
function balances(loaded: readonly Loaded[], aside: readonly Count[], { changes: { inserted, updated, losers, repeated }, refused }: Sound): Map<number, Balance> {
  const counts = new Map<number, Balance>()
  for (const { seq, read, skipped } of loaded) counts.set(seq, { ...noBalance(), read, skipped })
  const add = (term: keyof Balance, rows: readonly Count[], what?: string): void => {
    for (const row of rows) {
      if (what !== undefined && row.what !== what) continue
      const balance = counts.get(row.seq) ?? noBalance()
      balance[term] += row.n
      counts.set(row.seq, balance)
    }
  }
  add('inserted', inserted)
  add('updated', updated)
  add('duplicate', losers, 'duplicate')
  add('stale', losers, 'stale')
  add('quarantined', aside)
  add('quarantined', refused)
  add('quarantined', repeated, '0')
  return counts
}

interface Counted {
  counts: Map<number, Balance>
  /** Of the table after the commit. */
  rows: number
  evicted: number
  /** Records that the target itself put aside. */
  byTarget: number
}

/** Writes the record of the commit: arrivals, and the batch with its receipt. */
async function record({ store, session, staged, table }: Commit, state: State, counted: Counted, loaded: readonly Loaded[]): Promise<Receipt> {
  const { own } = store.dialect
  const { batch } = staged
  const pins = new Map(batch.arrivals.map((arrival) => [arrival.seq, arrival.pin]))
  const arrivals: CommittedArrival[] = loaded.map(({ seq, sha256, generation, dates }) => {
    const pin = pins.get(seq)
    return { seq, sha256, generation, path: pin?.uri ?? '', size: pin?.size ?? 0, counts: counted.counts.get(seq) ?? noBalance(), ...(dates === undefined ? {} : { dates }) }
  })
  await recordArrivals(store, session, table, batch.id, arrivals)
  const { reasons, faults } = counted.byTarget === 0 ? { reasons: {}, faults: [] } : await reasonsOf(store, session, table, batch.id)
  const version = (state.version ?? 0) + 1
  const receipt: Receipt = {
    batch: batch.id, version, arrivals, evicted: counted.evicted, reasons, faults, rewritten: 0,
    ...(staged.leftOut.length === 0 ? {} : { leftOut: staged.leftOut }),
  }
  const highest = staged.places !== null && staged.places.highest > state.highest ? staged.places.highest : state.highest
  await session.run('database.record', `INSERT INTO ${own('batches')} VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, [table, version, batch.id, batch.lane, batch.fence, highest, counted.rows, receiptToJson(receipt)])
  return receipt
}

/** What the target itself put aside: how many by code, and the first of them. */
async function reasonsOf({ dialect }: Store, session: DatabaseSession, table: string, batch: string): Promise<Pick<Receipt, 'reasons' | 'faults'>> {
  const from = `FROM ${dialect.own('rejects')} WHERE tbl = $1 AND batch = $2 AND code IN ('KEY_REPEATED', 'ROW_REFUSED') AND evicted = 0`
  const counts = await session.all(`SELECT code, count(*) AS n ${from} GROUP BY code ORDER BY code`, [table, batch])
  const faults = await session.all(`SELECT batch, place, "offset", code, "column", value, message, raw ${from} ORDER BY place LIMIT ${SHOWN_FAULTS}`, [table, batch])
  return { reasons: Object.fromEntries(counts.map((row) => [String(row['code']), Number(row['n'])])), faults: faults.map(rejectFromSql) }
}

/** Values of one arrival, and arrivals of one statement: PostgreSQL takes 65,535 values, SQLite 32,766. */
const FIELDS = 17
const AT_ONCE = 500

async function recordArrivals({ dialect }: Store, session: DatabaseSession, table: string, batch: string, arrivals: readonly CommittedArrival[]): Promise<void> {
  const names = 'tbl, seq, sha256, generation, batch, path, size, read, inserted, updated, duplicate, stale, skipped, quarantined, field, since, until'
  for (let from = 0; from < arrivals.length; from += AT_ONCE) {
    const part = arrivals.slice(from, from + AT_ONCE)
    const list = part.map((_, i) => `(${Array.from({ length: FIELDS }, (__, j) => `$${i * FIELDS + j + 1}`).join(', ')})`).join(', ')
    const values = part.flatMap(({ seq, sha256, generation, path, size, counts: c, dates }) => [table, seq, sha256, generation, batch, path, size, c.read, c.inserted, c.updated, c.duplicate, c.stale, c.skipped, c.quarantined, dates?.field ?? null, dates?.since ?? null, dates?.until ?? null])
    await session.run('database.arrival', `INSERT INTO ${dialect.own('arrivals')} (${names}) VALUES ${list}`, values)
  }
}
