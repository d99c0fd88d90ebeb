/**
 * examples/csv-to-sql with a PostgreSQL server at its end, by the URL alone: the same rows as in DuckDB.
 * process.env['SLUICE_TEST_POSTGRES_URL'] names the server.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sameRows } from '../example-runs.ts'
import { ownDatabase } from '../postgres.ts'

test('what went from CSV over SQLite is the same in DuckDB and in PostgreSQL', async (t) => {
  const database = await ownDatabase()
  t.after(() => database.drop())
  const bulk = ['load', 'bulk', '--to', 'sqlite:products.db']
  const [rows = []] = await sameRows(t, {
    example: 'csv-to-sql',
    steps: [
      ['generate', '--like', 'products', '--records', '20000', '-o', 'incoming'],
      bulk, ['load', 'onward'],
      (folder) => writeFileSync(join(folder, 'incoming/corrected.csv'), 'name,sku,description\nAdna Ashton,able-able-able-able,corrected\nBean Ashton,new-one,new\n'),
      bulk, ['load', 'onward'],
    ],
    queries: ['select sku, name, description, changed from product order by sku'],
  }, ['duckdb:shop.duckdb', database.url])
  assert.equal(rows.length, 18_669)
  assert.ok(rows.some((row) => row.startsWith('{"sku":"able-able-able-able","name":"Adna Ashton","description":"corrected"')))
})
