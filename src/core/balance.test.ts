/** The balance: it adds up or nothing is committed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OUTCOMES, addBalance, checkBalance, missing, noBalance } from './balance.ts'
import type { Balance } from './balance.ts'

const of = (terms: Partial<Balance>): Balance => ({ ...noBalance(), ...terms })
const broken = (counts: Record<number, Partial<Balance>>, before: number, after: number, message: RegExp): void => {
  const map = new Map(Object.entries(counts).map(([seq, terms]) => [Number(seq), of(terms)]))
  assert.throws(() => checkBalance(map, { before, after }), { code: 'BALANCE_BROKEN', message })
}

test('every term counts once', () => {
  for (const term of OUTCOMES) {
    assert.equal(missing(of({ read: 1, [term]: 1 })), 0)
    assert.equal(missing(of({ [term]: 1 })), -1)
  }
  assert.equal(missing(of({ read: 3, inserted: 1 })), 2)
})

test('addBalance adds every term to the first', () => {
  const sum = of({ read: 1, inserted: 1 })
  const more = of({ read: 6, inserted: 1, updated: 1, duplicate: 1, stale: 1, skipped: 1, quarantined: 1 })
  assert.equal(addBalance(sum, more), sum)
  assert.deepEqual(sum, { ...more, read: 7, inserted: 2 })
})

test('what balances passes', () => {
  checkBalance(new Map([[1, of({ read: 3, inserted: 2, duplicate: 1 })], [4, of({ read: 2, updated: 1, quarantined: 1 })]]), { before: 10, after: 12 })
  checkBalance(new Map(), { before: 5, after: 5 })
})

test('a lost or doubled record is named by its arrival', () => {
  broken({ 7: { read: 3, inserted: 2 } }, 0, 2, /arrival 7.*1 missing/)
  broken({ 7: { read: 1, inserted: 2 } }, 0, 2, /arrival 7.*1 too many/)
})

test('arrivals do not make up for one another', () => {
  broken({ 1: { read: 2, inserted: 1 }, 2: { read: 1, inserted: 2 } }, 0, 3, /arrival 1/)
})

test('the table itself must have grown by what was inserted', () => {
  broken({ 1: { read: 2, inserted: 2 } }, 5, 6, /from 5 to 6 rows, but 2/)
  broken({ 1: { read: 1, updated: 1 } }, 5, 4, /from 5 to 4/)
})
