/**
 * What the log says, in memory: built once, then only forward, one entry at a time.
 *
 * Kept per content: its SHA-256, number and generation (about 200 bytes); everything else about arrivals stays in the
 * batch records.
 */
import type { Definition } from '../../core/definition.ts'
import type { Standing } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Column } from '../../core/schema.ts'
import type { AddAction, MetaData, Protocol, RemoveAction, Txn } from './actions.ts'
import { parseSchema } from './actions.ts'
import type { Entry } from './log.ts'
import { insertedBy } from './record.ts'
import type { BatchRecord, KeptPart } from './record.ts'

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
  /** numRecords of its statistics: rows that were written. */
  rows: number
}

/** A removal is kept in checkpoints for so long, so that readers of older versions find the file named (Delta's default). */
export const TOMBSTONE_MS = 7 * 86_400_000

export class TableState {
  version = -1
  protocol: Protocol | null = null
  metaData: MetaData | null = null
  schema: Column[] = []
  placeAt = 0
  highest = 0n
  /** Sum of rows inserted over all commits: equals the rows of the table. */
  inserted = 0
  readonly files = new Map<string, LiveFile>()
  readonly tombstones = new Map<string, RemoveAction>()
  readonly txns = new Map<string, Txn>()
  readonly batches = new Map<string, CommittedBatch>()
  readonly contents = new Map<string, Standing>()
  /** Numbers of committed arrivals. */
  readonly numbers = new Set<number>()
  readonly losers: HeldPart[] = []
  readonly rejects: HeldPart[] = []
  /** Of the log since the last checkpoint. */
  logBytes = 0
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
    for (const { appId, version } of this.txns.values()) if (appId.startsWith(prefix)) lanes.set(Number(appId.slice(prefix.length)), version)
    return lanes
  }

  setMetaData(metaData: MetaData, path: string): void {
    const { schema, placeAt } = parseSchema(metaData.schemaString, path)
    this.metaData = metaData
    this.schema = schema
    this.placeAt = placeAt
  }

  addFile(add: AddAction): void {
    const rows = add.stats === undefined ? Number.NaN : (JSON.parse(add.stats) as { numRecords?: number }).numRecords
    if (rows === undefined || !Number.isSafeInteger(rows)) throw new SluiceError('TABLE_BROKEN', `The log does not tell how many rows ${add.path} has.`)
    this.files.set(add.path, { add, rows })
    this.tombstones.delete(add.path)
  }

  /** Takes one entry over. All checks come before: after an error the state must not be half of an entry. */
  take(entry: Entry, record: BatchRecord, path: string): void {
    const metaData = entry.actions.find((action) => action.metaData !== undefined)?.metaData
    if (metaData !== undefined) this.setMetaData(metaData, path)
    if (this.metaData === null) throw new SluiceError('TABLE_BROKEN', `${path}: the log begins without metaData.`)
    for (const { commitInfo, protocol, txn, add, remove } of entry.actions) {
      if (protocol !== undefined) this.protocol = protocol
      if (txn !== undefined) this.txns.set(txn.appId, txn)
      if (add !== undefined) this.addFile(add)
      if (remove !== undefined && this.files.delete(remove.path)) this.tombstones.set(remove.path, remove)
      const stamp = commitInfo?.sluice
      if (stamp !== undefined) this.batches.set(stamp.batch, { id: stamp.batch, version: entry.version, record: stamp.record, sha256: stamp.sha256 })
    }
    this.takeRecord(record)
    this.logBytes += entry.bytes
    this.version = entry.version
  }

  private takeRecord(record: BatchRecord): void {
    for (const { sha256, generation, seq } of record.arrivals) {
      this.numbers.add(seq)
      const known = this.contents.get(sha256)
      if (known === undefined || known.generation < generation) this.contents.set(sha256, { generation, seq })
    }
    for (const part of record.losers) this.losers.push({ ...part, batch: record.batch })
    for (const part of record.rejects) this.rejects.push({ ...part, batch: record.batch })
    this.inserted += insertedBy(record)
    if (record.highest > this.highest) this.highest = record.highest
  }
}
