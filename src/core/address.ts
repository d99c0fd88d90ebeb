/** Addresses of tables to read from: `sqlite:shop.db?table=orders&cursor=updated_at&key=id`. */
import { SluiceError } from './errors.ts'

export interface SourceAddress {
  scheme: string
  /** What follows the scheme, up to the question mark. */
  location: string
  /** One of both. */
  table: string | null
  query: string | null
  /** Column that grows with every change; null: the whole table is read each time. */
  cursor: string | null
  /** Columns that tell rows apart; empty: the key of the target. */
  key: readonly string[]
  /** How far before the last mark the next read begins, as it was written. */
  overlap?: string
  /** Rows of a window at most. */
  window?: number
  /** Other parameters of a server's address, as they were written. */
  options?: string
}

/** Schemes of databases that can be read. */
const SCHEMES = ['sqlite', 'duckdb', 'postgres', 'postgresql']
const MEMBERS = ['table', 'query', 'cursor', 'key', 'overlap', 'window']
const MOST_ROWS = 10_000_000

/** Is this an address of a table, and no path? */
export function isAddress(text: string): boolean {
  const [, scheme, parameters] = /^([a-z]+):[^?]*\?(.*)$/s.exec(text) ?? []
  return scheme !== undefined && SCHEMES.includes(scheme) && /(^|&)(table|query)=/.test(parameters ?? '')
}

/** @throws SluiceError SOURCE_INVALID */
export function parseAddress(text: string): SourceAddress {
  const at = text.indexOf('?')
  const [, scheme, location] = /^([a-z]+):(.*)$/s.exec(at < 0 ? text : text.slice(0, at)) ?? []
  if (scheme === undefined || !SCHEMES.includes(scheme) || location === undefined || location === '') throw new SluiceError('SOURCE_INVALID', `--from ${text} names no database.`)
  const given = new Map<string, string>()
  const options: string[] = []
  for (const part of at < 0 ? [] : text.slice(at + 1).split('&')) {
    const [, name = part, value = ''] = /^([^=]*)=(.*)$/s.exec(part) ?? []
    // Connection parameters of a server are none of ours.
    if (!MEMBERS.includes(name) && location.startsWith('//')) {
      options.push(part)
      continue
    }
    if (!MEMBERS.includes(name)) throw new SluiceError('SOURCE_INVALID', `--from: ${name} is no part of a source; there are ${MEMBERS.join(', ')}.`)
    if (given.has(name)) throw new SluiceError('SOURCE_INVALID', `--from has ${name} twice.`, { hint: 'Write & as %26 where it is part of a query.' })
    given.set(name, decode(value))
  }
  const [table, query] = [given.get('table') ?? '', given.get('query') ?? '']
  if ((table === '') === (query === '')) throw new SluiceError('SOURCE_INVALID', `--from needs table= or query=${table === '' ? '' : ', and not both'}.`)
  const overlap = given.get('overlap')
  const cursor = given.get('cursor') ?? ''
  if (overlap !== undefined && cursor === '') throw new SluiceError('SOURCE_INVALID', 'overlap= is about a cursor, and there is none.')
  const window = given.get('window')
  if (window !== undefined && !(/^[1-9]\d{0,7}$/.test(window) && Number(window) <= MOST_ROWS)) throw new SluiceError('SOURCE_INVALID', `window=${window}: expected a number of rows from 1 to ${MOST_ROWS}.`)
  return {
    scheme: scheme === 'postgresql' ? 'postgres' : scheme, location, table: table === '' ? null : table, query: query === '' ? null : query, cursor: cursor === '' ? null : cursor,
    key: (given.get('key') ?? '').split(',').map((name) => name.trim()).filter((name) => name !== ''), ...(overlap === undefined ? {} : { overlap }), ...(window === undefined ? {} : { window: Number(window) }), ...(options.length === 0 ? {} : { options: options.join('&') }),
  }
}

/** `%26` is an ampersand; a percent sign that begins nothing stays one. A plus sign is a plus sign: queries hold them. */
function decode(text: string): string {
  return text.replace(/(%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run)
    } catch {
      return run
    }
  })
}
