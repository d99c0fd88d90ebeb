/**
 * A table or query of a DuckDB file as a source: the engine's process writes its windows, no value passes through this one.
 * The file is open for reading while a window is laid aside, and free for writers while it is written.
 */
import type { SourceAddress } from '../../core/address.ts'
import type { Engine } from '../../core/engine.ts'
import type { SqlValue } from '../../core/effects.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Mark } from '../../core/mark.ts'
import { fold, isReserved } from '../../core/schema.ts'
import type { Schema } from '../../core/schema.ts'
import type { FileSource, Position, SourceRange, WindowFiles, WindowRows, WindowSize } from '../../core/source.ts'
import { columnAt, markOf, newestOf } from '../../database/cursor.ts'
import { jsonOf, writeRest } from '../../database/rest.ts'
import { first } from '../../database/session.ts'
import type { SqlRow } from '../../database/session.ts'
import { openRowsFile } from '../../formats/parquet/rows.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { firstStatement } from '../../sql/statement.ts'
import { columnOf, isNested } from './catalog.ts'
import type { ReadColumn } from './catalog.ts'
import { OWN_SCHEMA, partsOf } from './dialect.ts'
import { openSession } from './session.ts'
import type { DuckdbSession } from './session.ts'

/** A file that another process writes is asked for again for five seconds. */
const TRIES = 50
const WINDOW = 'sluice_window'
const REST = 'sluice_rest'
const INTEGERS = /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/

interface Field extends ReadColumn {
  name: string
  declared: string
}

/** @param options.file absolute path. @throws SluiceError SOURCE_INVALID, SOURCE_UNSUITABLE, BUSY, TABLE_FOREIGN, TABLE_UNSUPPORTED, PERMISSION_DENIED */
export async function openDuckdbSource({ file, address, key, engine }: { file: string; address: SourceAddress; key: readonly string[]; engine: Engine }): Promise<FileSource> {
  const reading = <T>(work: (session: DuckdbSession) => Promise<T>): Promise<T> => withFile(engine, file, work)
  return reading(async (session) => {
    const from = address.table === null ? `(\n${await checkedQuery(session, address.query ?? '')}\n)` : await tableOf(session, file, address.table)
    const described = await session.all(`DESCRIBE SELECT * FROM ${from} AS t`).catch((thrown: unknown) => {
      throw queryFault(thrown, file)
    })
    const fields = described.map((row) => ({ name: String(row['column_name']), declared: String(row['column_type']) })).filter(({ name }) => !isReserved(name))
    return new DuckdbSource({ reading, engine }, file, address, key, fields.map((field) => ({ ...field, ...columnOf(field.name, field.declared) })), `${from} AS t`)
  })
}

type Reading = <T>(work: (session: DuckdbSession) => Promise<T>) => Promise<T>

async function withFile<T>(engine: Engine, file: string, work: (session: DuckdbSession) => Promise<T>): Promise<T> {
  const session = await openSession(engine, file, false, { tries: TRIES })
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}

class DuckdbSource implements FileSource {
  private readonly reading: Reading
  private readonly engine: Engine
  private readonly file: string
  private readonly fields: readonly Field[]
  private readonly schema: Schema
  private readonly from: string
  private readonly cursor: number | null
  private readonly key: readonly number[]

  constructor({ reading, engine }: { reading: Reading; engine: Engine }, file: string, address: SourceAddress, key: readonly string[], fields: readonly Field[], from: string) {
    this.reading = reading
    this.engine = engine
    this.file = file
    this.fields = fields
    this.schema = fields.map(({ name, type }) => ({ name, type }))
    this.from = from
    const names = fields.map(({ name }) => name)
    this.cursor = address.cursor === null ? null : columnAt(names, address.cursor, 'cursor', { path: file })
    this.key = key.map((name) => columnAt(names, name, 'key', { path: file }))
    for (const at of [...(this.cursor === null ? [] : [this.cursor]), ...this.key]) {
      const { name, declared } = this.field(at)
      if (isNested(declared) || /^(BLOB|BOOLEAN|BIT)$/.test(declared)) throw new SluiceError('SOURCE_UNSUITABLE', `${name} is ${declared}: a cursor or key is a number or a text.`, { where: { path: file }, hint: 'Choose another cursor= or key=.' })
    }
  }

  private field(at: number): Field {
    return this.fields[at] as Field
  }

  private sql(at: number): string {
    return `t.${quoteName(this.field(at).name)}`
  }

  async columns(): Promise<{ schema: Schema; notices: readonly string[] }> {
    const bytes = this.fields.filter(({ declared }) => declared === 'BLOB').map(({ name }) => name)
    return { schema: this.schema, notices: bytes.length === 0 ? [] : [`The bytes of ${bytes.join(', ')} are loaded as hexadecimal text.`] }
  }

  /** A column as a mark: numbers as they are, of FLOAT the double of its text as in the windows, all else as its text. */
  private marked(at: number, x: string): string {
    const { declared } = this.field(at)
    if (declared === 'FLOAT') return `CAST(CAST(${x} AS VARCHAR) AS DOUBLE)`
    return INTEGERS.test(declared) || declared === 'DOUBLE' ? x : `CAST(${x} AS VARCHAR)`
  }

  private mark(at: number, value: SqlValue | undefined): Mark {
    const { name, declared } = this.field(at)
    return markOf(value, { name, ordered: /^(DATE|TIMESTAMP|DECIMAL)/.test(declared), location: this.file })
  }

  async newest(): Promise<Mark | null> {
    if (this.cursor === null) return null
    const [at, cursor] = [this.cursor, this.sql(this.cursor)]
    const question = { from: this.from, cursor, key: this.key.map((one) => this.sql(one)), marked: this.marked(at, cursor), name: this.field(at).name }
    const found = await this.reading((session) => newestOf((sql) => session.all(sql), question)).catch((thrown: unknown) => {
      throw queryFault(thrown, this.file)
    })
    return found === undefined ? null : this.mark(at, found)
  }

  async *write(range: SourceRange, most: WindowSize, files: (window: number) => WindowFiles, signal: AbortSignal): AsyncGenerator<WindowRows> {
    signal.throwIfAborted()
    const whole = range.count === null
    const session = await openSession(this.engine, this.file, false, { signal, tries: TRIES })
    try {
      // Laid aside once, in order: it spills when it is large, and its rows have numbers.
      await session.run('window.aside', `CREATE TEMP TABLE ${WINDOW} AS ${this.select(range)}`).catch((thrown: unknown) => {
        throw queryFault(thrown, this.file)
      })
      await session.detach()
      const rows = Number((await first(session, `SELECT count(*) AS n FROM ${WINDOW}`))?.['n'])
      for (let from = 0, window = 0; from < rows; window++) {
        signal.throwIfAborted()
        const to = await this.endOf(session, from, Math.min(rows, from + most.rows), most.bytes)
        const odd = await this.copy(session, from, to, files(window))
        const [last = null, next = null] = whole ? [] : await this.positions(session, to)
        yield { rows: to - from, last, next, written: Promise.resolve(odd) }
        if (!whole) break
        from = to
      }
    } finally {
      await session.close()
    }
  }

  private select({ after, from, until, count }: SourceRange): string {
    const order = [...(this.cursor === null ? [] : [this.cursor]), ...this.key]
    const literal = (at: number, value: Mark | undefined): string => `CAST(${quoteText(String(value))} AS ${this.field(at).declared})`
    const conditions: string[] = []
    if (this.cursor !== null && after !== null) {
      const values = [after.cursor, ...after.key]
      // Written out: of two rows in parentheses DuckDB compares what it takes for a common type.
      const beyond = order.map((at, n) => `(${[...order.slice(0, n).map((one, m) => `${this.sql(one)} = ${literal(one, values[m])}`), `${this.sql(at)} > ${literal(at, values[n])}`].join(' AND ')})`)
      conditions.push(`${this.sql(this.cursor)} >= ${literal(this.cursor, after.cursor)}`, `(${beyond.join(' OR ')})`)
    } else if (this.cursor !== null && from !== null) conditions.push(`${this.sql(this.cursor)} >= ${literal(this.cursor, from)}`)
    if (this.cursor !== null && until !== null) conditions.push(`${this.sql(this.cursor)} <= ${literal(this.cursor, until)}`)
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
    const columns = this.fields.map((_, at) => `${this.sql(at)} AS c${at}`).join(', ')
    return `SELECT ${columns} FROM ${this.from}${where}${order.length === 0 ? '' : ` ORDER BY ${order.map((at) => this.sql(at)).join(', ')}`}${count === null ? '' : ` LIMIT ${count}`}`
  }

  /** Where the window ends that begins with row `from`, `most` at most. */
  private async endOf(session: DuckdbSession, from: number, most: number, bytes: number): Promise<number> {
    const sizes = this.fields.map(({ size }, at) => size?.(`c${at}`) ?? '8').join(' + ')
    const of = `FROM ${WINDOW} WHERE rowid >= ${from} AND rowid < ${most}`
    const all = Number((await first(session, `SELECT sum(${sizes})::DOUBLE AS n ${of}`))?.['n'])
    if (all < bytes) return most
    const full = await first(session, `SELECT min(number) AS n FROM (SELECT rowid AS number, sum(${sizes}) OVER (ORDER BY rowid) AS filled ${of}) WHERE filled >= ${bytes}`)
    return Number(full?.['n']) + 1
  }

  private async positions(session: DuckdbSession, end: number): Promise<Position[]> {
    const order = [this.cursor ?? 0, ...this.key]
    const rows = await session.all(`SELECT ${order.map((at, n) => `${this.marked(at, `c${at}`)} AS m${n}`).join(', ')} FROM ${WINDOW} WHERE rowid IN (${end - 1}, ${end}) ORDER BY rowid`)
    const position = (row: SqlRow): Position => ({ cursor: this.mark(this.cursor ?? 0, row['m0']), key: this.key.map((at, n) => this.mark(at, row[`m${n + 1}`])) })
    return rows.map(position)
  }

  /** @returns how many rows went into the rest */
  private async copy(session: DuckdbSession, from: number, to: number, { parquet, rest }: WindowFiles): Promise<number> {
    const rows = `FROM ${WINDOW} WHERE rowid >= ${from} AND rowid < ${to}`
    const holds = this.fields.flatMap((field, at) => field.holds?.(`c${at}`) ?? []).join(' AND ')
    const values = this.fields.map(({ name, value }, at) => `${value(`c${at}`)} AS ${quoteName(name)}`).join(', ')
    const written = await session.engine.copy('window.copy', `SELECT ${values} ${rows}${holds === '' ? '' : ` AND ${holds}`} ORDER BY rowid`, parquet)
    if (written.rows === 0) openRowsFile('window.write', parquet, this.schema).finish()
    const odd = to - from - written.rows
    if (odd === 0) return 0
    if ((await this.writeRest(session, `SELECT ${this.fields.map((field, at) => `CAST(${field.declared === 'BLOB' ? field.value(`c${at}`) : `c${at}`} AS VARCHAR) AS c${at}`).join(', ')} ${rows} AND NOT coalesce(${holds}, false) ORDER BY rowid`, rest)) !== odd) {
      throw new SluiceError('INTERNAL', `Of ${to - from} rows of a window, ${written.rows} and ${odd} are not all.`)
    }
    return odd
  }

  private async writeRest(session: DuckdbSession, select: string, path: string): Promise<number> {
    const nested = this.fields.find(({ declared }) => isNested(declared))
    if (nested !== undefined) throw new SluiceError('SOURCE_UNSUITABLE', `${this.file}: a row holds a time without end, one beyond the years 1 to 9999, or a number beyond 38 digits, and ${nested.name} beside it cannot be told exactly.`, { where: { path: this.file }, hint: 'Read the table with query=, and cast or leave out one of them.' })
    await session.run('window.aside', `CREATE OR REPLACE TEMP TABLE ${REST} AS ${select}`)
    return writeRest((sql) => session.all(sql), REST, path, (row) => `{${this.fields.map(({ name, type }, at) => `${JSON.stringify(name)}:${jsonOf(type, row[`c${at}`] ?? null)}`).join(',')}}`)
  }

  async close(): Promise<void> {
    // Nothing is held between calls.
  }
}

/** What DuckDB says of a table or query that was named here is no fault of the engine. */
function queryFault(thrown: unknown, file: string): unknown {
  if (!(thrown instanceof SluiceError) || thrown.code !== 'ENGINE_FAILED') return thrown
  return new SluiceError('SOURCE_INVALID', `${file}: ${thrown.message.split('\n')[0] ?? ''}`, { cause: thrown, where: { path: file }, hint: 'Try it with sluice sql first.' })
}

/** @throws SluiceError SOURCE_INVALID with the tables that there are */
async function tableOf(session: DuckdbSession, file: string, table: string): Promise<string> {
  const { schema, name } = partsOf(table)
  const there = (await session.all(`SELECT schema_name AS "schema", table_name AS name FROM duckdb_tables() WHERE database_name = current_database() UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = current_database() AND NOT internal ORDER BY 1, 2`))
    .map((row) => ({ schema: String(row['schema']), name: String(row['name']) }))
    .filter((one) => one.schema !== OWN_SCHEMA)
  const found = there.find((one) => fold(one.schema) === fold(schema) && fold(one.name) === fold(name))
  if (found !== undefined) return `${quoteName(found.schema)}.${quoteName(found.name)}`
  const shown = there.slice(0, 20).map((one) => (one.schema === 'main' ? one.name : `${one.schema}.${one.name}`))
  throw new SluiceError('SOURCE_INVALID', `There is no table ${table} in ${file}; ${shown.length === 0 ? 'it has none' : `it has ${shown.join(', ')}`}.`, { where: { path: file } })
}

/** Exactly one SELECT, as DuckDB itself parses it. */
async function checkedQuery(session: DuckdbSession, query: string): Promise<string> {
  const answer = await first(session, `SELECT CAST(json_serialize_sql(${quoteText(query)}) AS VARCHAR) AS tree`)
  const tree = JSON.parse(String(answer?.['tree'])) as { error: boolean; error_message?: string; statements?: unknown[] }
  if (tree.error || tree.statements?.length !== 1) throw new SluiceError('SOURCE_INVALID', `query=: ${tree.error ? (tree.error_message ?? 'it is no SELECT') : `${tree.statements?.length ?? 0} statements were given; it takes one`}.`, { hint: 'Try it with sluice sql first.' })
  return firstStatement(query)
}
