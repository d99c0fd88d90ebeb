/** Contract: what becomes of records of new and of known keys, under every mode and keep, with exact counts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Scene, counted } from './scene.ts'
import type { Variant } from './scene.ts'
import { oneOf } from '../whole.ts'

const COLUMNS = 'id:int64,v:string,n:int64'
const r = (id: number, v: string | null, n: number | null = null): object => ({ id, v, n })

export function resolveCases(get: () => Variant): void {
  describe('resolve', () => {
    test('append keeps every record', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      counted(await scene.load([{ seq: 1, records: [r(1, 'a'), r(1, 'a'), r(2, 'b')] }]), { 1: { inserted: 3 } })
      counted(await scene.load([{ seq: 2, records: [r(1, 'a')] }, { seq: 3, records: [r(4, 'd')] }]), { 2: { inserted: 1 }, 3: { inserted: 1 } })
      await scene.check()
      assert.equal((await scene.rows()).length, 5)
    })

    test('dedupe first: known keys are duplicates whatever they hold', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id' })
      counted(await scene.load([{ seq: 1, records: [r(1, 'a'), r(2, 'b'), r(1, 'other')] }]), { 1: { inserted: 2, duplicate: 1 } })
      counted(await scene.load([{ seq: 2, records: [r(2, 'b'), r(1, 'x'), r(3, 'c'), r(4, 'd')] }]), { 2: { inserted: 2, duplicate: 2 } })
      await scene.check()
    })

    test('dedupe error: equal content is a duplicate, other content is put aside', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', keep: 'error' })
      const first = await scene.load([{ seq: 1, records: [r(1, 'a'), r(1, 'a'), r(1, 'b'), r(2, 'c')] }])
      counted(first, { 1: { inserted: 2, duplicate: 1, quarantined: 1 } })
      assert.deepEqual(first.reasons, { KEY_REPEATED: 1 })
      assert.deepEqual(first.faults.map((one) => one.code), ['KEY_REPEATED'])
      const second = await scene.load([{ seq: 2, records: [r(1, 'a'), r(2, 'x'), r(3, 'd')] }])
      counted(second, { 2: { inserted: 1, duplicate: 1, quarantined: 1 } })
      assert.equal(second.evicted, 0)
      const kept = await scene.rejects()
      assert.deepEqual(kept.map((one) => JSON.parse(one.raw ?? 'null')), [r(1, 'b'), r(2, 'x')])
      await scene.check()
    })

    test('upsert last: known keys are updated, equal content is not written again', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode: 'upsert' })
      counted(await scene.load([{ seq: 1, records: [r(1, 'a'), r(1, 'b'), r(2, 'c'), r(2, 'c'), r(5, 'e')] }]), { 1: { inserted: 3, stale: 1, duplicate: 1 } })
      const before = await scene.rows()
      const second = await scene.load([{ seq: 2, records: [r(1, 'new'), r(2, 'c'), r(3, 'd')] }])
      counted(second, { 2: { inserted: 1, updated: 1, duplicate: 1 } })
      const place = (rows: readonly unknown[][], id: bigint): unknown => rows.find((row) => row[0] === id)?.at(-1)
      assert.equal(place(await scene.rows(), 2n), place(before, 2n), 'the place of an equal row stays')
      await scene.check()
    })

    for (const [keep, low, high] of [['max:n', 1, 9], ['min:n', 9, 1]] as const) {
      test(`upsert ${keep}: by value; null loses; ties by place`, async () => {
        const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode: 'upsert', keep })
        const records = [r(1, 'a', high), r(1, 'b', low), r(2, 'a', null), r(2, 'b', low), r(3, 'x', 5), r(3, 'y', 5), r(4, 'p', null), r(4, 'q', null)]
        counted(await scene.load([{ seq: 1, records }]), { 1: { inserted: 4, stale: 4 } })
        await scene.check()
        const more = [r(1, 'c', low), r(1, 'a', high), r(2, 'z', null), r(3, 'z', 5), r(4, 's', null), r(5, 'new', null)]
        const third = await scene.load([{ seq: 2, records: more }])
        const max = keep === 'max:n'
        counted(third, { 2: max ? { inserted: 1, updated: 2, duplicate: 1, stale: 2 } : { inserted: 1, duplicate: 1, stale: 4 } })
        await scene.check()
      })
    }

    test('in-batch losers are judged beside the final winner, also when the stored row wins', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode: 'upsert', keep: 'max:n' })
      await scene.load([{ seq: 1, records: [r(1, 'top', 100)] }])
      const second = await scene.load([{ seq: 2, records: [r(1, 'low', 1), r(1, 'mid', 50), r(1, 'mid', 50)] }, { seq: 3, records: [r(1, 'top', 100), ' '] }])
      counted(second, { 2: { stale: 3 }, 3: { duplicate: 1 } })
      await scene.check()
      const error = await Scene.open(get(), { columns: COLUMNS, key: 'id', keep: 'error' })
      await error.load([{ seq: 1, records: [r(1, 'a')] }])
      // b leads its batch, and a repeats what is stored: a is the duplicate, both b are put aside.
      counted(await error.load([{ seq: 2, records: [r(1, 'b'), r(1, 'b'), r(1, 'a')] }]), { 2: { duplicate: 1, quarantined: 2 } })
      await error.check()
    })

    test('max over text goes by UTF-8 bytes, not by UTF-16 units', async () => {
      const scene = await Scene.open(get(), { columns: 'id:int64,v:string', key: 'id', mode: 'upsert', keep: 'max:v' })
      const [tilde, smile] = ['\u{FF5E}', '\u{1F600}']
      counted(await scene.load([{ seq: 1, records: [r2(1, smile), r2(1, tilde), r2(2, tilde)] }]), { 1: { inserted: 2, stale: 1 } })
      counted(await scene.load([{ seq: 2, records: [r2(1, tilde), r2(2, smile)] }]), { 2: { updated: 1, stale: 1 } })
      assert.deepEqual((await scene.rows()).map((row) => row[1]), [smile, smile])
      await scene.check()
    })

    for (const [turn, [type, values]] of KEEP_VALUES.entries()) {
      test(`max and min over ${type}`, async () => {
        for (const keep of oneOf(['max:v', 'min:v'], turn)) {
          const scene = await Scene.open(get(), { columns: `id:int64,v:${type}`, key: 'id', mode: 'upsert', keep })
          const [low, middle, high] = values
          await scene.load([{ seq: 1, records: [r2(1, middle), r2(2, low), r2(3, high), r2(4, null)] }])
          await scene.load([{ seq: 2, records: [r2(1, high), r2(2, middle), r2(3, low), r2(4, middle)] }])
          await scene.load([{ seq: 3, records: [r2(1, low), r2(2, high), r2(3, middle), r2(4, null)] }])
          await scene.check()
        }
      })
    }
  })
}

function r2(id: number, v: unknown): object {
  return { id, v }
}

/** Three values of each type that has an order, ascending. */
const KEEP_VALUES: readonly (readonly [string, readonly [unknown, unknown, unknown]])[] = [
  ['string', ['', 'B', 'a']],
  ['boolean', [false, false, true]],
  ['int64', [-10, -9, 8]],
  ['double', [-1e300, -2.5, 1e-300]],
  ['date', ['0001-01-01', '1969-12-31', '9999-12-31']],
  ['timestamp', ['1969-12-31T23:59:59.999999Z', '1970-01-01T02:00:00+02:00', '2026-01-01T00:00:00.000001Z']],
  ['timestamp_local', ['0001-01-01T00:00:00', '2026-01-01T00:00:00', '2026-01-01T00:00:00.000001']],
]
