/** Contract: records that are put aside are kept, listed with all that is known of them, and counted. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { placeOf } from '../../src/core/place.ts'
import { Scene, counted } from './scene.ts'
import type { Variant } from './scene.ts'

const COLUMNS = 'id:int64,v:string'

export function rejectCases(get: () => Variant): void {
  describe('rejects', () => {
    test('kept with place, offset, code, column, value and raw text', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      const records = ['{"id":1,"v":"a"}', '{"id":"x","v":"b"}', '{"v":"no key"}', '{"id": oops}', '{"id":4,"v":"d"}']
      const receipt = await scene.load([{ seq: 3, records }])
      counted(receipt, { 3: { inserted: 2, quarantined: 3 } })
      assert.deepEqual(receipt.reasons, {}, "the receipt's reasons are the target's own")
      const rejects = await scene.rejects()
      // Of text that is not JSON the offset is the byte that is wrong, where the engine knows it, or its line's first.
      const seen = rejects.map(({ place, offset, code, column, raw }) => ({ place, offset: offset === 51 ? 58 : offset, code, column, raw }))
      assert.deepEqual(seen, [
        { place: placeOf(3, 2), offset: 17, code: 'TYPE_MISMATCH', column: 'id', raw: records[1] },
        { place: placeOf(3, 3), offset: 36, code: 'KEY_MISSING', column: 'id', raw: records[2] },
        { place: placeOf(3, 4), offset: 58, code: 'JSON_INVALID', column: null, raw: records[3] },
      ])
      assert.ok(rejects[0]?.value?.includes('x'), 'the value that does not fit is shown')
      assert.ok(rejects.every((one) => one.message.length > 0))
      await scene.check()
    })

    test('listed by batch, from a place, up to a limit', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      const one = await scene.load([{ seq: 1, records: [{ id: null, v: 'a' }, { id: 'x', v: 'b' }] }, { seq: 2, records: [{ v: 'c' }] }])
      const two = await scene.load([{ seq: 3, records: [{ v: 'd' }, { id: 1, v: 'e' }] }])
      const places = async (query: { batch?: string; after?: bigint; limit: number }): Promise<bigint[]> => (await scene.table.rejects(query)).map((row) => row.place)
      assert.deepEqual(await places({ limit: 10 }), [placeOf(1, 1), placeOf(1, 2), placeOf(2, 1), placeOf(3, 1)])
      assert.deepEqual((await scene.rejects()).map((row) => row.batch), [one.batch, one.batch, one.batch, two.batch])
      assert.deepEqual(await places({ limit: 10, batch: one.batch }), [placeOf(1, 1), placeOf(1, 2), placeOf(2, 1)])
      assert.deepEqual(await places({ limit: 10, batch: two.batch }), [placeOf(3, 1)])
      assert.deepEqual(await places({ limit: 10, batch: 'b_none' }), [])
      assert.deepEqual(await places({ limit: 2, after: placeOf(1, 1) }), [placeOf(1, 2), placeOf(2, 1)])
      assert.deepEqual(await places({ limit: 2, after: placeOf(1, 1), batch: two.batch }), [placeOf(3, 1)])
    })

    test('a batch of nothing but rejects, first and later', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      counted(await scene.load([{ seq: 1, records: [{ id: 'x', v: 'a' }, '[]'] }]), { 1: { quarantined: 2 } })
      const head = await scene.table.head()
      assert.equal(head.exists, true)
      assert.equal(head.rows, 0)
      assert.equal(await scene.table.highest(), placeOf(1, 2), 'a bad record counts for the highest place')
      await scene.check()
      await scene.load([{ seq: 2, records: [{ id: 1, v: 'a' }] }])
      counted(await scene.load([{ seq: 3, records: ['{"id":'] }]), { 3: { quarantined: 1 } })
      await scene.check()
    })

    test('an arrival without records is committed all the same', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      await scene.load([{ seq: 1, records: [{ id: 1, v: 'a' }] }])
      const batch = scene.batch([{ seq: 2, records: [{ id: 2, v: 'b' }] }, { seq: 3, records: [], document: '{"records":[]}' }])
      counted(await scene.commit(await scene.stage(batch)), { 2: { inserted: 1 }, 3: {} })
      const seqs: number[] = []
      for await (const arrival of scene.table.arrivals()) seqs.push(arrival.seq)
      assert.deepEqual(seqs, [1, 2, 3])
    })

    test('a late reject takes its place among the others', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      await scene.load([{ seq: 5, records: ['7', { id: 1, v: 'a' }] }])
      await scene.load([{ seq: 2, records: ['8'] }])
      assert.deepEqual((await scene.rejects()).map((one) => one.place), [placeOf(2, 1), placeOf(5, 1)])
      await scene.check()
    })
  })
}
