/** What an editor shows in red: `npm run typecheck` fails when a line marked here compiles, or an unmarked one does not. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { defineConfig, definePipeline } from '../index.ts'

test('right pipelines compile, and are what they were', () => {
  const pipeline = definePipeline({ name: 'o', load: ['in', 'more/*.csv'], into: 'o', key: ['id', 'ts'], mode: 'upsert', keep: 'max:v', columns: { id: 'string' }, maxBad: '1%', memory: '2GB', grace: '30s' })
  assert.equal(pipeline.name, 'o')
  const config = defineConfig({ defaults: { dataDir: 'lake', verbosity: 'warn', logKeep: '30d' }, pipelines: { o: { load: 'in', into: 'o', to: 'sqlite:x.db' } } })
  assert.deepEqual(Object.keys(config.pipelines), ['o'])
})

test('wrong ones do not', () => {
  const wrong = [
    // @ts-expect-error an unknown member
    definePipeline({ name: 'o', load: 'in', into: 'o', kye: 'id' }),
    // @ts-expect-error no table
    definePipeline({ name: 'o', load: 'in' }),
    // @ts-expect-error no mode
    definePipeline({ name: 'o', load: 'in', into: 'o', mode: 'insert' }),
    // @ts-expect-error no type of a column
    definePipeline({ name: 'o', load: 'in', into: 'o', columns: { id: 'text' } }),
    // @ts-expect-error a size without its unit
    definePipeline({ name: 'o', load: 'in', into: 'o', memory: '512' }),
    // @ts-expect-error no target
    definePipeline({ name: 'o', load: 'in', into: 'o', to: 'oracle:x' }),
    // @ts-expect-error for one command line only
    definePipeline({ name: 'o', load: 'in', into: 'o', reload: true }),
    // @ts-expect-error one table's own setting among the defaults
    defineConfig({ pipelines: {}, defaults: { key: 'id' } }),
  ]
  assert.equal(wrong.length, 8)
})
