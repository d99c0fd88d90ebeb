/** The fast lane of CSV means what the rows and writers in JavaScript mean: the same texts through both. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { rowsCode } from '../../../scripts/wasm.ts'
import { leftOutOf, load } from '../../../test/splitting.ts'
import type { Outcome } from '../../../test/splitting.ts'

test('rows-code.ts is wasm/rows.ts, compiled', () => {
  assert.equal(readFileSync(join(import.meta.dirname, 'rows-code.ts'), 'utf8'), rowsCode(), 'run node scripts/wasm.ts')
})

const usual: Readonly<Record<string, readonly string[]>> = {
  i: ['0', '1', '-7', '123456789012345', '""', '', '"42"'],
  d: ['0.5', '1.25', '-0.0', '3', '12345678901234.5', '', '"2.5"'],
  b: ['true', 'false', '', '"true"'],
  y: ['2024-02-29', '0001-01-01', '', '"1999-12-31"'],
  t: ['2024-01-01T10:00:00.123Z', '2024-01-01T10:00:00Z', '1969-12-31T23:59:59.999999Z', '', '"2024-01-01T10:00:00Z"'],
  s: ['plain', 'sixteen letters and more than that', '"quoted, with ""quotes"" and\nlines"', '""', '', 'é😀', '"x"', "it's"],
}
const odd = ['007', '+1', '-0', '1e5', '1.', '.5', 'True', 'tru', 'falsey', '9007199254740993', '9223372036854775808', '1234567890123456', '0.1000000000000000055', '2023-02-29', '2024-01-01 10:00:00', '2024-01-01T10:00:00+02:00', '2024-01-01T10:00:00.1234567Z', '2024-01-01T10:00', '"a"b', 'a"b', '"open', 'nul\0', ' 1', '\r', 'i', '"1', 'extra,field', '']
const names = Object.keys(usual)
const row = fc.tuple(...names.map((name) => fc.oneof({ weight: 30, arbitrary: fc.constantFrom(...(usual[name] as string[])) }, { weight: 1, arbitrary: fc.constantFrom(...odd) }))).map((cells) => cells.join(','))
const table = fc.array(fc.oneof({ weight: 30, arbitrary: row }, { weight: 1, arbitrary: fc.constantFrom('', names.join(','), '\ufeff1,2,true,,,', '1,2', 'x') }), { minLength: 5, maxLength: 40 })
const columns = 'i:int64,d:double,b:boolean,y:date,t:timestamp,s:string'

const told = ({ rows, rejects, ends, result }: Outcome): unknown => [rows, rejects, ends, result.schema, result.notices.toSorted(), leftOutOf(result), result.keySeen]

test('every text gives the same through both', async () => {
  let taken = 0
  await fc.assert(
    fc.asyncProperty(table, fc.constantFrom('\n', '\r\n'), fc.constantFrom({}, { columns }, { columns, key: 'i' }, { columns: 'i:int64,s:string' }, { key: 's' }, { columns: 'i:int64,d:double,b:boolean,y:date,t:string(24),s:string(17)' }), fc.integer({ min: 64, max: 2000 }), async (lines, end, request, window) => {
      const text = [names.join(','), ...lines].join(end) + end
      const reading = { format: 'csv', csv: { delimiter: ',', quote: '"', escape: null, header: true, comment: null, encoding: 'utf-8', skip: 0, nulls: [] } } as const
      const fast = await load({ 'a.csv': text }, request, { reading, window })
      const slow = await load({ 'a.csv': text }, request, { reading, window, lane: false })
      assert.deepEqual(told(fast), told(slow))
      assert.equal(slow.result.taken, 0)
      taken += fast.result.taken
    }),
    { numRuns: 60 },
  )
  assert.ok(taken > 30, `only ${taken} rows went through the lane`)
})

test('a delimiter that stands inside of values cuts them', async () => {
  for (const [delimiter, value] of [[':', '2024-01-01T10:00:00Z'], ['-', '2024-01-01'], ['.', '1.5']] as const) {
    const text = [`v${delimiter}x`, ...Array.from({ length: 8 }, () => `"${value}"${delimiter}5`), ...Array.from({ length: 2 }, () => `${value}${delimiter}5`)].join('\n')
    const reading = { format: 'csv', csv: { delimiter, quote: '"', escape: null, header: true, comment: null, encoding: 'utf-8', skip: 0, nulls: [] } } as const
    const [fast, slow] = await Promise.all([true, false].map((lane) => load({ 'a.csv': text }, {}, { reading, lane })))
    assert.deepEqual(told(fast as Outcome), told(slow as Outcome))
    assert.equal(slow?.rejects.length, 2)
  }
})
