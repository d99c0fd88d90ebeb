/** Numbers and lines as people read them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { noBalance } from '../core/balance.ts'
import { balanceLine, bytes, columns, duration, rate, time } from './format.ts'

test('the balance line is the one of the documentation', () => {
  const balance = { ...noBalance(), read: 12_480, inserted: 11_902, updated: 310, duplicate: 251, quarantined: 17 }
  assert.equal(balanceLine(balance), '12,480 read = 11,902 inserted + 310 updated + 251 duplicate + 17 quarantined   ✓ balances')
})

test('stale, skipped and evicted are said when there are any', () => {
  const balance = { ...noBalance(), read: 6, inserted: 1, stale: 2, skipped: 3, evicted: 4 }
  assert.equal(balanceLine(balance), '6 read = 1 inserted + 0 updated + 0 duplicate + 2 stale + 3 skipped + 0 quarantined   ✓ balances   4 evicted')
})

test('what does not balance says by how much', () => {
  assert.match(balanceLine({ ...noBalance(), read: 5, inserted: 2 }), /✗ 3 missing$/)
  assert.match(balanceLine({ ...noBalance(), read: 1, inserted: 3 }), /✗ 2 too many$/)
})

test('sizes, rates and times', () => {
  assert.deepEqual([bytes(0), bytes(999), bytes(1000), bytes(999_949), bytes(999_951), bytes(81_249_000)], ['0 B', '999 B', '1.0 kB', '999.9 kB', '1.0 MB', '81.2 MB'])
  assert.deepEqual([rate(12), rate(412_300), rate(1_250_000), rate(12_500_000)], ['12', '412k', '1.3M', '13M'])
  assert.deepEqual([duration(7412), duration(59_990), duration(3_723_040)], ['0:07.4', '1:00.0', '1:02:03.0'])
  assert.deepEqual([time(0), time(null)], ['1970-01-01 00:00:00', ''])
})

test('columns are aligned, control characters cannot move the cursor', () => {
  const text = columns([{ name: 'name' }, { name: 'rows', right: true }], [['a\u001b[2J\nb', '1'], ['größe', '12,000']])
  assert.equal(text, 'name       rows\na [2J b       1\ngröße    12,000')
})
