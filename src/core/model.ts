/**
 * What a model is: a table that a SELECT makes of other tables of a target, kept up to date with them.
 *
 * Its table is a function of its inputs, so recomputing it twice is recomputing it once, whoever does it.
 */

/** One column that tells the groups of a model apart: in its inputs, and in its result. */
export interface GroupColumn {
  input: string
  output: string
}

/** How a model is recomputed by parts: rows of a group of the result come from rows of that group alone. */
export interface Grouping {
  /** `value`: the columns themselves; `day`: the UTC day of the one column. */
  by: 'value' | 'day'
  columns: readonly GroupColumn[]
  /** The inputs that have these columns. A change of any other input recomputes all. */
  of: readonly string[]
}

export interface Model {
  /** The table that it makes. */
  name: string
  /** Tables and other models that it reads. */
  inputs: readonly string[]
  /** Unique columns of the result; empty: none are promised. */
  key: readonly string[]
  /** Null: always recomputed as a whole. */
  grouping: Grouping | null
  /** One SELECT. */
  sql: string
  /** SHA-256 of everything above: another hash, another model. */
  hash: string
  /** Where it is written, for messages. */
  path: string
}

export type ModelCondition =
  /** It holds what its inputs hold. */
  | 'fresh'
  /** Its inputs or its definition went on without it. */
  | 'stale'
  /** The database refused its SQL; its rows are those of before. */
  | 'failed'
  /** An input is not there yet. */
  | 'waiting'
  /** Written down, and never run. */
  | 'new'

/** What became of a model in one refresh. */
export interface ModelOutcome {
  name: string
  state: 'fresh' | 'failed' | 'waiting'
  /** none: there was nothing to do. */
  how: 'full' | 'groups' | 'none'
  /** Groups that were recomputed; of `full` null. */
  groups: number | null
  rows: number | null
  /** Why it failed or waits. */
  message: string | null
  /** Milliseconds that it took; absent: there was nothing to do, or nobody asked. */
  ms?: number
}

/** What a target remembers of a model. */
export interface ModelState {
  name: string
  state: ModelCondition
  hash: string
  /** Null: there is no table yet. */
  rows: number | null
  /** `held`: version of the input that its rows come from; `now`: that the input has. */
  inputs: readonly { name: string; held: number | null; now: number | null }[]
  /** Milliseconds since 1970; null: never. */
  refreshed: number | null
  message: string | null
}

/** What a refresh is told. */
export interface ModelWork {
  /** In the order of their dependencies. */
  models: readonly Model[]
  /** Milliseconds since 1970. */
  now: number
  /** Recompute all of them as a whole, changed or not. */
  full?: boolean
  /** Try those again that failed on the same inputs. */
  retry?: boolean
  /** Milliseconds from any beginning, for `ms` of what becomes of them. */
  clock?: () => number
}
