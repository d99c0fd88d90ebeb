/** Incremental equals full: random histories, each model beside one of the same SQL that is always made anew. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ModelScene } from './model-scene.ts'
import type { ModelVariant } from './model-scene.ts'
import { WHOLE } from '../whole.ts'

const MODES = [
  { mode: 'append' },
  { key: 'id', mode: 'dedupe' },
  { key: 'id', mode: 'dedupe', keep: 'error' },
  { key: 'id', mode: 'upsert' },
  { key: 'id', mode: 'upsert', keep: 'max:n' },
  { key: 'id', mode: 'replace', keep: 'last' },
] as const

const record = fc.record({
  id: fc.integer({ min: 1, max: 12 }),
  name: fc.constantFrom(null, '', 'a', 'b', 'ä', 'B'),
  ts: fc.constantFrom(null, '2026-01-01T00:00:00Z', '2026-01-01T23:59:59.999999Z', '2026-01-02T00:00:00Z', '1969-12-31T12:00:00Z'),
  n: fc.integer({ min: -3, max: 3 }),
})
/** A commit: its records, whether it comes late, and whether the models hear of it. */
const commit = fc.record({ records: fc.array(record, { minLength: 1, maxLength: 6 }), early: fc.boolean(), told: fc.boolean() })

export function modelPropertyCases(get: () => ModelVariant): void {
  test('incremental equals full, whatever comes, late or unheard of', async () => {
    const variant = get()
    const runs = Number(process.env['SLUICE_MODEL_RUNS'] ?? Math.ceil((get().runs ?? 25) / (WHOLE ? 1 : 3)))
    const ways = { groups: 0 }
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...MODES), fc.array(commit, { minLength: 1, maxLength: 5 }), async (mode, commits) => {
        const scene = await ModelScene.open(variant, { ...mode, columns: 'id:int64,name:string,ts:timestamp,n:int64' })
        const count = 'select uuid5(name) as id, name, count(*) as c, sum(n) as s, count(distinct id) as ids from $t group by name'
        const daily = `select ${variant.day('ts')} as on_day, name, min(n) as least, count(*) as c from $t group by ${variant.day('ts')}, name`
        const over = (word: string): string => `select c, count(*) as names, min(s) as least from $${word} where c > 0 group by c`
        const all = [
          scene.model('count', ['depends_on: $t', 'incremental: group name'], count), scene.model('countfull', ['depends_on: $t'], count),
          scene.model('daily', ['depends_on: $t', 'key: on_day, name', 'incremental: day ts as on_day'], daily), scene.model('dailyfull', ['depends_on: $t'], daily),
          scene.model('over', ['depends_on: $count', 'incremental: group c'], over('count')), scene.model('overfull', ['depends_on: $countfull'], over('countfull')),
        ]
        let [low, high] = [500, 500]
        const begin = { records: ['a', 'b', 'c'].map((name, at) => ({ id: 20 + at, name, ts: `2026-01-0${at + 1}T00:00:00Z`, n: at })), early: false, told: true }
        for (const { records, early, told } of [begin, ...commits]) {
          scene.use(...(told ? all : []))
          const seq = early && mode.mode !== 'replace' ? --low : ++high
          for (const outcome of (await scene.load({ seq, records })).values()) {
            assert.equal(outcome.state, 'fresh', outcome.message ?? '')
            if (outcome.how === 'groups') ways.groups++
          }
        }
        scene.use(...all)
        await scene.refresh()
        for (const word of ['count', 'daily', 'over']) assert.deepEqual(await scene.rows(word), await scene.rows(`${word}full`), word)
      }),
      { numRuns: runs, examples: [[MODES[3], [{ records: [{ id: 1, name: 'a', ts: null, n: 1 }], early: false, told: true }]]] },
    )
    // Few histories may happen to have none but the example; twelve sets of 25 had 29 to 63 of them, by whose spread one in fifty has fewer than 25.
    assert.ok(ways.groups >= (runs < 25 ? 1 : runs / 5), `${ways.groups} refreshes went by groups`)
  })
}
