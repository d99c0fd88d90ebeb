/**
 * The fast lane against the long way: the same texts through both must give the same rows, rejects, types and counts,
 * whatever the values, the white space and the cuts of the window.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { shapeCode } from '../../../scripts/wasm.ts'
import { leftOutOf, load } from '../../../test/splitting.ts'
import type { Outcome } from '../../../test/splitting.ts'
import type { DefinitionRequest } from '../../core/definition.ts'
import { LANE } from './lane.ts'

test('the compiled module is what its source compiles to', () => {
  assert.equal(readFileSync(join(import.meta.dirname, 'shape-code.ts'), 'utf8'), shapeCode(), 'run node scripts/wasm.ts')
})

const TEXTS = [
  '"a"', '""', '"sixteen bytes ok"', `"${'long '.repeat(9)}"`, '"\u{1F600} ü"', String.raw`"q\"b\\s\/n\nt\tr\rb\bf\f"`, String.raw`"\u0041\u00e9\u20ac\u0000"`, String.raw`"\ud83d\ude00"`, String.raw`"\ud83d"`,
  String.raw`"\x"`, String.raw`"\u12g4"`, String.raw`"\u0080\u07ff\u0800\uffff"`, '"tab\there"', '"open',
]
const NUMBERS = ['0', '-0', '7', '-42', '123456789012345', '-12345678901234', '1234567890123456', '9007199254740993', '9223372036854775808', '00', '-', '1.5', '-0.0', '0.1', '12345678901234.5', '123456789012345.6', '1.', '.5', '1e3', '1E-2', '1.0', '+1', '1_000']
const TIMES = [
  '"2026-01-06T17:40:22.944Z"', '"2026-01-06T17:40:22Z"', '"2026-01-06T17:40:22.9Z"', '"0001-01-01T00:00:00.000001Z"', '"9999-12-31T23:59:59.999999Z"', '"2026-01-06T17:40:22.1234567Z"', '"2026-01-06T17:40:22.1234560Z"',
  '"2026-02-29T00:00:00Z"', '"2024-02-29T00:00:00Z"', '"2026-13-01T00:00:00Z"', '"2026-01-06T24:00:00Z"', '"2026-01-06 17:40:22Z"', '"2026-01-06T17:40:22+01:00"', '"2026-01-06T17:40:22.Z"', '"2026-01-06T17:40:22"', '"2026-01-06T17:40Z"',
]
const DATES = ['"2026-01-06"', '"1969-12-31"', '"2024-02-29"', '"2023-02-29"', '"0000-01-01"', '"0001-01-01"', '"9999-12-31"', '"2026-1-06"', '"1900-02-29"', '"2000-02-29"', '"2026-01-066"']
const OTHERS = ['true', 'false', 'null', 'tru', 'nulll', 'True', '{"a":1}', '[1,2]', '{}']
const POOLS = { id: ['"a"', '"b"', '"c"', ...TEXTS.slice(0, 5), 'null'], s: TEXTS, i: NUMBERS, d: ['1.5', '-0.0', '0.1', ...NUMBERS], t: TIMES, day: DATES, b: OTHERS, x: [...TEXTS.slice(2), ...NUMBERS, ...OTHERS] } as const
const NAMES = Object.keys(POOLS) as (keyof typeof POOLS)[]

/** Few records are strange, so that runs of those that are alike are long enough to be taken. */
const calm = (name: keyof typeof POOLS): fc.Arbitrary<string> => fc.constantFrom(...POOLS[name].slice(0, 3))
const strange = (name: keyof typeof POOLS): fc.Arbitrary<string> =>
  fc.oneof({ weight: 8, arbitrary: calm(name) }, { weight: 4, arbitrary: fc.constantFrom(...POOLS[name]) }, { weight: 1, arbitrary: fc.constantFrom(...TEXTS.slice(0, 9), ...NUMBERS.slice(0, 9), ...TIMES, ...OTHERS.slice(0, 3)) })
const gap = fc.oneof({ weight: 19, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constantFrom(' ', '\t', '  ', '\r') })

const record = fc
  .record({ values: fc.oneof({ weight: 30, arbitrary: fc.tuple(...NAMES.map(calm)) }, { weight: 1, arbitrary: fc.tuple(...NAMES.map(strange)) }), gaps: fc.tuple(gap, gap, gap, gap), left: fc.integer({ min: 0, max: 60 }), turned: fc.integer({ min: 0, max: 90 }), twice: fc.integer({ min: 0, max: 90 }) })
  .map(({ values, gaps: [a, b, c, d], left, turned, twice }) => {
    const members = NAMES.flatMap((name, at) => (at === left ? [] : [`"${name}"${a}:${b}${values[at]}`]))
    if (turned === 0) members.reverse()
    if (twice === 0) members.push(`"s"${a}:${b}"again"`)
    return `{${c}${members.join(`${d},${c}`)}${d}}`
  })

const requests: DefinitionRequest[] = [
  {},
  { key: 'id' },
  { key: 'id', columns: 'id:string,s:string,i:int64,d:double,t:timestamp,day:date,b:boolean' },
  { columns: 'id:string,i:string,t:timestamp_local,x:json' },
  { key: 'id', columns: 'id:string(1),s:string(6),i:int64,d:double,t:timestamp,day:date,b:boolean' },
]

const told = ({ ends, rows, rejects, result }: Outcome): unknown => {
  const { schema, faults, reasons, notices, keySeen, keyless, lowest, highest } = result
  return { ends, rows, rejects, schema, faults, reasons, notices: notices.toSorted(), leftOut: leftOutOf(result), keySeen, keyless, lowest, highest }
}

test('records of any values, in documents and lines: both ways say the same', async () => {
  const files = fc.record({ records: fc.array(record, { minLength: 10, maxLength: 60 }), lines: fc.boolean(), end: fc.constantFrom('', '\n', '\r\n', ' '), between: fc.constantFrom(',', ' ,\n', ', '), of: fc.nat(requests.length - 1), window: fc.constantFrom(100, 2000, 9000), groupRows: fc.constantFrom(3, 65_536) })
  let taken = 0
  await fc.assert(
    fc.asyncProperty(files, async ({ records, lines, end, between, of, window, groupRows }) => {
      const text = lines ? records.join('\n') + end : `{"records":[${records.join(between)}]}${end}`
      const name = lines ? 'a.ndjson' : 'a.json'
      const both = await Promise.all([true, false].map((lane) => load({ [name]: text, [`b${name}`]: text.replace('again', 'more') }, requests[of] ?? {}, { lane, window, limits: { groupRows } })))
      const [fast, long] = both as [Outcome, Outcome]
      assert.deepEqual(told(fast), told(long))
      taken += fast.result.taken
      assert.equal(long.result.taken, 0)
    }),
    { numRuns: 200 },
  )
  assert.ok(taken > 800, `the lane took only ${taken} records`)
})

test('a record without its key is put aside, also after another one without it', async () => {
  const records = ['{"id":1,"at":1,"s":"x"}', '{"id":2,"at":2,"s":"y"}', ...['x', 'y', 'z', 'x'].map((s) => `{"at":3,"s":"${s}"}`), ...['x', 'y', 'z'].map((s) => `{"id":4,"s":"${s}"}`), ...['x', 'y', 'z'].map((s) => `{"s":"${s}"}`)]
  for (const request of [{ key: 'id' }, { key: 'id,at' }, { key: 's,never' }, { key: 'at', columns: 'at:int64' }]) {
    for (const [name, text] of [['a.ndjson', records.join('\n')], ['a.json', `[${records.join()}]`]] as const) {
      const [fast, long] = await Promise.all([true, false].map((lane) => load({ [name]: text }, request, { lane })))
      assert.deepEqual(told(fast as Outcome), told(long as Outcome))
      assert.ok(((long as Outcome).result.reasons['KEY_MISSING'] ?? 0) >= 3)
    }
  }
})

test('texts of limited length go through the lane; of what has more bytes the characters are counted', async () => {
  const values = ['abcd', 'ab', '', 'éééé', 'abcde', '\u{1F600}ü', 'a\u{1F600}bc', 'ééééé']
  const text = Array.from({ length: 200 }, (_, n) => `{"id":${n},"s":"${n % 20 === 19 ? values[Math.floor(n / 20) % values.length] : 'abcd'}"}`).join('\n')
  const [fast, long] = await Promise.all([true, false].map((lane) => load({ 'a.ndjson': text }, { columns: 'id:int64,s:string(4)' }, { lane })))
  assert.deepEqual(told(fast as Outcome), told(long as Outcome))
  assert.deepEqual((fast as Outcome).rejects.map(({ code }) => code), ['LENGTH_EXCEEDED', 'LENGTH_EXCEEDED'])
  assert.ok((fast as Outcome).result.taken > 100, `the lane took only ${(fast as Outcome).result.taken} records`)
})

test('null of a member that is left out is no record that had it', async () => {
  const text = ['1', '{"a":1}', '1', '1', ...Array.from({ length: 20 }, () => 'null'), '2'].map((value) => `{"x":${value},"id":1}`).join('\n')
  const [fast, long] = await Promise.all([true, false].map((lane) => load({ 'a.ndjson': text }, { columns: 'id:int64' }, { lane })))
  assert.deepEqual((fast as Outcome).result.leftOut.map(({ records }) => records), (long as Outcome).result.leftOut.map(({ records }) => records))
  assert.ok((fast as Outcome).result.taken > 0)
})

test('of a member that is left out and is text already, the lane notes no further kinds: none of them would change its type', async () => {
  const text = ['"a"', '"a"', '"a"', '"2026-01-06T17:40:22Z"', '1', ...Array.from({ length: 20 }, () => '"2026-01-06"'), '"a"'].map((value) => `{"x":${value},"id":1}`).join('\n')
  const [fast, long] = await Promise.all([true, false].map((lane) => load({ 'a.ndjson': text }, { columns: 'id:int64' }, { lane })))
  assert.deepEqual(told(fast as Outcome), told(long as Outcome))
  assert.ok((fast as Outcome).result.taken > 0)
  const types = ['"a"', '{"a":1}'].map(async (other) => (await load({ 'a.ndjson': `${text}\n{"x":${other},"id":1}` }, { columns: 'id:int64' })).result.leftOut[0]?.type)
  assert.deepEqual(await Promise.all(types), ['string', 'json'])
})

test('the lane ends where its room ends: long names, many columns, large records', async () => {
  const wide = (n: number, size: number): string => `{${Array.from({ length: n }, (_, i) => `"${'n'.repeat(size)}${i}":"${'v'.repeat(i % 40)}"`).join(',')}}`
  for (const one of [wide(LANE.columns, 5), wide(LANE.columns + 1, 5), wide(20, 1000), `{"a":"${'x'.repeat(LANE.bytes - 20)}"}`, `{"a":"${'x'.repeat(LANE.bytes + 20)}"}`, '{"a":1}', '{}']) {
    const text = `[${Array.from({ length: 40 }, () => one).join(',')}]`
    const [fast, long] = await Promise.all([true, false].map((lane) => load({ 'a.json': text }, {}, { lane })))
    assert.deepEqual(told(fast as Outcome), told(long as Outcome))
  }
  const many = await load({ 'a.json': `[${Array.from({ length: LANE.rows * 3 }, (_, i) => `{"a":${i}}`).join(',')}]` })
  assert.equal(many.rows.length, LANE.rows * 3)
  assert.deepEqual(many.rows.at(-1), { a: String(LANE.rows * 3 - 1), _place: String(2n ** 32n + BigInt(LANE.rows * 3)), _sluice_offset: many.rows.at(-1)?.['_sluice_offset'] })
  assert.ok(many.result.taken > LANE.rows * 2)
})

test('records without their key, or with null in it, in every order: none gets in', async () => {
  const kinds = [(n: number): string => `{"id":"k${n}","ts":"2026-01-06T17:40:22Z","v":${n}}`, (n: number): string => `{"ts":"2026-01-06T17:40:22Z","v":${n}}`, (n: number): string => `{"id":null,"ts":"2026-01-06T17:40:22Z","v":${n}}`, (n: number): string => `{"v":${n}}`, (n: number): string => `{"id":"","ts":"2026-01-06T17:40:22Z","v":${n}}`]
  // Every five records in a row that there can be.
  const order = Array.from({ length: kinds.length ** 5 }, (_, n) => [0, 1, 2, 3, 4].map((at) => Math.floor(n / kinds.length ** at) % kinds.length)).flat()
  const text = order.map((kind, n) => kinds[kind]?.(n)).join('\n')
  for (const key of ['id', 'id,ts']) {
    const [fast, long] = await Promise.all([true, false].map((lane) => load({ 'a.ndjson': text }, { key }, { lane })))
    assert.deepEqual(told(fast as Outcome), told(long as Outcome))
    assert.equal(fast?.rows.length, order.filter((kind) => kind === 0).length)
  }
})
