/**
 * A stage job inside the child: read, decide which contents count, separate the losers, count what lies there.
 */
import { join } from 'node:path'
import type { Batch, StageEvent, Staged, Standing } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Code } from '../../core/errors.ts'
import { checkKeepColumn } from '../../core/definition.ts'
import { poison } from '../../core/failpoint.ts'
import { closeLikes } from '../../core/likes.ts'
import { placeOf } from '../../core/place.ts'
import { findColumn } from '../../core/schema.ts'
import { KEY_WORDS, canBeKey } from '../../core/types.ts'
import type { ArrivalOutcome } from '../../core/arrival.ts'
import type { Hypothesis, SplitOptions, SplitResult, Splitter } from '../../formats/splitter.ts'
import type { Pulse } from '../../storage/pulse.ts'
import { localFs } from '../../storage/local.ts'
import { rejectsSql } from '../../resolve/duckdb-batch.ts'
import type { Database } from './database.ts'
import { ForeignParquet } from './foreign.ts'
import { decide } from './decide.ts'
import { prefixOf } from './protocol.ts'
import type { PlainJob, Read, Split } from './protocol.ts'
import { readArrivals } from './reading.ts'
import { countWinners, rangeOfKeys, separate } from './separate.ts'

/** What a stage needs from outside; tests bring their own splitter. */
export interface Surroundings {
  /** Bytes that DuckDB may use in this process. */
  memory: number
  /** DuckDB, when it is open: reading does not wait for it. */
  database(): Promise<Database>
  openSplitter(options: SplitOptions): Splitter
  standing(shas: string[]): Promise<ReadonlyMap<string, Standing>>
  on(event: StageEvent): void
  pulse?: Pulse
}

/** @param done the batch was read already, by several processes at once */
export async function stage(job: PlainJob, around: Surroundings, done: Read | null = null): Promise<Staged> {
  const { batch, definition } = job
  const { read, split } = done ?? (await readHere(job, around, { looking: around.memory }))
  const shas = [...new Set(read.flatMap(({ state, sha256 }) => (state === 'loaded' && sha256 !== null ? [sha256] : [])))]
  const standing = shas.length === 0 ? new Map<string, Standing>() : await around.standing(shas)
  for (const { pin } of batch.arrivals) poison(pin.uri, 'after')
  const { outcomes, excluded } = decide(batch.arrivals, read, standing, job.reloaded, { append: definition.mode === 'append', revision: definition.identity === 'revision' }, job)
  for (const outcome of outcomes) around.on({ kind: 'arrival.end', outcome })

  checkDefinition(job, outcomes, split)
  checkDateField(job, outcomes, split)
  const left = new Set(batch.arrivals.filter(({ seq }) => excluded.includes(seq)).map(({ pin }) => pin.uri))
  const connection = await (await around.database()).connect()
  try {
    const lying = { schema: split.schema, excluded, records: split.records, rejects: split.rejects }
    const parted = await separate(connection, lying, job, split.likes).finally(() => closeLikes(split.likes))
    const full = { ...lying, ...parted }
    return {
      batch,
      attempt: job.attempt,
      outcomes,
      ...full,
      winners: await countWinners(connection, full),
      places: placesOf(outcomes),
      // Without a table there is nothing that it could leave unread.
      keyRange: job.pinned === null ? null : await rangeOfKeys(connection, full, definition.key),
      faults: split.faults.filter(({ path }) => path === undefined || !left.has(path)),
      reasons: excluded.length === 0 ? split.reasons : await reasonsOf(connection, full),
      notices: split.notices,
      leftOut: split.leftOut.map(({ flags: _, ...one }) => one),
    }
  } finally {
    await connection.close()
  }
}

/** Types of columns whose values have a date. */
const DATED: readonly string[] = ['date', 'timestamp', 'timestamp_local']

/** How a range of a batch is read. */
export interface Range {
  /** From 1; part of the names of its parts. */
  range?: number
  /** What the ranges were found to be together; null: this is the first pass. */
  hypothesis?: Hypothesis | null
  /** See `SplitOptions`; not for one range of several. */
  looking?: number
}

/** Reads the arrivals of the job, foreign Parquet files with a DuckDB of their own. */
export async function readHere(job: PlainJob, around: Pick<Surroundings, 'memory' | 'openSplitter' | 'on' | 'pulse'>, range: Range = {}): Promise<Read> {
  const foreign = new ForeignParquet(around.memory)
  return readBatch(job, around, { parquetRows: foreign.rows, ...range }).finally(() => foreign.close())
}

/** Reads the batch; again from the start when a type that was supposed turned out too narrow. */
export async function readBatch(job: PlainJob, around: Pick<Surroundings, 'openSplitter' | 'on' | 'pulse'>, { range, hypothesis, ...more }: Pick<SplitOptions, 'window' | 'parquetRows'> & Range = {}): Promise<Read> {
  const { batch, attempt, folder, definition, reading, pinned, onBad, maxBad, grace, now, dates, covered } = job
  const prefix = range === undefined ? prefixOf(job) : `${prefixOf(job)}-r${range}`
  const size = batch.arrivals.reduce((sum, { pin }) => sum + pin.size, 0)
  const options: SplitOptions = { folder, prefix, size, definition, reading, pinned, onBad, maxBad, grace, now, range: range !== undefined, ...(dates === undefined ? {} : { dates }), ...(covered === undefined ? {} : { covered }), ...more }
  if (hypothesis !== undefined && hypothesis !== null) {
    options.hypothesis = hypothesis
    await removeParts(folder, prefix)
  }
  // Each pass widens a type at least; the number of passes only guards against a splitter that never agrees with itself.
  for (let pass = 1; pass <= 16; pass++) {
    const splitter = around.openSplitter(options)
    let split: SplitResult
    let read: ArrivalOutcome[]
    try {
      read = await readArrivals(batch, splitter, around.on, around.pulse)
      split = splitter.finish()
    } catch (thrown) {
      splitter.discard()
      throw thrown
    }
    if (split.again === null) return { read, split }
    options.hypothesis = split.again
    await removeParts(folder, prefix)
  }
  throw new SluiceError('INTERNAL', `The column types of batch ${batch.id} (attempt ${attempt}) did not settle.`)
}

async function removeParts(folder: string, prefix: string): Promise<void> {
  for (const { name } of (await localFs.list(folder)) ?? []) if (name.startsWith(`${prefix}-`)) await localFs.remove('stage.again', join(folder, name))
}

/** Codes of text that is no record. */
const NO_RECORD: readonly Code[] = ['JSON_INVALID', 'UTF8_INVALID', 'RECORD_NOT_OBJECT', 'FIELDS_MISMATCH', 'QUOTE_INVALID', 'LINE_INVALID', 'HEADER_REPEATED', 'ENCODING_INVALID']

/** What only the first records can tell: that the key and the column of the rule exist and can serve. */
/** By what is no date nothing can be loaded. @throws SluiceError DEFINITION_INVALID */
function checkDateField({ batch, dates }: PlainJob, outcomes: readonly ArrivalOutcome[], { schema }: Split): void {
  const loaded = outcomes.find(({ state, read }) => state === 'loaded' && read > 0)
  if (dates === undefined || loaded === undefined) return
  const column = findColumn(schema, dates.field)
  if (column !== undefined && DATED.includes(column.type)) return
  const path = batch.arrivals.find(({ seq }) => seq === loaded.seq)?.pin.uri ?? ''
  if (column === undefined) throw new SluiceError('DEFINITION_INVALID', `--date-field ${dates.field}: no record has a value for it, from ${path} on. Columns: ${schema.map(({ name }) => name).join(', ')}.`, { where: { path, column: dates.field } })
  throw new SluiceError('DEFINITION_INVALID', `--date-field ${dates.field}: its values are ${column.type}, which is no date.`, { where: { path, column: column.name }, hint: 'Declare the column as date or timestamp with --columns, so that what is none is put aside; or name another one.' })
}

function checkDefinition({ batch, definition, pinned }: PlainJob, outcomes: readonly ArrivalOutcome[], split: Split): void {
  const records = outcomes.reduce((sum, { state, read }) => sum + (state === 'loaded' ? read : 0), 0)
  if (pinned !== null || records === 0) return
  // Of text that is no object nobody can say what columns it would have had.
  const parsed = records - NO_RECORD.reduce((sum, code) => sum + (split.reasons[code] ?? 0), 0)
  for (const key of definition.key) {
    // Declared columns vouch for the key: records without it are put aside one by one.
    if (definition.columns === null && parsed > 0 && (split.keySeen[key] ?? 0) === 0) throw keyUnknown(key, batch, outcomes, split)
    const column = findColumn(split.schema, key)
    if (column !== undefined && !canBeKey(column.type)) {
      throw new SluiceError('DEFINITION_INVALID', `--key ${key}: a ${column.type} cannot be a key.`, { hint: `Types of a key: ${KEY_WORDS}.` })
    }
  }
  if (definition.keep !== null && 'column' in definition.keep && split.records.length > 0) {
    checkKeepColumn(definition.keep, findColumn(split.schema, definition.keep.column))
  }
}

/** Columns that a message names. */
const MOST_SEEN = 20

/** Records without the key have no part in the schema: what they had instead tells the misspelling. */
function keyUnknown(key: string, { arrivals }: Batch, outcomes: readonly ArrivalOutcome[], split: Split): SluiceError {
  const loaded = outcomes.filter(({ state, read }) => state === 'loaded' && read > 0)
  const records = loaded.reduce((sum, { read }) => sum + read, 0)
  const path = arrivals.find(({ seq }) => seq === loaded[0]?.seq)?.pin.uri ?? ''
  const names = [...new Set([...split.schema.map(({ name }) => name), ...split.keyless])]
  const seen = names.length === 0 ? 'none' : names.slice(0, MOST_SEEN).join(', ') + (names.length > MOST_SEEN ? ' …' : '')
  const message = `None of the first ${records} records, from ${path} row 1 on, has the key column ${key}. Columns seen: ${seen}.`
  return new SluiceError('KEY_UNKNOWN', message, { where: { path, row: 1, column: key } })
}

/** Rows are counted from 1 without gaps, so the places of an arrival follow from its number and what was read of it. */
function placesOf(outcomes: readonly ArrivalOutcome[]): Staged['places'] {
  const loaded = outcomes.filter(({ state, read }) => state === 'loaded' && read > 0)
  const first = loaded[0]
  const last = loaded.at(-1)
  return first === undefined || last === undefined ? null : { lowest: placeOf(first.seq, 1), highest: placeOf(last.seq, last.read) }
}

async function reasonsOf(connection: { rows(sql: string): Promise<Record<string, unknown>[]> }, staged: Pick<Staged, 'rejects' | 'excluded'>): Promise<Record<string, number>> {
  const rows = await connection.rows(`SELECT code, count(*) AS n FROM (${rejectsSql(staged)}) GROUP BY code ORDER BY code`)
  return Object.fromEntries(rows.map(({ code, n }) => [String(code), Number(n)]))
}
