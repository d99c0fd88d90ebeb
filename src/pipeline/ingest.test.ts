/** The order in which one process commits its batches. Ledger, engine and table are the least that the loop needs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ArrivalOutcome } from '../core/arrival.ts'
import type { Clock, Fs } from '../core/effects.ts'
import type { Batch, Engine, Staged } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Table } from '../core/target.ts'
import { BY_ITSELF } from '../core/reading.ts'
import { ingest } from './ingest.ts'
import type { Ingest } from './ingest.ts'

/** Plays batches of one arrival each, claimed in this order. Answers what was committed, settled and given back. */
async function played(claimed: readonly number[], broken: ReadonlySet<number> = new Set()): Promise<Record<'committed' | 'settled' | 'released', number[]> & { failure: unknown }> {
  const batches = claimed.map((seq, n): Batch => ({ id: `b_${n}`, lane: n, fence: 1, table: 't', arrivals: [{ seq, pin: { uri: `/f${seq}`, size: 1, stamp: 's', modified: 0 }, reload: false, replaced: false }] }))
  const open = new Set<Batch>()
  const lowest = (batch: Batch): number => batch.arrivals[0]?.seq ?? 0
  const end = (list: number[], batch: Batch): boolean => {
    list.push(lowest(batch))
    return open.delete(batch)
  }
  const seen = { committed: [] as number[], settled: [] as number[], released: [] as number[], failure: null as unknown }
  let sleeps = 0
  const work = {
    run: 'r_1', key: 't', definition: {}, spool: '/spool', width: 2, reading: BY_ITSELF, onBad: 'quarantine', maxBad: null, grace: 0,
    on: () => {}, stop: new AbortController().signal, now: new AbortController().signal,
    clock: {
      monotonic: () => 0,
      now: () => 0,
      // Whoever waits for a turn that never comes shall fail, not hang.
      sleep: async () => {
        if (++sleeps > 1000) throw new SluiceError('INTERNAL', 'waits for ever')
        await new Promise((resolve) => setImmediate(resolve))
      },
    } as unknown as Clock,
    fs: { makeFolder: async () => {}, remove: async () => {} } as unknown as Fs,
    ledger: {
      claim: async () => {
        const batch = batches.shift() ?? null
        if (batch !== null) open.add(batch)
        return batch
      },
      turn: async (batch: Batch) => ([...open].some((other) => lowest(other) < lowest(batch)) ? 'wait' : 'go'),
      settle: async (batch: Batch) => end(seen.settled, batch),
      release: async (batch: Batch) => end(seen.released, batch),
      elsewhere: async () => 0,
    } as unknown as Ledger,
    engine: {
      stage: async ({ batch, attempt }: { batch: Batch; attempt: number }) => ({ batch, attempt, outcomes: batch.arrivals.map(({ seq }) => outcome(seq)), faults: [], reasons: {}, notices: [], leftOut: {} }) as unknown as Staged,
    } as unknown as Engine,
    table: {
      head: async () => ({ exists: true, schema: [] }),
      apply: async ({ batch }: Staged) => {
        if (broken.has(lowest(batch))) throw new SluiceError('DISK_FULL', 'the disk is full')
        seen.committed.push(lowest(batch))
        return { batch: batch.id, version: 1, arrivals: [], evicted: 0, reasons: {}, faults: [], rewritten: 0 }
      },
    } as unknown as Table,
  }
  await ingest(work as unknown as Ingest).catch((thrown: unknown) => (seen.failure = thrown))
  return seen
}

function outcome(seq: number): ArrivalOutcome {
  return { seq, state: 'loaded', sha256: `sha${seq}`, generation: 0, sameAs: null, bytes: 1, read: 1, skipped: 0, rejected: 0, fault: null }
}

test('batches of one process commit in the order of their numbers', async () => {
  const { committed, settled, failure } = await played([1, 2, 3, 4])
  assert.equal(failure, null)
  assert.deepEqual([committed, settled], [[1, 2, 3, 4], [1, 2, 3, 4]])
})

test('a batch that is claimed later with a lower number goes first, and nobody waits for ever', async () => {
  // Arrival 2 was in the hands of another process, which gave it back: a waiting file keeps its number.
  const { committed, failure } = await played([7, 2])
  assert.equal(failure, null)
  assert.deepEqual(committed, [2, 7])
})

test('after a failure nothing more commits in this process: it is given back', async () => {
  const { committed, released, failure } = await played([1, 2, 3], new Set([1]))
  assert.ok(failure instanceof SluiceError && failure.code === 'DISK_FULL')
  assert.deepEqual(committed, [])
  assert.deepEqual(released.toSorted((a, b) => Number(a) - Number(b)), [1, 2])
})
