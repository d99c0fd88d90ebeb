/** Configurations, pipelines and variables, as a user meets them: which value counts, and what is refused. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
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

test('TypeScript and JavaScript, .ts and .mts and .js and .mjs', async (t) => {
  for (const name of ['sluice.config.ts', 'sluice.config.mts', 'sluice.config.js', 'sluice.config.mjs']) {
    const { app } = project(t, `export default { name: 'orders', load: 'in', into: 'orders', key: 'id' }\n`, name)
    const loaded = await json(['load'], { cwd: app })
    assert.deepEqual([loaded['exit'], loaded['table']], [0, 'orders'], name)
  }
})
