/** `sluice sql` as a user runs it: tables of a data folder and of a SQLite file, every format, every way to ask and to stop. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { BIN, documentOf, plainEnv, scratch, sluice } from '../command.ts'
import type { Said } from '../command.ts'
import { cpuOf, treeOf } from '../processes.ts'

const RECORDS = [
  '{"id":1,"name":"Widget","price":1.10,"at":"2026-01-02T03:04:05.123456Z"}',
  '{"id":9007199254740993,"name":"null","price":-3.00,"at":null}',
  '{"id":3,"name":"","price":null,"at":"2026-01-02T00:00:00Z"}',
]

async function loaded(t: TestContext, to?: string): Promise<{ folder: string; run: (...args: string[]) => Promise<Said> }> {
  const folder = scratch(t)
  writeFileSync(join(folder, 'items.ndjson'), `${RECORDS.join('\n')}\n`)
  const run = (...args: string[]): Promise<Said> => sluice(args, { cwd: folder })
  const columns = 'id:int64,name:string,price:decimal(10,2),at:timestamp'
  assert.equal((await run('load', 'items.ndjson', '--into', 'items', '--key', 'id', '--columns', columns, ...(to === undefined ? [] : ['--to', to]))).code, 0)
  return { folder, run }
}

/** Everything below a folder that a query must leave as it is. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()) {
    if (/(^|\/)(workers|spool|logs)(\/|$)|-(shm|wal)$|ledger\.db/.test(name) || !statSync(join(folder, name)).isFile()) continue
    hash.update(name).update(readFileSync(join(folder, name)))
  }
  return hash.digest('hex')
}

test('a table for people, exact values for programs, and nothing is changed', async (t) => {
  const { folder, run } = await loaded(t)
  const before = fingerprint(folder)
  const table = await run('sql', 'select id, name, price from items order by id')
  assert.equal(table.code, 0, table.stderr)
  assert.deepEqual(table.stdout.split('\n').slice(3, 6), ["               1 │ Widget │          1.10", "               3 │ ''     │          null", "9007199254740993 │ 'null' │         -3.00"])
  assert.match(table.stderr, /^3 rows/m)
  assert.deepEqual((await run('sql', '--format', 'csv', 'select * from items order by id desc limit 2')).stdout.split('\n'), ['id,name,price,at', '9007199254740993,null,-3.00,', '3,"",,2026-01-02T00:00:00.000Z', ''])
  assert.equal((await run('sql', '--format', 'ndjson', 'select * from items where id = 1')).stdout, `${RECORDS[0] ?? ''}\n`)
  assert.equal((await run('sql', '--format', 'json', 'select id, name from items where id <> 3 order by id')).stdout, '[\n{"id":1,"name":"Widget"},\n{"id":9007199254740993,"name":"null"}\n]\n')
  assert.equal((await run('sql', '--format', 'json', 'select 1 as a where false')).stdout, '[]\n')
  const said = await run('sql', '--json', 'select id, price from items order by id', '--limit', '2')
  const document = documentOf(said)
  assert.match(said.stdout, /"items":\[\{"id":1,"price":1\.10\},\{"id":3,"price":null\}\],"rows":2,"more":true/)
  assert.deepEqual(document['columns'], [{ name: 'id', type: 'int64', declared: 'BIGINT' }, { name: 'price', type: 'decimal(10,2)', declared: 'DECIMAL(10,2)' }])
  assert.equal(fingerprint(folder), before)
})

test('into a file: whole or not at all, never over another one', async (t) => {
  const { folder, run } = await loaded(t)
  for (const name of ['rows.csv', 'rows.json', 'rows.ndjson', 'rows.parquet']) {
    const said = await run('sql', '-o', name, 'select * from items order by id', '--json')
    assert.equal(said.code, 0, said.stdout)
    assert.deepEqual([documentOf(said)['rows'], documentOf(said)['bytes']], [3, statSync(join(folder, name)).size])
  }
  const inspected = documentOf(await run('inspect', 'rows.parquet', '--json'))
  assert.match(JSON.stringify(inspected), /9007199254740993|Widget/)
  const again = await run('sql', '-o', 'rows.csv', 'select 1 as one')
  assert.deepEqual([again.code, /OUTPUT_EXISTS/.test(again.stderr)], [3, true])
  assert.equal((await run('sql', '-o', 'rows.csv', '--overwrite', 'select 1 as one')).code, 0)
  assert.equal(readFileSync(join(folder, 'rows.csv'), 'utf8'), 'one\n1\n')
  // Fails at its second row: no file, and no working file.
  assert.equal((await run('sql', '-o', 'bad.csv', 'select cast(name as integer) from items')).code, 2)
  assert.deepEqual(readdirSync(folder).filter((name) => name.includes('bad')), [])
  assert.equal((await run('sql', '-o', 'rows.txt', 'select 1')).code, 2)
})

test('a file, a pipe, a query with a comment at its end', async (t) => {
  const { folder, run } = await loaded(t)
  writeFileSync(join(folder, 'query.sql'), '-- how many\nselect count(*) as n\nfrom items; -- that is all\n')
  // A table none of whose records got in has no columns, and stands in nobody's way.
  writeFileSync(join(folder, 'bad.ndjson'), 'no\n')
  assert.equal((await run('load', 'bad.ndjson', '--into', 'bare')).code, 3)
  assert.equal((await run('sql', '-f', 'query.sql', '--format', 'csv')).stdout, 'n\n3\n')
  assert.equal((await run('sql', 'select * from bare', '--format', 'csv')).stdout, '_place\n')
  const piped = spawn(process.execPath, [BIN, 'sql', '--format', 'csv'], { cwd: folder, env: plainEnv(), stdio: ['pipe', 'pipe', 'inherit'] })
  piped.stdin.end('select 7 as n')
  assert.equal((await piped.stdout.setEncoding('utf8').toArray()).join(''), 'n\n7\n')
  assert.equal((await run('sql', '-f', 'missing.sql', '--json')).code, 6)
})

test('what is wrong has its code, its place and its exit', async (t) => {
  const { run } = await loaded(t)
  const cases: readonly (readonly [sql: string, code: string, exit: number, message: RegExp])[] = [
    ['selec 1', 'SQL_INVALID', 2, /line 1, column 1/],
    ['select nosuch from items', 'SQL_INVALID', 2, /nosuch.*line 1, column 8/],
    ['select * from nosuch', 'SQL_INVALID', 2, /There are items/],
    ['delete from items', 'SQL_REFUSED', 2, /no SELECT/],
    ['select 1; select 2', 'SQL_REFUSED', 2, /2 statements/],
    ['select cast(name as integer) from items', 'SQL_FAILED', 2, /Widget/],
    [' ', 'USAGE', 2, /empty/],
  ]
  for (const [sql, code, exit, message] of cases) {
    const said = await run('sql', sql, '--json')
    const error = documentOf(said)
    assert.deepEqual([error['code'], said.code, error['exit']], [code, exit, exit], sql)
    assert.match(String(error['message']), message)
  }
  const twins = await run('sql', '--format', 'ndjson', 'select 1 as a, 2 as a')
  assert.deepEqual([twins.code, /Two columns are called a/.test(twins.stderr)], [2, true])
  const late = await run('sql', '--timeout', '1s', 'select count(*) from range(10000000) a, range(10000000) b where a.range * b.range = 7')
  assert.deepEqual([late.code, /SQL_TIMEOUT/.test(late.stderr)], [1, true])
})

test('a SQLite file: read-only, the same formats, its own types', async (t) => {
  const { folder, run } = await loaded(t, 'sqlite:shop.db')
  // The only place of this data folder needs no --to.
  assert.equal((await run('sql', '--format', 'csv', 'select name from items order by id')).stdout, 'name\nWidget\n""\nnull\n')
  const before = readFileSync(join(folder, 'shop.db'))
  for (const sql of ['delete from items', 'pragma journal_mode = delete', "attach 'other.db' as o", 'select 1; delete from items', 'vacuum', 'begin immediate', "select load_extension('x')"]) {
    const said = await run('sql', '--to', 'sqlite:shop.db', sql)
    assert.equal(said.code, 2, `${sql}: ${said.stderr}`)
  }
  assert.deepEqual(readFileSync(join(folder, 'shop.db')), before)
  assert.equal(existsSync(join(folder, 'other.db')), false)
  assert.equal((await run('sql', '--to', 'sqlite:shop.db', '--format', 'ndjson', "select id, 1.5 as r, x'00ff' as b, null as z from items where id > 3 union all select 'text', 1, 'b', 0")).stdout, '{"id":9007199254740993,"r":1.5,"b":"00ff","z":null}\n{"id":"text","r":1,"b":"b","z":0}\n')
  assert.equal((await run('sql', '--to', 'sqlite:shop.db', '-o', 'x.parquet', 'select id, name from items')).code, 0)
  assert.match((await run('sql', '--to', 'sqlite:shop.db', '-o', 'y.parquet', "select id from items union all select 'x'")).stderr, /SQL_FAILED.*int64 and string/s)
  assert.match((await run('sql', '--to', 'sqlite:shop.db', 'select nosuch from items')).stderr, /SQL_INVALID.*line 1, column 8/s)
  assert.equal((await run('sql', '--to', 'sqlite:nothing.db', 'select 1')).code, 6)
})

test('a DuckDB file: read-only, tables in schemas, and the file is free again afterwards', async (t) => {
  const { folder, run } = await loaded(t, 'duckdb:shop.duckdb')
  assert.equal((await run('load', 'items.ndjson', '--into', 'raw.copy', '--mode', 'append', '--to', 'duckdb:shop.duckdb')).code, 0)
  const before = readFileSync(join(folder, 'shop.duckdb'))
  // The only place of this data folder needs no --to.
  assert.equal((await run('sql', '--format', 'csv', 'select name from items order by id')).stdout, 'name\nWidget\n""\nnull\n')
  assert.equal((await run('sql', '--to', 'duckdb:shop.duckdb', '--format', 'ndjson', 'select id, price from items where id = 1')).stdout, '{"id":1,"price":1.10}\n')
  assert.equal((await run('sql', '--to', 'duckdb:shop.duckdb', '--format', 'csv', 'select count(*) as n from raw.copy join items using (id)')).stdout, 'n\n3\n')
  for (const sql of ['delete from items', "attach 'other.duckdb' as o", 'checkpoint', "copy items to 'out.csv'"]) assert.equal((await run('sql', '--to', 'duckdb:shop.duckdb', sql)).code, 2, sql)
  assert.match((await run('sql', '--to', 'duckdb:shop.duckdb', 'select * from nosuch')).stderr, /SQL_INVALID.*There are items, raw\.copy\./s)
  assert.match((await run('sql', '--to', 'duckdb:items.ndjson', 'select 1')).stderr, /TABLE_FOREIGN/)
  assert.equal((await run('sql', '--to', 'duckdb:nothing.duckdb', 'select 1')).code, 6)
  assert.deepEqual(readFileSync(join(folder, 'shop.duckdb')), before)
  assert.deepEqual(readdirSync(folder).toSorted(), ['items.ndjson', 'shop.duckdb', 'sluice-data'])
})

/** Sends Ctrl-C once a process below has worked for longer than it takes to start: by then the query runs, however busy the machine is. */
function interruptAtWork(child: ChildProcess): void {
  const root = child.pid ?? 0
  const look = setInterval(() => {
    if (!treeOf(root).some((pid) => pid !== root && cpuOf(pid) > 1200)) return
    clearInterval(look)
    child.kill('SIGINT')
  }, 50)
  child.on('close', () => clearInterval(look))
}

test('Ctrl-C cancels, in both databases', async (t) => {
  const { folder } = await loaded(t, 'sqlite:shop.db')
  for (const [to, sql] of [['sqlite:shop.db', 'with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r'], ['delta:sluice-data/tables', 'select count(*) from range(10000000) a, range(10000000) b where a.range * b.range = 7']] as const) {
    const said = await sluice(['sql', '--to', to, sql], { cwd: folder, onStart: interruptAtWork })
    assert.deepEqual([said.code, /INTERRUPTED/.test(said.stderr)], [130, true], said.stderr)
  }
  assert.deepEqual(readdirSync(join(folder, 'sluice-data', 'spool')), [])
})
