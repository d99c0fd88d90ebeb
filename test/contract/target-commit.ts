/** Contract: one batch, one commit; who may commit; and what another process sees. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Code } from '../../src/core/errors.ts'
import { placeOf } from '../../src/core/place.ts'
import type { CommittedArrival, Head, Table } from '../../src/core/target.ts'
import { Scene, counted } from './scene.ts'
import type { Variant } from './scene.ts'

const COLUMNS = 'id:int64,v:string'
const r = (id: number, v = 'a'): object => ({ id, v })
const code = (wanted: Code) => (thrown: unknown): boolean => {
  assert.equal(thrown instanceof Error && 'code' in thrown ? thrown.code : String(thrown), wanted)
  return true
}
const EMPTY: Head = { exists: false, version: null, definition: null, schema: [], made: 0, rows: 0, lanes: new Map(), ledger: null }

async function arrivals(table: Table): Promise<CommittedArrival[]> {
  const all: CommittedArrival[] = []
  for await (const arrival of table.arrivals()) all.push(arrival)
  const recent: CommittedArrival[] = []
  for await (const arrival of table.recent()) recent.push(arrival)
  assert.deepEqual(recent.map(({ seq }) => seq).toSorted((a, b) => a - b), all.map(({ seq }) => seq), 'the newest first are the same')
  return all
}

export function commitCases(get: () => Variant): void {
  describe('commit', () => {
    test('nothing exists before the first commit, and opening changes nothing', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      for (const table of [scene.table, await scene.another(), await scene.another(undefined, null)]) {
        assert.deepEqual(await table.head(), EMPTY)
        assert.deepEqual(await scene.rows(table), [])
        assert.equal(await table.committed('b_none'), null)
        assert.deepEqual(await table.standing(['00']), new Map())
        assert.deepEqual(await arrivals(table), [])
        assert.deepEqual(await table.rejects({ limit: 1 }), [])
        assert.deepEqual(await table.verify(), [])
      }
      // Another ledger may still have it: nobody made it yet.
      assert.deepEqual(await (await scene.another(undefined, 'l_other')).head(), EMPTY)
    })

    test('the same batch twice answers the first receipt and changes nothing', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      const staged = await scene.stage(scene.batch([{ seq: 1, records: [r(1), r(1)] }]))
      const first = await scene.commit(staged)
      const head = await scene.table.head()
      assert.deepEqual(await scene.table.apply(staged, scene.definition), first)
      assert.deepEqual(await (await scene.another()).apply(staged, scene.definition), first)
      assert.deepEqual(await scene.table.head(), head)
      await scene.load([{ seq: 2, records: [r(2)] }])
      assert.deepEqual(await scene.table.apply(staged, scene.definition), first, 'also after other commits')
      await scene.check()
    })

    test('committed() answers the receipt, from another handle too, and null for what is not in', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', keep: 'error' })
      const other = await scene.another()
      const receipt = await scene.load([{ seq: 1, records: [r(1), r(1, 'b'), 'bad'] }])
      assert.deepEqual(await scene.table.committed(receipt.batch), receipt)
      assert.deepEqual(await other.committed(receipt.batch), receipt)
      assert.equal(await other.committed('b_none'), null)
    })

    test('head tells rows, schema, definition, highest place, lanes, ledger and version', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      const first = await scene.load([{ seq: 2, records: [r(1), 'bad'] }], { lane: 3, fence: 7 })
      await scene.load([{ seq: 1, records: [r(2)] }], { lane: 0, fence: 9 })
      const last = await scene.load([{ seq: 4, records: [r(2), r(3)] }], { lane: 3, fence: 12 })
      const other = await scene.another()
      const head = await other.head()
      assert.equal(head.exists, true)
      assert.equal(head.version, last.version)
      assert.ok(first.version < last.version)
      assert.deepEqual(head.definition, scene.definition)
      assert.deepEqual(head.schema, scene.definition.columns)
      assert.equal(head.rows, 3)
      assert.equal(await other.highest(), placeOf(4, 2))
      assert.deepEqual(new Map([...head.lanes].toSorted(([a], [b]) => a - b)), new Map([[0, 9], [3, 12]]))
      assert.equal(head.ledger, scene.ledger)
      await scene.check()
    })

    test('arrivals and standing after several commits', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      const one = await scene.load([{ seq: 2, records: [r(1)] }, { seq: 4, records: [r(2), 'bad'] }])
      const two = await scene.load([{ seq: 1, records: [r(3)] }])
      const again = await scene.load([{ seq: 7, records: [r(1)], reload: true }])
      const all = [...two.arrivals, ...one.arrivals, ...again.arrivals]
      const other = await scene.another()
      assert.deepEqual(await arrivals(other), all)
      assert.ok(all.every((arrival) => arrival.size > 0 && arrival.path.endsWith('.ndjson')))
      const sha = (seq: number): string => all.find((arrival) => arrival.seq === seq)?.sha256 ?? ''
      assert.equal(sha(7), sha(2), 'the same bytes again')
      assert.deepEqual(all.map((arrival) => arrival.generation), [0, 0, 0, 1])
      assert.deepEqual(await other.standing([sha(7), sha(4), 'f'.repeat(64)]), new Map([[sha(7), { generation: 1, seq: 7 }], [sha(4), { generation: 0, seq: 4 }]]))
    })

    test('a batch in which nothing is loaded commits nothing and answers an empty receipt', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      await scene.load([{ seq: 1, records: [r(1)] }])
      const head = await scene.table.head()
      const staged = await scene.stage(scene.batch([{ seq: 2, records: [r(1)] }]))
      assert.deepEqual(staged.outcomes.map((one) => [one.state, one.sameAs]), [['known', 1]])
      const receipt = await scene.commit(staged)
      assert.deepEqual([receipt.arrivals, receipt.version, receipt.evicted], [[], head.version, 0])
      assert.equal(await scene.table.committed(staged.batch.id), null)
      assert.deepEqual(await scene.table.head(), head)
    })

    test('rows of a known arrival in the parts do not count', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      await scene.load([{ seq: 1, records: [r(1), 'bad'] }])
      const receipt = await scene.load([{ seq: 2, records: [r(1), 'bad'] }, { seq: 3, records: [r(2)] }, { seq: 4, records: [r(2)] }])
      counted(receipt, { 3: { inserted: 1 } })
      await scene.check()
    })

    test('ARRIVAL_COMMITTED when another process committed one of its arrivals', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      await scene.load([{ seq: 1, records: [r(0)] }])
      const batch = scene.batch([{ seq: 2, records: [r(1)] }, { seq: 3, records: [r(2)] }])
      const staged = await scene.stage(batch)
      // The same seq, and the same content under another seq.
      const other = await scene.another()
      const sameContent = await scene.stage(scene.batch([{ seq: 9, records: [r(2)] }]))
      await scene.commit(await scene.stage({ ...batch, id: 'b_other', lane: 1 }), { table: other })
      const head = await scene.table.head()
      await assert.rejects(scene.table.apply(staged, scene.definition), code('ARRIVAL_COMMITTED'))
      await assert.rejects(scene.table.apply(sameContent, scene.definition), code('ARRIVAL_COMMITTED'))
      assert.deepEqual(await scene.table.head(), head)
      await scene.check()
    })

    test('ARRIVAL_COMMITTED for a number that is in with other content', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      const staged = await scene.stage(scene.batch([{ seq: 1, records: [r(1)] }, { seq: 2, records: [r(2)] }], { lane: 1 }))
      await scene.load([{ seq: 2, records: [r(3)] }])
      const head = await scene.table.head()
      await assert.rejects(scene.table.apply(staged, scene.definition), code('ARRIVAL_COMMITTED'))
      assert.deepEqual(await scene.table.head(), head)
      await scene.check()
    })

    test('FENCED for a batch that was taken over', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      const old = await scene.stage(scene.batch([{ seq: 1, records: [r(1)] }], { lane: 2, fence: 5 }))
      await scene.load([{ seq: 2, records: [r(2)] }], { lane: 2, fence: 6 })
      await assert.rejects(scene.table.apply(old, scene.definition), code('FENCED'))
      await scene.check()
      await scene.load([{ seq: 3, records: [r(3)] }], { lane: 1, fence: 1 })
      await scene.check()
    })

    test('TABLE_OTHER_LEDGER for a table of another data folder; without a ledger it can be read', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      await scene.load([{ seq: 1, records: [r(1)] }])
      await assert.rejects(async () => {
        const table = await scene.another(undefined, 'l_other')
        await table.head()
      }, code('TABLE_OTHER_LEDGER'))
      const reader = await scene.another(undefined, null)
      assert.equal((await reader.head()).ledger, scene.ledger)
      assert.equal((await scene.rows(reader)).length, 1)
    })

    test('two ledgers cannot both make a table', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      const other = await scene.another(undefined, 'l_other')
      const staged = await scene.stage(scene.batch([{ seq: 1, records: [r(5)] }]), { table: other })
      await scene.load([{ seq: 1, records: [r(1)] }])
      await assert.rejects(other.apply(staged, scene.definition), code('TABLE_OTHER_LEDGER'))
      await scene.check()
    })

    test('SCHEMA_MOVED when a column got another type meanwhile', async () => {
      const scene = await Scene.open(get(), { key: 'id' })
      await scene.load([{ seq: 1, records: [{ id: 1 }] }])
      const staged = await scene.stage(scene.batch([{ seq: 2, records: [{ id: 2, x: 'text' }] }], { lane: 1 }))
      await scene.load([{ seq: 3, records: [{ id: 3, x: 5 }] }])
      const head = await scene.table.head()
      await assert.rejects(scene.table.apply(staged, scene.definition), code('SCHEMA_MOVED'))
      assert.deepEqual(await scene.table.head(), head)
      await scene.check()
    })

    test('two handles commit in turns, and each goes on from what the other did', async () => {
      for (const request of [{ columns: COLUMNS }, { columns: COLUMNS, key: 'id', mode: 'upsert' }, { columns: COLUMNS, key: 'id', keep: 'error' }]) {
        const scene = await Scene.open(get(), request)
        const handles = [scene.table, await scene.another()]
        for (let seq = 1; seq <= 6; seq++) {
          const table = handles[seq % 2] ?? scene.table
          const records = [r(seq), r(0, `v${seq % 3}`), r(seq - 1, 'again')]
          await scene.load([{ seq, records }], { table, lane: seq % 2, fence: seq })
        }
        for (const table of handles) await scene.check(table)
      }
    })

    test('scan stops at its limit', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      await scene.load([{ seq: 2, records: [r(1), r(2)] }])
      await scene.load([{ seq: 1, records: [r(3), r(4)] }])
      const ids: unknown[] = []
      for await (const rows of scene.table.scan(3)) ids.push(...rows.map((row) => row[0]))
      assert.deepEqual(ids, [3n, 4n, 1n], 'the first rows in place order')
    })
  })
}
