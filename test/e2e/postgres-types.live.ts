/** Columns of tables that others made whose types Sluice has as texts: uuid, jsonb, enums. process.env['SLUICE_TEST_POSTGRES_URL'] names the server. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { load } from '../../src/index.ts'
import { openBrowser } from '../../src/service/browse.ts'
import { scratch } from '../command.ts'
import { ownDatabase } from '../postgres.ts'
import type { OwnDatabase } from '../postgres.ts'

let database: OwnDatabase
before(async () => {
  database = await ownDatabase()
  process.env['PGPASSWORD'] = decodeURIComponent(new URL(database.url).password)
})
after(async () => {
  delete process.env['PGPASSWORD']
  await database.drop()
})

const id = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`

test('uuid, jsonb and enum columns are loaded, updated and read as texts, and what they refuse is put aside', async (t) => {
  const dir = scratch(t)
  mkdirSync(join(dir, 'in'))
  await database.ask(`CREATE SCHEMA "raw"; CREATE TYPE "raw"."Mood" AS ENUM ('sad', 'so so'); CREATE TABLE thing (id uuid PRIMARY KEY, meta jsonb, mood "raw"."Mood", other uuid);
    INSERT INTO thing VALUES ('${id(1)}', '{"b":1, "a":[1, 2]}', 'sad', '${id(9)}'), ('${id(2)}', '{}', NULL, NULL)`)
  const put = (name: string, records: readonly object[]): void => writeFileSync(join(dir, 'in', name), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  put('a.ndjson', [
    { id: id(1), meta: { b: 1, a: [1, 2] }, mood: 'sad', other: id(9).toUpperCase() },
    { id: id(2), meta: { u: 'é\u0001' }, mood: 'so so', other: null },
    { id: id(3), meta: null, mood: 'sad', other: `{${id(3)}}` },
    { id: id(4), meta: { nul: '\0' } },
    { id: id(5), mood: 'glad' },
    { id: id(6), other: 'none' },
    { id: 'A0000000-0000-4000-8000-000000000007' },
    { id: id(8), meta: { n: 1 } },
    { id: id(8), meta: { n: '\ud800' } },
  ])
  const options = { paths: [join(dir, 'in')], into: 'thing', to: database.url, dataDir: join(dir, 'data'), jobs: 1 }
  const first = await load({ ...options, key: 'id', mode: 'upsert', adopt: true })
  assert.deepEqual([first.state, { ...first.balance }], ['COMPLETED', { read: 9, inserted: 2, updated: 1, duplicate: 1, stale: 0, skipped: 0, quarantined: 5, evicted: 0, balances: true }], JSON.stringify(first.errors))
  const rows = [
    [id(1), '{"a": [1, 2], "b": 1}', 'sad', id(9)], [id(2), '{"u": "é\\u0001"}', 'so so', null], [id(3), null, 'sad', id(3)], [id(8), '{"n": 1}', null, null],
  ]
  assert.deepEqual((await database.ask('SELECT id::text, meta::text, mood::text, other::text FROM thing ORDER BY id')).map((row) => Object.values(row)), rows)
  const browser = await openBrowser(join(dir, 'data'))
  try {
    assert.deepEqual((await browser.head('thing', 9, database.url)).rows.map((row) => row.slice(0, 4)).toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)), rows)
    const said = (await browser.rejects({ limit: 9, to: database.url, table: 'thing' })).items.map(({ message }) => message ?? '')
    for (const part of [/meta is jsonb/, /invalid input value for enum raw."Mood": "glad"/, /invalid input syntax for type uuid: "none"/, /id is uuid and part of the key/]) assert.ok(said.some((message) => part.test(message)), `${String(part)} in ${JSON.stringify(said)}`)
    for await (const table of browser.opened()) assert.deepEqual((await table.verify()).filter(({ grade }) => grade === 'broken'), [])
  } finally {
    await browser.close()
  }
  // Late, with a model of it and with what the load brought: their types are those of the table, or texts.
  writeFileSync(join(dir, 'm.sql'), '-- model: moods\n-- depends_on: thing\n-- incremental: group other\n\nselect other, count(*) as n from thing group by other\n')
  put('b.ndjson', [{ id: id(1), meta: { b: 2 }, mood: 'so so', other: id(3) }, { id: id(9), other: id(9) }])
  const second = await load({ ...options, models: [join(dir, 'm.sql')], delta: 'fresh_thing' })
  assert.deepEqual([second.exit, second.balance.inserted, second.balance.updated], [0, 1, 1], JSON.stringify(second.errors))
  assert.deepEqual((await database.ask('SELECT id::text, meta::text, mood::text FROM fresh_thing ORDER BY id')).map((row) => Object.values(row)), [[id(1), '{"b": 2}', 'so so'], [id(9), null, null]])
  put('c.ndjson', [{ id: id(1), other: id(9) }])
  const third = await load({ ...options, models: [join(dir, 'm.sql')] })
  assert.deepEqual([third.exit, third.models?.map(({ state }) => state)], [0, ['fresh']], JSON.stringify(third.models))
  assert.deepEqual((await database.ask('SELECT other::text, n::int FROM moods ORDER BY 1 NULLS LAST')).map((row) => Object.values(row)), [[id(3), 1], [id(9), 2], [null, 2]])
})

test('an empty table with a uuid of its own is filled in one go, and a key that is an enum is compared as text', async (t) => {
  const dir = scratch(t)
  await database.ask(`CREATE TYPE size AS ENUM ('s', 'l'); CREATE TABLE shirt (at uuid DEFAULT gen_random_uuid(), size size UNIQUE, ref uuid)`)
  writeFileSync(join(dir, 'a.ndjson'), `{"size":"s","ref":"${id(1)}"}\n`)
  const options = { into: 'shirt', to: database.url, dataDir: join(dir, 'data'), jobs: 1 }
  assert.equal((await load({ ...options, paths: [join(dir, 'a.ndjson')], key: 'size', mode: 'upsert', adopt: true })).balance.inserted, 1)
  writeFileSync(join(dir, 'b.ndjson'), `{"size":"s","ref":"${id(2)}"}\n{"size":"xl"}\n{"size":"l"}\n`)
  const second = await load({ ...options, paths: [join(dir, 'b.ndjson')] })
  assert.deepEqual([second.balance.inserted, second.balance.updated, second.balance.quarantined], [1, 1, 1], JSON.stringify(second.errors))
  assert.deepEqual((await database.ask('SELECT size::text, ref::text FROM shirt WHERE at IS NOT NULL ORDER BY shirt.size')).map((row) => Object.values(row)), [['s', id(2)], ['l', null]])
})
