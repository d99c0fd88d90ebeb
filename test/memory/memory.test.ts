/** The contract of targets against the table in memory, staged by the engine in memory. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { targetContract } from '../contract/target.ts'
import { memoryEngine } from './engine.ts'
import { memoryTarget } from './table.ts'
import type { Store } from './table.ts'

targetContract('memory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-memory-'))
  const store: Store = new Map()
  return {
    engine: memoryEngine(),
    target: () => memoryTarget(store),
    tampered: () => memoryEngine(),
    folder,
    deltaRows: async (name, { definition }) => (store.get(definition.table)?.deltas.get(name)?.rows ?? []).map((row) => `${String(row[0])} ${String(row[1])}`),
    dispose: async () => rmSync(folder, { recursive: true }),
  }
})

test('the engine in memory has no SQL', async () => {
  await assert.rejects(memoryEngine().session(), { code: 'LATER' })
})
