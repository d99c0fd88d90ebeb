/**
 * One commit: everything between BEGIN IMMEDIATE and COMMIT.
 *
 * Numbers come from the rows that stand in the tables after writing, never from one another: new rows are those above the
 * highest row number before, an updated row is one that has the place which was decided for it.
 */
import { checkBalance, noBalance } from '../../core/balance.ts'
import type { Balance } from '../../core/balance.ts'
import type { ArrivalOutcome } from '../../core/arrival.ts'
import { sameDefinition } from '../../core/definition.ts'
import type { Definition } from '../../core/definition.ts'
import type { Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { ModelWork } from '../../core/model.ts'
import { mayEnter } from '../../core/interval.ts'
import { describeSchema, fits, mergeSchema } from '../../core/schema.ts'
import type { CommittedArrival, DeltaOf, Receipt } from '../../core/target.ts'
import type { SqliteSession } from '../../sql/sqlite.ts'
import { checkDelta, fillDelta, openDelta } from './delta.ts'
import { FORMAT, checkOrder, growTable, indexTable, namesOf, rowNumber } from './layout.ts'
import { refreshIn } from './models.ts'
import { receiptFromJson, receiptToJson, rejectFromSql } from '../../database/record.ts'
import { writeRows } from './resolution.ts'
import type { Changes, Marks, Work } from './resolution.ts'
import { bringUp, readStanding, readState } from './state.ts'
import type { State } from './state.ts'

/** Rejects of a receipt, for the summary. */
const SHOWN_FAULTS = 20

export interface Commit {
  session: SqliteSession
  file: string
  table: string
  ledger: string
  staged: Staged
  definition: Definition
  /** Refreshed in this transaction. */
  models?: ModelWork
  delta?: DeltaOf | undefined
}

type Loaded = ArrivalOutcome & { sha256: string }

/** @returns the receipt; `known` when an earlier attempt had committed the batch */
export function commit(job: Commit): { receipt: Receipt; known: boolean } {
  const { session, table, staged } = job
  const { batch } = staged
  const state = readState(session, job.file, table, job.ledger)
  const known = state.exists ? readReceipt(session, table, batch.id) : null
  if (known !== null) return { receipt: known, known: true }
  const loaded = staged.outcomes.filter((outcome): outcome is Loaded => outcome.state === 'loaded' && outcome.sha256 !== null)
  refuse(job, state, loaded)

  if (state.definition !== null) sameDefinition(state.definition, job.definition)
  const definition = state.definition ?? job.definition
  const schema = mergeSchema(state.schema, staged.schema)
  checkOrder(definition, schema)
  if (job.delta !== undefined) checkDelta(session, job.file, table, job.delta)
  bringUp(session)
  for (const statement of growTable(table, state.exists ? state.schema : null, schema)) session.exec('sqlite.columns', statement)
  const indexes = indexTable(table, schema, definition.key)
  if (state.exists) for (const statement of indexes) session.exec('sqlite.index', statement)
  session.run('sqlite.meta', 'INSERT INTO main._sluice_meta VALUES (?, ?, ?, ?, ?) ON CONFLICT (tbl) DO UPDATE SET schema = excluded.schema, format = excluded.format', [table, FORMAT, job.ledger, JSON.stringify(definition), JSON.stringify(schema)])

  if (job.delta !== undefined) openDelta(session, table, schema, job.delta)
  const replaces = definition.mode === 'replace'
  const late = !replaces && staged.places !== null && staged.places.lowest <= state.highest
  const work: Work = { session, table, batch: batch.id, definition, schema, staged: staged.schema, late, indexes: state.exists ? [] : indexes }
  const left = replaces && state.exists ? session.run('sqlite.replace', `DELETE FROM ${namesOf(table).table}`) : 0
  if (replaces && left !== state.rows) throw broken(`${left} rows leave the table, its last commit left ${state.rows}`)
  const kept = state.rows - left
  const marks = mark(work)
  const models = job.models === undefined ? null : refreshIn(session, job.models, { table, before: state.version })
  if (models !== null) work.touched = models.touched
  if (replaces) models?.untold()
  session.run('sqlite.aside', `INSERT INTO main._sluice_rejects (tbl, batch, place, offset, code, "column", value, message, raw, evicted) SELECT ?, ?, place, offset, code, "column", value, coalesce(message, ''), raw, 0 FROM temp._sluice_aside ORDER BY rowid`, [table, batch.id])
  const changes = write(work, marks)
  const { counts, rows, updated, replaced, evicted } = count(work, marks, loaded)
  checkBalance(counts, { before: kept, after: kept + rows })
  if (changes.inserted !== rows || changes.updated !== updated) throw broken(`SQLite changed ${changes.inserted} + ${changes.updated} rows, ${rows} + ${updated} are found`)
  if (replaced + evicted !== updated) throw broken(`${updated} rows were updated, but ${replaced} of the old ones are kept and ${evicted} put aside`)
  const filled = job.delta === undefined ? rows + updated : fillDelta(work, marks, job.delta)
  if (filled !== rows + updated) throw broken(`${rows} + ${updated} rows came in, ${filled} of them into the delta`)
  const receipt = record(job, work, state, marks, { counts, rows, evicted, kept }, loaded)
  return { receipt: models === null ? receipt : { ...receipt, models: models.finish(receipt.version) }, known: false }
}

export function readReceipt(session: SqliteSession, table: string, batch: string): Receipt | null {
  const row = session.get('SELECT receipt FROM main._sluice_batches WHERE tbl = ? AND id = ?', [table, batch])
  return row === undefined ? null : receiptFromJson(String(row['receipt']))
}

function refuse({ session, table, staged }: Commit, state: State, loaded: readonly Loaded[]): void {
  const { batch } = staged
  const fence = state.lanes.get(batch.lane) ?? -1
  if (fence >= batch.fence) throw new SluiceError('FENCED', `${table}: lane ${batch.lane} is at fence ${fence}, the batch ${batch.id} has ${batch.fence}.`)
  if (!state.exists) return
  const standing = readStanding(session, table, loaded.map((outcome) => outcome.sha256))
  for (const outcome of loaded) {
    const stands = standing.get(outcome.sha256)
    const numbered = session.get('SELECT seq FROM main._sluice_arrivals WHERE tbl = ? AND seq = ? LIMIT 1', [table, outcome.seq]) !== undefined
    if (mayEnter(outcome, stands, numbered)) continue
    throw new SluiceError('ARRIVAL_COMMITTED', `${table}: arrival ${outcome.seq} of the batch ${batch.id} is in already${stands === undefined ? '' : ` as arrival ${stands.seq}`}.`)
  }
  if (!fits(staged.schema, state.schema)) {
    throw new SluiceError('SCHEMA_MOVED', `${table} has the columns ${describeSchema(state.schema)}; the batch was staged with ${describeSchema(staged.schema)}.`)
  }
}

function mark({ session, table, schema }: Work): Marks {
  const names = namesOf(table)
  const id = rowNumber(schema)
  const highest = (name: string, column: string): bigint => BigInt((session.get(`SELECT coalesce(max(${column}), 0) AS n FROM ${name}`)?.['n'] ?? 0n) as bigint)
  return { rows: highest(names.table, id), losers: highest(names.losers, id), rejects: highest('main._sluice_rejects', 'rowid') }
}

/** A constraint that fails means that a row would be in twice. */
function write(work: Work, marks: Marks): Changes {
  try {
    return writeRows(work, marks)
  } catch (thrown) {
    const cause = thrown instanceof SluiceError ? thrown.cause : thrown
    const CONSTRAINT = 19
    if (cause instanceof Error && 'errcode' in cause && (Number(cause.errcode) & 0xff) === CONSTRAINT) throw broken(cause.message)
    throw thrown
  }
}

function broken(detail: string): SluiceError {
  return new SluiceError('BALANCE_BROKEN', `The numbers do not add up, nothing was committed: ${detail}`)
}

interface Counted {
  counts: Map<number, Balance>
  /** New rows of the table. */
  rows: number
  /** Rows of before that stay: all, or none under replace. */
  kept: number
  evicted: number
}

/** One balance per arrival: read and skipped from the splitter, all else from rows in the tables. */
function count(work: Work, marks: Marks, loaded: readonly Loaded[]): Omit<Counted, 'kept'> & { updated: number; replaced: number } {
  const { session, table, schema, definition } = work
  const names = namesOf(table)
  const id = rowNumber(schema)
  const counts = new Map<number, Balance>()
  for (const { seq, read, skipped } of loaded) counts.set(seq, { ...noBalance(), read, skipped })
  const add = (term: keyof Balance, sql: string): number => {
    let total = 0
    for (const row of session.all(sql)) {
      const seq = Number(row['seq'])
      const balance = counts.get(seq) ?? noBalance()
      balance[term] += Number(row['n'])
      total += Number(row['n'])
      counts.set(seq, balance)
    }
    return total
  }
  const rows = add('inserted', `SELECT _place >> 32 AS seq, count(*) AS n FROM ${names.table} WHERE ${id} > ${marks.rows} GROUP BY 1`)
  const decided = definition.keep !== null && session.get(`SELECT 1 FROM temp.sqlite_schema WHERE name = '_sluice_decided'`) !== undefined
  const updated = decided
    ? add('updated', `SELECT i.place >> 32 AS seq, count(*) AS n FROM temp._sluice_decided d CROSS JOIN temp._sluice_incoming i ON i.rowid = d.row CROSS JOIN ${names.table} t ON t.${id} = d.target AND t._place = i.place WHERE d.outcome = 'updated' GROUP BY 1`)
    : 0
  for (const term of ['duplicate', 'stale'] as const) {
    add(term, `SELECT _place >> 32 AS seq, count(*) AS n FROM ${names.losers} WHERE ${id} > ${marks.losers} AND _sluice_outcome = '${term}' GROUP BY 1`)
  }
  add('quarantined', `SELECT place >> 32 AS seq, count(*) AS n FROM main._sluice_rejects WHERE rowid > ${marks.rejects} AND evicted = 0 GROUP BY 1`)
  const evicted = Number(session.get(`SELECT count(*) AS n FROM main._sluice_rejects WHERE rowid > ${marks.rejects} AND evicted = 1`)?.['n'])
  const replaced = Number(session.get(`SELECT count(*) AS n FROM ${names.losers} WHERE ${id} > ${marks.losers} AND _sluice_outcome = 'replaced'`)?.['n'])
  return { counts, rows, updated, replaced, evicted }
}

/** Writes the record of the commit: arrivals, and the batch with its receipt. */
function record({ session, staged, table }: Commit, work: Work, state: State, marks: Marks, counted: Counted, loaded: readonly Loaded[]): Receipt {
  const { batch } = staged
  const pins = new Map(batch.arrivals.map((arrival) => [arrival.seq, arrival.pin]))
  const arrivals: CommittedArrival[] = loaded.map(({ seq, sha256, generation, dates }) => {
    const pin = pins.get(seq)
    return { seq, sha256, generation, path: pin?.uri ?? '', size: pin?.size ?? 0, counts: counted.counts.get(seq) ?? noBalance(), ...(dates === undefined ? {} : { dates }) }
  })
  for (const { seq, sha256, generation, path, size, counts: c, dates } of arrivals) {
    session.run('sqlite.arrival', 'INSERT INTO main._sluice_arrivals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', [table, seq, sha256, generation, batch.id, path, size, c.read, c.inserted, c.updated, c.duplicate, c.stale, c.skipped, c.quarantined, dates?.field ?? null, dates?.since ?? null, dates?.until ?? null])
  }
  const repeated = `FROM main._sluice_rejects WHERE rowid > ${marks.rejects} AND code = 'KEY_REPEATED' AND evicted = 0`
  const faults = session.all(`SELECT batch, place, offset, code, "column", value, message, raw ${repeated} ORDER BY place LIMIT ${SHOWN_FAULTS}`).map(rejectFromSql)
  const byTarget = Number(session.get(`SELECT count(*) AS n ${repeated}`)?.['n'])
  const version = (state.version ?? 0) + 1
  const receipt: Receipt = { batch: batch.id, version, arrivals, evicted: counted.evicted, reasons: byTarget === 0 ? {} : { KEY_REPEATED: byTarget }, faults, rewritten: 0, ...(staged.leftOut.length === 0 ? {} : { leftOut: staged.leftOut }) }
  const highest = staged.places !== null && staged.places.highest > state.highest ? staged.places.highest : state.highest
  session.run('sqlite.record', 'INSERT INTO main._sluice_batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)', [work.table, version, batch.id, batch.lane, batch.fence, highest, counted.kept + counted.rows, receiptToJson(receipt)])
  return receipt
}
