/** What every ledger must do when worker processes die over a batch. Part of `ledgerContract`. */
import assert from 'node:assert/strict'
import type { Batch } from '../../src/core/engine.ts'
import { KEPT, NOW, T, begun, claimAll, outcome, receipt, seqs, sight } from './ledger-scene.ts'
import type { It } from './ledger-scene.ts'

export function deaths(it: It): void {
  it('split: the old batch is abandoned, its arrivals are pinned anew, the death stays with its arrival', async (_, ledger) => {
    await begun(ledger)
    await ledger.offer('r_1', T, ['a', 'b', 'c', 'd'].map((path) => sight(path)), KEPT)
    const old = await claimAll(ledger)
    await assert.rejects(ledger.split(old, [[1], [2, 3]], null), { code: 'INTERNAL' }, 'one is left out')
    await assert.rejects(ledger.split(old, [[1, 2], [2, 3, 4]], null), { code: 'INTERNAL' }, 'one is in two')
    await assert.rejects(ledger.split(old, [[1, 2, 3, 4], []], null), { code: 'INTERNAL' }, 'an empty one')
    const parts = await ledger.split(old, [[2], [1, 3, 4]], { seq: 2, how: 'was killed by SIGSEGV', offset: 7 })
    assert.ok(parts !== null)
    const [guilty, rest] = parts as [Batch, Batch]
    assert.deepEqual([seqs(guilty), seqs(rest), new Set([old.id, guilty.id, rest.id]).size], [[2], [1, 3, 4], 3])
    assert.ok(guilty.lane !== rest.lane)
    for (const part of parts) assert.ok(part.lane !== old.lane || part.fence > old.fence, 'the number of the old one is burned')
    assert.deepEqual(guilty.arrivals[0]?.deaths, [{ attempt: 1, alone: false, how: 'was killed by SIGSEGV', offset: 7, at: NOW }])
    assert.deepEqual([await ledger.turn(old), await ledger.turn(rest), await ledger.turn(guilty)], ['lost', 'go', 'wait'])
    assert.equal(await ledger.settle(old, [outcome(1, 'failed')], null), false)
    assert.equal(await ledger.split(old, [[1, 2], [3, 4]], null), null)
    assert.equal((await ledger.arrival(T, 2))?.attempts, 2)
    await ledger.settle(rest, [1, 3, 4].map((seq) => outcome(seq, 'loaded')), receipt(rest))
    const again = (await ledger.split(guilty, [[2]], { seq: 2, how: 'ended with exit code 7', offset: null, memory: true }))?.[0] as Batch
    assert.deepEqual(again.arrivals[0]?.deaths?.map((death) => [death.attempt, death.alone, death.offset]), [[1, false, 7], [2, true, null]])
    await ledger.settle(again, [outcome(2, 'failed')], null)
    assert.deepEqual(await ledger.countFiles('r_1'), { total: 4, loaded: 3, known: 0, waiting: 0, failed: 1 })
    assert.deepEqual(again.arrivals[0]?.deaths?.map(({ memory }) => memory), [undefined, true])
    assert.deepEqual((await ledger.arrival(T, 2))?.deaths.map((death) => death.how), ['was killed by SIGSEGV', 'ended with exit code 7'])
  })

  it('an arrival over which a worker died is claimed alone, also after a retry, until its bytes change', async (_, ledger) => {
    await begun(ledger)
    await ledger.offer('r_1', T, ['a', 'b', 'c'].map((path) => sight(path)), KEPT)
    const [alone, rest] = (await ledger.split(await claimAll(ledger), [[2], [1, 3]], { seq: 2, how: 'died', offset: 0 })) as [Batch, Batch]
    await ledger.release(alone, null)
    await ledger.release(rest, null)
    const claimed = [await claimAll(ledger), await claimAll(ledger), await claimAll(ledger)]
    assert.deepEqual(claimed.map(seqs), [[1], [2], [3]])
    assert.equal(claimed[1]?.arrivals[0]?.deaths?.length, 1)
    for (const batch of claimed) await ledger.settle(batch, batch.arrivals.map(({ seq }) => outcome(seq, 'failed')), null)
    await begun(ledger, 'r_2')
    await ledger.offer('r_2', T, ['a', 'b', 'c'].map((path) => sight(path)), KEPT)
    const retried = [await claimAll(ledger, 'r_2'), await claimAll(ledger, 'r_2'), await claimAll(ledger, 'r_2')]
    assert.deepEqual([retried.map(seqs), retried[1]?.arrivals[0]?.deaths?.length], [[[1], [2], [3]], 1])
    for (const batch of retried) await ledger.settle(batch, batch.arrivals.map(({ seq }) => outcome(seq, 'failed')), null)
    await begun(ledger, 'r_3')
    await ledger.offer('r_3', T, [sight('a'), sight('b', 2), sight('c')], KEPT)
    const mended = await claimAll(ledger, 'r_3')
    assert.deepEqual([seqs(mended), mended.arrivals[1]?.deaths], [[1, 2, 3], undefined])
    await ledger.release(mended, null)
  })

  it('the parts of a split batch come back when their process dies, with what is known of deaths', async (world, ledger) => {
    const { ledger: other, kill } = await world.other()
    await begun(ledger)
    await begun(other, 'r_2')
    await other.offer('r_2', T, ['a', 'b', 'c'].map((path) => sight(path)), KEPT)
    const [alone] = (await other.split(await claimAll(other, 'r_2'), [[2], [1, 3]], { seq: 2, how: 'died', offset: 5 })) as [Batch, Batch]
    await other.split(alone, [[2]], { seq: 2, how: 'died', offset: 5 })
    await kill()
    const orphans = await ledger.orphans(T)
    assert.deepEqual(orphans.map((claim) => seqs(claim.batch)), [[1, 3], [2]])
    for (const claim of orphans) assert.equal(await ledger.recover(claim, null, 'r_1'), true)
    const claimed = [await claimAll(ledger), await claimAll(ledger), await claimAll(ledger)]
    assert.deepEqual(claimed.map(seqs), [[1], [2], [3]])
    assert.deepEqual(claimed[1]?.arrivals[0]?.deaths?.map((death) => death.alone), [false, true])
    for (const batch of claimed) await ledger.release(batch, null)
  })
}
