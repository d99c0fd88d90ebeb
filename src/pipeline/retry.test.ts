/** The policy of trying again, as a table. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SluiceError } from '../core/errors.ts'
import type { Code } from '../core/errors.ts'
import { judge } from './retry.ts'

const CASES: readonly [Code, { deaths?: number; attempts?: number; alone?: boolean }, string][] = [
  ['ARRIVAL_COMMITTED', {}, 'again'],
  ['SCHEMA_MOVED', { attempts: 99 }, 'again'],
  ['SCHEMA_MOVED', { attempts: 100 }, 'stop'],
  ['FENCED', {}, 'drop'],
  ['ENGINE_DIED', { deaths: 2 }, 'again'],
  ['ENGINE_DIED', { deaths: 3 }, 'stop'],
  ['ENGINE_DIED', { deaths: 3, alone: true }, 'condemn'],
  ['DISK_FULL', {}, 'stop'],
  ['BALANCE_BROKEN', {}, 'stop'],
  ['KEY_UNKNOWN', {}, 'stop'],
]

for (const [code, { deaths = 0, attempts = 1, alone = false }, verdict] of CASES) {
  test(`${code} after ${attempts} attempts and ${deaths} deaths${alone ? ', one file' : ''}: ${verdict}`, () => {
    assert.equal(judge(new SluiceError(code, 'x'), deaths, attempts, alone), verdict)
  })
}
