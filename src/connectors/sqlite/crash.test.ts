/** The SQLite target when it is killed, when the disk is full, and when others hold the file. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { define } from '../../core/definition.ts'
import type { SluiceError } from '../../core/errors.ts'
import { setFailpointHandler } from '../../core/failpoint.ts'
import type { Row, Schema } from '../../core/schema.ts'
import type { Table } from '../../core/target.ts'
import { servingEngine, stageRows } from '../../../test/memory/serving.ts'
import { openSqliteTarget } from './target.ts'
import { thinned } from '../../../test/whole.ts'

const SCHEMA: Schema = [{ name: 'id', type: 'string' }, { name: 'v', type: 'int64' }]
const DEFINITION = define('t', { key: 'id', mode: 'upsert' })
let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-'))
  file = join(folder, 'new', 'data.db')
})
afterEach(() => {
  setFailpointHandler(null)
  rmSync(folder, { recursive: true, force: true })
})

const engine = servingEngine()
const stage = (seq: number, rows: (Row | string)[]) => stageRows(engine, DEFINITION, SCHEMA, new Map([[seq, rows]]), { id: `b_${seq}`, fence: seq })
const open = (): Promise<Table> => openSqliteTarget({ file }).open('t', 'ledger', engine)
const code = (expected: string) => (thrown: unknown): boolean => (thrown as SluiceError).code === expected
/** All of the rows, losers and rejects. */
async function contents(table: Table): Promise<unknown> {
  const rows: Row[] = []
  for await (const chunk of table.scan(null)) rows.push(...chunk)
  for await (const chunk of table.losers()) rows.push(...chunk)
  return [rows, (await table.rejects({ limit: 9 })).map((one) => one.place)]
}

// What the child does: two batches, the second with every class there is.
const FIRST: Row[] = [['k', 1n], ['l', 1n]]
const SECOND: (Row | string)[] = [['k', 2n], ['k', 3n], ['m', 1n], 'bad', ['l', 1n]]
const here = (path: string): string => JSON.stringify(new URL(path, pathToFileURL(import.meta.filename)).href)
const SCRIPT = `
const { openSqliteTarget } = await import(${here('./target.ts')})
const { installFailpoints } = await import(${here('../../storage/failpoints.ts')})
const { servingEngine, stageRows } = await import(${here('../../../test/memory/serving.ts')})
installFailpoints('parent')
const definition = ${JSON.stringify(DEFINITION)}, schema = ${JSON.stringify(SCHEMA)}, engine = servingEngine()
const table = await openSqliteTarget({ file: process.argv[1] }).open('t', 'ledger', engine)
for (const [seq, rows] of [[1, [['k', 1n], ['l', 1n]]], [2, [['k', 2n], ['k', 3n], ['m', 1n], 'bad', ['l', 1n]]]]) {
  await table.apply(stageRows(engine, definition, schema, new Map([[seq, rows]]), { id: 'b_' + seq, fence: seq }), definition)
}`
function run(at: string, env: Record<string, string>): string | null {
  return spawnSync(process.execPath, ['--input-type=module', '-e', SCRIPT, at], { env: { ...process.env, ...env }, stdio: 'inherit' }).signal
}

test('killed at any failpoint, the batch is in or it is not, and doing it again ends the same', async () => {
  const log = join(folder, 'log')
  assert.equal(run(file, { SLUICE_FAILPOINT_LOG: log }), null)
  const whole = await contents(await open())
  const points = readFileSync(log, 'utf8').trim().split('\n').map((line) => line.slice(2))
  assert.ok(points.includes('database.commit.before') && points.includes('database.update.after'))
  // After a step is before the next one; after the last one nothing follows.
  for (const point of thinned(points.filter((name) => name.endsWith('.before') || name === 'database.commit.after'), 4)) {
    // The second passing, where there is one, lies in the second batch.
    for (const hit of ['1', '2']) {
      file = join(folder, `${point}-${hit}`, 'data.db')
      const signal = run(file, { SLUICE_FAILPOINT: point, SLUICE_FAILPOINT_HIT: hit })
      if (hit === '1') assert.equal(signal, 'SIGKILL', point)
      const table = await open()
      const head = await table.head()
      const found = [await table.committed('b_1'), await table.committed('b_2')]
      assert.equal(head.version ?? 0, found.filter((receipt) => receipt !== null).length, point)
      assert.deepEqual(await table.verify(), [], point)
      const first = await table.apply(stage(1, FIRST), DEFINITION)
      const second = await table.apply(stage(2, SECOND), DEFINITION)
      if (found[0] !== null) assert.deepEqual(first, found[0])
      if (found[1] !== null) assert.deepEqual(second, found[1])
      assert.deepEqual(await contents(table), whole, point)
      assert.deepEqual(await table.verify(), [], point)
      if (signal === null) break
    }
  }
})

test('a full disk rolls back, and the next attempt works', async (t) => {
  const disk = join(folder, 'disk')
  if (spawnSync('sh', ['-c', `mkdir ${disk} && mount -t tmpfs -o size=1m tmpfs ${disk}`], { stdio: 'ignore' }).status !== 0) return t.skip('cannot mount a small disk')
  try {
    file = join(disk, 'data.db')
    const table = await open()
    await table.apply(stage(1, FIRST), DEFINITION)
    const ballast = join(disk, 'ballast')
    writeFileSync(ballast, Buffer.alloc(400_000))
    const many: Row[] = Array.from({ length: 12_000 }, (_, i) => [`key number ${i}`, BigInt(i)])
    await assert.rejects(table.apply(stage(2, many), DEFINITION), code('DISK_FULL'))
    assert.equal((await table.head()).version, 1)
    assert.deepEqual(await table.verify(), [])
    rmSync(ballast)
    const few = stage(2, many.slice(0, 2000))
    assert.equal((await table.apply(few, DEFINITION)).arrivals[0]?.counts.inserted, 2000)
  } finally {
    spawnSync('umount', [disk])
  }
})

test('another writer is waited for, and an abort ends the waiting', async () => {
  const table = await open()
  await table.apply(stage(1, FIRST), DEFINITION)
  const other = new DatabaseSync(file)
  other.exec('BEGIN IMMEDIATE')
  const abort = new AbortController()
  const reason = new Error('stopped')
  const applied = table.apply(stage(2, SECOND), DEFINITION, { signal: abort.signal })
  // Readers are not held up, and the process is not blocked meanwhile.
  assert.equal((await table.head()).rows, 2)
  abort.abort(reason)
  await assert.rejects(applied, reason)
  const again = table.apply(stage(2, SECOND), DEFINITION)
  other.exec('COMMIT')
  other.close()
  assert.equal((await again).version, 2)
})

test('a journal that a dead process of somebody else left is rolled back, not stumbled over', async () => {
  file = join(folder, 'data.db')
  const source = join(folder, 'source.db')
  const other = new DatabaseSync(source)
  other.exec('CREATE TABLE x (a); INSERT INTO x VALUES (1); PRAGMA cache_size = 2; BEGIN IMMEDIATE')
  for (let i = 0; i < 50; i++) other.prepare('INSERT INTO x VALUES (?)').run('y'.repeat(3000))
  for (const end of ['', '-journal']) copyFileSync(`${source}${end}`, `${file}${end}`)
  other.close()
  const table = await open()
  assert.equal((await table.head()).exists, false)
  await table.apply(stage(1, FIRST), DEFINITION)
  const db = new DatabaseSync(file)
  assert.equal(db.prepare('SELECT count(*) AS n FROM x').get()?.['n'], 1)
  db.close()
})

test('an abort before the commit leaves nothing', async () => {
  const abort = new AbortController()
  setFailpointHandler({ crash: (point) => point === 'database.record.after' && abort.abort(new Error('stopped')), tamper: () => null })
  const table = await open()
  await assert.rejects(table.apply(stage(1, FIRST), DEFINITION, { signal: abort.signal }), /stopped/)
  assert.equal((await table.head()).exists, false)
  assert.equal(existsSync(file), true)
})
