/** Contract: a table changes hands by a commit of its own, and the former ledger is out. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { define } from '../../src/core/definition.ts'
import { Scene, counted } from './scene.ts'
import type { Variant } from './scene.ts'

const COLUMNS = 'id:int64,v:string'
const r = (id: number, v = 'a'): object => ({ id, v })

export function adoptCases(get: () => Variant): void {
  describe('taking over', () => {
    test('the new ledger goes on with rows, losers, rejects and arrivals; the former one is refused', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode: 'upsert' })
      await scene.load([{ seq: 1, records: [r(1), r(2), 'bad'] }])
      await scene.load([{ seq: 3, records: [r(2, 'b')] }])
      const late = await scene.stage(scene.batch([{ seq: 4, records: [r(9)] }]))
      const before = await scene.table.head()
      const highest = await scene.table.highest()
      const mine = await scene.another(undefined, 'l_new', { adopt: true })
      assert.deepEqual(await mine.head(), before, 'opening changes nothing')
      await mine.adopt(scene.definition, 7)
      const head = await mine.head()
      assert.deepEqual([head.ledger, head.rows, await mine.highest(), head.definition, head.schema], ['l_new', before.rows, highest, before.definition, before.schema])
      assert.ok((head.version ?? 0) > (before.version ?? 0))
      assert.ok((head.lanes.get(0) ?? 0) >= 7, 'a ledger that gave lower fences is behind')
      const seqs: number[] = []
      for await (const { seq } of mine.arrivals()) seqs.push(seq)
      assert.deepEqual(seqs, [1, 3])
      for (const refused of [() => scene.table.head(), () => scene.table.apply(late, scene.definition), () => scene.another()]) await assert.rejects(refused, { code: 'TABLE_OTHER_LEDGER' })
      counted(await scene.load([{ seq: 5, records: [r(1, 'x'), r(3)] }], { table: mine, fence: 20 }), { 5: { inserted: 1, updated: 1 } })
      await scene.check(mine)
      await scene.check(await scene.another(undefined, 'l_new'))
      // A copy of what came before is known to the new ledger as well.
      const first = scene.committed[0]?.content.slice(0, 64) ?? ''
      assert.deepEqual(await mine.standing([first]), new Map([[first, { generation: 0, seq: 1 }]]))
    })
    test('twice is once, and the table can be taken back', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      await scene.load([{ seq: 1, records: [r(1)] }])
      const mine = await scene.another(undefined, 'l_new', { adopt: true })
      await mine.adopt(scene.definition, 1)
      const head = await mine.head()
      await mine.adopt(scene.definition, 99)
      assert.deepEqual(await mine.head(), head)
      const back = await scene.another(undefined, scene.ledger, { adopt: true })
      await back.adopt(scene.definition, 50)
      await assert.rejects(mine.head(), { code: 'TABLE_OTHER_LEDGER' })
      await scene.load([{ seq: 2, records: [r(2)] }], { table: back, fence: 60 })
      await scene.check(back)
    })
    test('what the last load brought is not taken over', async () => {
      const variant = get()
      if (variant.deltaRows === undefined) return
      const scene = await Scene.open(variant, { columns: COLUMNS, key: 'id' })
      const delta = `${scene.definition.table}_delta`
      await scene.load([{ seq: 1, records: [r(1)] }], { apply: { delta: { table: delta, run: 'r' } } })
      const table = await variant.target(scene.ledger, scene.number).open(delta, scene.ledger, variant.engine, { adopt: true })
      await assert.rejects(table.adopt(define(delta, { key: 'id' }), 1), { code: 'TABLE_FOREIGN', message: /is the delta of/ })
      assert.deepEqual(await variant.deltaRows(delta, scene), ['1 a'])
    })
    test('without a table there is nothing to take over', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      const table = await scene.another(undefined, 'l_new', { adopt: true })
      await assert.rejects(table.adopt(define(scene.definition.table, {}), 1), { code: 'NOT_FOUND' })
      assert.equal((await table.head()).exists, false)
    })
  })
}
