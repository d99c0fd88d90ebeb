/** Which tables a SELECT reads, and what it becomes when others stand in their place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rendered, selectedBy } from './reading.ts'

const READS: [sql: string, tables: string[]][] = [
  ['select * from a', ['a']],
  ['select * from a, b x, "C" as y where a.i = b.i', ['a', 'b', 'c']],
  ['select a from t group by a having count(*) > 1 union all select b from u order by 1', ['t', 'u']],
  ['select * from raw.events e left join only organizations o using (id) join lateral (select 1 from z where z.i = e.i) q on true', ['raw.events', 'organizations', 'z']],
  ['with x as (select * from a), y (i) as not materialized (select i from x) select * from y, x, b', ['a', 'b']],
  ['with recursive r as (select 1 union all select i + 1 from r where i < 9) select * from r join t on true', ['t']],
  ['select extract(day from ts), trim(both from s), substring(s from 2) from t', ['t']],
  ['select 1 from t where a is distinct from b and c is not distinct from d', ['t']],
  ["select 'from a', \"from b\", $$ from c $$ from t -- from d\n/* from e /* from f */ */", ['t']],
  ['select (select max(x) from u), y in (select z from v), f(a, b) from t', ['u', 'v', 't']],
  ['select * from (a join b on a.i = b.i) join (select 1 from c) s on true', ['a', 'b', 'c']],
  ['select * from generate_series(1, 3) g, unnest(array[1, 2]) as u, t', ['t']],
  ['select replace(x, 1, 2) from (select replace(a) from t) q', ['t']],
]
for (const [sql, tables] of READS) test(`reads ${tables.join(', ')}: ${sql}`, () => assert.deepEqual(selectedBy(sql, 'm').references.map(({ name }) => name), tables))

const REFUSED: [sql: string, message: RegExp][] = [
  ['select 1; select 2', /more than one statement/],
  ['with x as (delete from t returning *) select * from x', /DELETE changes/],
  ['select * into y from t', /INTO/],
  ["select * from 'x.parquet'", /reads the file/],
  ["select * from read_csv('x')", /read_csv/],
  ["select 'x", /never ends/],
  ['select (1', /never closed/],
  ['select 1)', /never opened/],
]
for (const [sql, message] of REFUSED) test(`refused: ${sql}`, () => assert.throws(() => selectedBy(sql, 'm'), { code: 'MODEL_INVALID', message }))

test('inputs are replaced where they stand as tables, and keep the name that columns are told by', () => {
  const inputs = ['product', 'raw.events']
  const as = (sql: string): string => rendered({ sql, inputs }, (input) => `<${input}>`)
  assert.equal(as('select product.name from product where product.x; -- end'), 'select product.name from <product> AS "product" where product.x')
  assert.equal(as('select * from Raw.Events e, product as p -- tail;'), 'select * from <raw.events> e, <product> as p')
  assert.equal(as('select * from raw.events left join product on true'), 'select * from <raw.events> AS "events" left join <product> AS "product" on true')
})
