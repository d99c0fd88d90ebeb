/** The order in which one process commits its batches. Ledger, engine and table are the least that the loop needs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ArrivalOutcome } from '../core/arrival.ts'
import type { Clock, Fs } from '../core/effects.ts'
import type { Batch, Engine, Staged } from '../core/engine.ts'
import { WorkerDied } from '../core/death.ts'
import type { Mourned } from '../core/death.ts'
import { SluiceError } from '../core/errors.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Table } from '../core/target.ts'
import { BY_ITSELF } from '../core/reading.ts'
import { ingest } from './ingest.ts'
import type { Ingest } from './work.ts'

interface Trouble {
  /** Batches with these lowest arrivals cannot be committed. */
  broken?: ReadonlySet<number>
  /** Arrivals over which the process dies while it reads them, or afterwards. */
  deadly?: Readonly<Record<number, 'read' | 'after' | 'silent'>>
  /** See `Ingest.whole`. */
  whole?: number
}

/** Plays batches of these arrivals, claimed in this order. Answers what was committed, settled and given back. */
async function played(claimed: readonly (number | number[])[], { broken = new Set(), deadly = {}, whole }: Trouble = {}): Promise<Record<'committed' | 'settled' | 'released', number[]> & { failure: unknown; failed: string[]; besideOthers: number; suspected: number[] }> {
  const batches = claimed.map((seqs, n): Batch => ({ id: `b_${n}`, lane: n, fence: 1, table: 't', arrivals: [seqs].flat().map((seq) => ({ seq, pin: { uri: `/f${seq}`, size: 1, stamp: 's', modified: 0 }, reload: false, replaced: false })) }))
  const open = new Set<Batch>()
  const lowest = (batch: Batch): number => batch.arrivals[0]?.seq ?? 0
  const end = (list: number[], batch: Batch): boolean => {
    list.push(...batch.arrivals.map(({ seq }) => seq))
    return open.delete(batch)
  }
  const seen = { committed: [] as number[], settled: [] as number[], released: [] as number[], failed: [] as string[], failure: null as unknown, besideOthers: 0, suspected: [] as number[] }
  let sleeps = 0
  const work = {
    run: 'r_1', key: 't', definition: {}, spool: '/spool', width: 2, reading: BY_ITSELF, onBad: 'quarantine', maxBad: null, grace: 0, whole: whole ?? null, allowPartial: false, models: [],
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
      settle: async (batch: Batch, outcomes: readonly ArrivalOutcome[]) => {
        for (const { state, fault } of outcomes) if (state === 'failed') seen.failed.push(`${fault?.code} ${fault?.message}`)
        return end(seen.settled, batch)
      },
      split: async (batch: Batch, groups: readonly (readonly number[])[], death: Mourned | null) => {
        assert.ok(open.delete(batch), 'only a claim that is held is split')
        const parts = groups.map((group, n): Batch => ({
          ...batch,
          id: `${batch.id}.${n}`,
          arrivals: batch.arrivals.filter(({ seq }) => group.includes(seq)).map((arrival) => {
            if (arrival.seq !== death?.seq) return arrival
            const deaths = arrival.deaths ?? []
            return { ...arrival, deaths: [...deaths, { attempt: deaths.length + 1, alone: batch.arrivals.length === 1, how: death.how, offset: death.offset, at: 0 }] }
          }),
        }))
        for (const part of parts) open.add(part)
        return parts
      },
      release: async (batch: Batch) => end(seen.released, batch),
      elsewhere: async () => 0,
    } as unknown as Ledger,
    engine: {
      stage: async ({ batch, attempt, suspected }: { batch: Batch; attempt: number; suspected: boolean }) => {
        if (suspected) seen.suspected.push(batch.arrivals.length)
        if (batch.arrivals[0]?.deaths !== undefined && [...open].some((other) => lowest(other) < lowest(batch))) seen.besideOthers += 1
        await new Promise((resolve) => setImmediate(resolve))
        const begun = batch.arrivals.find(({ seq }) => deadly[seq] === 'read')?.seq ?? null
        if (begun !== null || batch.arrivals.some(({ seq }) => seq in deadly)) {
          throw new WorkerDied('The worker process died.', { how: 'was killed by SIGSEGV', begun, offset: begun === null ? null : 7, guilty: true, silent: batch.arrivals.some(({ seq }) => deadly[seq] === 'silent'), memory: false, stray: false })
        }
        return { batch, attempt, outcomes: batch.arrivals.map(({ seq }) => outcome(seq)), faults: [], reasons: {}, notices: [], leftOut: [] } as unknown as Staged
      },
    } as unknown as Engine,
    table: {
      head: async () => ({ exists: true, schema: [] }),
      committed: async () => null,
      apply: async ({ batch }: Staged) => {
        if (broken.has(lowest(batch))) throw new SluiceError('DISK_FULL', 'the disk is full')
        assert.ok([...open].every((other) => lowest(other) >= lowest(batch)), 'no batch with a lower number is open')
        seen.committed.push(...batch.arrivals.map(({ seq }) => seq))
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
  const { committed, released, failure } = await played([1, 2, 3], { broken: new Set([1]) })
  assert.ok(failure instanceof SluiceError && failure.code === 'DISK_FULL')
  assert.deepEqual(committed, [])
  assert.deepEqual(released.toSorted((a, b) => Number(a) - Number(b)), [1, 2])
})

test('a file that kills its process is found alone; the others are committed, in the order of what is left of them', async () => {
  for (const when of ['read', 'after'] as const) {
    for (const poison of [[1], [5], [8], [3, 4], [1, 12], [1, 2, 3, 4, 5, 6, 7, 8]]) {
      const { committed, settled, failed, released, failure } = await played([[1, 2, 3, 4, 5, 6, 7, 8], [9, 10], [12, 13]], { deadly: Object.fromEntries(poison.map((seq) => [seq, when])) })
      const what = `${when} ${poison.join()}`
      assert.equal(failure, null, what)
      assert.deepEqual(released, [], what)
      assert.deepEqual(settled.toSorted((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13], what)
      assert.deepEqual(committed.toSorted((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13].filter((seq) => !poison.includes(seq)), what)
      assert.equal(failed.length, poison.length, what)
      for (const fault of failed) assert.match(fault, /^FILE_POISONED .*died 3 times .*attempt \d+ was killed by SIGSEGV/, what)
    }
  }
})

test('after a silence the parts are suspects, as long as they hold several files', async () => {
  const seqs = Array.from({ length: 30 }, (_, n) => n + 1)
  const { committed, failed, suspected } = await played([seqs, [40]], { deadly: { 18: 'silent' } })
  assert.deepEqual([committed.toSorted((a, b) => a - b), failed.length], [[...seqs.filter((seq) => seq !== 18), 40], 1])
  // 30 in parts of four, the last of two; four in parts of one.
  assert.deepEqual(suspected.toSorted((a, b) => a - b), [2, 4, 4, 4, 4, 4, 4, 4])
})

test('a part of a split batch that comes to lie behind a later batch waits for it', async () => {
  const { committed, failure } = await played([[1, 20], [5, 6]], { deadly: { 20: 'read' } })
  assert.equal(failure, null)
  assert.deepEqual(committed, [1, 5, 6])
})

test('when processes die of every file after it was read, it is not the files: the run stops', async () => {
  const all = Array.from({ length: 20 }, (_, n) => n + 1)
  const { committed, failed, failure } = await played([all], { deadly: Object.fromEntries(all.map((seq) => [seq, 'after'])) })
  assert.deepEqual([committed.length, failed.length], [0, 10])
  assert.ok(failure instanceof SluiceError && failure.code === 'ENGINE_DIED')
})

test('a suspect is staged when nothing with a lower number is open any more: no commit shares its process', async () => {
  const { committed, failed, besideOthers } = await played([[1, 2, 3], [4, 5]], { deadly: { 5: 'read', 3: 'after' } })
  assert.deepEqual([committed, failed.length, besideOthers], [[1, 2, 4], 2, 0])
})

test('what replaces a table is all of it or nothing: another process may have some of the files', async () => {
  assert.deepEqual((await played([[1, 2, 3]], { whole: 3 })).committed, [1, 2, 3])
  assert.equal((await played([], { whole: 0 })).failure, null)
  for (const [claimed, released] of [[[[2, 3]], [2, 3]], [[], []]] as const) {
    const part = await played(claimed.map((seqs) => [...seqs]), { whole: 3 })
    assert.ok(part.failure instanceof SluiceError && part.failure.code === 'BUSY')
    assert.deepEqual([part.committed, part.released], [[], [...released]])
  }
})
