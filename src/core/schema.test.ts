/** Names of columns and tables, and how the schema of a batch meets the one of a table. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { columnName, describeSchema, findColumn, fits, isReserved, isTableName, mergeSchema } from './schema.ts'
import type { Schema } from './schema.ts'

const pinned: Schema = [{ name: 'id', type: 'int64' }, { name: 'Text', type: 'string' }]

test('characters that a Delta table refuses become _', () => {
  assert.equal(columnName('a b,c;d{e}f(g)h=i\tj\nk'), 'a_b_c_d_e_f_g_h_i_j_k')
  assert.equal(columnName('é-"\'.$'), 'é-"\'.$')
  assert.equal(columnName(''), '_')
})

test('_place and everything that begins with _sluice are reserved, in any case', () => {
  for (const name of ['_place', '_PLACE', '_sluice', '_Sluice_offset', '_sluicegate']) assert.ok(isReserved(name), name)
  for (const name of ['place', '_places', 'sluice', '_']) assert.ok(!isReserved(name), name)
})

test('table names', () => {
  for (const name of ['a', '_a', 'A9', 'x'.repeat(63)]) assert.ok(isTableName(name), name)
  for (const name of ['', '9a', 'a-b', 'a b', 'ä', 'a\n', 'x'.repeat(64), '../a']) assert.ok(!isTableName(name), name)
})

test('columns are found without case', () => {
  assert.equal(findColumn(pinned, 'TEXT'), pinned[1])
  assert.equal(findColumn(pinned, 'tex'), undefined)
})

test('new columns come at the end, known ones keep their spelling and place', () => {
  const merged = mergeSchema(pinned, [{ name: 'new', type: 'date' }, { name: 'TEXT', type: 'string' }, { name: 'b', type: 'json' }])
  assert.equal(describeSchema(merged), 'id:int64, Text:string, new:date, b:json')
  assert.equal(describeSchema(mergeSchema([], pinned)), describeSchema(pinned))
})

test('a wide table is told by its first columns and how many it has', () => {
  const wide = Array.from({ length: 998 }, (_, n): Schema[number] => ({ name: `c${n}`, type: 'int64' }))
  assert.match(describeSchema(wide), /^c0:int64, .*c39:int64, … 998 columns in all$/)
})

test('a staged schema fits when no known column has another type', () => {
  assert.ok(fits([{ name: 'ID', type: 'int64' }, { name: 'new', type: 'double' }], pinned))
  assert.ok(fits([], pinned))
  assert.ok(!fits([{ name: 'new', type: 'double' }, { name: 'text', type: 'json' }], pinned))
})
