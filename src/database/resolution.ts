/**
 * Decides a batch against the stored rows and writes what follows from it; all inside the caller's transaction.
 *
 *   decide   _sluice_decided: one row per winner of the batch, with the stored row of its key and its outcome
 *   losers   stored rows that will be replaced → losers (keep error: rejects)
 *   update   in place
 *   insert   new keys
 *   losers   winners that lost against stored rows, and losers within the batch, against the final winner
 * Into an empty table there is nothing to decide: winners are filled in as they are.
 */
import { SluiceError } from '../core/errors.ts'
import { tampering } from '../core/failpoint.ts'
import type { Column } from '../core/schema.ts'
import { RAW_LIMIT } from '../core/target.ts'
import { beatsSql, keySql, lostSql, outcomeSql } from '../resolve/database.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { columnList, positions } from './layout.ts'
import { first, total } from './session.ts'
import type { Count, DatabaseSession } from './session.ts'
import { meets, pairs, pick, rowJson, same, shapeOf, written } from './work.ts'
import type { Range, Shape, Work } from './work.ts'

/** Rows as the database counted them. */
export interface Changes {
  inserted: readonly Count[]
  updated: readonly Count[]
  /** By outcome: duplicate, stale, replaced. */
  losers: readonly Count[]
  /** KEY_REPEATED, by whether the row was evicted from the table (`1`) or never came in (`0`). */
  repeated: readonly Count[]
}

export const DECIDED = '_sluice_decided'

export async function writeRows(work: Work): Promise<Changes> {
  const keep = work.definition.keep
  if (keep === null) {
    const inserted = work.fresh ? await fillIn(work) : await insertAll(work)
    await tellCome(work, work.fresh ? work.store.dialect.names(work.table).table : cameRows(work, `${work.incoming.winners} i`))
    return { inserted, updated: [], losers: [], repeated: [] }
  }
  return resolve(work, shapeOf(work, keep))
}

async function tellCome({ watchers }: Work, relation: string): Promise<void> {
  for (const watcher of watchers) await watcher.come(relation)
}

/** Every winner as a new row. */
async function insertAll(work: Work): Promise<readonly Count[]> {
  const { incoming, session } = work
  await incoming.bring()
  await tamperTable(session, 'resolve', incoming.winners)
  if (work.ranges !== undefined) await indexPlaces(work, [incoming.winners])
  const inserted: Count[] = []
  for (const range of work.ranges ?? [null]) inserted.push(...(await insert(work, winnerRows(work, range))))
  return inserted
}

function winnerRows(work: Work, range: Range | null): string {
  const columns = written(work, positions(work.schema, work.staged).map((i) => (i < 0 ? 'NULL' : `i.c${i}`)))
  return `SELECT ${[...columns, 'i.place'].join(', ')} FROM ${work.incoming.winners} i${range === null ? '' : ` WHERE i.place BETWEEN ${range[0]} AND ${range[1]}`}`
}

/** Before a batch is written in many ranges of its places. */
export async function indexPlaces({ session }: Work, tables: readonly string[]): Promise<void> {
  for (const table of tables) await session.run('database.search', `CREATE INDEX ${quoteName(`${table}_at`)} ON ${table} (place)`)
}

/** The winners into an empty table; what stands there afterwards is what came in. */
async function fillIn(work: Work): Promise<readonly Count[]> {
  const { store, session, table, incoming } = work
  if (incoming.fill === undefined || incoming.refused > 0 || work.checks.length + work.rules.length + work.known.length > 0 || tampering('resolve') !== null || tampering('write') !== null) return insertAll(work)
  const at = positions(work.schema, work.staged)
  const there = at.flatMap((i, to) => (i < 0 ? [] : [{ i, name: work.schema[to]?.name ?? '' }]))
  await incoming.fill('database.fill', store.dialect.names(table).table, there.map(({ name }) => name), there.map(({ i }) => i))
  const rows = await session.all(`SELECT _place >> 32 AS seq, count(*) AS n FROM ${store.dialect.names(table).table} GROUP BY 1`)
  return rows.map((row) => ({ seq: Number(row['seq']), what: '', n: Number(row['n']) }))
}

/** Winners `i` as rows of the table. */
function cameRows(work: Work, from: string): string {
  const { schema, staged, store } = work
  const at = positions(schema, staged).map((i, to) => (i < 0 ? `CAST(NULL AS ${store.dialect.sqlType((schema[to] as Column).type).replace(/ COLLATE .*/, '')})` : `i.c${i}`))
  const values = written(work, at).map((value, to) => `${value} AS ${quoteName((schema[to] as Column).name)}`)
  return `(SELECT ${[...values, 'i.place AS _place'].join(', ')} FROM ${from})`
}

/** @param select columns of the table in order, then the place */
function insert({ store, session, table, schema, stored }: Work, select: string): Promise<Count[]> {
  const into = store.dialect.names(table).table
  return session.write({ point: 'database.insert', foreign: stored.length > 0, into, place: '_place', id: store.dialect.rowId(schema), sql: `INSERT INTO ${into} (${columnList(schema)}) ${tampered(select)}` })
}

/** Proves that the balance can fail: one row less or one more when a test asks for it. */
function tampered(select: string): string {
  const how = tampering('write')
  if (how === null) return select
  return how === 'drop' ? `SELECT * FROM (${select}) x LIMIT 1000000 OFFSET 1` : `${select} UNION ALL SELECT * FROM (${select} LIMIT 1) x`
}

async function resolve(work: Work, shape: Shape): Promise<Changes> {
  const { store, session, incoming, indexes } = work
  const { key } = shape
  if (key.some((i) => i < 0)) {
    await incoming.bring()
    if ((await first(session, `SELECT 1 AS one FROM ${incoming.winners} LIMIT 1`)) === undefined) return { inserted: [], updated: [], losers: [], repeated: [] }
    throw new SluiceError('KEY_UNKNOWN', `The batch has no column for the key ${work.definition.key.join(', ')} of ${work.table}.`)
  }
  const losers: Count[] = []
  const repeated: Count[] = []
  const inserted: Count[] = []
  const updated: Count[] = []
  const { table } = store.dialect.names(work.table)
  if (work.fresh) {
    inserted.push(...(await fillIn(work)))
    await tellCome(work, table)
    for (const statement of indexes) await session.run('database.index', statement)
  } else {
    await incoming.bring()
    await decide(work, shape)
    const joined = `${DECIDED} d JOIN ${incoming.winners} i ON i.place = d.place`
    const met = `${DECIDED} d JOIN ${incoming.winners} i ON i.place = d.place JOIN ${table} t ON ${metSql(work, shape)}`
    const leaving = `${work.partitioned ? met : `${DECIDED} d JOIN ${table} t ON t.${shape.id} = d.target`} WHERE d.outcome = 'updated'`
    for (const watcher of work.watchers) await watcher.leave(`(SELECT t.* FROM ${leaving})`)
    if (shape.keep.rule === 'error') repeated.push(...(await putAside(work, shape, shape.stored('t'), 't._place', 'i.place', `${met} WHERE d.outcome = 'updated'`, true)))
    else losers.push(...(await lose(work, shape.stored('t'), 't._place', `'replaced'`, leaving)))
    if (work.ranges !== undefined) await indexPlaces(work, [DECIDED, incoming.winners])
    for (const range of work.ranges ?? [null]) {
      updated.push(...(await update(work, shape, range)))
      inserted.push(...(await insert(work, newRows(work, shape, range))))
    }
    await tellCome(work, cameRows(work, `${joined} WHERE d.outcome IN ('inserted', 'updated')`))
    for (const statement of indexes) await session.run('database.index', statement)
    losers.push(...(await lose(work, shape.staged('i'), 'i.place', 'd.outcome', `${joined} WHERE d.outcome IN ('duplicate', 'stale')`)))
    if (shape.keep.rule === 'error') {
      const against = `${DECIDED} d JOIN ${incoming.winners} i ON i.place = d.place JOIN ${table} t ON ${meets(work, shape.staged('i'), key)}`
      repeated.push(...(await putAside(work, shape, shape.staged('i'), 'i.place', 't._place', `${against} WHERE d.outcome = 'KEY_REPEATED'`, false)))
    }
    await session.run('database.forget', `DROP TABLE ${DECIDED}`)
  }
  await beaten(work, shape, losers, repeated)
  return { inserted, updated, losers, repeated }
}

/** The stored row `t` that was met by the winner `i`. In parts of a table row ids are the same, keys are not. */
function metSql(work: Work, shape: Shape): string {
  const key = work.partitioned ? ` AND ${meets(work, shape.staged('i'), shape.key)}` : ''
  return `t.${shape.id} = d.target${key}`
}

const within = (range: Range | null): string => (range === null ? '' : ` AND d.place BETWEEN ${range[0]} AND ${range[1]}`)

function newRows(work: Work, shape: Shape, range: Range | null): string {
  return `SELECT ${[...written(work, shape.staged('i')), 'i.place'].join(', ')} FROM ${DECIDED} d JOIN ${work.incoming.winners} i ON i.place = d.place WHERE d.outcome = 'inserted'${within(range)}`
}

/** Decides the whole batch and writes nothing. */
export async function decideAll(work: Work): Promise<void> {
  const keep = work.definition.keep
  if (keep !== null) await decide(work, shapeOf(work, keep))
}

/** Writes the rows of a range of places as they are decided: to find out whether the database takes them. */
export async function writeRange(work: Work, range: Range): Promise<void> {
  const { keep } = work.definition
  if (keep === null) {
    await insert(work, winnerRows(work, range))
    return
  }
  const shape = shapeOf(work, keep)
  await update(work, shape, range)
  await insert(work, newRows(work, shape, range))
}

/** Losers within the batch, classified against the row that stands now. */
async function beaten(work: Work, shape: Shape, losers: Count[], repeated: Count[]): Promise<void> {
  const { store, incoming } = work
  if (incoming.beaten === null) return
  const [b, t] = [shape.staged('b'), shape.stored('t')]
  const from = `${incoming.beaten} b JOIN ${store.dialect.names(work.table).table} t ON ${meets(work, b, shape.key)}`
  const outcome = lostSql(shape.keep, same(work, b, t))
  if (shape.keep.rule !== 'error') {
    losers.push(...(await lose(work, b, 'b.place', outcome, from)))
    return
  }
  losers.push(...(await lose(work, b, 'b.place', outcome, `${from} WHERE ${same(work, b, t)}`)))
  repeated.push(...(await putAside(work, shape, b, 'b.place', 't._place', `${from} WHERE NOT ${same(work, b, t)}`, false)))
}

/** One row per winner of the batch: the stored row of its key, and what becomes of it. */
async function decide(work: Work, shape: Shape): Promise<void> {
  const { store, session, schema, incoming } = work
  const { table, losers } = store.dialect.names(work.table)
  const [i, t, h] = [shape.staged('i'), shape.stored('t'), shape.stored('h')]
  const side = (list: readonly string[], place: string): { value: string; place: string } => {
    const column = schema[shape.value]
    return { value: column === undefined ? 'NULL' : store.dialect.ordered(column.type, pick(list, shape.value)), place }
  }
  const incomingSide = side(i, 'i.place')
  // Rows of other writers have no place: they are older than every record.
  let wins = beatsSql(shape.keep, incomingSide, side(t, 'coalesce(t._place, 0)'))
  if (work.late) {
    // The effective rank: a kept loser of equal content may rank above the stored row, for equal rows are not rewritten.
    wins = `(${wins} AND NOT EXISTS (SELECT 1 FROM ${losers} h WHERE ${keySql(pairs(h, i, shape.key))} AND ${beatsSql(shape.keep, side(h, 'h._place'), incomingSide)}))`
  }
  const outcome = outcomeSql(shape.keep, `t.${shape.id}`, wins, same(work, i, t))
  await session.run('database.decide', `CREATE TEMP TABLE ${DECIDED} AS SELECT i.place AS place, t.${shape.id} AS target, ${outcome} AS outcome FROM ${incoming.winners} i LEFT JOIN ${table} t ON ${meets(work, i, shape.key)}`)
  await tamperTable(session, 'resolve', DECIDED)
}

function update(work: Work, shape: Shape, range: Range | null): Promise<Count[]> {
  const { store, session, table, schema, incoming } = work
  const i = written(work, shape.staged('i'))
  const into = store.dialect.names(table).table
  const changed = schema.map((column, at) => ({ name: quoteName(column.name), at })).filter(({ at }) => !shape.key.includes(at))
  const assignments = [...changed.map(({ name, at }) => `${name} = ${pick(i, at)}`), '_place = i.place'].join(', ')
  const sql = `UPDATE ${into} AS t SET ${assignments} FROM ${DECIDED} d, ${incoming.winners} i WHERE d.outcome = 'updated' AND i.place = d.place AND ${metSql(work, shape)}${within(range)}`
  const [id, of] = [`t.${shape.id}`, `FROM ${DECIDED} d WHERE d.outcome = 'updated'${within(range)}`]
  // By the row id only these rows are looked at, and not the whole table.
  const standing = store.dialect.idsStay ? `(${id}, t._place) IN (SELECT target, place ${of})` : `t._place IN (SELECT place ${of})`
  return session.write({ point: 'database.update', foreign: work.stored.length > 0, sql, into, place: '_place', standing })
}

/** Rows into the losers. */
function lose({ store, session, table, batch, schema }: Work, values: readonly string[], place: string, outcome: string, from: string): Promise<Count[]> {
  const into = store.dialect.names(table).losers
  const rows = tampered(`SELECT ${[...values, `coalesce(${place}, 0)`].join(', ')}, ${quoteText(batch)}, ${outcome} FROM ${from}`)
  const sql = `INSERT INTO ${into} (${columnList(schema)}, _sluice_batch, _sluice_outcome) ${rows}`
  return session.write({ point: 'database.losers', sql, into, place: '_place', what: '_sluice_outcome', id: store.dialect.rowId(schema) })
}

/** Rows into the rejects, as KEY_REPEATED. */
function putAside(work: Work, shape: Shape, values: readonly string[], place: string, winner: string, from: string, evicted: boolean): Promise<Count[]> {
  const { store, session, schema, table, batch } = work
  const { own, shown } = store.dialect
  const into = own('rejects')
  const names = work.definition.key.join(', ')
  const shownText = (at: number): string => `coalesce(CAST(${shown((schema[at] as Column).type, pick(values, at))} AS TEXT), '')`
  const key = shape.key.map(shownText).join(` || ', ' || `)
  const record = `${quoteText(` ${evicted ? 'came' : 'is taken'} with other content ${evicted ? 'late, but from a lower place' : 'by an earlier record'}: arrival `)} || CAST(${winner} >> 32 AS TEXT) || ', row ' || CAST(${winner} & 4294967295 AS TEXT) || '.'`
  // Rows of other writers have no place.
  const said = `${quoteText(`${names} = `)} || ${key} || CASE WHEN coalesce(${winner}, 0) = 0 THEN ' is taken with other content by a row that was in the table before.' ELSE ${record} END`
  const select = `SELECT ${[quoteText(table), quoteText(batch), `coalesce(${place}, 0)`, 'NULL', `'KEY_REPEATED'`, quoteText(names), key, said, `substr(${rowJson(work, values)}, 1, ${RAW_LIMIT})`, evicted ? '1' : '0'].join(', ')} FROM ${from}`
  const sql = `INSERT INTO ${into} (tbl, batch, place, "offset", code, "column", value, message, raw, evicted) ${select}`
  return session.write({ point: 'database.rejects', sql, into, place: 'place', what: 'evicted' })
}

/** Proves that the balance can fail: loses or doubles one row when a test asks for it. */
async function tamperTable(session: DatabaseSession, point: string, table: string): Promise<void> {
  const how = tampering(point)
  if (how === null) return
  const one = `place = (SELECT max(place) FROM ${table})`
  await session.run('database.tamper', how === 'drop' ? `DELETE FROM ${table} WHERE ${one}` : `INSERT INTO ${table} SELECT * FROM ${table} WHERE ${one}`)
}

/** Did every stored row that was updated go to the losers or to the rejects? */
export function replacedRows({ losers, repeated }: Changes): { replaced: number; evicted: number } {
  return { replaced: total(losers, 'replaced'), evicted: total(repeated, '1') }
}
