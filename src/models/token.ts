/**
 * SQL cut into tokens, as far as PostgreSQL, DuckDB and SQLite agree: enough to find the tables that a SELECT reads, never
 * to understand it. Comments are no tokens.
 */
import { SluiceError } from '../core/errors.ts'

export interface Token {
  /** word: a name or keyword without quotes; name: one in quotes; text: a literal. */
  kind: 'word' | 'name' | 'text' | 'number' | 'sign'
  /** Of a word as it stands; of a name or text what is inside of the quotes. */
  text: string
  start: number
  end: number
}

const SPACE = /\s+|--[^\n]*/y
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy
const NUMBER = /\d[\w.]*/y
const DOLLAR = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy

/** @throws SluiceError MODEL_INVALID for quotes and comments that never end; `where` begins its message */
export function tokensOf(sql: string, where: string): Token[] {
  const tokens: Token[] = []
  const match = (pattern: RegExp, at: number): string | null => {
    pattern.lastIndex = at
    return pattern.exec(sql)?.[0] ?? null
  }
  const open = (what: string, at: number): SluiceError => new SluiceError('MODEL_INVALID', `${where}: ${what} that begins with ${sql.slice(at, at + 20).split('\n')[0]} never ends.`)
  for (let at = 0; at < sql.length; ) {
    const space = match(SPACE, at)
    if (space !== null) {
      at += space.length
      continue
    }
    if (sql.startsWith('/*', at)) {
      const end = commentEnd(sql, at)
      if (end < 0) throw open('the comment', at)
      at = end
      continue
    }
    const sign = sql[at] ?? ''
    const word = match(WORD, at)
    const dollar = sign === '$' ? match(DOLLAR, at) : null
    let token: Token
    if (sign === "'" || sign === '"' || sign === '`') {
      const end = quoteEnd(sql, at, sign, /[eE]/.test(sql[at - 1] ?? '') && tokens.at(-1)?.end === at)
      if (end < 0) throw open('the text', at)
      token = { kind: sign === "'" ? 'text' : 'name', text: sql.slice(at + 1, end - 1).replaceAll(sign + sign, sign), start: at, end }
    } else if (dollar !== null) {
      const close = sql.indexOf(dollar, at + dollar.length)
      if (close < 0) throw open('the text', at)
      token = { kind: 'text', text: sql.slice(at + dollar.length, close), start: at, end: close + dollar.length }
    } else if (word !== null) token = { kind: 'word', text: word, start: at, end: at + word.length }
    else {
      const number = match(NUMBER, at)
      token = number === null ? { kind: 'sign', text: sign, start: at, end: at + 1 } : { kind: 'number', text: number, start: at, end: at + number.length }
    }
    tokens.push(token)
    at = token.end
  }
  return tokens
}

/** Comments lie in one another; a database that does not think so refuses the text itself. */
function commentEnd(sql: string, from: number): number {
  let depth = 0
  for (let at = from; at < sql.length; at++) {
    if (sql.startsWith('/*', at)) {
      depth++
      at++
    } else if (sql.startsWith('*/', at)) {
      at++
      if (--depth === 0) return at + 1
    }
  }
  return -1
}

function quoteEnd(sql: string, from: number, quote: string, escapes: boolean): number {
  for (let at = from + 1; at < sql.length; at++) {
    if (escapes && sql[at] === '\\') at++
    else if (sql[at] === quote && sql[at + 1] === quote) at++
    else if (sql[at] === quote) return at + 1
  }
  return -1
}
