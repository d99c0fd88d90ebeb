/**
 * What one commit works on, and its columns as SQL: one expression for each, by where a row lies. In statements `i` and `b` are
 * rows of the batch, winners and losers; `t` is a row of the table, `h` a loser that is kept of before.
 */
import type { Definition, Keep } from '../core/definition.ts'
import { findColumn } from '../core/schema.ts'
import type { Column, Schema } from '../core/schema.ts'
import { balanced, keySql, sameSql } from '../resolve/database.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import type { Incoming, Store, StoredColumn } from './dialect.ts'
import { positions } from './layout.ts'
import type { Rule } from './rules.ts'
import type { DatabaseSession } from './session.ts'
import type { RefusedRow } from './trials.ts'

/** What one commit works on. */
export interface Work {
  store: Store
  session: DatabaseSession
  table: string
  batch: string
  definition: Definition
  /** Of the table, as it is now. */
  schema: Schema
  /** Of the batch. */
  staged: Schema
  incoming: Incoming
  /** A place of the batch is not above all committed ones: losers of its keys may rank above stored rows. */
  late: boolean
  /** The table has no row, and no loser that could rank above one of the batch. */
  fresh: boolean
  /** See `Relation.partitioned`. */
  partitioned: boolean
  /**
   * Made when the first rows are in: sorting keys once is several times faster than adding them one by one to an index that
   * does not fit into the cache.
   */
  indexes: readonly string[]
  watchers: readonly Watcher[]
  /** What the catalog excludes. */
  checks: readonly Check[]
  rules: readonly Rule[]
  /** Of a table that others made, its columns by their place in the schema; empty of one of our own. */
  stored: readonly (StoredColumn | undefined)[]
  /** Rows that trials found, to be put aside, and how many rows this trial writes; null: it is none. */
  known: readonly RefusedRow[]
  trial: number | null
  /** Ranges of places, to be written one after the other: all at once they exclude one another. Absent: in one statement. */
  ranges?: readonly Range[]
  /** Names of the unique indexes on the key, as the database tells them in errors. */
  keyNames: readonly string[]
}

/** From a place to a place, both of them with it. */
export type Range = readonly [bigint, bigint]

/** Who is told of a commit's rows, each time as a relation of the table's columns and `_place`. */
export interface Watcher {
  /** They are about to leave the table. */
  leave(relation: string): Promise<void>
  /** They came, all of them. */
  come(relation: string): Promise<void>
}

/** A rule of the catalog for a column: rows for which `when` holds would be refused. */
export interface Check {
  column: string
  when(value: string): string
  why: string
}

/** Expressions for a work's columns, by where a row lies. */
export interface Shape {
  keep: Keep
  id: string
  /** `alias.c3` or NULL, one per column of the table. */
  staged: (alias: string) => string[]
  /** `alias."name"`. */
  stored: (alias: string) => string[]
  /** Places in the schema of the key, and of the keep column (-1: none). */
  key: number[]
  value: number
}

export function shapeOf(work: Work, keep: Keep): Shape {
  const { schema, definition, store } = work
  const at = positions(schema, work.staged)
  const find = (name: string): number => schema.findIndex((column) => column === findColumn(schema, name))
  return {
    keep,
    id: store.dialect.rowId(schema),
    staged: (alias) => at.map((i) => (i < 0 ? 'NULL' : `${alias}.c${i}`)),
    // Losers have the types of Sluice.
    stored: (alias) => schema.map((column, to) => (alias === 'h' ? `h.${quoteName(column.name)}` : read(work, to, `${alias}.${quoteName(column.name)}`))),
    key: definition.key.map(find),
    value: 'column' in keep ? find(keep.column) : -1,
  }
}

function read({ store, stored }: Work, to: number, expression: string): string {
  const column = stored[to]
  return column === undefined ? expression : (store.dialect.foreign?.read(column, expression) ?? expression)
}

/** Values of a staged row as the table's columns take them. */
export function written({ store, stored }: Work, values: readonly string[]): string[] {
  return values.map((value, to) => {
    const column = stored[to]
    return column === undefined || value === 'NULL' ? value : (store.dialect.foreign?.write(column, value) ?? value)
  })
}

/** The stored row `t` has the key of a staged one. */
export function meets({ store, schema, stored }: Work, staged: readonly string[], key: readonly number[]): string {
  return keySql(key.map((at) => {
    const [column, there] = [`t.${quoteName(schema[at]?.name ?? '')}`, stored[at]]
    return there === undefined ? [column, pick(staged, at)] : (store.dialect.foreign?.met(there, column, pick(staged, at)) ?? [column, pick(staged, at)])
  }))
}

export const pick = (list: readonly string[], i: number): string => list[i] ?? 'NULL'

/** A row as JSON text, null for what is absent. */
export function rowJson({ store, schema }: Pick<Work, 'store' | 'schema'>, values: readonly string[]): string {
  const members = schema.map(({ name, type }, at) => `${quoteText(`${at === 0 ? '{' : ','}${JSON.stringify(name)}:`)} || coalesce(${pick(values, at) === 'NULL' ? 'NULL' : store.dialect.json(type, pick(values, at))}, 'null')`)
  return balanced([...members, `'}'`], '||')
}

export function pairs(a: readonly string[], b: readonly string[], at: readonly number[]): [string, string][] {
  return at.map((i) => [pick(a, i), pick(b, i)])
}

/** Equal content in every column. */
export function same({ store, schema, stored }: Work, a: readonly string[], b: readonly string[]): string {
  const content = (list: readonly string[], at: number): string => (pick(list, at) === 'NULL' ? 'NULL' : store.dialect.content((schema[at] as Column).type, pick(list, at), stored[at]))
  return sameSql(schema.map((_, at) => [content(a, at), content(b, at)]))
}
