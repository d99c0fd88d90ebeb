/** Contract: late batches, whose places lie below what is committed. The table is a function of the placed records. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Scene, counted } from './scene.ts'
import type { Variant } from './scene.ts'
import { oneOf } from '../whole.ts'

const COLUMNS = 'id:int64,v:string,n:int64'
const r = (id: number, v: string, n: number | null = null): object => ({ id, v, n })

export function lateCases(get: () => Variant): void {
  describe('late', () => {
    test('last: a@1, the same a@3, a late b@2: a stays, because the loser a@3 keeps its place', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode: 'upsert' })
      counted(await scene.load([{ seq: 1, records: [r(1, 'a')] }]), { 1: { inserted: 1 } })
      counted(await scene.load([{ seq: 3, records: [r(1, 'a'), r(9, 'other')] }]), { 3: { inserted: 1, duplicate: 1 } })
      counted(await scene.load([{ seq: 2, records: [r(1, 'b')] }]), { 2: { stale: 1 } })
      assert.deepEqual((await scene.rows()).map((row) => row[1]), ['a', 'other'])
      await scene.check()
    })

    test('last: a late record of a new key is inserted, an older one of a known key is stale', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode: 'upsert' })
      await scene.load([{ seq: 5, records: [r(1, 'five'), r(2, 'five')] }])
      counted(await scene.load([{ seq: 2, records: [r(1, 'two'), r(3, 'two'), r(2, 'five')] }]), { 2: { inserted: 1, stale: 1, duplicate: 1 } })
      await scene.check()
    })

    test('last: a batch around the stored place updates and loses at once', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode: 'upsert' })
      await scene.load([{ seq: 5, records: [r(1, 'five'), r(2, 'five')] }])
      counted(await scene.load([{ seq: 2, records: [r(1, 'two'), r(2, 'two')] }, { seq: 7, records: [r(1, 'seven')] }]), { 2: { stale: 2 }, 7: { updated: 1 } })
      await scene.check()
    })

    test('first: a late record with a lower place is updated, the row joins the losers', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      await scene.load([{ seq: 4, records: [r(1, 'four'), r(2, 'four'), r(3, 'four')] }])
      const late = await scene.load([{ seq: 2, records: [r(1, 'two'), r(2, 'four'), r(5, 'new')] }])
      counted(late, { 2: { inserted: 1, updated: 1, duplicate: 1 } })
      assert.equal(late.evicted, 0)
      // 2 is equal to the row, which stays where it is; but seq 3 must still lose to that loser.
      counted(await scene.load([{ seq: 3, records: [r(2, 'three'), r(1, 'three'), r(3, 'three')] }]), { 3: { updated: 1, duplicate: 2 } })
      await scene.check()
    })

    test('error: a late record with a lower place evicts the row, which joins the rejects', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', keep: 'error' })
      await scene.load([{ seq: 3, records: [r(1, 'three'), r(2, 'same')] }])
      const late = await scene.load([{ seq: 1, records: [r(1, 'one'), r(1, 'three'), r(2, 'same')] }])
      counted(late, { 1: { updated: 1, duplicate: 1, quarantined: 1 } })
      assert.equal(late.evicted, 1)
      const rejects = await scene.rejects()
      assert.deepEqual(rejects.map((one) => [one.place, one.code, one.batch, JSON.parse(one.raw ?? 'null')]), [
        [(1n << 32n) + 2n, 'KEY_REPEATED', late.batch, r(1, 'three')],
        [(3n << 32n) + 1n, 'KEY_REPEATED', late.batch, r(1, 'three')],
      ])
      await scene.check()
      // The equal record at seq 1 holds the place: a different one at seq 2 comes too late.
      counted(await scene.load([{ seq: 2, records: [r(2, 'two')] }]), { 2: { quarantined: 1 } })
      await scene.check()
    })

    for (const keep of ['max:n', 'min:n']) {
      test(`${keep}: late records go by value, ties by place and by the losers' places`, async () => {
        const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode: 'upsert', keep })
        await scene.load([{ seq: 4, records: [r(1, 'a', 5), r(2, 'a', 5), r(3, 'a', 5), r(4, 'a', null)] }])
        await scene.load([{ seq: 8, records: [r(1, 'a', 5), r(4, 'a', null)] }])
        await scene.load([{ seq: 6, records: [r(1, 'b', 5), r(2, 'b', 5), r(3, 'b', 4), r(4, 'b', null)] }])
        await scene.check()
        await scene.load([{ seq: 2, records: [r(1, 'c', 5), r(2, 'c', 6), r(3, 'c', 4), r(4, 'a', null), r(4, 'c', null)] }])
        await scene.check()
        await scene.load([{ seq: 3, records: [r(4, 'd', null), r(2, 'd', 6), r(2, 'd', 4)] }])
        await scene.check()
      })
    }

    test('every order of the same five arrivals gives one table', async () => {
      const arrivals = [1, 2, 3, 4, 5].map((seq) => ({ seq, records: [r(1, 'ab'[seq % 2] ?? '', seq % 3), r(seq % 3, 'x', 7)] }))
      const orders = [[5, 4, 3, 2, 1], [3, 1, 5, 2, 4], [2, 5, 1, 4, 3]]
      for (const [turn, keep] of ['first', 'error', 'last', 'max:n', 'min:n'].entries()) {
        const mode = keep === 'first' || keep === 'error' ? 'dedupe' : 'upsert'
        for (const order of oneOf(orders, turn)) {
          const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode, keep })
          for (const seq of order) await scene.load(arrivals.filter((arrival) => arrival.seq === seq))
          await scene.check()
        }
      }
    })
  })
}
