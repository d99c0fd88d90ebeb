/** The one line that a sync ends with. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { syncLine } from './sync.ts'

const none = { total: 0, copied: 0, replaced: 0, repaired: 0, verified: 0, known: 0, waiting: 0, failed: 0, ignored: 0, gone: 0, removed: 0 }

test('all of them: equal at both ends', () => {
  assert.equal(syncLine({ files: { ...none, total: 3, copied: 1, known: 2 } }), '3 files = 1 copied + 2 known   ✓ SHA-256 equal at both ends')
})

test('a sync that ended before it came to all of them says how many are left, and proves nothing of them', () => {
  assert.equal(syncLine({ files: { ...none, total: 15, copied: 4 } }), '15 files = 4 copied + 11 left to do   ✗ not all of them were copied')
})

test('what failed and what waits', () => {
  assert.equal(syncLine({ files: { ...none, total: 3, copied: 1, waiting: 1, failed: 1, gone: 1 } }), '3 files = 1 copied + 1 waiting + 1 failed   ✗ not all of them were copied   1 gone')
})
