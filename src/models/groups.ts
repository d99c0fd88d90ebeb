/**
 * The groups of a model in SQL: which ones some rows belong to, an input without the others, and the rows of the result
 * that are theirs. Null is a group like any other.
 *
 * The inputs are cut before the model sees them, not its result afterwards: no planner pushes a semi join through GROUP BY,
 * and a cut input shows what a whole one hides, a model whose groups do not stand alone.
 */
import type { Grouping } from '../core/model.ts'
import { quoteName } from '../sql/quote.ts'
import type { ModelDialect } from './dialect.ts'

/** What a table of groups calls its columns. */
export function groupNames({ columns }: Grouping): string[] {
  return columns.map((_, at) => `g${at + 1}`)
}

/** The types of an input's columns, by folded name; absent: unknown. */
export type Types = ReadonlyMap<string, string>

/** What tells the groups apart in a row `t` of an input. */
export function inputValues(dialect: Pick<ModelDialect, 'day'>, { by, columns }: Grouping, types: Types, row = 't.'): string[] {
  return columns.map(({ input }) => {
    const column = `${row}${quoteName(input)}`
    return by === 'day' ? dialect.day(column, types.get(input.toLowerCase()) ?? '') : column
  })
}

/** The same in a row `t` of the result. */
export function resultValues({ columns }: Grouping, row = 't.'): string[] {
  return columns.map(({ output }) => `${row}${quoteName(output)}`)
}

/** The groups that the rows of `relation` belong to, each once: g1, g2, … */
export function groupsOf(grouping: Grouping, values: readonly string[], relation: string): string {
  const names = groupNames(grouping)
  return `SELECT DISTINCT ${values.map((value, at) => `${value} AS ${names[at] ?? ''}`).join(', ')} FROM ${relation} AS t`
}

/** Has any of them a null? */
export function anyNull(grouping: Grouping): string {
  return groupNames(grouping).map((name) => `${name} IS NULL`).join(' OR ')
}

function nullMember(grouping: Grouping, values: readonly string[], groups: string): string {
  const names = groupNames(grouping)
  const same = values.map((value, at) => `${value} IS NOT DISTINCT FROM g.${names[at] ?? ''}`)
  return `EXISTS (SELECT 1 FROM ${groups} AS g WHERE (${names.map((name) => `g.${name} IS NULL`).join(' OR ')}) AND ${same.join(' AND ')})`
}

/** A condition on rows `t`: they belong to one of the groups. */
export function member(dialect: Pick<ModelDialect, 'within'>, grouping: Grouping, values: readonly string[], groups: string, nulls: boolean): string {
  const plain = dialect.within(values, groups)
  return nulls ? `(${plain} OR ${nullMember(grouping, values, groups)})` : plain
}

/** An input without the rows of all other groups. Two queries where there are nulls: an OR would keep an index from being used. */
export function cut(dialect: Pick<ModelDialect, 'within'>, grouping: Grouping, values: readonly string[], relation: string, groups: string, nulls: boolean): string {
  const of = (condition: string): string => `SELECT t.* FROM ${relation} AS t WHERE ${condition}`
  const plain = of(dialect.within(values, groups))
  return nulls ? `${plain} UNION ALL ${of(nullMember(grouping, values, groups))}` : plain
}
