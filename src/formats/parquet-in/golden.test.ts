/** Parquet files of other writers (test/golden/parquet/make.py says how each was made) against values written by hand. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { load, parquet } from '../../../test/splitting.ts'
import type { Outcome } from '../../../test/splitting.ts'

interface Expected {
  /** `name:type,…` */
  schema: string
  /** Values as DuckDB writes them as text. */
  rows: (string | null)[][]
  /** Code, column, value. */
  rejects: (string | null)[][]
  notices: string[]
}

after(() => parquet.close())
const folder = join(import.meta.dirname, '../../../test/golden/parquet')
const cases = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<string, Expected>
const files = globSync('*.parquet', { cwd: folder }).map((path) => basename(path, '.parquet'))

/** As `rows` and `rejects` of an Expected. */
function seen({ result, rows, rejects }: Outcome): Expected {
  const names = result.schema.map(({ name }) => name)
  return {
    schema: result.schema.map(({ name, type }) => `${name}:${type}`).join(','),
    rows: rows.map((row) => names.map((name) => textOf(row[name]))),
    rejects: rejects.map((row) => [textOf(row['code']), textOf(row['column']), textOf(row['value'])]),
    notices: result.notices,
  }
}
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'number') return Object.is(value, -0) ? '-0.0' : String(value)
  // The library writes special doubles as JSON cannot.
  return String(value)
}

test('every golden file has its expectation, and there are many', () => {
  assert.deepEqual(files.toSorted(), Object.keys(cases).toSorted())
  assert.ok(files.length >= 60, `${files.length} cases`)
})

for (const name of files) {
  test(name, async () => {
    const path = join(folder, `${name}.parquet`)
    const outcome = await load({ [path]: readFileSync(path) }, {}, { texts: true })
    assert.equal(outcome.ends[0]?.fault, null)
    assert.deepEqual(seen(outcome), cases[name])
    assert.ok(outcome.left.every((left) => !left.includes('copy')), 'no copy is left')
  })
}

test('packed Parquet is laid down, read, and removed', async () => {
  for (const pack of [gzipSync, zstdCompressSync]) {
    for (const name of ['codec-zstd', 'int96']) {
      const outcome = await load({ [`${name}.parquet.packed`]: pack(readFileSync(join(folder, `${name}.parquet`))) }, {}, { texts: true })
      assert.deepEqual(seen(outcome), cases[name])
      assert.ok(outcome.left.every((left) => !left.includes('copy')), 'no copy is left')
    }
  }
})

test('a file of one type beside one of another, and beside JSON', async () => {
  const at = (name: string): [string, Buffer] => [join(folder, `${name}.parquet`), readFileSync(join(folder, `${name}.parquet`))]
  const both = await load(Object.fromEntries([at('int8'), at('strings')]), {}, { texts: true })
  assert.deepEqual(both.result.schema, [{ name: 'a', type: 'string' }])
  assert.deepEqual(both.rows.map((row) => row['a']).slice(0, 4), ['-128', '127', '0', null])
  const mixed = await load({ 'a.ndjson': '{"a":1}\n', ...Object.fromEntries([at('doubles')]) }, {}, { texts: true })
  assert.deepEqual(mixed.result.schema, [{ name: 'a', type: 'double' }])
  const pinned = await load(Object.fromEntries([at('strings')]), {}, { texts: true, pinned: [{ name: 'a', type: 'int64' }] })
  assert.deepEqual(pinned.rejects.map((row) => [row['code'], row['column'], row['value']]).at(-1), ['TYPE_MISMATCH', 'a', 'true'])
  assert.equal(pinned.rejects.at(-1)?.['raw'], '{"a":"true"}')
})

test('decimals of several files have room for all of them; beside other numbers they are text, whatever came first', async () => {
  const at = (name: string): [string, Buffer] => [join(folder, `${name}.parquet`), readFileSync(join(folder, `${name}.parquet`))]
  const typeOf = async (files: [string, Uint8Array | string][]): Promise<[string | undefined, unknown[]]> => {
    const { result, rows } = await load(Object.fromEntries(files), {}, { texts: true })
    return [result.schema[0]?.type, rows.map((row) => row['a'])]
  }
  // 7 digits before the point and 2 behind it, 10 and 0.
  for (const order of [['decimals', 'decimals-ten'], ['decimals-ten', 'decimals']]) {
    const [type, values] = await typeOf(order.map(at))
    assert.deepEqual([type, new Set(values)], ['decimal(12,2)', new Set(['1.10', '-0.05', '0.00', null, '12.00', '9999999999.00'])])
  }
  // 38 before the point and 2 behind it are more than a decimal has.
  assert.deepEqual(await typeOf([at('decimals'), at('decimals-whole')]), ['string', ['1.10', '-0.05', '0.00', null, '12', '9'.repeat(38)]])
  for (const [name, text] of [['a.ndjson', '{"a":2.50}\n'], ['b.csv', 'a,b\n2.50,1\n']] as const) {
    assert.deepEqual(await typeOf([at('decimals'), [name, text]]), ['string', ['1.10', '-0.05', '0.00', null, '2.50']], name)
    assert.deepEqual(await typeOf([[name, text], at('decimals')]), ['string', ['2.50', '1.10', '-0.05', '0.00', null]], name)
  }
})

test('nanoseconds inside of a declared list are held to its type', async () => {
  const path = join(folder, 'nested-ns-utc.parquet')
  const { rows, rejects } = await load({ [path]: readFileSync(path) }, { columns: 'a:list<timestamp>' }, { texts: true })
  assert.deepEqual(rejects.map((row) => [row['code'], row['column'], row['value']]), [['PRECISION_LOST', 'a', '2024-01-01T00:00:00.123456789Z']])
  assert.equal(rows.length, 2)
})

test('a name that says JSON, and one that says Parquet, are held to it', async () => {
  const bytes = readFileSync(join(folder, 'int8.parquet'))
  const wrong = await load({ 'a.json': bytes, 'b.parquet': '{"records":[{"id":1}]}', 'c.parquet': bytes, 'd.parquet': 'PA' })
  assert.deepEqual(wrong.ends.map(({ state, fault }) => [state, fault?.code]), [['failed', 'FORMAT_MISMATCH'], ['failed', 'FORMAT_MISMATCH'], ['failed', 'FILE_GONE'], ['failed', 'FILE_GONE']])
})

test('a key that is missing puts its row aside', async () => {
  const { ends, rejects } = await load({ [join(folder, 'strings.parquet')]: readFileSync(join(folder, 'strings.parquet')) }, { key: 'a' })
  assert.deepEqual([ends[0]?.read, rejects.map((row) => [row['code'], row['offset'], row['raw']])], [7, [['KEY_MISSING', '0', '{"a":""}'], ['KEY_MISSING', '3', '{"a":null}']]])
})
