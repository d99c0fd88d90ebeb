/** Tables of DuckDB files as a source: the contract, every type, and files that cannot be read now or at all. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { parseAddress } from '../../core/address.ts'
import { SluiceError } from '../../core/errors.ts'
import type { FileSource } from '../../core/source.ts'
import { documentOf, scratch, sluice } from '../../../test/command.ts'
import { sourceContract } from '../../../test/contract/source.ts'
import { engineOfTests, readWindows } from '../../../test/windows.ts'
import type { ReadWindows } from '../../../test/windows.ts'
import { openDuckdbSource } from './source.ts'

const engine = engineOfTests()
const never = new AbortController().signal
const SNAPSHOT = { after: null, from: null, until: null, count: null }

async function write(file: string, ...statements: string[]): Promise<void> {
  const session = await engine.session()
  await session.exec(`ATTACH '${file}' AS made`)
  await session.exec('USE made')
  try {
    for (const sql of statements) await session.exec(sql)
  } finally {
    await session.exec('USE memory')
    await session.exec('DETACH made')
    await session.close()
  }
}

async function made(t: TestContext, ...statements: string[]): Promise<string> {
  const file = join(scratch(t), 'shop.duckdb')
  await write(file, ...statements)
  return file
}

const open = (file: string, what: string, key: readonly string[] = ['id']): Promise<FileSource> => openDuckdbSource({ file, address: parseAddress(`duckdb:${file}?${what}`), key, engine })

async function read(file: string, what: string): Promise<ReadWindows> {
  const source = await open(file, what)
  try {
    return await readWindows(source, SNAPSHOT, never)
  } finally {
    await source.close()
  }
}

sourceContract('duckdb', {
  async make(t) {
    const file = await made(t, 'CREATE TABLE orders (id BIGINT PRIMARY KEY, name VARCHAR, amount DECIMAL(10,2), changed TIMESTAMP)')
    return {
      async put(rows) {
        const literal = (value: unknown): string => (value === null ? 'NULL' : typeof value === 'bigint' ? String(value) : `'${String(value).replaceAll("'", "''")}'`)
        await write(file, `INSERT OR REPLACE INTO orders VALUES ${rows.map((row) => `(${row.map(literal).join(', ')})`).join(', ')}`)
      },
      open: ({ cursor, key }) => openDuckdbSource({ file, address: { ...parseAddress(`duckdb:${file}?table=orders`), cursor }, key, engine }),
    }
  },
})

test('every type of DuckDB arrives as it is', async (t) => {
  const file = await made(t, `CREATE TABLE v AS SELECT 1 AS id, true AS b, 255::UTINYINT AS u8, 18446744073709551615::UBIGINT AS u64, 99999999999999999999999999999999999999::HUGEINT AS h, 0.1::FLOAT AS f, 5e-324::DOUBLE AS d,
    '1234567890123456789012345678.0123456789'::DECIMAL(38,10) AS dec, 'a'::ENUM('a', 'b') AS e, DATE '0001-01-01' AS day, TIMESTAMP '9999-12-31 23:59:59.999999' AS wall, TIMESTAMPTZ '2026-01-02 03:04:05.123456+02' AS at,
    TIMESTAMP_S '2026-01-02 03:04:05' AS seconds, TIMESTAMP_NS '2020-01-01 00:00:00.123456789' AS ns, 'x"ü' AS t, '\\x00\\xFF'::BLOB AS raw, '{"a": 1.10}'::JSON AS j, '00000000-0000-0000-0000-000000000001'::UUID AS uu, TIME '01:02:03' AS clock
    UNION ALL SELECT 2, ${Array.from({ length: 18 }, () => 'NULL').join(', ')}`)
  const { rows } = await read(file, 'table=v')
  assert.deepEqual(rows, [
    [1n, true, 255n, '18446744073709551615', '99999999999999999999999999999999999999', 0.1, 5e-324, '1234567890123456789012345678.0123456789', 'a', '0001-01-01', '9999-12-31T23:59:59.999999', '2026-01-02T01:04:05.123456Z',
      '2026-01-02T03:04:05.000000', '2020-01-01 00:00:00.123456789', 'x"ü', '00ff', '{"a": 1.10}', '00000000-0000-0000-0000-000000000001', '01:02:03'],
    [2n, ...Array.from({ length: 18 }, () => null)],
  ])
})

test('lists and structs keep the digits of their numbers, on to the table', async (t) => {
  const file = await made(t, 'CREATE TABLE n AS SELECT 1 AS id, [1.10::DECIMAL(3,2), NULL] AS l, {a: 1.10::DECIMAL(3,2), b: [true]} AS s', "CREATE TABLE w AS SELECT 1 AS id, [1::HUGEINT] AS l")
  const folder = scratch(t)
  const loaded = await sluice(['load', '--from', `duckdb:${file}?table=n&key=id`, '--into', 'n', '--json'], { cwd: folder })
  assert.equal(loaded.code, 0, loaded.stdout)
  assert.equal((await sluice(['sql', '--format', 'csv', 'select l, s from n'], { cwd: folder })).stdout.split('\n')[1], '"[1.10,null]","{""a"":1.10,""b"":[true]}"')
  await assert.rejects(read(file, 'table=w'), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_UNSUITABLE' && error.message.includes('HUGEINT[]'))
})

test('values of no type of ours lie beside their window, or are refused where they could not be told exactly', async (t) => {
  const file = await made(t, `CREATE TABLE o AS SELECT 1 AS id, DATE 'infinity' AS day, NULL::TIMESTAMP AS at, 0::HUGEINT AS h UNION ALL SELECT 2, NULL, TIMESTAMP '10000-01-01', 0 UNION ALL SELECT 3, DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05', 170141183460469231731687303715884105727::HUGEINT UNION ALL SELECT 4, NULL, NULL, NULL`,
    "CREATE TABLE p AS SELECT 1 AS id, DATE 'infinity' AS day, [1.10] AS l")
  const { rows, odd } = await read(file, 'table=o')
  assert.deepEqual([rows, odd.length, odd[0], odd[2]], [[[4n, null, null, null]], 3, '{"id":1,"day":"infinity","at":null,"h":0}', '{"id":3,"day":"2026-01-02","at":"2026-01-02 03:04:05","h":170141183460469231731687303715884105727}'])
  await assert.rejects(read(file, 'table=p'), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_UNSUITABLE')
})

test('a FLOAT is a cursor like other numbers; one without end is refused with its value, as are times', async (t) => {
  const file = await made(t, 'CREATE TABLE f AS SELECT n AS id, (n / 10)::FLOAT AS x FROM range(5) AS r(n)',
    `CREATE TABLE marks AS SELECT 1 AS id, 'nan'::FLOAT AS f, 'inf'::DOUBLE AS d, DATE 'infinity' AS day, TIMESTAMP 'infinity' AS wall, TIMESTAMPTZ 'infinity' AS at, 'infinity' AS word`)
  const source = await open(file, 'table=f&cursor=x', ['x'])
  assert.equal(await source.newest(), 0.4)
  const first = await readWindows(source, { after: null, from: null, until: 0.4, count: 3 }, never, { rows: 2, bytes: 1e9 })
  assert.deepEqual([first.rows, first.last, first.next], [[[0n, 0], [1n, 0.1]], { cursor: 0.1, key: [0.1] }, { cursor: 0.2, key: [0.2] }])
  const second = await readWindows(source, { after: first.last, from: null, until: 0.4, count: 9 }, never)
  assert.deepEqual(second.rows, [[2n, 0.2], [3n, 0.3], [4n, 0.4]])
  for (const [column, value] of [['f', 'NaN'], ['d', 'Infinity'], ['day', 'infinity'], ['wall', 'infinity'], ['at', 'infinity']] as const) {
    await assert.rejects((await open(file, `table=marks&cursor=${column}&overlap=0`)).newest(), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_UNSUITABLE' && error.message.includes(`the ${column} ${value}:`), column)
  }
  assert.equal(await (await open(file, 'table=marks&cursor=word&overlap=0')).newest(), 'infinity')
})

test('what cannot be read says why', async (t) => {
  const file = await made(t, 'CREATE SCHEMA raw', 'CREATE TABLE raw.items AS SELECT 1 AS id, [1] AS l', 'CREATE TABLE other AS SELECT 1 AS id', 'CREATE SCHEMA sluice', 'CREATE TABLE sluice.meta AS SELECT 1 AS id')
  const none = join(scratch(t), 'none.duckdb')
  writeFileSync(none, 'no database'.repeat(2000))
  const says = async (opening: Promise<FileSource>, code: string, text: RegExp): Promise<void> => {
    await assert.rejects(opening, (error: unknown) => error instanceof SluiceError && error.code === code && text.test(error.message))
  }
  await says(open(file, 'table=items'), 'SOURCE_INVALID', /no table items .* it has other, raw\.items\.$/)
  await says(open(file, 'table=sluice.meta'), 'SOURCE_INVALID', /no table/)
  await says(open(file, 'table=RAW.Items', ['nosuch']), 'SOURCE_INVALID', /key=nosuch/)
  await says(open(file, 'table=raw.items', ['l']), 'SOURCE_UNSUITABLE', /INTEGER\[\]/)
  await says(open(file, 'query=select nosuch from other'), 'SOURCE_INVALID', /nosuch/)
  await says(open(file, 'query=select 1 as id; select 2'), 'SOURCE_INVALID', /2 statements/)
  await says(open(file, "query=delete from other"), 'SOURCE_INVALID', /SELECT/)
  await says(open(none, 'table=x'), 'TABLE_FOREIGN', /no DuckDB file/)
  await assert.rejects(read(file, "query=select id, 'x'::int as x from other"), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_INVALID')
  await assert.rejects((await open(file, "query=select id, word::int as x from (select id, 'x' as word from other)&cursor=x")).newest(), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_INVALID')
  assert.deepEqual((await read(file, 'query=select id + 1 as id from raw.items')).rows, [[2n]])
  const session = await engine.session()
  await session.exec(`ATTACH '${file}' AS held`)
  const away = await sluice(['load', '--from', `duckdb:${file}?table=other&key=id`, '--into', 'other', '--json'], { cwd: scratch(t) })
  await session.exec('DETACH held')
  await session.close()
  assert.deepEqual([away.code, (documentOf(away) as { code: string }).code], [7, 'BUSY'], away.stdout)
})
