/**
 * The state of a table from a checkpoint, when entries of the log before it are gone (another writer cleaned the log).
 *
 * A checkpoint names files, transactions and schema, and knows nothing of batch records. Those form a chain: the txn
 * `sluice:<ledger>:record` marks the newest one, and each names the one before it. So what counts is certain: a record of
 * an attempt that died is not in the chain.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Session } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { filesSql } from '../../resolve/duckdb-batch.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { localFs } from '../../storage/local.ts'
import { LOG_CLEANED } from './foreign.ts'
import { recordApp, recordMark } from './actions.ts'
import type { Action } from './actions.ts'
import { BATCHES_FOLDER, LOG_FOLDER, decodePath, versionName } from './layout.ts'
import { readRecord } from './record.ts'
import type { BatchRecord, RecordLink } from './record.ts'
import { checkAdd, checkMetaData, checkProtocol } from './refuse.ts'
import { TableState, rowsOf } from './state.ts'

const ACTIONS = ['protocol', 'metaData', 'txn', 'add', 'remove'] as const

/** Version that `_last_checkpoint` names; it is a hint, and may be missing or old. -1: none. */
export async function hintedCheckpoint(root: string): Promise<number> {
  const bytes = await localFs.read(join(root, LOG_FOLDER, '_last_checkpoint'))
  try {
    const { version } = JSON.parse(Buffer.from(bytes ?? '{}').toString('utf8')) as { version?: number }
    return typeof version === 'number' ? version : -1
  } catch {
    return -1
  }
}

/** Parts of the newest checkpoint that is whole. @throws SluiceError TABLE_UNSUPPORTED for one of the second kind */
async function newest(root: string): Promise<{ version: number; parts: { uri: string }[] } | null> {
  const found = new Map<number, { uri: string; of: number }[]>()
  for (const { name } of (await localFs.list(join(root, LOG_FOLDER))) ?? []) {
    const match = /^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet$/.exec(name)
    if (match === null) continue
    const version = Number(match[1])
    found.set(version, [...(found.get(version) ?? []), { uri: join(root, LOG_FOLDER, name), of: Number(match[3] ?? 1) }])
  }
  for (const version of [...found.keys()].toSorted((a, b) => b - a)) {
    const parts = found.get(version) ?? []
    // A single file and one in parts may lie beside one another: either is whole by itself.
    const single = parts.filter(({ of }) => of === 1)
    const whole = single.length > 0 ? single : parts.filter(({ of }) => of === parts.length)
    if (whole.length > 0) return { version, parts: whole }
  }
  return null
}

/**
 * @param known the state as far as fold and entries tell; it stands before the checkpoint
 * @throws SluiceError TABLE_BROKEN when the chain of records does not reach back to `known`, or no checkpoint is whole
 */
export async function salvage(root: string, known: TableState, session: Session): Promise<TableState> {
  const checkpoint = await newest(root)
  if (checkpoint === null || checkpoint.version <= known.version) {
    throw new SluiceError('TABLE_BROKEN', `${root}: entries of the log before the newest checkpoint are gone, and the checkpoint is of a kind that Sluice does not read.`)
  }
  const actions = await readActions(checkpoint.parts, session)
  const state = new TableState()
  for (const { protocol, metaData, txn } of actions) {
    if (protocol !== undefined) {
      checkProtocol(root, protocol)
      state.protocol = protocol
    }
    if (metaData !== undefined) {
      checkMetaData(root, metaData)
      state.setMetaData(metaData, root)
    }
    if (txn !== undefined) state.txns.set(txn.appId, txn)
  }
  for (const { add, remove } of actions) {
    if (remove !== undefined) state.tombstones.set(decodePath(root, remove.path), remove)
    if (add === undefined) continue
    checkAdd(root, checkpoint.version, add)
    if (rowsOf(add) === null) add.stats = JSON.stringify({ numRecords: await footerRows(join(root, decodePath(root, add.path)), session) })
    state.addFile(add, root)
  }
  await takeRecords(root, known, state)
  for (const work of known.foreign.values()) state.noteForeign(work)
  const gone = { by: 'Another writer', operation: LOG_CLEANED, commits: checkpoint.version - known.version, added: 0, removed: 0 }
  state.noteForeign({ ...gone, first: known.version + 1, last: checkpoint.version })
  state.expected = state.rows
  state.version = checkpoint.version
  state.base = checkpoint.version
  // The next commit writes a fold.
  state.folded = Number.NEGATIVE_INFINITY
  return state
}

async function readActions(parts: readonly { uri: string }[], session: Session): Promise<Action[]> {
  const from = `read_parquet(${filesSql(parts)}, union_by_name = true, hive_partitioning = false)`
  const columns = (await session.rows(`DESCRIBE SELECT * FROM ${from}`)).map((row) => String(row['column_name']))
  for (const strange of columns.filter((name) => !(ACTIONS as readonly string[]).includes(name))) {
    const used = (await session.rows(`SELECT count(${quoteName(strange)}) AS n FROM ${from}`))[0]?.['n']
    if (Number(used) > 0) throw new SluiceError('TABLE_UNSUPPORTED', `${parts[0]?.uri ?? ''}: the checkpoint holds the action ${strange}, which Sluice does not know.`)
  }
  const actions: Action[] = []
  for (const name of ACTIONS.filter((action) => columns.includes(action))) {
    const rows = await session.rows(`SELECT CAST(to_json(${quoteName(name)}) AS VARCHAR) AS text FROM ${from} WHERE ${quoteName(name)} IS NOT NULL`)
    for (const { text } of rows) actions.push({ [name]: withoutNulls(JSON.parse(String(text)) as Record<string, unknown>) })
  }
  return actions
}

/** A column of a checkpoint has every member that any writer knows; an entry has only those that say something. */
function withoutNulls(action: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(action).filter(([, value]) => value !== null))
}

async function footerRows(uri: string, session: Session): Promise<number> {
  return Number((await session.rows(`SELECT num_rows AS n FROM parquet_file_metadata([${quoteText(uri.replaceAll(/[[*?]/g, '[$&]'))}])`))[0]?.['n'])
}

/** Follows the chain from its head back to what is known, and takes the records over from the oldest to the newest. */
async function takeRecords(root: string, known: TableState, state: TableState): Promise<void> {
  for (const { record, sha256 } of known.batches.values()) {
    const old = await readRecord(root, record, sha256)
    state.noteBatch({ id: old.batch, version: old.version ?? 0, record, sha256 })
    state.takeRecord(old)
  }
  const chain: { link: RecordLink; record: BatchRecord }[] = []
  for (let link = await headOf(root, known, state); link !== null && link.sha256 !== known.last?.sha256; ) {
    const record: BatchRecord = await readRecord(root, link.record, link.sha256)
    if (record.previous === undefined) throw new SluiceError('TABLE_BROKEN', `${join(root, link.record)} does not name the record before it, and the log that did is gone.`, { where: { path: join(root, link.record) } })
    chain.push({ link, record })
    link = record.previous
  }
  for (const { link, record } of chain.toReversed()) {
    state.noteBatch({ id: record.batch, version: record.version ?? 0, ...link })
    state.takeRecord(record)
  }
}

/** Null: no batch was ever committed. @throws SluiceError TABLE_BROKEN when the record that is marked is not there */
async function headOf(root: string, known: TableState, state: TableState): Promise<RecordLink | null> {
  const mark = state.ledger === null ? undefined : state.txns.get(recordApp(state.ledger))?.version
  if (mark === undefined) {
    if (state.definition === null) return known.last
    throw new SluiceError('TABLE_BROKEN', `${root}: entries of the log are gone, and the checkpoint after them does not mark the newest batch record.`)
  }
  if (mark === 0 || (known.last !== null && recordMark(known.last.sha256) === mark)) return known.last
  for (const { name } of (await localFs.list(join(root, BATCHES_FOLDER))) ?? []) {
    const bytes = await localFs.read(join(root, BATCHES_FOLDER, name))
    const sha256 = createHash('sha256').update(bytes ?? '').digest('hex')
    if (recordMark(sha256) === mark) return { record: `${BATCHES_FOLDER}/${name}`, sha256 }
  }
  throw new SluiceError('TABLE_BROKEN', `${root}: the newest batch record is missing under ${BATCHES_FOLDER}, and the log that named it is gone (checkpoint ${versionName(state.version)}).`)
}
