/** The order in which sources count, where each value comes from, and variables that are almost settings. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { scratch } from '../../test/command.ts'
import { SluiceError } from '../core/errors.ts'
import { readConfig } from './config.ts'
import { effective, misspelt } from './effective.ts'
import type { Sources } from './effective.ts'
import { loadEnvFile } from './environment.ts'
import { LOAD_SETTINGS } from './load.ts'
import { VERBS } from './pipeline.ts'
import { hasVariable, variableOf } from './settings.ts'

test('flag > environment > env file > pipeline > defaults > default, each with its place', async (t) => {
  const folder = scratch(t)
  const path = join(folder, 'sluice.config.mjs')
  writeFileSync(path, `export default {\n  defaults: { jobs: 6,\n    memory: '6GB' },\n  pipelines: { p: {\n    load: 'in', into: 't',\n    jobs: 5 } },\n}\n`)
  writeFileSync(join(folder, '.env'), '# all\nSLUICE_GRACE=1m\n\nexport SLUICE_JOBS=4\nSLUICE_JOBS=3\nSLUICE_MAX_BAD=\n')
  const config = await readConfig(undefined, folder)
  const pipeline = config?.pipelines.get('p') ?? null
  const all: Sources = { flags: { jobs: '1' }, env: { SLUICE_JOBS: '2' }, envFile: null, config, pipeline }
  const fileEnv: NodeJS.ProcessEnv = {}
  const envFile = loadEnvFile(undefined, folder, fileEnv)
  const steps: [Partial<Sources>, number | undefined, string, string][] = [
    [{}, 1, 'flag', '--jobs'],
    [{ flags: {} }, 2, 'environment', 'SLUICE_JOBS'],
    [{ flags: {}, env: fileEnv, envFile }, 3, 'env file', `${join(folder, '.env')}:5 SLUICE_JOBS`],
    [{ flags: {}, env: {} }, 5, 'pipeline', `${path} p.jobs`],
    [{ flags: {}, env: {}, pipeline: null }, 6, 'defaults', `${path} defaults.jobs`],
    [{ flags: {}, env: {}, config: null, pipeline: null }, undefined, 'default', ''],
  ]
  for (const [change, value, from, what] of steps) {
    const { values, origins } = effective(LOAD_SETTINGS, { ...all, ...change })
    assert.deepEqual([values.jobs, origins['jobs']], [value, { from, what }])
  }
  const { values, origins } = effective(LOAD_SETTINGS, { ...all, env: fileEnv, envFile })
  assert.deepEqual([values.grace, values.memory, values.maxBad, values.paths], ['1m', '6GB', undefined, [join(folder, 'in')]])
  assert.equal(origins['memory']?.what, `${path}:3 defaults.memory`)
  assert.deepEqual(Object.keys(origins), Object.keys(LOAD_SETTINGS), 'every setting has an origin')
})

test('an env file sets what the process does not have; a missing one matters when it was named', (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'prod.env'), 'A=file\nB="two\nlines"\nC=c # said\n')
  const env: NodeJS.ProcessEnv = { A: 'process' }
  const file = loadEnvFile('prod.env', folder, env)
  assert.deepEqual([env, [...(file?.lines ?? [])]], [{ A: 'process', B: 'two\nlines', C: 'c' }, [['B', 2], ['C', 4]]])
  assert.equal(loadEnvFile(undefined, folder, env), null)
  assert.throws(() => loadEnvFile('other.env', folder, env), (error) => error instanceof SluiceError && error.exit === 6)
})

test('a variable that is almost a setting is noticed, others are nobody’s business', () => {
  const tables = Object.values(VERBS).map(({ table }) => table)
  assert.deepEqual(misspelt({ SLUICE_MEMROY: '1', SLUICE_JOBS: '1', SLUICE_CONFIG: 'x', SLUICE_FAILPOINT_LOG: 'x', MEMROY: '1', SLUICE_ON_BADD: 'skip' }, tables), [
    { name: 'SLUICE_MEMROY', meant: 'SLUICE_MEMORY' },
    { name: 'SLUICE_ON_BADD', meant: 'SLUICE_ON_BAD' },
  ])
})

test('one variable never means two things', () => {
  const kinds = new Map<string, string>()
  for (const { table } of Object.values(VERBS)) {
    for (const [name, setting] of Object.entries(table)) {
      if (!hasVariable(setting)) continue
      const kind = `${setting.kind} ${setting.choices?.join() ?? ''}`
      assert.equal(kinds.get(name) ?? kind, kind, variableOf(name))
      kinds.set(name, kind)
    }
  }
})
