/** Parquet through load(): with other formats into one table, and a file that breaks its reader stops nothing else. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { load } from '../../src/index.ts'
import type { LoadOptions, LoadResult } from '../../src/index.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-parquet-'))
after(() => rmSync(root, { recursive: true, force: true }))
const golden = join(import.meta.dirname, '../golden/parquet')

function scene(name: string): { put: (file: string, bytes: Uint8Array | string) => void; go: (more?: Partial<LoadOptions>) => Promise<LoadResult> } {
  const folder = join(root, name, 'in')
  mkdirSync(folder, { recursive: true })
  return {
    put: (file, bytes) => {
      writeFileSync(join(folder, file), bytes)
      utimesSync(join(folder, file), 1, 1)
    },
    go: (more) => load({ paths: [folder], into: 't', dataDir: join(root, name, 'data'), jobs: 1, ...more }),
  }
}

test('Parquet, packed Parquet and JSON in one folder are one table', async () => {
  const { put, go } = scene('mixed')
  const parquet = readFileSync(join(golden, 'sweep.parquet'))
  put('a.parquet', parquet)
  put('b.json', '{"records":[{"id":"j1","v":6,"note":null}]}')
  put('c.parquet.gz', gzipSync(parquet))
  const result = await go({ key: 'id' })
  assert.deepEqual([result.exit, result.balance.read, result.balance.inserted, result.balance.duplicate, result.files.loaded], [0, 3, 2, 1, 3])
  assert.equal((await go({ key: 'id' })).files.known, 3)
})

test('a folder whose name looks like a pattern or a partition adds nothing', async () => {
  mkdirSync(join(root, 'odd [1]*', 'year=2024'), { recursive: true })
  copyFileSync(join(golden, 'int8.parquet'), join(root, 'odd [1]*', 'year=2024', "it's?.parquet"))
  const result = await load({ paths: [join(root, 'odd [1]*')], into: 't', dataDir: join(root, 'odd-data'), jobs: 1 })
  assert.deepEqual([result.exit, result.balance.inserted], [0, 4])
})

test('damaged files fail alone', async () => {
  const { put, go } = scene('damaged')
  const whole = readFileSync(join(golden, 'pages-v2.parquet'))
  put('good.parquet', whole)
  put('cut.parquet', whole.subarray(0, whole.length - 10))
  const flipped = Buffer.from(whole)
  flipped[200] = (flipped[200] as number) ^ 0xff
  put('flipped.parquet', flipped)
  const result = await go()
  assert.deepEqual([result.state, result.exit, result.files.loaded, result.files.failed, result.balance.inserted, result.balance.balances], ['COMPLETED', 3, 1, 2, 400, true])
  assert.deepEqual(result.errors.map(({ code }) => code).toSorted(), ['FILE_TRUNCATED', 'PARQUET_INVALID'])
})
