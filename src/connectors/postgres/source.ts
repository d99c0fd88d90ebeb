/** A table or query of a PostgreSQL database as a source: a COPY per window, types of the catalog. */
import type { SourceAddress } from '../../core/address.ts'
import type { SqlValue } from '../../core/effects.ts'
import type { Engine } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Mark } from '../../core/mark.ts'
import { fold, isReserved } from '../../core/schema.ts'
import type { ColumnType, Schema } from '../../core/schema.ts'
import type { FileSource, Position, SourceRange, WindowFiles, WindowRows, WindowSize } from '../../core/source.ts'
import { columnAt, markOf, newestOf } from '../../database/cursor.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { accessTo } from './access.ts'
import { isBytes, typeOfColumn } from './catalog.ts'
import type { PostgresColumn } from './catalog.ts'
import { postgresError, saidBy, stateOf } from './errors.ts'
import { PostgresSession, fromText } from './session.ts'
import type { CopiedRows } from './copy-out.ts'
import { TextFile, TextToParquet, copySql, fieldsOf } from './text.ts'
import { identityOf, parsePostgresUrl } from './url.ts'

/** Of class 42, but no fault of the query. */
const PRIVILEGE = '42501'
/** date, timestamp, timestamptz, numeric: as texts, but ordered as what they are. */
const ORDERED: ReadonlySet<number> = new Set([1082, 1114, 1184, 1700])

/** @throws SluiceError UNREACHABLE, LOGIN_REFUSED, DATABASE_MISSING, SOURCE_INVALID */
export async function openPostgresSource({ address, key, engine }: { address: SourceAddress; key: readonly string[]; engine: Engine }): Promise<FileSource> {
  const url = parsePostgresUrl(`postgres:${address.location}${address.options === undefined ? '' : `?${address.options}`}`)
  const open = (): Promise<PostgresSession> => PostgresSession.open(accessTo(url, url.password), false)
  const session = await open()
  try {
    const from = address.table === null ? `(${address.query ?? ''}\n)` : tableOf(address.table)
    const found = await session.describe(`SELECT * FROM ${from} AS t`).catch((thrown: unknown) => {
      throw queryFault(thrown, identityOf(url))
    })
    return new PostgresSource({ session, open, engine }, identityOf(url), address, key, found.filter(({ name }) => !isReserved(name)), `${from} AS t`)
  } catch (thrown) {
    await session.close()
    throw thrown
  }
}

/** What the server says of values (22) or names (42) of a table or query that was named here is no fault of the database. */
function queryFault(thrown: unknown, location: string): SluiceError {
  const state = stateOf(thrown) ?? ''
  if (!/^(22|42)/.test(state) || state === PRIVILEGE) return postgresError(thrown, location)
  return new SluiceError('SOURCE_INVALID', `${location}: ${saidBy(thrown)}.`, { cause: thrown, hint: 'Try it with sluice sql first.' })
}

/** `orders`, `sales.orders` */
function tableOf(name: string): string {
  return name.split('.').map(quoteName).join('.')
}

interface Means {
  session: PostgresSession
  /** Another one. */
  open(): Promise<PostgresSession>
  engine: Engine
}

class PostgresSource implements FileSource {
  private session: PostgresSession
  private readonly open: () => Promise<PostgresSession>
  private readonly parquet: TextToParquet
  private readonly schema: Schema
  private readonly location: string
  private readonly fields: readonly PostgresColumn[]
  private readonly types: readonly ColumnType[]
  private readonly from: string
  private readonly cursor: number | null
  private readonly key: readonly number[]

  constructor({ session, open, engine }: Means, location: string, address: SourceAddress, key: readonly string[], fields: readonly PostgresColumn[], from: string) {
    this.session = session
    this.open = open
    this.location = location
    this.fields = fields
    this.types = fields.map(typeOfColumn)
    this.schema = fields.map(({ name }, at) => ({ name, type: this.types[at] ?? 'string' }))
    this.parquet = new TextToParquet(engine, this.schema, fields)
    const twice = fields.find(({ name }, at) => fields.findIndex((other) => fold(other.name) === fold(name)) < at)
    if (twice !== undefined) throw new SluiceError('SOURCE_INVALID', `Two columns are called ${twice.name}, but for upper and lower case.`, { hint: 'Read them with query= and other names.' })
    this.from = from
    const names = fields.map(({ name }) => name)
    this.cursor = address.cursor === null ? null : columnAt(names, address.cursor, 'cursor')
    this.key = key.map((name) => columnAt(names, name, 'key'))
  }

  private sql(at: number): string {
    return `t.${quoteName(this.fields[at]?.name ?? '')}`
  }

  async columns(): Promise<{ schema: Schema; notices: readonly string[] }> {
    const bytes = this.fields.filter(isBytes).map(({ name }) => name)
    return { schema: this.schema, notices: bytes.length === 0 ? [] : [`The bytes of ${bytes.join(', ')} are loaded as hexadecimal text.`] }
  }

  async newest(): Promise<Mark | null> {
    if (this.cursor === null) return null
    const question = { from: this.from, cursor: this.sql(this.cursor), key: this.key.map((at) => this.sql(at)), name: this.fields[this.cursor]?.name ?? '' }
    const found = await newestOf((sql) => this.session.all(sql), question).catch((thrown: unknown) => {
      throw stateOf(thrown) === null ? thrown : queryFault(thrown, this.location)
    })
    return found === undefined ? null : this.mark(this.cursor, found)
  }

  private mark(at: number, value: SqlValue): Mark {
    const { name = '', oid = 0 } = this.fields[at] ?? {}
    return markOf(value, { name, ordered: ORDERED.has(oid), location: this.location })
  }

  async *write(range: SourceRange, most: WindowSize, files: (window: number) => WindowFiles, signal: AbortSignal): AsyncGenerator<WindowRows> {
    signal.throwIfAborted()
    if (!this.session.usable) this.session = await this.open()
    const { session } = this
    const stop = (): void => session.cut()
    signal.addEventListener('abort', stop)
    const open: { file: TextFile | null } = { file: null }
    try {
      yield* this.windows(session.copyOut(copySql(this.select(range), this.types)), { whole: range.count === null, most, files, open })
    } catch (thrown) {
      signal.throwIfAborted()
      throw stateOf(thrown) === null ? thrown : queryFault(thrown, this.location)
    } finally {
      signal.removeEventListener('abort', stop)
      open.file?.discard()
    }
  }

  /** Cuts what the server sends into windows. */
  private async *windows(copied: AsyncIterable<CopiedRows>, { whole, most, files, open }: { whole: boolean; most: WindowSize; files: (window: number) => WindowFiles; open: { file: TextFile | null } }): AsyncGenerator<WindowRows> {
    const begin = (): TextFile => (open.file ??= new TextFile(files(window++), most))
    const end = (file: TextFile, behind: boolean): WindowRows => {
      const last = whole ? null : this.position(file.lastRow)
      const next = behind ? this.position(file.behind) : null
      open.file = null
      return { rows: file.rows, last, next, written: this.parquet.write(file) }
    }
    let window = 0
    for await (const { bytes, ends } of copied) {
      let from = 0
      for (const to of ends) {
        const file = begin()
        if (file.full) {
          // The row behind the window.
          file.append(bytes.subarray(from, to))
          from = to
          const cut = file.rows < most.rows
          yield end(file, true)
          // By its bytes: the server has more. By its rows: it was the last one that was asked for.
          if (cut) return
          continue
        }
        file.row(to - from)
        if (!file.full) continue
        file.append(bytes.subarray(from, to))
        from = to
        if (whole) yield end(file, false)
      }
      if (from < bytes.length) begin().append(bytes.subarray(from))
    }
    if (open.file !== null) yield end(open.file, false)
  }

  /** Values as literals of no type, which take that of their column: COPY takes no parameters. */
  private select({ after, from, until, count }: SourceRange): string {
    const order = [...(this.cursor === null ? [] : [this.cursor]), ...this.key].map((at) => this.sql(at))
    const conditions: string[] = []
    const literal = (value: Mark): string => quoteText(String(value))
    if (this.cursor !== null && after !== null) conditions.push(`(${order.join(', ')}) > (${[after.cursor, ...after.key].map(literal).join(', ')})`)
    else if (this.cursor !== null && from !== null) conditions.push(`${order[0] ?? ''} >= ${literal(from)}`)
    if (this.cursor !== null && until !== null) conditions.push(`${order[0] ?? ''} <= ${literal(until)}`)
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
    const columns = this.fields.map((_, at) => `${this.sql(at)} AS c${at}`).join(', ')
    return `SELECT ${columns} FROM ${this.from}${where}${order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`}${count === null ? '' : ` LIMIT ${count}`}`
  }

  private position(line: string): Position {
    const fields = fieldsOf(line)
    const mark = (at: number): Mark => this.mark(at, fromText(this.fields[at]?.oid ?? 0, fields[at] ?? null))
    return { cursor: mark(this.cursor ?? 0), key: this.key.map(mark) }
  }

  async close(): Promise<void> {
    await this.parquet.close()
    await this.session.close()
  }
}
