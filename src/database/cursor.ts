/** What sources of databases have in common: their columns by name, the newest cursor, and values that are marks. */
import type { SqlValue } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import type { Mark } from '../core/mark.ts'
import { fold } from '../core/schema.ts'

/** More rows without a cursor or key are not counted. */
const MOST_LACKING = 1000
const ENDLESS = /^[+-]?(inf(inity)?|nan)$/i

/** Where a column stands. @throws SluiceError SOURCE_INVALID with the columns that there are */
export function columnAt(names: readonly string[], name: string, role: 'cursor' | 'key', where?: { path: string }): number {
  const at = names.findIndex((column) => fold(column) === fold(name))
  if (at < 0) throw new SluiceError('SOURCE_INVALID', `${role}=${name}: there is no such column; there are ${names.join(', ')}.`, where === undefined ? {} : { where })
  return at
}

export interface NewestQuestion {
  /** As it stands behind FROM. */
  from: string
  /** SQL of the cursor column and of those of the key. */
  cursor: string
  key: readonly string[]
  /** SQL of the cursor as a mark; absent: the column itself. */
  marked?: string
  /** Of the cursor, for messages. */
  name: string
}

/**
 * The value of the highest cursor; undefined: no row.
 * @throws SluiceError SOURCE_UNSUITABLE when rows lack their cursor or a part of their key, and what `ask` throws
 */
export async function newestOf(ask: (sql: string) => Iterable<Readonly<Record<string, SqlValue>>> | Promise<Iterable<Readonly<Record<string, SqlValue>>>>, { from, cursor, key, marked = cursor, name }: NewestQuestion): Promise<SqlValue | undefined> {
  const lacking = [cursor, ...key].map((column) => `${column} IS NULL`).join(' OR ')
  const [missing] = await ask(`SELECT count(*) AS n FROM (SELECT 1 FROM ${from} WHERE ${lacking} LIMIT ${MOST_LACKING}) AS m`)
  const n = Number(missing?.['n'])
  if (n !== 0) throw new SluiceError('SOURCE_UNSUITABLE', `${n === MOST_LACKING ? `${n} or more` : n} rows have no ${name} or lack a part of their key: no window would ever reach them.`, { hint: 'Give them values, read them with query= and coalesce(), or read the whole table without cursor=.' })
  const [found] = await ask(`SELECT ${marked} AS mark FROM ${from} ORDER BY ${cursor} DESC LIMIT 1`)
  return found?.['mark']
}

export interface MarkedColumn {
  name: string
  /** Its texts stand for numbers or times: then one that says infinity is none. */
  ordered: boolean
  /** Of the file, or the server. */
  location: string
}

/** A value of a cursor or key as a mark. @throws SluiceError SOURCE_UNSUITABLE when nothing can be told apart behind it */
export function markOf(value: SqlValue | undefined, { name, ordered, location }: MarkedColumn): Mark {
  const endless = typeof value === 'number' ? !Number.isFinite(value) : typeof value === 'string' && ordered && ENDLESS.test(value)
  if (endless) throw new SluiceError('SOURCE_UNSUITABLE', `${location}: a row has the ${name} ${String(value)}: behind it nothing can be told apart.`, { hint: 'Leave such rows out with query= and a WHERE, or choose another cursor= or key=.' })
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'string') return value
  throw new SluiceError('SOURCE_UNSUITABLE', `${location}: a value of ${name} is neither a number nor a text.`, { hint: 'Choose another cursor= or key=.' })
}
