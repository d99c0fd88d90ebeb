/** Where tables and data folders may lie: Sluice never mistakes its own files for a table, nor a table for its own. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { load } from '../../src/index.ts'
import type { LoadOptions, LoadResult } from '../../src/index.ts'
import { planClean } from '../../src/service/clean.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-places-'))
after(() => rmSync(root, { recursive: true, force: true }))
let scenes = 0

function scene(): { folder: string; data: string; go: (more: Partial<LoadOptions>) => Promise<LoadResult> } {
  const folder = join(root, String(++scenes))
  const data = join(folder, 'data')
  mkdirSync(folder)
  writeFileSync(join(folder, 'a.ndjson'), '{"id":1,"TS":2}\n')
  return { folder, data, go: (more) => load({ paths: [join(folder, 'a.ndjson')], into: 't', dataDir: data, jobs: 1, ...more }) }
}

test('no table in the places that a data folder keeps for itself', async () => {
  const { folder, data, go } = scene()
  await go({})
  symlinkSync(data, join(folder, 'link'))
  for (const inside of [data, `${data}/spool`, `${data}/workers`, `${data}/tables/x`, join(folder, 'link', 'spool')]) await assert.rejects(go({ to: `delta:${inside}` }), { code: 'TARGET_INVALID' }, inside)
  for (const inside of ['ledger.db', 'ledger.db-wal', 'spool/x.db', 'workers/x.db', 'tables/x.db']) await assert.rejects(go({ to: `sqlite:${data}/${inside}` }), { code: 'TARGET_INVALID' }, inside)
  assert.equal((await go({ to: `sqlite:${data}/own.db` })).exit, 0)
  assert.equal((await go({ to: `delta:${data}/tables` })).files.known, 1)
})

test('no table inside of another one, and what lies inside of one is no left-over of it', async () => {
  const { folder, go } = scene()
  await go({ to: `delta:${folder}/lake` })
  for (const inside of ['lake/t', 'lake/t/deeper']) {
    await assert.rejects(go({ into: 'u', to: `delta:${folder}/${inside}` }), { code: 'TARGET_INVALID', hint: new RegExp(`--to delta:${folder}/lake --into t`) }, inside)
  }
  assert.equal((await go({ to: `delta:${folder}/lake` })).files.known, 1)
  // Older versions did not refuse it.
  renameSync(join(folder, 'lake/t'), join(folder, 'other'))
  await go({ into: 'outer', to: `delta:${folder}/lake` })
  renameSync(join(folder, 'other'), join(folder, 'lake/outer/t'))
  for (const entry of readdirSync(join(folder, 'lake'), { recursive: true, withFileTypes: true })) if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), 0, 0)
  assert.deepEqual((await planClean(join(folder, 'data'), join(folder, 'data/logs'), new Set(['attempts']))).items, [])
})

test("what somebody else put into the spool is not removed", async () => {
  const { data, go } = scene()
  mkdirSync(join(data, 'spool', 'mine'), { recursive: true })
  await go({})
  assert.ok(existsSync(join(data, 'spool', 'mine')))
})

test('a file where a folder should be, and a folder where a file should be', async () => {
  const { folder, go } = scene()
  await assert.rejects(go({ to: `delta:${folder}/a.ndjson` }), { code: 'TARGET_INVALID' })
  await assert.rejects(go({ to: `sqlite:${folder}` }), { code: 'TARGET_INVALID' })
  await assert.rejects(go({ dataDir: join(folder, 'a.ndjson') }), { code: 'USAGE', exit: 2 })
})

test('a missing path makes no data folder; an empty SLUICE_DATA_DIR is none', async () => {
  const { folder, data, go } = scene()
  await assert.rejects(go({ paths: [join(folder, 'nope')] }), { code: 'PATH_NOT_FOUND' })
  assert.ok(!existsSync(data))
})

test('flags that contradict one another, and names without case', async () => {
  const { go } = scene()
  await assert.rejects(go({ onBad: 'fail', maxBad: '5%' }), { code: 'USAGE' })
  await assert.rejects(go({ onBad: 'skip', maxBad: 'rubbish' }), { code: 'USAGE' })
  await go({ key: 'id', mode: 'upsert', keep: 'max:TS' })
  assert.equal((await go({ key: 'ID', keep: 'max:ts' })).files.known, 1)
})
