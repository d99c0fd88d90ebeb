/**
 * What arrived and is not in the table: members that the declared columns do not name, values that do not fit their
 * column; and what may be changed so that they would be.
 */
import type { Definition } from './definition.ts'
import { SluiceError } from './errors.ts'
import { findColumn } from './schema.ts'
import type { Column, Schema } from './schema.ts'
import { isNested, isString } from './types.ts'
import type { ColumnType } from './types.ts'

/** Examples that are kept of one member, and of one column. */
export const MOST_EXAMPLES = 3

/** A member that was left out of committed batches. Inside of structs: its path. */
export interface LeftOut {
  member: string
  /** Records that had a value of it. */
  records: number
  /** The narrowest type that holds all its values; null: a member of a struct, of which no values are kept. */
  type: ColumnType | null
  /** Place of the first record that had it, as text. */
  place: string
  examples: readonly string[]
  /** While a batch is split: kinds of values that were seen, see `formats/typing/infer.ts`. */
  flags?: number
}

/** Both, as if they were one. A type that they do not agree on is text, or JSON. */
export function joined(a: LeftOut | undefined, b: LeftOut): LeftOut {
  if (a === undefined) return b
  const first = BigInt(a.place) <= BigInt(b.place) ? a : b
  const examples = [...new Set([...a.examples, ...b.examples])].slice(0, MOST_EXAMPLES)
  const flags = a.flags === undefined || b.flags === undefined ? {} : { flags: a.flags | b.flags }
  return { member: a.member, records: a.records + b.records, type: widest(a.type, b.type), place: first.place, examples, ...flags }
}

function widest(a: ColumnType | null, b: ColumnType | null): ColumnType | null {
  if (a === null || b === null || a === b) return a ?? b
  if (a === 'json' || b === 'json') return 'json'
  // Integers of one batch may be beyond 2^53, where doubles lose digits: text keeps them.
  return 'string'
}

/** A change of a table by command. */
export interface Alteration {
  definition: Definition
  /** The table's columns afterwards: those that it has, in their order, then new ones. */
  schema: Schema
  /** One line for the table's own log. */
  what: string
}

/** The name under which an unwanted proposal is remembered: `add country`, `type qty`. */
export type Proposal = `add ${string}` | `type ${string}`

export function isUnwanted(definition: Definition, proposal: Proposal): boolean {
  return definition.unwanted?.some((one) => one.toLowerCase() === proposal.toLowerCase()) ?? false
}

/** The alteration that remembers a proposal as unwanted. */
export function unwant(definition: Definition, schema: Schema, proposal: Proposal): Alteration {
  return { definition: { ...definition, unwanted: [...(definition.unwanted ?? []), proposal] }, schema, what: `reject ${proposal}` }
}

/** The alteration that adds a declared column. @throws SluiceError DEFINITION_INVALID when the table has it already */
export function addColumn(definition: Definition, schema: Schema, column: Column): Alteration {
  if (definition.columns === null || findColumn(schema, column.name) !== undefined) throw new SluiceError('DEFINITION_INVALID', `The table ${definition.table} has a column ${column.name} already, or takes new ones by itself.`)
  const unwanted = definition.unwanted?.filter((one) => one.toLowerCase() !== `add ${column.name}`.toLowerCase())
  return {
    definition: { ...definition, columns: [...definition.columns, column], ...(unwanted === undefined ? {} : { unwanted }) },
    schema: [...schema, column],
    what: `add ${column.name}:${column.type}`,
  }
}

/** The alteration that gives a column another type. Whether its values stay what they are is the target's to say. */
export function retype(definition: Definition, schema: Schema, name: string, type: ColumnType): Alteration {
  const changed = (column: Column): Column => (column.name === name ? { ...column, type } : column)
  return { definition: { ...definition, columns: definition.columns?.map(changed) ?? null }, schema: schema.map(changed), what: `type ${name}:${type}` }
}

/**
 * Checks that an alteration keeps every column that the table has.
 * @param same true when values of the one type lie as values of the other one: then nothing is written again
 * @throws SluiceError TABLE_UNSUPPORTED with the way out
 */
export function checkAlteration(table: string, before: Schema, after: Schema, same: (from: ColumnType, to: ColumnType) => boolean): void {
  for (const [at, column] of before.entries()) {
    const next = after[at]
    if (next === undefined || next.name !== column.name) throw new SluiceError('INTERNAL', `The alteration of ${table} loses the column ${column.name}.`)
    if (next.type === column.type || same(column.type, next.type)) continue
    throw new SluiceError('TABLE_UNSUPPORTED', `${table}: ${column.name} cannot become ${next.type}: every row would have to be written again as something else than ${column.type}.`, {
      where: { column: column.name },
      hint: `Load the files into a new table with --columns …,${column.name}:${next.type} (the quarantined records get in there), or correct the values.`,
    })
  }
}

/** Kinds of values, as far as a type is concerned. */
export type ValueKind = 'integer' | 'fraction' | 'boolean' | 'text' | 'nested'

/** The type that would take these values as well and lose nothing; null: there is none, or nothing is known of them. */
export function widenedBy(type: ColumnType, kinds: ReadonlySet<ValueKind>): ColumnType | null {
  if (kinds.size === 0 || kinds.has('nested') || isNested(type) || type === 'json' || isString(type)) return null
  const numbers = [...kinds].every((kind) => kind === 'integer' || kind === 'fraction')
  // int64 to double would change integers beyond 2^53.
  if (numbers && type === 'int64') return kinds.has('fraction') ? 'decimal(38,18)' : 'decimal(38,0)'
  return 'string'
}
