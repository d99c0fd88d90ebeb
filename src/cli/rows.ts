/** Rows of a query as bytes: CSV, NDJSON, a JSON array, Parquet; onto stdout or into a file that appears when it is whole. */
import { once } from 'node:events'
import { basename, dirname, join, resolve } from 'node:path'
import type { Answer } from '../core/console.ts'
import { SluiceError } from '../core/errors.ts'
import type { Row, Schema } from '../core/schema.ts'
import { openRowsFile } from '../formats/parquet/rows.ts'
import { UnwritableValue } from '../formats/unwritable.ts'
import { openTextWriter } from '../formats/writer.ts'
import type { TextWriter } from '../formats/writer.ts'
import { openAppendFile } from '../storage/appendFile.ts'
import { localFs } from '../storage/local.ts'
import { systemRandom } from '../storage/system.ts'

export const MACHINE_FORMATS = ['csv', 'json', 'ndjson', 'parquet'] as const
export type MachineFormat = (typeof MACHINE_FORMATS)[number]

/** Text is handed on in pieces of about this many characters. */
const PIECE = 1 << 16

/** Two columns of one name cannot be told apart where a record has members. @throws SluiceError SQL_INVALID */
export function refuseTwins({ columns }: Answer, format: MachineFormat): void {
  if (format === 'csv') return
  const names = columns.map(({ name }) => name)
  const twin = names.find((name, at) => names.indexOf(name) !== at)
  if (twin !== undefined) throw new SluiceError('SQL_INVALID', `Two columns are called ${twin}.`, { hint: `Give one of them another name, as in ${twin} AS other.` })
}

/** Pieces of text. Where values have types of their own, each row is written by those of its values. */
async function* texts({ columns, rows }: Answer, format: Exclude<MachineFormat, 'parquet'>, count: (row: Row) => void): AsyncGenerator<string> {
  const writers = new Map<string, TextWriter>()
  const writerFor = (row: Row | null): TextWriter => {
    const kinds = columns.map(({ type }, at) => type ?? KINDS[typeof row?.[at]] ?? 'string')
    const mark = kinds.join(' ')
    let writer = writers.get(mark)
    if (writer === undefined) {
      const schema: Schema = columns.map(({ name }, at) => ({ name, type: kinds[at] ?? 'string' }))
      writers.set(mark, (writer = openTextWriter(format === 'json' ? 'ndjson' : format, schema, { escapeFormulas: false })))
    }
    return writer
  }
  let piece = format === 'json' ? '[' : writerFor(null).begin()
  let first = true
  for await (const chunk of rows) {
    for (const row of chunk) {
      count(row)
      const text = record(writerFor(row), row)
      piece += format === 'json' ? `${first ? '\n' : ',\n'}${text.trimEnd()}` : text
      first = false
      if (piece.length >= PIECE) {
        yield piece
        piece = ''
      }
    }
  }
  yield piece + (format === 'json' ? (first ? ']\n' : '\n]\n') : '')
}

const KINDS: Readonly<Record<string, 'int64' | 'double' | 'boolean' | 'string'>> = { bigint: 'int64', number: 'double', boolean: 'boolean' }

function record(writer: TextWriter, row: Row): string {
  try {
    return writer.record(row)
  } catch (thrown) {
    throw unwritable(thrown)
  }
}

function unwritable(thrown: unknown): unknown {
  if (!(thrown instanceof UnwritableValue)) return thrown
  return new SluiceError('VALUE_UNWRITABLE', `${thrown.message}.`, { where: { column: thrown.column, value: thrown.value }, hint: 'Cast the column to VARCHAR, or choose another --format.' })
}

/** @returns how many rows were written; fewer when the reader of stdout went away */
export async function writeToStdout(answer: Answer, format: Exclude<MachineFormat, 'parquet'>, stdout: NodeJS.WriteStream): Promise<number> {
  let rows = 0
  for await (const piece of texts(answer, format, () => rows++)) {
    if (stdout.destroyed || stdout.errored !== null) break
    if (!stdout.write(piece)) await Promise.race([once(stdout, 'drain'), once(stdout, 'close')]).catch(() => undefined)
  }
  return rows
}

/**
 * Into a working file beside it, which then takes its name: nobody ever sees a part of it.
 * @throws SluiceError OUTPUT_EXISTS without `overwrite`, PATH_NOT_FOUND, PERMISSION_DENIED, DISK_FULL, VALUE_UNWRITABLE
 */
export async function writeToFile(answer: Answer, format: MachineFormat, named: string, overwrite: boolean): Promise<{ path: string; rows: number; bytes: number }> {
  const path = resolve(named)
  if (!overwrite && (await localFs.stat(path, false)) !== null) throw exists(path)
  const working = join(dirname(path), `.${basename(path)}.${systemRandom.id(8)}.part`)
  const rows = format === 'parquet' ? await writeParquet(answer, working) : await writeText(answer, format, working)
  try {
    await localFs.sync('sql.output', working)
    if (overwrite) await localFs.rename('sql.output', working, path)
    else if (await localFs.link('sql.output', working, path)) await localFs.remove('sql.output', working)
    else throw exists(path)
    await localFs.sync('sql.output', dirname(path))
  } catch (thrown) {
    await localFs.remove('sql.output', working)
    throw thrown
  }
  return { path, rows, bytes: (await localFs.stat(path))?.size ?? 0 }
}

function exists(path: string): SluiceError {
  return new SluiceError('OUTPUT_EXISTS', `There is something at ${path}.`, { where: { path } })
}

async function writeParquet({ columns, rows }: Answer, path: string): Promise<number> {
  const schema: Schema = columns.map(({ name, type }) => ({ name, type: type ?? 'string' }))
  const file = openRowsFile('sql.output', path, schema)
  try {
    for await (const chunk of rows) for (const row of chunk) file.add(row)
    file.finish()
    return file.rows
  } catch (thrown) {
    file.discard()
    throw unwritable(thrown)
  }
}

async function writeText(answer: Answer, format: Exclude<MachineFormat, 'parquet'>, path: string): Promise<number> {
  const file = openAppendFile('sql.output', path)
  let rows = 0
  try {
    for await (const piece of texts(answer, format, () => rows++)) file.append(Buffer.from(piece))
    file.close()
    return rows
  } catch (thrown) {
    file.discard()
    throw thrown
  }
}
