/** Rows that a DuckDB table of others refuses: by its catalog, or only when they are written. The rest goes in. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import type { DefinitionRequest } from '../../core/definition.ts'
import type { Engine } from '../../core/engine.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { Scene, counted } from '../../../test/contract/scene.ts'
import { openDuckdbTarget } from './target.ts'

let folder: string
let engine: Engine
let file: string
let files = 0
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-duckdb-refused-'))
  engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
})
after(async () => {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  file = join(folder, `of-${++files}`, 'data.duckdb')
})

/** Another program with the file. */
async function outside(...statements: string[]): Promise<Record<string, unknown>[]> {
  mkdirSync(join(file, '..'), { recursive: true })
  const session = await engine.session()
  try {
    let rows: Record<string, unknown>[] = []
    for (const statement of [`ATTACH '${file}' AS theirs`, 'USE theirs', ...statements]) rows = await session.rows(statement)
    return rows
  } finally {
    await session.rows('USE memory')
    await session.rows('DETACH theirs')
    await session.close()
  }
}

/** A table that others made, taken over; `{t}` in a statement is its name. */
async function adopted(request: DefinitionRequest, ...statements: string[]): Promise<{ scene: Scene; ask: (sql: string) => Promise<string[]> }> {
  const scene = await Scene.open({ engine, folder, target: () => openDuckdbTarget({ file }), tampered: () => engine, dispose: async () => {} }, request)
  const name = (sql: string): string => sql.replaceAll('{t}', scene.definition.table)
  await outside(...statements.map(name))
  scene.table = await scene.another(undefined, scene.ledger, { adopt: true })
  await scene.table.adopt(scene.definition, 1)
  return { scene, ask: async (sql) => (await outside(name(sql))).map((row) => Object.values(row).map(String).join(' ')) }
}

const FENCE = { fence: 10 }
const said = async (scene: Scene): Promise<string[]> => (await scene.rejects()).filter(({ code }) => code === 'ROW_REFUSED').map(({ place, message }) => `${place % 2n ** 32n}: ${message}`)

const SHOP = [
  'CREATE TABLE maker (id INTEGER PRIMARY KEY)', 'INSERT INTO maker VALUES (1), (2)',
  `CREATE TABLE {t} (sku VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, price DECIMAL(10,2) CHECK (price >= 0), amount SMALLINT, slug VARCHAR UNIQUE, maker INTEGER REFERENCES maker (id),
    note VARCHAR DEFAULT 'none', digits INTEGER AS (CASE WHEN name LIKE '#%' THEN CAST(substr(name, 2) AS INTEGER) END))`,
  `INSERT INTO {t} (sku, name, price, slug, maker, note) VALUES ('old', 'Old', 1, 'old', 1, 'kept'), ('same', 'Same', 2.5, 'same', 1, 'kept')`,
]
const REQUEST = { key: 'sku', mode: 'upsert', columns: 'sku:string,name:string,price:decimal(10,2),amount:int64,slug:string,maker:int64' } as const

test('what the database refuses is put aside with its reason, and the rest goes in', async () => {
  const { scene, ask } = await adopted(REQUEST, ...SHOP)
  const receipt = await scene.load([{ seq: 1, records: [
    { sku: 'old', name: 'New', price: 3, slug: 'new', maker: 2 },
    { sku: 'same', name: 'Same', price: 2.5, slug: 'same', maker: 1 },
    { sku: 'a', name: 'A', price: 1, amount: 1, slug: 'a', maker: 1 },
    { sku: 'a', name: 'A', price: -1, amount: 1, slug: 'a', maker: 1 },
    { sku: 'b' },
    { sku: 'c', name: 'C', amount: 40_000 },
    { sku: 'd', name: 'D', maker: 7 },
    { sku: 'e', name: 'E', slug: 'old' },
    { sku: 'f', name: 'F', slug: 'same' },
    { sku: 'g', name: 'G\0' },
    { sku: 'h', name: 'H', slug: 'twice' },
    { sku: 'i', name: 'I', slug: 'twice' },
    { sku: 'j', name: '#1' },
    { sku: 'k', name: '#x' },
  ] }], FENCE)
  // `old` gives its slug away in the same batch: e may have it.
  counted(receipt, { 1: { inserted: 5, updated: 1, duplicate: 1, quarantined: 7 } })
  assert.deepEqual(receipt.reasons, { ROW_REFUSED: 7 })
  assert.deepEqual(await ask('SELECT sku, hex(name), price, slug, maker, note FROM {t} ORDER BY sku'), [
    'a 41 1.00 a 1 none', 'e 45 null old null none', 'g 4700 null null null none', 'h 48 null twice null none', 'j 2331 null null null none', 'old 4E6577 3.00 new 2 kept', 'same 53616D65 2.50 same 1 kept',
  ])
  const { table } = scene.definition
  assert.deepEqual(await said(scene), [
    `4: CHECK constraint failed on table ${table} with expression CHECK((price >= 0))`,
    '5: name must not be null.',
    '6: amount is SMALLINT, and the number is beyond it.',
    '7: Violates foreign key constraint because key "id: 7" does not exist in the referenced table',
    '9: Duplicate key "slug: same" violates unique constraint.',
    '12: Duplicate key "slug: twice" violates unique constraint.',
    `14: Incorrect value for generated column "digits INTEGER AS (CAST(CASE  WHEN (("name" ~~ '#%')) THEN (CAST(substr("name", 2) AS INTEGER)) ELSE NULL END AS INTEGER))" : Could not convert string 'x' to INT32`,
  ])
  assert.deepEqual(await scene.table.verify(), [])
  counted(await scene.load([{ seq: 2, records: [{ sku: 'a', name: 'A2', price: 5, slug: 'a', maker: 1 }] }], { fence: 20 }), { 2: { updated: 1 } })
})

for (const [mode, keep] of [['upsert', 'last'], ['dedupe', 'first'], ['upsert', 'max:v']] as const) {
  test(`of a key whose winner is refused the next one comes in: ${mode} ${keep}`, async () => {
    const { scene, ask } = await adopted({ key: 'id', mode, keep, columns: 'id:int64,v:int64,w:string' }, 'CREATE TABLE {t} (id BIGINT, v BIGINT CHECK (v < 90 AND v > 10), w VARCHAR, d INTEGER AS (CAST(w AS INTEGER)))')
    const records = [1, 2, 3].flatMap((id) => [{ id, v: 5, w: '1' }, { id, v: 20, w: '2' }, { id, v: 30, w: 'x' }, { id, v: 25, w: '3' }, { id, v: 95, w: '4' }])
    counted(await scene.load([{ seq: 1, records }], FENCE), { 1: keep === 'first' ? { inserted: 3, duplicate: 9, quarantined: 3 } : keep === 'last' ? { inserted: 3, stale: 9, quarantined: 3 } : { inserted: 3, stale: 6, quarantined: 6 } })
    assert.deepEqual(await ask('SELECT id, v FROM {t} ORDER BY id'), [1, 2, 3].map((id) => `${id} ${keep === 'first' ? 20 : 25}`))
    assert.deepEqual(await scene.table.verify(), [])
  })
}

test('rows that exclude one another by several rules: the lowest place stays, and what only it stood behind comes in', async () => {
  const { scene, ask } = await adopted({ mode: 'append', columns: 'n:int64,a:string,b:string,ref:int64' }, 'CREATE TABLE {t} (n BIGINT PRIMARY KEY, a VARCHAR, b VARCHAR, "c d" VARCHAR, ref BIGINT REFERENCES {t} (n), UNIQUE (a, b))', 'CREATE UNIQUE INDEX by_b ON {t} (b)', `INSERT INTO {t} VALUES (100, 'x', 'y', 'z', NULL)`)
  const records = [{ n: 1, b: 'p' }, { n: 1, b: 'q' }, { n: 2, b: 'q' }, { n: 3, b: 'q' }, { n: 4, a: 'x', b: 'y' }, { n: 100 }, { n: 5, ref: 100 }, { n: 6, ref: 99 }, { n: 7 }]
  counted(await scene.load([{ seq: 1, records }], FENCE), { 1: { inserted: 4, quarantined: 5 } })
  assert.deepEqual(await ask('SELECT n, b, ref FROM {t} ORDER BY n'), ['1 p null', '2 q null', '5 null 100', '7 null null', '100 y null'])
  assert.deepEqual((await said(scene)).map((line) => line.split(':')[0]), ['2', '4', '5', '6', '8'])
  assert.match((await said(scene))[4] ?? '', /key "n: 99" does not exist in the referenced table; DuckDB does not look among rows of the same batch: when that row is in, --reload brings this one$/)
})

test('a rule that cannot be asked beforehand, one of a column that is not loaded, and an index on an expression', async () => {
  const { scene, ask } = await adopted({ key: 'id', mode: 'upsert', columns: 'id:int64,v:int64,w:string' }, 'CREATE TABLE {t} (id BIGINT, v BIGINT CHECK (v < 10 + random() * 0), w VARCHAR, most BIGINT DEFAULT 5, CHECK (v <= most))', 'CREATE UNIQUE INDEX by_w ON {t} (lower(w))', `INSERT INTO {t} (id, v, w, most) VALUES (1, 1, 'x', 8)`)
  const records = [{ id: 1, v: 7, w: 'x' }, { id: 2, v: 7 }, { id: 3, v: 11 }, { id: 4, v: 4, w: 'X' }, { id: 5, v: 5, w: 'y' }]
  counted(await scene.load([{ seq: 1, records }], FENCE), { 1: { inserted: 1, updated: 1, quarantined: 3 } })
  assert.deepEqual(await ask('SELECT id, v FROM {t} ORDER BY id'), ['1 7', '5 5'])
})

test('uuid and enum columns are loaded, updated and read as texts, and what they do not take is put aside', async () => {
  const id = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`
  const { scene, ask } = await adopted({ key: 'id', mode: 'upsert' }, `CREATE TYPE mood AS ENUM ('sad', 'so, so')`, 'CREATE TABLE {t} (id UUID PRIMARY KEY, mood mood, other UUID UNIQUE)', `INSERT INTO {t} VALUES ('${id(1)}', 'sad', '${id(9)}'), ('${id(2)}', 'sad', NULL)`)
  const receipt = await scene.load([{ seq: 1, records: [
    { id: id(1), mood: 'sad', other: id(9).toUpperCase() }, { id: id(2), mood: 'so, so', other: id(8) }, { id: id(3), mood: 'glad' }, { id: 'A0000000-0000-4000-8000-000000000007' }, { id: 'none' }, { id: id(4), other: 'none' }, { id: id(5), other: id(9) },
  ] }], { ...FENCE, apply: { delta: { table: `${scene.definition.table}_new`, run: 'r' } } })
  counted(receipt, { 1: { updated: 1, duplicate: 1, quarantined: 5 } })
  counted(await scene.load([{ seq: 2, records: [{ id: id(2), mood: 'sad' }, { id: id(6), mood: 'so, so' }] }], { fence: 20 }), { 2: { updated: 1, inserted: 1 } })
  assert.deepEqual((await scene.rows()).map((row) => row.slice(0, 3)).toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)), [[id(1), 'sad', id(9)], [id(2), 'sad', null], [id(6), 'so, so', null]])
  assert.deepEqual(await ask('SELECT id, mood, other FROM {t}_new'), [`${id(2)} so, so ${id(8)}`])
  assert.deepEqual(await scene.table.verify(), [])
})

test('a row among many that only shows when it is written, of the first load and of a later one', async () => {
  const { scene } = await adopted({ mode: 'append', columns: 'v:string' }, 'CREATE TABLE {t} (v VARCHAR, n INTEGER AS (CAST(v AS INTEGER)))')
  const many = (...bad: number[]): object[] => Array.from({ length: 1000 }, (_, n) => ({ v: bad.includes(n) ? 'x' : String(n) }))
  counted(await scene.load([{ seq: 1, records: many(999) }], FENCE), { 1: { inserted: 999, quarantined: 1 } })
  counted(await scene.load([{ seq: 2, records: many(0, 700) }], { fence: 20 }), { 2: { inserted: 998, quarantined: 2 } })
  assert.deepEqual([(await said(scene)).length, (await scene.table.head()).rows], [3, 1997])
  assert.deepEqual(await scene.table.verify(), [])
})
