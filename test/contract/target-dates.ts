/** Contract: an arrival that comes by dates, over several commits, and the delta of a run. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Code } from '../../src/core/errors.ts'
import type { ByDate, Interval } from '../../src/core/interval.ts'
import type { Row } from '../../src/core/schema.ts'
import type { CommittedArrival, Table } from '../../src/core/target.ts'
import { Scene, counted } from './scene.ts'
import type { Delivery, Variant } from './scene.ts'
import { showRow } from '../reference.ts'
import { oneOf } from '../whole.ts'

const COLUMNS = 'id:int64,v:string,at:timestamp'
const day = (n: number, until = n + 1): ByDate => ({ field: 'at', since: `2020-12-${String(n).padStart(2, '0')}T00:00:00.000000Z`, until: `2020-12-${String(until).padStart(2, '0')}T00:00:00.000000Z` })
const intervals = (...list: ByDate[]): Interval[] => list.map(({ since, until }) => ({ since, until }))
const r = (id: number, at: string | null, v = 'a'): object => ({ id, v, at })
const code = (wanted: Code) => (thrown: unknown): boolean => {
  assert.equal(thrown instanceof Error && 'code' in thrown ? thrown.code : String(thrown), wanted)
  return true
}
/** Two days, a record between midnights, one without a date, and bad ones with a date and without. */
const RECORDS = [
  r(1, '2020-12-08 20:03:16.759617'), r(2, '2020-12-09T00:00:00Z'), r(1, '2020-12-09 10:00:00', 'b'), r(3, null), 'bad', { id: 'x', v: 'a', at: '2020-12-09 11:00:00' },
  r(4, 'tomorrow'), r(5, '2020-12-08T23:59:59.999999Z'), r(6, '2020-12-31 12:00:00'), { id: 7, v: 'no member' }, r(1, '2020-12-08 23:00:00', 'c'),
]

async function arrivals(table: Table): Promise<CommittedArrival[]> {
  const all: CommittedArrival[] = []
  for await (const arrival of table.arrivals()) all.push(arrival)
  return all
}

/** Rows, losers and rejects, without the batches that they came with. */
async function contents(scene: Scene): Promise<unknown> {
  const shown = (rows: readonly Row[]): string[] => rows.map((row) => showRow(row))
  const keyed = scene.definition.keep !== null
  const rejects = (await scene.rejects()).map(({ place, code: why, column, value }) => [place, why, column, value])
  const rows = await scene.rows()
  return [keyed ? rows.map((row) => showRow(row.slice(0, -1))).toSorted() : shown(rows), shown([...rows, ...(await scene.losers())]).toSorted(), rejects]
}

export function dateCases(get: () => Variant): void {
  describe('dates', () => {
    const file = (seq = 1): Delivery => ({ seq, records: RECORDS })
    const again = (seq = 1): Delivery => ({ seq, records: RECORDS, again: true })

    for (const [turn, request] of [{ columns: COLUMNS }, { columns: COLUMNS, key: 'id' }, { columns: COLUMNS, key: 'id', mode: 'upsert' }, { columns: COLUMNS, key: 'id', mode: 'upsert', keep: 'max:at' }].entries()) {
      test(`any order of days, then everything, is everything at once (${request.key === undefined ? 'append' : (request.keep ?? request.mode ?? 'dedupe')})`, async () => {
        const whole = await Scene.open(get(), request)
        await whole.load([file()])
        await whole.load([{ seq: 2, records: [r(1, '2020-12-20 00:00:00', 'late')] }])
        await whole.check()
        for (const order of oneOf([[day(8), day(9), undefined], [day(9), day(8), undefined], [day(9, 20), day(1, 12), day(30, 31), undefined]], turn)) {
          const scene = await Scene.open(get(), request)
          for (const [at, dates] of order.entries()) {
            const batch = scene.batch([at === 0 ? file() : again()])
            await scene.commit(await scene.stage(batch, dates === undefined ? {} : { dates }))
            await scene.check()
            if (at === 0) await scene.load([{ seq: 2, records: [r(1, '2020-12-20 00:00:00', 'late')] }])
          }
          assert.deepEqual(await contents(scene), await contents(whole))
        }
      })
    }

    test('counts, and what the table tells of itself', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      assert.equal(await scene.table.dateField(), null)
      const first = await scene.load([file()], { dates: day(8) })
      assert.deepEqual(first.arrivals.map(({ seq, dates, counts }) => [seq, dates, counts.read, counts.inserted, counts.skipped, counts.quarantined]), [[1, day(8), 11, 3, 6, 2]])
      assert.equal(await scene.table.dateField(), 'at')
      const sha = first.arrivals[0]?.sha256 ?? ''
      const other = await scene.another()
      assert.deepEqual(await other.standing([sha]), new Map([[sha, { generation: 0, seq: 1, covered: { field: 'at', intervals: intervals(day(8)), read: 11 } }]]))
      const second = await scene.load([again()], { dates: day(9, 10) })
      assert.deepEqual(second.arrivals.map(({ seq, dates, counts }) => [seq, dates, counts.read, counts.inserted, counts.skipped, counts.quarantined]), [[1, day(9), 11, 2, 8, 1]])
      assert.deepEqual((await other.standing([sha])).get(sha)?.covered?.intervals, intervals(day(8, 10)), 'what touches is one')
      assert.deepEqual(await other.committed(first.batch), first)
      const last = await scene.load([again()])
      assert.deepEqual(last.arrivals.map(({ dates, counts }) => [dates, counts.inserted, counts.skipped, counts.quarantined]), [[undefined, 3, 8, 0]])
      assert.deepEqual(await other.standing([sha]), new Map([[sha, { generation: 0, seq: 1 }]]), 'everything')
      assert.deepEqual((await arrivals(other)).map(({ seq, dates }) => [seq, dates]), [[1, day(8)], [1, day(9)], [1, undefined]])
      assert.deepEqual((await other.latest()).map(({ seq }) => seq), [1])
      await scene.check()
    })

    test('dates that are in are known, and a day of which there is no record counts as in', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      await scene.load([file()], { dates: day(20, 30) })
      assert.equal((await scene.rows()).length, 0)
      assert.equal((await scene.rejects()).length, 2, 'what has no date to be told comes with the first')
      const staged = await scene.stage(scene.batch([again()]), { dates: day(21, 22) })
      assert.deepEqual(staged.outcomes.map(({ state, sameAs, covered }) => [state, sameAs, covered?.intervals]), [['known', 1, intervals(day(20, 30))]])
      const head = await scene.table.head()
      await scene.commit(staged)
      assert.deepEqual(await scene.table.head(), head)
      await scene.check()
    })

    test('ARRIVAL_COMMITTED when dates of it came in meanwhile, also by a load of everything', async () => {
      for (const request of [{ columns: COLUMNS }, { columns: COLUMNS, key: 'id' }]) {
        const scene = await Scene.open(get(), request)
        await scene.load([file()], { dates: day(8) })
        const same = await scene.stage(scene.batch([again()], { lane: 1 }), { dates: day(9) })
        const all = await scene.stage(scene.batch([again()], { lane: 2 }))
        await scene.load([again()], { dates: day(9) })
        for (const staged of [same, all]) await assert.rejects(scene.table.apply(staged, scene.definition), code('ARRIVAL_COMMITTED'))
        const late = await scene.stage(scene.batch([again()], { lane: 3 }), { dates: day(30) })
        await scene.load([again()])
        await assert.rejects(scene.table.apply(late, scene.definition), code('ARRIVAL_COMMITTED'))
        await scene.check()
      }
    })

    test('a first load by dates and one of everything: only one of them is in', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS })
      const batch = scene.batch([file()], { lane: 1 })
      const one = await scene.stage(batch, { dates: day(8) })
      const all = await scene.stage({ ...batch, id: `${batch.id}x`, lane: 2 })
      await scene.commit(one)
      await assert.rejects(scene.table.apply(all, scene.definition), code('ARRIVAL_COMMITTED'))
      await scene.check()
    })

    test('several arrivals of a batch, some of them partly in, and a copy of one', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode: 'upsert' })
      const more = { seq: 2, records: [r(9, '2020-12-08 01:00:00'), r(2, '2020-12-09 02:00:00', 'newer')] }
      await scene.load([file()], { dates: day(8) })
      const staged = await scene.stage(scene.batch([again(), more, { seq: 3, records: RECORDS }]), { dates: day(8, 10) })
      assert.deepEqual(staged.outcomes.map(({ seq, state }) => [seq, state]), [[1, 'loaded'], [2, 'loaded'], [3, 'known']])
      await scene.commit(staged)
      await scene.check()
      await scene.load([again(), { ...more, again: true }])
      await scene.check()
    })

    test('a reload takes a day of a new generation', async () => {
      const scene = await Scene.open(get(), { columns: COLUMNS, key: 'id', mode: 'upsert' })
      await scene.load([file()])
      counted(await scene.load([{ seq: 4, records: [r(1, '2020-12-08 00:00:00', 'z')] }]), { 4: { updated: 1 } })
      const receipt = await scene.load([{ ...file(5), reload: true }], { dates: day(9) })
      assert.deepEqual(receipt.arrivals.map(({ seq, generation, dates }) => [seq, generation, dates]), [[5, 1, day(9)]])
      await scene.check()
    })
  })

  describe('delta', () => {
    test('holds what the run brought: filled by each of its commits, emptied by the next run', async (t) => {
      const scene = await Scene.open(get(), { columns: 'id:int64,v:string', key: 'id', mode: 'upsert' })
      if (scene.table.settleDelta === undefined) return t.diagnostic('the target has none; the command refuses to ask for one')
      const { deltaRows } = get()
      assert.ok(deltaRows !== undefined, 'who fills deltas can show them')
      const name = `${scene.definition.table}_delta`
      const load = (run: string, ...deliveries: Delivery[]): Promise<unknown> => scene.load(deliveries, { apply: { delta: { table: name, run } } })
      const rows = async (): Promise<unknown[]> => (await deltaRows(name, scene)).toSorted()
      await load('r_1', { seq: 1, records: [{ id: 1, v: 'a' }, { id: 2, v: 'a' }, 'bad'] })
      assert.deepEqual(await rows(), ['1 a', '2 a'])
      await load('r_1', { seq: 2, records: [{ id: 2, v: 'b' }, { id: 3, v: 'b' }, { id: 1, v: 'a' }] })
      assert.deepEqual(await rows(), ['1 a', '2 b', '3 b'], 'what the run itself replaced has left')
      await load('r_2', { seq: 3, records: [{ id: 3, v: 'c' }, { id: 1, v: 'a' }] })
      assert.deepEqual(await rows(), ['3 c'])
      await scene.table.settleDelta({ table: name, run: 'r_2' })
      assert.deepEqual(await rows(), ['3 c'], 'it is this run’s already')
      await scene.table.settleDelta({ table: name, run: 'r_3' })
      assert.deepEqual(await rows(), [], 'a run that committed nothing leaves it empty')
      await scene.load([{ seq: 4, records: [{ id: 4, v: 'x' }] }])
      assert.deepEqual(await rows(), [], 'a load that does not name it leaves it alone')
      await scene.check()
    })

    test('under keep error what is evicted has left it; new columns come to it; a replace fills it anew', async (t) => {
      const { deltaRows } = get()
      const error = await Scene.open(get(), { key: 'id', keep: 'error' })
      if (error.table.settleDelta === undefined || deltaRows === undefined) return t.diagnostic('the target has none; the command refuses to ask for one')
      const delta = (scene: Scene, run: string): object => ({ apply: { delta: { table: `${scene.definition.table}_delta`, run } } })
      const rows = async (scene: Scene): Promise<unknown[]> => (await deltaRows(`${scene.definition.table}_delta`, scene)).toSorted()
      await error.load([{ seq: 5, records: [{ id: 1, v: 'five' }] }], delta(error, 'r_1'))
      await error.load([{ seq: 2, records: [{ id: 1, v: 'two', w: 'more' }] }], delta(error, 'r_1'))
      assert.deepEqual(await rows(error), ['1 two'])
      await error.check()
      const replace = await Scene.open(get(), { columns: 'id:int64,v:string', mode: 'replace' })
      await replace.load([{ seq: 1, records: [{ id: 1, v: 'a' }, { id: 1, v: 'a' }] }], delta(replace, 'r_1'))
      assert.deepEqual(await rows(replace), ['1 a', '1 a'])
      await replace.load([{ seq: 2, records: [{ id: 2, v: 'b' }] }], delta(replace, 'r_2'))
      assert.deepEqual(await rows(replace), ['2 b'])
    })

    test('TARGET_INVALID for a name that something else has; nothing is committed', async (t) => {
      const scene = await Scene.open(get(), { columns: 'id:int64,v:string' })
      if (scene.table.settleDelta === undefined) return t.diagnostic('the target has none; the command refuses to ask for one')
      const other = await Scene.open(get(), { columns: 'id:int64,v:string' })
      await other.load([{ seq: 1, records: [{ id: 1, v: 'a' }] }], { apply: { delta: { table: `${other.definition.table}_delta`, run: 'r_1' } } })
      for (const name of [scene.definition.table, other.definition.table, `${other.definition.table}_delta`]) {
        const staged = await scene.stage(scene.batch([{ seq: 1, records: [{ id: 1, v: 'a' }] }]))
        await assert.rejects(scene.table.apply(staged, scene.definition, { delta: { table: name, run: 'r_1' } }), code('TARGET_INVALID'))
      }
      assert.equal((await scene.table.head()).exists, false)
    })
  })
}
