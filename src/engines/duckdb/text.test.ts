/** The lines that DuckDB makes are those of the writers, byte for byte: random values of every type, and the corners of each. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import type { Row, Schema, Value } from '../../core/schema.ts'
import { UnwritableValue } from '../../formats/unwritable.ts'
import { openTextWriter } from '../../formats/writer.ts'
import type { TextFormat } from '../../formats/writer.ts'
import { duckType } from '../../resolve/nested.ts'
import { valueSql } from '../../resolve/duckdb-batch.ts'
import { lineSql, noLineSql } from '../../resolve/text.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { keepWholeTexts } from './decoding.ts'

keepWholeTexts()
const db = await (await DuckDBInstance.create(':memory:')).connect()
await db.run("SET TimeZone = 'UTC'")
after(() => db.closeSync())

const SCHEMA: Schema = [
  { name: 'a_b', type: 'string', original: 'a "b\'' }, { name: 'n', type: 'int64' }, { name: 'x', type: 'double' }, { name: 'ok', type: 'boolean' },
  { name: 'd', type: 'date' }, { name: 'ts', type: 'timestamp' }, { name: 'wall', type: 'timestamp_local' }, { name: 'j', type: 'json' },
  { name: 'p', type: 'decimal(4,4)' }, { name: 'w', type: 'decimal(38,2)' }, { name: 'l', type: 'list<double>' }, { name: 's', type: 'struct<a:string,b:decimal(2,2)>' },
]

/** What a writer makes of each row; null: it is refused. */
function byWriter(schema: Schema, to: TextFormat, escapeFormulas: boolean, rows: readonly Row[]): (string | null)[] {
  const end = /^,?\n|\n$/
  const writer = openTextWriter(to, schema, { escapeFormulas })
  return rows.map((row) => {
    try {
      return writer.record(row).replace(end, '')
    } catch (thrown) {
      if (!(thrown instanceof UnwritableValue)) throw thrown
      return null
    }
  })
}

async function compare(schema: Schema, cells: readonly (readonly string[])[]): Promise<number> {
  // SQL texts of every cell, cast to the column's type; the values go both ways from there.
  const typed = cells.map((row) => `(${row.map((cell, at) => `CAST(${cell} AS ${duckType(schema[at]?.type ?? 'string')})`).join(', ')})`)
  const from = `(VALUES ${typed.join(', ')}) t(${schema.map(({ name }) => quoteName(name)).join(', ')})`
  const read = await db.runAndReadAll(`SELECT ${schema.map((column) => `${valueSql(column)} AS ${quoteName(column.name)}`).join(', ')} FROM ${from}`)
  const rows = read.getRows().map((row) => row.map((value) => value as Value))
  for (const to of ['ndjson', 'json', 'csv'] as const) {
    for (const escape of to === 'csv' ? [false, true] : [false]) {
      const found = (await db.runAndReadAll(`SELECT ${lineSql(schema, to, escape)}, ${noLineSql(schema, to) ?? 'false'} FROM ${from}`)).getRows()
      const lines = found.map(([line]) => line)
      assert.deepEqual(lines, byWriter(schema, to, escape, rows), `${to} ${escape}`)
      assert.deepEqual(found.map(([, none]) => none ?? false), lines.map((line) => line === null))
    }
  }
  return rows.length
}

const piece = fc.constantFrom('a', 'Ω', '😀', '"', '\\', ',', ';', '|', '#', '=', '+', '-', '@', "'", '\n', '\r', '\t', ' ', '\u00a0', '\u2003', '\u2028', '\ufeff', '\u200b', '\u0085', '\x7f', '\b', '\f', '\v', '\x00', '\x01', '\x1f', '\x1e')
const text = fc.array(piece, { maxLength: 5 }).map((parts) => parts.join(''))
/** NUL cannot stand in a statement. */
const literal = (value: string): string => value.split('\x00').map((part) => quoteText(part)).join(' || chr(0) || ')
const double = fc.oneof(fc.double(), fc.double({ min: -1e-3, max: 1e-3 }), fc.double({ min: 1e14, max: 1e22 }), fc.tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -12, max: 24 })).map(([m, e]) => Number(`${m}e${e}`)), fc.constantFrom(0, -0, 1e-4, 1e-6, 1e15, 1e16, 1e21, 5e-324))
const doubleLiteral = (value: number): string => `'${Object.is(value, -0) ? '-0' : value}'::DOUBLE`
const micros = fc.oneof(fc.integer({ min: -62135596800, max: 253402300799 }).map((s) => BigInt(s) * 1000000n), fc.bigInt({ min: -62135596800000000n, max: 253402300799999999n }), fc.integer({ min: 0, max: 4e9 }).map((ms) => BigInt(ms) * 1000n))
const nullable = (sql: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof({ weight: 1, arbitrary: fc.constant('NULL') }, { weight: 6, arbitrary: sql })

const row = fc.tuple(
  nullable(text.map(literal)),
  nullable(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => `'${n}'`)),
  nullable(double.map(doubleLiteral)),
  nullable(fc.boolean().map(String)),
  nullable(fc.integer({ min: -719162, max: 2932896 }).map((days) => `DATE '1970-01-01' + (${days})`)),
  nullable(micros.map((us) => `make_timestamp(${us})::TIMESTAMPTZ`)),
  nullable(micros.map((us) => `make_timestamp(${us})`)),
  nullable(fc.json().map(literal)),
  nullable(fc.integer({ min: -9999, max: 9999 }).map((n) => `${n} / 10000.0`)),
  nullable(fc.bigInt({ min: -(10n ** 36n) + 1n, max: 10n ** 36n - 1n }).map((n) => `'${n}.05'`)),
  nullable(fc.array(double.filter(Number.isFinite).map(doubleLiteral), { maxLength: 3 }).map((all) => `[${all.join(', ')}]::DOUBLE[]`)),
  nullable(fc.tuple(text.filter((one) => !one.includes('\x00')), fc.integer({ min: -99, max: 99 })).map(([a, b]) => `{'a': ${quoteText(a)}, 'b': (${b} / 100.0)::DECIMAL(2,2)}`)),
)

test('lines made in SQL are those of the writers', async () => {
  let seen = 0
  await fc.assert(fc.asyncProperty(fc.array(row, { minLength: 20, maxLength: 60 }), async (cells) => void (seen += await compare(SCHEMA, cells))), { numRuns: 30, seed: 5 })
  assert.ok(seen > 800)
})

test('the same for one column alone, where a line may be empty, and for doubles by the thousand', async () => {
  await compare([{ name: 'a', type: 'string' }], [['NULL'], ["''"], ["' '"], ["'x'"]])
  await compare([{ name: 'a', type: 'int64' }], [['NULL'], ['1']])
  await fc.assert(fc.asyncProperty(fc.array(double, { minLength: 500, maxLength: 500 }), async (values) => void (await compare([{ name: 'x', type: 'double' }], values.map((value) => [doubleLiteral(value)])))), { numRuns: 20, seed: 6 })
})
