/**
 * What differs between the databases, as far as the code they share is concerned: names, types, and expressions of values.
 * What a connector has to open, to lock and to bring in is its `Store`.
 */
import type { Definition } from '../core/definition.ts'
import type { Staged } from '../core/engine.ts'
import type { SqlValue } from '../core/effects.ts'
import type { ColumnType, Schema, Value } from '../core/schema.ts'
import type { ModelRoom } from './models.ts'
import type { Rule } from './rules.ts'
import type { DatabaseSession } from './session.ts'
import type { Check } from './work.ts'

/** Sluice's own tables, which all tables of a database share. */
export type OwnTable = 'meta' | 'batches' | 'arrivals' | 'rejects' | 'deltas'

/** A table's parts as they are written in SQL: qualified and quoted. */
export interface Names {
  table: string
  losers: string
  /** `name` as an index is made, `on` as it names its table; absent where keys are not held by indexes. */
  keyIndex?: { name: string; on: string }
  lateIndex?: { name: string; on: string }
}

export interface Dialect {
  /** In messages: PostgreSQL. */
  readonly product: string
  /** Grows when the layout changes so that an older Sluice would read it wrongly. */
  readonly format: number
  /** Type of whole numbers in own tables. */
  readonly integer: 'BIGINT' | 'INTEGER'
  readonly mostColumns: number
  /** What ends a statement that makes a table. */
  readonly ending: string
  /** Are keys held, and rejects found, by indexes? */
  readonly indexes: boolean
  /** Where there are none, a statement that fails ends the transaction. */
  readonly savepoints: boolean
  /** Can it take over tables that others made, and live with columns of theirs? */
  readonly adopts: boolean
  /** Can a table that Sluice made refuse a row of its types? */
  readonly ownRefuse: boolean
  /** A key column, so that it is compared by bytes whatever the table says; absent: keys always are. */
  bytewise?(column: string): string
  /**
   * Where columns may hold values that are none of their type: looks at those of others that are to be loaded.
   * @param name as it is written in SQL
   * @throws SluiceError DEFINITION_INVALID
   */
  checkStanding?(session: DatabaseSession, table: string, name: string, schema: Schema): Promise<void>
  /**
   * Another table whose rows would go, or change, with those of a table that is emptied, and what its foreign key does; null:
   * there is none. Absent: there never is. @param adopted others made the table that is emptied
   */
  dragged?(session: DatabaseSession, table: string, adopted: boolean): Promise<{ child: string; does: string } | null>
  /** Does a row keep its row id when it is updated? */
  readonly idsStay: boolean
  own(table: OwnTable): string
  /**
   * In a group of commits, a column of the one of the highest version. Absent: an index finds the newest commit of a table faster
   * than all of them are looked at.
   */
  ofNewest?(column: string): string
  /** Statements that make an own table, where they are others than those of `layout.ts`. */
  ownTable?(table: OwnTable): readonly string[]
  names(table: string): Names
  /** How the database names a unique index of these columns when it refuses a row; absent: by the name of the index. */
  keyTold?(table: string, columns: readonly string[]): string
  /** The name by which a delta is remembered. */
  deltaName(table: string): string
  /** Type of a column that Sluice makes. */
  sqlType(type: ColumnType): string
  /** The type that a column of somebody else's table has for Sluice; null: none that would keep its values exactly. */
  typeOf(stored: string): ColumnType | null
  /** Type of a column that is to be compared with a stored one, and keeps all values of the type. */
  beside(type: ColumnType, stored: StoredColumn | undefined): string
  /** What the catalog excludes of a type's values; `isKey`: as a column of the key. */
  checks(type: ColumnType, stored: StoredColumn, isKey: boolean): Check[]
  /** Would a column of the database, as its catalog names the type, keep every value of the type exactly? */
  holds(stored: string, type: ColumnType): boolean
  /** What is selected of a column, and the value that its answer stands for. */
  shown(type: ColumnType, expression: string): string
  value(answer: SqlValue | undefined, type: ColumnType): Value
  /** What max and min compare: text by its UTF-8 bytes. */
  ordered(type: ColumnType, expression: string): string
  /** What is compared to tell whether two values are the same. @param stored the column that they are for, of a table of others */
  content(type: ColumnType, expression: string, stored?: StoredColumn): string
  /**
   * For columns of tables that others made, where they have a type of their own: `read` gives the value in the type that
   * Sluice has for it, `write` takes it back, `met` gives both sides of a comparison of a stored and an incoming key. Absent:
   * there are none.
   */
  readonly foreign?: {
    read(stored: StoredColumn, expression: string): string
    write(stored: StoredColumn, expression: string): string
    met(stored: StoredColumn, column: string, value: string): [string, string]
  }
  /** JSON text of a value, null for null. */
  json(type: ColumnType, expression: string): string
  /** The name by which a row can be found again within a transaction that has not changed it. */
  rowId(schema: Schema): string
  /** What this database cannot compare exactly. @throws SluiceError TABLE_UNSUPPORTED */
  checkOrder(definition: Definition, schema: Schema): void
}

/** A column as the catalog tells it. */
export interface StoredColumn {
  name: string
  type: string
  /** Quoted name of the collation of a text, where the database has such. */
  collation?: string
  notNull?: boolean
  /** Filled by the database when it is not given. */
  filled?: boolean
  /** Made by the database alone. */
  generated?: boolean
}

/** A relation of the database, whoever made it. */
export interface Relation {
  /** `table`, or what it is instead. */
  kind: string
  /** As it is spelled, where names are matched without case. */
  name?: string
  /** Why a table of others cannot be loaded; absent: it can. */
  unfit?: string
  /** Its rows lie in several relations, so a row id alone may be that of several rows. */
  partitioned?: boolean
  columns: readonly StoredColumn[]
  /** Unique indexes that hold for all rows. */
  uniques: readonly { name: string; columns: readonly string[] }[]
  /** Where there are no savepoints: what the catalog asks of a row as a whole. */
  rules?: readonly Rule[]
}

/** A staged batch as relations of a session; their columns: `place`, then `c0`, `c1`, … of the staged schema. */
export interface Incoming {
  /** Winners, one per key. Null until `bring` was called: they may still be filled into an empty table directly. */
  readonly winners: string
  /** Losers within the batch; null: there are none. */
  readonly beaten: string | null
  /** Rejects: place and REJECT_COLUMNS; null: there are none. */
  readonly aside: string | null
  /** Rows that the database cannot hold: they are among `aside`, and not among the others. */
  readonly refused: number
  /** Makes `winners`, if that has not been done. */
  bring(): Promise<void>
  /** Makes `beaten` rows that can be taken out, if it is not that already. */
  loosen?(): Promise<void>
  /**
   * Fills an empty table with the winners, in one step: their columns `at` (indexes of the staged schema) into the columns
   * `into`, places into `_place`. Absent: the database has no such step.
   */
  fill?(point: string, table: string, into: readonly string[], at: readonly number[]): Promise<void>
}

/** A database with tables of Sluice. */
export interface Store {
  readonly dialect: Dialect
  /** Where it is, for messages; no password. */
  readonly location: string
  uri(table: string): string
  /** @throws SluiceError TARGET_INVALID for a name that belongs to somebody else */
  checkName(table: string): void
  /** A session to look with; null: there is no database yet. */
  reading(): Promise<DatabaseSession | null>
  /** @param table that `lock` will be asked for; without one nothing is loaded */
  writing(signal?: AbortSignal, table?: string): Promise<DatabaseSession>
  /** The first of a transaction: nobody else commits to this table until it ends. */
  lock(session: DatabaseSession, table: string): Promise<void>
  /** Are Sluice's own tables there? */
  hasOwn(session: DatabaseSession): Promise<boolean>
  /** Makes what own tables lie in. */
  makeOwn(session: DatabaseSession): Promise<void>
  /** Makes what the table will lie in. */
  makeRoom(session: DatabaseSession, table: string): Promise<void>
  relation(session: DatabaseSession, table: string): Promise<Relation | null>
  /** Puts the batch at hand, before the table is locked. @param fresh the table seems to be empty */
  bringIn(session: DatabaseSession, table: string, staged: Staged, fresh: boolean, signal: AbortSignal | undefined): Promise<Incoming>
  /** Makes durable what was found committed. */
  settle(): Promise<void>
  /** Releases what is kept between calls. */
  close(): Promise<void>
  /** Of a session whose statement failed: was a row refused because its key is there already? @param keys names of indexes */
  isRepeated(thrown: unknown, keys: readonly string[]): boolean
  /** Was a row refused for another reason? Then what the database says of it; else null. */
  refusal(thrown: unknown, keys: readonly string[]): string | null
  /** What the database finds wrong with itself. Absent: it cannot say. */
  inspect?(session: DatabaseSession): Promise<string[]>
  /** What it says when it cannot read itself any more; null: something else was thrown. */
  damage?(thrown: unknown): string | null
  /** Absent: it keeps no models. */
  readonly models?: ModelRoom
}
