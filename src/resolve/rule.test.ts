/** The winner rule: examples of every rule, and the laws that let commits be decided one after another. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Keep } from '../core/definition.ts'
import type { Value } from '../core/schema.ts'
import { beats, compareValues, reference } from './rule.ts'
import type { Candidate } from './rule.ts'

const KEEPS: readonly Keep[] = [{ rule: 'first' }, { rule: 'last' }, { rule: 'error' }, { rule: 'max', column: 'v' }, { rule: 'min', column: 'v' }]
const c = (place: number, value: Value = null): Candidate => ({ place: BigInt(place), value })
const winner = (keep: Keep, ...candidates: Candidate[]): Candidate | undefined => reference(keep, candidates)

const sameType = fc.constantFrom<fc.Arbitrary<Value>>(
  fc.constantFrom('', 'a', 'b', '\u{FF5E}', '\u{1F600}', '\u{E000}', '\u{10000}'),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: 0n, max: 2n }),
  fc.double({ noNaN: true }),
  fc.boolean(),
)
/** Candidates of one column, with different places, as the records of one key are. */
const candidates = sameType.chain((value) =>
  fc.uniqueArray(fc.record({ place: fc.bigInt({ min: 0n, max: 40n }), value: fc.option(value) }), { selector: (one) => one.place, maxLength: 12 }),
)

describe('the winner rule', () => {
  test('first and error: lowest place; last: highest', () => {
    const list = [c(2), c(1), c(3)]
    assert.equal(winner({ rule: 'first' }, ...list)?.place, 1n)
    assert.equal(winner({ rule: 'error' }, ...list)?.place, 1n)
    assert.equal(winner({ rule: 'last' }, ...list)?.place, 3n)
    assert.equal(winner({ rule: 'last' }), undefined)
  })
  test('max and min: by value; null loses; equal values: highest place under max, lowest under min', () => {
    const [max, min] = [{ rule: 'max', column: 'v' }, { rule: 'min', column: 'v' }] as const
    assert.equal(winner(max, c(1, 5n), c(2, 7n), c(3, 6n))?.place, 2n)
    assert.equal(winner(min, c(1, 5n), c(2, 7n), c(3, 6n))?.place, 1n)
    for (const keep of [max, min]) {
      assert.equal(winner(keep, c(1), c(2, 0n), c(3))?.place, 2n)
      assert.equal(winner(keep, c(2, 0n), c(1), c(3))?.place, 2n)
    }
    assert.equal(winner(max, c(1, 'x'), c(2, 'x'))?.place, 2n)
    assert.equal(winner(min, c(1, 'x'), c(2, 'x'))?.place, 1n)
    assert.equal(winner(max, c(1), c(2))?.place, 2n)
    assert.equal(winner(min, c(2), c(1))?.place, 1n)
    assert.equal(winner(max, c(1, -0), c(2, 0))?.place, 2n, '-0 is 0')
    assert.equal(winner(max, c(2, -0), c(1, 0))?.place, 2n, '-0 is 0')
  })
  test('text goes by UTF-8 bytes', () => {
    assert.deepEqual(['\u{FF5E}', '\u{1F600}'].toSorted((a, b) => (a < b ? -1 : 1)), ['\u{1F600}', '\u{FF5E}'], 'UTF-16 units say otherwise')
    assert.ok(compareValues('\u{FF5E}', '\u{1F600}') < 0)
    assert.ok(compareValues('Z', 'a') < 0)
    assert.ok(compareValues('a', 'a\0') < 0)
  })
  test('every other type goes by value', () => {
    assert.ok(compareValues(9n, 10n) < 0)
    assert.ok(compareValues(-1.5, 0.5) < 0)
    assert.ok(compareValues(false, true) < 0)
    assert.equal(compareValues(null, null), 0)
    assert.ok(compareValues(null, false) < 0)
  })
})

describe('its laws', () => {
  for (const keep of KEEPS) {
    const name = keep.rule
    test(`${name}: the winner of a union is the winner of the winners`, () => {
      fc.assert(
        fc.property(candidates, fc.array(fc.nat(3), { minLength: 12, maxLength: 12 }), (all, cuts) => {
          const groups = [...Map.groupBy(all, (one) => cuts[all.indexOf(one)]).values()]
          assert.deepEqual(reference(keep, groups.flatMap((group) => reference(keep, group) ?? [])), reference(keep, all))
        }),
      )
    })
    test(`${name}: the order does not matter`, () => {
      const shuffled = candidates.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })))
      fc.assert(fc.property(shuffled, ([all, other]) => assert.deepEqual(reference(keep, other), reference(keep, all))))
    })
    test(`${name}: a total order: exactly one of two wins, and it is transitive`, () => {
      fc.assert(
        fc.property(candidates, (all) => {
          for (const a of all) for (const b of all) {
            if (a !== b) assert.notEqual(beats(keep, a, b), beats(keep, b, a))
            for (const d of all) if (beats(keep, a, b) && beats(keep, b, d)) assert.ok(beats(keep, a, d))
          }
        }),
      )
    })
  }
})
