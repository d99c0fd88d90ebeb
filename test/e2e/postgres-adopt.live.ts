/**
 * A table that others made, with all that a database can ask of a row: types, defaults, generated and identity columns, NOT
 * NULL, CHECK, UNIQUE, FOREIGN KEY, a trigger; and types that Sluice has as texts: uuid, jsonb, enums. process.env['SLUICE_TEST_POSTGRES_URL'] names the server.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TestContext } from 'node:test'
import { load } from '../../src/index.ts'
import type { LoadOptions, LoadResult } from '../../src/index.ts'
import { openBrowser } from '../../src/service/browse.ts'
import { scratch } from '../command.ts'
import { ownDatabase } from '../postgres.ts'
import type { OwnDatabase } from '../postgres.ts'

let database: OwnDatabase
before(async () => {
  database = await ownDatabase()
  // Doctor opens every table that the folder knows, and no password is written down.
  process.env['PGPASSWORD'] = decodeURIComponent(new URL(database.url).password)
})
after(async () => {
  delete process.env['PGPASSWORD']
  await database.drop()
})

interface Room {
  dir: string
  go(options: Partial<LoadOptions>): Promise<LoadResult>
  file(name: string, records: readonly unknown[]): void
}

function room(t: TestContext): Room {
  const dir = scratch(t)
  mkdirSync(join(dir, 'in'))
  return {
    dir,
    go: (options) => load({ paths: [join(dir, 'in')], into: 'product', to: database.url, dataDir: join(dir, 'data'), jobs: 1, ...options }),
    file: (name, records) => writeFileSync(join(dir, 'in', name), records.map((record) => `${JSON.stringify(record)}\n`).join('')),
  }
}

async function rejects(dir: string): Promise<(string | null)[][]> {
  const browser = await openBrowser(join(dir, 'data'))
  try {
    return (await browser.rejects({ limit: 100, to: database.url, table: 'product' })).items.map(({ code, column, message }) => [code, column, message])
  } finally {
    await browser.close()
  }
}

const SHOP = `
  DROP TABLE IF EXISTS product, maker CASCADE; DROP SCHEMA IF EXISTS sluice CASCADE;
  CREATE TABLE maker (id int PRIMARY KEY);
  INSERT INTO maker VALUES (1), (2);
  CREATE TABLE product (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sku varchar(8) NOT NULL UNIQUE, name text, price numeric(10,2) CHECK (price >= 0),
    amount smallint, slug text UNIQUE, maker int REFERENCES maker DEFERRABLE INITIALLY DEFERRED, upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    made_at timestamptz NOT NULL DEFAULT now(), note text DEFAULT 'none');
  CREATE OR REPLACE FUNCTION no_evil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.name = 'evil' THEN RAISE EXCEPTION 'no evil products'; END IF; RETURN NEW; END $$;
  CREATE TRIGGER no_evil BEFORE INSERT OR UPDATE ON product FOR EACH ROW EXECUTE FUNCTION no_evil();
  INSERT INTO product (sku, name, price, slug, maker, note) VALUES ('old', 'Old', 1, 'old', 1, 'kept'), ('same', 'Same', 2.5, 'same', 1, 'kept')`

const REQUEST = { key: 'sku', mode: 'upsert', columns: 'sku:string,name:string,price:decimal(10,2),amount:int64,slug:string,maker:int64', adopt: true }

test('what the database refuses is put aside with its reason, and the rest goes in', async (t) => {
  const { dir, go, file } = room(t)
  await database.ask(SHOP)
  file('a.ndjson', [
    { sku: 'old', name: 'New', price: 3, slug: 'new', maker: 2 },
    { sku: 'same', name: 'Same', price: 2.5, slug: 'same', maker: 1 },
    { sku: 'a', name: 'A', price: 1, amount: 1, slug: 'a', maker: 1 },
    { sku: 'a', name: 'A', price: -1, amount: 1, slug: 'a', maker: 1 },
    { sku: 'much too long', name: 'B' },
    { sku: 'c', name: 'C', amount: 40_000 },
    { sku: 'd', name: 'D', maker: 7 },
    { sku: 'e', name: 'E', slug: 'old' },
    { sku: 'f', name: 'evil' },
    { sku: 'g', name: 'G\0' },
    { sku: 'h', name: 'H', slug: 'twice' },
    { sku: 'i', name: 'I', slug: 'twice' },
  ])
  const result = await go(REQUEST)
  assert.deepEqual([result.state, result.exit, result.errors.filter(({ code }) => code !== 'ROW_REFUSED')], ['COMPLETED', 3, []])
  // `old` gives its slug away in the same batch: e may have it.
  assert.deepEqual({ ...result.balance }, { read: 12, inserted: 3, updated: 1, duplicate: 1, stale: 0, skipped: 0, quarantined: 7, evicted: 0, balances: true })
  assert.deepEqual(result.reasons, { ROW_REFUSED: 7 })
  const rows = await database.ask('SELECT sku, name, price::text, upper_name, note, _place::text FROM product ORDER BY sku COLLATE "C"')
  assert.deepEqual(rows.map(({ sku, name, price, upper_name: upper, note }) => [sku, name, price, upper, note]), [
    ['a', 'A', '1.00', 'A', 'none'],
    ['e', 'E', null, 'E', 'none'],
    ['h', 'H', null, 'H', 'none'],
    ['old', 'New', '3.00', 'NEW', 'kept'],
    ['same', 'Same', '2.50', 'SAME', 'kept'],
  ])
  const said = await rejects(dir)
  const about = (part: RegExp): number => said.filter(([, , message]) => part.test(message ?? '')).length
  for (const part of [/product_price_check/, /sku takes 8 characters/, /amount is smallint/, /product_maker_fkey/, /no evil products/, /NUL character/, /product_slug_key/]) assert.equal(about(part), 1, `${String(part)} in ${JSON.stringify(said)}`)
  // The table goes on without --adopt, and what others do to it meanwhile is theirs.
  await database.ask(`UPDATE product SET note = 'mine' WHERE sku = 'a'`)
  file('b.ndjson', [{ sku: 'a', name: 'A2', price: 5, slug: 'a', maker: 1 }])
  const again = await go({})
  assert.deepEqual([again.exit, again.balance.updated, again.balance.read], [0, 1, 1])
  assert.deepEqual((await database.ask(`SELECT name, note FROM product WHERE sku = 'a'`))[0], { name: 'A2', note: 'mine' })
  const browser = await openBrowser(join(dir, 'data'))
  try {
    for await (const table of browser.opened()) assert.deepEqual((await table.verify()).filter(({ grade }) => grade === 'broken'), [])
  } finally {
    await browser.close()
  }
})

test('an empty table, a text that it cannot hold, and a row that only its CHECK refuses', async (t) => {
  const { go, file } = room(t)
  await database.ask('DROP TABLE IF EXISTS product CASCADE; DROP SCHEMA IF EXISTS sluice CASCADE; CREATE TABLE product (sku text, price bigint CHECK (price >= 0))')
  file('a.ndjson', [{ sku: 'a', price: 1 }, { sku: 'b\0', price: 1 }, { sku: 'c', price: -1 }, { sku: 'd', price: 2 }])
  const result = await go({ mode: 'append', columns: 'sku:string,price:int64', adopt: true })
  assert.deepEqual([result.state, result.exit, result.reasons], ['COMPLETED', 3, { ROW_REFUSED: 2 }], JSON.stringify(result.errors))
  assert.deepEqual((await database.ask('SELECT sku FROM product ORDER BY sku')).map(({ sku }) => sku), ['a', 'd'])
})

test('a row that refers to one behind it comes in although another one is refused', async (t) => {
  const { go, file } = room(t)
  await database.ask('DROP TABLE IF EXISTS product CASCADE; DROP SCHEMA IF EXISTS sluice CASCADE; CREATE TABLE product (id bigint PRIMARY KEY, ref bigint REFERENCES product (id), v bigint CHECK (v > 0)); INSERT INTO product VALUES (9, NULL, 1)')
  file('a.ndjson', [{ id: 1, ref: 2, v: 1 }, { id: 2, ref: 3, v: 1 }, { id: 3, ref: null, v: 1 }, { id: 4, ref: 5, v: 1 }, { id: 5, v: -1 }])
  const result = await go({ key: 'id', mode: 'upsert', columns: 'id:int64,ref:int64,v:int64', adopt: true })
  assert.deepEqual([result.balance.inserted, result.reasons], [3, { ROW_REFUSED: 2 }], JSON.stringify(result.errors))
})

for (const [mode, keep, updated] of [['upsert', undefined, 2], ['dedupe', 'first', 0], ['dedupe', 'error', 0]] as const) {
  test(`a table in partitions, whose rows have the same row ids: ${mode} ${keep ?? ''}`, async (t) => {
    const { go, file, dir } = room(t)
    await database.ask(`DROP TABLE IF EXISTS product CASCADE; DROP SCHEMA IF EXISTS sluice CASCADE; CREATE TABLE product (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id);
      CREATE TABLE low PARTITION OF product FOR VALUES FROM (0) TO (10); CREATE TABLE high PARTITION OF product FOR VALUES FROM (10) TO (20); INSERT INTO product VALUES (1, 'a'), (11, 'b'), (12, 'c')`)
    file('a.ndjson', [{ id: 1, v: 'x' }, { id: 11, v: 'y' }, { id: 3, v: 'z' }])
    const result = await go({ key: 'id', mode, adopt: true, ...(keep === undefined ? {} : { keep }) })
    assert.deepEqual([result.state, result.balance.inserted, result.balance.updated], ['COMPLETED', 1, updated], JSON.stringify(result.errors))
    const rows = (await database.ask('SELECT id, v FROM product ORDER BY id')).map(({ id, v }) => `${String(id)}${String(v)}`)
    assert.deepEqual(rows, updated === 0 ? ['1a', '3z', '11b', '12c'] : ['1x', '3z', '11y', '12c'])
    // The same records again, from a higher place.
    assert.equal((await go({ reload: true })).state, 'COMPLETED')
    const browser = await openBrowser(join(dir, 'data'))
    try {
      for await (const table of browser.opened()) assert.deepEqual((await table.verify()).filter(({ grade }) => grade === 'broken'), [])
    } finally {
      await browser.close()
    }
  })
}

test('what does not fit is refused before anything is read, with what to do', async (t) => {
  const { go, file } = room(t)
  file('a.ndjson', [{ sku: 'a', name: 'A' }])
  await database.ask(SHOP)
  const refused = async (options: Partial<LoadOptions>, message: RegExp): Promise<void> => {
    await assert.rejects(go({ ...REQUEST, ...options }), (thrown: Error & { code?: string; hint?: string }) => {
      assert.equal(thrown.code, 'DEFINITION_INVALID')
      assert.match(`${thrown.message} ${thrown.hint ?? ''}`, message)
      return true
    })
  }
  await refused({ columns: 'sku:string,colour:string' }, /has no column colour/)
  await refused({ columns: 'sku:string,upper_name:string' }, /upper_name cannot be loaded: PostgreSQL makes its values itself/)
  await refused({ columns: 'sku:string,price:double' }, /price cannot be loaded: it is numeric\(10,2\).*decimal\(10,2\)/)
  await refused({ columns: 'name:string', key: 'name' }, /sku \(character varying\(8\)\) must not be null/)
  await database.ask(`INSERT INTO product (sku, name) VALUES ('x', 'Old')`)
  await refused({ columns: 'sku:string,name:string', key: 'name' }, /not unique by the key name.*GROUP BY "name"/)
  assert.deepEqual(await database.ask(`SELECT column_name FROM information_schema.columns WHERE table_name = 'product' AND column_name = '_place'`), [], 'nothing was changed')
  await assert.rejects(go({ key: 'sku' }), { code: 'TABLE_FOREIGN' })
  await assert.rejects(go({ into: 'nothing_here', adopt: true }), { code: 'NOT_FOUND' })
  // Without --columns the table's own are loaded, but those that it fills itself; the index is made where there is none.
  await database.ask(`DELETE FROM product WHERE sku = 'x'; ALTER TABLE product DROP CONSTRAINT product_sku_key`)
  const result = await go({ key: 'sku', mode: 'upsert', adopt: true })
  assert.deepEqual([result.exit, result.balance.inserted], [0, 1])
  assert.equal((await database.ask(`SELECT note FROM product WHERE sku = 'a'`))[0]?.['note'], 'none')
  assert.equal((await database.ask(`SELECT count(*)::int AS n FROM pg_indexes WHERE tablename = 'product' AND indexname = 'sluice_key_product'`))[0]?.['n'], 1)
})

test('a table that takes next to nothing is said to, and nothing is committed', async (t) => {
  const { go, file } = room(t)
  await database.ask(`DROP TABLE IF EXISTS product CASCADE; DROP SCHEMA IF EXISTS sluice CASCADE; CREATE TABLE product (sku text PRIMARY KEY, v int CHECK (v < 0))`)
  file('a.ndjson', Array.from({ length: 1500 }, (_, n) => ({ sku: `s${n}`, v: n })))
  const result = await go({ key: 'sku', adopt: true })
  assert.deepEqual([result.state, result.exit, result.errors[0]?.code], ['FAILED', 4, 'ROWS_REFUSED'])
  assert.equal((await database.ask('SELECT count(*)::int AS n FROM product'))[0]?.['n'], 0)
})

test('a table is not replaced where rows of another one would go with its own, whoever made it', async (t) => {
  for (const [how, made] of [['of others', 'CREATE TABLE product (id bigint PRIMARY KEY)'], ['of ours', 'SELECT 1']] as const) {
    const { go, file } = room(t)
    await database.ask(`DROP TABLE IF EXISTS product, child CASCADE; DROP SCHEMA IF EXISTS sluice CASCADE; ${made}`)
    file('a.ndjson', [{ id: 1 }])
    const adopt = how === 'of others'
    assert.equal((await go({ key: 'id', mode: 'replace', columns: 'id:int64', adopt })).exit, 0, how)
    await database.ask(`CREATE TABLE child (x bigint REFERENCES product (id) ON DELETE CASCADE); INSERT INTO child VALUES (1)`)
    file('b.ndjson', [{ id: 2 }])
    const refused = await go({ key: 'id', mode: 'replace' })
    assert.deepEqual([refused.exit, refused.errors[0]?.code], [4, 'TABLE_UNSUPPORTED'], how)
    assert.match(refused.errors[0]?.message ?? '', /child refers to it ON DELETE CASCADE/)
    assert.deepEqual(await database.ask('SELECT x::int FROM child'), [{ x: 1 }], how)
    await database.ask('DROP TABLE child')
    assert.equal((await go({ key: 'id', mode: 'replace' })).exit, 0, how)
  }
  await database.ask('DROP TABLE product')
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

test('domains are loaded as what they are over, and a partition is not loaded by itself', async (t) => {
  const { go, file } = room(t)
  await database.ask(`DROP TABLE IF EXISTS product CASCADE; DROP SCHEMA IF EXISTS sluice CASCADE; DROP DOMAIN IF EXISTS worth, low, mail;
    CREATE DOMAIN low AS numeric(6,2) CHECK (value < 100); CREATE DOMAIN worth AS low CHECK (value > 0); CREATE DOMAIN mail AS varchar(9) NOT NULL CHECK (value LIKE '%@%');
    CREATE TABLE product (id mail PRIMARY KEY, v worth); INSERT INTO product VALUES ('a@x', 1)`)
  file('a.ndjson', [{ id: 'a@x', v: 2 }, { id: 'b@x', v: 3.5 }, { id: 'none', v: 1 }, { id: 'c@x', v: -1 }, { id: 'd@x', v: 101 }, { id: 'e@x' }])
  const result = await go({ key: 'id', mode: 'upsert', adopt: true })
  assert.deepEqual([result.balance.inserted, result.balance.updated, result.reasons], [2, 1, { ROW_REFUSED: 3 }], JSON.stringify(result.errors))
  assert.deepEqual((await database.ask('SELECT id, v::text FROM product ORDER BY id')).map((row) => Object.values(row)), [['a@x', '2.00'], ['b@x', '3.50'], ['e@x', null]])
  await database.ask('CREATE TABLE parts (id bigint) PARTITION BY RANGE (id); CREATE TABLE low_part PARTITION OF parts FOR VALUES FROM (0) TO (9)')
  await assert.rejects(go({ into: 'low_part', key: 'id', adopt: true }), { code: 'TABLE_UNSUPPORTED', message: /partition of parts: load that table/ })
})

test('a table that others inherit from: rows of theirs with the same row ids are told apart', async (t) => {
  const { go, file } = room(t)
  await database.ask(`DROP TABLE IF EXISTS product CASCADE; DROP SCHEMA IF EXISTS sluice CASCADE; CREATE TABLE product (id bigint, v text); CREATE TABLE heir () INHERITS (product);
    INSERT INTO product VALUES (1, 'a'); INSERT INTO heir VALUES (2, 'b')`)
  file('a.ndjson', [{ id: 1, v: 'x' }, { id: 2, v: 'y' }])
  const result = await go({ key: 'id', mode: 'upsert', adopt: true })
  assert.deepEqual([result.state, result.balance.updated], ['COMPLETED', 2], JSON.stringify(result.errors))
  assert.deepEqual((await database.ask('SELECT id::text, v FROM product ORDER BY id')).map((row) => Object.values(row)), [['1', 'x'], ['2', 'y']])
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

test('a value that one row gives away and another one gets', async (t) => {
  const { dir, go, file } = room(t)
  await database.ask(`DROP TABLE IF EXISTS product CASCADE; DROP SCHEMA IF EXISTS sluice CASCADE; CREATE TABLE product (sku text PRIMARY KEY, pos bigint UNIQUE CHECK (pos < 100));
    INSERT INTO product VALUES ('a', 1), ('b', 2), ('c', 3)`)
  file('a.ndjson', [{ sku: 'a', pos: 2 }, { sku: 'b', pos: 3 }, { sku: 'c', pos: 9 }])
  const result = await go({ key: 'sku', mode: 'upsert', adopt: true })
  assert.deepEqual([result.state, result.balance.updated], ['COMPLETED', 3], JSON.stringify(result.errors))
  file('b.ndjson', [{ sku: 'a', pos: 3 }, { sku: 'b', pos: 9 }, { sku: 'c', pos: 1 }, { sku: 'd', pos: 100 }])
  const second = await go({})
  assert.deepEqual([second.balance.updated, second.balance.quarantined], [3, 1], JSON.stringify(second.errors))
  assert.deepEqual((await database.ask('SELECT sku, pos::int FROM product ORDER BY 1')).map((row) => Object.values(row)), [['a', 3], ['b', 9], ['c', 1]])
  assert.deepEqual((await rejects(dir)).map(([code]) => code), ['ROW_REFUSED'])
})
