/**
 * Taking a table over: another ledger in its record, or a record for a table that Sluice did not make, and a commit of its
 * own that says so. All inside the caller's transaction.
 */
import { checkKeepColumn } from '../core/definition.ts'
import type { Definition } from '../core/definition.ts'
import { SluiceError } from '../core/errors.ts'
import { findColumn, fold } from '../core/schema.ts'
import type { Schema } from '../core/schema.ts'
import type { Receipt } from '../core/target.ts'
import { KEY_WORDS, canBeKey } from '../core/types.ts'
import { quoteName } from '../sql/quote.ts'
import type { Change } from './alter.ts'
import type { Dialect, Relation, StoredColumn } from './dialect.ts'
import { growTable, keyIndex, ownTable, ownTables } from './layout.ts'
import { receiptToJson } from './record.ts'
import { first } from './session.ts'
import { checkReplaced, readState } from './state.ts'
import type { State } from './state.ts'

/** Another ledger in the table's record. Nothing happens when it is the ledger's already. */
export async function takeOver(change: Change, fence: number): Promise<void> {
  const { store, session, table, ledger } = change
  await store.lock(session, table)
  const state = await readState(store, session, table, null)
  if (!state.exists) throw new SluiceError('NOT_FOUND', `There is no table at ${store.uri(table)}.`)
  if (state.ledger === ledger) return
  await session.run('database.adopt', `UPDATE ${store.dialect.own('meta')} SET ledger = $1 WHERE tbl = $2`, [ledger, table])
  await say(change, state, fence, state.rows)
}

async function say({ store, session, table, ledger }: Change, state: State, fence: number, rows: number): Promise<void> {
  const version = (state.version ?? 0) + 1
  const id = `adopted-${version}-${ledger}`
  const receipt: Receipt = { batch: id, version, arrivals: [], evicted: 0, reasons: {}, faults: [], rewritten: 0 }
  const values = [table, version, id, 0, Math.max(fence, (state.lanes.get(0) ?? 0) + 1), state.highest, rows, receiptToJson(receipt)]
  await session.run('database.adopted', `INSERT INTO ${store.dialect.own('batches')} VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, values)
}

/**
 * A table that Sluice did not make: its rows keep place 0, its types, defaults and constraints hold, its other columns are left alone.
 * @throws SluiceError DEFINITION_INVALID when the definition does not fit the table, with what to do
 */
export async function adoptForeign(change: Change, fence: number, definition: Definition): Promise<void> {
  const { store, session, table, ledger } = change
  const { dialect } = store
  await store.lock(session, table)
  const state = await readState(store, session, table, null, true)
  const { relation } = state
  // Made again after a lost answer: it is there.
  if (state.ledger === ledger) return
  if (relation === null || state.definition !== null) throw new SluiceError('BUSY', `${store.uri(table)}: another process took the table over meanwhile.`)
  const spelled = table.slice(table.indexOf('.') + 1)
  if ((relation.name ?? spelled) !== spelled) throw new SluiceError('DEFINITION_INVALID', `${store.uri(table)}: the table is spelled ${relation.name ?? ''}.`, { hint: `Write --into ${table.replace(spelled, relation.name ?? '')}.` })
  refuseAlike(table, definition, state, relation)
  const schema = schemaFor(table, definition, state, relation, dialect)
  dialect.checkOrder(definition, schema)
  const { table: name } = dialect.names(table)
  const columns = growTable(dialect, table, null, schema, relation)
  await dialect.checkStanding?.(session, table, name, schema)
  if (definition.mode === 'replace') await checkReplaced(store, session, table, true)
  await store.makeOwn(session)
  for (const statement of [...ownTables(dialect), ...ownTable(dialect, 'deltas')]) await session.run('database.own', statement)
  await refuseDerived(change)
  await makePlace(change, relation)
  for (const statement of columns) await session.run('database.columns', statement)
  await makeKey(change, definition, schema, relation)
  const rows = Number((await first(session, `SELECT count(*) AS n FROM ${name}`))?.['n'])
  await session.run('database.meta', `INSERT INTO ${dialect.own('meta')} (tbl, format, ledger, definition, schema, adopted) VALUES ($1, $2, $3, $4, $5, $6)`, [table, dialect.format, ledger, JSON.stringify(definition), JSON.stringify(schema), rows])
  await say(change, state, fence, rows)
}

/** The column of places. One that is there is taken only when it is as ours and holds nothing: it may be the user's own. */
async function makePlace({ store, session, table }: Change, relation: Relation): Promise<void> {
  const { dialect } = store
  const { table: name } = dialect.names(table)
  const place = relation.columns.find((column) => fold(column.name) === '_place')
  if (place === undefined) {
    await session.run('database.columns', `ALTER TABLE ${name} ADD COLUMN _place ${dialect.integer}`)
    return
  }
  const refused = (why: string): SluiceError => new SluiceError('TABLE_UNSUPPORTED', `${store.uri(table)} has a column ${place.name} ${why}. Sluice keeps there which record a row is of.`, {
    where: { column: place.name },
    hint: `When it is yours, rename it (ALTER TABLE ${name} RENAME COLUMN ${quoteName(place.name)} TO …); when a Sluice left it whose records are gone, take it out (ALTER TABLE ${name} DROP COLUMN ${quoteName(place.name)}). Then adopt the table.`,
  })
  if (place.name !== '_place' || place.type.toUpperCase() !== dialect.integer || place.generated === true || place.filled === true) throw refused('of its own')
  if ((await first(session, `SELECT 1 AS one FROM ${name} WHERE _place IS NOT NULL LIMIT 1`)) !== undefined) throw refused('with values')
  // Not every database can take the condition away.
  if (place.notNull === true) throw refused('that must not be null')
}

/** What Sluice itself makes anew out of other tables would take the rows with it. */
async function refuseDerived({ store, session, table }: Change): Promise<void> {
  const { dialect, models } = store
  const delta = await first(session, `SELECT tbl FROM ${dialect.own('deltas')} WHERE name = $1`, [dialect.deltaName(table)])
  const model = models !== undefined && (await models.isThere(session)) ? await first(session, `SELECT name FROM ${models.dialect.own} WHERE name = $1`, [table]) : undefined
  if (delta === undefined && model === undefined) return
  const what = model === undefined ? `the delta of ${String(delta?.['tbl'])}, which every load of that table fills anew` : 'the table of a model: it follows from other tables and cannot be loaded'
  throw new SluiceError('TABLE_FOREIGN', `${store.uri(table)} is ${what}.`, { hint: 'Load into a table of its own.' })
}

/** Names are matched without case, and the database may match more closely. */
function refuseAlike(table: string, { columns, key }: Definition, state: State, relation: Relation): void {
  const loaded = new Set([...(columns ?? state.schema).map(({ name }) => fold(name)), ...key.map(fold)])
  const seen = new Map<string, string>()
  for (const { name } of relation.columns) {
    const other = seen.get(fold(name))
    if (other !== undefined && loaded.has(fold(name))) throw new SluiceError('DEFINITION_INVALID', `${table} has the columns ${other} and ${name}: Sluice matches names without case, and cannot tell them apart.`, { where: { column: name }, hint: 'Rename one of them, or leave both out with --columns.' })
    seen.set(fold(name), name)
  }
}

/** The columns that will be loaded. */
function schemaFor(table: string, { columns, key, keep }: Definition, state: State, relation: Relation, dialect: Dialect): Schema {
  const stored = (name: string): StoredColumn | undefined => relation.columns.find((column) => fold(column.name) === fold(name))
  const there = relation.columns.map(({ name, type }) => `${name} ${type}`).join(', ')
  const missing = (columns ?? []).find(({ name }) => stored(name) === undefined)
  if (missing !== undefined) throw new SluiceError('DEFINITION_INVALID', `${table} has no column ${missing.name}. It has ${there}.`, { where: { column: missing.name } })
  const schema = columns ?? withKey(key, state.schema, relation, dialect)
  if (schema.length === 0) throw new SluiceError('DEFINITION_INVALID', `${table}: no column of it says by itself what it is loaded as. It has ${there}.`, { hint: 'Name those that are to be loaded: --columns NAME:TYPE,….' })
  const loaded = new Set(schema.map(({ name }) => fold(name)))
  for (const name of key) {
    const column = findColumn(schema, name)
    if (column !== undefined && canBeKey(column.type)) continue
    const why = stored(name) === undefined ? `${table} has no column ${name}. It has ${there}.` : `--key ${name}: a column of the type ${stored(name)?.type ?? ''} cannot be the key of a load.`
    throw new SluiceError('DEFINITION_INVALID', why, { where: { column: name }, hint: `Types of a key: ${KEY_WORDS}. A column whose type says nothing to Sluice is loaded when --columns names it.` })
  }
  if (keep !== null && 'column' in keep) checkKeepColumn(keep, findColumn(schema, keep.column))
  const needed = relation.columns.find(({ name, notNull, filled, generated }) => notNull === true && filled !== true && generated !== true && name !== '_place' && !loaded.has(fold(name)))
  if (needed !== undefined) {
    throw new SluiceError('DEFINITION_INVALID', `${table}: the column ${needed.name} (${needed.type}) must not be null, has no default, and would not be loaded.`, {
      where: { column: needed.name }, hint: 'Name it in --columns, or give it a default.',
    })
  }
  return schema
}

/** Whoever loads by a column that the database could fill itself gives its values. */
function withKey(key: readonly string[], schema: Schema, relation: Relation, dialect: Dialect): Schema {
  const wanted = new Set(key.map(fold))
  return relation.columns.flatMap(({ name, type, generated }) => {
    const there = findColumn(schema, name)
    const own = there === undefined && wanted.has(fold(name)) && generated !== true ? dialect.typeOf(type) : null
    return there !== undefined ? [there] : own === null ? [] : [{ name, type: own }]
  })
}

/** The unique index on the key, if the table has none. Without indexes its rows are looked at. */
async function makeKey({ store, session, table }: Change, { key }: Definition, schema: Schema, relation: Relation): Promise<void> {
  const columns = key.map((name) => quoteName(findColumn(schema, name)?.name ?? name)).join(', ')
  const repeated = (): SluiceError => new SluiceError('DEFINITION_INVALID', `${table}: its rows are not unique by the key ${key.join(', ')}, so it cannot be loaded by it.`, {
    hint: `Find them with SELECT ${columns} FROM ${store.dialect.names(table).table} GROUP BY ${columns} HAVING count(*) > 1, and leave one of each.`,
  })
  if (!store.dialect.indexes && key.length > 0) {
    if ((await first(session, `SELECT 1 AS one FROM ${store.dialect.names(table).table} GROUP BY ${columns} HAVING count(*) > 1 LIMIT 1`)) !== undefined) throw repeated()
    return
  }
  for (const statement of keyIndex(store.dialect, table, schema, key, relation)) {
    try {
      await session.run('database.index', statement)
    } catch (thrown) {
      throw store.isRepeated(thrown, []) ? repeated() : thrown
    }
  }
}
