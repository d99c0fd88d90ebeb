/** What every ledger must do. A variant's own test file calls `ledgerContract` with a way to make worlds. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noBalance } from '../../src/core/balance.ts'
import type { Ledger } from '../../src/core/ledger.ts'
import { dates } from './ledger-dates.ts'
import { deaths } from './ledger-deaths.ts'
import { ALL, KEPT, NOW, T, begun, claimAll, committed, load, outcome, receipt, seqs, sight } from './ledger-scene.ts'
import type { It, LedgerWorld } from './ledger-scene.ts'

export function ledgerContract(name: string, make: () => Promise<LedgerWorld>): void {
  const it = (what: string, body: (world: LedgerWorld, ledger: Ledger) => Promise<void>): void => {
    test(what, async () => {
      const world = await make()
      try {
        await body(world, world.ledger)
        assert.deepEqual(await world.ledger.verify(), [])
      } finally {
        await world.dispose()
      }
    })
  }
  describe(`${name}: offers`, () => offers(it))
  describe(`${name}: claims`, () => claims(it))
  describe(`${name}: processes`, () => processes(it))
  describe(`${name}: dates`, () => dates(it))
  describe(`${name}: deaths`, () => deaths(it))
  describe(`${name}: memory`, () => memory(it))
}


function offers(it: It): void {
  it('numbers are dense per table and follow the order of the sightings', async (_, ledger) => {
    await begun(ledger)
    await begun(ledger, 'r_x', 'other')
    assert.deepEqual((await ledger.offer('r_1', T, [sight('b'), sight('a')], KEPT)).map((o) => [o.seq, o.state]), [[1, 'queued'], [2, 'queued']])
    assert.deepEqual((await ledger.offer('r_x', 'other', [sight('b')], KEPT)).map((o) => o.seq), [1])
    assert.deepEqual((await ledger.offer('r_1', T, [sight('a'), sight('c'), sight('b')], KEPT)).map((o) => o.seq), [2, 3, 1])
  })

  it('an unchanged path is known once committed; a changed one is a new arrival that says so', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a'), sight('b')])
    await begun(ledger, 'r_2')
    const again = await ledger.offer('r_2', T, [sight('a'), sight('b', 2)], KEPT)
    assert.deepEqual(again.map((o) => [o.seq, o.state]), [[1, 'known'], [3, 'queued']])
    const batch = await claimAll(ledger, 'r_2')
    assert.deepEqual(batch.arrivals.map((a) => [a.seq, a.replaced, a.pin.stamp]), [[3, true, '1:b:2']])
    assert.deepEqual(await ledger.countFiles('r_2'), { total: 2, loaded: 0, known: 1, waiting: 1, failed: 0 })
    await ledger.release(batch, null)
  })

  it('a path that changes during a run is one file of it', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a')])
    assert.deepEqual((await ledger.offer('r_1', T, [sight('a', 2)], KEPT)).map((o) => [o.seq, o.state]), [[2, 'queued']])
    assert.deepEqual(await ledger.countFiles('r_1'), { total: 1, loaded: 0, known: 0, waiting: 1, failed: 0 })
  })

  it('a changed path tells what it held before', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a'), sight('b')])
    const before = await ledger.files({ table: T, limit: 10 })
    await begun(ledger, 'r_2')
    await ledger.offer('r_2', T, [sight('a', 2), sight('c')], KEPT)
    const batch = await claimAll(ledger, 'r_2')
    assert.deepEqual(batch.arrivals.map((a) => [a.seq, a.former]), [[3, before.items.find(({ seq }) => seq === 1)?.sha256], [4, undefined]])
    await ledger.release(batch, null)
  })

  it('everything in one batch, whatever the limit; what an offer would know', async (_, ledger) => {
    await begun(ledger)
    await ledger.offer('r_1', T, [sight('a'), sight('b'), sight('c')], KEPT)
    const batch = await ledger.claim('r_1', T, { bytes: 0, files: 1, whole: true })
    assert.deepEqual(batch?.arrivals.map(({ seq }) => seq), [1, 2, 3])
    assert.deepEqual([...(await ledger.recognise(T, [sight('a')]))], [])
    if (batch !== null) await ledger.release(batch, null)
    await load(ledger, 'r_2', [sight('a'), sight('b')])
    const { items } = await ledger.files({ table: T, limit: 10 })
    const [a, b] = items.map(({ sha256 }) => sha256 ?? '')
    assert.deepEqual([...(await ledger.recognise(T, [sight('a'), sight('b', 2), sight('d')]))], [['/in/a', a]])
    assert.deepEqual([...(await ledger.recognise(T, [{ ...sight('b', 2), sha256: b ?? '' }, { ...sight('a', 2), sha256: 'other' }]))], [['/in/b', b]])
  })

  it('a path that brought no records may change', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a')], 0)
    await begun(ledger, 'r_2')
    await ledger.offer('r_2', T, [sight('a', 2)], KEPT)
    const batch = await claimAll(ledger, 'r_2')
    assert.equal(batch.arrivals[0]?.replaced, false)
    await ledger.release(batch, null)
  })

  it('an uncommitted path keeps its number with its new pin; FAILED gets another turn in the next run only', async (_, ledger) => {
    await begun(ledger)
    await ledger.offer('r_1', T, [sight('a'), sight('b'), sight('c')], KEPT)
    const batch = await claimAll(ledger)
    await ledger.settle(batch, [outcome(1, 'failed'), outcome(2, 'waiting'), outcome(3, 'failed')], null)
    assert.deepEqual(await ledger.countFiles('r_1'), { total: 3, loaded: 0, known: 0, waiting: 1, failed: 2 })
    assert.equal(await ledger.claim('r_1', T, ALL), null)
    await begun(ledger, 'r_2')
    const offered = await ledger.offer('r_2', T, [sight('a', 2), sight('b', 2), sight('c')], KEPT)
    assert.deepEqual(offered.map((o) => [o.seq, o.state]), [[1, 'queued'], [2, 'queued'], [3, 'queued']])
    const next = await claimAll(ledger, 'r_2')
    assert.deepEqual(next.arrivals.map((a) => [a.seq, a.pin.stamp, a.replaced]), [[1, '1:a:2', false], [2, '1:b:2', false], [3, '1:c:1', false]])
    assert.equal((await ledger.arrival(T, 1))?.attempts, 2)
    await ledger.release(next, null)
  })

  it('equal bytes under a new pin are known, other bytes under the old pin are not; young stamps ask for a hash', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a'), sight('b', 1, { modified: NOW - 1_000 }), sight('c', 1, { modified: NOW - 3_000, lookedAt: NOW - 2_000 }), sight('d', 1, { modified: NOW + 60_000 })])
    const pins = [sight('a'), sight('b'), sight('c'), sight('d'), sight('new')].map((s) => s.pin)
    const sifted = await ledger.sift(T, pins)
    assert.deepEqual([sifted.known, sifted.rest.map(({ uri }) => uri), [...sifted.young].toSorted()], [2, ['/in/b', '/in/c', '/in/new'], ['/in/b', '/in/c']])
    assert.equal((await ledger.sift(T, [sight('b', 2).pin])).young.size, 0, 'a changed one is read anyway')
    await begun(ledger, 'r_2')
    const offered = await ledger.offer('r_2', T, [sight('a', 2, { sha256: 'sha-1' }), sight('b', 1, { sha256: 'other', modified: NOW - 1_000 }), sight('c', 1, { sha256: 'sha-3' })], KEPT)
    assert.deepEqual(offered.map((o) => [o.seq, o.state]), [[1, 'known'], [5, 'queued'], [3, 'known']])
    assert.equal((await ledger.sift(T, pins)).young.size, 0, 'hashed, and no longer young')
    assert.deepEqual((await ledger.offer('r_2', T, [sight('a', 2)], KEPT)).map((o) => o.state), ['known'], 'the pin was refreshed')
  })

  it('sifting: what is committed and unchanged counts for the run without being offered; all else is left over', async (_, ledger) => {
    await load(ledger, 'r_1', ['a', 'b', 'c', 'd'].map((path) => sight(path)))
    await begun(ledger, 'r_2')
    await ledger.offer('r_2', T, [sight('b', 2), sight('p'), sight('q'), sight('w')], KEPT)
    const batch = await claimAll(ledger, 'r_2', { bytes: 1e12, files: 2 })
    await ledger.settle(batch, [outcome(5, 'failed'), outcome(6, 'failed')], null)
    await claimAll(ledger, 'r_2', { bytes: 1e12, files: 1 })
    await begun(ledger, 'r_3')
    // Long enough a list that all is read, and so short a one that each is asked for.
    const others = Array.from({ length: 5 }, (_, n) => sight(`n${n}`).pin)
    const pins = [sight('a').pin, sight('b').pin, sight('b2').pin, sight('c', 2).pin, sight('d').pin, sight('p').pin, sight('q').pin, sight('w').pin]
    const left = ['/in/b', '/in/b2', '/in/c', '/in/p', '/in/q', '/in/w']
    const sifted = await ledger.sift(T, [...pins, ...others])
    assert.deepEqual([sifted.known, sifted.rest.map(({ uri }) => uri).slice(0, 6), sifted.young.size], [2, left, 0], 'b waits with another pin, p failed, q is claimed')
    assert.deepEqual((await ledger.sift(T, [sight('c', 2).pin])).rest.length, 1)
    await ledger.offer('r_3', T, [sight('c', 2)], { reload: false, known: 2 })
    assert.deepEqual(await ledger.countFiles('r_3'), { total: 3, loaded: 0, known: 2, waiting: 1, failed: 0 })
    await begun(ledger, 'r_4')
    await ledger.offer('r_4', T, [], { reload: false, known: 2 })
    assert.deepEqual(await ledger.countFiles('r_4'), { total: 2, loaded: 0, known: 2, waiting: 0, failed: 0 })
  })

  it('sifting few of many', async (_, ledger) => {
    await load(ledger, 'r_1', Array.from({ length: 60 }, (_, n) => sight(`f${n}`)))
    const sifted = await ledger.sift(T, [sight('f7').pin, sight('f8', 2).pin, sight('new').pin])
    assert.deepEqual([sifted.known, sifted.rest.map(({ uri }) => uri)], [1, ['/in/f8', '/in/new']])
  })

  it('reload: every path a new arrival, an uncommitted reload keeps its own', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a'), sight('b')])
    await begun(ledger, 'r_2')
    const first = await ledger.offer('r_2', T, [sight('a'), sight('b')], { reload: true })
    assert.deepEqual(first.map((o) => [o.seq, o.state]), [[3, 'queued'], [4, 'queued']])
    assert.deepEqual((await ledger.offer('r_2', T, [sight('a')], { reload: true })).map((o) => o.seq), [3])
    const batch = await claimAll(ledger, 'r_2')
    assert.deepEqual(batch.arrivals.map((a) => [a.seq, a.reload]), [[3, true], [4, true]])
    await ledger.release(batch, null)
    assert.deepEqual(await ledger.countFiles('r_2'), { total: 2, loaded: 0, known: 0, waiting: 2, failed: 0 })
  })
}

function claims(it: It): void {
  it('the lowest numbers first, up to bytes and files; one may exceed', async (_, ledger) => {
    await begun(ledger)
    await ledger.offer('r_1', T, [100, 10, 10, 10, 10].map((size, i) => sight(`f${i}`, 1, { size })), KEPT)
    const limit = { bytes: 25, files: 2 }
    const one = await claimAll(ledger, 'r_1', limit)
    const two = await claimAll(ledger, 'r_1', limit)
    const three = await claimAll(ledger, 'r_1', { bytes: 1000, files: 1 })
    assert.deepEqual([seqs(one), seqs(two), seqs(three)], [[1], [2, 3], [4]])
    assert.deepEqual([one.lane, two.lane, three.lane], [0, 1, 2])
    await ledger.release(two, null)
    const again = await claimAll(ledger, 'r_1', limit)
    assert.deepEqual([again.lane, again.fence, seqs(again)], [1, 2, [2, 3]])
    assert.notEqual(again.id, two.id)
    assert.equal(await ledger.settle(two, [], null), false, 'the old claim is not ours any more')
    assert.equal(await ledger.turn(two), 'lost')
    assert.equal((await ledger.arrival(T, 2))?.attempts, 1, 'a claim given back without a failure is no attempt')
  })

  it('turns go by the lowest number, also within a process', async (_, ledger) => {
    await begun(ledger)
    await ledger.offer('r_1', T, [sight('a'), sight('b')], KEPT)
    const one = await claimAll(ledger, 'r_1', { bytes: 1e9, files: 1 })
    const two = await claimAll(ledger, 'r_1', { bytes: 1e9, files: 1 })
    assert.deepEqual([await ledger.turn(one), await ledger.turn(two)], ['go', 'wait'])
    await ledger.settle(one, [outcome(1, 'loaded')], receipt(one))
    assert.equal(await ledger.turn(two), 'go')
  })

  it('settles loaded, known, failed and waiting, and adds them to the run', async (_, ledger) => {
    await begun(ledger)
    await ledger.offer('r_1', T, ['a', 'b', 'c', 'd', 'e'].map((path) => sight(path)), KEPT)
    const batch = await claimAll(ledger)
    const all = [outcome(1, 'loaded'), outcome(2, 'known', { sha256: 'sha-1', sameAs: 1 }), outcome(3, 'failed'), outcome(4, 'waiting'), outcome(5, 'known', { sha256: 'sha-1' })]
    assert.equal(await ledger.settle(batch, all, receipt(batch, [1])), true)
    assert.equal(await ledger.settle(batch, all, receipt(batch, [1])), false)
    const files = await ledger.countFiles('r_1')
    assert.deepEqual(files, { total: 5, loaded: 1, known: 2, waiting: 1, failed: 1 })
    const phases = { discovered: 3, staged: 100, committed: 40, models: 7, settled: 2 }
    const run = await ledger.end('r_1', 'COMPLETED', { ...files, ignored: 4 }, 3, null, phases)
    assert.deepEqual(run.phases, phases)
    assert.deepEqual([run.state, run.exit, run.balance.read, run.balance.inserted, run.evicted, run.reasons, run.files.ignored], ['COMPLETED', 3, 3, 3, 1, { KEY_REPEATED: 2 }, 4])
    const first = await ledger.arrival(T, 1)
    assert.deepEqual([first?.state, first?.sha256, first?.paths, first?.attempts, first?.batch, first?.run], ['COMPLETED', 'sha-1', ['/in/a', '/in/b', '/in/e'], 1, batch.id, 'r_1'])
    const copy = await ledger.arrival(T, 5)
    assert.deepEqual([copy?.state, copy?.sameAs, copy?.counts, copy?.attempts], ['COMPLETED', 1, null, 0])
    assert.deepEqual([(await ledger.arrival(T, 3))?.fault?.code, (await ledger.arrival(T, 4))?.state], ['FILE_EMPTY', 'PENDING'])
  })

  it('loaded without a commit: nothing read is fine, records without a place are a fault', async (_, ledger) => {
    await begun(ledger)
    await ledger.offer('r_1', T, [sight('a')], KEPT)
    const batch = await claimAll(ledger)
    await assert.rejects(ledger.settle(batch, [outcome(1, 'loaded')], null), { code: 'INTERNAL' })
    assert.equal(await ledger.turn(batch), 'go', 'nothing happened')
    assert.equal(await ledger.settle(batch, [outcome(1, 'loaded', { read: 2, skipped: 2 })], null), true)
    assert.equal((await ledger.run('r_1'))?.balance.skipped, 2)
  })

  it('given back with a failure: counted, kept as the reason, and left to the next run', async (_, ledger) => {
    await begun(ledger)
    await ledger.offer('r_1', T, [sight('a')], KEPT)
    assert.equal(await ledger.release(await claimAll(ledger), { code: 'DISK_FULL', message: 'full' }), true)
    const row = await ledger.arrival(T, 1)
    assert.deepEqual([row?.state, row?.attempts, row?.fault?.code], ['PENDING', 1, 'DISK_FULL'])
    assert.equal(await ledger.claim('r_1', T, ALL), null)
  })

  it('a path that changes while it is claimed: the old arrival ends, the new one is refused by append if the old one commits', async (_, ledger) => {
    await begun(ledger)
    await ledger.offer('r_1', T, [sight('a')], KEPT)
    const old = await claimAll(ledger)
    await begun(ledger, 'r_2')
    assert.deepEqual((await ledger.offer('r_2', T, [sight('a', 2)], KEPT)).map((o) => [o.seq, o.state]), [[2, 'queued']])
    const next = await claimAll(ledger, 'r_2')
    assert.equal(next.arrivals[0]?.replaced, true)
    await ledger.release(old, null)
    const row = await ledger.arrival(T, 1)
    assert.deepEqual([row?.state, row?.fault?.code], ['FAILED', 'FILE_GONE'])
  })
}

function processes(it: It): void {
  it('what another process holds is elsewhere, counts for this run, and makes it wait its turn', async (world, ledger) => {
    const { ledger: other } = await world.other()
    await begun(ledger)
    await begun(other, 'r_2')
    await other.offer('r_2', T, [sight('a')], KEPT)
    const theirs = await claimAll(other, 'r_2')
    const offered = await ledger.offer('r_1', T, [sight('a'), sight('b')], KEPT)
    assert.deepEqual(offered.map((o) => [o.seq, o.state]), [[1, 'elsewhere'], [2, 'queued']])
    assert.equal(await ledger.elsewhere('r_1'), 1)
    const mine = await claimAll(ledger)
    assert.deepEqual([seqs(mine), await ledger.turn(mine), await ledger.orphans(T)], [[2], 'wait', []])
    assert.equal(await ledger.settle(theirs, [outcome(1, 'failed')], null), false, 'not ours')
    await other.settle(theirs, [outcome(1, 'loaded')], receipt(theirs))
    assert.deepEqual([await ledger.turn(mine), await ledger.elsewhere('r_1')], ['go', 0])
    await ledger.settle(mine, [outcome(2, 'loaded')], receipt(mine))
    assert.deepEqual(await ledger.countFiles('r_1'), { total: 2, loaded: 1, known: 1, waiting: 0, failed: 0 })
  })

  it('a dead process: its claim is an orphan at once, holds nobody up, and comes back to the run that recovers it', async (world, ledger) => {
    const { ledger: other, kill } = await world.other()
    await begun(ledger)
    await begun(other, 'r_2')
    await other.offer('r_2', T, [sight('a')], KEPT)
    const theirs = await claimAll(other, 'r_2')
    await ledger.offer('r_1', T, [sight('b')], KEPT)
    const mine = await claimAll(ledger)
    assert.equal(await ledger.turn(mine), 'wait')
    const worker = other.worker
    await kill()
    assert.equal(await ledger.turn(mine), 'go')
    const orphans = await ledger.orphans(T)
    assert.deepEqual(orphans, [{ batch: theirs, run: 'r_2', worker }])
    assert.deepEqual(await ledger.closeDeadRuns(T), [], 'not before its claims are recovered')
    const [claim] = orphans
    assert.ok(claim !== undefined)
    assert.equal(await ledger.recover(claim, null, 'r_1'), true)
    assert.equal(await ledger.recover(claim, null, 'r_1'), false)
    assert.deepEqual(await ledger.closeDeadRuns(T), ['r_2'])
    const dead = await ledger.run('r_2')
    assert.deepEqual([dead?.state, dead?.balance.read, dead?.files.waiting], ['INTERRUPTED', 0, 1])
    const again = await claimAll(ledger)
    assert.deepEqual([seqs(again), again.lane, again.fence], [[1], theirs.lane, theirs.fence + 1])
    assert.equal((await ledger.arrival(T, 1))?.attempts, 2)
  })

  it('what a dead process had committed is counted in its own run', async (world, ledger) => {
    const { ledger: other, kill } = await world.other()
    await begun(ledger)
    await begun(other, 'r_2')
    await other.offer('r_2', T, [sight('a'), sight('b')], KEPT)
    const theirs = await claimAll(other, 'r_2')
    await kill()
    const [claim] = await ledger.orphans(T)
    assert.ok(claim !== undefined)
    await ledger.recover(claim, receipt(theirs, [1]), 'r_1')
    assert.deepEqual(await ledger.closeDeadRuns(T), ['r_2'])
    const dead = await ledger.run('r_2')
    assert.deepEqual([dead?.balance.inserted, dead?.evicted, dead?.files.loaded, dead?.files.waiting], [3, 1, 1, 1])
    assert.equal((await ledger.run('r_1'))?.balance.read, 0)
    assert.deepEqual(seqs(await claimAll(ledger)), [2])
    assert.deepEqual((await ledger.offer('r_1', T, [sight('a')], KEPT)).map((o) => o.state), ['known'])
  })

  it('a run that has ended stays as it is', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a')])
    const files = { total: 1, loaded: 1, known: 0, waiting: 0, failed: 0, ignored: 0 }
    const ended = await ledger.end('r_1', 'COMPLETED', files, 0, null)
    assert.deepEqual(await ledger.end('r_1', 'FAILED', { ...files, total: 9 }, 1, null), ended)
    assert.deepEqual(await ledger.closeDeadRuns(T), [])
    // Not even a claim that it left open adds to it.
    await begun(ledger, 'r_2')
    await ledger.offer('r_2', T, [sight('b')], KEPT)
    const open = await claimAll(ledger, 'r_2')
    await ledger.end('r_2', 'FAILED', files, 1, null)
    assert.equal(await ledger.settle(open, [outcome(2, 'loaded')], receipt(open)), true)
    assert.deepEqual((await ledger.run('r_2'))?.balance, noBalance())
  })
}

function memory(it: It): void {
  it('a lost ledger takes back what the table remembers; unseen files are hashed and then known', async (_, ledger) => {
    assert.equal(await ledger.isEmpty(), true)
    assert.equal(await ledger.adopt('l_lost'), true)
    assert.equal(ledger.id, 'l_lost')
    async function* remembered() {
      yield { ...committed(2), path: '/in/b' }
      yield { ...committed(5), path: '/in/e' }
    }
    const table = { uri: T, name: 'events', definition: null }
    assert.equal(await ledger.restore(table, remembered(), new Map([[0, 7]])), 2)
    assert.equal(await ledger.restore(table, remembered(), new Map([[0, 3]])), 0, 'what is there is left alone')
    assert.equal(await ledger.isEmpty(), false)
    assert.equal(await ledger.adopt('l_other'), false)
    assert.equal(await ledger.adopt('l_lost'), true, 'another process that rebuilds it at the same time finds it done')
    assert.deepEqual([...(await ledger.sift(T, [sight('b').pin, sight('e', 1, { size: 11 }).pin])).young], ['/in/b'])
    await begun(ledger)
    const offered = await ledger.offer('r_1', T, [sight('b', 1, { sha256: 'sha-2' }), sight('e', 9), sight('new')], KEPT)
    assert.deepEqual(offered.map((o) => [o.seq, o.state]), [[2, 'known'], [6, 'queued'], [7, 'queued']])
    const batch = await claimAll(ledger)
    assert.deepEqual([batch.lane, batch.fence, batch.arrivals.map((a) => a.replaced)], [0, 8, [true, false]])
    await ledger.settle(batch, [outcome(6, 'known', { sha256: 'sha-5' }), outcome(7, 'loaded')], receipt(batch, [7]))
    assert.equal((await ledger.arrival(T, 6))?.sameAs, 5)
  })

  it('a ledger from yesterday is restored: uncommitted arrivals give way to what the table holds', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a')])
    await begun(ledger, 'r_2')
    assert.deepEqual((await ledger.offer('r_2', T, [sight('p')], KEPT)).map((o) => o.seq), [2])
    assert.deepEqual([...(await ledger.lanes(T))], [[0, 1]])
    async function* remembered() {
      yield { ...committed(2), path: '/in/other' }
      yield { ...committed(3), path: '/in/b' }
    }
    assert.equal(await ledger.restore({ uri: T, name: 'events', definition: null }, remembered(), new Map([[0, 3]])), 2)
    assert.deepEqual([...(await ledger.lanes(T))], [[0, 3]])
    await begun(ledger, 'r_3')
    assert.deepEqual((await ledger.offer('r_3', T, [sight('p')], KEPT)).map((o) => [o.seq, o.state]), [[4, 'queued']])
    assert.equal((await ledger.arrival(T, 2))?.path, '/in/other')
    assert.deepEqual(await ledger.verify(), [])
  })

  it('the arrivals of a table that is gone are forgotten, their numbers are not given again', async (_, ledger) => {
    assert.equal(await ledger.forget(T), 0, 'nothing to forget')
    await load(ledger, 'r_1', [sight('a'), sight('b')])
    await begun(ledger, 'r_2')
    await ledger.offer('r_2', T, [sight('c')], KEPT)
    const open = await claimAll(ledger, 'r_2')
    assert.equal(await ledger.forget(T), 0, 'not while a batch is claimed')
    await ledger.release(open, null)
    assert.equal(await ledger.forget(T), 3)
    assert.deepEqual((await ledger.files({ table: T, limit: 9 })).items, [])
    await begun(ledger, 'r_3')
    assert.deepEqual((await ledger.offer('r_3', T, [sight('a')], KEPT)).map((o) => [o.seq, o.state]), [[4, 'queued']])
    assert.deepEqual(await ledger.verify(), [])
  })

  it('tables, runs and files are listed page by page', async (_, ledger) => {
    await load(ledger, 'r_1', [sight('a'), sight('b'), sight('sub/a')])
    await begun(ledger, 'r_2')
    await begun(ledger, 'r_3', 'other')
    await ledger.offer('r_3', 'other', [sight('z')], KEPT)
    assert.deepEqual((await ledger.tables()).map((t) => t.uri), [T, 'other'])
    const page = await ledger.files({ limit: 3 })
    assert.deepEqual(page.items.map((f) => [f.table, f.seq]), [[T, 1], [T, 2], [T, 3]])
    assert.ok(page.next !== null)
    assert.deepEqual((await ledger.files({ limit: 3, after: page.next })).items.map((f) => [f.table, f.path]), [['other', '/in/z']])
    assert.deepEqual((await ledger.files({ limit: 9, state: 'PENDING' })).items.length, 1)
    assert.deepEqual(await ledger.files({ limit: 9, table: T, name: 'sub/' }).then((p) => [p.items.map((f) => f.seq), p.next]), [[3], null])
    const runs = await ledger.runs({ limit: 2 })
    assert.deepEqual(runs.items.map((r) => r.id), ['r_3', 'r_2'])
    assert.ok(runs.next !== null)
    assert.deepEqual((await ledger.runs({ limit: 2, after: runs.next })).items.map((r) => r.id), ['r_1'])
    assert.deepEqual((await ledger.files({ limit: 9, sha256: 'sha-2' })).items.map((f) => f.seq), [2])
    assert.deepEqual((await ledger.files({ limit: 9, table: T, sha256: 'sha-' })).items.length, 3)
    for (const after of ['', 'x', '1.x', '-1', '1.2.3']) {
      await assert.rejects(ledger.files({ limit: 1, after }), { code: 'USAGE' }, after)
      await assert.rejects(ledger.runs({ limit: 1, after }), { code: 'USAGE' }, after)
    }
    const batch = (await ledger.arrival(T, 1))?.batch ?? ''
    assert.deepEqual([await ledger.runOfBatch(batch), await ledger.runOfBatch('b_none')], ['r_1', null])
    assert.deepEqual((await ledger.runs({ limit: 2, table: 'other' })).items.map((r) => r.id), ['r_3'])
    assert.deepEqual([await ledger.run('r_9'), await ledger.arrival(T, 9)], [null, null])
  })
}
