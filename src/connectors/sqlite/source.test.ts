/** Tables of SQLite files as a source: the contract, and what is SQLite's own: types by value, affinities, queries. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { parseAddress } from '../../core/address.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Row } from '../../core/schema.ts'
import type { RowSource } from '../../core/source.ts'
import { scratch } from '../../../test/command.ts'
import { sourceContract } from '../../../test/contract/source.ts'
import { openSqliteSource } from './source.ts'

function made(t: TestContext, sql: string): { db: DatabaseSync; file: string } {
  const file = join(scratch(t), 'shop.db')
  const db = new DatabaseSync(file)
  db.exec(`PRAGMA journal_mode = WAL; ${sql}`)
  t.after(() => db.close())
  return { db, file }
}

const ORDERS = 'CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, amount DECIMAL(10,2), changed TEXT)'

sourceContract('sqlite', {
  async make(t) {
    const { db, file } = made(t, ORDERS)
    return {
      put(rows) {
        const put = db.prepare('INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?)')
        for (const row of rows) put.run(...row)
      },
      open: async ({ cursor, key }) => openSqliteSource({ file, address: { ...parseAddress(`sqlite:${file}?table=orders`), cursor }, key }),
    }
  },
  async putOdd(t) {
    const { db, file } = made(t, ORDERS)
    db.exec("INSERT INTO orders VALUES (1, 'one', 1.5, '2026-01-02 03:04:01'), (2, 'two', 'much', '2026-01-02 03:04:02')")
    return openSqliteSource({ file, address: parseAddress(`sqlite:${file}?table=orders&cursor=changed`), key: ['id'] })
  },
})

async function all(source: RowSource): Promise<{ rows: Row[]; odd: [number, string][] }> {
  const rows: Row[] = []
  const odd: [number, string][] = []
  for await (const chunk of source.rows({ after: null, from: null, until: null, count: null }, new AbortController().signal)) {
    odd.push(...[...chunk.odd].map(([at, text]): [number, string] => [at + rows.length, text]))
    rows.push(...chunk.rows)
  }
  await source.close()
  return { rows, odd }
}

const snapshot = (file: string, what: string, key: readonly string[] = []): RowSource => openSqliteSource({ file, address: parseAddress(`sqlite:${file}?${what}`), key })

test('declared types, and values that fit them or are told apart', async (t) => {
  const { file } = made(t, `CREATE TABLE v (a BIGINT, b REAL, c NUMERIC(5,2), d BOOLEAN, e DATE, f DATETIME, g JSON, h VARCHAR(9), i BLOB);
    INSERT INTO v VALUES (9223372036854775807, 1.5, 1.1, 1, '2026-01-02', '2026-01-02 03:04:05.5', '{"a": 1}', 'text', x'00FF'),
      (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (1, 2, 100, 0, '2024-02-29', '2026-01-02T03:04:05+02:00', '[]', 'x', x''),
      ('x', 1, 1, 1, '2026-01-02', '2026-01-02', '1', '', x'01'), (1, 'x', 1, 1, NULL, NULL, NULL, NULL, NULL), (1, 1, 1.125, 1, NULL, NULL, NULL, NULL, NULL),
      (1, 1, 1, 7, NULL, NULL, NULL, NULL, NULL), (1, 1, 1, 1, '2026-13-01', NULL, NULL, NULL, NULL), (1, 1, 1, 1, NULL, 1700000000, NULL, NULL, NULL),
      (1, 1, 1, 1, NULL, NULL, '{', NULL, NULL), (1, 1, 1, 1, NULL, NULL, NULL, x'01', NULL), (1, 1, 1, 1, NULL, NULL, NULL, NULL, 'text'), (1, 1, 1000, 1, NULL, NULL, NULL, NULL, NULL)`)
  const source = snapshot(file, 'table=v')
  const { schema, notices } = await source.columns()
  assert.deepEqual(schema.map(({ type }) => type), ['int64', 'double', 'decimal(5,2)', 'boolean', 'date', 'timestamp', 'json', 'string', 'string'])
  assert.match(notices.join(), /bytes of i .*hexadecimal.*without a zone in f/)
  const { rows, odd } = await all(source)
  assert.deepEqual(rows.slice(0, 3), [
    [9223372036854775807n, 1.5, '1.10', true, '2026-01-02', '2026-01-02 03:04:05.5Z', '{"a": 1}', 'text', '00ff'],
    [null, null, null, null, null, null, null, null, null],
    [1n, 2, '100.00', false, '2024-02-29', '2026-01-02T03:04:05+02:00', '[]', 'x', ''],
  ])
  assert.deepEqual(odd.map(([at]) => at), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  assert.equal(odd[0]?.[1], '{"a":"x","b":1,"c":1,"d":1,"e":"2026-01-02","f":"2026-01-02","g":1,"h":"","i":"01"}')
})

test('a query: columns without a declaration take the type of their values', async (t) => {
  const { file } = made(t, "CREATE TABLE o (id INTEGER, price REAL); INSERT INTO o VALUES (1, 1.5), (2, 2.5); CREATE VIEW w AS SELECT id * 2 AS twice FROM o")
  const source = snapshot(file, 'query=select id, price * 2 as double, count(*) over () as n, id || \'x\' as label, null as none from o order by id; -- all', ['id'])
  assert.deepEqual((await source.columns()).schema.map(({ name, type }) => `${name}:${type}`), ['id:int64', 'double:double', 'n:int64', 'label:string', 'none:string'])
  assert.deepEqual((await all(source)).rows, [[1n, 3, 2n, '1x', null], [2n, 5, 2n, '2x', null]])
  assert.deepEqual((await all(snapshot(file, 'table=w', ['twice']))).rows, [[2n], [4n]])
  for (const query of ['delete from o', 'select 1; select 2', 'select nosuch from o', 'pragma table_info(o)']) {
    assert.throws(() => snapshot(file, `query=${query}`), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_INVALID', query)
  }
  assert.throws(() => snapshot(file, 'table=nosuch'), /There is no table nosuch .*it has o, w/)
})

test('columns of Sluice stay behind: its tables can be read like others', async (t) => {
  const { file } = made(t, "CREATE TABLE items (id INTEGER, _place INTEGER NOT NULL); INSERT INTO items VALUES (1, 4294967297); CREATE TABLE _sluice_meta (x)")
  const source = snapshot(file, 'table=items')
  assert.deepEqual((await source.columns()).schema.map(({ name }) => name), ['id'])
  await source.close()
  assert.throws(() => snapshot(file, 'table=_sluice_meta'), /SOURCE_INVALID|There is no table/)
})

test('a cursor or key without end is refused with its value', async (t) => {
  const { file } = made(t, 'CREATE TABLE o (id REAL, changed REAL); INSERT INTO o VALUES (1, 1.5), (-9e999, 2), (2, 9e999); CREATE VIEW f AS SELECT * FROM o WHERE changed < 9')
  const unsuitable = (error: unknown): boolean => error instanceof SluiceError && error.code === 'SOURCE_UNSUITABLE' && /(changed Infinity|id -Infinity)/.test(error.message)
  const source = openSqliteSource({ file, address: parseAddress(`sqlite:${file}?table=o&cursor=changed`), key: ['id'] })
  await assert.rejects(source.newest(), unsuitable)
  await source.close()
  const below = openSqliteSource({ file, address: parseAddress(`sqlite:${file}?table=f&cursor=changed`), key: ['id'] })
  assert.equal(await below.newest(), 2)
  for await (const { position } of below.rows({ after: null, from: null, until: 2, count: 2 }, new AbortController().signal)) {
    assert.deepEqual(position(0), { cursor: 1.5, key: [1] })
    assert.throws(() => position(1), unsuitable)
  }
  await below.close()
})

test('a writer goes on between two chunks of a read, and a reader never writes', async (t) => {
  const { db, file } = made(t, 'CREATE TABLE o (id INTEGER PRIMARY KEY, changed INTEGER); INSERT INTO o WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5000) SELECT n, n FROM r')
  const source = openSqliteSource({ file, address: parseAddress(`sqlite:${file}?table=o&cursor=changed`), key: ['id'] })
  let rows = 0
  for await (const chunk of source.rows({ after: null, from: null, until: 5000n, count: null }, new AbortController().signal)) {
    rows += chunk.rows.length
    db.exec(`INSERT INTO o VALUES (${rows + 100_000}, ${rows + 100_000})`)
  }
  assert.equal(rows, 5000)
  assert.equal(await source.newest(), 105_000n)
  await source.close()
})
