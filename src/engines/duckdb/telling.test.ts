/** Events wait for one another, never behind what is said after them. */
import assert from 'node:assert/strict'
import { setImmediate as breathe } from 'node:timers/promises'
import { test } from 'node:test'
import type { ToParent } from './protocol.ts'
import { Telling } from './telling.ts'

test('the first event goes at once, those of the next moment together, and an answer behind all of them', async () => {
  const said: ToParent[] = []
  let now = 100
  const telling = new Telling((message) => said.push(message), { monotonic: () => now })
  const begin = (seq: number): { kind: 'arrival.begin'; seq: number } => ({ kind: 'arrival.begin', seq })
  telling.event(1, begin(1))
  assert.deepEqual(said, [{ from: 'events', id: 1, events: [begin(1)] }])
  telling.event(1, begin(2))
  telling.event(1, begin(3))
  assert.equal(said.length, 1)
  now += 1000
  telling.event(1, begin(4))
  assert.deepEqual(said[1], { from: 'events', id: 1, events: [begin(2), begin(3), begin(4)] })
  telling.event(1, begin(5))
  telling.event(2, begin(6))
  telling.tell({ from: 'done', id: 2, value: null })
  assert.deepEqual(said.slice(2), [{ from: 'events', id: 1, events: [begin(5)] }, { from: 'events', id: 2, events: [begin(6)] }, { from: 'done', id: 2, value: null }])
  telling.event(2, begin(7))
  await breathe()
  await breathe()
  assert.deepEqual(said.at(-1), { from: 'events', id: 2, events: [begin(7)] })
})
