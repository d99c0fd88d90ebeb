/** What is said of a word that is neither a path nor a pipeline. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LoadedConfig } from '../config/config.ts'
import { noPipeline } from './pipeline.ts'

const config: LoadedConfig = { path: '/x/sluice.config.ts', pipelines: new Map([['orders', { name: 'orders', verb: 'load', members: {} }]]), defaults: {} }

test('a word that might have been a pipeline is told from a path', () => {
  assert.match(noPipeline(['orders'], null).hint ?? '', /nothing named orders here, and no sluice\.config\.ts/)
  assert.match(noPipeline(['oders'], config).hint ?? '', /sluice\.config\.ts has no pipeline oders; is orders meant\?$/)
  assert.deepEqual(noPipeline([import.meta.filename, 'in/*.json'], config), {})
})
