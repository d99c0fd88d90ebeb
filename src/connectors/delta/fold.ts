/**
 * A fold: the whole state of a table at one version as JSON lines, so that opening needs neither the log before it nor
 * an engine (docs/decisions/delta-folds.md). The last line counts the lines: a torn fold is no fold.
 */
import { join } from 'node:path'
import type { Random } from '../../core/effects.ts'
import type { Standing } from '../../core/engine.ts'
import type { Covered } from '../../core/interval.ts'
import { localFs } from '../../storage/local.ts'
import type { AddAction, MetaData, Protocol, RemoveAction, Txn } from './actions.ts'
import { stampOf } from './foreign.ts'
import type { ForeignWork } from './foreign.ts'
import { FOLDS_FOLDER, decodePath, foldPath, versionName } from './layout.ts'
import { readEntry, replaceFile, versionIsKnown } from './log.ts'
import { TOMBSTONE_MS, TableState } from './state.ts'
import type { CommittedBatch, HeldPart } from './state.ts'

/** Older folds are removed; the one before the newest stays, should the newest be damaged. */
const KEPT = 2
const FORMAT = 3

interface Line {
  fold?: { format: 2 | 3; version: number; highest: string; expected: number; protocol: Protocol; metaData: MetaData; dateField?: string | null }
  add?: AddAction
  remove?: RemoveAction
  txn?: Txn
  batch?: CommittedBatch
  /** The last one: when not everything of it is in. */
  content?: [sha256: string, generation: number, seq: number, covered?: Covered]
  /** First and last of a run of committed arrival numbers. */
  numbers?: [from: number, to: number]
  losers?: HeldPart
  rejects?: HeldPart
  foreign?: ForeignWork
  end?: number
}

function* linesOf(state: TableState, now: number): Generator<Line> {
  if (state.protocol === null || state.metaData === null) return
  yield { fold: { format: FORMAT, version: state.version, highest: String(state.highest), expected: state.expected, protocol: state.protocol, metaData: state.metaData, dateField: state.dateField } }
  for (const { add } of state.files.values()) yield { add }
  for (const remove of state.tombstones.values()) if (remove.deletionTimestamp > now - TOMBSTONE_MS) yield { remove }
  for (const txn of state.txns.values()) yield { txn }
  for (const batch of state.batches.values()) yield { batch }
  for (const [sha256, { generation, seq, covered }] of state.contents) yield { content: [sha256, generation, seq, ...(covered === undefined ? [] : [covered])] as Line['content'] & {} }
  for (const numbers of runsOf(state.numbers)) yield { numbers }
  for (const losers of state.losers) yield { losers }
  for (const rejects of state.rejects) yield { rejects }
  for (const foreign of state.foreign.values()) yield { foreign }
}

/** Numbers are nearly dense: a handful of runs. */
function runsOf(numbers: ReadonlySet<number>): [number, number][] {
  const runs: [number, number][] = []
  for (const number of [...numbers].toSorted((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last !== undefined && last[1] + 1 === number) last[1] = number
    else runs.push([number, number])
  }
  return runs
}

export async function writeFold(root: string, state: TableState, now: number, random: Random): Promise<void> {
  const lines: string[] = []
  for (const line of linesOf(state, now)) lines.push(JSON.stringify(line))
  lines.push(JSON.stringify({ end: lines.length }))
  await replaceFile('delta.fold', join(root, FOLDS_FOLDER), `${versionName(state.version)}.ndjson`, `${lines.join('\n')}\n`, random)
  for (const version of (await foldVersions(root)).slice(KEPT)) await localFs.remove('delta.fold.tidy', foldPath(root, version))
}

/** Newest first. */
async function foldVersions(root: string): Promise<number[]> {
  const names = ((await localFs.list(join(root, FOLDS_FOLDER))) ?? []).map(({ name }) => /^(\d{20})\.ndjson$/.exec(name)?.[1])
  return names.filter((name) => name !== undefined).map(Number).toSorted((a, b) => b - a)
}

/** The newest fold that is whole and belongs to this log; null when there is none. */
export async function readNewestFold(root: string): Promise<TableState | null> {
  for (const version of await foldVersions(root)) {
    const bytes = await localFs.read(foldPath(root, version))
    const state = bytes === null ? null : parseFold(Buffer.from(bytes).toString('utf8'), root)
    if (state !== null && state.version === version && (await belongs(root, state))) return state
  }
  return null
}

/** A log that was put back from a copy may be shorter than the fold, or may have gone another way since. */
async function belongs(root: string, state: TableState): Promise<boolean> {
  if (!(await versionIsKnown(root, state.version))) return false
  const batch = stampOf((await readEntry(root, state.version))?.actions ?? [])?.batch
  return batch === undefined || state.batches.get(batch)?.version === state.version
}

function parseFold(text: string, path: string): TableState | null {
  const lines = text.split('\n')
  try {
    const last = JSON.parse(lines.at(-2) ?? '') as Line
    if (last.end !== lines.length - 2) return null
    const state = new TableState()
    for (const line of lines.slice(0, last.end)) takeLine(state, JSON.parse(line) as Line, path)
    return state
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null
    throw thrown
  }
}

function takeLine(state: TableState, line: Line, path: string): void {
  if (line.fold !== undefined) {
    // A fold of another make is no fold: the log tells.
    // Format 2 knew no dates.
    if (line.fold.format !== FORMAT && line.fold.format !== 2) throw new SyntaxError('another format')
    state.version = line.fold.version
    state.highest = BigInt(line.fold.highest)
    state.expected = line.fold.expected
    state.dateField = line.fold.dateField ?? null
    state.protocol = line.fold.protocol
    state.setMetaData(line.fold.metaData, path)
  }
  if (line.add !== undefined) state.addFile(line.add, path)
  if (line.remove !== undefined) state.tombstones.set(decodePath(path, line.remove.path), line.remove)
  if (line.txn !== undefined) state.txns.set(line.txn.appId, line.txn)
  if (line.batch !== undefined) {
    state.batches.set(line.batch.id, line.batch)
    state.last = { record: line.batch.record, sha256: line.batch.sha256 }
  }
  if (line.content !== undefined) state.contents.set(line.content[0], { generation: line.content[1], seq: line.content[2], ...(line.content[3] === undefined ? {} : { covered: line.content[3] }) } satisfies Standing)
  if (line.numbers !== undefined) for (let seq = line.numbers[0]; seq <= line.numbers[1]; seq += 1) state.numbers.add(seq)
  if (line.losers !== undefined) state.losers.push(line.losers)
  if (line.rejects !== undefined) state.rejects.push(line.rejects)
  if (line.foreign !== undefined) state.noteForeign(line.foreign)
}
