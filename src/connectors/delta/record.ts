/**
 * The batch record: what a commit did, with every arrival, and which losers and rejects files belong to it.
 *
 * It lies beside the log and counts if and only if a log entry names it with its SHA-256. It is never removed.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { SluiceError } from '../../core/errors.ts'
import type { LeftOut } from '../../core/proposal.ts'
import type { CommittedArrival, Receipt, RejectRow } from '../../core/target.ts'
import { localFs } from '../../storage/local.ts'

/** A losers or rejects file: path relative to the table. */
export interface KeptPart {
  path: string
  rows: number
  bytes: number
}

/** Which batch record was committed before: path relative to the table, SHA-256 of its bytes. */
export interface RecordLink {
  record: string
  sha256: string
}

export interface BatchRecord {
  format: 1
  /** Version of the table that this commit makes, and the record before it: the chain that `salvage.ts` follows. */
  version?: number
  previous?: RecordLink | null
  batch: string
  lane: number
  fence: number
  arrivals: readonly CommittedArrival[]
  /** Highest place of the batch, good or bad; 0n when it had no record. */
  highest: bigint
  evicted: number
  /** Rows of other writers that left the table because their key has one row; absent: none. */
  surplus?: number
  /** Rows that left the table because the batch replaced all of it; absent: none. */
  replaced?: number
  reasons: Readonly<Record<string, number>>
  faults: readonly RejectRow[]
  rewritten: number
  losers: readonly KeptPart[]
  rejects: readonly KeptPart[]
  /** Members that the declared columns do not name; absent: none. */
  leftOut?: readonly LeftOut[]
}

/** Places are beyond 2^53: they are written as text. */
export function encodeRecord(record: BatchRecord): { text: string; sha256: string } {
  const text = `${JSON.stringify(record, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}\n`
  return { text, sha256: createHash('sha256').update(text).digest('hex') }
}

function decodeRecord(text: string): BatchRecord {
  const read = JSON.parse(text) as Omit<BatchRecord, 'highest' | 'faults'> & { highest: string; faults: (Omit<RejectRow, 'place'> & { place: string })[] }
  return { ...read, highest: BigInt(read.highest), faults: read.faults.map((fault) => ({ ...fault, place: BigInt(fault.place) })) }
}

/** @throws SluiceError TABLE_BROKEN when it is missing or other than the log says */
export async function readRecord(root: string, path: string, sha256: string): Promise<BatchRecord> {
  const bytes = await localFs.read(join(root, path))
  if (bytes === null) throw new SluiceError('TABLE_BROKEN', `The batch record ${join(root, path)} is missing.`, { where: { path: join(root, path) } })
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw new SluiceError('TABLE_BROKEN', `The batch record ${join(root, path)} is not the one that was committed.`, { where: { path: join(root, path) } })
  }
  return decodeRecord(Buffer.from(bytes).toString('utf8'))
}

export function receiptOf(record: BatchRecord, version: number): Receipt {
  const { batch, arrivals, evicted, reasons, faults, rewritten, leftOut } = record
  return { batch, version, arrivals, evicted, reasons, faults, rewritten, ...(leftOut === undefined ? {} : { leftOut }) }
}

export function insertedBy(record: BatchRecord): number {
  return record.arrivals.reduce((sum, arrival) => sum + arrival.counts.inserted, 0)
}
