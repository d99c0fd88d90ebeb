/** Loading by date as the models see it: the date of a parsed record, and which load brings the record. */
import type { ByDate, Covered, Interval } from '../src/core/interval.ts'
import { columnName, fold } from '../src/core/schema.ts'
import { NumberText, typeValue } from './typing.ts'
import type { Json } from './typing.ts'

/** An instant as an interval has it; none: null or not there; unclear: the record is bad. */
function dateOf(json: Json | undefined, field: string): { at: string } | 'none' | 'unclear' {
  if (typeof json !== 'object' || json === null || Array.isArray(json) || json instanceof NumberText) return 'unclear'
  const values = Object.entries(json).filter(([member]) => fold(columnName(member)) === fold(field))
  if (values.length > 1) return 'unclear'
  const value = values[0]?.[1] ?? null
  if (value === null) return 'none'
  if (typeof value !== 'string') return 'unclear'
  if (typeof typeValue('date', value) === 'string') return { at: `${value}T00:00:00.000000Z` }
  const found = typeValue('timestamp', value.replace(/(\.\d{6})\d+/, '$1'))
  return typeof found === 'string' ? { at: found } : 'unclear'
}

function within(at: string, { since, until }: Interval): boolean {
  return (since === null || at >= since) && (until === null || at < until)
}

/** What becomes of a record in one load: taken, or why it is left out. */
export function takenBy(json: Json | undefined, dates: ByDate | undefined, before: Covered | undefined): 'taken' | 'outside' | 'undated' {
  const field = dates?.field ?? before?.field
  if (field === undefined) return 'taken'
  const date = dateOf(json, field)
  if (date === 'unclear') return before === undefined ? 'taken' : 'outside'
  if (date === 'none') return dates === undefined ? 'taken' : 'undated'
  const wanted = (dates === undefined || within(date.at, dates)) && before?.intervals.some((interval) => within(date.at, interval)) !== true
  return wanted ? 'taken' : 'outside'
}

/** Is a record in after these commits of its arrival? undefined among them: everything. */
export function isIn(json: Json, commits: readonly (ByDate | undefined)[]): boolean {
  if (commits.includes(undefined)) return true
  return commits.some((dates) => dates !== undefined && takenBy(json, dates, undefined) === 'taken')
}
