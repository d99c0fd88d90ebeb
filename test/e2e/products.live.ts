/**
 * examples/products on a PostgreSQL server by its URL alone: the same rows as in the file beside it.
 * process.env['SLUICE_TEST_POSTGRES_URL'] names the server.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sameRows } from '../example-runs.ts'
import { ownDatabase } from '../postgres.ts'

test('products and their counts are the same in SQLite and in PostgreSQL', async (t) => {
  const database = await ownDatabase()
  t.after(() => database.drop())
  const [products = [], counts = []] = await sameRows(t, {
    example: 'products',
    steps: [
      ['generate', '--like', 'products', '--records', '20000', '-o', 'incoming'],
      ['load', 'products'],
      ['load', 'products'],
      (folder) => writeFileSync(join(folder, 'incoming/corrected.csv'), 'name,sku,description\nAdna Ashton,able-able-able-able,corrected\nBean Ashton,belt-acid-baby-bond,moved\nBean Ashton,new-one,new\n'),
      ['load', 'products'],
    ],
    queries: ['select sku, name, description from product order by sku', 'select id, name, count from product_count order by id', 'select name, count(*) as n from product group by name order by name', 'select name, count as n from product_count order by name'],
  }, ['sqlite:shop.db', database.url])
  assert.equal(products.length, Math.round((20_000 * 466_693) / 500_000) + 1)
  assert.ok(products.includes('{"sku":"belt-acid-baby-bond","name":"Bean Ashton","description":"moved"}'))
  assert.ok(counts.some((line) => line.includes('"name":"Bean Ashton","count":2')))
  const types = await database.ask("select column_name, data_type, character_maximum_length from information_schema.columns where table_schema = 'public' and column_name in ('id', 'name', 'sku') and table_name in ('product', 'product_count') order by table_name, column_name")
  assert.deepEqual(types.map(({ column_name: name, data_type: type }) => `${String(name)} ${String(type)}`), ['name character varying', 'sku character varying', 'id uuid', 'name character varying'])
})
