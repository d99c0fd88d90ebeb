/**
 * A table or query of a SQLite file as a source. The file is opened for reading, a statement at a time, so that writers
 * are held up by no more than one window.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import type { SourceAddress } from '../../core/address.ts'
import type { SqlValue } from '../../core/effects.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Mark } from '../../core/mark.ts'
import { fold, isReserved } from '../../core/schema.ts'
import type { Row, Schema } from '../../core/schema.ts'
import type { Position, RowSource, SourceChunk, SourceRange } from '../../core/source.ts'
import { columnAt, markOf, newestOf } from '../../database/cursor.ts'
import { quoteName } from '../../sql/quote.ts'
import { SqliteSession, openForReading } from '../../sql/sqlite.ts'
import { firstStatement } from '../../sql/statement.ts'
import { ODD, converterOf, oddText, typeOfDeclared, typeOfValues } from './catalog.ts'
import type { Convert } from './catalog.ts'

/** Rows between two turns of the process. */
const CHUNK = 1000

/** @param options.file absolute path; @param options.key columns that tell rows apart. @throws SluiceError SOURCE_INVALID */
export function openSqliteSource({ file, address, key }: { file: string; address: SourceAddress; key: readonly string[] }): RowSource {
  const session = openForReading('sqlite.rollback', file)
  try {
    return new SqliteSource(session, file, address, key)
  } catch (thrown) {
    session.close()
    throw thrown
  }
}

interface Shape {
  schema: Schema
  converts: readonly Convert[]
  notices: string[]
}

class SqliteSource implements RowSource {
  private readonly session: SqliteSession
  private readonly file: string
  /** Columns of the table, and where cursor and key are among them. */
  private readonly columnsThere: readonly { name: string; declared: string }[]
  private readonly names: readonly string[]
  private readonly from: string
  private readonly cursor: number | null
  private readonly key: readonly number[]
  private shape: Shape | null = null

  constructor(session: SqliteSession, file: string, address: SourceAddress, key: readonly string[]) {
    this.session = session
    this.file = file
    this.from = address.table === null ? `(\n${checkedQuery(file, address.query ?? '')}\n)` : tableOf(session, file, address.table)
    const all = session.columnsOf(`SELECT * FROM ${this.from}`)
    this.columnsThere = all.filter(({ name }) => !isReserved(name))
    this.names = this.columnsThere.map(({ name }) => name)
    this.cursor = address.cursor === null ? null : columnAt(this.names, address.cursor, 'cursor', { path: file })
    this.key = key.map((name) => columnAt(this.names, name, 'key', { path: file }))
  }

  private sql(at: number): string {
    return quoteName(this.names[at] ?? '')
  }

  async columns(): Promise<{ schema: Schema; notices: readonly string[] }> {
    return this.shaped()
  }

  private shaped(): Shape {
    if (this.shape !== null) return this.shape
    const declared = this.columnsThere.map((column) => typeOfDeclared(column.declared))
    const unknown = declared.flatMap((type, at) => (type === null ? [at] : []))
    const kinds = ['integer', 'real', 'text', 'blob'] as const
    const seen = unknown.length === 0 ? undefined : this.session.get(`SELECT ${unknown.flatMap((at) => kinds.map((kind) => `max(typeof(${this.sql(at)}) = '${kind}') AS ${kind}${at}`)).join(', ')} FROM ${this.from}`)
    const types = declared.map((type, at) => {
      const has = (kind: string): boolean => seen?.[`${kind}${at}`] === 1n
      return type ?? typeOfValues({ integer: has('integer'), real: has('real'), text: has('text'), blob: has('blob') })
    })
    const named = (type: string): string => this.names.filter((_, at) => types[at] === type).join(', ')
    const notices = [
      ...(named('bytes') === '' ? [] : [`The bytes of ${named('bytes')} are loaded as hexadecimal text.`]),
      ...(named('timestamp') === '' ? [] : [`Times without a zone in ${named('timestamp')} are taken as UTC.`]),
    ]
    this.shape = { schema: types.map((type, at) => ({ name: this.names[at] ?? '', type: type === 'bytes' ? 'string' : type })), converts: types.map(converterOf), notices }
    return this.shape
  }

  async newest(): Promise<Mark | null> {
    if (this.cursor === null) return null
    const question = { from: this.from, cursor: this.sql(this.cursor), key: this.key.map((at) => this.sql(at)), name: this.names[this.cursor] ?? '' }
    const found = await newestOf((sql) => this.session.all(sql), question)
    return found === undefined ? null : this.mark(this.cursor, found)
  }

  private mark(at: number, value: SqlValue): Mark {
    return markOf(value, { name: this.names[at] ?? '', ordered: false, location: this.file })
  }

  async *rows(range: SourceRange, signal: AbortSignal): AsyncGenerator<SourceChunk> {
    const { sql, values } = this.select(range)
    const { converts } = this.shaped()
    const rows = this.session.tuples(sql, values)
    try {
      for (;;) {
        signal.throwIfAborted()
        const chunk: SqlValue[][] = []
        for (let next = rows.next(); ; next = rows.next()) {
          if (next.done === true) break
          chunk.push(next.value)
          if (chunk.length === CHUNK) break
        }
        if (chunk.length > 0) yield this.chunkOf(chunk, converts)
        if (chunk.length < CHUNK) return
        await breathe()
      }
    } finally {
      rows.return()
    }
  }

  private select({ after, from, until, count }: SourceRange): { sql: string; values: SqlValue[] } {
    const columns = this.names.map((_, at) => this.sql(at)).join(', ')
    const order = [...(this.cursor === null ? [] : [this.cursor]), ...this.key].map((at) => this.sql(at))
    const conditions: string[] = []
    const values: SqlValue[] = []
    if (this.cursor !== null && after !== null) {
      conditions.push(`(${order.join(', ')}) > (${order.map(() => '?').join(', ')})`)
      values.push(after.cursor, ...after.key)
    } else if (this.cursor !== null && from !== null) {
      conditions.push(`${order[0] ?? ''} >= ?`)
      values.push(from)
    }
    if (this.cursor !== null && until !== null) {
      conditions.push(`${order[0] ?? ''} <= ?`)
      values.push(until)
    }
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
    return { sql: `SELECT ${columns} FROM ${this.from}${where}${order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`}${count === null ? '' : ` LIMIT ${count}`}`, values }
  }

  private chunkOf(tuples: readonly SqlValue[][], converts: readonly Convert[]): SourceChunk {
    const odd = new Map<number, string>()
    const rows = tuples.map((tuple, n) => {
      const row: Row = []
      for (let at = 0; at < tuple.length; at++) {
        const value = tuple[at] as SqlValue
        const converted = value === null ? null : (converts[at] as Convert)(value)
        if (converted === ODD) odd.set(n, `{${this.names.map((name, i) => `${JSON.stringify(name)}:${oddText(tuple[i] ?? null)}`).join(',')}}`)
        row.push(converted === ODD ? null : converted)
      }
      return row
    })
    const position = (at: number): Position => {
      const tuple = tuples[at] ?? []
      const mark = (index: number): Mark => this.mark(index, tuple[index] ?? null)
      return { cursor: mark(this.cursor ?? 0), key: this.key.map(mark) }
    }
    return { rows, odd, position }
  }

  async close(): Promise<void> {
    this.session.close()
  }
}

function tableOf(session: SqliteSession, file: string, name: string): string {
  const there = session.all("SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_sluice\\_%' ESCAPE '\\' ORDER BY name").map((row) => String(row['name']))
  const table = there.find((one) => fold(one) === fold(name))
  if (table === undefined) throw new SluiceError('SOURCE_INVALID', `There is no table ${name} in ${file}; ${there.length === 0 ? 'it has none' : `it has ${there.slice(0, 20).join(', ')}`}.`, { where: { path: file } })
  return `main.${quoteName(table)}`
}

/** Exactly one SELECT: asked of SQLite itself, in a session of its own. */
function checkedQuery(file: string, query: string): string {
  const session = new SqliteSession(file, { readOnly: true })
  try {
    session.question(query)
    return firstStatement(query)
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown
    throw new SluiceError('SOURCE_INVALID', `query=: ${thrown.message}`, { where: { path: file }, hint: 'Try it with sluice sql first.' })
  } finally {
    session.close()
  }
}
