/** The console lets one SELECT over its tables through, says exactly what is in them, and nothing gets out. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import type { Console } from '../../core/console.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Row } from '../../core/schema.ts'
import { scratch } from '../../../test/command.ts'
import { lockDown } from './answer.ts'
import { openDuckdbConsole } from './console.ts'
import { Database } from './database.ts'
import { FUNCTIONS_SQL } from './gate.ts'

const never = new AbortController().signal

async function open(t: TestContext): Promise<{ console: Console; folder: string; all: (sql: string) => Promise<Row[]> }> {
  const folder = scratch(t)
  const file = join(folder, 'items.parquet')
  const secret = join(folder, 'secret.csv')
  writeFileSync(secret, 'a,b\n1,2\n')
  mkdirSync(join(folder, 'spool'))
  const database = await Database.open({ threads: 1, memory: 200e6, temp: join(folder, 'spool', 'made') })
  const connection = await database.connect()
  await connection.copy('stage.part', "SELECT CAST(i AS BIGINT) AS id, 'n' || i AS name FROM range(5000) t(i)", file)
  await connection.close()
  const relations = [{ name: 'items', select: `SELECT * FROM read_parquet(['${file}'])`, files: [file] }]
  const opened = await openDuckdbConsole({ memory: 600e6, spool: join(folder, 'spool'), spill: 1e9, relations })
  t.after(() => opened.close())
  const all = async (sql: string): Promise<Row[]> => {
    const rows: Row[] = []
    for await (const chunk of (await opened.ask(sql, { signal: never })).rows) rows.push(...chunk)
    return rows
  }
  return { console: opened, folder, all }
}

test('values come exactly, in one form', async (t) => {
  const { console, all } = await open(t)
  const sql = `SELECT 9007199254740993, 12345678901234567890123::HUGEINT, 1.10::DECIMAL(5,2), 0.1::FLOAT, 1e300, true, DATE '2026-01-02', TIMESTAMPTZ '2026-01-02 03:04:05.1+02',
    TIMESTAMP '2026-01-02 03:04:05', TIME '03:04:05', '\\xC3\\xBC'::BLOB, [1, NULL], {'a': 1.50, 'b': [TIMESTAMP '2026-01-02 00:00:00']}, MAP {'k': 1}, NULL, uuid '00000000-0000-0000-0000-000000000001', '{"x": 1}'::JSON`
  const { columns } = await console.ask(sql, { signal: never })
  assert.deepEqual(columns.map(({ type }) => type), [
    'int64', 'decimal(38,0)', 'decimal(5,2)', 'double', 'double', 'boolean', 'date', 'timestamp', 'timestamp_local', 'string', 'string', 'list<int64>', 'struct<a:decimal(3,2),b:list<timestamp_local>>', 'json', 'int64', 'string', 'json',
  ])
  assert.deepEqual(await all(sql), [[
    9007199254740993n, '12345678901234567890123', '1.10', 0.1, 1e300, true, '2026-01-02', '2026-01-02T01:04:05.100000Z', '2026-01-02T03:04:05.000000', '03:04:05', 'c3bc', '[1,null]',
    '{"a":1.50,"b":["2026-01-02T00:00:00.000000"]}', '{"k":1}', null, '00000000-0000-0000-0000-000000000001', '{"x": 1}',
  ]])
})

test('rows come in the order of the query, all of them, and the next question is answered too', async (t) => {
  const { all } = await open(t)
  const rows = await all('SELECT id FROM items ORDER BY id DESC; -- the end')
  assert.equal(rows.length, 5000)
  assert.deepEqual([rows[0], rows.at(-1)], [[4999n], [0n]])
  assert.deepEqual(await all('WITH few AS (FROM items LIMIT 3) SELECT count(*), sum(id) OVER () FROM few GROUP BY id ORDER BY ALL LIMIT 1'), [[1n, '3']])
  assert.equal((await all('DESCRIBE items')).length, 2)
})

const ATTACKS: readonly (readonly [sql: string, code: string])[] = [
  ['COPY items TO \'$/out.csv\'', 'SQL_REFUSED'],
  ['EXPLAIN ANALYZE COPY (SELECT 1) TO \'$/out.csv\'', 'SQL_REFUSED'],
  ['EXPLAIN ANALYZE SELECT 1', 'SQL_REFUSED'],
  ['SELECT 1; COPY items TO \'$/out.csv\'', 'SQL_REFUSED'],
  ['SELECT 1; SELECT 2', 'SQL_REFUSED'],
  ['INSERT INTO items VALUES (1, 2)', 'SQL_REFUSED'],
  ['CREATE TABLE t AS SELECT 1', 'SQL_REFUSED'],
  ['DROP VIEW items', 'SQL_REFUSED'],
  ['ATTACH \'$/x.db\'', 'SQL_REFUSED'],
  ['INSTALL httpfs', 'SQL_REFUSED'],
  ['LOAD httpfs', 'SQL_REFUSED'],
  ['SET threads = 1', 'SQL_REFUSED'],
  ['RESET ALL', 'SQL_REFUSED'],
  ['PRAGMA database_list', 'SQL_REFUSED'],
  ['CALL enable_logging()', 'SQL_REFUSED'],
  ['SHOW ALL TABLES', 'SQL_REFUSED'],
  ['PREPARE p AS SELECT 1', 'SQL_REFUSED'],
  ['EXPORT DATABASE \'$/out\'', 'SQL_REFUSED'],
  ['SELECT * FROM enable_logging(storage = \'file\', storage_path = \'$/log\')', 'SQL_REFUSED'],
  ['SELECT * FROM read_csv(\'$/secret.csv\')', 'SQL_REFUSED'],
  ['SELECT * FROM read_text(\'/etc/passwd\')', 'SQL_REFUSED'],
  ['SELECT * FROM read_blob(\'/etc/passwd\')', 'SQL_REFUSED'],
  ['SELECT * FROM sniff_csv(\'$/secret.csv\')', 'SQL_REFUSED'],
  ['SELECT * FROM glob(\'/**\')', 'SQL_REFUSED'],
  ['SELECT * FROM parquet_schema(\'$/items.parquet\')', 'SQL_REFUSED'],
  ['SELECT * FROM query(\'COPY items TO \'\'$/out.csv\'\'\')', 'SQL_REFUSED'],
  ['SELECT * FROM query_table(\'items\')', 'SQL_REFUSED'],
  ['SELECT * FROM json_execute_serialized_sql(\'{}\')', 'SQL_REFUSED'],
  ['SELECT * FROM duckdb_settings()', 'SQL_REFUSED'],
  ['SELECT * FROM duckdb_secrets()', 'SQL_REFUSED'],
  ['SELECT (SELECT content FROM read_text(\'/etc/passwd\'))', 'SQL_REFUSED'],
  ['SELECT 1 WHERE EXISTS (FROM read_csv(\'$/secret.csv\'))', 'SQL_REFUSED'],
  ['WITH x AS (FROM read_csv(\'$/secret.csv\')) SELECT 1', 'SQL_REFUSED'],
  ['SELECT write_log(\'x\')', 'SQL_REFUSED'],
  ['SELECT current_setting(\'allowed_paths\')', 'SQL_REFUSED'],
  ['SELECT getvariable(\'x\')', 'SQL_REFUSED'],
  ['SELECT nextval(\'s\')', 'SQL_REFUSED'],
  ['SELECT sleep_ms(100000)', 'SQL_REFUSED'],
  ['SELECT getenv(\'HOME\')', 'SQL_INVALID'],
  ['SELECT * FROM \'$/secret.csv\'', 'SQL_INVALID'],
  ['FROM \'$/items.parquet\'', 'SQL_INVALID'],
  ['DESCRIBE \'$/secret.csv\'', 'SQL_INVALID'],
  ['SELECT * FROM information_schema.tables', 'SQL_INVALID'],
  ['SELECT * FROM duckdb_views', 'SQL_INVALID'],
  ['SELECT * FROM system.main.duckdb_views', 'SQL_INVALID'],
  ['SELECT * FROM sqlite_master', 'SQL_INVALID'],
  ['SELECT 1 FROM items) UNION (SELECT 2', 'SQL_INVALID'],
]

test(`${ATTACKS.length} attacks are refused and leave nothing behind`, async (t) => {
  const { console, folder, all } = await open(t)
  for (const [written, code] of ATTACKS) {
    const sql = written.replaceAll('$', folder)
    await assert.rejects(console.ask(sql, { signal: never }), (error: unknown) => error instanceof SluiceError && error.code === code, `${sql} should be ${code}`)
  }
  // A name that a WITH makes known lets no file of that name be opened: the second wall holds.
  await assert.rejects(console.ask(`SELECT * FROM (WITH "${folder}/secret.csv" AS (SELECT 1) SELECT 1), '${folder}/secret.csv'`, { signal: never }), SluiceError)
  assert.deepEqual(readdirSync(folder).toSorted(), ['items.parquet', 'secret.csv', 'spool'])
  assert.deepEqual(await all('SELECT count(*) FROM items'), [[5000n]])
})

test('behind the gate the process itself opens nothing else', async (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'secret.csv'), 'a\n1\n')
  const connection = await (await Database.open({ threads: 1, memory: 200e6, temp: join(folder, 'made') })).connect()
  await connection.copy('stage.part', 'SELECT 1 AS a', join(folder, 'open.parquet'))
  await lockDown(connection, [join(folder, 'open.parquet')], 1e9)
  assert.equal((await connection.rows(`SELECT * FROM read_parquet('${folder}/open.parquet')`)).length, 1)
  for (const sql of [`SELECT * FROM read_csv('${folder}/secret.csv')`, `COPY (SELECT 1) TO '${folder}/out.csv'`, `ATTACH '${folder}/x.db'`, 'SET enable_external_access = true', 'SET threads = 4', 'RESET lock_configuration', `SET allowed_paths = ['${folder}/secret.csv']`, 'INSTALL httpfs']) {
    await assert.rejects(connection.exec(sql), SluiceError, sql)
  }
  assert.equal(existsSync(join(folder, 'out.csv')), false)
  await connection.close()
})

test('where a query is wrong is told as line and column of what was typed', async (t) => {
  const { console, all } = await open(t)
  const at = (sql: string): Promise<Row[]> => all(sql)
  await assert.rejects(at('SELECT 1,\n  FROM'), /SQL_INVALID|line 2/)
  await assert.rejects(at('SELECT id,\n  nosuch FROM items'), (e: unknown) => e instanceof SluiceError && e.code === 'SQL_INVALID' && e.message.includes('(line 2, column 3)') && e.where.offset === 13)
  await assert.rejects(at('SELECT id,\n  CAST(name AS INTEGER) FROM items'), (e: unknown) => e instanceof SluiceError && e.code === 'SQL_FAILED' && e.message.includes('(line 2, column 3)'))
  await assert.rejects(console.ask('SELECT * FROM nosuch', { signal: never }), /There is no table nosuch \(line 1, column 15\)\. There are items\./)
})

test('an aborted question ends at once', async (t) => {
  const { console } = await open(t)
  const abort = new AbortController()
  const { rows } = await console.ask('SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range = 7', { signal: abort.signal })
  const all = (async () => {
    for await (const chunk of rows) assert.fail(`rows came: ${chunk.length}`)
  })()
  setTimeout(() => abort.abort(new Error('enough')), 300)
  await assert.rejects(all, /enough/)
})

test('the functions of this DuckDB have been looked at', async (t) => {
  const connection = await (await Database.open({ threads: 1, memory: 200e6, temp: join(scratch(t), 'made') })).connect()
  const names = (await connection.rows(`${FUNCTIONS_SQL} ORDER BY name`)).map(({ name }) => String(name))
  await connection.close()
  // Another version: look which functions are new, add those that tell of the machine or change anything to REFUSED_FUNCTIONS.
  assert.equal(`${names.length} ${createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 16)}`, '818 2ef26cb2156bb4a3')
})

test('a DuckDB file: its tables under their names, read only, and nothing of it but its tables', async (t) => {
  const folder = scratch(t)
  const file = join(folder, "shop's.duckdb")
  const connection = await (await Database.open({ threads: 1, memory: 200e6, temp: join(folder, 'made') })).connect()
  for (const sql of [
    `ATTACH '${file.replaceAll("'", "''")}' AS shop`, 'CREATE SCHEMA shop."raw"', 'CREATE SCHEMA shop.sluice', 'CREATE TABLE shop.items AS SELECT 7 AS id', 'CREATE TABLE shop."raw".items AS SELECT 8 AS id',
    'CREATE TABLE shop.sluice.meta AS SELECT 1 AS secret', "CREATE VIEW shop.seen AS SELECT * FROM read_text('/etc/hostname')", "CREATE MACRO shop.getenv(x) AS 'mine'", 'DETACH shop',
  ]) await connection.exec(sql)
  await connection.close()
  const before = readFileSync(file)
  const opened = await openDuckdbConsole({ memory: 600e6, spool: folder, spill: 1e9, relations: [], file: { path: file, hidden: 'sluice' } })
  t.after(() => opened.close())
  const all = async (sql: string): Promise<Row[]> => {
    const rows: Row[] = []
    for await (const chunk of (await opened.ask(sql, { signal: never })).rows) rows.push(...chunk)
    return rows
  }
  assert.deepEqual(opened.tables, ['items', 'raw.items'])
  assert.deepEqual(await all('SELECT a.id, b.id FROM items a, RAW.Items b'), [[7n, 8n]])
  for (const [sql, code] of [
    ['SELECT * FROM sluice.meta', 'SQL_INVALID'], ['SELECT * FROM sluice_file.sluice.meta', 'SQL_INVALID'], ['SELECT * FROM sluice_file.main.items', 'SQL_INVALID'], ['SELECT * FROM seen', 'SQL_INVALID'],
    ['WITH "information_schema.tables" AS (SELECT 1) SELECT * FROM information_schema.tables', 'SQL_INVALID'], ["SELECT getenv('HOME')", 'SQL_INVALID'], ['DELETE FROM items', 'SQL_REFUSED'],
  ] as const) await assert.rejects(opened.ask(sql, { signal: never }), (error: unknown) => error instanceof SluiceError && error.code === code, sql)
  await opened.close()
  assert.deepEqual(readFileSync(file), before)
})
