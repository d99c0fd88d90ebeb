/** Contract: under replace a batch takes the place of all that was in the table, in one step. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Scene, collect, counted } from './scene.ts'
import type { Variant } from './scene.ts'

const COLUMNS = 'id:int64,v:string'
const r = (id: number, v: string): object => ({ id, v })

async function values(scene: Scene): Promise<unknown[]> {
  return (await collect(scene.table.scan(null))).map((row) => [Number(row[0]), row[1]])
}

async function sound(scene: Scene): Promise<void> {
  assert.deepEqual((await scene.table.verify()).filter(({ grade }) => grade === 'broken'), [])
}

export function replaceCases(get: () => Variant): void {
  describe('replace', () => {
    for (const [name, key] of [['without a key', undefined], ['with a key', 'id']] as const) {
      test(`${name}: the rows of before are gone, known content comes again`, async () => {
        const scene = await Scene.open(get(), { columns: COLUMNS, mode: 'replace', ...(key === undefined ? {} : { key }) })
        const first = [r(1, 'a'), r(2, 'b'), r(1, 'c')]
        counted(await scene.load([{ seq: 1, records: first }]), { 1: key === undefined ? { inserted: 3 } : { inserted: 2, stale: 1 } })
        assert.deepEqual(await values(scene), key === undefined ? [[1, 'a'], [2, 'b'], [1, 'c']] : [[2, 'b'], [1, 'c']])
        await sound(scene)
        const receipt = await scene.load([{ seq: 2, records: [r(2, 'b'), r(3, 'd'), { id: 'wrong' }] }, { seq: 3, records: first, reload: true }])
        counted(receipt, { 2: key === undefined ? { inserted: 2, quarantined: 1 } : { inserted: 1, duplicate: 1, quarantined: 1 }, 3: key === undefined ? { inserted: 3 } : { inserted: 2, stale: 1 } })
        assert.deepEqual(await values(scene), key === undefined ? [[2, 'b'], [3, 'd'], [1, 'a'], [2, 'b'], [1, 'c']] : [[3, 'd'], [2, 'b'], [1, 'c']])
        assert.deepEqual((await scene.table.latest()).map(({ seq }) => seq), [2, 3])
        await sound(scene)
        counted(await scene.load([{ seq: 4, records: [r(9, 'z')] }]), { 4: { inserted: 1 } })
        assert.deepEqual(await values(scene), [[9, 'z']])
        assert.equal((await scene.table.head()).rows, 1)
        await sound(scene)
        // Another process reads the same, and knows every arrival that ever came.
        const other = await scene.another()
        assert.deepEqual((await other.latest()).map(({ seq }) => seq), [4])
        const seqs: number[] = []
        for await (const { seq } of other.arrivals()) seqs.push(seq)
        assert.deepEqual(seqs, [1, 2, 3, 4])
        await other.close()
      })
    }

    test('the same batch again changes nothing; records of none empty the table', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, mode: 'replace' })
      await scene.load([{ seq: 1, records: [r(1, 'a')] }])
      const staged = await scene.stage(scene.batch([{ seq: 2, records: [r(2, 'b')] }]))
      const receipt = await scene.commit(staged)
      assert.deepEqual(await scene.commit(staged), receipt)
      assert.deepEqual(await values(scene), [[2, 'b']])
      await scene.load([{ seq: 3, records: [], document: '{"records":[]}' }])
      assert.deepEqual(await values(scene), [])
      assert.deepEqual((await scene.table.latest()).map(({ seq }) => seq), [3])
      await sound(scene)
    })
  })
}
