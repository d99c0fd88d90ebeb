/** What the contract of ledgers plays with: sightings, outcomes, receipts, and a run that is loaded. */
import assert from 'node:assert/strict'
import type { ArrivalOutcome } from '../../src/core/arrival.ts'
import { noBalance } from '../../src/core/balance.ts'
import type { Batch } from '../../src/core/engine.ts'
import type { Ledger, Sighting } from '../../src/core/ledger.ts'
import type { CommittedArrival, Receipt } from '../../src/core/target.ts'

/** One folder with its processes. Wall time is fixed at NOW for `ledger`. */
export interface LedgerWorld {
  ledger: Ledger
  /** Another process on the same state. `kill` ends it as SIGKILL would. */
  other(): Promise<{ ledger: Ledger; kill(): Promise<void> }>
  dispose(): Promise<void>
}

export const NOW = 1_800_000_000_000
export const T = 'delta:/tables/events'
export const ALL = { bytes: 1e12, files: 1e6 }
export const KEPT = { reload: false }

export function sight(path: string, version = 1, more: Partial<Sighting> & { modified?: number; size?: number } = {}): Sighting {
  const { modified = NOW - 60_000, size = 10, ...rest } = more
  return { pin: { uri: `/in/${path}`, size, stamp: `1:${path}:${version}`, modified }, ...rest }
}

export function outcome(seq: number, state: ArrivalOutcome['state'], more: Partial<ArrivalOutcome> = {}): ArrivalOutcome {
  const fault = state === 'failed' || state === 'waiting' ? { code: 'FILE_EMPTY' as const, message: 'empty' } : null
  return { seq, state, sha256: `sha-${seq}`, generation: 0, sameAs: null, bytes: 10, read: 3, skipped: 0, rejected: 0, fault, ...more }
}

export function committed(seq: number, read = 3): CommittedArrival {
  return { seq, sha256: `sha-${seq}`, generation: 0, path: `/in/${seq}`, size: 10, counts: { ...noBalance(), read, inserted: read } }
}

export function receipt(batch: Batch, seqs: readonly number[] = batch.arrivals.map((arrival) => arrival.seq), read = 3): Receipt {
  return { batch: batch.id, version: 1, arrivals: seqs.map((seq) => committed(seq, read)), evicted: 1, reasons: { KEY_REPEATED: 2 }, faults: [], rewritten: 0 }
}

export async function begun(ledger: Ledger, run = 'r_1', table = T): Promise<void> {
  await ledger.putTable({ uri: table, name: 'events', definition: null })
  await ledger.begin({ id: run, table, command: 'load in' })
}

export async function claimAll(ledger: Ledger, run = 'r_1', limit = ALL): Promise<Batch> {
  const batch = await ledger.claim(run, T, limit)
  assert.ok(batch !== null, 'there is something to claim')
  return batch
}

/** Offers and loads everything, as a run that ends well. */
export async function load(ledger: Ledger, run: string, sightings: readonly Sighting[], read = 3): Promise<Batch> {
  await begun(ledger, run)
  await ledger.offer(run, T, sightings, KEPT)
  const batch = await claimAll(ledger, run)
  assert.equal(await ledger.settle(batch, batch.arrivals.map(({ seq }) => outcome(seq, 'loaded')), receipt(batch, undefined, read)), true)
  return batch
}

export const seqs = (batch: Batch): number[] => batch.arrivals.map((arrival) => arrival.seq)

export type It = (what: string, body: (world: LedgerWorld, ledger: Ledger) => Promise<void>) => void
