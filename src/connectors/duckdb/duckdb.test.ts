/** The DuckDB target: what is not ours is refused and left alone, names and values are only names and values, and `verify` sees. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import type { DefinitionRequest } from '../../core/definition.ts'
import type { Engine } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Table } from '../../core/target.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { Scene, collect, counted } from '../../../test/contract/scene.ts'
import { fileError, withValues } from './session.ts'
import { openDuckdbTarget } from './target.ts'

let folder: string
let engine: Engine
let file: string
let files = 0
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-duckdb-'))
  engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
})
after(async () => {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  file = join(folder, `of-${++files}`, "it's.duckdb")
})

const code = (expected: string) => (thrown: unknown): boolean => (thrown as SluiceError).code === expected
const open = (table: string, ledger: string | null = 'l_contract'): Promise<Table> => openDuckdbTarget({ file }).open(table, ledger, engine)

/** Another program with the file. */
async function outside(...statements: string[]): Promise<Record<string, unknown>[]> {
  mkdirSync(join(file, '..'), { recursive: true })
  const session = await engine.session()
  try {
    await session.rows(`ATTACH '${file.replaceAll("'", "''")}' AS theirs`)
    await session.rows('USE theirs')
    let rows: Record<string, unknown>[] = []
    for (const statement of statements) rows = await session.rows(statement)
    await session.rows('USE memory')
    await session.rows('DETACH theirs')
    return rows
  } finally {
    await session.close()
  }
}

function scene(request: DefinitionRequest): Promise<Scene> {
  return Scene.open({ engine, folder, target: () => openDuckdbTarget({ file }), tampered: () => engine, dispose: async () => {} }, request)
}

test('values become literals, and nothing that is quoted is taken for one', () => {
  assert.equal(withValues('SELECT $1, $2, $10', [1, "it's $2", 3, 4, 5, 6, 7, 8, 9, null]), "SELECT 1, 'it''s $2', NULL")
  assert.equal(withValues(`SELECT '$1 ''$1''', "$1 ""$1""", $1`, ['x']), `SELECT '$1 ''$1''', "$1 ""$1""", 'x'`)
  assert.equal(withValues('SELECT $1', [2n ** 63n - 1n]), 'SELECT 9223372036854775807')
  assert.equal(withValues("SELECT '$1'", []), "SELECT '$1'")
  assert.throws(() => withValues('SELECT $2', [1]), code('INTERNAL'))
})

test('what DuckDB says of a file has a code', () => {
  const said = (message: string): string => fileError(new SluiceError('IO_FAILED', message), '/x.duckdb').code
  assert.equal(said('IO Error: Cannot open file "/x.duckdb": Permission denied'), 'PERMISSION_DENIED')
  assert.equal(said('IO Error: Cannot open file "/x.duckdb": Read-only file system'), 'PERMISSION_DENIED')
  assert.equal(said('IO Error: Could not set lock on file "/x.duckdb": Conflicting lock is held'), 'BUSY')
  assert.equal(said('IO Error: something else'), 'IO_FAILED')
  assert.equal(said('Constraint Error: CHECK constraint failed on table t'), 'ROWS_REFUSED')
})

test('looking at a file that does not exist makes nothing', async () => {
  const table = await open('t')
  assert.equal((await table.head()).exists, false)
  assert.equal(await table.committed('b_0'), null)
  assert.deepEqual(await collect(table.scan(null)), [])
  assert.deepEqual(await table.verify(), [])
  assert.equal(existsSync(join(file, '..')), false)
})

test('what Sluice did not make is refused by name, and left as it is', async () => {
  await outside('CREATE TABLE Theirs (a INT)', 'CREATE VIEW seen AS SELECT 1 AS one', 'CREATE SCHEMA "raw"', 'CREATE TABLE "raw".events (a INT)')
  for (const name of ['theirs', 'THEIRS', 'seen', 'raw.events', 'main.theirs']) await assert.rejects(open(name), code('TABLE_FOREIGN'), name)
  for (const name of ['sluice.meta', 'Sluice.t', 'information_schema.t', 'pg_catalog.t', '_sluice_t', 'sluice_file.t']) await assert.rejects(open(name), code('TARGET_INVALID'), name)
  const one = await scene({ key: 'id' })
  await one.load([{ seq: 1, records: [{ id: 1 }] }])
  const { table } = one.definition
  await assert.rejects(open(table, 'l_another'), code('TABLE_OTHER_LEDGER'))
  assert.equal((await (await open(table, null)).head()).ledger, 'l_contract')
  // A column that somebody added is left alone; one of ours that is gone is not overlooked.
  await outside(`ALTER TABLE ${table} ADD COLUMN extra INT DEFAULT 7`)
  await one.load([{ seq: 2, records: [{ id: 2, v: 'new' }] }])
  assert.deepEqual(await outside(`SELECT id, extra, v FROM ${table} ORDER BY id`), [{ id: 1n, extra: 7n, v: null }, { id: 2n, extra: 7n, v: 'new' }])
  await outside(`ALTER TABLE ${table} RENAME COLUMN id TO ident`)
  await assert.rejects(open(table), code('TABLE_FOREIGN'))
  await outside('UPDATE sluice.meta SET format = 99')
  await assert.rejects(open(table), code('TABLE_UNSUPPORTED'))
  assert.deepEqual(await outside('SELECT count(*) AS n FROM theirs'), [{ n: 0n }])
})

test('a schema sluice that is somebody else’s, a file that is no database, and a folder', async () => {
  await outside('CREATE SCHEMA sluice', 'CREATE TABLE sluice.meta (a INT)')
  await assert.rejects(open('t'), code('TABLE_FOREIGN'))
  file = join(folder, 'text.duckdb')
  writeFileSync(file, 'this is no database, but it is long enough to look at'.repeat(200))
  const before = readFileSync(file)
  await assert.rejects(open('t'), code('TABLE_FOREIGN'))
  assert.deepEqual(readFileSync(file), before)
  for (const name of ['items.ndjson', 'items.parquet', 'items.csv', 'items.db']) {
    file = join(folder, name)
    const bytes = name === 'items.db' ? Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(5000)]) : '{"id":1}\n'
    writeFileSync(file, bytes)
    await assert.rejects(open('t'), code('TABLE_FOREIGN'), name)
    assert.equal(readFileSync(file).equals(Buffer.from(bytes)), true, name)
  }
  file = folder
  await assert.rejects(open('t'), code('TARGET_INVALID'))
})

test('names of members are only names', async () => {
  const names = ['id', "it's", '$1', 'say "so"', 'naïve 列 😀', 'select', 'a;b', 'c0', 'place']
  const one = await scene({ key: 'id,it\'s', mode: 'upsert' })
  const record = (id: number, text: string): Record<string, unknown> => Object.fromEntries(names.map((name, at) => [name, at === 0 ? id : `${text} $1 '$2' "$3" ${at}`]))
  counted(await one.load([{ seq: 1, records: [record(1, 'a'), record(2, 'b')] }]), { 1: { inserted: 2 } })
  counted(await one.load([{ seq: 3, records: [record(1, 'a'), { ...record(2, 'b'), 'select': "'; DROP TABLE sluice.meta; --" }] }]), { 3: { updated: 1, duplicate: 1 } })
  counted(await one.load([{ seq: 2, records: [record(2, 'b'), { ...record(2, 'b'), 'a;b': null }] }]), { 2: { stale: 2 } })
  await one.check()
})

test('a column named rowid would hide how rows are found, and is refused before anything is written', async () => {
  const one = await scene({ mode: 'append' })
  await assert.rejects(one.load([{ seq: 1, records: [{ RowId: 1 }] }]), code('TABLE_UNSUPPORTED'))
  assert.equal((await one.table.head()).exists, false)
})

test('a table in a schema, one of the same name in main, and one name in two spellings', async () => {
  const inRaw = await scene({ key: 'id', mode: 'upsert' })
  const name = inRaw.definition.table
  inRaw.definition = { ...inRaw.definition, table: `raw.${name}` }
  inRaw.table = await inRaw.another()
  await inRaw.load([{ seq: 1, records: [{ id: 1, v: 'raw' }] }])
  const inMain = await scene({ key: 'id', mode: 'upsert' })
  inMain.definition = { ...inMain.definition, table: name }
  inMain.table = await inMain.another()
  await inMain.load([{ seq: 1, records: [{ id: 1, v: 'main' }, { id: 2, v: 'main' }] }])
  assert.deepEqual([(await inRaw.table.head()).rows, (await inMain.table.head()).rows], [1, 2])
  assert.equal((await (await open(`main.${name}`)).head()).rows, 2)
  assert.equal(inMain.table.uri, `duckdb:${file}#main.${name}`)
  await inRaw.check()
  await inMain.check()
})

test('two files in one process of the engine do not meet', async () => {
  const first = await scene({ key: 'id', mode: 'upsert' })
  await first.load([{ seq: 1, records: [{ id: 1, v: 'of the first' }] }])
  file = join(folder, `of-${++files}`, 'data.duckdb')
  const second = await scene({ key: 'id', mode: 'upsert' })
  await Promise.all([first, second].map((one, at) => one.load([{ seq: 2, records: [{ id: 2, v: at }] }])))
  assert.deepEqual(await Promise.all([first, second].map(async (one) => (await one.rows()).map((row) => row.slice(0, 2)))), [[[1n, 'of the first'], [2n, '0']], [[2n, 1n]]])
  await first.check()
  await second.check()
})

test('verify tells what was changed from outside', async () => {
  const one = await scene({ key: 'id', mode: 'upsert', columns: 'id:int64,v:int64' })
  await one.load([{ seq: 1, records: [{ id: 1, v: 1 }, { id: 2, v: 1 }, { id: 2, v: 2 }, { v: 1 }] }])
  const { table } = one.definition
  const changes = [
    `DELETE FROM ${table} WHERE id = 1`, `INSERT INTO ${table} SELECT * FROM ${table} WHERE id = 1`, `UPDATE ${table} SET _place = _place + (1::BIGINT << 32) WHERE id = 1`,
    `DELETE FROM sluice."losers_main.${table}"`, 'DELETE FROM sluice.rejects', 'UPDATE sluice.batches SET version = 2', 'UPDATE sluice.arrivals SET inserted = 3',
  ]
  const whole = readFileSync(file)
  for (const change of changes) {
    writeFileSync(file, whole)
    assert.deepEqual(await one.table.verify(), [])
    await outside(change)
    const findings = await one.table.verify()
    assert.ok(findings.length > 0 && findings.every(({ grade, path }) => grade === 'broken' && path === one.table.uri), change)
  }
})
