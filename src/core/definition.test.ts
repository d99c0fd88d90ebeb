/** Definitions: what a command may ask for, and what an existing table refuses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agree, checkKeepColumn, define, formatKeep, parseColumns, parseKeep } from './definition.ts'
import type { DefinitionRequest } from './definition.ts'

const pair = (request: DefinitionRequest): string => {
  const { mode, keep } = define('t', request)
  return `${mode} ${formatKeep(keep)}`
}
const refused = (request: DefinitionRequest, message: RegExp, code = 'DEFINITION_INVALID'): void => {
  assert.throws(() => define('t', request), { code, message }, JSON.stringify(request))
}

test('mode and keep have defaults', () => {
  assert.equal(pair({}), 'append none')
  assert.equal(pair({ key: 'id' }), 'dedupe first')
  assert.equal(pair({ key: 'id', mode: 'upsert' }), 'upsert last')
  assert.equal(pair({ key: 'id', keep: 'error' }), 'dedupe error')
  assert.equal(pair({ key: 'id', mode: 'upsert', keep: 'max:v' }), 'upsert max:v')
})

test('pairs that do not go together are refused, naming what is meant', () => {
  refused({ mode: 'append', key: 'id' }, /append takes no key/)
  refused({ keep: 'first' }, /append takes no --keep/)
  refused({ mode: 'upsert' }, /needs a --key/)
  assert.throws(() => define('t', { key: 'id', keep: 'last' }), { code: 'DEFINITION_INVALID', hint: 'Take --mode upsert --keep last.' })
  assert.throws(() => define('t', { key: 'id', mode: 'upsert', keep: 'first' }), { hint: 'Take --mode dedupe --keep first.' })
  refused({ mode: 'replace', keep: 'last' }, /without a --key/)
  assert.deepEqual([define('t', { key: 'id', mode: 'replace' }).keep, define('t', { mode: 'replace' }).keep], [{ rule: 'last' }, null])
  refused({ key: 'id', mode: 'merge' }, /merge is not a mode/)
})

test('keys', () => {
  assert.deepEqual(define('t', { key: ' a , b c ' }).key, ['a', 'b_c'])
  refused({ key: 'a,,b' }, /empty name/)
  refused({ key: 'a,A' }, /twice/)
  refused({ key: '_place' }, /reserved/)
  refused({ key: 'x', columns: 'id:string' }, /not among --columns/)
  for (const type of ['double', 'json', 'list<string>', 'struct<a:int64>']) refused({ key: 'id', columns: `id:${type}` }, /cannot be a key/)
  assert.deepEqual(define('t', { key: 'id', columns: 'id:decimal(4,1)' }).key, ['id'])
})

test('columns', () => {
  assert.deepEqual(parseColumns('id:int64, order by :string,a:b:json'), [
    { name: 'id', type: 'int64' }, { name: 'order_by', type: 'string', original: 'order by' }, { name: 'a:b', type: 'json' },
  ])
  assert.deepEqual(parseColumns('p:decimal( 10 , 2 ),t: LIST< String >, a (b):double ,s:struct<Zip Code:string, n: list<struct<q:int64,d:decimal(4,1)>>>,x:y:decimal(1,0),a<b:date').map(({ name, type }) => `${name} ${type}`), [
    'p decimal(10,2)', 't list<string>', 'a__b_ double', 's struct<Zip_Code:string,n:list<struct<q:int64,d:decimal(4,1)>>>', 'x:y decimal(1,0)', 'a<b date',
  ])
  refused({ columns: 'id' }, /not name:type/)
  refused({ columns: 'id:' }, /not name:type/)
  refused({ columns: ':string' }, /not name:type/)
  refused({ columns: 'id:varchar' }, /unknown type varchar/)
  refused({ columns: 'id:string,ID:int64' }, /twice/)
  refused({ columns: '_sluice_x:string' }, /reserved/)
  for (const type of ['decimal(10;2)', 'decimal', 'decimal(39,0)', 'decimal(2,3)', 'decimal(0,0)', 'list', 'list<>', 'list<x>', 'list<string', 'list<string>>', 'struct<>', 'struct<a>', 'struct<a:string,A:int64>', 'struct<:string>', 'string x', `${'list<'.repeat(40)}string${'>'.repeat(40)}`]) {
    refused({ columns: `x:${type}` }, /--columns: x: The type .* cannot be understood/)
  }
})

test('keep', () => {
  assert.deepEqual(parseKeep('max:a b'), { rule: 'max', column: 'a_b' })
  assert.equal(formatKeep(parseKeep('min:x:y')), 'min:x:y')
  for (const text of ['max', 'max:', 'newest', 'FIRST']) assert.throws(() => parseKeep(text), { code: 'DEFINITION_INVALID' }, text)
  refused({ key: 'id', mode: 'upsert', keep: 'max:v', columns: 'id:int64' }, /no such column/)
  refused({ key: 'id', mode: 'upsert', keep: 'max:v', columns: 'id:int64,v:json' }, /no order/)
  refused({ key: 'id', mode: 'upsert', keep: 'max:v', columns: 'id:int64,v:list<int64>' }, /a list<int64> column has no order/)
  assert.equal(pair({ key: 'id', mode: 'upsert', keep: 'min:v', columns: 'id:int64,v:decimal(3,3)' }), 'upsert min:v')
  checkKeepColumn({ rule: 'max', column: 'v' }, { name: 'v', type: 'double' })
})

test('table names', () => {
  assert.throws(() => define('9x', {}), { code: 'DEFINITION_INVALID' })
  assert.throws(() => define('a/b', {}), { code: 'DEFINITION_INVALID' })
})

test('an existing table takes what agrees with it, however it is spelled', () => {
  const existing = define('t', { key: 'Id', mode: 'upsert', keep: 'max:v', columns: 'Id:int64,v:double', records: 'a.b' })
  assert.equal(agree(existing, {}), existing)
  assert.equal(agree(existing, { key: 'ID', mode: 'upsert', keep: 'max:v', columns: 'id:int64, V:double', records: 'a.b' }), existing)
})

test('an existing table refuses what differs, with both values', () => {
  const existing = define('t', { key: 'id' })
  const differs = (request: DefinitionRequest, message: RegExp): void => assert.throws(() => agree(existing, request), { code: 'DEFINITION_DIFFERS', message })
  differs({ key: 'id,ts' }, /--key id,ts differs.*has key id/)
  differs({ mode: 'upsert' }, /has mode dedupe/)
  differs({ keep: 'error' }, /has keep first/)
  differs({ columns: 'id:string' }, /has columns inferred/)
  differs({ records: 'x' }, /has records found by rule/)
  assert.throws(() => agree(define('t', {}), { key: 'id' }), { message: /has key none/ })
})
