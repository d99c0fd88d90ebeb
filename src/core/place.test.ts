/** Places: one number out of two, and back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_ROW, MAX_SEQ, placeOf, rowOf, seqOf } from './place.ts'

test('a place is seq × 2³² + row, and gives both back', () => {
  assert.equal(placeOf(1, 1), 4294967297n)
  for (const seq of [0, 1, 2 ** 30, MAX_SEQ]) {
    for (const row of [0, 1, 2 ** 31, MAX_ROW]) {
      const place = placeOf(seq, row)
      assert.deepEqual([seqOf(place), rowOf(place)], [seq, row])
      assert.equal(BigInt.asIntN(64, place), place, 'a signed 64-bit integer holds it')
    }
  }
})

test('places order by arrival, then by row', () => {
  assert.ok(placeOf(1, MAX_ROW) < placeOf(2, 1))
  assert.ok(placeOf(2, 1) < placeOf(2, 2))
})
