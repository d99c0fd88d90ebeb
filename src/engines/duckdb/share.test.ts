/** The division of memory. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { SluiceError } from '../../core/errors.ts'
import { divide } from './share.ts'

test('512 MB make one child whose DuckDB has 181 MB', () => {
  const share = divide(512_000_000, 8)
  assert.deepEqual([share.jobs, share.duckdb, share.threads, share.notice], [1, 181_000_000, 8, null])
})

test('jobs are bounded by cores and by memory, and a higher wish is lowered and said', () => {
  assert.equal(divide(1_000_000_000, 8).jobs, 2)
  assert.equal(divide(8_000_000_000, 4).jobs, 4)
  const wished = divide(1_000_000_000, 8, 5)
  assert.equal(wished.jobs, 2)
  assert.match(wished.notice ?? '', /--jobs 5 is lowered to 2/)
  assert.deepEqual([divide(8_000_000_000, 4, 1).jobs, divide(8_000_000_000, 4, 1).notice], [1, null])
})

test('less than 512 MB is refused', () => {
  assert.throws(() => divide(511_999_999, 2), (thrown: unknown) => thrown instanceof SluiceError && thrown.code === 'MEMORY_TOO_SMALL')
})
