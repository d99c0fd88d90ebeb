/**
 * Decides a batch against the stored rows and writes what follows from it; all inside the caller's transaction.
 *
 *   decide   temp._sluice_decided: one row per winner of the batch, with the stored row of its key and its outcome
 *   losers   stored rows that will be replaced → losers (keep error: rejects)
 *   update   in place: a row keeps its row number
 *   insert   in place order, above all row numbers there were: so new rows can be counted without a scan
 *   losers   winners that lost against stored rows, and losers within the batch, against the final winner
 */
import type { Definition, Keep } from '../../core/definition.ts'
import { SluiceError } from '../../core/errors.ts'
import { rowOf, seqOf } from '../../core/place.ts'
import { findColumn } from '../../core/schema.ts'
import type { Row, Schema } from '../../core/schema.ts'
import { beatsSql, keySql, lostSql, outcomeSql, sameSql } from '../../resolve/sqlite.ts'
import { quoteName } from '../../sql/quote.ts'
import type { SqliteSession } from '../../sql/sqlite.ts'
import { tamperRow } from './incoming.ts'
import { namesOf, positions, rowFromSql, rowNumber, rowSelect } from './layout.ts'
import { rowToJson } from './record.ts'

/** What one commit works on. */
export interface Work {
  session: SqliteSession
  table: string
  batch: string
  definition: Definition
  /** Of the table, as it is now. */
  schema: Schema
  /** Of the batch. */
  staged: Schema
  /** A place of the batch is not above all committed ones: losers of its keys may rank above stored rows. */
  late: boolean
  /**
   * Made when the first rows are in: sorting keys once is several times faster than adding them one by one to an index that
   * does not fit into the cache (a commit of 2 million keys without order on a busy machine: 20 s instead of 51 s).
   */
  indexes: readonly string[]
  /** Told the rows that are about to leave the table, and those that came: a relation of the table's columns. */
  touched?: (relation: string) => void
}

/** Highest row numbers before the commit; and what the statements say they changed. */
export interface Marks {
  rows: bigint
  losers: bigint
  rejects: bigint
}
export interface Changes {
  inserted: number
  updated: number
}

const REJECT = `INSERT INTO main._sluice_rejects (tbl, batch, place, offset, code, "column", value, message, raw, evicted) VALUES (?, ?, ?, NULL, 'KEY_REPEATED', ?, ?, ?, ?, ?)`

/** Expressions for a work's columns, by where a row lies. */
interface Shape {
  keep: Keep
  /** The row number of the user's table (`rowid`, unless a column hides it). */
  id: string
  /** `alias.c3` or NULL, one per column of the table. */
  staged: (alias: string) => string[]
  /** `alias."name"`. */
  stored: (alias: string) => string[]
  /** Places in the schema of the key, and of the keep column (-1: none). */
  key: number[]
  value: number
}

function shapeOf(work: Work, keep: Keep): Shape {
  const { schema, definition } = work
  const at = positions(schema, work.staged)
  const find = (name: string): number => schema.findIndex((column) => column === findColumn(schema, name))
  const key = definition.key.map(find)
  return {
    keep,
    id: rowNumber(schema),
    staged: (alias) => at.map((i) => (i < 0 ? 'NULL' : `${alias}.c${i}`)),
    stored: (alias) => schema.map((column) => `${alias}.${quoteName(column.name)}`),
    key,
    value: 'column' in keep ? find(keep.column) : -1,
  }
}

const pick = (list: readonly string[], i: number): string => list[i] ?? 'NULL'
const pairs = (a: readonly string[], b: readonly string[], at: readonly number[]): [string, string][] => at.map((i) => [pick(a, i), pick(b, i)])

export function writeRows(work: Work, marks: Marks): Changes {
  const keep = work.definition.keep
  const changes = keep === null ? append(work) : resolve(work, shapeOf(work, keep))
  const { table, losers } = namesOf(work.table)
  const id = rowNumber(work.schema)
  work.touched?.(`(SELECT * FROM ${table} WHERE ${id} > ${marks.rows})`)
  if (!tamperRow(work.session, 'write', table, id, marks.rows)) tamperRow(work.session, 'write', losers, id, marks.losers)
  return changes
}

function append({ session, table, schema, staged }: Work): Changes {
  tamperRow(session, 'resolve', 'temp._sluice_incoming')
  const columns = positions(schema, staged).map((i) => (i < 0 ? 'NULL' : `i.c${i}`))
  const inserted = session.run('sqlite.insert', `INSERT INTO ${namesOf(table).table} (${columnList(schema)}) SELECT ${[...columns, 'i.place'].join(', ')} FROM temp._sluice_incoming i ORDER BY i.rowid`)
  return { inserted, updated: 0 }
}

function columnList(schema: Schema): string {
  return [...schema.map((column) => quoteName(column.name)), '_place'].join(', ')
}

function resolve(work: Work, shape: Shape): Changes {
  const { session, schema } = work
  if (shape.key.some((i) => i < 0)) {
    if (session.get('SELECT 1 FROM temp._sluice_incoming LIMIT 1') === undefined) return { inserted: 0, updated: 0 }
    throw new SluiceError('KEY_UNKNOWN', `The batch has no column for the key ${work.definition.key.join(', ')} of ${work.table}.`)
  }
  const { table, losers } = namesOf(work.table)
  const [i, t] = [shape.staged('i'), shape.stored('t')]
  decide(work, shape)
  const joined = `temp._sluice_decided d CROSS JOIN temp._sluice_incoming i ON i.rowid = d.row`
  const loserColumns = `${columnList(schema)}, _sluice_batch, _sluice_outcome`
  // Stored rows leave before they are overwritten.
  const replaced = `(SELECT t.* FROM temp._sluice_decided d CROSS JOIN ${table} t ON t.${shape.id} = d.target WHERE d.outcome = 'updated')`
  work.touched?.(replaced)
  const leaving = `${joined} CROSS JOIN ${table} t ON t.${shape.id} = d.target WHERE d.outcome = 'updated' ORDER BY d.rowid`
  if (shape.keep.rule === 'error') putAside(work, shape, `SELECT ${rowSelect(schema, 't')}, i.place AS winner FROM ${leaving}`, true)
  else session.run('sqlite.replaced', `INSERT INTO ${losers} (${loserColumns}) SELECT ${[...t, 't._place'].join(', ')}, ?, 'replaced' FROM ${leaving}`, [work.batch])

  const changed = schema.map((column, at) => ({ name: quoteName(column.name), at })).filter(({ at }) => !shape.key.includes(at))
  const assignments = [...changed.map(({ name, at }) => `${name} = ${pick(i, at)}`), '_place = i.place'].join(', ')
  const updated = session.run('sqlite.update', `UPDATE ${table} AS t SET ${assignments} FROM temp._sluice_decided d, temp._sluice_incoming i WHERE d.outcome = 'updated' AND i.rowid = d.row AND t.${shape.id} = d.target`)
  work.touched?.(replaced)
  const inserted = session.run('sqlite.insert', `INSERT INTO ${table} (${columnList(schema)}) SELECT ${[...i, 'i.place'].join(', ')} FROM ${joined} WHERE d.outcome = 'inserted' ORDER BY d.rowid`)
  // Two rows of one key, should there be any, are found here.
  for (const statement of work.indexes) session.exec('sqlite.index', statement)

  session.run('sqlite.losers', `INSERT INTO ${losers} (${loserColumns}) SELECT ${[...i, 'i.place'].join(', ')}, ?, d.outcome FROM ${joined} WHERE d.outcome IN ('duplicate', 'stale') ORDER BY d.rowid`, [work.batch])
  const b = shape.staged('b')
  const all = schema.map((_, at) => at)
  const beaten = `temp._sluice_beaten b CROSS JOIN ${table} t ON ${keySql(pairs(b, t, shape.key))}`
  const outcome = lostSql(shape.keep, sameSql(pairs(b, t, all)))
  session.run('sqlite.beaten', `INSERT INTO ${losers} (${loserColumns}) SELECT ${[...b, 'b.place'].join(', ')}, ?, ${outcome} FROM ${beaten} WHERE ${outcome} <> 'KEY_REPEATED' ORDER BY b.rowid`, [work.batch])
  if (shape.keep.rule === 'error') {
    const named = (values: readonly string[], place: string): string => [...values.map((value, at) => `${value} AS c${at}`), `${place} AS place`, 't._place AS winner'].join(', ')
    putAside(work, shape, `SELECT ${named(i, 'i.place')} FROM ${joined} CROSS JOIN ${table} t ON t.${shape.id} = d.target WHERE d.outcome = 'KEY_REPEATED' ORDER BY d.rowid`, false)
    putAside(work, shape, `SELECT ${named(b, 'b.place')} FROM ${beaten} WHERE ${outcome} = 'KEY_REPEATED' ORDER BY b.rowid`, false)
  }
  return { inserted, updated }
}

/** One row per winner of the batch: the stored row of its key, and what becomes of it. */
function decide(work: Work, shape: Shape): void {
  const { session, schema } = work
  const { table, losers } = namesOf(work.table)
  const [i, t, h] = [shape.staged('i'), shape.stored('t'), shape.stored('h')]
  const side = (list: readonly string[], place: string): { value: string; place: string } => ({ value: pick(list, shape.value), place })
  const incoming = side(i, 'i.place')
  let wins = beatsSql(shape.keep, incoming, side(t, 't._place'))
  if (work.late) {
    // The effective rank: a kept loser of equal content may rank above the stored row, for equal rows are not rewritten.
    wins = `(${wins} AND NOT EXISTS (SELECT 1 FROM ${losers} h WHERE ${keySql(pairs(h, i, shape.key))} AND ${beatsSql(shape.keep, side(h, 'h._place'), incoming)}))`
  }
  const outcome = outcomeSql(shape.keep, `t.${shape.id}`, wins, sameSql(pairs(i, t, schema.map((_, at) => at))))
  session.exec('sqlite.decided', 'CREATE TABLE temp._sluice_decided (row INTEGER NOT NULL, target INTEGER, outcome TEXT NOT NULL) STRICT')
  session.run('sqlite.decide', `INSERT INTO temp._sluice_decided SELECT i.rowid, t.${shape.id}, ${outcome} FROM temp._sluice_incoming i LEFT JOIN ${table} t ON ${keySql(pairs(t, i, shape.key))} ORDER BY i.rowid`)
  tamperRow(session, 'resolve', 'temp._sluice_decided')
}

/** Writes rows (c0 …, place, winner) to the rejects as KEY_REPEATED. */
function putAside(work: Work, shape: Shape, select: string, evicted: boolean): void {
  const column = work.definition.key.join(', ')
  for (const stored of work.session.iterate(select)) {
    const row = rowFromSql(stored, work.schema)
    const place = row[work.schema.length] as bigint
    const key = keyText(row, shape.key)
    const winner = BigInt(stored['winner'] as bigint)
    const said = `${column} = ${key} ${evicted ? 'came' : 'is taken'} with other content ${evicted ? 'late, but from a lower place' : 'by an earlier record'}: arrival ${seqOf(winner)}, row ${rowOf(winner)}.`
    work.session.run('sqlite.rejects', REJECT, [work.table, work.batch, place, column, key, said, rowToJson(row, work.schema), evicted ? 1 : 0])
  }
}

function keyText(row: Row, key: readonly number[]): string {
  return key.map((i) => String(row[i] ?? '')).join(', ')
}
