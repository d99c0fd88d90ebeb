/** Random typed tables, written by DuckDB in every codec and row group size, come back value by value. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { load, parquet } from '../../../test/splitting.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-random-parquet-'))
const db = await (await DuckDBInstance.create(':memory:')).connect()
after(() => {
  rmSync(root, { recursive: true, force: true })
  db.closeSync()
  parquet.close()
})

/** A column: its SQL from the row's number `i`, its type in the table, and what it is as text there. */
const KINDS: readonly [sql: string, type: string, text?: string][] = [
  ['(hash(i * 7) % 2 = 0)', 'boolean'],
  ['(hash(i) % 256)::INTEGER::SMALLINT', 'int64'],
  ['(hash(i) >> 1)::BIGINT - 4611686018427387904', 'int64'],
  ['(hash(i) % 4294967296)::UINTEGER', 'int64'],
  ['sqrt(i::DOUBLE) * pow(10, (hash(i) % 600)::DOUBLE - 300)', 'double'],
  ['sin(i)::FLOAT', 'double', 'sin(i)::FLOAT::DOUBLE::VARCHAR'],
  ["CASE i % 4 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN 'inf'::DOUBLE WHEN 2 THEN '-inf'::DOUBLE ELSE -0.0::DOUBLE END", 'double'],
  ['((hash(i) % 100000)::BIGINT / 100)::DECIMAL(9, 2)', 'decimal(9,2)'],
  ['((hash(i) % 1000)::BIGINT / 1000)::DECIMAL(38, 38)', 'decimal(38,38)'],
  ['(hash(i) >> 1)::DECIMAL(38, 5)', 'decimal(38,5)'],
  ["repeat(chr((32 + hash(i) % 3000)::INTEGER), (hash(i + 1) % 9)::BIGINT) || '\"\\' || chr((1 + i % 31)::INTEGER)", 'string'],
  ['md5(i::VARCHAR)::UUID', 'string'],
  ["DATE '0001-01-01' + (hash(i) % 3652058)::INTEGER", 'date'],
  ['make_timestamp((hash(i) % 200000000000000000)::BIGINT - 50000000000000000)', 'timestamp_local'],
  ["make_timestamp((hash(i) % 4000000000000000)::BIGINT)::TIMESTAMPTZ", 'timestamp'],
  ["encode(md5(i::VARCHAR))", 'string', 'to_base64(encode(md5(i::VARCHAR)))'],
]

test('what comes out is what went in', async () => {
  await db.run("SET TimeZone = 'UTC'")
  let files = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ kind: fc.nat(KINDS.length - 1), nulls: fc.nat(4) }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 4000 }),
      fc.constantFrom('uncompressed', 'snappy', 'zstd', 'gzip', 'lz4_raw', 'brotli'),
      fc.constantFrom('V1', 'V2'),
      async (columns, rows, codec, version) => {
        const path = join(root, `${files++}.parquet`)
        const nullable = (value: string, nulls: number): string => (nulls === 0 ? value : `CASE WHEN hash(i + ${nulls}) % 5 >= ${nulls} THEN ${value} END`)
        const select = columns.map(({ kind, nulls }, at) => `${nullable(KINDS[kind]?.[0] ?? '', nulls)} AS c${at}`)
        const texts = columns.map(({ kind, nulls }, at) => `${nullable(KINDS[kind]?.[2] ?? `(${KINDS[kind]?.[0]})::VARCHAR`, nulls)} AS c${at}`)
        await db.run(`COPY (SELECT ${select.join(', ')} FROM range(${rows}) t(i) ORDER BY i) TO '${path}' (FORMAT parquet, COMPRESSION ${codec}, PARQUET_VERSION ${version}, ROW_GROUP_SIZE 2048)`)
        const { rows: got, result, ends } = await load({ [path]: readFileSync(path) }, {}, { texts: true })
        assert.equal(ends[0]?.fault, null)
        assert.deepEqual(result.schema.map(({ type }) => type), columns.map(({ kind }) => KINDS[kind]?.[1]))
        const expected = (await db.runAndReadAll(`SELECT ${texts.join(', ')} FROM range(${rows}) t(i) ORDER BY i`)).getRowObjectsJson()
        assert.deepEqual(got.map((row) => columns.map((_, at) => row[`c${at}`])), expected.map((row) => columns.map((_, at) => row[`c${at}`])))
      },
    ),
    { numRuns: 10, seed: 7 },
  )
})
