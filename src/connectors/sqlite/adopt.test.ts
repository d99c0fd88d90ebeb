/** SQLite tables that others made: what is taken over, what they keep, and rows that they refuse. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, beforeEach, test } from 'node:test'
import type { DefinitionRequest } from '../../core/definition.ts'
import { Scene, counted } from '../../../test/contract/scene.ts'
import { memoryEngine } from '../../../test/memory/engine.ts'
import { SqliteSession } from '../../sql/sqlite.ts'
import { FileSession } from './session.ts'
import { openSqliteTarget } from './target.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-adopt-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let file: string
let files = 0
beforeEach(() => {
  file = join(folder, `${++files}.db`)
})

/** Another program with the file; the last statement's rows. */
function outside(...statements: string[]): string[] {
  const db = new DatabaseSync(file)
  try {
    const last = statements.at(-1) ?? ''
    for (const statement of statements.slice(0, -1)) db.exec(statement)
    return db.prepare(last).all().map((row) => Object.values(row).map(String).join(' '))
  } finally {
    db.close()
  }
}

interface Theirs {
  scene: Scene
  ask(sql: string): string[]
}

async function theirs(request: DefinitionRequest, ...statements: string[]): Promise<Theirs> {
  const engine = memoryEngine()
  const scene = await Scene.open({ engine, folder, target: () => openSqliteTarget({ file }), tampered: () => engine, exactDecimals: false, dispose: async () => {} }, request)
  const name = (sql: string): string => sql.replaceAll('{t}', scene.definition.table)
  outside(...statements.map(name))
  scene.table = await scene.another(undefined, scene.ledger, { adopt: true })
  return { scene, ask: (sql) => outside(name(sql)) }
}

async function adopted(request: DefinitionRequest, ...statements: string[]): Promise<Theirs> {
  const found = await theirs(request, ...statements)
  await found.scene.table.adopt(found.scene.definition, 1)
  return found
}

const FENCE = { fence: 10 }
const said = async (scene: Scene): Promise<string[]> => (await scene.rejects()).filter(({ code }) => code === 'ROW_REFUSED').map(({ place, message }) => `${place % 2n ** 32n}: ${message}`)

const SHOP = [
  'CREATE TABLE maker (id INTEGER PRIMARY KEY)', 'INSERT INTO maker VALUES (1), (2)', 'CREATE TABLE log (sku)',
  `CREATE TABLE {t} (n INTEGER PRIMARY KEY, sku VARCHAR(40) UNIQUE COLLATE NOCASE, name TEXT NOT NULL, price DECIMAL(10,2) CHECK (price >= 0), slug TEXT UNIQUE ON CONFLICT REPLACE, maker INT REFERENCES maker (id),
    note TEXT DEFAULT 'none', code STRING, at DATETIME DEFAULT CURRENT_TIMESTAMP, upper_name TEXT AS (upper(name)))`,
  `CREATE TRIGGER evil BEFORE INSERT ON {t} WHEN new.name = 'evil' BEGIN SELECT RAISE(ABORT, 'no evil products'); END`,
  `CREATE TRIGGER logged AFTER INSERT ON {t} BEGIN INSERT INTO log VALUES (new.sku); END`,
  `INSERT INTO {t} (n, sku, name, price, slug, maker, note) VALUES (900, 'old', 'Old', 1, 'old', 1, 'kept'), (901, 'same', 'Same', 2.5, 'same', 1, 'kept')`,
]
const REQUEST = { key: 'sku', mode: 'upsert', columns: 'sku:string,name:string,price:double,slug:string,maker:int64,code:string' } as const

test('what the table asks holds: refused rows are put aside with its reason, the rest goes in, and all else is left alone', async () => {
  const { scene, ask } = await adopted(REQUEST, ...SHOP, 'SELECT 1')
  const receipt = await scene.load([{ seq: 1, records: [
    { sku: 'old', name: 'New', price: 3, slug: 'new', maker: 2 },
    { sku: 'same', name: 'Same', price: 2.5, slug: 'same', maker: 1 },
    { sku: 'a', name: 'A', price: 1, slug: 'a', maker: 1 },
    { sku: 'a', name: 'A', price: -1, slug: 'a', maker: 1 },
    { sku: 'b' },
    { sku: 'c', name: 'C', code: '007' },
    { sku: 'd', name: 'D', maker: 7 },
    { sku: 'e', name: 'E', slug: 'old' },
    { sku: 'f', name: 'evil' },
    { sku: 'g', name: 'G\0', code: 'x7' },
    { sku: 'SAME', name: 'S' },
    { sku: 'h', name: 'H', slug: 'twice' },
    { sku: 'i', name: 'I', slug: 'twice' },
  ] }], FENCE)
  // `old` gives its slug away in the same batch: e may have it.
  counted(receipt, { 1: { inserted: 4, updated: 1, duplicate: 1, quarantined: 7 } })
  assert.deepEqual(receipt.reasons, { ROW_REFUSED: 7 })
  assert.deepEqual(ask('SELECT sku, name, price, typeof(price), slug, maker, note, code, at IS NOT NULL, hex(upper_name), _place IS NULL FROM {t} ORDER BY sku COLLATE BINARY'), [
    'a A 1 integer a 1 none null 1 41 0', 'e E null null old null none null 1 45 0', 'g G\0 null null null null none x7 1 4700 0', 'h H null null twice null none null 1 48 0',
    'old New 3 integer new 2 kept null 1 4E4557 0', 'same Same 2.5 real same 1 kept null 1 53414D45 1',
  ])
  const { table } = scene.definition
  assert.deepEqual(await said(scene), [
    '4: CHECK constraint failed: price >= 0', '5: name must not be null.', '6: code is declared as STRING: SQLite would make a number of this text.',
    '7: Violates foreign key constraint because key "id: 7" does not exist in the referenced table', '9: no evil products', `11: UNIQUE constraint failed: ${table}.sku`, `13: UNIQUE constraint failed: ${table}.slug`,
  ])
  assert.deepEqual(ask('SELECT count(*), min(n) FROM {t}'), ['6 900'])
  assert.deepEqual(ask('SELECT sku FROM log ORDER BY 1'), ['a', 'e', 'g', 'h', 'old', 'same'])
  assert.deepEqual(await scene.table.verify(), [])
  // Losers keep what stood there, whatever it was.
  outside(`UPDATE ${table} SET price = 'n/a' WHERE sku = 'a'`, 'SELECT 1')
  counted(await scene.load([{ seq: 2, records: [{ sku: 'a', name: 'A2', price: 5, slug: 'a', maker: 1 }] }], { fence: 20 }), { 2: { updated: 1 } })
  assert.deepEqual(ask(`SELECT price, _sluice_outcome FROM "_sluice_losers_{t}" WHERE name = 'A' AND _sluice_outcome = 'replaced'`), ['n/a replaced'])
  assert.deepEqual((await scene.rows()).map((row) => row[2]).filter((price) => typeof price !== 'number' && price !== null), [], 'a double is told as one')
  assert.deepEqual(await scene.table.verify(), [])
})

for (const [mode, keep] of [['upsert', 'last'], ['dedupe', 'first'], ['upsert', 'max:v']] as const) {
  test(`of a key whose winner is refused the next one comes in: ${mode} ${keep}`, async () => {
    const { scene, ask } = await adopted({ key: 'id', mode, keep, columns: 'id:int64,v:int64' }, 'CREATE TABLE {t} (id INTEGER PRIMARY KEY, v INT CHECK (v < 90 AND v > 10))', 'SELECT 1')
    const records = [3, 1, 2].flatMap((id) => [{ id, v: 5 }, { id, v: 20 }, { id, v: 25 }, { id, v: 95 }])
    counted(await scene.load([{ seq: 1, records }], FENCE), { 1: keep === 'first' ? { inserted: 3, duplicate: 6, quarantined: 3 } : { inserted: 3, stale: 6, quarantined: 3 } })
    assert.deepEqual(ask('SELECT id, v FROM {t} ORDER BY id'), [1, 2, 3].map((id) => `${id} ${keep === 'first' ? 20 : 25}`))
    // Below the highest row number there was, and again.
    counted(await scene.load([{ seq: 2, records: [{ id: -5, v: 11 }, { id: 2, v: 30 }] }], { fence: 20 }), { 2: { inserted: 1, ...(mode === 'dedupe' ? { duplicate: 1 } : { updated: 1 }) } })
    assert.deepEqual(await scene.table.verify(), [])
  })
}

for (const deferred of ['', ' DEFERRABLE INITIALLY DEFERRED']) {
  test(`rows of one batch may refer to one another${deferred === '' ? '' : ', also when it is asked at the end'}`, async () => {
    const { scene, ask } = await adopted({ mode: 'append', columns: 'n:int64,ref:int64' }, `CREATE TABLE {t} (n INTEGER PRIMARY KEY, ref INT REFERENCES {t} (n)${deferred})`, 'INSERT INTO {t} VALUES (100, NULL)', 'SELECT 1')
    counted(await scene.load([{ seq: 1, records: [{ n: 1, ref: 2 }, { n: 2, ref: 100 }, { n: 3, ref: 4 }, { n: 4, ref: 5 }, { n: 100 }] }], FENCE), { 1: { inserted: 2, quarantined: 3 } })
    assert.deepEqual(ask('SELECT n, ref FROM {t} ORDER BY n'), ['1 2', '2 100', '100 null'])
    assert.deepEqual((await said(scene)).map((line) => line.split(':')[0]), ['3', '4', '5'])
  })
}

test('without --columns its own are loaded, and a key that it could fill itself', async () => {
  const { scene, ask } = await adopted({ key: 'id', mode: 'upsert' }, 'CREATE TABLE {t} (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT, ok BOOLEAN, day DATE, at TIMESTAMP, meta JSON, bytes BLOB, any_thing)', `INSERT INTO {t} (v, ok, day, at, meta, any_thing) VALUES ('a', 1, '2024-02-29', '2024-02-29 10:00:00', '{"a": 1}', x'00')`, 'SELECT 1')
  assert.deepEqual((await scene.table.head()).schema.map(({ name, type }) => `${name} ${type}`), ['id int64', 'v string', 'ok boolean', 'day date', 'at string', 'meta json'])
  const records = [{ id: 1, v: 'a', ok: true, day: '2024-02-29', at: '2024-02-29 10:00:00', meta: { a: 2 } }, { id: 7, at: '20240229', meta: {} }, { id: 8, meta: 12 }, { id: 9 }]
  counted(await scene.load([{ seq: 1, records }], FENCE), { 1: { updated: 1, inserted: 1, quarantined: 2 } })
  assert.deepEqual(ask('SELECT id, v, ok, day, at, meta, hex(any_thing) FROM {t} ORDER BY id'), ['1 a 1 2024-02-29 2024-02-29 10:00:00 {"a":2} 00', '9 null null null null null '])
  assert.deepEqual(await said(scene), ['2: at is declared as TIMESTAMP: SQLite would make a number of this text.', '3: meta is declared as JSON: SQLite would make a number of this text.'])
})

test('replace, keep error and a late batch', async () => {
  const columns = 'id:int64,v:string'
  const { scene } = await adopted({ key: 'id', keep: 'error', columns }, 'CREATE TABLE {t} (id INT PRIMARY KEY, v TEXT, w DEFAULT 5)', `INSERT INTO {t} VALUES (1, 'a', 1)`, 'SELECT 1')
  counted(await scene.load([{ seq: 5, records: [{ id: 1, v: 'b' }, { id: 2, v: 'x' }, { id: 1, v: 'a' }] }], FENCE), { 5: { inserted: 1, quarantined: 1, duplicate: 1 } })
  counted(await scene.load([{ seq: 2, records: [{ id: 2, v: 'y' }] }], { fence: 20 }), { 2: { updated: 1 } })
  assert.deepEqual(await scene.table.verify(), [])
  const whole = await adopted({ mode: 'replace', key: 'id', columns }, 'CREATE TABLE {t} (id INT PRIMARY KEY, v TEXT)', `INSERT INTO {t} VALUES (1, 'a')`, 'SELECT 1')
  counted(await whole.scene.load([{ seq: 1, records: [{ id: 3, v: 'b' }] }], FENCE), { 1: { inserted: 1 } })
  assert.deepEqual(whole.ask('SELECT id FROM {t}'), ['3'])
})

test('what does not fit is refused before anything is changed, with what to do', async () => {
  const refused = async (request: DefinitionRequest, made: string, code: string, message: RegExp): Promise<void> => {
    const { scene, ask } = await theirs(request, made, 'SELECT 1')
    await assert.rejects(scene.table.adopt(scene.definition, 1), (thrown: Error & { code?: string; hint?: string }) => {
      assert.match(`${thrown.code ?? ''} ${thrown.message} ${thrown.hint ?? ''}`, new RegExp(`^${code}.*${message.source}`, 's'))
      return true
    })
    assert.deepEqual(ask(`SELECT count(*) FROM sqlite_schema WHERE name LIKE '_sluice%' OR sql LIKE '%_place%'`), ['0'])
  }
  const key = { key: 'id', mode: 'upsert' } as const
  await refused(key, `CREATE TABLE {t} (id INT, v INT); INSERT INTO {t} VALUES (1, 1), (2, 'n/a')`, 'DEFINITION_INVALID', /v cannot be loaded as int64: its row 2 has n\/a \(text\)/)
  await refused({ ...key, columns: 'id:int64,at:timestamp' }, `CREATE TABLE {t} (id INT, at DATETIME); INSERT INTO {t} VALUES (1, '2024-01-01 10:00:00')`, 'DEFINITION_INVALID', /at cannot be loaded as timestamp/)
  await refused(key, `CREATE TABLE {t} (id INT, v INT); INSERT INTO {t} VALUES (1, 1), (1, 2)`, 'DEFINITION_INVALID', /not unique by the key id/)
  await refused(key, 'CREATE TABLE {t} (id, v)', 'DEFINITION_INVALID', /cannot be the key|--columns/)
  await refused(key, 'CREATE TABLE {t} (id INT, v INT REFERENCES nothere (id))', 'DEFINITION_INVALID', /takes no row: no such table: main.nothere/)
  await refused(key, 'CREATE TABLE IF NOT EXISTS parent (id INT, u INT); CREATE TABLE {t} (id INT, v INT REFERENCES parent (u))', 'DEFINITION_INVALID', /takes no row: foreign key mismatch/)
  await refused(key, 'CREATE TABLE {t} (id INT, v INT); CREATE TRIGGER broken AFTER UPDATE ON {t} BEGIN INSERT INTO gone VALUES (1); END', 'DEFINITION_INVALID', /takes no row: no such table: main.gone/)
  await refused({}, 'CREATE TABLE {t} (id, v)', 'DEFINITION_INVALID', /no column of it says by itself.*--columns/)
  await refused({ ...key, columns: 'id:int64,price:decimal(10,2)' }, 'CREATE TABLE {t} (id INT, price DECIMAL(10,2))', 'DEFINITION_INVALID', /price:double/)
  await refused({ ...key, columns: 'id:int64,g:int64' }, 'CREATE TABLE {t} (id INT, g INT AS (id))', 'DEFINITION_INVALID', /SQLite makes its values itself/)
  await refused({ ...key, columns: 'id:int64' }, 'CREATE TABLE {t} (id INT, v TEXT NOT NULL)', 'DEFINITION_INVALID', /v \(TEXT\) must not be null/)
})

test('what cannot be loaded at all is said, and a name in another spelling', async () => {
  const { scene } = await theirs({ key: 'id' }, 'CREATE TABLE wide (id INT, rowid INT)', 'CREATE TABLE bare (id INT PRIMARY KEY) WITHOUT ROWID', 'CREATE VIEW seen AS SELECT 1 AS id', 'CREATE VIRTUAL TABLE found USING fts5(id)', 'CREATE TABLE Spelled (id INT)', 'SELECT 1')
  const open = (table: string): Promise<unknown> => openSqliteTarget({ file }).open(table, 'l', scene.variant.engine, { adopt: true })
  await assert.rejects(open('wide'), /rowid hides/)
  await assert.rejects(open('bare'), /WITHOUT ROWID/)
  await assert.rejects(open('seen'), /a view seen, which cannot be loaded/)
  await assert.rejects(open('found'), /a virtual table found, which cannot be loaded/)
  await assert.rejects(open('found_content'), /a shadow table of a virtual one, found_content, which cannot be loaded/)
  const table = await openSqliteTarget({ file }).open('spelled', 'l', scene.variant.engine, { adopt: true })
  await assert.rejects(table.adopt({ ...scene.definition, table: 'spelled' }, 1), /spelled Spelled/)
})

test('a column that is loaded because records have it must hold what it is loaded as', async () => {
  const { scene, ask } = await adopted({ key: 'id', mode: 'upsert' }, `CREATE TABLE {t} (id INT, at TEXT DEFAULT (datetime('now')), n REAL DEFAULT 1)`, `INSERT INTO {t} (id) VALUES (1)`, 'SELECT 1')
  await assert.rejects(scene.load([{ seq: 1, records: [{ id: 2, at: '2024-01-01T10:00:00Z' }] }], FENCE), { code: 'DEFINITION_INVALID', message: /at cannot be loaded as timestamp: its row 1 has/ })
  await assert.rejects(scene.table.alter(({ definition, schema }) => ({ definition: definition ?? scene.definition, schema: [...schema, { name: 'at', type: 'date' }], what: 'at' })), /at cannot be loaded as date/)
  counted(await scene.load([{ seq: 2, records: [{ id: 2, n: 0.5 }, { id: 3 }] }], { fence: 20 }), { 2: { inserted: 2 } })
  assert.deepEqual(ask('SELECT id, n, at IS NULL FROM {t} ORDER BY id'), ['1 1 0', '2 0.5 0', '3 null 0'])
})

test('a column _place of a Sluice whose records are gone', async () => {
  const { scene } = await theirs({ columns: 'id:int64' }, 'CREATE TABLE {t} (id INT, _place INTEGER NOT NULL)', 'SELECT 1')
  await assert.rejects(scene.table.adopt(scene.definition, 1), (thrown: Error & { hint?: string }) => /DROP COLUMN "_place"/.test(thrown.hint ?? ''))
  const left = await adopted({ columns: 'id:int64' }, 'CREATE TABLE {t} (id INT, _place INTEGER)', 'INSERT INTO {t} (id) VALUES (1)', 'SELECT 1')
  assert.deepEqual(left.ask('SELECT id, _place FROM {t}'), ['1 null'])
})

test('a column _place that is the user’s own is not touched', async () => {
  for (const [column, value] of [['_place TEXT', `'Bern'`], ['_place INTEGER', '77'], ['_PLACE TEXT', 'NULL'], ['_place INTEGER DEFAULT 1', 'NULL']] as const) {
    const { scene, ask } = await theirs({ columns: 'id:int64' }, `CREATE TABLE {t} (id INT, ${column})`, `INSERT INTO {t} VALUES (1, ${value})`, 'SELECT 1')
    await assert.rejects(scene.table.adopt(scene.definition, 1), (thrown: Error & { code?: string; hint?: string }) => thrown.code === 'TABLE_UNSUPPORTED' && /RENAME COLUMN/.test(thrown.hint ?? ''), column)
    assert.deepEqual(ask('SELECT quote(_place) FROM {t}'), [value])
  }
})

test('columns whose names differ by case alone are told before anything is made', async () => {
  const made = 'CREATE TABLE {t} (id INT, "Ä" INT, "ä" INT)'
  for (const columns of ['id:int64,Ä:int64', undefined]) {
    const { scene } = await theirs({ key: 'id', ...(columns === undefined ? {} : { columns }) }, made, 'SELECT 1')
    await assert.rejects(scene.table.adopt(scene.definition, 1), { code: 'DEFINITION_INVALID', message: /columns Ä and ä/ })
  }
  const { scene } = await adopted({ key: 'id', columns: 'id:int64' }, made, 'SELECT 1')
  counted(await scene.load([{ seq: 1, records: [{ id: 1 }] }], FENCE), { 1: { inserted: 1 } })
})

test('rows of others without a key are no repeated ones', async () => {
  const { scene } = await adopted({ key: 'id' }, 'CREATE TABLE {t} (id TEXT PRIMARY KEY)', 'INSERT INTO {t} VALUES (NULL), (NULL)', 'SELECT 1')
  counted(await scene.load([{ seq: 1, records: [{ id: 'a' }] }], FENCE), { 1: { inserted: 1 } })
  assert.deepEqual(await scene.table.verify(), [])
})

test('a trigger that ends the transaction, and one that drops rows: nothing is committed', async () => {
  for (const [action, code] of [[`RAISE(ROLLBACK, 'no')`, 'ROWS_REFUSED'], ['RAISE(IGNORE)', 'BALANCE_BROKEN']] as const) {
    const { scene, ask } = await adopted({ mode: 'append', columns: 'v:int64' }, 'CREATE TABLE {t} (v INT)', `CREATE TRIGGER r_${code} BEFORE INSERT ON {t} WHEN new.v = 2 BEGIN SELECT ${action}; END`, 'SELECT 1')
    await assert.rejects(scene.load([{ seq: 1, records: [{ v: 1 }, { v: 2 }] }], FENCE), { code })
    assert.deepEqual(ask('SELECT count(*) FROM {t}'), ['0'])
    counted(await scene.load([{ seq: 2, records: [{ v: 1 }] }], { fence: 20 }), { 2: { inserted: 1 } })
  }
})

test('foreign keys that others put on a table of ours take no row along, and refuse none of ours', async () => {
  const { scene, ask } = await theirs({ mode: 'replace', key: 'id', columns: 'id:int64,v:int64' }, 'SELECT 1')
  const apply = { delta: { table: `${scene.definition.table}_delta`, run: 'a' } }
  counted(await scene.load([{ seq: 1, records: [{ id: 1, v: 1 }] }], { fence: 1, apply }), { 1: { inserted: 1 } })
  ask(`CREATE TABLE child (x INT REFERENCES {t} (id) ON DELETE CASCADE)`)
  ask('INSERT INTO child VALUES (1)')
  counted(await scene.load([{ seq: 2, records: [{ id: 2, v: 1 }] }], { fence: 2, apply }), { 2: { inserted: 1 } })
  assert.deepEqual(ask('SELECT x FROM child'), ['1'])
  // It refers to columns that are not unique: who asks for foreign keys can change nothing any more.
  for (const to of ['{t}', '{t}_delta']) ask(`CREATE TABLE mismatch_${to} (x INT REFERENCES ${to} (v))`)
  counted(await scene.load([{ seq: 3, records: [{ id: 2, v: 2 }] }], { fence: 3, apply: { delta: { ...apply.delta, run: 'b' } } }), { 3: { inserted: 1 } })
})

test('a table that others made is not replaced where rows of another one would go with its own, or hold them', async () => {
  const request = { mode: 'replace', key: 'id', columns: 'id:int64' } as const
  const made = 'CREATE TABLE {t} (id INTEGER PRIMARY KEY)'
  const refused = await theirs(request, made, 'CREATE TABLE child (x INT REFERENCES {t} (id) ON DELETE SET NULL)', 'SELECT 1')
  await assert.rejects(refused.scene.table.adopt(refused.scene.definition, 1), { code: 'TABLE_UNSUPPORTED', message: /child refers to it ON DELETE SET NULL/ })
  const { scene, ask } = await adopted(request, made, 'INSERT INTO {t} VALUES (1)', 'SELECT 1')
  ask('CREATE TABLE other (x INT REFERENCES {t} (id) ON DELETE CASCADE)')
  ask('INSERT INTO other VALUES (1)')
  await assert.rejects(scene.load([{ seq: 1, records: [{ id: 2 }] }], FENCE), { code: 'TABLE_UNSUPPORTED', message: /other refers to it ON DELETE CASCADE/ })
  ask('DROP TABLE other')
  ask('CREATE TABLE holds (x INT REFERENCES {t} (id))')
  ask('INSERT INTO holds VALUES (1)')
  await assert.rejects(scene.load([{ seq: 2, records: [{ id: 2 }] }], { fence: 20 }), { code: 'ROWS_REFUSED', message: /does not let its rows go/ })
  assert.deepEqual(ask('SELECT id FROM {t}'), ['1'])
})

test('a value that one row gives away and another one gets', async () => {
  const { scene, ask } = await adopted({ key: 'e', mode: 'upsert', columns: 'e:string,pos:int64' }, 'CREATE TABLE {t} (e TEXT PRIMARY KEY, pos INT UNIQUE CHECK (pos < 100))', `INSERT INTO {t} VALUES ('a', 1), ('b', 2), ('c', 3)`, 'SELECT 1')
  const moved = [{ e: 'a', pos: 2 }, { e: 'b', pos: 3 }, { e: 'c', pos: 9 }]
  counted(await scene.load([{ seq: 1, records: moved }], FENCE), { 1: { updated: 3 } })
  assert.deepEqual(ask('SELECT e, pos FROM {t} ORDER BY e'), ['a 2', 'b 3', 'c 9'])
  // Where they go round no row may come first: their value is still another one's.
  counted(await scene.load([{ seq: 2, records: [{ e: 'a', pos: 3 }, { e: 'b', pos: 9 }, { e: 'c', pos: 2 }, { e: 'd', pos: 2 }] }], { fence: 20 }), { 2: { inserted: 0, updated: 0, quarantined: 4 } })
  counted(await scene.load([{ seq: 3, records: [{ e: 'a', pos: 3 }, { e: 'b', pos: 9 }, { e: 'c', pos: 1 }, { e: 'd', pos: 100 }] }], { fence: 30 }), { 3: { updated: 3, quarantined: 1 } })
  assert.deepEqual(ask('SELECT e, pos FROM {t} ORDER BY e'), ['a 3', 'b 9', 'c 1'])
  assert.deepEqual(await scene.table.verify(), [])
})

test('an index that others put on a table of ours refuses the batch, and is no key', async () => {
  const { scene, ask } = await theirs({ key: 'id', mode: 'upsert' }, 'SELECT 1')
  await scene.load([{ seq: 1, records: [{ id: 1, v: 1 }] }], { fence: 1 })
  ask('CREATE UNIQUE INDEX theirs ON {t} (v)')
  await assert.rejects(scene.load([{ seq: 2, records: [{ id: 2, v: 1 }] }], { fence: 2 }), { code: 'ROWS_REFUSED', message: /UNIQUE constraint failed: .*\.v$/ })
})

test('rows that refer to rows behind them are no refused ones, however many', async () => {
  const { scene, ask } = await adopted({ key: 'id', mode: 'upsert', columns: 'id:int64,up:int64,v:int64' }, 'CREATE TABLE {t} (id INTEGER PRIMARY KEY, up INT REFERENCES {t} (id), v INT CHECK (v > 0))', 'SELECT 1')
  const many = 1_010
  const children = Array.from({ length: many }, (_, n) => ({ id: n, up: n + many, v: 1 }))
  const parents = Array.from({ length: many }, (_, n) => ({ id: n + many, v: 1 }))
  counted(await scene.load([{ seq: 1, records: [...children, ...parents, { id: -1, v: -1 }] }], FENCE), { 1: { inserted: 2 * many, quarantined: 1 } })
  // A chain of them.
  const chain = Array.from({ length: 200 }, (_, n) => ({ id: 10_000 + n, up: n === 199 ? 1 : 10_001 + n, v: 1 }))
  counted(await scene.load([{ seq: 2, records: [...chain, { id: -1, v: -1 }] }], { fence: 20 }), { 2: { inserted: 200, quarantined: 1 } })
  await assert.rejects(scene.load([{ seq: 3, records: children.map(({ id }) => ({ id: id + 20_000, v: -1 })) }], { fence: 30 }), { code: 'ROWS_REFUSED', message: /more than 1000 rows.*CHECK/ })
  assert.deepEqual(ask('SELECT count(*) FROM {t}'), [String(2 * many + 200)])
})

test('what a trigger says of a row that is there already holds, and a table that says it as well is not taken over', async () => {
  const words = ['CREATE TABLE words (w TEXT PRIMARY KEY)', `CREATE TRIGGER word_{t} AFTER INSERT ON {t} BEGIN INSERT OR IGNORE INTO words VALUES (new.w); END`]
  const request = { key: 'id', mode: 'upsert', columns: 'id:int64,w:string' } as const
  const { scene, ask } = await adopted(request, 'CREATE TABLE {t} (id INTEGER PRIMARY KEY, w TEXT)', ...words, 'SELECT 1')
  counted(await scene.load([{ seq: 1, records: [{ id: 1, w: 'a' }, { id: 2, w: 'a' }, { id: 3, w: 'b' }] }], FENCE), { 1: { inserted: 3 } })
  assert.deepEqual(ask('SELECT w FROM words ORDER BY w'), ['a', 'b'])
  await assert.rejects(adopted(request, 'CREATE TABLE {t} (id INTEGER PRIMARY KEY, w TEXT UNIQUE ON CONFLICT REPLACE)', ...words.slice(1), 'SELECT 1'), { code: 'TABLE_UNSUPPORTED', message: /ON CONFLICT, and its trigger word_/ })
})

test('a disk that is full while rows are tried is no rule of the table', async () => {
  outside('CREATE TABLE t (v)', 'SELECT 1')
  const db = new SqliteSession(file)
  const session = new FileSession(db)
  try {
    db.get('PRAGMA max_page_count = 8')
    const write = (): Promise<unknown> => session.write({ point: 'p', foreign: true, into: 'main."t"', place: 'v', sql: 'INSERT INTO main."t" (v) SELECT zeroblob(100000)' })
    await assert.rejects(session.transaction('c', () => session.attempt(write)), { code: 'DISK_FULL' })
  } finally {
    await session.close()
  }
})
