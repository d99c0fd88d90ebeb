/**
 * A model as its file says it: a header of comment lines, then one SELECT.
 *
 *   -- model: daily_events
 *   -- depends_on: events, organizations
 *   -- key: day, organization
 *   -- incremental: day received_at as day of events
 *
 * The header is the block of `-- word: value` lines at the top; the first other line ends it. docs/reference/models.md has
 * the grammar.
 */
import { createHash } from 'node:crypto'
import { SluiceError } from '../core/errors.ts'
import type { GroupColumn, Grouping, Model } from '../core/model.ts'
import { fold, isTableName } from '../core/schema.ts'
import { selectedBy } from './reading.ts'

const MEMBERS = ['model', 'depends_on', 'key', 'incremental'] as const
type Member = (typeof MEMBERS)[number]
const LINE = /^--\s*([a-z_]+)\s*:(.*)$/
const NAME = /^[\p{L}_][\p{L}\p{N}_]*$/u
/** Grows when the same file would make another table than before. */
const MAKE = 1

interface Said {
  value: string
  row: number
}

/** @throws SluiceError MODEL_INVALID with file and line */
export function readModel(path: string, text: string): Model {
  const { said, sql, row } = headerOf(path, text)
  const need = (member: Member): Said => {
    const found = said.get(member)
    if (found === undefined) throw invalid(path, 1, `the header has no line "-- ${member}: …".`)
    return found
  }
  const name = tableName(path, need('model'), need('model').value)
  const inputs = listed(path, need('depends_on')).map((input) => tableName(path, need('depends_on'), input))
  if (inputs.some((input) => fold(input) === fold(name))) throw invalid(path, need('depends_on').row, `${name} depends on itself.`)
  const asked = said.get('incremental')
  const grouping = asked === undefined || asked.value === 'full' ? null : groupingOf(path, asked, inputs)
  const key = said.has('key') ? listed(path, need('key')).map((column) => columnName(path, need('key'), column)) : (grouping?.columns ?? []).map(({ output }) => output)
  const lacking = (grouping?.columns ?? []).find(({ output }) => !key.some((column) => fold(column) === fold(output)))
  if (lacking !== undefined) throw invalid(path, need('key').row, `the key lacks ${lacking.output}, by which the model is recomputed: two groups could then have one key.`)
  checkText(path, row, sql, inputs, grouping, need('depends_on').row)
  const hash = createHash('sha256').update(JSON.stringify([MAKE, name, inputs, key, grouping, sql.trim()])).digest('hex')
  return { name, inputs, key, grouping, sql, hash, path }
}

function headerOf(path: string, text: string): { said: Map<Member, Said>; sql: string; row: number } {
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  const said = new Map<Member, Said>()
  let at = 0
  for (; at < lines.length; at++) {
    const found = LINE.exec((lines[at] ?? '').trim())
    if (found === null) break
    const [, word = '', value = ''] = found
    const member = MEMBERS.find((name) => name === word)
    if (member === undefined) throw invalid(path, at + 1, `"${word}" is no line of a header.`, `There are ${MEMBERS.join(', ')}. A remark goes below the header, after an empty line.`)
    if (said.has(member)) throw invalid(path, at + 1, `"${word}" is said twice.`)
    if (value.trim() === '') throw invalid(path, at + 1, `"${word}" says nothing.`)
    said.set(member, { value: value.trim(), row: at + 1 })
  }
  const late = lines.findIndex((line, row) => row >= at && MEMBERS.some((member) => LINE.exec(line.trim())?.[1] === member))
  if (late >= 0) throw invalid(path, late + 1, 'this line of the header stands below it.', 'The header is one block of comment lines at the top of the file.')
  return { said, sql: lines.slice(at).join('\n'), row: at + 1 }
}

function listed(path: string, { value, row }: Said): string[] {
  const names = value.split(',').map((name) => name.trim())
  const twice = names.find((name, at) => names.findIndex((other) => fold(other) === fold(name)) < at)
  if (names.includes('')) throw invalid(path, row, `"${value}" has a comma too many.`)
  if (twice !== undefined) throw invalid(path, row, `${twice} is named twice.`)
  return names
}

function tableName(path: string, { row }: Said, name: string): string {
  const parts = name.split('.')
  if (parts.length <= 2 && parts.every(isTableName)) return name
  throw invalid(path, row, `${name} is not the name of a table.`, 'Letters, digits and _, not beginning with a digit, at most 63; perhaps with a schema and a dot before it.')
}

function columnName(path: string, { row }: Said, name: string): string {
  if (NAME.test(name)) return name
  throw invalid(path, row, `${name} is not the name of a column.`, 'Letters, digits and _; give a column of the result another name with AS.')
}

const FORMS = 'Write: full · group COLUMN [as COLUMN], … [of TABLE, …] · day COLUMN [as COLUMN] [of TABLE, …]'

function groupingOf(path: string, said: Said, inputs: readonly string[]): Grouping {
  const [, word, rest = '', cut] = /^(group|day)\s+(.+?)(?:\s+of\s+(.+))?$/is.exec(said.value) ?? []
  if (word === undefined) throw invalid(path, said.row, `"${said.value}" does not say how the model is recomputed.`, FORMS)
  const by = word.toLowerCase() === 'day' ? 'day' : 'value'
  const columns = rest.split(',').map((text): GroupColumn => {
    const [, input = '', output = by === 'day' ? 'day' : input] = /^(\S+)(?:\s+as\s+(\S+))?$/i.exec(text.trim()) ?? []
    if (!NAME.test(input) || !NAME.test(output)) throw invalid(path, said.row, `"${text.trim()}" is not a column.`, FORMS)
    return { input, output }
  })
  if (by === 'day' && columns.length > 1) throw invalid(path, said.row, 'a model is recomputed by the days of one column.', FORMS)
  const of = cut === undefined ? inputs : listed(path, { ...said, value: cut }).map((name) => {
    const input = inputs.find((one) => fold(one) === fold(name))
    if (input === undefined) throw invalid(path, said.row, `${name} is not among what it depends on.`)
    return input
  })
  if (cut === undefined && inputs.length > 1) {
    throw invalid(path, said.row, `it depends on ${inputs.length} tables, and does not say which of them have its groups.`, `Name them: ${said.value} of ${inputs[0] ?? ''}. A change of any other one recomputes the whole model.`)
  }
  return { by, columns, of }
}

/** Holds what the header says against the SQL. */
function checkText(path: string, row: number, sql: string, inputs: readonly string[], grouping: Grouping | null, named: number): void {
  const { references, unsteady } = selectedBy(sql, `${path}:${row}`)
  const read = new Set(references.map(({ name }) => name))
  const known = inputs.map(fold)
  const silent = [...read].filter((name) => !known.includes(name))
  if (silent.length > 0) throw invalid(path, named, `the SQL reads ${silent.join(' and ')}, which depends_on does not name.`, `Write depends_on: ${[...read].join(', ')}.`)
  const unread = inputs.filter((name) => !read.has(fold(name)))
  if (unread.length > 0) throw invalid(path, named, `the SQL does not read ${unread.join(' and ')}, which depends_on names.`)
  if (grouping !== null && unsteady.length > 0) {
    throw invalid(path, row, `a model that is recomputed by parts cannot use ${unsteady.join(', ')}: a part of it would not be what the whole has.`, 'Leave it out, or write "incremental: full".')
  }
}

function invalid(path: string, row: number, message: string, hint?: string): SluiceError {
  return new SluiceError('MODEL_INVALID', `${path}:${row}: ${message}`, { where: { path, row }, ...(hint === undefined ? {} : { hint }) })
}
