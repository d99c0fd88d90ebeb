/**
 * Which tables a SELECT reads: names behind FROM, JOIN and the commas between them, on every level of brackets. So a model's
 * `depends_on` can be held against its text, and each of its inputs can be put in the place of a name.
 */
import { SluiceError } from '../core/errors.ts'
import type { Model } from '../core/model.ts'
import { fold } from '../core/schema.ts'
import { quoteName } from '../sql/quote.ts'
import { tokensOf } from './token.ts'
import type { Token } from './token.ts'

export interface Reference {
  /** Folded, with its schema if it has one. */
  name: string
  start: number
  end: number
  /** The name that columns are told by, where no other one follows; null: one does. */
  alias: string | null
}

export interface Selected {
  references: Reference[]
  /** Functions whose answer is another one next time, parts of the result that depend on all rows: what was found. */
  unsteady: string[]
}

interface Level {
  select: boolean
  /** factor: a table comes next; after: one was there, a comma or JOIN may bring another. */
  from: 'none' | 'factor' | 'after'
  with: 'none' | 'name' | 'body'
}

const ENDS_FROM = new Set(['WHERE', 'GROUP', 'HAVING', 'ORDER', 'LIMIT', 'OFFSET', 'FETCH', 'UNION', 'INTERSECT', 'EXCEPT', 'WINDOW', 'QUALIFY', 'FOR'])
/** Words that follow a table and are no name for it. */
const NO_ALIAS = new Set([...ENDS_FROM, 'JOIN', 'INNER', 'LEFT', 'RIGHT', 'FULL', 'CROSS', 'NATURAL', 'ASOF', 'POSITIONAL', 'ANTI', 'SEMI', 'ON', 'USING', 'TABLESAMPLE', 'NOT', 'INDEXED', 'SELECT'])
const CHANGES = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'REPLACE', 'CREATE', 'DROP', 'ALTER', 'TRUNCATE', 'COPY', 'ATTACH', 'CALL', 'DO', 'PRAGMA', 'SET', 'VACUUM', 'GRANT', 'BEGIN', 'COMMIT', 'ROLLBACK'])
const CLOCKS = new Set(['CURRENT_DATE', 'CURRENT_TIME', 'CURRENT_TIMESTAMP', 'LOCALTIME', 'LOCALTIMESTAMP'])
const UNSTEADY = new Set(['now', 'today', 'random', 'randomblob', 'gen_random_uuid', 'uuid', 'uuidv4', 'uuidv7', 'nextval', 'clock_timestamp', 'statement_timestamp', 'transaction_timestamp', 'get_current_timestamp', 'last_insert_rowid', 'txid_current'])

/** @throws SluiceError MODEL_INVALID for what is no single SELECT over tables; `where` begins the message */
export function selectedBy(sql: string, where: string): Selected {
  const tokens = tokensOf(sql, where)
  const invalid = (what: string, hint = 'A model is one SELECT, perhaps with WITH before it.'): SluiceError => new SluiceError('MODEL_INVALID', `${where}: ${what}`, { hint })
  const first = upper(tokens[0])
  if (first !== 'SELECT' && first !== 'WITH') throw invalid(tokens.length === 0 ? 'there is no SQL below the header.' : `the SQL begins with ${tokens[0]?.text ?? ''}.`)
  const references: Reference[] = []
  const made = new Set<string>()
  const unsteady = new Set<string>()
  const levels: Level[] = [fresh()]
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token
    const level = levels.at(-1) as Level
    const word = upper(token)
    if (isSign(token, ';')) {
      if (at < tokens.length - 1) throw invalid('there is more than one statement.')
      continue
    }
    if (isSign(token, '(')) {
      const next = upper(tokens[at + 1])
      if (CHANGES.has(next) && !isSign(tokens[at + 2], '(') && (level.with === 'body' || level.from === 'factor')) throw invalid(`${next} changes something.`)
      const joined = level.from === 'factor' && next !== 'SELECT' && next !== 'WITH' && next !== 'VALUES'
      levels.push({ ...fresh(), select: joined, from: joined ? 'factor' : 'none' })
      if (level.from === 'factor') level.from = 'after'
      continue
    }
    if (isSign(token, ')')) {
      if (levels.length === 1) throw invalid('a bracket closes that was never opened.')
      levels.pop()
      continue
    }
    if (isSign(token, ',')) {
      if (level.from === 'after') level.from = 'factor'
      else if (level.with === 'body') level.with = 'name'
      continue
    }
    if (level.with === 'name' && (token.kind === 'name' || (token.kind === 'word' && word !== 'RECURSIVE'))) {
      made.add(fold(token.text))
      level.with = 'body'
      continue
    }
    if (level.from === 'factor' && token.kind === 'text') throw invalid(`it reads the file '${token.text}'.`, 'A model reads tables and models of its target; load the file into one.')
    if (level.from === 'factor' && (token.kind === 'name' || (token.kind === 'word' && word !== 'LATERAL' && word !== 'ONLY'))) {
      const { parts, next } = nameAt(tokens, at)
      level.from = 'after'
      at = next - 1
      if (isSign(tokens[next], '(')) {
        if (/^(read_|glob$|parquet_)|_scan$|^query/i.test(parts.at(-1) ?? '')) throw invalid(`it reads something by ${parts.join('.')}().`, 'A model reads tables and models of its target; load the file into one.')
        continue
      }
      const after = tokens[next]
      const aliased = after !== undefined && (after.kind === 'name' || (after.kind === 'word' && !NO_ALIAS.has(after.text.toUpperCase())))
      references.push({ name: fold(parts.join('.')), start: token.start, end: (tokens[next - 1] as Token).end, alias: aliased ? null : (parts.at(-1) ?? '') })
      continue
    }
    if (token.kind === 'text' && token.text.toLowerCase() === 'now') unsteady.add(`'now'`)
    if (word === '') continue
    const called = isSign(tokens[at + 1], '(')
    if (CLOCKS.has(word) || (called && UNSTEADY.has(token.text.toLowerCase()))) unsteady.add(called ? `${token.text}()` : token.text)
    if (word === 'OVER') unsteady.add('OVER (a window of other rows)')
    if (word === 'LIMIT' || word === 'FETCH' || word === 'TABLESAMPLE') unsteady.add(word)
    if (word === 'WITH' && (at === 0 || isSign(tokens[at - 1], '('))) level.with = 'name'
    else if (word === 'SELECT') Object.assign(level, { select: true, from: 'none', with: 'none' })
    else if (word === 'INTO' && level.select && level.from === 'none') throw invalid('SELECT … INTO makes a table of its own.')
    else if (word === 'FROM' && level.select && !isDistinctFrom(tokens, at)) level.from = 'factor'
    else if (word === 'JOIN' && level.from !== 'none') level.from = 'factor'
    else if (ENDS_FROM.has(word)) level.from = 'none'
  }
  if (levels.length > 1) throw invalid('a bracket is never closed.')
  return { references: references.filter(({ name }) => !made.has(name)), unsteady: [...unsteady] }
}

function fresh(): Level {
  return { select: false, from: 'none', with: 'none' }
}

function isSign(token: Token | undefined, text: string): boolean {
  return token?.kind === 'sign' && token.text === text
}

function upper(token: Token | undefined): string {
  return token?.kind === 'word' ? token.text.toUpperCase() : ''
}

/** `a IS NOT DISTINCT FROM b` names no table. */
function isDistinctFrom(tokens: readonly Token[], at: number): boolean {
  return upper(tokens[at - 1]) === 'DISTINCT' && ['IS', 'NOT'].includes(upper(tokens[at - 2]))
}

function nameAt(tokens: readonly Token[], at: number): { parts: string[]; next: number } {
  const parts = [tokens[at]?.text ?? '']
  let next = at + 1
  while (isSign(tokens[next], '.') && (tokens[next + 1]?.kind === 'word' || tokens[next + 1]?.kind === 'name')) {
    parts.push(tokens[next + 1]?.text ?? '')
    next += 2
  }
  return { parts, next }
}

/** The model's SELECT with something else in the place of each input: a table's name, or a query in brackets. */
export function rendered({ sql, inputs }: Pick<Model, 'sql' | 'inputs'>, source: (input: string) => string): string {
  let text = ''
  let from = 0
  for (const { name, start, end, alias } of selectedBy(sql, 'the model').references) {
    const input = inputs.find((one) => fold(one) === name)
    if (input === undefined) throw new SluiceError('INTERNAL', `${name} is no input of the model.`)
    text += `${sql.slice(from, start)}${source(input)}${alias === null ? '' : ` AS ${quoteName(alias)}`}`
    from = end
  }
  const last = tokensOf(sql, 'the model').at(-1)
  // Without what may follow: a semicolon, or a comment that would swallow what is written behind it.
  return text + sql.slice(from, last === undefined ? sql.length : isSign(last, ';') ? last.start : last.end)
}
