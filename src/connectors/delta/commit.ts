/**
 * The commit of a batch.
 *
 *   forward → committed already? → ours to commit? → attempt (files, counts, record) → ★ link → durable → receipt
 * Losing a race for the version starts over from the newest state under new file names. Races are rare: the ledger lets
 * the batches of a table commit one after another, so the whole resolution is simply done again.
 */
import { join } from 'node:path'
import type { Clock, Random } from '../../core/effects.ts'
import type { Engine, Session, Staged } from '../../core/engine.ts'
import { formatKeep, sameDefinition } from '../../core/definition.ts'
import type { Definition } from '../../core/definition.ts'
import { SluiceError } from '../../core/errors.ts'
import { mayEnter } from '../../core/interval.ts'
import { checkPartitions, partitionName } from '../../core/partition.ts'
import type { Partition } from '../../core/partition.ts'
import { findColumn, fits, mergeSchema } from '../../core/schema.ts'
import type { Schema } from '../../core/schema.ts'
import type { Receipt } from '../../core/target.ts'
import { noBalance, addBalance } from '../../core/balance.ts'
import { localFs } from '../../storage/local.ts'
import { DATED_FORMAT, FORMAT, laneApp, protocolFor, recordApp, recordMark, schemaString } from './actions.ts'
import type { Action, CommitInfo, MetaData } from './actions.ts'
import { AttemptWriter } from './attempt.ts'
import type { Attempt } from './attempt.ts'
import { FOLDERS } from './layout.ts'
import { prepareEntry, probeLinks, putIfAbsent } from './log.ts'
import type { OpenTable } from './opening.ts'
import { readRecord, receiptOf } from './record.ts'
import type { TableState } from './state.ts'

export interface Committer {
  table: OpenTable
  engine: Engine
  clock: Clock
  random: Random
}

/** What this batch did, or null. The state is as new as its caller made it. */
export async function receiptIn(root: string, state: TableState, batch: string): Promise<Receipt | null> {
  const known = state.batches.get(batch)
  return known === undefined ? null : receiptOf(await readRecord(root, known.record, known.sha256), known.version)
}

/** See `Table.apply`. Whoever calls it sees to it that one batch at a time passes here. */
export async function commitBatch(by: Committer, staged: Staged, asked: Definition, signal?: AbortSignal): Promise<Receipt> {
  const { root, ledger } = by.table
  if (ledger === null) throw new SluiceError('TABLE_OTHER_LEDGER', `${root} was opened for reading only: no ledger was named.`)
  for (let round = 1; ; round += 1) {
    const state = await by.table.forward()
    // The state may move on while this batch waits for a session. What is checked here holds for this version alone.
    const version = state.version + 1
    const done = await receiptIn(root, state, staged.batch.id)
    if (done !== null) return done
    const schema = checkTurn(state, staged, asked)
    if (!staged.outcomes.some((outcome) => outcome.state === 'loaded')) return emptyReceipt(staged, state)
    if (!state.exists) await prepareFolders(root, by.random)
    const session = await by.engine.session(signal)
    try {
      const receipt = await tryOnce(by, { round, version }, state, staged, schema, state.definition ?? asked, session, signal)
      if (receipt !== null) return receipt
    } finally {
      await session.close()
    }
  }
}

/** Everything was known, failed or waits: there is nothing to commit. */
function emptyReceipt(staged: Staged, state: TableState): Receipt {
  return { batch: staged.batch.id, version: Math.max(state.version, 0), arrivals: [], evicted: 0, reasons: {}, faults: [], rewritten: 0 }
}

/** Answers the schema after this commit. @throws SluiceError FENCED, ARRIVAL_COMMITTED, SCHEMA_MOVED, DEFINITION_DIFFERS */
function checkTurn(state: TableState, staged: Staged, asked: Definition): Schema {
  const { batch } = staged
  const fence = state.lanes().get(batch.lane)
  if (fence !== undefined && fence >= batch.fence) {
    throw new SluiceError('FENCED', `Lane ${batch.lane} of the table has seen fence ${fence}; the batch ${batch.id} holds ${batch.fence}.`)
  }
  for (const outcome of staged.outcomes) {
    const { seq, sha256 } = outcome
    const known = sha256 === null ? undefined : state.contents.get(sha256)
    if (outcome.state !== 'loaded' || mayEnter(outcome, known, state.numbers.has(seq))) continue
    throw new SluiceError('ARRIVAL_COMMITTED', known === undefined ? `The table has an arrival ${seq} already.` : `The bytes of arrival ${seq} are in the table as arrival ${known.seq}.`)
  }
  if (state.definition !== null) sameDefinition(state.definition, asked)
  if (!fits(staged.schema, state.schema)) throw new SluiceError('SCHEMA_MOVED', `The batch ${batch.id} was staged with other column types than the table has now.`)
  const schema = mergeSchema(state.schema, staged.schema)
  checkPartitions((state.definition ?? asked).partition, schema)
  return schema
}

export async function prepareFolders(root: string, random: Random): Promise<void> {
  for (const folder of FOLDERS) await localFs.makeFolder('delta.folder.make', join(root, folder))
  await probeLinks(root, random)
}

/** Null: another writer took the version. */
async function tryOnce(by: Committer, { round, version }: { round: number; version: number }, state: TableState, staged: Staged, schema: Schema, definition: Definition, session: Session, signal?: AbortSignal): Promise<Receipt | null> {
  const { root } = by.table
  const ledger = by.table.ledger ?? ''
  const head = headActions(by, state, schema, definition)
  const writer = new AttemptWriter(root, round, staged, schema, definition, session, by.clock)
  let attempt: Attempt
  let prepared: string
  try {
    attempt = await writer.write(state)
    prepared = await prepareEntry(root, bodyOf(attempt, head, staged, ledger, by.clock.now()), by.random)
    signal?.throwIfAborted()
  } catch (thrown) {
    await writer.discard()
    throw thrown
  }
  // From here on an error leaves the outcome unknown: nothing is removed, recovery reads the log.
  if (await putIfAbsent(root, version, prepared)) return receiptOf(attempt.record, version)
  await writer.discard()
  return null
}

/** protocol and metaData, where this commit makes the table or adds columns. */
function headActions(by: Committer, state: TableState, schema: Schema, definition: Definition): Action[] {
  const actions: Action[] = []
  const protocol = protocolFor(schema)
  if (state.protocol === null || protocol.minWriterVersion > state.protocol.minWriterVersion) actions.push({ protocol })
  if (state.metaData !== null && state.schema.length === schema.length) return actions
  const made = state.metaData ?? newTable(by, definition, schema)
  return [...actions, { metaData: { ...made, schemaString: schemaString(state.fields, schema, definition.partition) } }]
}

/** As the schema spells it: names are matched without case. */
function nameIn(schema: Schema, partition: Partition): string {
  const name = partitionName(partition)
  return findColumn(schema, name)?.name ?? name
}

function newTable(by: Committer, definition: Definition, schema: Schema): MetaData {
  return {
    id: uuidOf(by.random),
    name: definition.table,
    format: { provider: 'parquet', options: {} },
    schemaString: '',
    partitionColumns: (definition.partition ?? []).map((partition) => nameIn(schema, partition)),
    configuration: propertiesOf(by.table.ledger ?? '', definition),
    createdTime: by.clock.now(),
  }
}

/** What a table says of itself. */
export function propertiesOf(ledger: string, definition: Definition): Record<string, string> {
  return {
    // Readers of other makes must not clean the log: commits name the batch records.
    'delta.enableExpiredLogCleanup': 'false',
    'sluice.format': String(FORMAT),
    'sluice.ledger': ledger,
    'sluice.mode': definition.mode,
    'sluice.key': definition.key.join(','),
    'sluice.keep': formatKeep(definition.keep),
    'sluice.definition': JSON.stringify(definition),
  }
}

/** A random identity in the form of a UUID (version 8: of our own making). */
export function uuidOf(random: Random): string {
  const hex = Buffer.from(random.id(32)).toString('hex')
  // Every second digit: the first one of a letter's or digit's code tells little.
  const digits = [...hex].filter((_, at) => at % 2 === 1).join('')
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20, 32)}`
}

/** The lines of the entry, commitInfo first. */
function bodyOf(attempt: Attempt, head: readonly Action[], staged: Staged, ledger: string, now: number): string {
  const { batch } = staged
  const { record, recordPath, sha256 } = attempt
  const counts = record.arrivals.reduce((sum, arrival) => addBalance(sum, arrival.counts), noBalance())
  const commitInfo: CommitInfo = {
    timestamp: now,
    operation: attempt.removes.length > 0 ? 'MERGE' : 'WRITE',
    operationParameters: { batch: batch.id, counts: JSON.stringify(counts) },
    engineInfo: 'Sluice',
    sluice: { format: record.arrivals.some(({ dates }) => dates !== undefined) ? DATED_FORMAT : FORMAT, batch: batch.id, lane: batch.lane, fence: batch.fence, attempt: staged.attempt, record: recordPath, sha256 },
  }
  const actions: Action[] = [
    { commitInfo },
    ...head,
    { txn: { appId: laneApp(ledger, batch.lane), version: batch.fence, lastUpdated: now } },
    { txn: { appId: recordApp(ledger), version: recordMark(sha256), lastUpdated: now } },
    ...attempt.removes.map((remove) => ({ remove })),
    ...attempt.adds.map((add) => ({ add })),
  ]
  return `${actions.map((action) => JSON.stringify(action)).join('\n')}\n`
}
