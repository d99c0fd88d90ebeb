/** The policy of trying again, as a table. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkerDied, poisoned } from '../core/death.ts'
import type { Death, LastSeen } from '../core/death.ts'
import type { Batch } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { Code } from '../core/errors.ts'
import { groupsOf, isCondemned, judge, lastSeen } from './retry.ts'

const CASES: readonly [Code, { unexplained?: number; attempts?: number; last?: Partial<LastSeen>; first?: boolean }, string][] = [
  ['ARRIVAL_COMMITTED', {}, 'again'],
  ['SCHEMA_MOVED', { attempts: 99 }, 'again'],
  ['SCHEMA_MOVED', { attempts: 100 }, 'stop'],
  ['FENCED', {}, 'drop'],
  ['ENGINE_DIED', { unexplained: 9 }, 'again'],
  ['ENGINE_DIED', { unexplained: 10 }, 'stop'],
  ['ENGINE_DIED', { unexplained: 1, last: { guilty: false } }, 'again'],
  ['ENGINE_DIED', { last: { guilty: true } }, 'split'],
  ['ENGINE_DIED', { last: { guilty: true, stray: true } }, 'split'],
  ['ENGINE_DIED', { last: { guilty: true }, first: true }, 'split'],
  ['ENGINE_DIED', { last: { guilty: true, stray: true }, first: true }, 'again'],
  ['ENGINE_DIED', { last: { guilty: true, stray: true }, first: true, attempts: 2 }, 'split'],
  ['MEMORY_EXHAUSTED', {}, 'split'],
  ['DISK_FULL', {}, 'stop'],
  ['BALANCE_BROKEN', {}, 'stop'],
  ['KEY_UNKNOWN', {}, 'stop'],
]

for (const [code, { unexplained = 0, attempts = 1, last, first = false }, verdict] of CASES) {
  test(`${code} after ${attempts} attempts and ${unexplained} deaths${last === undefined ? '' : ` ${JSON.stringify(last)}`}${first ? ', no table yet' : ''}: ${verdict}`, () => {
    const error = last === undefined ? new SluiceError(code, 'x') : new WorkerDied('x', { how: 'died', begun: null, offset: null, guilty: false, silent: false, memory: false, stray: false, ...last })
    assert.equal(judge(error, unexplained, attempts, first), verdict)
  })
}

function batchOf(seqs: readonly number[], alone: readonly boolean[] = []): Batch {
  const deaths = alone.map((each, n) => ({ attempt: n + 1, alone: each, how: 'died', offset: 0, at: 0 }))
  return { id: 'b', lane: 0, fence: 1, table: 't', arrivals: seqs.map((seq) => ({ seq, pin: { uri: `/${seq}`, size: 1, stamp: 's', modified: 0 }, reload: false, replaced: false, deaths })) }
}

test('the arrival that was being read is cut out; without one the batch is halved, and cut in eight after a silence', () => {
  const died = (begun: number | null, silent = false): { begun: number | null; silent: boolean } => ({ begun, silent })
  assert.deepEqual(groupsOf(batchOf([1, 2, 3]), died(2)), [[2], [1, 3]])
  assert.deepEqual(groupsOf(batchOf([1, 2, 3]), died(2, true)), [[2], [1, 3]])
  assert.deepEqual(groupsOf(batchOf([1, 2, 3]), died(null)), [[1, 2], [3]])
  assert.deepEqual(groupsOf(batchOf([1, 2, 3]), died(9)), [[1, 2], [3]])
  assert.deepEqual([groupsOf(batchOf([4]), died(4)), groupsOf(batchOf([4]), died(null)), groupsOf(batchOf([4]), died(null, true))], [[[4]], [[4]], [[4]]])
  const seqs = Array.from({ length: 1000 }, (_, at) => at + 1)
  const parts = groupsOf(batchOf(seqs), died(null, true))
  assert.deepEqual([parts.length, parts[0]?.length, parts.flat()], [8, 125, seqs])
  assert.deepEqual(groupsOf(batchOf([1, 2, 3]), died(null, true)), [[1], [2], [3]])
})

test('only deaths alone count to three', () => {
  assert.equal(isCondemned(batchOf([1], [false, true, true])), false)
  assert.equal(isCondemned(batchOf([1], [false, true, true, true])), true)
  assert.equal(isCondemned(batchOf([1, 2], [true, true, true])), false)
})

test('a file whose processes only want more memory after it was read is no poison; one that is at fault even once is', () => {
  const death = (more: object): Death => ({ attempt: 1, alone: true, how: 'ran out of memory (200 MiB used)', offset: null, at: 0, memory: true, ...more })
  const code = (...deaths: Death[]): string => poisoned('/in/f.json', deaths).code
  assert.equal(code(death({}), death({}), death({})), 'MEMORY_EXHAUSTED')
  assert.match(poisoned('/in/f.json', [death({})]).message, /^\/in\/f.json: .* --memory: attempt 1 ran out of memory \(200 MiB used\) \(read to its end\)\.$/)
  assert.equal(code(death({}), death({ offset: 9 }), death({})), 'FILE_POISONED')
  assert.equal(code(death({}), death({}), { attempt: 3, alone: true, how: 'was killed by SIGSEGV', offset: null, at: 0 }), 'FILE_POISONED')
  const { how, memory } = lastSeen(new SluiceError('MEMORY_EXHAUSTED', 'Out of Memory Error: x\nin: SELECT')) ?? {}
  assert.deepEqual([how, memory], ['ran out of memory (Out of Memory Error: x)', true])
})
