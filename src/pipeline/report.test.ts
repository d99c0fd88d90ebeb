/** What a batch tells beside its counts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leftOutNotes } from './report.ts'

const members = (n: number): { member: string; records: number }[] => Array.from({ length: n }, (_, i) => ({ member: `m${i}`, records: 3 }))

test('members that are not declared are named, and from many the first', () => {
  assert.deepEqual(leftOutNotes(members(1)), ['The member m0 of 3 records is not among the declared columns and was left out.'])
  assert.equal(leftOutNotes(members(21)).length, 21, 'a line that counts one would save nothing')
  const many = leftOutNotes(members(9_998))
  assert.equal(many.length, 21)
  assert.equal(many.at(-1), '9978 more members are not among the declared columns and were left out, the last of them m9997.')
})
