/** Intervals: how they are written, what they come to together, and who may enter. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ArrivalOutcome } from './arrival.ts'
import { isCovered, joinCovered, mayEnter, microsOf, parseInstant, parseInterval, showInterval, showIntervals, union } from './interval.ts'
import type { Interval } from './interval.ts'

const d = (day: number): string => `2020-12-${String(day).padStart(2, '0')}T00:00:00.000000Z`
const i = (since: number | null, until: number | null): Interval => ({ since: since === null ? null : d(since), until: until === null ? null : d(until) })

test('dates and timestamps, in UTC unless a zone says otherwise', () => {
  const read = (text: string): string => parseInstant('--since', text)
  assert.equal(read('2020-12-08'), '2020-12-08T00:00:00.000000Z')
  assert.equal(read('2020-12-08 06:30'), '2020-12-08T06:30:00.000000Z')
  assert.equal(read('2020-12-08T06:30:15.5'), '2020-12-08T06:30:15.500000Z')
  assert.equal(read('2020-12-08T01:30:00+02:00'), '2020-12-07T23:30:00.000000Z')
  assert.equal(read('2020-12-08T23:30:00.123456-0030'), '2020-12-09T00:00:00.123456Z')
  assert.equal(read('0099-01-01'), '0099-01-01T00:00:00.000000Z')
  for (const wrong of ['', 'today', '2020-13-01', '2021-02-29', '2020-12-08T24:00', '2020-12-08T10', '08.12.2020', '2020-12-08T10:00:00.1234567', '2020-12-08T10:00+25:00', '9999-12-31T23:59:59-02:00']) {
    assert.throws(() => read(wrong), { code: 'USAGE' }, wrong)
  }
  assert.deepEqual(parseInterval('2020-12-08', undefined), { since: d(8), until: null })
  for (const until of ['2020-12-08', '2020-12-07']) assert.throws(() => parseInterval('2020-12-08', until), { code: 'USAGE' })
  assert.equal(microsOf('1969-12-31T23:59:59.999999Z'), -1n)
  assert.equal(microsOf('1970-01-01T00:00:01.000002Z'), 1_000_002n)
})

test('a union holds what any of them holds, in order and apart', () => {
  const end = fc.option(fc.integer({ min: 1, max: 28 }), { nil: null })
  const interval = fc.tuple(end, end).filter(([a, b]) => a === null || b === null || a < b).map(([a, b]) => i(a, b))
  const holds = (list: readonly Interval[], at: string): boolean => list.some(({ since, until }) => (since === null || at >= since) && (until === null || at < until))
  fc.assert(fc.property(fc.array(interval, { maxLength: 6 }), interval, (list, asked) => {
    const joined = union(list)
    const points = ['0001-01-01T00:00:00.000000Z', ...Array.from({ length: 31 }, (_, at) => d(at + 1)), '9999-12-31T23:59:59.999999Z']
    for (const at of points) assert.equal(holds(joined, at), holds(list, at), at)
    for (const [at, { since }] of joined.entries()) if (at > 0) assert.ok(since !== null && (joined[at - 1]?.until ?? '~') < since)
    assert.equal(isCovered(joined, asked), points.every((at) => !holds([asked], at) || holds(joined, at)))
  }))
})

test('everything covers everything; no interval does, for records without a date', () => {
  assert.equal(isCovered(null, null), true)
  assert.equal(isCovered(null, i(8, 9)), true)
  assert.equal(isCovered([i(null, null)], null), false)
  assert.equal(isCovered([i(null, null)], i(8, 9)), true)
  assert.equal(isCovered([i(7, 8), i(9, 10)], i(7, 10)), false)
  assert.equal(joinCovered({ field: 'at', intervals: [i(8, 9)], read: 3 }, undefined, 3), undefined)
  assert.deepEqual(joinCovered(undefined, { field: 'at', ...i(8, 9) }, 3), { field: 'at', intervals: [i(8, 9)], read: 3 })
})

test('what was staged may enter only while the table is as it was then', () => {
  const outcome: ArrivalOutcome = { seq: 1, state: 'loaded', sha256: 'a', generation: 0, sameAs: null, bytes: 1, read: 3, skipped: 0, rejected: 0, fault: null }
  const after = { field: 'at', intervals: [i(8, 9)], read: 3 }
  assert.equal(mayEnter(outcome, undefined, false), true)
  assert.equal(mayEnter(outcome, undefined, true), false, 'its number is taken')
  assert.equal(mayEnter(outcome, { seq: 2, generation: 0 }, false), false, 'its bytes are in')
  assert.equal(mayEnter(outcome, { seq: 2, generation: 0, covered: after }, false), false, 'some of them are')
  assert.equal(mayEnter({ ...outcome, generation: 1 }, { seq: 2, generation: 0 }, false), true, 'a reload')
  const more = { ...outcome, after }
  assert.equal(mayEnter(more, { seq: 1, generation: 0, covered: { ...after, field: 'AT' } }, true), true)
  assert.equal(mayEnter(more, { seq: 1, generation: 0 }, true), false, 'everything is in')
  assert.equal(mayEnter(more, { seq: 1, generation: 0, covered: { ...after, intervals: [i(8, 10)] } }, true), false)
  assert.equal(mayEnter(more, { seq: 1, generation: 0, covered: { ...after, field: 'other' } }, true), false)
  assert.equal(mayEnter(more, { seq: 2, generation: 0, covered: after }, true), false)
  assert.equal(mayEnter(more, undefined, true), false)
})

test('they are shown as short as they are', () => {
  assert.equal(showInterval(i(8, 9)), '2020-12-08 to 2020-12-09')
  assert.equal(showIntervals([i(null, 3), { since: '2020-12-08T06:30:00.500000Z', until: null }]), 'before 2020-12-03, from 2020-12-08T06:30:00.5Z')
  assert.equal(showInterval(i(null, null)), 'every date')
})
