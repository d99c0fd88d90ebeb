/** The contract of targets that keep models: the same cases, whatever lies behind the port. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { define } from '../../src/core/definition.ts'
import type { DefinitionRequest } from '../../src/core/definition.ts'
import { uuid5 } from '../../src/models/uuid.ts'
import { ModelScene, UPSERT, brief } from './model-scene.ts'
import type { ModelVariant } from './model-scene.ts'
import { modelFaultCases } from './models-faults.ts'
import { modelPropertyCases } from './models-property.ts'

export function modelContract(name: string, open: () => Promise<ModelVariant>): void {
  describe(`model contract: ${name}`, () => {
    let variant: ModelVariant | undefined
    const get = (): ModelVariant => {
      if (variant === undefined) throw new Error('the variant did not open')
      return variant
    }
    before(async () => {
      variant = await open()
    })
    after(async () => {
      await variant?.dispose()
    })
    groupCases(get)
    proofCases(get)
    chainCases(get)
    modelFaultCases(get)
    modelPropertyCases(get)
  })
}

const COUNT = ['depends_on: $t', 'incremental: group name']
const COUNT_SQL = 'select uuid5(name) as id, name, count(*) as c, sum(n) as s from $t group by name'

function groupCases(get: () => ModelVariant): void {
  test('groups that gained, lost, came and went, with ids that stay', async () => {
    const scene = await ModelScene.open(get())
    scene.use(scene.model('count', COUNT, COUNT_SQL))
    const first = await scene.load({ seq: 1, records: [{ id: 1, name: 'a', n: 1 }, { id: 2, name: 'a', n: 2 }, { id: 3, name: 'b', n: 3 }, { id: 4, n: 4 }, { id: 5, name: "o'x", n: 5 }] })
    assert.deepEqual(brief(first.get('count')), ['fresh', 'full', null], first.get('count')?.message ?? '')
    assert.deepEqual(await scene.rows('count'), [`- - 1 4`, `${uuid5('a')} a 2 3`, `${uuid5('b')} b 1 3`, `${uuid5("o'x")} o'x 1 5`].toSorted())
    // 3 leaves b (which is gone then) for a; 4 leaves null for c; 9 is new in null.
    const second = await scene.load({ seq: 2, records: [{ id: 3, name: 'a', n: 7 }, { id: 4, name: 'c', n: 4 }, { id: 9, n: 9 }] })
    assert.deepEqual(brief(second.get('count')), ['fresh', 'groups', 4])
    assert.equal(second.get('count')?.rows, 4)
    assert.deepEqual(await scene.rows('count'), [`- - 1 9`, `${uuid5('a')} a 3 10`, `${uuid5('c')} c 1 4`, `${uuid5("o'x")} o'x 1 5`].toSorted())
    // Nothing new: nothing to do.
    assert.deepEqual(brief((await scene.refresh()).get('count')), ['fresh', 'none', null])
    const state = await scene.state('count')
    assert.equal(state?.state, 'fresh')
    assert.deepEqual(state?.inputs.map(({ held, now }) => held === now && held !== null), [true])
    assert.deepEqual(brief((await scene.refresh({ full: true })).get('count')), ['fresh', 'full', null])
    assert.equal((await scene.rows('count')).length, 4)
  })

  test('the table of a model is not taken over: the next refresh would take the rows with it', async () => {
    const variant = get()
    const scene = await ModelScene.open(variant)
    scene.use(scene.model('taken', COUNT, COUNT_SQL))
    await scene.load({ seq: 1, records: [{ id: 1, name: 'a', n: 1 }] })
    const { ledger, number } = scene.scene
    const taking = async (): Promise<void> => {
      const table = await variant.target(ledger, number).open(scene.name('taken'), ledger, variant.engine, { adopt: true })
      await table.adopt(define(scene.name('taken'), { key: 'name' }), 1)
    }
    await assert.rejects(taking, { code: 'TABLE_FOREIGN', message: /table of a model/ })
    assert.deepEqual(await scene.rows('taken'), [`${uuid5('a')} a 1 1`])
  })

  test('by day: late records correct their day, and no other', async () => {
    const variant = get()
    const scene = await ModelScene.open(variant)
    scene.use(scene.model('daily', ['depends_on: $t', 'incremental: day ts as on_day'], `select ${variant.day('ts')} as on_day, count(*) as c, count(distinct name) as people from $t group by ${variant.day('ts')}`))
    await scene.load({ seq: 1, records: [{ id: 1, ts: '2026-01-01T23:59:59.999999Z', name: 'a' }, { id: 2, ts: '2026-01-02T00:00:00Z', name: 'a' }, { id: 3, ts: '2026-01-02T10:00:00+10:00', name: 'b' }, { id: 4 }] })
    const rows = async (): Promise<string[]> => (await scene.rows('daily')).map((row) => row.replace(/[T ]00:00:00\S*/, ''))
    assert.deepEqual(await rows(), ['- 1 0', '2026-01-01 1 1', '2026-01-02 2 2'])
    const late = await scene.load({ seq: 2, records: [{ id: 5, ts: '2026-01-01T00:00:00Z', name: 'c' }] })
    assert.deepEqual(brief(late.get('daily')), ['fresh', 'groups', 1])
    assert.deepEqual(await rows(), ['- 1 0', '2026-01-01 2 2', '2026-01-02 2 2'])
    await scene.load({ seq: 3, records: [{ id: 1, ts: '2026-01-03T00:00:00Z', name: 'a' }, { id: 4, ts: '2026-01-03T00:00:00Z', name: 'z' }] })
    assert.deepEqual(await rows(), ['2026-01-01 1 1', '2026-01-02 2 2', '2026-01-03 2 2'])
  })

  test('by two columns under other names; and as a whole', async () => {
    const scene = await ModelScene.open(get())
    scene.use(
      scene.model('pair', ['depends_on: $t', 'incremental: group name as who, n as number'], 'select name as who, n as number, count(*) as c from $t group by name, n'),
      scene.model('whole', ['depends_on: $t'], 'select count(*) as c, max(id) as top from $t'),
    )
    await scene.load({ seq: 1, records: [{ id: 1, name: 'a', n: 1 }, { id: 2, name: 'a' }, { id: 3, n: 1 }, { id: 4 }] })
    const next = await scene.load({ seq: 2, records: [{ id: 2, name: 'a', n: 1 }, { id: 5, name: 'a' }, { id: 4, n: 1 }] })
    // (a, null) lost 2 and got 5; (a, 1) got 2; (null, null) lost 4, (null, 1) got it.
    assert.deepEqual(brief(next.get('pair')), ['fresh', 'groups', 4])
    assert.deepEqual(brief(next.get('whole')), ['fresh', 'full', null])
    assert.deepEqual(await scene.rows('pair'), ['- 1 2', 'a - 1', 'a 1 2'])
    assert.deepEqual(await scene.rows('whole'), ['5 5'])
  })

  for (const [what, request] of [['append', { mode: 'append', columns: 'id:int64,name:string,ts:timestamp,n:int64' }], ['dedupe, late first ones', { key: 'id', columns: UPSERT.columns ?? '' }], ['keep error, evicted rows', { key: 'id', keep: 'error', columns: UPSERT.columns ?? '' }]] satisfies [string, DefinitionRequest][]) {
    test(`rows that leave by other ways: ${what}`, async () => {
      const scene = await ModelScene.open(get(), request)
      scene.use(scene.model('count', COUNT, COUNT_SQL))
      await scene.load({ seq: 5, records: [{ id: 1, name: 'a', n: 1 }, { id: 2, name: 'b', n: 2 }, { id: 7, name: 'far', n: 7 }] })
      const late = await scene.load({ seq: 2, records: [{ id: 1, name: 'c', n: 3 }, { id: 3, name: 'b', n: 4 }] })
      assert.equal(late.get('count')?.how, 'groups')
      const expected = new Map<string, [number, bigint]>()
      for (const row of await scene.scene.rows()) {
        const [count, sum] = expected.get(String(row[1])) ?? [0, 0n]
        expected.set(String(row[1]), [count + 1, sum + (row[3] as bigint)])
      }
      assert.equal(expected.size, request.mode === 'append' ? 4 : 3)
      assert.deepEqual(await scene.rows('count'), [...expected].map(([name, [count, sum]]) => `${uuid5(name)} ${name} ${count} ${sum}`).toSorted())
    })
  }

  test('replace recomputes what depends on it', async () => {
    const scene = await ModelScene.open(get(), { mode: 'replace', key: 'id', columns: UPSERT.columns ?? '' })
    scene.use(scene.model('count', COUNT, COUNT_SQL))
    await scene.load({ seq: 1, records: [{ id: 1, name: 'a', n: 1 }] })
    await scene.load({ seq: 2, records: [{ id: 1, name: 'b', n: 1 }, { id: 2, name: 'b', n: 2 }] })
    assert.deepEqual(await scene.rows('count'), [`${uuid5('b')} b 2 3`])
  })

  test('columns that come later, and a changed model', async () => {
    const scene = await ModelScene.open(get(), { key: 'id', mode: 'upsert' })
    scene.use(scene.model('count', COUNT, COUNT_SQL))
    await scene.load({ seq: 1, records: [{ id: 1, name: 'a', n: 1 }, { id: 9, name: 'b' }] })
    const more = await scene.load({ seq: 2, records: [{ id: 2, name: 'a', n: 1, colour: 'red' }] })
    assert.deepEqual(brief(more.get('count')), ['fresh', 'groups', 1])
    scene.use(scene.model('count', COUNT, 'select name, max(colour) as colour from $t group by name'))
    assert.equal((await scene.state('count'))?.state, 'stale')
    assert.deepEqual(brief((await scene.refresh()).get('count')), ['fresh', 'full', null])
    assert.deepEqual(await scene.rows('count'), ['a red', 'b -'])
  })
}

/** Groups that could not be told apart from the whole, because there was one, are not trusted. */
function proofCases(get: () => ModelVariant): void {
  test('with one group there is nothing to prove it by: recomputed as a whole until there are two', async () => {
    const scene = await ModelScene.open(get())
    scene.use(scene.model('share', ['depends_on: $t', 'incremental: group name'], 'select name, count(*) * 100 / (select count(*) from $t) as share from $t group by name'))
    assert.equal((await scene.load({ seq: 1, records: [{ id: 1, name: 'a' }] })).get('share')?.how, 'full')
    const second = (await scene.load({ seq: 2, records: [{ id: 2, name: 'b' }] })).get('share')
    assert.equal(second?.state, 'failed')
    assert.match(second?.message ?? '', /cannot be recomputed by parts/)
  })
}

function chainCases(get: () => ModelVariant): void {
  test('a model of a model follows it by groups; one that reads a whole follows as a whole', async () => {
    const scene = await ModelScene.open(get())
    scene.use(
      scene.model('top', ['depends_on: $sums'], 'select max(c) as most, count(*) as names from $sums'),
      scene.model('sums', COUNT, 'select name, count(*) as c from $t group by name'),
      scene.model('label', ['depends_on: $sums', 'incremental: group name as label'], 'select name as label, c * 10 as tens from $sums where c > 1'),
    )
    const first = await scene.load({ seq: 1, records: [{ id: 1, name: 'a' }, { id: 2, name: 'a' }, { id: 3, name: 'b' }] })
    assert.deepEqual([...first.values()].map(({ how }) => how), ['full', 'full', 'full'])
    assert.deepEqual(await scene.rows('label'), ['a 20'])
    const next = await scene.load({ seq: 2, records: [{ id: 3, name: 'a' }, { id: 4, name: 'c' }, { id: 5, name: 'c' }] })
    assert.deepEqual(brief(next.get('sums')), ['fresh', 'groups', 3])
    assert.equal(next.get('label')?.how, 'groups')
    assert.equal(next.get('top')?.how, 'full')
    assert.deepEqual(await scene.rows('label'), ['a 30', 'c 20'])
    assert.deepEqual(await scene.rows('top'), ['3 2'])
  })

  test('two tables: the one with the groups by groups, a change of the other one as a whole', async () => {
    const variant = get()
    const other = await ModelScene.open(variant, { key: 'name', mode: 'upsert', columns: 'name:string,label:string' })
    const scene = await ModelScene.open(variant)
    const model = scene.model('joined', [`depends_on: $t, ${other.table}`, 'key: name', 'incremental: group name of $t'], `select e.name, max(o.label) as label, count(*) as c from $t e left join ${other.table} o on o.name = e.name group by e.name`)
    scene.use(model)
    const waits = await scene.load({ seq: 1, records: [{ id: 1, name: 'a' }, { id: 9, name: 'z' }] })
    assert.deepEqual(brief(waits.get('joined')), ['waiting', 'none', null])
    assert.match(waits.get('joined')?.message ?? '', new RegExp(`${other.table} is not there yet`))
    assert.equal((await scene.state('joined'))?.state, 'waiting')
    other.use(model)
    await other.load({ seq: 1, records: [{ name: 'a', label: 'A' }] })
    assert.deepEqual(await scene.rows('joined'), ['a A 1', 'z - 1'])
    assert.deepEqual(brief((await scene.load({ seq: 2, records: [{ id: 2, name: 'a' }, { id: 3, name: 'b' }] })).get('joined')), ['fresh', 'groups', 2])
    assert.deepEqual(await scene.rows('joined'), ['a A 2', 'b - 1', 'z - 1'])
    await other.load({ seq: 2, records: [{ name: 'b', label: 'B' }] })
    assert.deepEqual(brief((await scene.refresh()).get('joined')), ['fresh', 'none', null])
    assert.deepEqual(await scene.rows('joined'), ['a A 2', 'b B 1', 'z - 1'])
  })
}
