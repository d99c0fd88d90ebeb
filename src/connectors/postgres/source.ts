/** A table or query of a PostgreSQL database as a source: a read-only cursor per window, types of the catalog. */
import type { SourceAddress } from '../../core/address.ts'
import type { SqlValue } from '../../core/effects.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Mark } from '../../core/mark.ts'
import { fold, isReserved } from '../../core/schema.ts'
import type { ColumnType, Row, Schema } from '../../core/schema.ts'
import type { Position, SourceChunk, SourceRange, TableSource } from '../../core/source.ts'
import { quoteName } from '../../sql/quote.ts'
import { accessTo } from './access.ts'
import { isBytes, typeOfColumn, valueOf } from './catalog.ts'
import type { PostgresColumn } from './catalog.ts'
import { postgresError, saidBy, stateOf } from './errors.ts'
import { PostgresSession } from './session.ts'
import { identityOf, parsePostgresUrl } from './url.ts'

/** @throws SluiceError UNREACHABLE, LOGIN_REFUSED, DATABASE_MISSING, SOURCE_INVALID */
export async function openPostgresSource({ address, key }: { address: SourceAddress; key: readonly string[] }): Promise<TableSource> {
  const url = parsePostgresUrl(`postgres:${address.location}${address.options === undefined ? '' : `?${address.options}`}`)
  const session = await PostgresSession.open(accessTo(url, url.password), false)
  try {
    const from = address.table === null ? `(${address.query ?? ''}\n)` : tableOf(address.table)
    const found = await session.describe(`SELECT * FROM ${from} AS t`).catch((thrown: unknown) => {
      if (stateOf(thrown)?.startsWith('42') !== true) throw postgresError(thrown, identityOf(url))
      throw new SluiceError('SOURCE_INVALID', `${identityOf(url)}: ${saidBy(thrown)}.`, { cause: thrown, hint: 'Try it with sluice sql first.' })
    })
    return new PostgresSource(session, identityOf(url), address, key, found.filter(({ name }) => !isReserved(name)), `${from} AS t`)
  } catch (thrown) {
    await session.close()
    throw thrown
  }
}

/** `orders`, `sales.orders` */
function tableOf(name: string): string {
  return name.split('.').map(quoteName).join('.')
}

class PostgresSource implements TableSource {
  private readonly session: PostgresSession
  private readonly location: string
  private readonly fields: readonly PostgresColumn[]
  private readonly types: readonly ColumnType[]
  private readonly from: string
  private readonly cursor: number | null
  private readonly key: readonly number[]

  constructor(session: PostgresSession, location: string, address: SourceAddress, key: readonly string[], fields: readonly PostgresColumn[], from: string) {
    this.session = session
    this.location = location
    this.fields = fields
    this.types = fields.map(typeOfColumn)
    this.from = from
    this.cursor = address.cursor === null ? null : this.indexOf(address.cursor, 'cursor')
    this.key = key.map((name) => this.indexOf(name, 'key'))
  }

  private indexOf(name: string, role: string): number {
    const at = this.fields.findIndex((field) => fold(field.name) === fold(name))
    if (at < 0) throw new SluiceError('SOURCE_INVALID', `${role}=${name}: there is no such column; there are ${this.fields.map((field) => field.name).join(', ')}.`)
    return at
  }

  private sql(at: number): string {
    return `t.${quoteName(this.fields[at]?.name ?? '')}`
  }

  async columns(): Promise<{ schema: Schema; notices: readonly string[] }> {
    const bytes = this.fields.filter(isBytes).map(({ name }) => name)
    return { schema: this.fields.map(({ name }, at) => ({ name, type: this.types[at] ?? 'string' })), notices: bytes.length === 0 ? [] : [`The bytes of ${bytes.join(', ')} are loaded as hexadecimal text.`] }
  }

  async newest(): Promise<Mark | null> {
    if (this.cursor === null) return null
    const cursor = this.sql(this.cursor)
    const lacking = [cursor, ...this.key.map((at) => this.sql(at))].map((name) => `${name} IS NULL`).join(' OR ')
    const [missing] = await this.session.all(`SELECT count(*) AS n FROM (SELECT 1 FROM ${this.from} WHERE ${lacking} LIMIT 1000) AS m`)
    const n = Number(missing?.['n'])
    if (n !== 0) throw new SluiceError('SOURCE_UNSUITABLE', `${n === 1000 ? '1000 or more' : n} rows have no ${this.fields[this.cursor]?.name ?? ''} or lack a part of their key: no window would ever reach them.`, { hint: 'Give them values, read them with query= and coalesce(), or read the whole table without cursor=.' })
    const [found] = await this.session.all(`SELECT ${cursor} AS mark FROM ${this.from} ORDER BY ${cursor} DESC LIMIT 1`)
    return found === undefined ? null : this.mark(found['mark'] ?? null)
  }

  private mark(value: SqlValue): Mark {
    if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'string') return value
    throw new SluiceError('SOURCE_UNSUITABLE', `${this.location}: a cursor or key is neither a number nor a text.`, { hint: 'Choose another cursor= or key=.' })
  }

  async *rows(range: SourceRange, signal: AbortSignal): AsyncGenerator<SourceChunk> {
    signal.throwIfAborted()
    const { sql, values } = this.select(range)
    try {
      for await (const { rows } of this.session.tuples(sql, values)) {
        signal.throwIfAborted()
        if (rows.length > 0) yield this.chunkOf(rows)
      }
    } catch (thrown) {
      throw stateOf(thrown) === null ? thrown : postgresError(thrown, this.location)
    }
  }

  private select({ after, from, until, count }: SourceRange): { sql: string; values: SqlValue[] } {
    const order = [...(this.cursor === null ? [] : [this.cursor]), ...this.key].map((at) => this.sql(at))
    const conditions: string[] = []
    const values: SqlValue[] = []
    const bind = (value: SqlValue): string => `$${values.push(value)}`
    if (this.cursor !== null && after !== null) conditions.push(`(${order.join(', ')}) > (${[after.cursor, ...after.key].map(bind).join(', ')})`)
    else if (this.cursor !== null && from !== null) conditions.push(`${order[0] ?? ''} >= ${bind(from)}`)
    if (this.cursor !== null && until !== null) conditions.push(`${order[0] ?? ''} <= ${bind(until)}`)
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
    const columns = this.fields.map((_, at) => this.sql(at)).join(', ')
    return { sql: `SELECT ${columns} FROM ${this.from}${where}${order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`}${count === null ? '' : ` LIMIT ${count}`}`, values }
  }

  private chunkOf(tuples: readonly SqlValue[][]): SourceChunk {
    const odd = new Map<number, string>()
    const rows = tuples.map((tuple, n): Row => {
      const row = tuple.map((value, at) => valueOf(this.fields[at] ?? { name: '', oid: 0, modifier: -1 }, this.types[at] ?? 'string', value))
      // A time without end, or a number that is none.
      if (row.some((value, at) => value === null && tuple[at] !== null)) odd.set(n, JSON.stringify(Object.fromEntries(tuple.map((value, at) => [this.fields[at]?.name ?? '', plain(value)]))))
      return row
    })
    const position = (at: number): Position => {
      const tuple = tuples[at] ?? []
      return { cursor: this.mark(tuple[this.cursor ?? 0] ?? null), key: this.key.map((index) => this.mark(tuple[index] ?? null)) }
    }
    return { rows, odd, position }
  }

  async close(): Promise<void> {
    await this.session.close()
  }
}

function plain(value: SqlValue): string | number | boolean | null {
  return typeof value === 'bigint' || value instanceof Uint8Array ? String(value) : value
}
