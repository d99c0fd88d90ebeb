/** Files in, parts out: read back with DuckDB, which shares no line with the writer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load } from '../../test/splitting.ts'
import type { Outcome, Text } from '../../test/splitting.ts'
import type { DefinitionRequest } from '../core/definition.ts'
import { SluiceError } from '../core/errors.ts'
import { setFailpointHandler } from '../core/failpoint.ts'
import type { SplitEnd } from './splitter.ts'

const lines = (...values: string[]): string => `${values.join('\n')}\n`
const typesOf = (outcome: Outcome): string => outcome.result.schema.map(({ name, type }) => `${name}:${type}`).join(',')

test('types are inferred, whatever the order of the values', async () => {
  const cases: [string[], string][] = [
    [['1', '-9223372036854775808'], 'int64'], [['1', '1.5'], 'double'], [['1', '9223372036854775808'], 'string'],
    [['9007199254740993', '0.5'], 'string'], [['0.1000000000000000055'], 'string'], [['true', 'false', 'null'], 'boolean'],
    [['true', '1'], 'string'], [['"2024-02-29"'], 'date'], [['"2023-02-29"'], 'string'],
    [['"2024-01-01T00:00:00Z"', '"2024-01-01 00:00"'], 'timestamp'], [['"2024-01-01"', '"2024-01-01T00:00:00Z"'], 'string'],
    [['"2024-01-01T24:00:00Z"'], 'string'], [['1', '{"a": [1, 2]}', '"x"'], 'json'],
    // Values that a column of an inferred type takes at once, and what must still change its type.
    [['1', '9007199254740993', '0.5'], 'string'], [['0.5', '1.5e-330'], 'string'], [['0.5', '0.1000000000000000055'], 'string'],
    [['"2024-01-01T00:00:00.000Z"', '"2024-01-01T00:00:00.00Z9"'], 'string'], [['true', '"x"', '[1]'], 'json'],
  ]
  for (const [values, type] of cases) {
    for (const order of [values, values.toReversed()]) {
      const outcome = await load({ 'a.ndjson': lines(...order.map((v) => `{"v":${v},"n":null}`)) })
      assert.equal(typesOf(outcome), `v:${type}`, order.join(' '))
      assert.equal(outcome.rows.length, values.length)
    }
  }
})

test('declared types: values, nulls, empty strings, NUL, and what does not fit', async () => {
  const columns = 's:string,b:boolean,i:int64,d:double,day:date,t:timestamp,l:timestamp_local,j:json'
  const good = '{"s":"","b":true,"i":1e3,"d":1.10,"day":"0001-01-01","t":"2024-01-01T19:25:43.111+02:00","l":"9999-12-31 23:59:59.999999","j":{ "a" : "\\u00e9 x" , "b":1.10}}'
  const other = '{"s":"a\\u0000b\\ud83d\\ude00","i":-9223372036854775808,"d":-0.5,"day":"1969-12-31","t":"1969-12-31T23:59:59.999999Z","extra":1}'
  const bad = ['{"i":"1"}', '{"i":9223372036854775808}', '{"d":1e999}', '{"s":[1]}', '{"t":"2024-01-01T00:00:00.1234567Z"}', '{"l":"2024-01-01T00:00:00Z"}', '{"day":"2024-13-01"}', '{"b":1}']
  const { rows, rejects, result, ends } = await load({ 'a.ndjson': lines(good, other, '{"s":1.10}', ...bad) }, { columns })
  assert.deepEqual(rows.map(({ _place: _p, _sluice_offset: _o, ...row }) => row), [
    { s: '', b: true, i: '1000', d: 1.1, day: '0001-01-01', t: '2024-01-01 17:25:43.111+00', l: '9999-12-31 23:59:59.999999', j: '{"a":"\\u00e9 x","b":1.10}' },
    { s: 'a\0b😀', b: null, i: '-9223372036854775808', d: -0.5, day: '1969-12-31', t: '1969-12-31 23:59:59.999999+00', l: null, j: null },
    { s: '1.10', b: null, i: null, d: null, day: null, t: null, l: null, j: null },
  ])
  assert.deepEqual(rejects.map(({ code }) => code), ['TYPE_MISMATCH', 'TYPE_MISMATCH', 'TYPE_MISMATCH', 'TYPE_MISMATCH', 'PRECISION_LOST', 'TYPE_MISMATCH', 'TYPE_MISMATCH', 'TYPE_MISMATCH'])
  assert.deepEqual(rejects.map(({ raw }) => raw), bad)
  assert.deepEqual(result.leftOut.map(({ member, records }) => [member, records]), [['extra', 1]])
  assert.equal(ends[0]?.read, 11)
  const named = await load({ 'a.ndjson': lines('{"s":"x","a b;c":1,"\\u00fc=":2}', '{"a b;c":null}') }, { columns })
  assert.deepEqual(named.result.leftOut.map(({ member, records }) => [member, records]), [['a b;c', 1], ['ü=', 1]], 'by the names that the members have')
})

test('documents: the only list, the record itself, paths, and bad files', async () => {
  const state = async (text: Text, request: DefinitionRequest = {}, age = 0, name = 'a.json'): Promise<string> => {
    const { ends, rows } = await load({ [name]: text }, request, { age })
    const { state, fault } = ends[0] as SplitEnd
    return fault === null ? `${state} ${rows.length}` : `${state} ${fault.code} ${fault.offset}`
  }
  assert.equal(await state('{"m":{"x":[1]},"records":[{"a":1},{"a":2}],"z":1}'), 'loaded 2')
  assert.equal(await state('\ufeff[{"a":1}]'), 'loaded 1')
  assert.equal(await state('{"a":1}\n{"a":2}'), 'loaded 2')
  assert.equal(await state('{"l":[{"q":1},{"q":2}],"id":7}', { key: 'id' }), 'loaded 1')
  assert.equal(await state('{"a":{"b":[{"x":1}]}}', { records: 'a.b' }), 'loaded 1')
  assert.equal(await state('{"a":{"b":[{"x":1}]}}', { records: '/a/b' }), 'loaded 1')
  assert.equal(await state('{"a":1}', { records: '.' }), 'loaded 1')
  assert.equal(await state('{"a":[],"b":[]}'), 'failed RECORDS_AMBIGUOUS 0')
  assert.equal(await state('{"a":1}'), 'failed RECORDS_NOT_FOUND 0')
  assert.equal(await state('{"r":[{"a":1},{"a":tru}]}'), 'failed JSON_INVALID 22')
  assert.equal(await state('{"r":[{"a":1},'), 'waiting FILE_UNFINISHED 14')
  assert.equal(await state('{"r":[{"a":1},', {}, 5000), 'failed FILE_TRUNCATED 14')
  assert.equal(await state('', {}, 5000), 'failed FILE_EMPTY 0')
  assert.equal(await state(Buffer.from('{"r":[{"a":"\xff"}]}', 'latin1')), 'failed UTF8_INVALID 12')
  assert.equal(await state('{"r":[]}'), 'loaded 0')
})

test('bad records are put aside alone', async () => {
  const text = Buffer.concat([Buffer.from('{"a":1}\n\n{"a":\n{"a":1,"A":2}\n"x"\n{"a":"\\ud800"}\n{"_place":1}\n{"b":'), Buffer.from('['.repeat(20_000) + ']'.repeat(20_000)), Buffer.from('}\n{"a":"'), Buffer.from([0xc0, 0x80]), Buffer.from('"}\n{"b":{"x":1,"x":2}}\n{"a":3}\n{"a"')])
  const { rows, rejects, ends } = await load({ 'a.ndjson': text })
  assert.deepEqual(rows.map(({ a }) => a), ['1', '3'])
  assert.deepEqual(rejects.map(({ code }) => code), ['JSON_INVALID', 'MEMBER_REPEATED', 'RECORD_NOT_OBJECT', 'TEXT_INVALID', 'NAME_RESERVED', 'DEPTH_EXCEEDED', 'UTF8_INVALID', 'MEMBER_REPEATED', 'JSON_INVALID'])
  assert.equal(ends[0]?.read, 11)
})

test('records larger than 16 MB are skipped, their neighbours load', async () => {
  const huge = `{"a":"${'x'.repeat(17 << 20)}"}`
  const outcome = await load({ 'a.json': `{"r":[{"a":"1"},${huge},{"a":"2"}]}`, 'b.ndjson': lines('{"a":"3"}', huge, '{"a":"4"}') })
  assert.deepEqual(outcome.rows.map(({ a }) => a), ['1', '2', '3', '4'])
  assert.deepEqual(outcome.rejects.map(({ code }) => code), ['RECORD_TOO_LARGE', 'RECORD_TOO_LARGE'])
})

test('windows of any size give the same result', async () => {
  const files = { 'a.json': '{"m":{"n":[null,1.5e3]},"r":[{"a":"é😀","b":[1, {"c":2}]}, 7 ,{"a":"\\ud83d\\ude00","b":null},{"a":"z","b":-1.0e-2}], "t" : "x"}', 'b.ndjson': '{"a":"1"}\r\n\n{bad}\n{"a":"é"}', 'c.json': '{"r":[{"a":"x"},{"a":"y' }
  const { result: _r, ...whole } = await load(files)
  for (const window of [2, 3, 7, 8, 64]) {
    const { result: _s, ...small } = await load(files, {}, { window })
    assert.deepEqual(small, whole, `window ${window}`)
  }
})

test('a file that fails leaves nothing, also when row groups were written', async () => {
  const many = Array.from({ length: 70_000 }, (_, i) => `{"id":${i}}`).join(',')
  const { rows, ends, result } = await load({ '1.json': '[{"id":-1}]', '2.json': `[${many},{"other":1},{]`, '3.json': '[{"id":-3}]' })
  assert.deepEqual(ends.map(({ state }) => state), ['loaded', 'failed', 'loaded'])
  assert.deepEqual(rows.map(({ id }) => id), ['-1', '-3'])
  assert.deepEqual(result.schema, [{ name: 'id', type: 'int64' }])
  const good = await load({ '1.json': '[{"id":-1}]', '2.json': `[${many},{"other":1}]`, '3.json': '[{"id":-3}]' })
  assert.equal(good.rows.length, 70_003)
  assert.equal(good.result.highest, (3n << 32n) | 1n)
})

test('limits on bad records, keys, and falsified counts', async () => {
  const text = lines('{"id":"a"}', '{"id":""}', '{"x":1}', '{"id":"b"}')
  const plain = await load({ 'a.ndjson': text }, { key: 'id' })
  assert.deepEqual(plain.result.reasons, { KEY_MISSING: 2 })
  assert.deepEqual(plain.result.keySeen, { id: 3 })
  const { code, row, offset } = (await load({ 'a.ndjson': text }, { key: 'id' }, { maxBad: { count: 1 } })).ends[0]?.fault ?? {}
  assert.deepEqual([code, row, offset], ['TOO_MANY_BAD', 2, 11], 'it points at the first bad record')
  assert.equal((await load({ 'a.ndjson': text }, { key: 'id' }, { maxBad: { percent: 49 } })).ends[0]?.fault?.code, 'TOO_MANY_BAD')
  assert.equal((await load({ 'a.ndjson': text }, { key: 'id' }, { maxBad: { percent: 50 } })).ends[0]?.state, 'loaded')
  const skipped = await load({ 'a.ndjson': text }, { key: 'id' }, { onBad: 'skip' })
  assert.deepEqual([skipped.ends[0]?.skipped, skipped.rejects.length], [2, 0])
  await assert.rejects(load({ 'a.ndjson': lines('{"id":1.5}') }, { key: 'id' }), (e) => e instanceof SluiceError && e.code === 'DEFINITION_INVALID')
  for (const [how, rows] of [['drop', 1], ['double', 3]] as const) {
    setFailpointHandler({ crash: () => {}, tamper: (point) => (point === 'split' ? how : null) })
    const outcome = await load({ 'a.ndjson': text }, { key: 'id' })
    setFailpointHandler(null)
    assert.deepEqual([outcome.ends[0]?.read, outcome.rows.length], [4, rows])
  }
})

test('a file of more records than places can number fails whole, whatever its records are', async () => {
  for (const [name, text] of [['b.ndjson', lines('{"id":1}', '{bad', '{"id":3}')], ['b.json', '[{"id":1},{"id":2},7]']] as const) {
    const { ends, rows, rejects } = await load({ 'a.ndjson': lines('{"id":8}', '{"id":9}'), [name]: text }, {}, { rows: 2 })
    assert.deepEqual(ends.map(({ state, fault }) => [state, fault?.code]), [['loaded', undefined], ['failed', 'ROWS_TOO_MANY']], name)
    assert.match(ends[1]?.fault?.message ?? '', /more than 2 records/)
    assert.deepEqual([rows.map(({ id }) => id), rejects], [['8', '9'], []], name)
  }
})

test('a malformed path to the records is refused before any file is read', async () => {
  await assert.rejects(load({}, { records: 'data..items' }), { code: 'DEFINITION_INVALID' })
})

test('parts that a thread writes are the same, also around a file of which nothing is kept', async () => {
  const records = Array.from({ length: 3000 }, (_, i) => `{"id":${i},"t":"${'x'.repeat(i % 50)}","b":${i % 2 === 0}}`)
  const files = { 'a.json': `{"records":[${records.join()}]}`, 'b.json': `{"records":[${records.join()},]}`, 'c.ndjson': `${records.join('\n')}\n{"id":\n` }
  const limits = { groupRows: 700, partRows: 2000 }
  const here = await load(files, {}, { limits, window: 4096 })
  const behind = await load(files, {}, { limits, window: 4096, behind: 0 })
  assert.equal(here.rows.length, 6000)
  assert.deepEqual([behind.rows, behind.rejects, behind.ends, behind.left], [here.rows, here.rejects, here.ends, here.left])
})
