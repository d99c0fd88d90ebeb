/** Corners of the splitter: many parts, many columns, taking back, pinned types, paths to the records, large documents. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { give, load, rowsOf } from '../../test/splitting.ts'
import type { Text } from '../../test/splitting.ts'
import { define } from '../core/definition.ts'
import type { DefinitionRequest } from '../core/definition.ts'
import { MAX_COLUMNS, MAX_KEY_BYTES, MAX_NAME_BYTES } from '../core/schema.ts'
import type { Column, ColumnType } from '../core/schema.ts'
import { openSplitter } from './splitter.ts'

const LIMITS = { groupRows: 10, partRows: 25 }
const list = (count: number, from: number): string => Array.from({ length: count }, (_, i) => `{"id":${from + i}}`).join(',')
const ids = (rows: Record<string, unknown>[]): number[] => rows.map(({ id }) => Number(id))
const range = (count: number, from: number): number[] => Array.from({ length: count }, (_, i) => from + i)

test('a part that is full is followed by the next one', async () => {
  const { rows, result, left } = await load({ 'a.json': `[${list(33, 0)}]`, 'b.json': `[${list(44, 100)}]` }, {}, { limits: LIMITS })
  assert.deepEqual(ids(rows), [...range(33, 0), ...range(44, 100)])
  assert.ok(result.records.length >= 4, `${result.records.length} parts`)
  assert.ok(result.records.every((part) => part.rows <= 25), JSON.stringify(result.records))
  assert.equal(result.records.reduce((sum, part) => sum + part.rows, 0), 77)
  assert.equal(left.length, result.records.length)
})

test('a file that fails behind several parts leaves none of them, and no row of its own', async () => {
  for (const before of [0, 3, 10, 24, 25, 26]) {
    const outcome = await load({ 'a.json': `[${list(before, 0)}]`, 'b.json': `[${list(60, 100)},{]`, 'c.json': `[${list(2, 900)}]` }, {}, { limits: LIMITS })
    assert.deepEqual(outcome.ends.map(({ state }) => state), ['loaded', 'failed', 'loaded'])
    assert.deepEqual(ids(outcome.rows), [...range(before, 0), 900, 901], `${before} rows before`)
    assert.equal(outcome.left.length, outcome.result.records.length, `${before} rows before`)
  }
})

test('undo takes back rows, rejects, columns and reasons of the last file, written or not', async () => {
  for (const limits of [LIMITS, {}]) {
    const folder = mkdtempSync(join(tmpdir(), 'undo-'))
    try {
      const splitter = openSplitter({ folder, prefix: 'b', definition: define('t', {}), pinned: null, onBad: 'quarantine', maxBad: null, grace: 0, now: 0, limits })
      await give(splitter, 1, '1.ndjson', '{"id":1}\nbad\n')
      await give(splitter, 2, '2.ndjson', `{"id":2,"other":true}\n${'worse\n{"id":3}\n'.repeat(30)}`)
      splitter.undo()
      await give(splitter, 3, '3.ndjson', '{"id":4}\n{"id":[]}')
      const again = splitter.finish()
      assert.ok(again.again !== null, 'the third file made another type of id')
      const second = openSplitter({ folder, prefix: 'b', definition: define('t', {}), pinned: null, onBad: 'quarantine', maxBad: null, grace: 0, now: 0, limits, hypothesis: again.again })
      assert.deepEqual(readdirSync(folder), [])
      await give(second, 1, '1.ndjson', '{"id":1}\nbad\n')
      await give(second, 2, '2.ndjson', `{"id":2,"other":true}\n${'worse\n{"id":3}\n'.repeat(30)}`)
      second.undo()
      await give(second, 3, '3.ndjson', '{"id":4}\n{"id":[]}')
      const result = second.finish()
      assert.ok(result.again === null)
      assert.deepEqual(result.schema, [{ name: 'id', type: 'json' }])
      assert.deepEqual(result.reasons, { JSON_INVALID: 1 })
      assert.deepEqual([result.lowest, result.highest], [(1n << 32n) + 1n, (3n << 32n) + 2n])
      assert.deepEqual((await rowsOf(result.records.map(({ uri }) => uri), '_place')).map(({ id }) => id), ['1', '4', '[]'])
      assert.deepEqual((await rowsOf(result.rejects.map(({ uri }) => uri), '_place')).map(({ raw }) => raw), ['bad'])
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
})

test('1,000 columns are taken; a record that would bring one more is put aside, what it taught forgotten', async () => {
  const wide = (count: number, from = 0): string => `{${Array.from({ length: count }, (_, i) => `"c${from + i}":${i}`).join(',')}}`
  const { rows, rejects, result } = await load({ 'a.ndjson': [wide(MAX_COLUMNS - 1), wide(2, MAX_COLUMNS - 1), '{"c0":7}', '{"last":1}', '{"more":1}'].join('\n') })
  assert.equal(result.schema.length, MAX_COLUMNS)
  assert.equal(result.schema.at(-1)?.name, 'last')
  assert.deepEqual(rejects.map(({ code, column }) => [code, column]), [['COLUMNS_TOO_MANY', `c${MAX_COLUMNS}`], ['COLUMNS_TOO_MANY', 'more']])
  assert.deepEqual(rows.map((row) => row['c0']), ['0', '7', null])
  assert.equal(rows[0]?.[`c${MAX_COLUMNS - 2}`], String(MAX_COLUMNS - 2))
})

test('names that cannot be columns and values too large to compare by put their record aside; the others are taken', async () => {
  const key = (bytes: number): string => 'k'.repeat(bytes)
  const { rows, rejects, result } = await load(
    { 'a.ndjson': [`{"id":"${key(MAX_KEY_BYTES)}","v":"x"}`, `{"id":"${key(MAX_KEY_BYTES + 1)}"}`, `{"id":"2","v":"${key(MAX_KEY_BYTES + 1)}"}`, '{"id":"3","a\\u0000b":1}', `{"id":"4","${'n'.repeat(MAX_NAME_BYTES)}":1}`, `{"id":"5","${'é'.repeat(MAX_NAME_BYTES / 2)}o":1}`, `{"id":"6","w":"${key(MAX_KEY_BYTES + 1)}"}`].join('\n') },
    { key: 'id', mode: 'upsert', keep: 'max:v' },
  )
  assert.deepEqual(rejects.map(({ code, column }) => [code, column]), [['KEY_TOO_LARGE', 'id'], ['KEY_TOO_LARGE', 'v'], ['NAME_INVALID', null], ['NAME_INVALID', null]])
  assert.deepEqual(rows.map(({ id }) => String(id).length), [MAX_KEY_BYTES, 1, 1])
  assert.equal(result.schema.length, 4)
  const closed = await load({ 'a.ndjson': '{"id":"3","a\\u0000b":1}' }, { columns: 'id:string' })
  assert.deepEqual([closed.rows.length, closed.rejects.length], [1, 0], 'declared columns leave it out')
})

test('wide sparse records: every value in its own column, null elsewhere', async () => {
  const records = Array.from({ length: 600 }, (_, i) => ({ [`c${(i * 7) % 300}`]: i, [`t${(i * 11) % 300}`]: `x${i}` }))
  const { rows, result } = await load({ 'a.ndjson': records.map((record) => JSON.stringify(record)).join('\n') }, {}, { limits: { groupRows: 64 } })
  assert.equal(result.schema.length, 600)
  for (const [i, row] of rows.entries()) {
    const present = Object.entries(row).filter(([name, value]) => value !== null && !name.startsWith('_'))
    assert.deepEqual(Object.fromEntries(present.map(([name, value]) => [name, name.startsWith('c') ? Number(value) : value])), records[i])
  }
})

/** Every kind of value, against what each pinned type makes of it; absent: TYPE_MISMATCH. */
const KINDS = ['true', '12', '1.5', '1e2', '1e999', '9223372036854775808', '"x"', '"2024-02-29"', '"2024-02-29T01:02:03.004Z"', '"2024-02-29 01:02"', '"\\u0032024-02-29"', '[1, 2]', '{ "a" : null }']
const TAKES: Record<ColumnType, Record<string, unknown>> = {
  string: { true: 'true', 12: '12', '1.5': '1.5', '1e2': '1e2', '1e999': '1e999', '9223372036854775808': '9223372036854775808', '"x"': 'x', '"2024-02-29"': '2024-02-29', '"2024-02-29T01:02:03.004Z"': '2024-02-29T01:02:03.004Z', '"2024-02-29 01:02"': '2024-02-29 01:02', '"\\u0032024-02-29"': '2024-02-29' },
  boolean: { true: true },
  int64: { 12: '12', '1e2': '100' },
  double: { 12: 12, '1.5': 1.5, '1e2': 100, '9223372036854775808': 9223372036854775808 },
  date: { '"2024-02-29"': '2024-02-29', '"\\u0032024-02-29"': '2024-02-29' },
  timestamp: { '"2024-02-29T01:02:03.004Z"': '2024-02-29 01:02:03.004+00', '"2024-02-29 01:02"': '2024-02-29 01:02:00+00' },
  timestamp_local: { '"2024-02-29 01:02"': '2024-02-29 01:02:00' },
  'decimal(6,1)': { 12: '12.0', '1.5': '1.5', '1e2': '100.0' },
  'decimal(38,1)': { 12: '12.0', '1.5': '1.5', '1e2': '100.0', '9223372036854775808': '9223372036854775808.0' },
  'list<int64>': { '[1, 2]': '["1","2"]' },
  'struct<A:int64>': { '{ "a" : null }': '{"A":null}' },
  json: Object.fromEntries(KINDS.map((kind) => [kind, kind.startsWith('"') ? kind : kind.replaceAll(' ', '')])),
}

test('pinned types against every kind of value', async () => {
  for (const [type, takes] of Object.entries(TAKES)) {
    const pinned: Column[] = [{ name: 'N', type: 'int64' }, { name: 'v', type: type as ColumnType }]
    const { rows, rejects } = await load({ 'a.ndjson': [...KINDS, 'null'].map((kind, n) => `{"n":${n},"v":${kind}}`).join('\n') }, {}, { pinned })
    const told = Object.fromEntries([...rows.map((row) => [Number(row['N']), row['v']]), ...rejects.map((reject) => [Number(BigInt(reject['_place'] as string) & 0xffffn) - 1, `${reject['code'] as string} ${reject['column'] as string}`])])
    for (const [n, kind] of KINDS.entries()) assert.deepEqual(told[n], kind in takes ? takes[kind] : 'TYPE_MISMATCH v', `${kind} into ${type}`)
    assert.equal(told[KINDS.length], null, `null into ${type}`)
  }
})

test('--records: names, pointers, positions, and what they do not find', async () => {
  const state = async (text: Text, request: DefinitionRequest, name = 'a.json'): Promise<string> => {
    const { ends, rows } = await load({ [name]: text }, request)
    return ends[0]?.fault?.code ?? rows.map(({ x }) => String(x)).join(',')
  }
  const text = '{"a/b":{"c~d":[{"x":1},{"x":2}]},"l":[[{"x":9}],{"m":[{"x":3}]}],"o":{"x":4},"s":"t","e":[]}'
  assert.equal(await state(text, { records: '/a~1b/c~0d' }), '1,2')
  assert.equal(await state(text, { records: '/l/1/m' }), '3')
  assert.equal(await state(text, { records: 'l.0' }), '9')
  assert.equal(await state(text, { records: 'o' }), '4')
  assert.equal(await state(text, { records: 'e' }), '')
  for (const records of ['s', 'missing', 'l.7', 'l.01', '/a~1b/c', 'o.x']) assert.equal(await state(text, { records }), 'RECORDS_NOT_FOUND', records)
  assert.equal(await state('{"a":[{"x":1}],"a":[{"x":2}]}', { records: 'a' }), 'RECORDS_AMBIGUOUS')
  assert.equal(await state('{"x":5,"l":[{"x":6}]}', { records: '.' }), '5')
  assert.equal(await state('[{"x":5}]', { records: '.' }), '5')
  assert.equal(await state('{"x":5}\n{"x":6}', { records: '.' }, 'a.ndjson'), '5,6')
  assert.equal(await state('{"x":5}\n{"x":6}', { records: 'a' }, 'a.ndjson'), 'RECORDS_NOT_FOUND')
})

test('a document that is itself the record, larger than the window, and beyond 16 MB', async () => {
  const pad = 'p'.repeat(5000)
  for (const text of [`{"id":"k","pad":"${pad}","l":[{"id":"no"}]}`, `{"l":[{"id":"no"},{"id":"n2"}, 7],"pad":"${pad}","id":"k"}`]) {
    const { rows, rejects } = await load({ 'a.json': text }, { key: 'id' }, { window: 64 })
    assert.deepEqual([rows.map(({ id, pad: p }) => [id, (p as string).length]), rejects], [[['k', 5000]], []])
  }
  const huge = await load({ 'a.json': `{"id":"k","pad":"${'p'.repeat(17 << 20)}"}`, 'b.json': '{"id":"b"}' }, { key: 'id' })
  assert.deepEqual([huge.rows.map(({ id }) => id), huge.rejects.map(({ code }) => code)], [['b'], ['RECORD_TOO_LARGE']])
})
