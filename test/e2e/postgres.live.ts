/** The command against a PostgreSQL server: process.env['SLUICE_TEST_POSTGRES_URL'] names it. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'
import type { Said } from '../command.ts'
import { ownDatabase } from '../postgres.ts'
import type { OwnDatabase } from '../postgres.ts'

let database: OwnDatabase
let password: string
let plain: string
before(async () => {
  database = await ownDatabase()
  const url = new URL(database.url)
  password = decodeURIComponent(url.password)
  url.password = ''
  plain = url.href
})
after(() => database.drop())

/** Everything that a data folder holds, as text. */
function written(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1')).join('\n')
}

test('a table in a schema: loaded, listed by every verb, known again, and no password anywhere', async (t) => {
  const dir = scratch(t)
  mkdirSync(join(dir, 'in'))
  writeFileSync(join(dir, 'in/a.ndjson'), '{"id":1,"v":"a"}\n{"id":2,"v":"b\\u0000"}\n{"v":"c"}\n{"id":3,"v":"d"}\n')
  const run = (args: string[], env: Record<string, string> = {}): Promise<Said> => sluice([...args, '--data-dir', join(dir, 'data'), '--json'], { cwd: dir, env })
  const first = documentOf(await run(['load', 'in', '--into', 'raw.events', '--key', 'id', '--to', database.url, '--jobs', '1']))
  assert.deepEqual([first['state'], first['exit'], first['version'], first['reasons']], ['COMPLETED', 3, 1, { KEY_MISSING: 1, ROW_REFUSED: 1 }])
  const uri = `${new URL(plain).href.replace(/\?.*/, '')}#raw.events`
  assert.equal(first['target'], uri)
  assert.deepEqual(await database.ask('SELECT id::int, v, _place::text FROM raw.events ORDER BY id'), [{ id: 1, v: 'a', _place: '4294967297' }, { id: 3, v: 'd', _place: '4294967300' }])
  const env = { PGPASSWORD: password }
  // Without --to the table is found where it is.
  const again = documentOf(await run(['load', 'in', '--into', 'raw.events', '--jobs', '1'], env))
  assert.deepEqual([again['state'], again['exit'], again['files']], ['COMPLETED', 0, { total: 1, loaded: 0, known: 1, waiting: 0, failed: 0, ignored: 0 }])
  const items = async (args: string[]): Promise<Record<string, unknown>[]> => documentOf(await run(args, env))['items'] as Record<string, unknown>[]
  assert.deepEqual((await items(['tables', 'ls'])).map(({ name, rows, uri: at }) => [name, rows, at]), [['raw.events', 2, uri]])
  assert.equal((await items(['files', 'ls', '--table', 'raw.events'])).length, 1)
  assert.equal((await items(['runs', 'ls'])).length, 2)
  const rejects = await items(['rejects', 'ls'])
  assert.deepEqual(rejects.map(({ code, column, value }) => [code, column, value]), [['ROW_REFUSED', 'v', 'b\u2400'], ['KEY_MISSING', 'id', null]])
  for (const args of [['rejects', 'show', String(rejects[0]?.['id'])], ['tables', 'count', 'raw.events'], ['tables', 'head', 'raw.events'], ['tables', 'schema', 'raw.events'], ['files', 'show', 'raw.events/1'], ['schema', 'diff', 'raw.events'], ['doctor']]) {
    const said = await run(args, env)
    assert.equal(said.code, 0, `${args.join(' ')}: ${said.stdout}${said.stderr}`)
  }
  // Its password again, in the address of the command.
  for (const args of [['tables', 'count', 'raw.events', '--to', database.url], ['rejects', 'ls', '--table', 'raw.events', '--to', database.url]]) assert.equal((await run(args)).code, 0, args.join(' '))
  assert.equal((await run(['tables', 'count', 'raw.events'])).code, 5, 'without one it is refused')
  // A lost ledger comes back from the table.
  for (const name of readdirSync(join(dir, 'data'))) if (name.startsWith('ledger.db')) rmSync(join(dir, 'data', name))
  const rebuilt = documentOf(await run(['load', 'in', '--into', 'raw.events', '--jobs', '1'], env))
  assert.deepEqual([rebuilt['exit'], (rebuilt['balance'] as Record<string, unknown>)['read']], [0, 0])
  assert.ok(!written(join(dir, 'data')).includes(password), 'no password is written down')
})

test('a password by reference is remembered as a reference', async (t) => {
  const dir = scratch(t)
  writeFileSync(join(dir, 'a.ndjson'), '{"id":1}\n')
  writeFileSync(join(dir, 'pw'), `${password}\nnot this line`)
  const run = (args: string[], env: Record<string, string> = {}): Promise<Said> => sluice([...args, '--data-dir', join(dir, 'data'), '--json'], { cwd: dir, env })
  const to = `${plain}${plain.includes('?') ? '&' : '?'}password=file:pw`
  assert.equal(documentOf(await run(['load', 'a.ndjson', '--into', 'by_file', '--to', to, '--jobs', '1']))['exit'], 0)
  assert.equal((await run(['tables', 'count', 'by_file'])).code, 0, 'found without --to and without a password')
  // Its schema may be named, too.
  for (const name of ['by_file/1', 'public.by_file/1']) assert.deepEqual((documentOf(await run(['files', 'show', name]))['items'] as Record<string, unknown>[])[0]?.['path'], join(dir, 'a.ndjson'), name)
  const byEnv = `${plain}${plain.includes('?') ? '&' : '?'}password=env:MY_PASSWORD`
  assert.equal(documentOf(await run(['load', 'a.ndjson', '--into', 'by_env', '--to', byEnv, '--jobs', '1'], { MY_PASSWORD: password }))['exit'], 0)
  assert.equal((await run(['tables', 'count', 'by_env'], { MY_PASSWORD: password })).code, 0)
  const unset = await run(['tables', 'count', 'by_env'])
  assert.equal(unset.code, 5)
  assert.match(String(documentOf(unset)['message']), /MY_PASSWORD, which holds its password, is not set/)
  assert.ok(!written(join(dir, 'data')).includes(password))
})

test('a role named as our schema finds the tables of others before our own', async (t) => {
  const dir = scratch(t)
  writeFileSync(join(dir, 'a.ndjson'), '{"id":1}\n')
  const url = new URL(database.url)
  ;[url.username, url.password] = ['sluice', password]
  await database.ask(`CREATE ROLE sluice LOGIN SUPERUSER PASSWORD '${password}'`)
  try {
    assert.equal(documentOf(await sluice(['load', 'a.ndjson', '--into', 'batches', '--to', url.href, '--data-dir', 'data', '--jobs', '1', '--json'], { cwd: dir }))['exit'], 0)
    assert.equal((await sluice(['sql', '--to', url.href, '--format', 'csv', 'select id from batches'], { cwd: dir })).stdout, 'id\n1\n')
  } finally {
    await database.ask('DROP OWNED BY sluice CASCADE; DROP ROLE sluice')
  }
})

test('names that belong to others, and schemas where there are none', async (t) => {
  const dir = scratch(t)
  writeFileSync(join(dir, 'a.ndjson'), '{"id":1}\n')
  const refused = async (into: string, to: string[]): Promise<unknown> => documentOf(await sluice(['load', 'a.ndjson', '--into', into, ...to, '--data-dir', 'data', '--json'], { cwd: dir }))['code']
  for (const into of ['sluice.meta', 'Sluice.t', 'pg_catalog.t', 'information_schema.t', '_sluice_t']) assert.equal(await refused(into, ['--to', database.url]), 'TARGET_INVALID', into)
  assert.equal(await refused('raw.t', []), 'TARGET_INVALID')
  assert.equal(await refused('raw.t', ['--to', 'sqlite:t.db']), 'TARGET_INVALID')
  assert.equal(await refused('a.b.c', ['--to', database.url]), 'DEFINITION_INVALID')
})
