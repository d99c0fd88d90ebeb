/** The model's own typing, held to examples of docs/reference/semantics.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ColumnType } from '../src/core/types.ts'
import { minify, parseJson, typeRecord, typeValue } from './typing.ts'

const typed = (type: ColumnType, text: string): unknown => {
  const value = typeValue(type, parseJson(text))
  return typeof value === 'object' && value !== null ? value.code : value
}

test('integers are exact, however they are written', () => {
  for (const [text, value] of [['9007199254740993', 9007199254740993n], ['1.0', 1n], ['1e3', 1000n], ['-0', 0n], ['12300e-2', 123n], ['-9223372036854775808', -(2n ** 63n)]] as const) {
    assert.equal(typed('int64', text), value, text)
  }
  for (const text of ['9223372036854775808', '-9223372036854775809', '1.5', '1e-1', '1e99999', '"1"', 'true']) assert.equal(typed('int64', text), 'TYPE_MISMATCH', text)
})

test('doubles take the nearest value; text keeps the number as it is written', () => {
  assert.equal(typed('double', '0.1'), 0.1)
  assert.ok(Object.is(typed('double', '-0.0'), -0))
  assert.equal(typed('double', '1e999'), 'TYPE_MISMATCH')
  assert.equal(typed('string', '1.10'), '1.10')
})

test('decimals have all digits of their scale, lists and structs one form', () => {
  for (const [type, text, value] of [
    ['decimal(10,2)', '1.1', '1.10'], ['decimal(10,2)', '1e3', '1000.00'], ['decimal(10,2)', '-0', '0.00'], ['decimal(10,2)', '1.100', '1.10'], ['decimal(10,2)', '12345e-2', '123.45'], ['decimal(3,3)', '-0.5', '-0.500'],
    ['decimal(38,0)', '99999999999999999999999999999999999999', '99999999999999999999999999999999999999'], ['decimal(10,2)', '1.101', 'PRECISION_LOST'], ['decimal(10,2)', '1e8', 'TYPE_MISMATCH'], ['decimal(10,2)', '"1"', 'TYPE_MISMATCH'],
    ['decimal(3,3)', '1', 'TYPE_MISMATCH'], ['decimal(5,0)', '1e-1', 'PRECISION_LOST'],
    ['list<double>', '[ 1, 0.5 , null,-0.0,1e21 ]', '[1.0,0.5,null,0.0,1e21]'], ['struct<b:string,a:decimal(3,1)>', '{"A":1,"c":2}', '{"b":null,"a":1.0}'], ['struct<a:int64>', '{"a":1,"A":1}', 'MEMBER_REPEATED'], ['list<int64>', '[1.5]', 'TYPE_MISMATCH'],
  ] as const) assert.equal(typed(type, text), value, `${text} into ${type}`)
})

test('instants are UTC with six digits; wall time is kept', () => {
  for (const text of ['2026-05-01T17:25:43.111Z', '2026-05-01T17:25:43.111+00:00', '2026-05-01T19:25:43.111000+02:00', '2026-05-01 12:25:43.1110000-0500', '2026-05-01T17:25:43.111']) {
    assert.equal(typed('timestamp', JSON.stringify(text)), '2026-05-01T17:25:43.111000Z', text)
  }
  assert.equal(typed('timestamp', '"2026-05-01T17:25+01"'), '2026-05-01T16:25:00.000000Z')
  assert.equal(typed('timestamp_local', '"2026-05-01T17:25:43.1"'), '2026-05-01T17:25:43.100000')
  assert.equal(typed('timestamp_local', '"2026-05-01T17:25:43Z"'), 'TYPE_MISMATCH')
  assert.equal(typed('timestamp', '"2026-05-01T17:25:43.1234567Z"'), 'PRECISION_LOST')
  for (const text of ['2026-05-01', '2023-02-29T00:00:00Z', '0000-01-01T00:00:00Z', '0001-01-01T00:00:00+00:01', '2026-05-01T24:00:00Z', '']) {
    assert.equal(typed('timestamp', JSON.stringify(text)), 'TYPE_MISMATCH', text)
  }
})

test('json loses its white space and nothing else', () => {
  assert.equal(minify(parseJson('{ "b" : [1.10, 1e3 ,"x y"], "a":null}')), '{"b":[1.10,1e3,"x y"],"a":null}')
  assert.equal(typed('json', 'null'), null)
})

test('a record is a row, or is put aside with a code', () => {
  const schema = [{ name: 'id', type: 'int64' }, { name: 'v', type: 'string' }] as const
  const record = (text: string): unknown => {
    const row = typeRecord(parseJson(text), schema, ['ID'])
    return Array.isArray(row) ? row : row.code
  }
  assert.deepEqual(record('{"V":"x","ID":1,"more":[]}'), [1n, 'x'])
  assert.deepEqual(record('{"id":1}'), [1n, null])
  for (const [text, code] of [['5', 'RECORD_NOT_OBJECT'], ['[]', 'RECORD_NOT_OBJECT'], ['{}', 'KEY_MISSING'], ['{"id":null}', 'KEY_MISSING'], ['{"id":"1"}', 'TYPE_MISMATCH'], ['{"id":1,"Id":1}', 'MEMBER_REPEATED'], ['{"id":1,"_place":1}', 'NAME_RESERVED']] as const) {
    assert.equal(record(text), code, text)
  }
})
