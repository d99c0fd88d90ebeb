/**
 * Tables of a PostgreSQL server as a source, and the console on it: the contract, types, and what is refused.
 * process.env['SLUICE_TEST_POSTGRES_URL'] names the server.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { parseAddress } from '../../core/address.ts'
import { SluiceError } from '../../core/errors.ts'
import { documentOf, scratch, sluice } from '../../../test/command.ts'
import { sourceContract } from '../../../test/contract/source.ts'
import { ownDatabase } from '../../../test/postgres.ts'
import { engineOfTests, readWindows } from '../../../test/windows.ts'
import { openPostgresSource } from './source.ts'

const engine = engineOfTests()

sourceContract('postgres', {
  async make(t) {
    const database = await ownDatabase()
    t.after(() => database.drop())
    await database.ask('CREATE TABLE orders (id bigint PRIMARY KEY, name text, amount numeric(10,2), changed timestamp)')
    return {
      async put(rows) {
        for (const row of rows) await database.ask('INSERT INTO orders VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET name = excluded.name, amount = excluded.amount, changed = excluded.changed', row.map((value) => (typeof value === 'bigint' ? String(value) : value)))
      },
      open: async ({ cursor, key }) => openPostgresSource({ address: { ...parseAddress(`${database.url}?table=orders`), cursor }, key, engine }),
    }
  },
})

test('a table of a server into a Delta table, changes too; no password is remembered', async (t) => {
  const database = await ownDatabase()
  t.after(() => database.drop())
  await database.ask(`CREATE TABLE orders (id int PRIMARY KEY, total numeric(12,2), meta jsonb, at timestamptz, raw bytea, changed timestamptz NOT NULL);
    INSERT INTO orders SELECT n, n / 4.0, '{"n": 1}', '2026-01-02 03:04:05.123456+02', '\\x00ff', timestamptz '2026-01-02 10:00:00+00' + n * interval '1 second' FROM generate_series(1, 2500) AS n; INSERT INTO orders VALUES (9000, 'NaN', NULL, 'infinity', NULL, '2026-01-02 10:00:00+00')`)
  const folder = scratch(t)
  const load = (): ReturnType<typeof sluice> => sluice(['load', '--from', `${database.url}?table=orders&cursor=changed&window=1000`, '--into', 'orders', '--key', 'id', '--json'], { cwd: folder })
  const first = await load()
  assert.deepEqual([first.code, (documentOf(first) as { balance: { inserted: number; quarantined: number } }).balance.inserted], [3, 2500], first.stdout)
  assert.doesNotMatch(first.stdout + (await sluice(['runs', 'ls', '--json'], { cwd: folder })).stdout, new RegExp(`:${new URL(database.url).password}@`))
  await database.ask("UPDATE orders SET total = 7, changed = '2026-01-02 12:00:00+00' WHERE id = 5; INSERT INTO orders VALUES (9001, 1, NULL, NULL, NULL, '2026-01-02 10:41:00+00'); DELETE FROM orders WHERE id = 9000")
  const { balance } = documentOf(await load()) as { balance: { inserted: number; updated: number } }
  assert.deepEqual([balance.inserted, balance.updated], [1, 1])
  const rows = await sluice(['sql', '--format', 'csv', 'select id, total, meta, "at", raw from orders where id in (5, 9001) order by id'], { cwd: folder })
  assert.deepEqual(rows.stdout.split('\n').slice(1, 3), ['5,7.00,"{""n"":1}",2026-01-02T01:04:05.123456Z,00ff', '9001,1.00,,,'])
})

test('every text, and every value at the edge of its type, arrives as the server has it', async (t) => {
  const database = await ownDatabase()
  t.after(() => database.drop())
  const texts = ['', ' ', '"', '""', ',', '\n', 'a\r\nb', '\\.', '\\N', 'NULL', 'null', "it's", '\u00fc\u{1f389}', '\t', 'a"b,c\n"d"', 'x'.repeat(3_000_000), '#', '\ufeff']
  await database.ask('CREATE TABLE texts (id bigint, text text)')
  for (const [id, text] of [...texts, null].entries()) await database.ask('INSERT INTO texts VALUES ($1, $2)', [String(id), text])
  const read = async (table: string): ReturnType<typeof readWindows> => {
    const source = await openPostgresSource({ address: parseAddress(`${database.url}?${table}`), key: ['id'], engine })
    try {
      return await readWindows(source, { after: null, from: null, until: null, count: null }, new AbortController().signal)
    } finally {
      await source.close()
    }
  }
  assert.deepEqual((await read('table=texts')).rows, [...texts, null].map((text, id) => [BigInt(id), text]))
  assert.deepEqual((await read('query=select text as id from texts where id between 1 and 6 order by 1')).rows.length, 6)
  await database.ask(`CREATE TABLE edges (id int, b boolean, i bigint, r real, d double precision, n numeric(38,10), w numeric, day date, at timestamptz, wall timestamp, j json, raw bytea, a int[], u uuid);
    INSERT INTO edges VALUES
      (1, true, 9223372036854775807, 0.1, 5e-324, 1234567890123456789012345678.0123456789, 'NaN', '0001-01-01', '0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999', '{ "a":\n 1.10 }', '\\x', '{1,NULL}', '00000000-0000-0000-0000-000000000001'),
      (2, false, -9223372036854775808, 'NaN', '-Infinity', -0.0000000001, 1e100, '9999-12-31', '9999-12-31 23:59:59.999999+00', '0001-01-01', '[]', '\\x5c78', '{}', NULL),
      (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`)
  assert.deepEqual((await read('table=edges')).rows, [
    [1n, true, 9223372036854775807n, 0.1, 5e-324, '1234567890123456789012345678.0123456789', 'NaN', '0001-01-01', '0001-01-01T00:00:00.000000Z', '9999-12-31T23:59:59.999999', '{ "a":\n 1.10 }', '', '{1,NULL}', '00000000-0000-0000-0000-000000000001'],
    [2n, false, -9223372036854775808n, NaN, -Infinity, '-0.0000000001', `1${'0'.repeat(100)}`, '9999-12-31', '9999-12-31T23:59:59.999999Z', '0001-01-01T00:00:00.000000', '[]', '5c78', '{}', null],
    [3n, ...Array.from({ length: 13 }, () => null)],
  ])
  await database.ask(`CREATE TABLE beyond (id int, n numeric(5,2), day date, at timestamptz, wall timestamp, j json);
    INSERT INTO beyond VALUES (1, 'NaN', NULL, NULL, NULL, '{"a":\n1}'), (2, 1, 'infinity', NULL, NULL, '1'), (3, 1, '0044-03-15 BC', NULL, NULL, NULL), (4, 1, '10000-01-01', NULL, NULL, NULL), (5, 1, NULL, '-infinity', NULL, NULL),
      (6, 1, NULL, '0044-03-15 00:00:00+00 BC', NULL, NULL), (7, 1, NULL, NULL, '12345-01-01', NULL), (8, 1, NULL, NULL, NULL, '"\\ud800"'), (9, 1.5, '2026-01-02', '2026-01-02 03:04:05+00', '2026-01-02 03:04:05', 'true')`)
  const { rows, odd, sizes } = await read('table=beyond')
  assert.deepEqual([rows.map(([id]) => id), sizes], [[9n], [9]])
  assert.deepEqual([odd[0], odd[1]], ['{"id":1,"n":"NaN","day":null,"at":null,"wall":null,"j":{"a": 1}}', '{"id":2,"n":1.00,"day":"infinity","at":null,"wall":null,"j":1}'])
  assert.deepEqual(odd.map((line) => (JSON.parse(line) as { id: number }).id), [1, 2, 3, 4, 5, 6, 7, 8])
  await assert.rejects(read('query=select 1 as id, 2 as "ID"'), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_INVALID')
})

test('an aborted read ends while the server is silent, and a fault of the server in the middle is told', async (t) => {
  const database = await ownDatabase()
  t.after(() => database.drop())
  await database.ask('CREATE TABLE slow (id int); INSERT INTO slow SELECT n FROM generate_series(1, 1000) AS n')
  const all = { after: null, from: null, until: null, count: null }
  const source = await openPostgresSource({ address: parseAddress(`${database.url}?query=select id, case when id > 0 then (select 1 from pg_sleep(600)) end as x from slow`), key: [], engine })
  const abort = new AbortController()
  setTimeout(() => abort.abort(new Error('enough')), 50)
  await assert.rejects(readWindows(source, all, abort.signal), /enough/)
  await source.close()
  const broken = await openPostgresSource({ address: parseAddress(`${database.url}?query=select id, 1 / (id - 900) as x from slow order by id`), key: [], engine })
  const invalid = (error: unknown): boolean => error instanceof SluiceError && error.code === 'SOURCE_INVALID' && /division by zero/.test(error.message)
  await assert.rejects(readWindows(broken, all, new AbortController().signal, { rows: 100, bytes: 1e9 }), invalid)
  await broken.close()
  const wrong = await openPostgresSource({ address: parseAddress(`${database.url}?query=select id, 1 / (id - 900) as x from slow&cursor=x`), key: ['id'], engine })
  await assert.rejects(wrong.newest(), invalid)
  await wrong.close()
})

test('a cursor or key without end is refused with its value, texts of those words are not', async (t) => {
  const database = await ownDatabase()
  t.after(() => database.drop())
  await database.ask(`CREATE TABLE marks (id int, d double precision, r real, n numeric, day date, at timestamptz, wall timestamp, word text); INSERT INTO marks VALUES
    (1, 1, 1, 1, '2026-01-02', '2026-01-02', '2026-01-02', 'a'), (2, 'Infinity', 'NaN', 'NaN', 'infinity', 'infinity', 'infinity', 'infinity')`)
  const newest = async (what: string): Promise<unknown> => {
    const source = await openPostgresSource({ address: parseAddress(`${database.url}?${what}`), key: ['id'], engine })
    try {
      return await source.newest()
    } finally {
      await source.close()
    }
  }
  for (const [column, value] of [['d', 'Infinity'], ['r', 'NaN'], ['n', 'NaN'], ['day', 'infinity'], ['at', 'infinity'], ['wall', 'infinity']] as const) {
    await assert.rejects(newest(`table=marks&cursor=${column}&overlap=0`), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_UNSUITABLE' && error.message.includes(`the ${column} ${value}:`), column)
  }
  assert.deepEqual([await newest('table=marks&cursor=word&overlap=0'), await newest('query=select * from marks where id = 1&cursor=d')], ['infinity', 1])
})

test('the console on a server reads, exactly, and writes nothing', async (t) => {
  const database = await ownDatabase()
  t.after(() => database.drop())
  await database.ask('CREATE TABLE items (id bigint, price numeric(6,2)); CREATE SEQUENCE numbers; INSERT INTO items VALUES (9007199254740993, 1.1)')
  const folder = scratch(t)
  const ask = (sql: string, ...more: string[]): ReturnType<typeof sluice> => sluice(['sql', '--to', database.url, ...more, sql], { cwd: folder })
  assert.equal((await ask('select *, price as price from items; -- all', '--format', 'csv')).stdout, 'id,price,price\n9007199254740993,1.10,1.10\n')
  assert.equal((await ask('select id, price from items', '-o', join(folder, 'x.parquet'))).code, 0)
  const odd = "select 'infinity'::timestamp a, '-infinity'::date b, 'nan'::numeric(10,2) c, '0044-03-15 BC'::timestamptz d"
  assert.equal((await ask(odd, '--format', 'csv')).stdout, 'a,b,c,d\ninfinity,-infinity,NaN,0044-03-15 00:00:00+00 BC\n')
  for (const column of ['a', 'b', 'c', 'd']) {
    const refused = await ask(`select ${column} from (${odd}) x`, '-o', join(folder, `${column}.parquet`))
    assert.deepEqual([refused.code, /VALUE_UNWRITABLE/.test(refused.stderr)], [3, true], column)
  }
  for (const [sql, code] of [['delete from items', 2], ['select 1; delete from items', 2], ['with d as (delete from items returning id) select * from d', 2], ["select nextval('numbers')", 2], ['select nosuch from items', 2], ["select 'x'::int", 2], ['copy items to stdout', 2], ['select * into other from items', 2]] as const) {
    assert.equal((await ask(sql)).code, code, sql)
  }
  assert.deepEqual(await database.ask('SELECT count(*)::int AS n, (SELECT is_called FROM numbers) AS called FROM items'), [{ n: 1, called: false }])
  const late = await ask('select pg_sleep(60)', '--timeout', '1s')
  assert.deepEqual([late.code, /SQL_TIMEOUT/.test(late.stderr)], [1, true])
})
