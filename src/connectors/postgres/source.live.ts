/**
 * Tables of a PostgreSQL server as a source, and the console on it: the contract, types, and what is refused.
 * process.env['SLUICE_TEST_POSTGRES_URL'] names the server.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { parseAddress } from '../../core/address.ts'
import { documentOf, scratch, sluice } from '../../../test/command.ts'
import { sourceContract } from '../../../test/contract/source.ts'
import { ownDatabase } from '../../../test/postgres.ts'
import { engineOfTests } from '../../../test/windows.ts'
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

test('the console on a server reads, exactly, and writes nothing', async (t) => {
  const database = await ownDatabase()
  t.after(() => database.drop())
  await database.ask('CREATE TABLE items (id bigint, price numeric(6,2)); CREATE SEQUENCE numbers; INSERT INTO items VALUES (9007199254740993, 1.1)')
  const folder = scratch(t)
  const ask = (sql: string, ...more: string[]): ReturnType<typeof sluice> => sluice(['sql', '--to', database.url, ...more, sql], { cwd: folder })
  assert.equal((await ask('select *, price as price from items; -- all', '--format', 'csv')).stdout, 'id,price,price\n9007199254740993,1.10,1.10\n')
  assert.equal((await ask('select id, price from items', '-o', join(folder, 'x.parquet'))).code, 0)
  for (const [sql, code] of [['delete from items', 2], ['select 1; delete from items', 2], ['with d as (delete from items returning id) select * from d', 2], ["select nextval('numbers')", 2], ['select nosuch from items', 2], ["select 'x'::int", 2], ['copy items to stdout', 2], ['select * into other from items', 2]] as const) {
    assert.equal((await ask(sql)).code, code, sql)
  }
  assert.deepEqual(await database.ask('SELECT count(*)::int AS n, (SELECT is_called FROM numbers) AS called FROM items'), [{ n: 1, called: false }])
  const late = await ask('select pg_sleep(60)', '--timeout', '1s')
  assert.deepEqual([late.code, /SQL_TIMEOUT/.test(late.stderr)], [1, true])
})
