/** Contract of ledgers: arrivals of which some dates are in, and who is to bring the others. */
import assert from 'node:assert/strict'
import type { ByDate, Interval } from '../../src/core/interval.ts'
import type { Batch } from '../../src/core/engine.ts'
import type { Ledger, Sighting } from '../../src/core/ledger.ts'
import type { CommittedArrival } from '../../src/core/target.ts'
import { ALL, KEPT, T, claimAll, committed, outcome, receipt, seqs, sight } from './ledger-scene.ts'
import type { It } from './ledger-scene.ts'

const day = (n: number, until = n + 1): Interval => ({ since: `2020-12-${String(n).padStart(2, '0')}T00:00:00.000000Z`, until: `2020-12-${String(until).padStart(2, '0')}T00:00:00.000000Z` })
const by = (interval: Interval): ByDate => ({ field: 'at', ...interval })

async function begun(ledger: Ledger, run: string, dates?: Interval): Promise<void> {
  await ledger.putTable({ uri: T, name: 'events', definition: null })
  await ledger.begin({ id: run, table: T, command: 'load in', ...(dates === undefined ? {} : { dates }) })
}

/** Settles what was claimed as loaded, by these dates. */
async function settle(ledger: Ledger, batch: Batch, dates?: Interval): Promise<void> {
  const more = dates === undefined ? {} : { dates: by(dates) }
  const told = batch.arrivals.map(({ seq, content }) => outcome(seq, 'loaded', { ...more, sha256: content?.sha256 ?? `sha-${seq}` }))
  const { arrivals, ...rest } = receipt(batch)
  await ledger.settle(batch, told, { ...rest, arrivals: arrivals.map((one) => ({ ...one, ...more })) })
}

async function load(ledger: Ledger, run: string, sightings: readonly Sighting[], dates?: Interval): Promise<Batch> {
  await begun(ledger, run, dates)
  await ledger.offer(run, T, sightings, KEPT)
  const batch = await claimAll(ledger, run)
  await settle(ledger, batch, dates)
  return batch
}

const covered = async (ledger: Ledger, seq: number): Promise<unknown> => (await ledger.arrival(T, seq))?.covered

export function dates(it: It): void {
  it('known are the dates that are in; another day is the same arrival again, everything is the rest', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a')], day(8))
    assert.deepEqual(await covered(ledger, 1), [day(8)])
    await begun(ledger, 'r_2', day(8))
    assert.deepEqual((await ledger.offer('r_2', T, [sight('a')], KEPT)).map((o) => [o.seq, o.state]), [[1, 'known']])
    assert.equal(await ledger.claim('r_2', T, ALL), null)
    assert.equal(await ledger.elsewhere('r_2'), 0)
    assert.deepEqual(await ledger.countFiles('r_2'), { total: 1, loaded: 0, known: 1, waiting: 0, failed: 0 })

    await begun(ledger, 'r_3', day(9))
    assert.deepEqual((await ledger.offer('r_3', T, [sight('a')], KEPT)).map((o) => [o.seq, o.state]), [[1, 'queued']])
    const batch = await claimAll(ledger, 'r_3')
    assert.deepEqual(batch.arrivals.map(({ seq, content, replaced, reload }) => [seq, content, replaced, reload]), [[1, { sha256: 'sha-1', generation: 0 }, false, false]])
    await settle(ledger, batch, day(9))
    assert.deepEqual(await covered(ledger, 1), [day(8, 10)], 'what touches is one interval')
    assert.equal(await ledger.claim('r_3', T, ALL), null, 'and it is not lacking any more')
    assert.deepEqual(await ledger.countFiles('r_3'), { total: 1, loaded: 1, known: 0, waiting: 0, failed: 0 })
    assert.equal((await ledger.run('r_3'))?.balance.read, 3, 'only what this run read')

    await load(ledger, 'r_4', [sight('a')])
    assert.equal(await covered(ledger, 1), null)
    await begun(ledger, 'r_5', day(20))
    assert.deepEqual((await ledger.offer('r_5', T, [sight('a')], KEPT)).map((o) => o.state), ['known'])
  })

  it('a copy under another path lacks the same, and is read under the first number, once', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a')], day(8))
    // The file was renamed, and copied: only its new names are offered.
    await begun(ledger, 'r_2', day(9))
    await ledger.offer('r_2', T, [sight('b'), sight('c')], KEPT)
    const known = await claimAll(ledger, 'r_2')
    assert.deepEqual(seqs(known), [2, 3])
    const what = { sha256: 'sha-1', sameAs: 1, covered: { field: 'at', intervals: [day(8)], read: 3 } }
    await ledger.settle(known, [outcome(2, 'known', what), outcome(3, 'known', what)], null)
    assert.ok((await ledger.elsewhere('r_2')) > 0, 'there is something left to do')
    const batch = await claimAll(ledger, 'r_2')
    assert.deepEqual(batch.arrivals.map(({ seq, pin, content }) => [seq, pin.uri, content?.sha256]), [[1, '/in/b', 'sha-1']])
    await settle(ledger, batch, day(9))
    assert.equal(await ledger.claim('r_2', T, ALL), null)
    assert.deepEqual(await ledger.countFiles('r_2'), { total: 2, loaded: 1, known: 1, waiting: 0, failed: 0 })
    assert.deepEqual([await covered(ledger, 1), await covered(ledger, 3)], [[day(8, 10)], [day(8, 10)]])
    await begun(ledger, 'r_3', day(9))
    assert.deepEqual((await ledger.offer('r_3', T, [sight('a'), sight('b'), sight('c')], KEPT)).map((o) => [o.seq, o.state]), [[1, 'known'], [2, 'known'], [3, 'known']])
  })

  it('what another process loads meanwhile is waited for, and then the other dates are brought', async (world, ledger) => {
    const { ledger: other } = await world.other()
    await begun(other, 'r_1', day(8))
    await other.offer('r_1', T, [sight('a')], KEPT)
    const first = await claimAll(other, 'r_1')
    await begun(ledger, 'r_2', day(9))
    assert.deepEqual((await ledger.offer('r_2', T, [sight('a')], KEPT)).map((o) => o.state), ['elsewhere'])
    assert.equal(await ledger.claim('r_2', T, ALL), null)
    assert.equal(await ledger.elsewhere('r_2'), 1)
    await settle(other, first, day(8))
    assert.equal(await ledger.elsewhere('r_2'), 1, 'it came out without what is asked for')
    await settle(ledger, await claimAll(ledger, 'r_2'), day(9))
    assert.equal(await ledger.elsewhere('r_2'), 0)
    assert.deepEqual(await covered(ledger, 1), [day(8, 10)])
  })

  it('a failure leaves what is in; its number belongs to its bytes', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a')], day(8))
    await begun(ledger, 'r_2', day(9))
    await ledger.offer('r_2', T, [sight('a')], KEPT)
    await ledger.settle(await claimAll(ledger, 'r_2'), [outcome(1, 'failed', { sha256: null })], null)
    assert.deepEqual(await ledger.countFiles('r_2'), { total: 1, loaded: 0, known: 0, waiting: 0, failed: 1 })
    assert.deepEqual(await covered(ledger, 1), [day(8)])
    assert.equal(await ledger.claim('r_2', T, ALL), null, 'it had its turn')
    // Other bytes are there now: they get a number of their own.
    await begun(ledger, 'r_3', day(9))
    assert.deepEqual((await ledger.offer('r_3', T, [sight('a', 2)], KEPT)).map((o) => [o.seq, o.state]), [[2, 'queued']])
    assert.deepEqual((await ledger.arrival(T, 1))?.state, 'COMPLETED')
    const batch = await claimAll(ledger, 'r_3')
    assert.deepEqual(batch.arrivals.map(({ seq, replaced, content }) => [seq, replaced, content]), [[2, true, undefined]])
    await ledger.release(batch, null)
  })

  it('failed, and unchanged: it is taken up again, or known when only what is in is asked for', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a'), sight('b')], day(8))
    await begun(ledger, 'r_2', day(9))
    await ledger.offer('r_2', T, [sight('a'), sight('b')], KEPT)
    await ledger.settle(await claimAll(ledger, 'r_2'), [outcome(1, 'failed'), outcome(2, 'waiting')], null)
    await begun(ledger, 'r_3', day(8))
    assert.deepEqual((await ledger.offer('r_3', T, [sight('a')], KEPT)).map((o) => o.state), ['known'])
    await begun(ledger, 'r_4')
    assert.deepEqual((await ledger.offer('r_4', T, [sight('a'), sight('b')], KEPT)).map((o) => [o.seq, o.state]), [[1, 'queued'], [2, 'queued']])
    const batch = await claimAll(ledger, 'r_4')
    assert.deepEqual(batch.arrivals.map(({ content }) => content?.sha256), ['sha-1', 'sha-2'])
    await settle(ledger, batch)
    assert.deepEqual([await covered(ledger, 1), await covered(ledger, 2)], [null, null])
  })

  it('a path that brings other bytes while a day is read: what is in stays', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a')], day(8))
    await begun(ledger, 'r_2', day(9))
    await ledger.offer('r_2', T, [sight('a')], KEPT)
    const batch = await claimAll(ledger, 'r_2')
    await ledger.offer('r_2', T, [sight('a', 2)], KEPT)
    await ledger.settle(batch, [outcome(1, 'waiting')], null)
    const row = await ledger.arrival(T, 1)
    assert.deepEqual([row?.state, row?.covered], ['COMPLETED', [day(8)]])
  })

  it('what the table has counts: known by it, restored from it, recovered by it', async (world, ledger) => {
    const { ledger: other, kill } = await world.other()
    const partly = (seq: number, dates: Interval): CommittedArrival => ({ ...committed(seq), dates: by(dates) })
    async function* all(): AsyncGenerator<CommittedArrival> {
      yield partly(1, day(8))
      yield partly(1, day(12))
      yield partly(2, day(8))
      yield committed(2)
    }
    assert.equal(await ledger.restore({ uri: T, name: 'events', definition: null }, all(), new Map([[0, 4]])), 2)
    assert.deepEqual([await covered(ledger, 1), await covered(ledger, 2)], [[day(8), day(12)], null])
    async function* more(): AsyncGenerator<CommittedArrival> {
      yield partly(1, day(8))
      yield partly(1, day(9, 13))
    }
    assert.equal(await ledger.restore({ uri: T, name: 'events', definition: null }, more(), new Map([[0, 5]])), 0)
    assert.deepEqual(await covered(ledger, 1), [day(8, 13)])

    await begun(other, 'r_2', day(20))
    assert.deepEqual((await other.offer('r_2', T, [sight('1', 1, { sha256: 'sha-1' })], KEPT)).map((o) => [o.seq, o.state]), [[1, 'queued']])
    const batch = await claimAll(other, 'r_2')
    await kill()
    const [orphan] = await ledger.orphans(T)
    assert.ok(orphan !== undefined)
    assert.deepEqual(orphan.batch.arrivals[0]?.content, { sha256: 'sha-1', generation: 0 })
    const done = receipt(batch)
    await ledger.recover(orphan, { ...done, arrivals: [{ ...committed(1), dates: by(day(20)) }] }, null)
    assert.deepEqual(await covered(ledger, 1), [day(8, 13), day(20)])
    // The table tells more than the ledger knew.
    await begun(ledger, 'r_3', day(25))
    await ledger.offer('r_3', T, [sight('1', 1, { sha256: 'sha-1' })], KEPT)
    const again = await claimAll(ledger, 'r_3')
    await ledger.settle(again, [outcome(1, 'known', { sameAs: 1, covered: { field: 'at', intervals: [day(8, 30)], read: 3 } })], null)
    assert.deepEqual([await covered(ledger, 1), await ledger.elsewhere('r_3')], [[day(8, 30)], 0])
  })
}
