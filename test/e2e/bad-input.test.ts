/**
 * Bad input, through load(): each has its code, a place, a next step, and does not stop its neighbours.
 *
 * What needs a user without rights is played by this process under another effective user when it is root.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { load } from '../../src/index.ts'
import type { LoadOptions, LoadResult } from '../../src/index.ts'
import { openLedger } from '../../src/ledger/sqlite.ts'
import { SqliteSession } from '../../src/sql/sqlite.ts'
import { systemClock, systemRandom } from '../../src/storage/system.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-bad-'))
after(() => rmSync(root, { recursive: true, force: true }))
let scenes = 0

function scene(files: Record<string, string>): { folder: string; go: (more?: Partial<LoadOptions>) => Promise<LoadResult> } {
  const folder = join(root, String(++scenes))
  mkdirSync(join(folder, 'in'), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'in', name), text)
  return { folder, go: (more) => load({ paths: [join(folder, 'in')], into: 't', dataDir: join(folder, 'data'), jobs: 1, ...more }) }
}

const GOOD = '{"records":[{"id":1},{"id":2}]}'
const NOBODY = 65534
const isRoot = process.getuid?.() === 0

/** Runs `work` as somebody without rights, and comes back. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    return await work()
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
}

describe('files that are no documents', () => {
  const deep = `{"records":[{"id":7,"x":${'['.repeat(20_000)}${']'.repeat(20_000)}},{"id":8}]}`
  const cases: { name: string; file: [string, string]; exit: number; code: string; where: Record<string, unknown>; inserted: number; more?: Partial<LoadOptions> }[] = [
    { name: 'a truncated document', file: ['bad.json', '{"records":[{"id":7},{"id"'], exit: 3, code: 'FILE_TRUNCATED', where: { offset: 26 }, inserted: 2, more: { grace: '0' } },
    { name: 'a truncated document within its grace', file: ['bad.json', '{"records":[{"id":7},{"id"'], exit: 3, code: 'FILE_UNFINISHED', where: {}, inserted: 2 },
    { name: 'a document with a fault', file: ['bad.json', '{"records":[{"id":7},{"id":8,}]}'], exit: 3, code: 'JSON_INVALID', where: { offset: 29 }, inserted: 2 },
    { name: 'a malformed line', file: ['bad.ndjson', '{"id":7}\n{"id":\n{"id":8}\n'], exit: 3, code: 'JSON_INVALID', where: { row: 2 }, inserted: 4 },
    { name: 'a missing key', file: ['bad.ndjson', '{"id":7}\n{"x":1}\n'], exit: 3, code: 'KEY_MISSING', where: { row: 2, offset: 9, column: 'id' }, inserted: 3, more: { key: 'id' } },
    { name: 'a null key', file: ['bad.ndjson', '{"id":7}\n{"id":null}\n'], exit: 3, code: 'KEY_MISSING', where: { row: 2, offset: 9, column: 'id' }, inserted: 3, more: { key: 'id' } },
    { name: 'a value of another type', file: ['bad.ndjson', '{"id":7}\n{"id":"seven"}\n'], exit: 3, code: 'TYPE_MISMATCH', where: { row: 2, column: 'id' }, inserted: 3, more: { columns: 'id:int64' } },
    { name: 'nesting 20,000 deep', file: ['bad.json', deep], exit: 3, code: 'DEPTH_EXCEEDED', where: { row: 1 }, inserted: 3 },
    { name: 'no list of records', file: ['bad.json', '{"a":1}'], exit: 3, code: 'RECORDS_NOT_FOUND', where: {}, inserted: 2 },
    { name: 'two lists of records', file: ['bad.json', '{"a":[{"id":7}],"b":[{"id":8}]}'], exit: 3, code: 'RECORDS_AMBIGUOUS', where: {}, inserted: 2 },
    { name: 'more bad records than allowed', file: ['bad.ndjson', '{"id":7}\nx\ny\n'], exit: 3, code: 'TOO_MANY_BAD', where: {}, inserted: 2, more: { maxBad: '1' } },
    { name: 'any bad record under --on-bad fail', file: ['bad.ndjson', '{"id":7}\nx\n'], exit: 3, code: 'TOO_MANY_BAD', where: {}, inserted: 2, more: { onBad: 'fail' } },
  ]
  for (const { name, file, exit, code, where, inserted, more } of cases) {
    test(name, async () => {
      const { folder, go } = scene({ 'good.json': GOOD, [file[0]]: file[1] })
      const result = await go(more)
      const [error] = result.errors
      assert.deepEqual([result.state, result.exit, error?.code, result.balance.inserted, result.balance.balances], ['COMPLETED', exit, code, inserted, true])
      assert.equal(error?.path, join(folder, 'in', file[0]))
      for (const [field, value] of Object.entries(where)) assert.equal(error?.[field as 'row'], value, field)
      assert.ok((error?.message.length ?? 0) > 10)
    })
  }

  test('--on-bad skip leaves the record out and counts it', async () => {
    const { go } = scene({ 'bad.ndjson': '{"id":7}\nx\n' })
    const result = await go({ onBad: 'skip' })
    assert.deepEqual([result.exit, result.balance.skipped, result.balance.inserted, result.reasons], [0, 1, 1, { JSON_INVALID: 1 }])
  })

  test('an empty file waits, then fails', async () => {
    const { folder, go } = scene({ 'good.json': GOOD, 'empty.json': '' })
    const waiting = await go()
    assert.deepEqual([waiting.exit, waiting.files.waiting, waiting.errors[0]?.code], [3, 1, 'FILE_UNFINISHED'])
    utimesSync(join(folder, 'in', 'empty.json'), 1, 1)
    const failed = await go()
    assert.deepEqual([failed.exit, failed.files.failed, failed.errors[0]?.code], [3, 1, 'FILE_EMPTY'])
  })

  test('other content at a path of an append table is refused, what was there stays', async () => {
    const { folder, go } = scene({ 'a.json': GOOD })
    await go()
    writeFileSync(join(folder, 'in', 'a.json'), '{"records":[{"id":3}]}')
    const result = await go()
    assert.deepEqual([result.exit, result.errors[0]?.code, result.balance.read], [3, 'FILE_CHANGED', 0])
  })
})

test('a path that goes back to earlier bytes is said, and changes nothing', async () => {
  const { folder, go } = scene({ 'a.json': '{"records":[{"id":1,"v":"A"}]}' })
  const put = (v: string): void => writeFileSync(join(folder, 'in', 'a.json'), `{"records":[{"id":1,"v":"${v}"}]}`)
  const notices: string[] = []
  const options: Partial<LoadOptions> = { key: 'id', mode: 'upsert', onEvent: (event) => (event.kind === 'notice' ? notices.push(event.text) : 0) }
  await go(options)
  put('B')
  assert.equal((await go(options)).balance.updated, 1)
  notices.length = 0
  put('A')
  const back = await go(options)
  assert.deepEqual([back.exit, back.files.known, back.balance.read], [0, 1, 0])
  assert.match(notices.join(), /a\.json is back to bytes that it brought before \(arrival 1\)/)
  const again = await go({ ...options, reload: true })
  assert.deepEqual([again.exit, again.balance.updated], [0, 1])
})

describe('commands that contradict the table', () => {
  test('a key that no record has: nothing is committed', async () => {
    const { go } = scene({ 'good.json': GOOD })
    const result = await go({ key: 'idd' })
    assert.deepEqual([result.state, result.exit, result.errors[0]?.code, result.version], ['FAILED', 4, 'KEY_UNKNOWN', null])
    assert.equal((await go({ key: 'id' })).balance.inserted, 2)
  })
  test('--key, --mode, --keep, --columns other than the table has', async () => {
    const { go } = scene({ 'good.json': GOOD })
    await go({ key: 'id' })
    for (const other of [{ key: 'x' }, { mode: 'upsert' }, { keep: 'error' }, { columns: 'id:string' }, { records: 'a' }]) {
      await assert.rejects(go(other), { code: 'DEFINITION_DIFFERS', exit: 4 }, JSON.stringify(other))
    }
  })
  test('what is not built yet is refused by name', async () => {
    const { go } = scene({ 'good.json': GOOD })
    await assert.rejects(go({ records: 'a..b' }), { code: 'DEFINITION_INVALID' })
    for (const later of [{ to: 'kafka:topic' }]) await assert.rejects(go(later), { code: 'LATER', exit: 2 })
  })
  test('a data folder of a newer version is left alone', async () => {
    const { folder, go } = scene({ 'good.json': GOOD })
    await go()
    const ledger = new SqliteSession(join(folder, 'data', 'ledger.db'))
    ledger.exec('test.newer', 'PRAGMA user_version = 999')
    ledger.close()
    await assert.rejects(go(), { code: 'DATA_DIR_NEWER', exit: 4 })
    await assert.rejects(openLedger(join(folder, 'data'), { clock: systemClock, random: systemRandom }), { code: 'DATA_DIR_NEWER' })
  })
  test('stopped before it began: nothing was done', async () => {
    const { go } = scene({ 'good.json': GOOD })
    await assert.rejects(go({ signal: AbortSignal.abort('SIGINT') }), { code: 'INTERRUPTED', exit: 130 })
    assert.equal((await go()).balance.inserted, 2)
  })
  test('too little memory, a missing path, an empty folder', async () => {
    const { folder, go } = scene({})
    await assert.rejects(go({ memory: '511MB' }), { code: 'MEMORY_TOO_SMALL', exit: 4 })
    await assert.rejects(go({ paths: [join(folder, 'nothing')] }), { code: 'PATH_NOT_FOUND', exit: 6 })
    await assert.rejects(go({ paths: [join(folder, 'in', '*.json')] }), { code: 'PATH_NOT_FOUND', exit: 6 })
    const result = await go()
    assert.deepEqual([result.exit, result.files.total, result.version], [0, 0, null])
  })
})

describe('without permission', () => {
  test('a folder that may not be listed: exit 5, naming it', async () => {
    const { folder, go } = scene({ 'good.json': GOOD })
    for (const path of [root, folder]) chmodSync(path, 0o777)
    chmodSync(join(folder, 'in'), 0o000)
    await asNobody(() => assert.rejects(go(), (thrown: { code: string; exit: number; message: string }) => thrown.code === 'PERMISSION_DENIED' && thrown.exit === 5 && thrown.message.includes(join(folder, 'in'))))
    chmodSync(join(folder, 'in'), 0o755)
  })
  test('a data folder that may not be written: exit 5, naming it', async () => {
    const { folder, go } = scene({ 'good.json': GOOD })
    for (const path of [root, join(folder, 'in')]) chmodSync(path, 0o777)
    chmodSync(folder, 0o555)
    await asNobody(() => assert.rejects(go(), (thrown: { code: string; exit: number; message: string }) => thrown.code === 'PERMISSION_DENIED' && thrown.exit === 5 && thrown.message.includes(join(folder, 'data'))))
    chmodSync(folder, 0o755)
  })
})
