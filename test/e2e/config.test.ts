/** Configurations, pipelines and variables, as a user meets them: which value counts, and what is refused. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'
import type { How } from '../command.ts'

const FILE = '{"records":[{"id":"a","v":1},{"id":"a","v":2},{"id":"b","v":1}]}'

const CONFIG = `import { defineConfig } from 'sluice'
import type { Config } from 'sluice'
const config: Config = defineConfig({
  defaults: { dataDir: 'lake', memory: '800MB' },
  pipelines: {
    orders: { load: 'in/orders*.json', into: 'orders', key: ['id'], mode: 'upsert' },
    events: { load: process.env.EVENTS_DIR ?? 'in', into: 'events' },
  },
})
export default config
`

/** A project with a configuration in it and a working folder beside. */
function project(t: TestContext, config = CONFIG, name = 'sluice.config.mts'): { room: string; app: string } {
  const room = scratch(t)
  const app = join(room, 'app')
  mkdirSync(join(app, 'in'), { recursive: true })
  mkdirSync(join(room, 'other'))
  writeFileSync(join(app, 'in/orders-1.json'), FILE)
  writeFileSync(join(app, name), config)
  return { room, app }
}

async function json(args: string[], how: How): Promise<Record<string, unknown>> {
  const said = await sluice([...args, '--json'], how)
  const document = documentOf(said)
  if ('exit' in document) assert.equal(document['exit'], said.code, said.stdout + said.stderr)
  return document
}

test('a pipeline loads what it says, from its own folder; flags override it', async (t) => {
  const { room, app } = project(t)
  const loaded = await json(['load', 'orders'], { cwd: app })
  assert.deepEqual([loaded['exit'], loaded['table'], loaded['target'], (loaded['balance'] as { inserted: number }).inserted], [0, 'orders', join(app, 'lake/tables/orders'), 2], JSON.stringify(loaded))
  // From elsewhere: paths and data folder are those of the file.
  const again = await json(['load', 'orders', '--config', '../app/sluice.config.mts'], { cwd: join(room, 'other') })
  assert.deepEqual([again['exit'], (again['files'] as { known: number }).known, again['target']], [0, 1, join(app, 'lake/tables/orders')])
  const tables = await json(['tables', 'ls', '--config', '../app/sluice.config.mts'], { cwd: join(room, 'other') })
  assert.deepEqual((tables['items'] as { name: string; mode: string }[]).map(({ name, mode }) => [name, mode]), [['orders', 'upsert']])
  const flags = await json(['load', 'orders', '--into', 'others', '--key', 'id,v', '--mode', 'dedupe'], { cwd: app })
  assert.deepEqual([flags['table'], (flags['balance'] as { inserted: number }).inserted], ['others', 3])
  // A path beside a pipeline stands in for the paths of the pipeline.
  writeFileSync(join(app, 'late.json'), '{"records":[{"id":"c","v":9}]}')
  const late = await json(['load', 'late.json', '--pipeline', 'orders'], { cwd: app })
  assert.deepEqual([late['table'], (late['balance'] as { read: number }).read], ['orders', 1])
})

test('words: a pipeline, a path, both, neither, several, none', async (t) => {
  const { app } = project(t)
  const cases: [string[], string, RegExp][] = [
    [['load'], 'USAGE', /2 pipelines to load: orders, events/],
    [['load', 'orders', 'events'], 'USAGE', /one is run at a time/],
    [['load', '--pipeline', 'ordesr'], 'NOT_FOUND', /no pipeline ordesr; is orders meant\?/],
    [['load', 'in'], 'USAGE', /needs the name of the table/],
  ]
  for (const [args, code, says] of cases) {
    const document = await json(args, { cwd: app })
    assert.equal(document['code'], code, args.join(' '))
    assert.match(String(document['message']), says)
  }
  mkdirSync(join(app, 'orders'))
  const both = await json(['load', 'orders'], { cwd: app })
  assert.deepEqual([both['code'], both['exit']], ['USAGE', 2])
  assert.match(String(both['message']), /orders is a pipeline of .*sluice\.config\.mts and a path/)
  const path = await json(['load', './orders', '--into', 'x'], { cwd: app })
  assert.deepEqual([path['exit'], (path['files'] as { total: number }).total], [0, 0])
  assert.equal((await json(['load', '--pipeline', 'orders'], { cwd: app }))['exit'], 0)
})

test('a broken configuration stops what needs it, says where, and not what does not', async (t) => {
  const { app } = project(t, 'export default {\n  name: process.env.NOWHERE.x,\n}\n')
  const said = await sluice(['tables', 'ls'], { cwd: app })
  assert.equal(said.code, 4)
  assert.match(said.stderr, /error\[CONFIG_BROKEN\]: .*sluice\.config\.mts:2 cannot be read/)
  assert.equal((await sluice(['explain', 'CONFIG_BROKEN'], { cwd: app })).code, 0)
})

test('a configuration that fails aside, never ends or prints does not spoil the document', async (t) => {
  for (const [text, says] of [
    ["console.log('looking')\nPromise.reject(new Error('nobody waits'))\nexport default {}\n", /mts:2 cannot be read: nobody waits/],
    ["console.log('looking')\nexport default new Promise(() => {})\n", /awaits a promise that nothing will settle/],
  ] as const) {
    const { app } = project(t, text)
    const said = await sluice(['tables', 'ls', '--json'], { cwd: app, alone: true })
    assert.deepEqual([said.code, documentOf(said)['code']], [4, 'CONFIG_BROKEN'], said.stdout + said.stderr)
    assert.match(String(documentOf(said)['message']), says)
    assert.match(said.stderr, /looking/)
  }
})

test('TypeScript and JavaScript, .ts and .mts and .js and .mjs', async (t) => {
  for (const name of ['sluice.config.ts', 'sluice.config.mts', 'sluice.config.js', 'sluice.config.mjs']) {
    const { app } = project(t, `export default { name: 'orders', load: 'in', into: 'orders', key: 'id' }\n`, name)
    const loaded = await json(['load'], { cwd: app })
    assert.deepEqual([loaded['exit'], loaded['table']], [0, 'orders'], name)
  }
})

test('an env file says everything; another one is another environment; the environment and flags win over it', async (t) => {
  const room = scratch(t)
  mkdirSync(join(room, 'in'))
  writeFileSync(join(room, 'in/a.json'), FILE)
  for (const [name, stage] of [['.env', 'dev'], ['.env.prod', 'prod']] as const) writeFileSync(join(room, name), `SLUICE_PATHS=in\nSLUICE_INTO=orders\nSLUICE_KEY=id\nSLUICE_DATA_DIR=${stage}\n`)
  const targets = async (args: string[], env: Record<string, string> = {}): Promise<unknown> => {
    const document = await json(['load', ...args], { cwd: room, env })
    return document['target'] ?? document
  }
  assert.equal(await targets([]), join(room, 'dev/tables/orders'))
  assert.equal(await targets(['--env-file', '.env.prod']), join(room, 'prod/tables/orders'))
  assert.equal(await targets(['--env-file', '.env.prod'], { SLUICE_DATA_DIR: 'real' }), join(room, 'real/tables/orders'))
  assert.equal(await targets(['--env-file', '.env.prod', '--data-dir', 'flag'], { SLUICE_DATA_DIR: 'real' }), join(room, 'flag/tables/orders'))
  const missing = await json(['load', '--env-file', '.env.none'], { cwd: room })
  assert.deepEqual([missing['code'], missing['exit']], ['PATH_NOT_FOUND', 6])
  writeFileSync(join(room, '.env'), 'SLUICE_MEMORY=lots\n')
  const wrong = await json(['load', 'in', '--into', 't'], { cwd: room })
  assert.deepEqual([wrong['code'], wrong['exit']], ['USAGE', 2])
  const misspelt = await sluice(['load', 'in', '--into', 't'], { cwd: room, env: { SLUICE_MEMORY: '1GB', SLUICE_JBOS: '1' } })
  assert.match(misspelt.stderr, /SLUICE_JBOS is no setting and does nothing; is SLUICE_JOBS meant\?/)
})

test('config show tells every value and its origin; validate lists; schema is the one of the reference', async (t) => {
  const { app } = project(t)
  writeFileSync(join(app, '.env'), 'SLUICE_GRACE=1m\n')
  const items = (await json(['config', 'show', '--origin'], { cwd: app, env: { SLUICE_JOBS: '1' } }))['items'] as { pipeline: string | null; name: string; value: unknown; from: string; what: string }[]
  const of = (pipeline: string | null, name: string): unknown[] => items.filter((item) => item.pipeline === pipeline && item.name === name).map(({ value, from, what }) => [value, from, what])
  assert.deepEqual(of(null, 'dataDir'), [[join(app, 'lake'), 'defaults', `${join(app, 'sluice.config.mts')}:4 defaults.dataDir`]])
  assert.deepEqual(of('orders', 'jobs'), [[1, 'environment', 'SLUICE_JOBS']])
  assert.deepEqual(of('orders', 'grace'), [['1m', 'env file', `${join(app, '.env')}:1 SLUICE_GRACE`]])
  assert.deepEqual(of('orders', 'mode'), [['upsert', 'pipeline', `${join(app, 'sluice.config.mts')}:6 orders.mode`]])
  assert.deepEqual(of('events', 'onBad'), [[null, 'default', '']])
  const human = await sluice(['config', 'show', 'orders', '--origin'], { cwd: app })
  assert.match(human.stdout, /^pipeline {2}setting +value +from +where\n/)
  assert.match(human.stdout, /orders +grace +1m +env file +.*\.env:1 SLUICE_GRACE\n/)
  assert.deepEqual((await json(['config', 'validate'], { cwd: app }))['items'], [{ name: 'orders', verb: 'load' }, { name: 'events', verb: 'load' }])
  const none = await json(['config', 'validate'], { cwd: join(app, 'in') })
  assert.deepEqual([none['code'], none['exit']], ['NOT_FOUND', 6])
  const schema = await sluice(['config', 'schema'], { cwd: app })
  assert.equal(schema.stdout, readFileSync(join(import.meta.dirname, '../../docs/reference/sluice.config.schema.json'), 'utf8'))
})
