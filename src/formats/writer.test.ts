/** What the text writers write, byte for byte. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Row, Schema } from '../core/schema.ts'
import { UnwritableValue } from './unwritable.ts'
import { openTextWriter } from './writer.ts'
import type { TextFormat } from './writer.ts'

const SCHEMA: Schema = [
  { name: 'a_b', type: 'string', original: 'a b' }, { name: 'n', type: 'int64' }, { name: 'x', type: 'double' }, { name: 'ok', type: 'boolean' },
  { name: 'd', type: 'date' }, { name: 'ts', type: 'timestamp' }, { name: 'wall', type: 'timestamp_local' }, { name: 'j', type: 'json' },
]
const ROWS: Row[] = [
  ['plain', 9007199254740993n, 0.1, true, '2024-02-29', '2024-02-29T01:02:03.004000Z', '2024-02-29T01:02:03.004005', '{"b":[1.50,1e3]}'],
  ['', -1n, -2, false, null, '2024-02-29T01:02:03.000001Z', null, '"text"'],
  ['say "hi",\r\nyou', null, 1e21, null, null, null, null, null],
  [null, null, null, null, null, null, null, null],
]

function written(to: TextFormat, schema = SCHEMA, rows = ROWS, escapeFormulas = false): string {
  const writer = openTextWriter(to, schema, { escapeFormulas })
  return writer.begin() + rows.map((row) => writer.record(row)).join('') + writer.end(rows.length > 0)
}

const LINES = [
  '{"a b":"plain","n":9007199254740993,"x":0.1,"ok":true,"d":"2024-02-29","ts":"2024-02-29T01:02:03.004Z","wall":"2024-02-29T01:02:03.004005","j":{"b":[1.50,1e3]}}',
  '{"a b":"","n":-1,"x":-2.0,"ok":false,"d":null,"ts":"2024-02-29T01:02:03.000001Z","wall":null,"j":"text"}',
  '{"a b":"say \\"hi\\",\\r\\nyou","n":null,"x":1e+21,"ok":null,"d":null,"ts":null,"wall":null,"j":null}',
  '{"a b":null,"n":null,"x":null,"ok":null,"d":null,"ts":null,"wall":null,"j":null}',
]

test('NDJSON: integers keep their digits, json stands as it is, null is written', () => {
  assert.equal(written('ndjson'), LINES.map((line) => `${line}\n`).join(''))
})

test('JSON: an array with a record in each line', () => {
  assert.equal(written('json'), `[\n${LINES.join(',\n')}\n]\n`)
  assert.equal(written('json', SCHEMA, []), '[]\n')
})

test('CSV: quoted by RFC 4180, null is empty and the empty text is quoted', () => {
  assert.equal(
    written('csv'),
    'a b,n,x,ok,d,ts,wall,j\n' +
      'plain,9007199254740993,0.1,true,2024-02-29,2024-02-29T01:02:03.004Z,2024-02-29T01:02:03.004005,"{""b"":[1.50,1e3]}"\n' +
      '"",-1,-2.0,false,,2024-02-29T01:02:03.000001Z,,"""text"""\n' +
      '"say ""hi"",\r\nyou",,1e+21,,,,,\n' +
      ',,,,,,,\n',
  )
})

test('CSV: formulas are disarmed in text and in names, never in numbers', () => {
  const schema: Schema = [{ name: '=h', type: 'string' }, { name: 'n', type: 'int64' }, { name: 'x', type: 'double' }]
  const rows: Row[] = ['=1+1', '+1', '-1', '@x', '\tx', '\rx', "'x", 'x=1'].map((text) => [text, -5n, -0.5])
  assert.equal(written('csv', schema, rows, true), `'=h,n,x\n'=1+1,-5,-0.5\n'+1,-5,-0.5\n'-1,-5,-0.5\n'@x,-5,-0.5\n"'\tx",-5,-0.5\n"'\rx",-5,-0.5\n'x,-5,-0.5\nx=1,-5,-0.5\n`)
  assert.equal(written('csv', schema, rows.slice(0, 1)), '=h,n,x\n=1+1,-5,-0.5\n')
})

test('what a format cannot hold is refused, not replaced', () => {
  const double: Schema = [{ name: 'x', type: 'double' }]
  for (const value of [NaN, Infinity, -Infinity]) assert.throws(() => written('ndjson', double, [[value]]), UnwritableValue)
  assert.equal(written('csv', double, [[NaN], [-Infinity]]), 'x\nNaN\n-Infinity\n')
  assert.throws(() => written('csv', double, [[null]]), UnwritableValue)
})
