/** Types and names of PostgreSQL, as far as they can be told without a server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ColumnType } from '../../core/schema.ts'
import { fullName, postgres } from './dialect.ts'

test('what Sluice makes keeps its type, and is taken for the same when it is adopted', () => {
  const types: ColumnType[] = ['string', 'boolean', 'int64', 'double', 'date', 'timestamp', 'timestamp_local', 'json', 'decimal(10,2)', 'decimal(38,38)']
  for (const type of types) {
    const stored = postgres.sqlType(type).replace(' COLLATE "C"', '')
    assert.ok(postgres.holds(stored, type), type)
    assert.equal(postgres.typeOf(stored), type)
    for (const other of types) if (other !== type && !stored.startsWith('numeric')) assert.equal(postgres.holds(stored, other), stored === 'text' && other === 'json', `${stored} for ${other}`)
  }
  assert.ok(postgres.holds('json', 'list<string>') && postgres.holds('json', 'struct<a:int64>'))
})

test('uuid and enums of others are texts, jsonb is json', () => {
  assert.deepEqual(['uuid', 'jsonb', 'enum mood'].map((stored) => postgres.typeOf(stored)), ['string', 'json', 'string'])
  for (const stored of ['uuid', 'enum mood']) assert.deepEqual([postgres.holds(stored, 'string'), postgres.holds(stored, 'json')], [true, false])
  assert.deepEqual([postgres.holds('jsonb', 'json'), postgres.holds('jsonb', 'string')], [true, false])
})

test('types that would change a value are none', () => {
  for (const stored of ['character(5)', 'real', 'numeric', 'numeric(40,2)', 'numeric(5,-2)', 'timestamp(3) with time zone', 'timestamp(0) without time zone', 'money', 'bytea', 'text[]', 'my_enum']) {
    assert.equal(postgres.typeOf(stored), null, stored)
    for (const type of ['string', 'json', 'double', 'timestamp', 'timestamp_local', 'decimal(10,3)'] as const) assert.equal(postgres.holds(stored, type), stored === 'numeric' && type === 'decimal(10,3)', `${stored} for ${type}`)
  }
  assert.ok(!postgres.holds('numeric(10,3)', 'decimal(10,2)') && !postgres.holds('numeric(10,2)', 'decimal(11,2)') && postgres.holds('numeric(12,2)', 'decimal(10,2)'))
  assert.deepEqual([postgres.typeOf('character varying(5)'), postgres.typeOf('character varying'), postgres.typeOf('integer')], ['string(5)', 'string', 'int64'])
  assert.equal(postgres.sqlType('string(420)'), 'character varying(420) COLLATE "C"')
})

test('names of tables with and without a schema; what is too long for a name is told apart', () => {
  assert.deepEqual([fullName('t'), fullName('raw.t')], ['public.t', 'raw.t'])
  assert.equal(postgres.names('raw.Events').table, '"raw"."Events"')
  const long = 'x'.repeat(62)
  const made = [`${long}a`, `${long}b`].map((name) => postgres.names(`raw.${name}`))
  assert.notEqual(made[0]?.losers, made[1]?.losers)
  for (const { losers, keyIndex, lateIndex } of made) for (const name of [losers.split('.')[1] ?? '', keyIndex?.name ?? '', lateIndex?.name ?? '']) assert.ok(Buffer.byteLength(name) <= 65, name)
  assert.throws(() => postgres.checkOrder({ table: 't', columns: null, key: [], mode: 'append', keep: null, records: null }, [{ name: 'é'.repeat(32), type: 'string' }]), { code: 'TABLE_UNSUPPORTED', message: /64 bytes; PostgreSQL takes 63/ })
})
