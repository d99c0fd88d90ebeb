/** Lists and structs from JSON text to parts: what is counted as left out, where faults are, and bytes in any spelling. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { load } from '../../../test/splitting.ts'
import { parseType } from '../../core/types.ts'
import { scaledOf, scaledSmall } from './number.ts'

test('members that the type does not name are left out, and counted once per record that got in', async () => {
  const columns = 'id:int64,v:struct<a:int64,l:list<struct<q:int64>>>'
  const lines = ['{"id":1,"v":{"b":[{"a":1}],"c":"}\\"]","a":1,"l":[{"x":1},{"x":{"y":[]},"q":2}]}}', '{"id":2,"v":{"b":true}}', '{"id":"bad","v":{"b":1}}', '{"id":3,"v":{"b":1,"a":"bad"}}', '{"id":4,"z":1}']
  const { rows, result } = await load({ 'a.ndjson': lines.join('\n'), 'b.json': '{"r":[{"id":9,"v":{"b":1}},{"id":' }, { columns })
  assert.deepEqual(rows.map(({ v }) => v), ['{"a":"1","l":[{},{"q":"2"}]}', '{}', null])
  assert.deepEqual(result.leftOut.map(({ member, records, place }) => [member, records, Number(BigInt(place) & 0xffffn)]), [['v.b', 2, 1], ['v.c', 1, 1], ['v.l[].x', 1, 1], ['z', 1, 5]])
})

test('a fault says the way to the value; elements count from 0', async () => {
  const columns = 'v:struct<items:list<struct<qty:int64,at:list<timestamp>,price:decimal(5,2)>>>'
  const inner = ['{"qty":1},{"qty":"1"}', 'null,{"at":["2026-01-01T00:00:00Z","noon"]}', '{"price":1.234}', '{"QTY":1,"qty":1}', '[{"a":1}]']
  const { rejects } = await load({ 'a.ndjson': inner.map((items) => `{"v":{"items":[${items}]}}`).join('\n') }, { columns })
  assert.deepEqual(rejects.map(({ message }) => message), [
    'Column v, at v.items[1].qty: 1 is not an int64.', 'Column v, at v.items[1].at[1]: noon is not a timestamp.', 'Column v, at v.items[0].price: 1.234 has more fraction digits than decimal(5,2) keeps.',
    'Column v, at v.items[0]: two members are named qty (names are matched without case).', 'Column v, at v.items[0]: [{"a":1}] is not a struct<qty:int64,at:list<timestamp>,price:decimal(5,2)>.',
  ])
})

test('strings inside come through escaped or not, through windows of any size', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(fc.option(fc.string({ unit: 'binary', maxLength: 40 }))), { minLength: 1, maxLength: 6 }), fc.integer({ min: 2, max: 100 }), fc.boolean(), async (lists, window, spaced) => {
      const text = lists.map((v) => JSON.stringify({ v }).replaceAll(/[\u0080-\uffff]/g, (unit) => (spaced ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}` : unit))).join('\n')
      const { rows } = await load({ 'a.ndjson': text }, { columns: 'v:list<string>' }, { window })
      assert.deepEqual(rows.map(({ v }) => JSON.parse(v as string) as unknown), lists)
    }),
    { numRuns: 40 },
  )
})

test('decimals: the short way and the long way agree', () => {
  const digits = fc.stringMatching(/^[0-9]{1,17}$/)
  fc.assert(
    fc.property(fc.boolean(), digits, fc.option(digits), fc.integer({ min: 1, max: 18 }), fc.nat(18), (minus, whole, fraction, precision, cut) => {
      const scale = Math.min(cut, precision)
      const text = `${minus ? '-' : ''}${whole.replace(/^0+(?=\d)/, '')}${fraction === null ? '' : `.${fraction}`}`
      const quick = scaledSmall(Buffer.from(text), 0, text.length, precision, scale)
      if (!Number.isNaN(quick)) assert.equal(BigInt(quick), scaledOf(text, precision, scale), `${text} into decimal(${precision},${scale})`)
    }),
    { numRuns: 5000 },
  )
  assert.equal(scaledOf(`1.${'0'.repeat(2_000_000)}1`, 38, 2), 'PRECISION_LOST')
  assert.equal(scaledOf('1e999999999', 38, 2), 'TYPE_MISMATCH')
  assert.equal(scaledOf('1e-999999999', 38, 2), 'PRECISION_LOST')
  assert.equal(parseType('decimal(38,38)').kind, 'decimal')
})
