/** `sluice sql`: one SELECT on the tables, as a table for people or exact in a format for programs. Changes nothing. */
import { readFileSync } from 'node:fs'
import { text as readAll } from 'node:stream/consumers'
import { Command, Option } from 'commander'
import type { Answer } from '../core/console.ts'
import { SluiceError } from '../core/errors.ts'
import type { Row, Schema, Value } from '../core/schema.ts'
import { isJsonText } from '../core/types.ts'
import type { Query } from '../service/query.ts'
import { storageError } from '../storage/errors.ts'
import { systemClock } from '../storage/system.ts'
import { bytes, duration, number, plural } from './format.ts'
import { grid } from './grid.ts'
import { exactJson } from './output.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'
import { MACHINE_FORMATS, refuseTwins, writeToFile, writeToStdout } from './rows.ts'
import type { MachineFormat } from './rows.ts'
import { EXIT_OF, onInterruption } from './signals.ts'
import type { Stop } from './signals.ts'

interface SqlFlags {
  query?: string
  file?: string
  to?: string
  output?: string
  overwrite?: boolean
  format?: string
  limit?: string
  timeout?: string
  memory?: string
}

const FORMATS = ['table', ...MACHINE_FORMATS]
/** Rows that a table or a document shows unless --limit says otherwise. */
const SHOWN = 200
const IN_DOCUMENT = 10_000

export function sqlCommand(run: Run): Command {
  return new Command('sql')
    .description('ask the tables: one SELECT, which changes nothing')
    .argument('[query]', 'the SELECT; absent: -f, or standard input')
    .option('-f, --file <file>', 'file that holds the query')
    .option('--to <target>', 'place of the tables (default: the Delta tables of the data folder)')
    .option('-o, --output <file>', 'write the rows into this file; its extension tells the format')
    .option('--overwrite', 'also where there is such a file')
    .addOption(new Option('--format <format>', 'how the rows are written (default: table; with -o as its extension says)').choices(FORMATS))
    .option('--limit <n>', `rows at most (default: ${SHOWN} as a table, ${number(IN_DOCUMENT)} in the document of --json, else all)`)
    .option('--timeout <time>', 'how long it may take', '10m')
    .option('--memory <size>', 'what its process may hold, at least 512MB', '1GB')
    .action((query: string | undefined, flags: SqlFlags) => run(ask)({ ...flags, ...(query === undefined ? {} : { query }) }))
}

async function ask(output: Output, flags: SqlFlags): Promise<number> {
  const format = formatOf(output, flags)
  const most = limitOf(flags.limit)
  const sql = await queryOf(flags)
  const { query } = await import('../service/query.ts')
  const interruption = onInterruption(() => output.note('Cancelling the query.'))
  const began = systemClock.monotonic()
  let asked: Query | null = null
  try {
    const { to, timeout, memory } = flags
    asked = await query({
      sql, dataDir: output.dataDir, signal: interruption.signal, typed: format === 'parquet', onNotice: (text) => output.note(`  note: ${text}`),
      ...(to === undefined ? {} : { to }), ...(timeout === undefined ? {} : { timeout }), ...(memory === undefined ? {} : { memory }),
    })
    const took = (): number => Math.round(systemClock.monotonic() - began)
    if (flags.output !== undefined) await intoFile(output, most === null ? asked : limited(asked, most), format as MachineFormat, flags, took)
    else if (output.json) await document(output, asked, most ?? IN_DOCUMENT, took)
    else if (format === 'table') await table(output, asked, most ?? SHOWN, took)
    else {
      refuseTwins(asked, format)
      const rows = await writeToStdout(most === null ? asked : limited(asked, most), format as Exclude<MachineFormat, 'parquet'>, process.stdout)
      output.detail(`  ${plural(rows, 'row')} · ${duration(took())}`)
    }
    return 0
  } catch (thrown) {
    if (interruption.by !== null) throw new Cancelled(interruption.by)
    throw thrown
  } finally {
    interruption.release()
    await asked?.close()
  }
}

class Cancelled extends SluiceError {
  private readonly by: Stop
  constructor(by: Stop) {
    super('INTERRUPTED', 'The query was cancelled.', { hint: 'Ask again; nothing was changed.' })
    this.by = by
  }
  override get exit(): number {
    return EXIT_OF[this.by]
  }
}

type Format = 'table' | MachineFormat

function formatOf(output: Output, flags: SqlFlags): Format {
  const named = flags.format as Format | undefined
  if (flags.overwrite === true && flags.output === undefined) throw new SluiceError('USAGE', '--overwrite is about the file of -o, and there is none.')
  if (flags.output === undefined) {
    if (named === 'parquet') throw new SluiceError('USAGE', '--format parquet needs a file: -o rows.parquet.')
    if (output.json && named !== undefined) throw new SluiceError('USAGE', `--format ${named} and --json do not go together: --json prints one document.`)
    return named ?? 'table'
  }
  const told = /\.([a-z]+)$/i.exec(flags.output)?.[1]?.toLowerCase()
  const format = named ?? MACHINE_FORMATS.find((name) => name === told)
  if (format === undefined || format === 'table') throw new SluiceError('USAGE', `-o ${flags.output}: its format is one of ${MACHINE_FORMATS.join(', ')}; say it with --format.`)
  return format
}

function limitOf(text: string | undefined): number | null {
  if (text === undefined) return null
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new SluiceError('USAGE', `--limit ${text} is not a number from 1.`)
  return Number(text)
}

async function queryOf({ query, file }: SqlFlags): Promise<string> {
  if (query !== undefined && file !== undefined) throw new SluiceError('USAGE', 'The query and -f do not go together.')
  if (query !== undefined && query !== '-') return query
  if (file !== undefined && file !== '-') {
    try {
      return readFileSync(file, 'utf8')
    } catch (thrown) {
      throw storageError(thrown, 'read', file)
    }
  }
  if (process.stdin.isTTY) throw new SluiceError('USAGE', 'A query is missing.', { hint: 'sluice sql "select count(*) from orders", or -f query.sql, or a pipe.' })
  return readAll(process.stdin)
}

/** The first rows; what follows is never asked for. */
function limited(answer: Answer, most: number): Answer {
  return { columns: answer.columns, rows: first(answer.rows, most) }
}

async function* first(rows: AsyncIterable<Row[]>, most: number): AsyncGenerator<Row[]> {
  let left = most
  for await (const chunk of rows) {
    yield chunk.slice(0, left)
    left -= chunk.length
    if (left <= 0) return
  }
}

/** At most so many rows, and whether there are more. */
async function collect(answer: Answer, most: number): Promise<{ rows: Row[]; more: boolean }> {
  const rows: Row[] = []
  for await (const chunk of first(answer.rows, most + 1)) rows.push(...chunk)
  return { rows: rows.slice(0, most), more: rows.length > most }
}

async function table(output: Output, answer: Answer, most: number, took: () => number): Promise<void> {
  const { rows, more } = await collect(answer, most)
  const { stdout } = output
  const { lines, hidden } = grid(answer.columns, rows, { width: stdout.isTTY === true ? (stdout.columns ?? 80) : null, dim: (text) => output.style('dim', text, stdout) })
  output.result(lines.join('\n'))
  output.note(`${more ? `the first ${number(rows.length)} rows` : plural(rows.length, 'row')} · ${duration(took())}${more ? '   more with --limit, all of them with --format csv or -o' : ''}`)
  if (hidden.length > 0) output.note(`no room for ${hidden.join(', ')}: select fewer columns, or --format csv`)
}

async function document(output: Output, answer: Answer, most: number, took: () => number): Promise<void> {
  refuseTwins(answer, 'json')
  const { rows, more } = await collect(answer, most)
  const items = rows.map((row) => Object.fromEntries(answer.columns.map(({ name, type }, at) => [name, member(type, row[at] ?? null)])))
  output.document({ schema: 'sluice.sql/1', columns: columnsOf(answer), items, rows: rows.length, more, ms: took(), next: null })
}

function columnsOf({ columns }: Answer): object[] {
  return columns.map(({ name, type, declared }) => ({ name, type, declared }))
}

/** Decimals, lists and structs are JSON already; what JSON has no number for is its text. */
function member(type: Schema[number]['type'] | null, value: Value): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return type !== null && type !== 'json' && isJsonText(type) && typeof value === 'string' ? exactJson(value) : value
}

async function intoFile(output: Output, answer: Answer, format: MachineFormat, { output: named = '', overwrite }: SqlFlags, took: () => number): Promise<void> {
  refuseTwins(answer, format)
  const { path, rows, bytes: size } = await writeToFile(answer, format, named, overwrite === true)
  output.document({ schema: 'sluice.sql/1', columns: columnsOf(answer), path, format, rows, bytes: size, more: false, ms: took(), next: null })
  output.note(`  ${plural(rows, 'row')} in ${path} · ${bytes(size)} · ${duration(took())}`)
}
