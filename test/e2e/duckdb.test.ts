/** The command with DuckDB files: loaded, again, upserted, replaced, looked at by every verb, and a ledger that is lost. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { openDuckdbEngine } from '../../src/engines/duckdb/engine.ts'
import { documentOf, scratch, sluice } from '../command.ts'
import type { Said } from '../command.ts'

interface World {
  dir: string
  put(name: string, ...records: unknown[]): void
  run(...args: string[]): Promise<Said>
  /** One `load` of the folder. */
  go(...args: string[]): Promise<Record<string, unknown>>
  ask(sql: string): Promise<string>
}

function world(t: TestContext, into: string): World {
  const dir = scratch(t)
  mkdirSync(join(dir, 'in'))
  const run = (...args: string[]): Promise<Said> => sluice([...args, '--data-dir', 'data'], { cwd: dir })
  return {
    dir,
    run,
    put: (name, ...records) => writeFileSync(join(dir, 'in', name), records.map((record) => `${JSON.stringify(record)}\n`).join('')),
    go: async (...args) => documentOf(await run('load', 'in', '--into', into, '--to', 'duckdb:w.duckdb', '--jobs', '1', '--json', ...args)),
    ask: async (sql) => (await run('sql', '--to', 'duckdb:w.duckdb', '--format', 'csv', sql)).stdout,
  }
}

const counts = (document: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(document['balance'] as Record<string, unknown>).filter(([name, n]) => n !== 0 && name !== 'balances'))

test('upserts into a schema, every verb, a column that joins, and a lost ledger', async (t) => {
  const { dir, put, run, go, ask } = world(t, 'raw.events')
  put('a.ndjson', { id: 1, v: 'a' }, { id: 2, v: 'b' }, { v: 'no key' })
  const first = await go('--key', 'id', '--mode', 'upsert')
  assert.deepEqual([first['state'], first['exit'], first['target'], counts(first)], ['COMPLETED', 3, `duckdb:${join(dir, 'w.duckdb')}#raw.events`, { read: 3, inserted: 2, quarantined: 1 }])
  put('b.ndjson', { id: 2, v: 'c', more: 1.5 }, { id: 3, v: 'd' }, { id: 1, v: 'a' })
  assert.deepEqual(counts(await go()), { read: 3, inserted: 1, updated: 1, duplicate: 1 })
  assert.deepEqual(counts(await go()), {})
  assert.equal(await ask('select id, v, more from raw.events order by id'), 'id,v,more\n1,a,\n2,c,1.5\n3,d,\n')
  for (const args of [['tables', 'ls'], ['tables', 'count', 'raw.events'], ['tables', 'head', 'raw.events'], ['tables', 'schema', 'raw.events'], ['files', 'show', 'raw.events/1'], ['runs', 'ls'], ['rejects', 'ls'], ['schema', 'diff', 'raw.events'], ['doctor']]) {
    const said = await run(...args, '--json')
    assert.equal(said.code, 0, `${args.join(' ')}: ${said.stdout}${said.stderr}`)
  }
  assert.deepEqual((documentOf(await run('rejects', 'ls', '--json'))['items'] as Record<string, unknown>[]).map(({ code }) => code), ['KEY_MISSING'])
  for (const name of readdirSync(join(dir, 'data'))) if (name.startsWith('ledger.db')) rmSync(join(dir, 'data', name))
  put('c.ndjson', { id: 4, v: 'e' })
  const rebuilt = await go()
  assert.deepEqual([rebuilt['exit'], counts(rebuilt), rebuilt['version']], [0, { read: 1, inserted: 1 }, 3])
  assert.equal((await run('doctor')).code, 0)
})

test('replace: the table is what the newest load brought, with the old state until then', async (t) => {
  const { dir, put, go, ask } = world(t, 'daily')
  put('a.ndjson', { id: 1 }, { id: 2 })
  assert.deepEqual(counts(await go('--mode', 'replace')), { read: 2, inserted: 2 })
  rmSync(join(dir, 'in', 'a.ndjson'))
  put('b.ndjson', { id: 3 })
  assert.deepEqual(counts(await go()), { read: 1, inserted: 1 })
  assert.equal(await ask('select id from daily'), 'id\n3\n')
})

test('the delta holds what the last load brought, and days come one by one', async (t) => {
  const { put, run, go, ask } = world(t, 'events')
  put('a.ndjson', { id: 1, at: '2026-01-01 10:00:00', v: 1 }, { id: 1, at: '2026-01-02 10:00:00', v: 2 }, { id: 2, at: '2026-01-02 11:00:00', v: 3 })
  const day = (n: number): string[] => ['--date-field', 'at', '--since', `2026-01-0${n}`, '--until', `2026-01-0${n + 1}`]
  assert.deepEqual(counts(await go('--key', 'id', '--mode', 'upsert', '--delta', 'fresh.events', ...day(1))), { read: 3, inserted: 1, skipped: 2 })
  assert.equal(await ask('select id, v from fresh.events'), 'id,v\n1,1\n')
  assert.deepEqual(counts(await go('--delta', 'fresh.events', ...day(2))), { read: 3, inserted: 1, updated: 1, skipped: 1 })
  assert.equal(await ask('select id, v from fresh.events order by id'), 'id,v\n1,2\n2,3\n')
  assert.deepEqual(counts(await go('--delta', 'fresh.events', ...day(2))), {})
  assert.equal(await ask('select count(*) as n from fresh.events'), 'n\n0\n')
  assert.equal((await run('doctor')).code, 0)
})

/** Another program with the file. */
async function outside(dir: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: dir })
  const session = await engine.session()
  try {
    let rows: Record<string, unknown>[] = []
    for (const statement of [`ATTACH '${join(dir, 'w.duckdb')}' AS theirs`, 'USE theirs', ...statements]) rows = await session.rows(statement)
    return rows
  } finally {
    await session.close()
    await engine.close()
  }
}

test('a table that others made: its defaults, generated columns and constraints hold', async (t) => {
  const { dir, put, run, go } = world(t, 'product')
  await outside(
    dir,
    `CREATE TABLE product (sku VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, price DECIMAL(10,2) CHECK (price > 0), amount SMALLINT, note VARCHAR DEFAULT 'none', "upper name" VARCHAR AS (upper(name)))`,
    `INSERT INTO product (sku, name, price, note) VALUES ('old', 'Old', 1, 'kept'), ('same', 'Same', 2.5, 'kept')`,
  )
  put('a.ndjson', { sku: 'old', name: 'New', price: 3 }, { sku: 'same', name: 'Same', price: 2.5 }, { sku: 'a', name: 'A', amount: 1 }, { sku: 'b', amount: 1 }, { sku: 'c', name: 'C', amount: 40_000 })
  const columns = ['--columns', 'sku:string,name:string,price:decimal(10,2),amount:int64']
  assert.equal((await go('--key', 'sku'))['code'], 'TABLE_FOREIGN')
  assert.equal((await go('--key', 'sku', '--adopt', '--columns', 'sku:string,upper name:string'))['code'], 'DEFINITION_INVALID')
  assert.equal((await go('--key', 'sku', '--adopt', '--columns', 'sku:string,colour:string'))['code'], 'DEFINITION_INVALID')
  const first = await go('--key', 'sku', '--mode', 'upsert', '--adopt', ...columns)
  assert.deepEqual([first['exit'], counts(first), first['reasons']], [3, { read: 5, inserted: 1, updated: 1, duplicate: 1, quarantined: 2 }, { ROW_REFUSED: 2 }])
  const rows = await outside(dir, 'SELECT sku, name, CAST(price AS VARCHAR) AS price, note, "upper name" AS up, _place IS NULL AS foreign_row FROM product ORDER BY sku')
  assert.deepEqual(rows.map((row) => Object.values(row)), [['a', 'A', null, 'none', 'A', false], ['old', 'New', '3.00', 'kept', 'NEW', false], ['same', 'Same', '2.50', 'kept', 'SAME', true]])
  // What only its rules refuse is put aside with what DuckDB says of it.
  put('b.ndjson', { sku: 'd', name: 'D', price: -1 }, { sku: 'e', name: 'E', price: 1 })
  const refused = await go()
  assert.deepEqual([refused['exit'], counts(refused), refused['reasons']], [3, { read: 2, inserted: 1, quarantined: 1 }, { ROW_REFUSED: 1 }])
  assert.match((await run('rejects', 'ls', '--json')).stdout, /CHECK constraint failed on table product with expression CHECK\(\(price > 0\)\)/)
  assert.equal((await outside(dir, 'SELECT count(*) AS n FROM product'))[0]?.['n'], 4n)
  assert.equal((await run('doctor', '--json')).code, 0)
})

test('a table whose rows are not unique by the key is not adopted, and stays what it is', async (t) => {
  const { dir, put, go } = world(t, 'twice')
  await outside(dir, `CREATE TABLE twice AS SELECT 1 AS id, 'a' AS v UNION ALL SELECT 1, 'b'`)
  put('a.ndjson', { id: 1, v: 'c' })
  const said = await go('--key', 'id', '--adopt')
  assert.deepEqual([said['code'], /not unique by the key id/.test(String(said['message']))], ['DEFINITION_INVALID', true])
  assert.equal((await outside(dir, `SELECT count(*) AS n FROM duckdb_columns() WHERE table_name = 'twice'`))[0]?.['n'], 2n)
})
