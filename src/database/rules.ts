/**
 * Rules of a table for whole rows, as its catalog tells them, and the rows of a batch that they exclude. Asked before
 * anything is written, where a database cannot go back to before a row that it refused.
 *
 * Of rows of a batch that exclude one another the one with the lowest place stays, as if they came in one by one.
 */
import { SluiceError } from '../core/errors.ts'
import { fold } from '../core/schema.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import type { StoredColumn } from './dialect.ts'
import { positions } from './layout.ts'
import { DECIDED, decideAll } from './resolution.ts'
import { first } from './session.ts'
import type { Work } from './work.ts'

export type Rule =
  /** `takes` is false for rows that are refused, null where that cannot be told; it names columns, perhaps as those of `table`. */
  | { kind: 'check'; columns: readonly StoredColumn[]; table: string; takes: string; text: string }
  | { kind: 'unique'; columns: readonly StoredColumn[]; primary: boolean }
  /** `table` as it is written in SQL; `self`: it is the one that is loaded, and rows of the batch may be referred to. */
  | { kind: 'reference'; columns: readonly StoredColumn[]; table: string; of: readonly string[]; self?: boolean }

/** Winners `i` for which `where` holds are excluded; expressions for a reject. */
export interface Exclusion {
  where: string
  column: string
  value: string
  why: string
}

/**
 * Rules that can be asked of the columns that are loaded. Others depend on defaults or on what stands in a row that is
 * updated: they show when it is written.
 */
export function askable(rules: readonly Rule[], { schema, key, keyed }: { schema: Work['schema']; key: readonly string[]; keyed: boolean }): Rule[] {
  const has = (name: string): boolean => schema.some((column) => fold(column.name) === fold(name))
  const wanted = new Set(key.map(fold))
  return rules.filter(({ kind, columns }) => {
    // Of a key there is one winner, and the stored row is the one that it meets.
    if (keyed && kind === 'unique' && columns.length === wanted.size && columns.every(({ name }) => wanted.has(fold(name)))) return false
    return columns.every(({ name }) => has(name))
  })
}

/**
 * Gives the exclusions of all rules one after another, those of rows by themselves first. The rows that one excludes must be
 * gone before the next one is taken.
 */
export async function* excludedBy(work: Work): AsyncGenerator<Exclusion> {
  const alone = work.rules.filter((rule) => rule.kind !== 'unique')
  const together = work.rules.filter((rule) => rule.kind === 'unique')
  for (const rule of alone) yield* found(work, rule.kind === 'check' ? checked(work, rule) : referring(work, rule))
  if (together.length === 0) return
  const keyed = work.definition.keep !== null
  if (keyed) await decideAll(work)
  for (const rule of together) yield* found(work, taken(work, rule, keyed))
  for (const rule of together) yield* found(work, repeated(work, rule, together, keyed))
  if (keyed) await work.session.run('database.forget', `DROP TABLE ${DECIDED}`)
}

/** If it excludes a row at all: looking for it is cheaper than writing nothing. */
async function* found({ session, incoming }: Work, exclusion: Exclusion): AsyncGenerator<Exclusion> {
  let some = false
  try {
    some = (await first(session, `SELECT 1 AS one FROM ${incoming.winners} i WHERE ${exclusion.where} LIMIT 1`)) !== undefined
  } catch (thrown) {
    // A rule that calls something volatile cannot be asked beforehand; the transaction goes on.
    if (!(thrown instanceof SluiceError && /\bBinder Error\b/.test(thrown.message))) throw thrown
  }
  if (some) yield exclusion
}

/** `i.c3` or NULL of columns by name. */
function valuesOf(work: Work, alias: string, columns: readonly { name: string }[]): string[] {
  const at = positions(work.schema, work.staged)
  return columns.map(({ name }) => {
    const i = at[work.schema.findIndex((column) => fold(column.name) === fold(name))] ?? -1
    return i < 0 ? 'NULL' : `${alias}.c${i}`
  })
}

const list = (columns: readonly { name: string }[]): string => columns.map(({ name }) => name).join(', ')

/** `slug: old, maker: 7`, as text of a row. */
function told(columns: readonly { name: string }[], values: readonly string[]): string {
  return columns.map(({ name }, at) => `${quoteText(`${at === 0 ? '' : ', '}${name}: `)} || coalesce(substr(CAST(${values[at] ?? 'NULL'} AS TEXT), 1, 120), 'NULL')`).join(' || ')
}

function about(columns: readonly { name: string }[], values: readonly string[]): Pick<Exclusion, 'column' | 'value'> {
  const [value = 'NULL'] = values
  return { column: quoteText(list(columns)), value: columns.length === 1 ? `substr(CAST(${value} AS TEXT), 1, 120)` : told(columns, values) }
}

function checked(work: Work, { columns, table, takes, text }: Extract<Rule, { kind: 'check' }>): Exclusion {
  const values = valuesOf(work, 'i', columns)
  const named = columns.map(({ name, type }, at) => `CAST(${values[at] ?? 'NULL'} AS ${type}) AS ${quoteName(name)}`)
  const where = `i.place IN (SELECT _sluice_at FROM (SELECT ${['i.place AS _sluice_at', ...named].join(', ')} FROM ${work.incoming.winners} i) AS ${quoteName(table)} WHERE NOT (${takes}))`
  return { ...about(columns, values), where, why: quoteText(`CHECK constraint failed on table ${table} with expression ${text}`) }
}

function referring(work: Work, { columns, table, of, self }: Extract<Rule, { kind: 'reference' }>): Exclusion {
  const values = valuesOf(work, 'i', columns)
  const there = of.map((name, at) => `p.${quoteName(name)} = ${values[at] ?? 'NULL'}`).join(' AND ')
  const given = values.map((value) => `${value} IS NOT NULL`).join(' AND ')
  const named = of.map((name) => ({ name }))
  const beside = valuesOf(work, 'w', named).map((value, at) => `${value} = ${values[at] ?? 'NULL'}`).join(' AND ')
  const among = self === true ? ` AND NOT EXISTS (SELECT 1 FROM ${work.incoming.winners} w WHERE ${beside})` : ''
  return { ...about(columns, values), where: `${given} AND NOT EXISTS (SELECT 1 FROM ${table} p WHERE ${there})${among}`, why: `'Violates foreign key constraint because key "' || ${told(named, values)} || '" does not exist in the referenced table'` }
}

/** Rows that will be written, with the stored row that each meets, as `(place, target, u0, u1, …)`. */
function written(work: Work, values: readonly string[], keyed: boolean): string {
  const columns = values.map((value, at) => `${value} AS u${at}`)
  const { winners } = work.incoming
  if (!keyed) return `(SELECT ${['i.place AS place', 'CAST(NULL AS BIGINT) AS target', ...columns].join(', ')} FROM ${winners} i)`
  return `(SELECT ${['i.place AS place', 'd.target AS target', ...columns].join(', ')} FROM ${winners} i JOIN ${DECIDED} d ON d.place = i.place WHERE d.outcome IN ('inserted', 'updated'))`
}

function unique(columns: readonly { name: string }[], values: readonly string[], primary: boolean): Omit<Exclusion, 'where'> {
  return { ...about(columns, values), why: `'Duplicate key "' || ${told(columns, values)} || '" violates ${primary ? 'primary key' : 'unique'} constraint.'` }
}

/** A row that stands has these values, and neither gives them away in this batch nor is the one that is updated. */
function taken(work: Work, { columns, primary }: Extract<Rule, { kind: 'unique' }>, keyed: boolean): Exclusion {
  const values = valuesOf(work, 'i', columns)
  const rows = written(work, values, keyed)
  const { table } = work.store.dialect.names(work.table)
  const id = work.store.dialect.rowId(work.schema)
  const pairs = columns.map(({ name }, at) => [`t.${quoteName(name)}`, `w.u${at}`, `v.u${at}`] as const)
  const holds = pairs.map(([stored, value]) => `${stored} = ${value}`).join(' AND ')
  const keeps = pairs.map(([stored, , value]) => `${value} IS NOT DISTINCT FROM ${stored}`).join(' AND ')
  const where = `i.place IN (SELECT w.place FROM ${rows} w JOIN ${table} t ON ${holds} LEFT JOIN ${rows} v ON v.target = t.${id} WHERE t.${id} IS DISTINCT FROM w.target AND (v.place IS NULL OR (${keeps})))`
  return { ...unique(columns, values, primary), where }
}

/**
 * Rows with the values of one before them that stays for certain: it is not itself behind another one by any rule. What is
 * behind such a one is decided when those before it are gone.
 */
function repeated(work: Work, rule: Extract<Rule, { kind: 'unique' }>, all: readonly Extract<Rule, { kind: 'unique' }>[], keyed: boolean): Exclusion {
  const places = all.map(({ columns }) => {
    const values = valuesOf(work, 'i', columns)
    const list = values.map((_, at) => `u${at}`)
    const given = list.map((value) => `${value} IS NOT NULL`).join(' AND ')
    return `SELECT place, CASE WHEN ${given} THEN min(place) OVER (PARTITION BY ${list.join(', ')}) ELSE place END AS before FROM ${written(work, values, keyed)} w`
  })
  const values = valuesOf(work, 'i', rule.columns)
  const behind = places.map((sql) => `SELECT place FROM (${sql}) b WHERE before < place`).join(' UNION ALL ')
  const where = `i.place IN (SELECT place FROM (${places[all.indexOf(rule)] ?? ''}) r WHERE before < place AND before NOT IN (${behind}))`
  return { ...unique(rule.columns, values, rule.primary), where }
}
