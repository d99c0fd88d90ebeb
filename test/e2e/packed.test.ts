/** Packed files through load(): identity is of the bytes as they lie, and a cut or damaged file fails alone. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { load } from '../../src/index.ts'
import type { LoadOptions, LoadResult } from '../../src/index.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-packed-'))
after(() => rmSync(root, { recursive: true, force: true }))
mkdirSync(join(root, 'in'))
const put = (name: string, bytes: Uint8Array | string): void => writeFileSync(join(root, 'in', name), bytes)
const go = (more?: Partial<LoadOptions>): Promise<LoadResult> => load({ paths: [join(root, 'in')], into: 't', key: 'id', dataDir: join(root, 'data'), jobs: 1, ...more })
const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => `{"id":${from + i}}\n`).join('')

test('a folder of plain and packed files is one table; the same bytes are known, the same content packed otherwise is duplicates', async () => {
  put('a.ndjson', lines(0, 10))
  put('b.ndjson.gz', gzipSync(lines(10, 20)))
  put('c.jsonl.zst', zstdCompressSync(lines(20, 30)))
  put('d.json.gz', Buffer.concat([gzipSync('{"records":['), gzipSync('{"id":30}]}')]))
  put('e.json', zstdCompressSync('[{"id":31}]'))
  put('notes.gz', gzipSync('x'))
  const first = await go()
  assert.deepEqual([first.exit, first.balance.inserted, first.files.loaded, first.files.ignored], [0, 32, 5, 1])
  put('again.ndjson.gz', gzipSync(lines(10, 20)))
  put('other.ndjson.zst', zstdCompressSync(lines(10, 20)))
  const second = await go()
  assert.deepEqual([second.files.known, second.files.loaded, second.balance.read, second.balance.duplicate], [6, 1, 10, 10])
})

test('a cut, a damaged and an inflated file fail alone', async () => {
  const whole = gzipSync(lines(100, 200))
  put('young.ndjson.gz', whole.subarray(0, 50))
  put('cut.ndjson.gz', whole.subarray(0, 60))
  utimesSync(join(root, 'in', 'cut.ndjson.gz'), 1, 1)
  put('followed.ndjson.gz', Buffer.concat([whole, Buffer.from('more')]))
  put('bomb.json.gz', gzipSync(`[${'{"id":1},'.repeat(2_000_000)}{"id":1}]`, { level: 9 }))
  put('good.ndjson.gz', gzipSync(lines(300, 305)))
  const result = await go()
  assert.deepEqual([result.state, result.exit, result.files.waiting, result.files.failed, result.balance.inserted, result.balance.balances], ['COMPLETED', 3, 1, 3, 5, true])
  const codes = Object.fromEntries(result.errors.map(({ path, code }) => [path?.split('/').at(-1), code]))
  assert.deepEqual(codes, { 'young.ndjson.gz': 'FILE_UNFINISHED', 'cut.ndjson.gz': 'FILE_TRUNCATED', 'followed.ndjson.gz': 'COMPRESSED_INVALID', 'bomb.json.gz': 'RATIO_EXCEEDED' })
})
