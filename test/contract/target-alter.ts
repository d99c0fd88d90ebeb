/** Contract: definition and columns change by command, in one commit of their own, at every death whole or not at all. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Definition } from '../../src/core/definition.ts'
import { setFailpointHandler } from '../../src/core/failpoint.ts'
import { addColumn, isUnwanted, retype, unwant } from '../../src/core/proposal.ts'
import type { Head, Table } from '../../src/core/target.ts'
import type { Column } from '../../src/core/schema.ts'
import { Scene, counted } from './scene.ts'
import type { Variant } from './scene.ts'
import { thinned } from '../whole.ts'

const REQUEST = { columns: 'id:int64,v:string', key: 'id', mode: 'upsert' }
const definitionOf = ({ definition }: Head): Definition => definition ?? assert.fail('there is a table')
const adding = (column: Column) => (head: Head) => addColumn(definitionOf(head), head.schema, column)

async function opened(get: () => Variant): Promise<Scene> {
  const scene = await Scene.open(get(), REQUEST)
  await scene.load([{ seq: 1, records: [{ id: 1, v: 'a', more: 1.5, 'other one': null }, { id: 2, v: 'b' }, { id: 'bad', more: true }] }])
  return scene
}

/** Everything that an alteration may not touch. */
async function contents(scene: Scene, table: Table): Promise<unknown> {
  return [(await scene.rows(table)).map((row) => [row[0], row[1], row.at(-1)]), (await scene.rejects()).length, (await table.head()).rows, [...(await table.head()).lanes]]
}

export function alterCases(get: () => Variant): void {
  describe('alterations', () => {
    test('what was left out is counted over all batches, by the table itself', async () => {
      const scene = await opened(get)
      await scene.load([{ seq: 2, records: [{ id: 3, more: 'text' }, { id: 4, more: 7, 'other one': '2026-01-01' }] }])
      const left = await (await scene.another(get().engine, null)).leftOut()
      assert.deepEqual(left.toSorted((a, b) => (a.member < b.member ? -1 : 1)), [
        { member: 'more', records: 3, type: 'string', place: String((1n << 32n) + 1n), examples: ['1.5', 'text'] },
        { member: 'other one', records: 1, type: 'date', place: String((2n << 32n) + 2n), examples: ['2026-01-01'] },
      ])
    })

    test('a column is added at the end: older rows are null there, later batches fill it', async () => {
      const scene = await opened(get)
      const before = await contents(scene, scene.table)
      await scene.table.alter(adding({ name: 'other_one', type: 'decimal(10,2)', original: 'other one' }))
      const table = await scene.another()
      const head = await table.head()
      assert.deepEqual(head.schema, [{ name: 'id', type: 'int64' }, { name: 'v', type: 'string' }, { name: 'other_one', type: 'decimal(10,2)', original: 'other one' }])
      assert.deepEqual(head.definition?.columns, head.schema)
      assert.deepEqual(await contents(scene, table), before)
      assert.deepEqual((await scene.rows(table)).map((row) => row[2]), [null, null])
      // A batch that was staged for the table as it was does not get in.
      const stale = await scene.stage(scene.batch([{ seq: 2, records: [{ id: 1, v: 'c' }] }]))
      await assert.rejects(scene.commit(stale), { code: 'DEFINITION_DIFFERS' })
      scene.definition = definitionOf(head)
      counted(await scene.load([{ seq: 3, records: ['{"id":1,"v":"a","other one":1.10}', '{"id":2,"v":"b"}', '{"id":5,"Other_One":"x"}'] }]), { 3: { updated: 1, duplicate: 1, quarantined: 1 } })
      assert.deepEqual((await scene.rows()).map((row) => [row[0], row[2]]), [[2n, null], [1n, '1.10']])
      await assert.rejects(scene.table.alter(adding({ name: 'V', type: 'string' })), { code: 'DEFINITION_INVALID' })
      const broken = (await scene.table.verify()).filter(({ grade }) => grade === 'broken')
      assert.deepEqual(broken, [])
    })

    test('what is not wanted is remembered, and forgotten when the column is added all the same', async () => {
      const scene = await opened(get)
      await scene.table.alter((head) => unwant(definitionOf(head), head.schema, 'add more'))
      const there = definitionOf(await (await scene.another()).head())
      assert.ok(isUnwanted(there, 'add MORE') && !isUnwanted(there, 'type more'))
      // It is no part of what a load may contradict.
      counted(await scene.load([{ seq: 2, records: [{ id: 9, more: 1 }] }]), { 2: { inserted: 1 } })
      await scene.table.alter(adding({ name: 'more', type: 'double' }))
      assert.ok(!isUnwanted(definitionOf(await scene.table.head()), 'add more'))
    })

    test('another type is refused where rows would have to be written again, and nothing is changed', async () => {
      const scene = await opened(get)
      const before = await scene.table.head()
      await assert.rejects(scene.table.alter((head) => retype(definitionOf(head), head.schema, 'id', 'double')), { code: 'TABLE_UNSUPPORTED', message: /id cannot become double/ })
      assert.deepEqual(await scene.table.head(), before)
    })

    test('without a table there is nothing to alter', async () => {
      const scene = await Scene.open(get(), REQUEST)
      await assert.rejects(scene.table.alter(adding({ name: 'more', type: 'double' })), { code: 'NOT_FOUND' })
      assert.deepEqual(await scene.table.leftOut(), [])
    })

    test('two that alter at once: both hold', async () => {
      const scene = await opened(get)
      const [a, b] = [await scene.another(), await scene.another()]
      await Promise.all([a.alter(adding({ name: 'x', type: 'int64' })), b.alter(adding({ name: 'y', type: 'list<string>' }))])
      assert.deepEqual((await (await scene.another()).head()).schema.map(({ name }) => name).toSorted(), ['id', 'v', 'x', 'y'])
    })

    test('death at every step: the alteration is there or not, and made again it is there', async () => {
      const points = new Set<string>()
      const first = await opened(get)
      setFailpointHandler({ tamper: () => null, crash: (point) => points.add(point) })
      await first.table.alter(adding({ name: 'more', type: 'json' })).finally(() => setFailpointHandler(null))
      for (const point of thinned([...points], 3)) {
        const scene = await opened(get)
        const before = await contents(scene, scene.table)
        let dead = false
        setFailpointHandler({ tamper: () => null, crash(name) {
          dead ||= name === point
          if (dead) throw new Error(`dead at ${point}`)
        } })
        await scene.table.alter(adding({ name: 'more', type: 'json' })).catch(() => undefined).finally(() => setFailpointHandler(null))
        assert.ok(dead, point)
        const table = await scene.another()
        const { schema, definition } = await table.head()
        assert.equal(schema.length, definition?.columns?.length, `${point}: columns and definition agree`)
        if (schema.length === 2) await table.alter(adding({ name: 'more', type: 'json' }))
        assert.deepEqual((await table.head()).schema.map(({ name }) => name), ['id', 'v', 'more'], point)
        assert.deepEqual(await contents(scene, table), before, point)
        assert.deepEqual((await table.verify()).filter(({ grade }) => grade === 'broken'), [], point)
      }
    })
  })
}
