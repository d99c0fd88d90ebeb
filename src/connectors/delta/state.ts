/**
 * What the log says, in memory: built once, then only forward, one entry at a time.
 *
 * Kept per content: its SHA-256, number and generation (about 200 bytes); everything else about arrivals stays in the
 * batch records.
 */
import type { Definition } from '../../core/definition.ts'
import type { Standing } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { joinCovered } from '../../core/interval.ts'
import type { Column } from '../../core/schema.ts'
import { BATCH_TAG, FOREIGN_TAG, parseSchema } from './actions.ts'
import type { AddAction, Field, MetaData, Protocol, RemoveAction, Txn } from './actions.ts'
import { refreshOf, stampOf } from './foreign.ts'
import type { ForeignWork } from './foreign.ts'
import { decodePath } from './layout.ts'
import type { Entry } from './log.ts'
import { insertedBy } from './record.ts'
import type { BatchRecord, KeptPart, RecordLink } from './record.ts'

export interface CommittedBatch {
  id: string
  version: number
  record: string
  sha256: string
}
/** A losers or rejects file and the batch that wrote it. */
export interface HeldPart extends KeptPart {
  batch: string
}
export interface LiveFile {
  add: AddAction
  /** Relative to the table's folder, not encoded. */
  path: string
  /** numRecords of its statistics: rows that were written. */
  rows: number
  /** False: it may hold rows of other writers. */
  ours: boolean
}

/** A removal is kept in checkpoints for so long, so that readers of older versions find the file named (Delta's default). */
export const TOMBSTONE_MS = 7 * 86_400_000

export class TableState {
  version = -1
  protocol: Protocol | null = null
  metaData: MetaData | null = null
  schema: Column[] = []
  fields: Field[] = []
  highest = 0n
  /** Rows inserted by all batches, less surplus and replaced ones, and what other writers added or took away: the rows of the table. */
  expected = 0
  /** What other writers did, by writer and operation. */
  readonly foreign = new Map<string, ForeignWork>()
  /** The newest batch record. */
  last: RecordLink | null = null
  /** By path, not encoded. */
  readonly files = new Map<string, LiveFile>()
  readonly tombstones = new Map<string, RemoveAction>()
  readonly txns = new Map<string, Txn>()
  readonly batches = new Map<string, CommittedBatch>()
  /** Commits whose records are not taken over yet, oldest first: until then contents, numbers, kept parts, `expected` and `highest` lack them. */
  readonly unread: CommittedBatch[] = []
  readonly contents = new Map<string, Standing>()
  /** Numbers of committed arrivals. */
  readonly numbers = new Set<number>()
  readonly losers: HeldPart[] = []
  readonly rejects: HeldPart[] = []
  /** Column by whose dates it was loaded last; null: it never was. */
  dateField: string | null = null
  /** Of the log since the last checkpoint. */
  logBytes = 0
  /** Version of the newest fold that this process knows. */
  folded = 0
  /** Version that the state was begun with: of a fold or a checkpoint, or 0. */
  base = 0
  private cached: { of: MetaData; definition: Definition } | null = null

  get exists(): boolean {
    return this.version >= 0
  }
  get ledger(): string | null {
    return this.metaData?.configuration['sluice.ledger'] ?? null
  }
  get rows(): number {
    let rows = 0
    for (const file of this.files.values()) rows += file.rows
    return rows
  }
  /** True when a file may hold rows of other writers, whose places are not unique. */
  get mixed(): boolean {
    for (const file of this.files.values()) if (!file.ours) return true
    return false
  }
  get definition(): Definition | null {
    const text = this.metaData?.configuration['sluice.definition']
    if (this.metaData === null || text === undefined) return null
    if (this.cached?.of !== this.metaData) this.cached = { of: this.metaData, definition: JSON.parse(text) as Definition }
    return this.cached.definition
  }

  /** Highest fence per lane of our ledger. */
  lanes(): Map<number, number> {
    const prefix = `sluice:${this.ledger ?? ''}:`
    const lanes = new Map<number, number>()
    for (const { appId, version } of this.txns.values()) if (appId.startsWith(prefix) && /^\d+$/.test(appId.slice(prefix.length))) lanes.set(Number(appId.slice(prefix.length)), version)
    return lanes
  }

  setMetaData(metaData: MetaData, root: string): void {
    const { schema, fields } = parseSchema(metaData.schemaString, root)
    this.metaData = metaData
    this.schema = schema
    this.fields = fields
  }

  addFile(add: AddAction, root: string): void {
    const rows = rowsOf(add)
    if (rows === null) throw new SluiceError('TABLE_BROKEN', `The log does not tell how many rows ${add.path} has.`)
    const path = decodePath(root, add.path)
    this.files.set(path, { add, path, rows, ours: add.tags?.[BATCH_TAG] !== undefined && add.tags[FOREIGN_TAG] === undefined })
    this.tombstones.delete(path)
  }

  removeFile(remove: RemoveAction, root: string): void {
    const path = decodePath(root, remove.path)
    if (this.files.delete(path)) this.tombstones.set(path, remove)
  }

  /**
   * Takes one entry over; its batch record is `unread` until `takeRecord`. All checks come before: after an error the state
   * must not be half of an entry.
   * @param foreign the commit is another writer's
   */
  take(entry: Entry, foreign: ForeignWork | null, root: string): void {
    const before = foreign === null ? 0 : this.rows
    const metaData = entry.actions.find((action) => action.metaData !== undefined)?.metaData
    if (metaData !== undefined) this.setMetaData(metaData, root)
    if (this.metaData === null) throw new SluiceError('TABLE_BROKEN', `${root}: the log begins without metaData.`)
    // Removals first: an entry may take a file away and add it again with other statistics.
    for (const { remove } of entry.actions) if (remove !== undefined) this.removeFile(remove, root)
    for (const { protocol, txn, add } of entry.actions) {
      if (protocol !== undefined) this.protocol = protocol
      if (txn !== undefined) this.txns.set(txn.appId, txn)
      if (add !== undefined) this.addFile(add, root)
    }
    const stamp = stampOf(entry.actions)
    if (stamp !== null) {
      const batch = { id: stamp.batch, version: entry.version, record: stamp.record, sha256: stamp.sha256 }
      this.noteBatch(batch)
      this.unread.push(batch)
    }
    const refreshed = refreshOf(entry.actions)
    if (refreshed !== null) this.expected = refreshed.rows
    if (foreign !== null) {
      this.noteForeign(foreign)
      this.expected += this.rows - before
    }
    this.logBytes += entry.bytes
    this.version = entry.version
  }

  noteForeign(work: ForeignWork): void {
    const name = `${work.by} ${work.operation}`
    const known = this.foreign.get(name)
    this.foreign.set(name, known === undefined ? work : { ...known, commits: known.commits + work.commits, last: work.last, added: known.added + work.added, removed: known.removed + work.removed })
  }

  /** What the log itself says of a batch. */
  noteBatch(batch: CommittedBatch): void {
    this.batches.set(batch.id, batch)
    this.last = { record: batch.record, sha256: batch.sha256 }
  }

  takeRecord(record: BatchRecord): void {
    for (const { sha256, generation, seq, dates, counts } of record.arrivals) {
      this.numbers.add(seq)
      if (dates !== undefined) this.dateField = dates.field
      const known = this.contents.get(sha256)
      if (known !== undefined && known.generation > generation) continue
      const covered = joinCovered(known?.generation === generation ? known.covered : undefined, dates, counts.read)
      this.contents.set(sha256, { generation, seq, ...(covered === undefined ? {} : { covered }) })
    }
    for (const part of record.losers) this.losers.push({ ...part, batch: record.batch })
    for (const part of record.rejects) this.rejects.push({ ...part, batch: record.batch })
    this.expected += insertedBy(record) - (record.surplus ?? 0) - (record.replaced ?? 0)
    if (record.highest > this.highest) this.highest = record.highest
  }
}

/** Rows of a file as its statistics tell; null: they do not. */
export function rowsOf(add: AddAction): number | null {
  const rows = typeof add.stats === 'string' ? (JSON.parse(add.stats) as { numRecords?: number }).numRecords : undefined
  return rows !== undefined && Number.isSafeInteger(rows) ? rows : null
}
