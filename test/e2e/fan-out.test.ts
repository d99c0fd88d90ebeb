/** One load into several targets: a run and a balance for each, the worst exit, and one that is down catches up alone. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'

interface Each {
  exit: number
  state: string
  targets: { target?: string; to?: string; code?: string; exit: number; balance?: { inserted: number; read: number } }[]
}

test('each target has its own run and balance; what is down does not stop the others and catches up alone', async (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'a.ndjson'), '{"id":1}\n{"id":2}\n')
  // A file where a folder should be: this target is down.
  writeFileSync(join(folder, 'down'), '')
  const args = ['load', 'a.ndjson', '--into', 'items', '--key', 'id', '--to', 'sqlite:one.db', '--to', 'sqlite:down/two.db', '--to', 'postgres://nobody:canary@127.0.0.1:1/none', '--to', 'delta:']
  const first = await sluice([...args, '--json'], { cwd: folder })
  const each = documentOf(first) as unknown as Each
  assert.deepEqual([first.code, each.exit, each.state, each.targets.length], [each.exit, each.exit, 'FAILED', 4])
  assert.notEqual(first.code, 0)
  assert.deepEqual(each.targets.map(({ balance }) => balance?.inserted ?? 0), [2, 0, 0, 2])
  assert.deepEqual([each.targets[1]?.exit !== 0, each.targets[2]?.exit], [true, 5])
  assert.match(String(each.targets[2]?.to), /^postgres:\/\/nobody:\*\*\*@127\.0\.0\.1:1\/none$/)
  rmSync(join(folder, 'down'))
  mkdirSync(join(folder, 'down'))
  args.splice(args.indexOf('postgres://nobody:canary@127.0.0.1:1/none') - 1, 2)
  const second = await sluice([...args, '--json'], { cwd: folder })
  assert.equal(second.code, 0, second.stdout)
  assert.deepEqual((documentOf(second) as unknown as Each).targets.map(({ balance }) => balance?.read), [0, 2, 0])
  const runs = documentOf(await sluice(['runs', 'ls', '--json'], { cwd: folder })) as { items: { state: string }[] }
  assert.ok(runs.items.length >= 5)
  // Progress, results and logs name the target.
  const third = await sluice(args, { cwd: folder })
  assert.deepEqual(third.stdout.trim().split('\n').map((line) => line.split('  ')[0]), ['sqlite:one.db', 'sqlite:down/two.db', 'delta:'])
  assert.match(third.stderr, /→ sqlite:down\/two\.db/)
  const logs = readdirSync(join(folder, 'sluice-data/logs')).map((name) => readFileSync(join(folder, 'sluice-data/logs', name), 'utf8')).join('')
  assert.match(logs, /"target":"sqlite:[^"]*one\.db#items"/)
  assert.match(logs, /"level":"error".*"target":"postgres:\/\/nobody:\*\*\*@127\.0\.0\.1:1\/none"/)
})

test('a pipeline names several targets; one named twice is refused before anything is begun', async (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'a.ndjson'), '{"id":1}\n')
  writeFileSync(join(folder, 'sluice.config.mjs'), "export default { name: 'items', load: 'a.ndjson', into: 'items', key: 'id', to: ['delta:', 'sqlite:x.db'] }")
  const said = await sluice(['load', 'items', '--json'], { cwd: folder })
  assert.deepEqual([said.code, (documentOf(said) as unknown as Each).targets.map(({ balance }) => balance?.inserted)], [0, [1, 1]])
  assert.equal((await sluice(['load', 'a.ndjson', '--into', 'other', '--to', 'sqlite:x.db', '--to', 'sqlite:./x.db'], { cwd: folder })).code, 2)
  assert.equal((documentOf(await sluice(['load', 'a.ndjson', '--into', 'alone', '--to', 'sqlite:x.db', '--json'], { cwd: folder }))['schema']), 'sluice.load/1')
})
