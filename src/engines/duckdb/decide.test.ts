/** Known contents, copies within a batch, reloads and replaced paths. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import type { Arrival, ArrivalOutcome } from '../../core/arrival.ts'
import { decide } from './decide.ts'

interface Case {
  sha: string
  reload?: boolean
  replaced?: boolean
  former?: string
  state?: ArrivalOutcome['state']
}

function decided(cases: readonly Case[], options: { standing?: Record<string, number>; reloaded?: string[]; append?: boolean; revision?: boolean } = {}): unknown[] {
  const arrivals = cases.map(({ reload = false, replaced = false, former }, at): Arrival => ({ seq: at + 1, pin: { uri: `/in/${at + 1}`, size: 1, stamp: '', modified: 0 }, reload, replaced, ...(former === undefined ? {} : { former }) }))
  const read = cases.map(({ sha, state = 'loaded' }, at): ArrivalOutcome => ({ seq: at + 1, state, sha256: sha, generation: 0, sameAs: null, bytes: 1, read: 1, skipped: 0, rejected: 0, fault: null }))
  const standing = new Map(Object.entries(options.standing ?? {}).map(([sha, generation]) => [sha, { generation, seq: 90 }]))
  const { outcomes, excluded } = decide(arrivals, read, standing, new Set(options.reloaded), options)
  return [...outcomes.map(({ state, generation, sameAs, fault }) => [state, generation, sameAs, ...(fault === null ? [] : [fault.code])].join(' ')), excluded]
}

test('contents of the table are known, copies in a batch belong to the lowest number', () => {
  assert.deepEqual(decided([{ sha: 'a' }, { sha: 'b' }, { sha: 'b' }], { standing: { a: 3 } }), ['known 3 90', 'loaded 0 ', 'known 0 2', [1, 3]])
})

test('a reload takes the next generation once, and generation 0 for the first time', () => {
  assert.deepEqual(decided([{ sha: 'a', reload: true }, { sha: 'a', reload: true }, { sha: 'b', reload: true }], { standing: { a: 0 } }), ['loaded 1 ', 'known 1 1', 'loaded 0 ', [2]])
  assert.deepEqual(decided([{ sha: 'a', reload: true }], { standing: { a: 1 }, reloaded: ['a'] }), ['known 1 90', [1]])
  assert.deepEqual(decided([{ sha: 'a' }, { sha: 'a', reload: true }], { standing: { a: 0 } }), ['known 0 90', 'loaded 1 ', [1]])
})

test('append refuses other content under a path that it has, unless it is known anyway', () => {
  const cases = [{ sha: 'a', replaced: true }, { sha: 'b', replaced: true }, { sha: 'c' }]
  assert.deepEqual(decided(cases, { append: true, standing: { b: 0 } }), ['failed 0  FILE_CHANGED', 'known 0 90', 'loaded 0 ', [1, 2]])
  assert.deepEqual(decided(cases, { standing: { b: 0 } }), ['loaded 0 ', 'known 0 90', 'loaded 0 ', [2]])
})

test('by revision, known bytes count again where the path held others, and only there', () => {
  const cases = [{ sha: 'a', replaced: true, former: 'b' }, { sha: 'c', replaced: true, former: 'c' }, { sha: 'd' }]
  assert.deepEqual(decided(cases, { revision: true, standing: { a: 0, c: 0, d: 2 } }), ['loaded 1 ', 'known 0 90', 'known 2 90', [2, 3]])
  assert.deepEqual(decided(cases, { standing: { a: 0, c: 0, d: 2 } }), ['known 0 90', 'known 0 90', 'known 2 90', [1, 2, 3]])
})

test('a file that failed takes no content', () => {
  assert.deepEqual(decided([{ sha: 'a', state: 'failed' }, { sha: 'a' }]), ['failed 0 ', 'loaded 0 ', []])
})
