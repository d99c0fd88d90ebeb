/**
 * Windows as the server writes them: CSV on the disk, and from there into Parquet by the engine. No value passes through
 * this process; of each window it looks at two rows, the last one and the one behind it.
 */
import type { Engine, Session } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { ColumnType, Schema } from '../../core/schema.ts'
import type { WindowFiles, WindowSize } from '../../core/source.ts'
import { writeRest } from '../../database/rest.ts'
import { openRowsFile } from '../../formats/parquet/rows.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { openAppendFile } from '../../storage/appendFile.ts'
import type { AppendFile } from '../../storage/appendFile.ts'
import { jsonOfText, readingOf } from './catalog.ts'
import type { PostgresColumn } from './catalog.ts'

/** Text columns of a window: always in quotes, so that an empty text is told from null. */
export function copySql(select: string, types: readonly ColumnType[]): string {
  const quoted = types.flatMap((type, at) => (/^(string|json)/.test(type) ? [`c${at}`] : []))
  return `COPY (${select}) TO STDOUT (FORMAT csv${quoted.length === 0 ? '' : `, FORCE_QUOTE (${quoted.join(', ')})`})`
}

/** One window while its rows come. */
export class TextFile {
  readonly files: WindowFiles
  private readonly file: AppendFile
  private readonly most: WindowSize
  rows = 0
  /** Of the longest row, bytes. */
  longest = 0
  /** Where the last row of the window begins and ends. */
  private begin = 0
  private end = 0

  constructor(files: WindowFiles, most: WindowSize) {
    this.files = files
    this.most = most
    this.file = openAppendFile('window.write', files.text)
  }

  /** A row ends so many bytes behind those that were appended. */
  row(ahead: number): void {
    this.rows++
    this.begin = this.end
    this.end = this.file.size + ahead
    this.longest = Math.max(this.longest, this.end - this.begin)
  }
  append(bytes: Uint8Array): void {
    if (bytes.length > 0) this.file.append(bytes)
  }
  get full(): boolean {
    return this.rows >= this.most.rows || this.end >= this.most.bytes
  }
  get lastRow(): string {
    return this.file.read(this.begin, this.end).toString('utf8')
  }
  /** What was appended behind the window. */
  get behind(): string {
    return this.file.read(this.end, this.file.size).toString('utf8')
  }
  close(): void {
    if (this.file.size > this.end) this.file.truncate(this.end)
    this.file.close()
  }
  discard(): void {
    this.file.discard()
  }
}

/** The fields of a row as the server writes CSV. */
export function fieldsOf(line: string): (string | null)[] {
  const fields: (string | null)[] = []
  for (let at = 0; at <= line.length; at++) {
    if (line[at] === '"') {
      let end = at + 1
      while (end < line.length && (line[end] !== '"' || line[end + 1] === '"')) end += line[end] === '"' ? 2 : 1
      fields.push(line.slice(at + 1, end).replaceAll('""', '"'))
      at = end + 1
    } else {
      const comma = line.indexOf(',', at)
      const end = comma < 0 ? line.replace(/\n$/, '').length : comma
      fields.push(end === at ? null : line.slice(at, end))
      at = comma < 0 ? line.length : comma
    }
  }
  return fields
}

/** Writes windows as Parquet, one after another, in a process of the engine. */
export class TextToParquet {
  private readonly engine: Engine
  private readonly schema: Schema
  private readonly fields: readonly PostgresColumn[]
  private readonly select: string
  private readonly holds: string
  private session: Promise<Session> | null = null
  private tail: Promise<unknown> = Promise.resolve()

  constructor(engine: Engine, schema: Schema, fields: readonly PostgresColumn[]) {
    this.engine = engine
    this.schema = schema
    this.fields = fields
    const readings = fields.map((field, at) => readingOf(field, schema[at]?.type ?? 'string', `c${at}`))
    this.select = readings.map(({ value }, at) => `${value} AS ${quoteName(schema[at]?.name ?? '')}`).join(', ')
    this.holds = readings.flatMap(({ holds }) => holds ?? []).join(' AND ')
  }

  /** Takes over the file. @returns how many rows went into the rest */
  write(text: TextFile): Promise<number> {
    text.close()
    const written = this.tail.then(async () => {
      this.session ??= this.engine.session()
      const odd = await this.convert(await this.session, text)
      text.discard()
      return odd
    })
    this.tail = written.catch(() => undefined)
    return written
  }

  private async convert(session: Session, { files, rows, longest }: TextFile): Promise<number> {
    const columns = this.fields.map((_, at) => `c${at}: 'VARCHAR'`).join(', ')
    // In parallel, a line feed in quotes would have to be told from one that ends a row.
    const from = `read_csv(${quoteText(files.text)}, header = false, auto_detect = false, parallel = false, delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false, max_line_size = ${Math.max(2_097_152, longest + 1)}, columns = {${columns}})`
    const where = this.holds === '' ? '' : ` WHERE ${this.holds}`
    const written = await session.copy('window.copy', `SELECT ${this.select} FROM ${from}${where}`, files.parquet)
    if (written.rows === 0) openRowsFile('window.write', files.parquet, this.schema).finish()
    const odd = written.rows === rows ? 0 : await this.writeRest(session, `SELECT * FROM ${from} WHERE NOT coalesce(${this.holds === '' ? 'true' : this.holds}, false)`, files.rest)
    if (written.rows + odd !== rows) throw new SluiceError('INTERNAL', `The server sent ${rows} rows of a window, and ${written.rows + odd} of them can be read.`)
    return odd
  }

  private async writeRest(session: Session, select: string, path: string): Promise<number> {
    await session.exec(`CREATE OR REPLACE TEMP TABLE sluice_rest AS ${select}`)
    const odd = await writeRest((sql) => session.rows(sql), 'sluice_rest', path, (row) => `{${this.fields.map((field, at) => `${JSON.stringify(field.name)}:${jsonOfText(field, this.schema[at]?.type ?? 'string', (row[`c${at}`] ?? null) as string | null)}`).join(',')}}`)
    await session.exec('DROP TABLE sluice_rest')
    return odd
  }

  async close(): Promise<void> {
    await this.tail
    await (await this.session?.catch(() => null))?.close()
  }
}
