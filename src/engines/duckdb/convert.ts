/**
 * A convert job inside the child: each file is staged by itself, so that its output depends on nothing but its bytes, and
 * what was staged is written as one Parquet file or as text.
 */
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import type { ArrivalOutcome } from '../../core/arrival.ts'
import type { ConvertFile, ConvertJob, Converted, ConverterEvent, WrittenFile } from '../../core/convert.ts'
import type { Staged } from '../../core/engine.ts'
import { REJECT_COLUMNS } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Code, Fault } from '../../core/errors.ts'
import { poison, tampering } from '../../core/failpoint.ts'
import { PLACE_COLUMN, rowOf, seqOf } from '../../core/place.ts'
import type { Row, Schema } from '../../core/schema.ts'
import type { SplitOptions, Splitter } from '../../formats/splitter.ts'
import { UnwritableValue } from '../../formats/unwritable.ts'
import { openTextWriter } from '../../formats/writer.ts'
import type { TextFormat, TextWriter } from '../../formats/writer.ts'
import { recordsSql, rejectsSql, valueSql } from '../../resolve/duckdb-batch.ts'
import { lineSql, noLineSql } from '../../resolve/text.ts'
import { quoteName } from '../../sql/quote.ts'
import { openAppendFile } from '../../storage/appendFile.ts'
import { localFs } from '../../storage/local.ts'
import { readWhole } from '../../storage/pin.ts'
import type { Pulse } from '../../storage/pulse.ts'
import type { Connection, Database } from './database.ts'
import { ForeignParquet } from './foreign.ts'
import { readBatch } from './stage.ts'

export interface ConvertSurroundings {
  database: Database
  openSplitter(options: SplitOptions): Splitter
  on(event: ConverterEvent): void
  pulse?: Pulse
}

/** Faults of the engine that tell of this file, not of the machine: its neighbours go on. */
const OF_THE_FILE: readonly Code[] = ['MEMORY_EXHAUSTED', 'ENGINE_FAILED', 'VALUE_UNWRITABLE']
/** Bytes of a file that gets a window of its own size. */
const SMALL = 1 << 20
/** Values of a file whose lines are made one by one: as many take DuckDB as long as to plan its statement. */
const FEW_VALUES = 5_000
/** Small files that are written together, after all of them were read. */
const AT_ONCE = 32

export async function convertFiles(job: ConvertJob, around: ConvertSurroundings): Promise<void> {
  const connection = await around.database.connect()
  const foreign = new ForeignParquet(around.database.memory)
  try {
    let waiting: Waiting[] = []
    const write = async (): Promise<void> => {
      const all = waiting
      waiting = []
      const few = all.filter(({ small }) => small)
      if (few.length > 1) around.pulse?.done()
      const known = await rowsOfAll(few, connection)
      for (const one of all) {
        around.pulse?.after(one.file.n)
        around.on({ kind: 'end', converted: await finished(job, one, known.get(one.file.n) ?? null, connection) })
      }
    }
    for (const file of job.files) {
      const one = await readFile(job, file, foreign, around)
      waiting.push(one)
      if (!one.small || waiting.length >= AT_ONCE) await write()
    }
    await write()
  } finally {
    foreign.close()
    await connection.close()
  }
}

/** A file that was read and is to be written. */
interface Waiting {
  file: ConvertFile
  outcome: ArrivalOutcome
  staged: Read
  small: boolean
}

/** What the writers of text make line by line: few values, and short ones. Parts are as large as what is in them. */
function isSmall({ to }: ConvertJob, { schema, records }: Pick<Read, 'schema' | 'records'>): boolean {
  return to !== 'parquet' && rowsOf(records) * schema.length <= FEW_VALUES && records.reduce((sum, { uri }) => sum + statSync(uri).size, 0) <= SMALL
}

/**
 * The rows of small files, by file: those of one schema with one query, since a query takes DuckDB 3 ms of processor time whatever
 * it finds. Where one fails, whose fault it is shows when each is asked for alone.
 */
async function rowsOfAll(all: readonly Waiting[], connection: Connection): Promise<Map<number, Row[]>> {
  const known = new Map<number, Row[]>()
  if (all.length < 2) return known
  for (const same of Map.groupBy(all, ({ staged }) => JSON.stringify(staged.schema)).values()) {
    const [first] = same
    const records = same.flatMap(({ staged }) => staged.records)
    if (first === undefined || records.length === 0) continue
    try {
      for await (const rows of connection.few(valuesSql({ ...first.staged, records }))) {
        for (const row of rows) {
          const n = seqOf(row.at(-1) as bigint)
          const rest = known.get(n)
          if (rest === undefined) known.set(n, [row])
          else rest.push(row)
        }
      }
    } catch (thrown) {
      if (!(thrown instanceof SluiceError && OF_THE_FILE.includes(thrown.code))) throw thrown
      for (const { file } of same) known.delete(file.n)
    }
  }
  return known
}

async function readFile(job: ConvertJob, file: ConvertFile, foreign: ForeignParquet, around: ConvertSurroundings): Promise<Waiting> {
  const { reading, onBad, maxBad, now, grace, definition, folder } = job
  const arrival = { seq: file.n, pin: file.pin, reload: false, replaced: false }
  const batch = { id: `c${file.n}`, lane: 0, fence: 0, table: definition.table, arrivals: [arrival] }
  // What else a stage does is for tables: nothing is known before, and without a key nothing is lost to another record.
  const { read, split } = await readBatch(
    { batch, attempt: 1, definition, reading, pinned: null, folder, onBad, maxBad, now, grace, reloaded: new Set() },
    {
      openSplitter: around.openSplitter,
      ...(around.pulse === undefined ? {} : { pulse: around.pulse }),
      on: (event) => {
        if (event.kind === 'progress') around.on({ kind: 'progress', n: file.n, bytes: event.bytes, records: event.records })
      },
    },
    // A splitter for each file: most of the time of a small one would go into clearing a window for a large one.
    { parquetRows: foreign.rows, ...(file.pin.size < SMALL ? { window: Math.max(1 << 14, file.pin.size + 1024) } : {}) },
  )
  const [outcome] = read
  if (outcome === undefined) throw new SluiceError('INTERNAL', `No outcome was told of ${file.pin.uri}.`)
  around.pulse?.after(file.n)
  poison(file.pin.uri, 'after')
  return { file, outcome, staged: { ...split, excluded: [], losers: [] }, small: isSmall(job, split) }
}

async function finished(job: ConvertJob, { file, outcome, staged, small }: Waiting, rows: Row[] | null, connection: Connection): Promise<Converted> {
  const converted = await written(job, { file, outcome, staged, small }, rows, connection)
  for (const part of [...staged.records, ...staged.rejects]) await localFs.remove('convert.part', part.uri)
  return converted
}

/** What was read of one file, as the parts lie. */
type Read = Pick<Staged, 'schema' | 'records' | 'rejects' | 'excluded' | 'losers' | 'faults' | 'reasons' | 'notices' | 'leftOut'>

async function written(job: ConvertJob, { file, outcome, staged, small }: Waiting, rows: Row[] | null, connection: Connection): Promise<Converted> {
  const { faults, reasons, notices } = staged
  const leftOut = Object.fromEntries(staged.leftOut.map(({ member, records }) => [member, records]))
  const none = { n: file.n, outcome, written: 0, quarantined: 0, output: null, rejects: null, faults: [], reasons: {}, notices: [], leftOut: {} }
  if (outcome.state !== 'loaded') return none
  try {
    const output = await writeOutput(job, file, staged, small ? (rows ?? 'few') : 'many', connection)
    const rejects = staged.rejects.length === 0 ? null : await writeRejects(file, staged, connection)
    return { ...none, written: output?.rows ?? 0, quarantined: rejects?.rows ?? 0, output: output?.file ?? null, rejects: rejects?.file ?? null, faults, reasons, notices, leftOut }
  } catch (thrown) {
    if (!(thrown instanceof SluiceError && OF_THE_FILE.includes(thrown.code))) throw thrown
    const fault: Fault = { ...thrown.where, code: thrown.code, message: thrown.message, path: file.pin.uri }
    await localFs.remove('convert.discard', file.output)
    return { ...none, outcome: { ...outcome, state: 'failed', fault } }
  }
}

function rowsOf(records: Read['records']): number {
  return records.reduce((sum, { rows }) => sum + rows, 0)
}

interface Output {
  file: WrittenFile
  rows: number
}

/** Null: neither a record nor a column, so only a JSON array can say it. */
async function writeOutput(job: ConvertJob, file: ConvertFile, staged: Read, rows: Row[] | 'few' | 'many', connection: Connection): Promise<Output | null> {
  const { schema, records } = staged
  if (job.to === 'parquet') {
    if (schema.length === 0) return null
    const columns = schema.map(({ name, original }) => `${quoteName(name)}${original === undefined ? '' : ` AS ${quoteName(original)}`}`).join(', ')
    const { rows } = await connection.copy('convert.copy', falsified(`SELECT ${columns} FROM (${recordsSql(staged)})`), file.output, true)
    return { file: await hashed(file.output), rows }
  }
  if (records.length === 0 && (job.to === 'ndjson' || (job.to === 'csv' && schema.length === 0))) return null
  return writeText(job, job.to, file, staged, rows, connection)
}

/** Rows that a test loses or doubles, to prove that the balance notices. */
function falsified(select: string): string {
  const how = tampering('write')
  return how === null ? select : how === 'drop' ? `SELECT * FROM (${select}) OFFSET 1` : `(${select}) UNION ALL (SELECT * FROM (${select}) LIMIT 1)`
}

/**
 * DuckDB makes the lines and writes them. Where one cannot be made the writer says what it cannot write. The writer makes the few
 * lines of a small file, too: to plan the statement that makes them takes DuckDB 7 ms of processor time.
 */
async function writeText(job: ConvertJob, to: TextFormat, file: ConvertFile, staged: Read, rows: Row[] | 'few' | 'many', connection: Connection): Promise<Output> {
  const { schema, records } = staged
  const writer = openTextWriter(to, schema, job)
  // DuckDB would write an empty line where there is none.
  if (records.length === 0) return textFile(file.output, [{ rows: 0, text: writer.begin() + writer.end(false) }])
  if (rows !== 'many') return textFile(file.output, linesOf(file, writer, schema, rows === 'few' ? connection.few(valuesSql(staged)) : [rows]))
  const none = noLineSql(schema, to)
  if (none !== null && (await connection.rows(`SELECT 1 AS one FROM (${recordsSql(staged)}) WHERE ${none} LIMIT 1`)).length > 0) throw await unwritable(file, writer, staged, connection)
  const frame = { ndjson: { before: '', between: '\n', behind: '' }, json: { before: '[\n', between: ',\n', behind: writer.end(true) }, csv: { before: writer.begin(), between: '\n', behind: '\n' } }[to]
  const written = await connection.copyLines('convert.copy', `SELECT ${lineSql(schema, to, job.escapeFormulas)} FROM (${falsified(recordsSql(staged))})`, file.output, frame)
  return { file: await hashed(file.output), rows: written }
}

async function unwritable(file: ConvertFile, writer: TextWriter, staged: Read, connection: Connection): Promise<SluiceError> {
  try {
    for await (const _ of linesOf(file, writer, staged.schema, connection.stream(valuesSql(staged))));
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.code === 'VALUE_UNWRITABLE') return thrown
    throw thrown
  }
  return new SluiceError('INTERNAL', `${file.pin.uri}: a record has no line, and every value of it can be written.`)
}

/** Values of the records, and their places. */
function valuesSql(staged: Read): string {
  const select = [...staged.schema.map((column) => `${valueSql(column)} AS ${quoteName(column.name)}`), quoteName(PLACE_COLUMN)].join(', ')
  return `SELECT ${select} FROM (${falsified(recordsSql(staged))})`
}

/** The whole text, by the writer. @throws SluiceError VALUE_UNWRITABLE */
async function* linesOf(file: ConvertFile, writer: TextWriter, schema: Schema, values: AsyncIterable<Row[]> | Iterable<Row[]>): AsyncGenerator<Text> {
  const place = schema.length
  const lineOf = (row: Row): string => {
    try {
      return writer.record(row)
    } catch (thrown) {
      if (!(thrown instanceof UnwritableValue)) throw thrown
      const at = rowOf(row[place] as bigint)
      throw new SluiceError('VALUE_UNWRITABLE', `${file.pin.uri}: row ${at}, column ${thrown.column}: ${thrown.message}.`, { where: { path: file.pin.uri, row: at, column: thrown.column, value: thrown.value } })
    }
  }
  let some = false
  yield { rows: 0, text: writer.begin() }
  for await (const rows of values) {
    some = true
    yield { rows: rows.length, text: rows.map(lineOf).join('') }
  }
  yield { rows: 0, text: writer.end(some) }
}

/** A line of JSON per reject: where it was, why, and its text. */
async function writeRejects(file: ConvertFile, staged: Read, connection: Connection): Promise<Output> {
  const rows = connection.stream(`SELECT ${REJECT_COLUMNS.map(quoteName).join(', ')} FROM (${rejectsSql(staged)}) ORDER BY ${quoteName(PLACE_COLUMN)}`)
  const lineOf = ([place, offset, code, column, value, message, raw]: Row): string => {
    const reject = { path: file.pin.uri, row: rowOf(place as bigint), offset: Number(offset), code, column, value, message, raw }
    return `${JSON.stringify(reject)}\n`
  }
  async function* lines(): AsyncGenerator<Text> {
    for await (const chunk of rows) yield { rows: chunk.length, text: chunk.map(lineOf).join('') }
  }
  return textFile(file.rejects, lines())
}

/** A piece of a text, and how many records are in it. */
interface Text {
  rows: number
  text: string
}

async function textFile(path: string, pieces: AsyncIterable<Text> | Iterable<Text>): Promise<Output> {
  const out = openAppendFile('convert.text', path)
  try {
    const hash = createHash('sha256')
    let rows = 0
    for await (const piece of pieces) {
      const bytes = Buffer.from(piece.text, 'utf8')
      hash.update(bytes)
      out.append(bytes)
      rows += piece.rows
    }
    const { size } = out
    out.close()
    await localFs.sync('convert.text-sync', path)
    return { file: { sha256: hash.digest('hex'), size }, rows }
  } catch (thrown) {
    out.discard()
    throw thrown
  }
}

async function hashed(path: string): Promise<WrittenFile> {
  const hash = createHash('sha256')
  const size = readWhole(path, (bytes) => hash.update(bytes))
  return { sha256: hash.digest('hex'), size }
}
