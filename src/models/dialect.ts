/**
 * What databases say in different ways, as far as models need it. Everything else that `refresh.ts` writes is SQL which
 * PostgreSQL, DuckDB and SQLite understand alike.
 */
import type { SqlValue } from '../core/effects.ts'

/** A step of a refresh: a statement that changes something, or a question. The target carries it out and answers. */
export type Step = { do: 'run'; point: string; sql: string } | { do: 'rows'; sql: string }
export type Rows = readonly Readonly<Record<string, SqlValue>>[]
/** Rows touched by `run`, or the rows of an answer. */
export type Reply = number | Rows
/** Work that asks for its steps one after another. */
export type Steps<T> = Generator<Step, T, Reply>

export interface ModelDialect {
  /** A table of the user's, as SQL names it. */
  table(name: string): string
  /** Sluice's table of models, and the statements that make it when it is not there. */
  readonly own: string
  readonly makeOwn: readonly string[]
  /** False: a statement that fails ends the whole transaction. */
  readonly savepoints: boolean
  /** False: a key that leaves a unique index and comes back in one transaction is refused. */
  readonly uniqueIndexes: boolean
  /** Makes what a table of this name lies in. */
  room(name: string): Steps<void>
  /** Answers one row if there is a table or view of this name. */
  exists(name: string): string
  /** Answers `name` and `type` of the columns of a table. */
  columns(name: string): string
  /** Answers `version` of a table that Sluice loads, one row or none. */
  version(name: string): string
  /** The UTC day of a column. */
  day(column: string, type: string): string
  /** True where every column is null-free equal to that of a row of `groups` (columns g1, g2, …). */
  within(values: readonly string[], groups: string): string
  /** A column so that equal ones are equal. Of floating point the first digits: the last ones depend on the order of a sum. */
  comparable(column: string, type: string): string
  /** Statements after many rows went into a table, that plans need. */
  settle(table: string): readonly string[]
  /** An index on expressions over a user's table, made when it is not there; null: it is not worth having. */
  index(name: string, table: string, expressions: readonly string[], how?: { unique?: boolean; types?: readonly string[] }): string | null
  /** True when the database refused what the model asks for; false for a full disk, a lost connection and their like. */
  refused(thrown: unknown): boolean
}

export function* run(point: string, sql: string): Steps<number> {
  return (yield { do: 'run', point, sql }) as number
}

export function* rows(sql: string): Steps<Rows> {
  return (yield { do: 'rows', sql }) as Rows
}

/** Carries the steps out. */
export async function drive<T>(steps: Steps<T>, session: { run(point: string, sql: string): Promise<number>; all(sql: string): Promise<Rows> }): Promise<T> {
  for (let next = steps.next(0); ; ) {
    if (next.done === true) return next.value
    let reply: Reply
    try {
      reply = next.value.do === 'run' ? await session.run(next.value.point, next.value.sql) : await session.all(next.value.sql)
    } catch (thrown) {
      next = steps.throw(thrown)
      continue
    }
    next = steps.next(reply)
  }
}
