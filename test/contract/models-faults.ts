/** Models that the database refuses, that were forgotten for a while, or that promise what they do not keep. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ModelScene, brief } from './model-scene.ts'
import type { ModelVariant } from './model-scene.ts'

const COUNT = ['depends_on: $t', 'incremental: group name']
const SQL = 'select name, count(*) as c from $t group by name'

export function modelFaultCases(get: () => ModelVariant): void {
  test('one that fails marks itself: the rows are in, other models are fresh, its own rows are those of before', async () => {
    const scene = await ModelScene.open(get())
    const good = scene.model('good', COUNT, SQL)
    scene.use(good, scene.model('bad', COUNT, SQL))
    await scene.load({ seq: 1, records: [{ id: 1, name: 'a' }, { id: 9, name: 'z' }] })
    scene.use(good, scene.model('bad', COUNT, 'select name, count(*) as c, max(nothing) as x from $t group by name'))
    const outcomes = await scene.load({ seq: 2, records: [{ id: 2, name: 'a' }] })
    assert.deepEqual(brief(outcomes.get('good')), ['fresh', 'groups', 1])
    assert.deepEqual(brief(outcomes.get('bad')), ['failed', 'none', null])
    assert.match(outcomes.get('bad')?.message ?? '', /nothing/)
    assert.equal((await scene.scene.rows()).length, 3)
    assert.deepEqual(await scene.rows('good'), ['a 2', 'z 1'])
    assert.deepEqual(await scene.rows('bad'), ['a 1', 'z 1'])
    const state = await scene.state('bad')
    assert.equal(state?.state, 'failed')
    assert.match(state?.message ?? '', /nothing/)
    const [input] = state?.inputs ?? []
    assert.ok(input !== undefined && input.held !== null && input.now !== null && input.held < input.now, 'stale since the version that it holds')
    // A load that brings nothing to change its mind does not try again; a person may.
    assert.equal((await scene.refresh()).get('bad')?.state, 'failed')
    assert.equal((await scene.refresh({ retry: true })).get('bad')?.state, 'failed')
    scene.use(good, scene.model('bad', COUNT, SQL))
    // A database does not know any more which groups were touched meanwhile; the logs of Delta tables do.
    assert.deepEqual(brief((await scene.refresh()).get('bad')), get().inside ? ['fresh', 'full', null] : ['fresh', 'groups', 1])
    assert.deepEqual(await scene.rows('bad'), ['a 2', 'z 1'])
    // Who lists it has not its file, and no input moved.
    scene.use(good, scene.model('bad', COUNT, 'select name, count(*) as d, max(nothing) as x from $t group by name'))
    assert.equal((await scene.refresh()).get('bad')?.state, 'failed')
    assert.equal((await scene.state('bad', []))?.state, 'failed')
    scene.use(good, scene.model('bad', COUNT, SQL))
    assert.equal((await scene.refresh()).get('bad')?.state, 'fresh')
    assert.equal((await scene.state('bad', []))?.state, 'fresh')
  })

  test('one that fails on the data of one commit is whole again when the data is', async () => {
    const scene = await ModelScene.open(get())
    scene.use(scene.model('once', ['depends_on: $t', 'key: name'], 'select name, n from $t'))
    await scene.load({ seq: 1, records: [{ id: 1, name: 'a', n: 1 }] })
    const twice = await scene.load({ seq: 2, records: [{ id: 2, name: 'a', n: 2 }] })
    assert.equal(twice.get('once')?.state, 'failed')
    assert.deepEqual(await scene.rows('once'), ['a 1'])
    await scene.load({ seq: 3, records: [{ id: 2, name: 'b', n: 2 }] })
    assert.deepEqual(await scene.rows('once'), ['a 1', 'b 2'])
    assert.equal((await scene.state('once'))?.state, 'fresh')
  })

  test('a key that is not unique is refused by groups, too', async () => {
    const scene = await ModelScene.open(get())
    scene.use(scene.model('pairs', ['depends_on: $t', 'key: name, n', 'incremental: group name'], 'select name, n, id from $t'))
    await scene.load({ seq: 1, records: [{ id: 1, name: 'a', n: 1 }, { id: 2, name: 'b', n: 1 }] })
    assert.equal((await scene.load({ seq: 2, records: [{ id: 3, name: 'a', n: 1 }] })).get('pairs')?.state, 'failed')
    assert.deepEqual(await scene.rows('pairs'), ['a 1 1', 'b 1 2'])
  })

  const apart: [what: string, header: string[], sql: string][] = [
    ['a share of the total', COUNT, 'select name, count(*) * 100 / (select count(*) from $t) as share from $t group by name'],
    ['a share of the total, as a fraction', COUNT, 'select name, count(*) * 1.5 / (select count(*) from $t) as share from $t group by name'],
    ['groups under another name than it says', ['depends_on: $t', 'incremental: group name as label'], "select name || '!' as label, count(*) as c from $t group by name"],
    ['rows of one group in another', COUNT, "select case when name = 'a' then 'b' else name end as name, count(*) as c from $t group by 1"],
  ]
  for (const [what, header, sql] of apart) {
    test(`refused when it is made, for it would go wrong by parts: ${what}`, async () => {
      const scene = await ModelScene.open(get())
      scene.use(scene.model('apart', header, sql))
      const outcome = (await scene.load({ seq: 1, records: [{ id: 1, name: 'a' }, { id: 2, name: 'b' }, { id: 3, name: 'b' }] })).get('apart')
      assert.equal(outcome?.state, 'failed')
      assert.match(outcome?.message ?? '', /cannot be recomputed by parts/)
      assert.equal((await scene.scene.rows()).length, 3)
    })
  }

  test('a result that lacks what the header names', async () => {
    const scene = await ModelScene.open(get())
    scene.use(scene.model('lacks', ['depends_on: $t', 'incremental: group name as label'], SQL))
    assert.match((await scene.load({ seq: 1, records: [{ id: 1, name: 'a' }] })).get('lacks')?.message ?? '', /no column label; it has name, c/)
  })

  test('a table that is no model is not touched', async () => {
    const scene = await ModelScene.open(get())
    const other = await ModelScene.open(get())
    await other.load({ seq: 1, records: [{ id: 1, name: 'mine' }] })
    const model = { ...scene.model('x', COUNT, SQL), name: other.table }
    scene.use(model)
    const outcomes = [...(await scene.load({ seq: 1, records: [{ id: 1, name: 'a' }] })).values()]
    assert.equal(outcomes[0]?.state, 'failed')
    assert.match(outcomes[0]?.message ?? '', /no model/)
    assert.equal((await other.scene.rows()).length, 1)
  })

  test('a load that did not name it leaves it stale, and the next one that does catches up', async () => {
    const scene = await ModelScene.open(get())
    const count = scene.model('count', COUNT, SQL)
    scene.use(count)
    await scene.load({ seq: 1, records: [{ id: 1, name: 'a' }, { id: 9, name: 'z' }] })
    scene.use()
    await scene.load({ seq: 2, records: [{ id: 2, name: 'b' }] })
    await scene.load({ seq: 3, records: [{ id: 1, name: 'c' }] })
    scene.use(count)
    assert.equal((await scene.state('count'))?.state, 'stale')
    const outcome = (await scene.load({ seq: 4, records: [{ id: 3, name: 'c' }] })).get('count')
    assert.equal(outcome?.how, get().inside ? 'full' : 'groups')
    assert.deepEqual(await scene.rows('count'), ['b 1', 'c 2', 'z 1'])
  })

  test('the same batch twice is once', async () => {
    const scene = await ModelScene.open(get())
    scene.use(scene.model('count', COUNT, SQL))
    const models = { models: scene.models, now: 1 }
    const staged = await scene.scene.stage(scene.scene.batch([{ seq: 1, records: [{ id: 1, name: 'a' }] }]))
    await scene.scene.commit(staged, { models })
    await scene.refresh()
    await scene.scene.commit(staged, { models })
    assert.deepEqual(brief((await scene.refresh()).get('count')), ['fresh', 'none', null])
    assert.deepEqual(await scene.rows('count'), ['a 1'])
  })

  test('what is not there is not found', async () => {
    const scene = await ModelScene.open(get())
    await assert.rejects(scene.rows('none'), { code: 'NOT_FOUND' })
    scene.use(scene.model('count', COUNT, SQL))
    assert.equal((await scene.state('count'))?.state, 'new')
    assert.equal((await scene.refresh()).get('count')?.state, 'waiting')
  })
}
