/** inspect(): what a load would understand, and that it keeps nothing and reads no more than it needs. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { inspect } from '../../src/index.ts'
import type { Inspection } from '../../src/index.ts'
import { sluice } from '../command.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-inspected-'))
after(() => rmSync(root, { recursive: true, force: true }))
const golden = join(import.meta.dirname, '../golden/parquet')
mkdirSync(join(root, 'in'))
const put = (name: string, bytes: Uint8Array | string): string => {
  writeFileSync(join(root, 'in', name), bytes)
  utimesSync(join(root, 'in', name), 1, 1)
  return join(root, 'in', name)
}
const look = async (path: string, more: Partial<Parameters<typeof inspect>[0]> = {}): Promise<Inspection['items'][number]> => {
  const { items } = await inspect({ paths: [path], dataDir: join(root, 'data'), ...more })
  assert.equal(items.length, 1)
  return items[0] as Inspection['items'][number]
}

test('columns with the values that made their types, first rows, faults with their places', async () => {
  const item = await look(put('a.ndjson.gz', gzipSync('{"a":1,"b":"2024-01-01"}\n{"a":"x","b":null,"c c":[1]}\n{"a":\n{"b":"2024-02-01"}\n')), { rows: 1 })
  assert.deepEqual([item.format, item.packed, item.read, item.bad, item.rows], ['ndjson', ['gzip'], 4, 1, { count: 4, exact: true }])
  assert.deepEqual(item.columns.map(({ name, original, type, from, saw }) => [name, original, type, from, saw.map(({ kind, value, row }) => `${kind} ${value} ${row}`)]), [
    ['a', null, 'string', 'inferred', ['integer 1 1', 'text x 2']],
    ['b', null, 'date', 'inferred', ['date 2024-01-01 1']],
    ['c_c', 'c c', 'json', 'inferred', ['list or object [1] 2']],
  ])
  assert.deepEqual(item.first, ['{"a":1,"b":"2024-01-01"}'])
  assert.deepEqual(item.faults.map(({ code, row, offset }) => [code, row, offset]), [['JSON_INVALID', 3, 59]])
})

test('flags change what is understood as they change a load', async () => {
  const path = put('deep.json', '{"meta":[1],"data":{"items":[{"id":1,"x":"y"},{"id":"b"}]}}')
  assert.deepEqual((await look(path)).faults.map(({ code }) => code), ['RECORD_NOT_OBJECT'])
  const item = await look(path, { records: 'data.items', columns: 'id:int64', key: 'id' })
  assert.deepEqual(item.columns, [{ name: 'id', original: null, type: 'int64', from: 'declared', saw: [] }])
  assert.deepEqual(item.faults.map(({ code, row, value }) => [code, row, value]), [['TYPE_MISMATCH', 2, 'b']])
  assert.equal((await look(put('x.txt', 'a;b\n1;2\n3;4\n'))).format, 'csv', 'told by its content')
})

test('Parquet: types of the file, rows of the footer, values that would be put aside', async () => {
  const item = await look(join(golden, 'timestamp-ns-utc.parquet'))
  assert.deepEqual([item.format, item.rows, item.bad, item.columns[0]?.type, item.columns[0]?.from], ['parquet', { count: 2, exact: true }, 1, 'timestamp', 'file'])
  assert.deepEqual(item.faults.map(({ code, row }) => [code, row]), [['PRECISION_LOST', 2]])
})

test('10,000 records are looked at, the rest is estimated; --full reads all', async () => {
  const path = put('many.ndjson', Array.from({ length: 30_000 }, (_, i) => `{"id":${100_000 + i},"text":"${'x'.repeat(300)}"}\n`).join(''))
  const item = await look(path)
  assert.deepEqual([item.read, item.rows.exact], [10_000, false])
  assert.ok(Math.abs(item.rows.count - 30_000) < 300, String(item.rows.count))
  assert.deepEqual((await look(path, { full: true })).rows, { count: 30_000, exact: true })
})

test('a bad file is a result, the exit says so, and nothing stays behind', async (t) => {
  // Its own: what lies in the one of the machine changes while other tests inspect.
  const temp = join(root, 'temp')
  mkdirSync(temp)
  const usual = process.env['TMPDIR']
  process.env['TMPDIR'] = temp
  t.after(() => (usual === undefined ? delete process.env['TMPDIR'] : (process.env['TMPDIR'] = usual)))
  put('cut.json', '{"records":[{"id":1}')
  put('wrong.parquet', '{"a":1}')
  const result = await inspect({ paths: [join(root, 'in', 'cut.json'), join(root, 'in', 'wrong.parquet')] })
  assert.deepEqual([result.exit, result.items.map(({ faults }) => faults.map(({ code }) => code))], [3, [['FILE_UNFINISHED'], ['FORMAT_MISMATCH']]])
  assert.deepEqual(readdirSync(temp), [])
  assert.ok(!readdirSync(root).includes('data'), 'no data folder is made')
})

test('the command prints it, and --json is one document', async () => {
  const path = join(golden, 'strings.parquet')
  const text = await sluice(['inspect', path, '--rows', '1'])
  assert.equal(text.code, 0)
  assert.match(text.stdout, /parquet · .* · 7 records/)
  assert.match(text.stdout, /a +string +the file says so/)
  const document = JSON.parse((await sluice(['inspect', path, '--json'])).stdout) as Inspection
  assert.deepEqual([document.schema, document.items[0]?.first.length], ['sluice.inspect/1', 5])
})

test('rows of CSV are shown as they lie, on a terminal and as JSON', async () => {
  const path = put('rows.csv', 'id,name\n1,"a,b"\n007,c\n')
  const people = await sluice(['inspect', path])
  assert.equal(people.code, 0, people.stderr)
  assert.match(people.stdout, /^ {2}1,"a,b"\n {2}007,c$/m)
  const { stdout } = await sluice(['inspect', path, '--json'])
  assert.deepEqual((JSON.parse(stdout) as { items: { first: unknown[] }[] }).items[0]?.first, ['1,"a,b"', '007,c'])
})
