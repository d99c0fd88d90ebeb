/** The rule as SQL is the rule of the reference: random candidates with ties, nulls and every keep. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Keep } from '../core/definition.ts'
import type { Value } from '../core/schema.ts'
import { beats, reference } from './rule.ts'
import type { Candidate } from './rule.ts'
import { beatsSql, lostSql, outcomeSql, sameSql } from './database.ts'

const KEEPS: Keep[] = [{ rule: 'first' }, { rule: 'last' }, { rule: 'error' }, { rule: 'max', column: 'v' }, { rule: 'min', column: 'v' }]
const db = new DatabaseSync(':memory:')
const bind = (value: Value): string | number | bigint | null => (typeof value === 'boolean' ? Number(value) : value)
const ask = (sql: string, ...values: Value[]): unknown => Object.values(db.prepare(`SELECT ${sql}`).get(...values.map(bind)) ?? {})[0]

// Few different values, so that ties are common. The texts sort otherwise by UTF-16 units than by UTF-8 bytes.
const KINDS: Record<string, Value[]> = {
  text: [null, '', 'a', 'a\0b', 'a\0a', 'ä', '\uffee', '😀'],
  integer: [null, -1n, 0n, 9007199254740993n, 9007199254740992n],
  double: [null, -0, 0, 1.5, -1e300],
  boolean: [null, false, true],
}
const candidates = (values: Value[]): fc.Arbitrary<Candidate[]> =>
  fc.uniqueArray(fc.record({ place: fc.bigInt(1n, 40n), value: fc.constantFrom(...values) }), { selector: (one) => one.place, minLength: 2, maxLength: 8 })

for (const keep of KEEPS) {
  for (const [kind, values] of Object.entries(KINDS)) {
    test(`${keep.rule} over ${kind}: SQL and the reference name the same winner`, () => {
      const sql = beatsSql(keep, { value: '?1', place: '?2' }, { value: '?3', place: '?4' }).replaceAll('?', '$p')
      const statement = db.prepare(`SELECT ${sql} AS wins, $p1 AS a, $p3 AS b`)
      statement.setReadBigInts(true)
      const wins = (a: Candidate, b: Candidate): boolean => statement.get({ p1: bind(a.value), p2: a.place, p3: bind(b.value), p4: b.place })?.['wins'] === 1n
      fc.assert(
        fc.property(candidates(values), (list) => {
          let best = list[0]
          for (const one of list) {
            if (best !== undefined && one !== best) assert.equal(wins(one, best), beats(keep, one, best))
            if (best !== undefined && wins(one, best)) best = one
          }
          assert.equal(best, reference(keep, list))
        }),
        { numRuns: 150 },
      )
    })
  }
}

test('equal is equal with nulls, and -0.0 is 0.0', () => {
  assert.equal(ask(sameSql([['?1', '?2'], ['?3', '?4']]), null, null, -0, 0), 1)
  assert.equal(ask(sameSql([['?1', '?2'], ['?3', '?4']]), null, 'a', 1, 1), 0)
  assert.equal(ask(sameSql([])), 1)
})

test('a comparison of 1,900 columns is not too deep for SQLite', () => {
  assert.equal(ask(sameSql(Array.from({ length: 1900 }, () => ['1', '1'] as const))), 1)
})

test('the classes of the balance', () => {
  const [first, last, error] = KEEPS
  assert.ok(first !== undefined && last !== undefined && error !== undefined)
  assert.equal(ask(outcomeSql(last, 'NULL', '0', '0')), 'inserted')
  assert.equal(ask(outcomeSql(last, '1', '1', '0')), 'updated')
  assert.equal(ask(outcomeSql(last, '1', '1', '1')), 'duplicate')
  assert.equal(ask(outcomeSql(last, '1', '0', '0')), 'stale')
  assert.equal(ask(lostSql(first, '0')), 'duplicate')
  assert.equal(ask(lostSql(error, '1')), 'duplicate')
  assert.equal(ask(lostSql(error, '0')), 'KEY_REPEATED')
})
