/**
 * Death at every step between the rows of a table and the rows of its models: the next process finishes what was begun, and
 * what was done is done once.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setFailpointHandler } from '../../src/core/failpoint.ts'
import { ModelScene } from './model-scene.ts'
import type { ModelVariant } from './model-scene.ts'
import type { Delivery } from './scene.ts'
import { thinned } from '../whole.ts'

const FIRST: Delivery = { seq: 1, records: [{ id: 1, name: 'a' }, { id: 2, name: 'a' }, { id: 3, name: 'b' }] }
const SECOND: Delivery = { seq: 2, records: [{ id: 1, name: 'c' }, { id: 4, name: 'b' }] }
const AFTER = { first: ['a 2', 'b 1'], second: ['a 1', 'b 2', 'c 1'] }

async function opened(variant: ModelVariant, known: boolean): Promise<ModelScene> {
  const scene = await ModelScene.open(variant)
  scene.use(
    scene.model('count', ['depends_on: $t', 'incremental: group name'], 'select name, count(*) as c from $t group by name'),
    scene.model('over', ['depends_on: $count', 'incremental: group c'], 'select c, count(*) as names from $count group by c'),
  )
  if (known) await scene.load(FIRST)
  return scene
}

/** Commits as a load does; `batch` twice is the same batch. */
async function commit(scene: ModelScene, known: boolean): Promise<() => Promise<void>> {
  const { variant } = scene
  const staged = await scene.scene.stage(scene.scene.batch([known ? SECOND : FIRST]))
  let attempt = staged.attempt
  return async () => {
    const work = { models: scene.models, now: 1 }
    await (await scene.scene.another()).apply({ ...staged, attempt: attempt++ * 1_000 }, scene.scene.definition, { models: work })
    const keeper = variant.target(scene.scene.ledger, scene.scene.number).models
    await keeper?.refresh(work, variant.engine)
  }
}

/** Names of the failpoints of models that the load passes. */
async function pointsOf(variant: ModelVariant, known: boolean): Promise<string[]> {
  const names = new Set<string>()
  const run = await commit(await opened(variant, known), known)
  setFailpointHandler({ tamper: () => null, crash: (point) => names.add(point) })
  await run().finally(() => setFailpointHandler(null))
  return [...names].filter((name) => name.includes('model'))
}

/** Registers the deaths; the variant works in this process, where the handler of failpoints is. `once`: passed by the first model of a database only. */
export async function modelDeaths(name: string, variant: ModelVariant, passed: { first: readonly string[]; second: readonly string[]; once?: readonly string[] }): Promise<void> {
  const again = (names: readonly string[]): string[] => names.filter((at) => !(passed.once ?? []).some((step) => at.startsWith(`${step}.`)))
  const points = { first: again(await pointsOf(variant, false)), second: again(await pointsOf(variant, true)) }
  describe(`deaths of models: ${name}`, () => {
    for (const known of [false, true]) {
      const which = known ? 'second' : 'first'
      test(`the ${which} load passes failpoints around its steps`, () => {
        for (const step of passed[which]) for (const side of ['before', 'after']) assert.ok(points[which].includes(`${step}.${side}`), `${step}.${side}`)
      })
      for (const point of thinned(points[which], 3)) {
        test(`the ${which} load dies at ${point}`, async () => {
          const scene = await opened(variant, known)
          const run = await commit(scene, known)
          let dead = false
          setFailpointHandler({ tamper: () => null, crash(at) {
            dead ||= at === point
            if (dead) throw new Error(`dead at ${point}`)
          } })
          await run().catch(() => undefined).finally(() => setFailpointHandler(null))
          assert.ok(dead, `${point} was not reached`)
          await run()
          assert.deepEqual(await scene.rows('count'), AFTER[which])
          const counts = Map.groupBy(AFTER[which], (row) => row.split(' ')[1] ?? '')
          assert.deepEqual(await scene.rows('over'), [...counts].map(([c, names]) => `${c} ${names.length}`).toSorted())
          for (const word of ['count', 'over']) assert.equal((await scene.state(word))?.state, 'fresh', word)
          assert.deepEqual([...(await scene.refresh()).values()].map(({ how }) => how), ['none', 'none'])
          assert.deepEqual((await scene.keeper.verify(variant.engine)).filter(({ grade }) => grade === 'broken'), [])
        })
      }
    }
  })
}
