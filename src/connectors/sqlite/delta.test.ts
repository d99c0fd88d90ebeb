/** Deltas and files of format 1 in SQLite: killed at every step, and brought up by the next commit. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { define } from '../../core/definition.ts'
import type { Row, Schema } from '../../core/schema.ts'
import type { Receipt, Table } from '../../core/target.ts'
import { servingEngine, stageRows } from '../../../test/memory/serving.ts'
import { openSqliteTarget } from './target.ts'

const SCHEMA: Schema = [{ name: 'id', type: 'string' }, { name: 'v', type: 'int64' }]
const DEFINITION = define('t', { key: 'id', mode: 'upsert' })
const BATCHES: readonly { seq: number; run: string; rows: (Row | string)[] }[] = [
  { seq: 1, run: 'r_1', rows: [['k', 1n], ['l', 1n], 'bad'] },
  { seq: 2, run: 'r_1', rows: [['k', 2n], ['k', 3n], ['m', 1n], ['l', 1n]] },
  { seq: 3, run: 'r_2', rows: [['m', 4n], ['n', 1n]] },
]
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-delta-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const engine = servingEngine()
const open = (file: string): Promise<Table> => openSqliteTarget({ file }).open('t', 'ledger', engine)
const apply = async (table: Table, { seq, run, rows }: (typeof BATCHES)[number]): Promise<Receipt> =>
  table.apply(stageRows(engine, DEFINITION, SCHEMA, new Map([[seq, rows]]), { id: `b_${seq}`, fence: seq }), DEFINITION, { delta: { table: 'd', run } })

function read(file: string, sql: string): string[] {
  const db = new DatabaseSync(file)
  try {
    return db.prepare(sql).all().map((row) => Object.values(row).join(' '))
  } finally {
    db.close()
  }
}
const delta = (file: string): string[] => read(file, 'SELECT id, v FROM d ORDER BY id')

const here = (path: string): string => JSON.stringify(new URL(path, pathToFileURL(import.meta.filename)).href)
/** Applies the batches up to a number, then settles the delta of the last run. */
const SCRIPT = `
const { openSqliteTarget } = await import(${here('./target.ts')})
const { installFailpoints } = await import(${here('../../storage/failpoints.ts')})
const { servingEngine, stageRows } = await import(${here('../../../test/memory/serving.ts')})
installFailpoints('parent')
const definition = ${JSON.stringify(DEFINITION)}, schema = ${JSON.stringify(SCHEMA)}, engine = servingEngine()
const table = await openSqliteTarget({ file: process.argv[1] }).open('t', 'ledger', engine)
for (const [seq, run, rows] of [[1, 'r_1', [['k', 1n], ['l', 1n], 'bad']], [2, 'r_1', [['k', 2n], ['k', 3n], ['m', 1n], ['l', 1n]]], [3, 'r_2', [['m', 4n], ['n', 1n]]]]) {
  await table.apply(stageRows(engine, definition, schema, new Map([[seq, rows]]), { id: 'b_' + seq, fence: seq }), definition, { delta: { table: 'd', run } })
}
await table.settleDelta({ table: 'd', run: 'r_3' })`

function run(file: string, env: Record<string, string>): string | null {
  return spawnSync(process.execPath, ['--input-type=module', '-e', SCRIPT, file], { env: { ...process.env, ...env }, stdio: 'inherit' }).signal
}

test('killed at any step of a delta, table and delta are those of the same commit', async () => {
  const log = join(folder, 'log')
  assert.equal(run(join(folder, 'whole.db'), { SLUICE_FAILPOINT_LOG: log }), null)
  assert.deepEqual(delta(join(folder, 'whole.db')), [])
  const passed = readFileSync(log, 'utf8').trim().split('\n').map((line) => line.slice(2)).filter((name) => name.startsWith('database.delta-') || name.startsWith('database.commit'))
  const expected: Readonly<Record<number, string[]>> = { 0: [], 1: ['k 1', 'l 1'], 2: ['k 3', 'l 1', 'm 1'], 3: ['m 4', 'n 1'] }
  for (const point of new Set(passed)) {
    for (let hit = 1; hit <= passed.filter((name) => name === point).length; hit++) {
      const file = join(folder, `${point}-${hit}.db`)
      assert.equal(run(file, { SLUICE_FAILPOINT: point, SLUICE_FAILPOINT_HIT: String(hit) }), 'SIGKILL', `${point} ${hit}`)
      const table = await open(file)
      const { version, exists } = await table.head()
      const settled = version === 3 && read(file, 'SELECT run FROM _sluice_deltas').join() === 'r_3'
      if (exists) assert.deepEqual(delta(file), settled ? [] : expected[version ?? 0], `${point} ${hit}`)
      assert.deepEqual(await table.verify(), [])
      for (const batch of BATCHES) await apply(table, batch)
      if (!settled) assert.deepEqual(delta(file), expected[3], `${point} ${hit}`)
    }
  }
})

/** A file as the version before wrote it. */
async function ofFormat1(file: string): Promise<void> {
  const table = await open(file)
  const [first] = BATCHES
  assert.ok(first !== undefined)
  await table.apply(stageRows(engine, DEFINITION, SCHEMA, new Map([[1, first.rows]]), { id: 'b_1', fence: 1 }), DEFINITION)
  const db = new DatabaseSync(file)
  db.exec(`ALTER TABLE _sluice_arrivals RENAME TO newer;
    CREATE TABLE _sluice_arrivals (
      tbl TEXT NOT NULL, seq INTEGER NOT NULL, sha256 TEXT NOT NULL, generation INTEGER NOT NULL, batch TEXT NOT NULL,
      path TEXT NOT NULL, size INTEGER NOT NULL, read INTEGER NOT NULL, inserted INTEGER NOT NULL, updated INTEGER NOT NULL,
      duplicate INTEGER NOT NULL, stale INTEGER NOT NULL, skipped INTEGER NOT NULL, quarantined INTEGER NOT NULL,
      PRIMARY KEY (tbl, seq), UNIQUE (tbl, sha256, generation)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO _sluice_arrivals SELECT tbl, seq, sha256, generation, batch, path, size, read, inserted, updated, duplicate, stale, skipped, quarantined FROM newer;
    DROP TABLE newer; DROP TABLE IF EXISTS _sluice_deltas; ALTER TABLE _sluice_meta DROP COLUMN adopted; UPDATE _sluice_meta SET format = 1`)
  db.close()
}

test('a file of format 1 is read as it is, and brought up by the next commit; killed there, by the one after', async () => {
  const file = join(folder, 'old.db')
  await ofFormat1(file)
  const table = await open(file)
  assert.deepEqual([(await table.head()).rows, await table.dateField()], [2, null])
  const all: unknown[] = []
  for await (const { seq, sha256, dates } of table.arrivals()) all.push([seq, sha256, dates])
  assert.equal(all.length, 1)
  const [[, sha]] = all as [[number, string]]
  assert.deepEqual(await table.standing([sha]), new Map([[sha, { generation: 0, seq: 1 }]]))
  assert.deepEqual(await table.verify(), [])
  assert.deepEqual(read(file, 'SELECT max(format) FROM _sluice_meta'), ['1'], 'reading changes nothing')
  for (const [index, point] of ['sqlite.format.before', 'sqlite.format.after', 'database.commit.before'].entries()) {
    const copy = join(folder, `${index}.db`)
    const db = new DatabaseSync(file)
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    db.close()
    copyFileSync(file, copy)
    assert.equal(run(copy, { SLUICE_FAILPOINT: point, SLUICE_FAILPOINT_HIT: '1' }), 'SIGKILL', point)
    for (const batch of BATCHES) await apply(await open(copy), batch)
    assert.deepEqual(read(copy, 'SELECT max(format), count(*) FROM _sluice_meta'), ['3 1'])
    assert.deepEqual(read(copy, 'SELECT seq FROM _sluice_arrivals ORDER BY seq'), ['1', '2', '3'])
    assert.deepEqual(await (await open(copy)).verify(), [])
    assert.deepEqual(delta(copy), ['m 4', 'n 1'])
  }
})

test('a file of format 2 is read as it is, and brought up by the next commit', async () => {
  const file = join(folder, 'two.db')
  const table = await open(file)
  for (const batch of BATCHES.slice(0, 2)) await apply(table, batch)
  const db = new DatabaseSync(file)
  db.exec('ALTER TABLE _sluice_meta DROP COLUMN adopted; UPDATE _sluice_meta SET format = 2')
  db.close()
  assert.deepEqual(await table.verify(), [])
  assert.deepEqual(read(file, 'SELECT format FROM _sluice_meta'), ['2'], 'reading changes nothing')
  for (const batch of BATCHES.slice(2)) await apply(table, batch)
  assert.deepEqual(read(file, 'SELECT format, adopted FROM _sluice_meta'), ['3 '])
  assert.deepEqual(await table.verify(), [])
})
