/**
 * A convert job inside the child: each file is staged by itself, so that its output depends on nothing but its bytes, and
 * what was staged is written as one Parquet file or as text.
 */
import { createHash } from 'node:crypto'
import type { ArrivalOutcome } from '../../core/arrival.ts'
import type { ConvertFile, ConvertJob, Converted, ConverterEvent, WrittenFile } from '../../core/convert.ts'
import type { Staged } from '../../core/engine.ts'
import { REJECT_COLUMNS } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Code, Fault } from '../../core/errors.ts'
import { poison, tampering } from '../../core/failpoint.ts'
import { PLACE_COLUMN, rowOf } from '../../core/place.ts'
import type { Row } from '../../core/schema.ts'
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

export async function convertFiles(job: ConvertJob, around: ConvertSurroundings): Promise<void> {
  const connection = await around.database.connect()
  const foreign = new ForeignParquet(around.database.memory)
  try {
    for (const file of job.files) {
      const converted = await convertFile(job, file, { connection, foreign }, around)
      around.on({ kind: 'end', converted })
    }
  } finally {
    foreign.close()
    await connection.close()
  }
}

async function convertFile(job: ConvertJob, file: ConvertFile, { connection, foreign }: { connection: Connection; foreign: ForeignParquet }, around: ConvertSurroundings): Promise<Converted> {
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
  const converted = await written(job, file, outcome, { ...split, excluded: [], losers: [] }, connection)
  for (const part of [...split.records, ...split.rejects]) await localFs.remove('convert.part', part.uri)
  return converted
}

/** What was read of one file, as the parts lie. */
type Read = Pick<Staged, 'schema' | 'records' | 'rejects' | 'excluded' | 'losers' | 'faults' | 'reasons' | 'notices' | 'leftOut'>

async function written(job: ConvertJob, file: ConvertFile, outcome: ArrivalOutcome, staged: Read, connection: Connection): Promise<Converted> {
  const { faults, reasons, notices } = staged
  const leftOut = Object.fromEntries(staged.leftOut.map(({ member, records }) => [member, records]))
  const none = { n: file.n, outcome, written: 0, quarantined: 0, output: null, rejects: null, faults: [], reasons: {}, notices: [], leftOut: {} }
  if (outcome.state !== 'loaded') return none
  try {
    const output = await writeOutput(job, file, staged, connection)
    const rejects = staged.rejects.length === 0 ? null : await writeRejects(file, staged, connection)
    return { ...none, written: output?.rows ?? 0, quarantined: rejects?.rows ?? 0, output: output?.file ?? null, rejects: rejects?.file ?? null, faults, reasons, notices, leftOut }
  } catch (thrown) {
    if (!(thrown instanceof SluiceError && OF_THE_FILE.includes(thrown.code))) throw thrown
    const fault: Fault = { ...thrown.where, code: thrown.code, message: thrown.message, path: file.pin.uri }
    await localFs.remove('convert.discard', file.output)
    return { ...none, outcome: { ...outcome, state: 'failed', fault } }
  }
}

interface Output {
  file: WrittenFile
  rows: number
}

/** Null: neither a record nor a column, so only a JSON array can say it. */
async function writeOutput(job: ConvertJob, file: ConvertFile, staged: Read, connection: Connection): Promise<Output | null> {
  const { schema, records } = staged
  if (job.to === 'parquet') {
    if (schema.length === 0) return null
    const columns = schema.map(({ name, original }) => `${quoteName(name)}${original === undefined ? '' : ` AS ${quoteName(original)}`}`).join(', ')
    const { rows } = await connection.copy('convert.copy', falsified(`SELECT ${columns} FROM (${recordsSql(staged)})`), file.output, true)
    return { file: await hashed(file.output), rows }
  }
  if (records.length === 0 && (job.to === 'ndjson' || (job.to === 'csv' && schema.length === 0))) return null
  return writeText(job, job.to, file, staged, connection)
}

/** Rows that a test loses or doubles, to prove that the balance notices. */
function falsified(select: string): string {
  const how = tampering('write')
  return how === null ? select : how === 'drop' ? `SELECT * FROM (${select}) OFFSET 1` : `(${select}) UNION ALL (SELECT * FROM (${select}) LIMIT 1)`
}

/** DuckDB makes the lines and writes them. Where one cannot be made the writer says what it cannot write. */
async function writeText(job: ConvertJob, to: TextFormat, file: ConvertFile, staged: Read, connection: Connection): Promise<Output> {
  const { schema, records } = staged
  const writer = openTextWriter(to, schema, job)
  // DuckDB would write an empty line where there is none.
  if (records.length === 0) return { ...(await textFile(file.output, [[writer.begin() + writer.end(false)]])), rows: 0 }
  const none = noLineSql(schema, to)
  if (none !== null && (await connection.rows(`SELECT 1 AS one FROM (${recordsSql(staged)}) WHERE ${none} LIMIT 1`)).length > 0) throw await unwritable(file, writer, staged, connection)
  const frame = { ndjson: { before: '', between: '\n', behind: '' }, json: { before: '[\n', between: ',\n', behind: writer.end(true) }, csv: { before: writer.begin(), between: '\n', behind: '\n' } }[to]
  const rows = await connection.copyLines('convert.copy', `SELECT ${lineSql(schema, to, job.escapeFormulas)} FROM (${falsified(recordsSql(staged))})`, file.output, frame)
  return { file: await hashed(file.output), rows }
}

async function unwritable(file: ConvertFile, writer: TextWriter, staged: Read, connection: Connection): Promise<SluiceError> {
  const select = [...staged.schema.map((column) => `${valueSql(column)} AS ${quoteName(column.name)}`), quoteName(PLACE_COLUMN)].join(', ')
  const place = staged.schema.length
  for await (const rows of connection.stream(`SELECT ${select} FROM (${recordsSql(staged)})`)) {
    for (const row of rows) {
      try {
        writer.record(row)
      } catch (thrown) {
        if (!(thrown instanceof UnwritableValue)) throw thrown
        const at = rowOf(row[place] as bigint)
        return new SluiceError('VALUE_UNWRITABLE', `${file.pin.uri}: row ${at}, column ${thrown.column}: ${thrown.message}.`, { where: { path: file.pin.uri, row: at, column: thrown.column, value: thrown.value } })
      }
    }
  }
  return new SluiceError('INTERNAL', `${file.pin.uri}: a record has no line, and every value of it can be written.`)
}

/** A line of JSON per reject: where it was, why, and its text. */
async function writeRejects(file: ConvertFile, staged: Read, connection: Connection): Promise<Output> {
  const rows = connection.stream(`SELECT ${REJECT_COLUMNS.map(quoteName).join(', ')} FROM (${rejectsSql(staged)}) ORDER BY ${quoteName(PLACE_COLUMN)}`)
  const lineOf = ([place, offset, code, column, value, message, raw]: Row): string => {
    const reject = { path: file.pin.uri, row: rowOf(place as bigint), offset: Number(offset), code, column, value, message, raw }
    return `${JSON.stringify(reject)}\n`
  }
  async function* lines(): AsyncGenerator<string[]> {
    for await (const chunk of rows) yield chunk.map(lineOf)
  }
  return textFile(file.rejects, lines())
}

async function textFile(path: string, chunks: AsyncIterable<readonly string[]> | Iterable<readonly string[]>): Promise<Output> {
  const out = openAppendFile('convert.text', path)
  try {
    const hash = createHash('sha256')
    let rows = 0
    for await (const lines of chunks) {
      const bytes = Buffer.from(lines.join(''), 'utf8')
      hash.update(bytes)
      out.append(bytes)
      rows += lines.length
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
