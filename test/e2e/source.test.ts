/** Tables of a SQLite database as a source: what arrives, what is refused, and that nothing is lost or doubled by losing the ledger. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'
import type { Said } from '../command.ts'

interface Shop {
  folder: string
  db: DatabaseSync
  put(id: number, changed: string, amount?: number | string): void
  run(...args: string[]): Promise<Said>
  /** Loads, and tells read, inserted, updated, duplicate, quarantined and the exit code. */
  load(...args: string[]): Promise<number[]>
  rows(to?: string): Promise<string[]>
}

function shop(t: TestContext): Shop {
  const folder = scratch(t)
  const db = new DatabaseSync(join(folder, 'shop.db'))
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, amount DECIMAL(10,2), meta JSON, changed TIMESTAMP NOT NULL); CREATE INDEX changes ON orders (changed, id)')
  t.after(() => db.close())
  const put = db.prepare('INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?)')
  const run = (...args: string[]): Promise<Said> => sluice(args, { cwd: folder })
  return {
    folder, db, run,
    put: (id, changed, amount = id / 4) => void put.run(id, amount, `{"n": ${id}}`, `2026-01-02 ${changed}`),
    async load(...args) {
      const said = await run('load', ...args, '--json')
      const { balance } = documentOf(said) as { balance?: Record<string, number> }
      if (balance === undefined) throw new Error(said.stdout)
      return [...['read', 'inserted', 'updated', 'duplicate', 'quarantined'].map((name) => balance[name] ?? -1), said.code ?? -1]
    },
    rows: async (to) => (await run('sql', '--format', 'csv', ...(to === undefined ? [] : ['--to', to]), 'select id, amount, changed from orders order by id')).stdout.trim().split('\n').slice(1),
  }
}

const FROM = ['--from', 'sqlite:shop.db?table=orders&cursor=changed&key=id&window=4', '--into', 'orders', '--key', 'id']

for (const to of [undefined, 'sqlite:copy.db']) {
  test(`new, changed and late rows arrive once, also without the ledger (${to ?? 'delta'})`, async (t) => {
    const { folder, put, load, rows, run } = shop(t)
    const target = to === undefined ? FROM : [...FROM, '--to', to]
    for (let id = 1; id <= 10; id++) put(id, `10:${String(id).padStart(2, '0')}:00`)
    assert.deepEqual(await load(...target), [10, 10, 0, 0, 0, 0])
    if (to !== undefined) assert.match((await run('load', ...FROM, '--to', to)).stderr, /Nothing there is new since it was read/)
    const first = await rows(to)
    assert.deepEqual([first.length, first[0]?.split(',').slice(0, 2), first[0]?.includes('2026-01-02T10:01:00')], [10, ['1', '0.25'], true])
    // Committed late within the ten minutes, changed, and new.
    put(11, '10:00:30')
    put(3, '10:20:00', 33.5)
    put(12, '10:21:00')
    const [read, inserted, updated] = await load(...target)
    assert.deepEqual([inserted, updated], [2, 1])
    assert.ok((read ?? 0) >= 3)
    assert.equal((await rows(to)).find((row) => row.startsWith('3,'))?.split(',')[1], '33.50')
    rmSync(join(folder, 'sluice-data/ledger.db'))
    for (const end of ['-wal', '-shm']) rmSync(join(folder, `sluice-data/ledger.db${end}`), { force: true })
    put(13, '10:22:00')
    const after = await load(...target)
    assert.deepEqual([after[1], after[2], after[5]], [1, 0, 0])
    // The windows too.
    rmSync(join(folder, 'sluice-data/windows'), { recursive: true })
    put(14, '10:23:00')
    assert.deepEqual((await load(...target)).slice(1, 3), [1, 0])
    assert.deepEqual((await rows(to)).map((row) => Number(row.split(',')[0])), Array.from({ length: 14 }, (_, at) => at + 1))
    assert.equal((await run('doctor')).code, 0)
    // Nothing happens: nothing is read twice, and nothing piles up.
    await load(...target)
    const [idle] = await load(...target)
    assert.equal(idle, 0)
    const windows = readdirSync(join(folder, 'sluice-data/windows'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.parquet'))
    await load(...target)
    assert.ok(windows.length <= 2, windows.join())
    assert.equal(readdirSync(join(folder, 'sluice-data/windows'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.parquet')).length, windows.length)
  })
}

test('types are those of the catalog, a value that is none of them is put aside alone, its window names it', async (t) => {
  const { put, load, run } = shop(t)
  put(1, '10:00:00')
  put(2, '10:00:01', 'much')
  put(3, '10:00:02', 0.125)
  put(4, '10:00:03', -12345678.9)
  assert.deepEqual(await load(...FROM), [4, 2, 0, 0, 2, 3])
  const schema = documentOf(await run('tables', 'schema', 'orders', '--json')) as { items?: { name: string; type: string }[] }
  assert.deepEqual(schema.items?.map(({ name, type }) => `${name}:${type}`), ['id:int64', 'amount:decimal(10,2)', 'meta:json', 'changed:timestamp'])
  const rejects = (documentOf(await run('rejects', 'ls', '--json')) as { items: { code: string; value: string; path: string }[] }).items
  assert.deepEqual(rejects.map(({ code, value }) => [code, value]), [['TYPE_MISMATCH', 'much'], ['PRECISION_LOST', '0.125']])
  assert.match(rejects[0]?.path ?? '', /windows\/orders-[0-9a-f]+\/orders-000001-t2026-01-02_10:00:03\.rest\.ndjson$/)
  const files = (await run('files', 'ls')).stdout
  assert.match(files, /orders-000001-t2026-01-02_10:00:03\.parquet/)
})

test('a whole table: the last state by key, or in place of the table; the same again changes nothing', async (t) => {
  const { db, put, load, rows, run } = shop(t)
  for (let id = 1; id <= 5; id++) put(id, `10:0${id}:00`)
  const keyed = ['--from', 'sqlite:shop.db?table=orders&window=2', '--into', 'orders', '--key', 'id']
  assert.deepEqual(await load(...keyed), [5, 5, 0, 0, 0, 0])
  assert.deepEqual(await load(...keyed), [0, 0, 0, 0, 0, 0])
  put(3, '10:03:00', 99)
  const [, inserted, updated] = await load(...keyed)
  assert.deepEqual([inserted, updated], [0, 1])
  const replacing = ['--from', 'sqlite:shop.db?query=select id, amount from orders where id > 1&window=2', '--into', 'mirror', '--mode', 'replace']
  assert.equal((await load(...replacing))[1], 4)
  assert.deepEqual((await load(...replacing)).slice(0, 2), [0, 0])
  db.exec('DELETE FROM orders WHERE id = 5')
  await load(...replacing)
  assert.equal((await rows()).length, 5)
  const mirror = await run('sql', '--format', 'csv', 'select id from mirror order by id')
  assert.equal(mirror.stdout, 'id\n2\n3\n4\n')
})

test('the key of the address is the key of a new table, and the last state of a row stays', async (t) => {
  const { put, load, rows } = shop(t)
  put(1, '10:01:00')
  put(2, '10:02:00')
  const from = ['--from', 'sqlite:shop.db?table=orders&cursor=changed&key=id', '--into', 'orders']
  assert.deepEqual((await load(...from)).slice(0, 3), [2, 2, 0])
  put(2, '10:03:00', 99)
  assert.equal((await load(...from))[2], 1)
  assert.equal((await rows()).length, 2)
})

test('what would lose or double rows is refused, with the way out', async (t) => {
  const { db, put, run } = shop(t)
  put(1, '10:00:00')
  db.exec("CREATE TABLE loose (id INTEGER, changed TEXT); INSERT INTO loose VALUES (1, NULL), (2, '2026-01-01'); CREATE TABLE words (id INTEGER, changed TEXT); INSERT INTO words VALUES (1, 'b')")
  const cases: readonly (readonly [from: string, flags: readonly string[], code: string, message: RegExp])[] = [
    ['table=orders&cursor=changed', ['--into', 't'], 'SOURCE_UNSUITABLE', /append/],
    ['table=orders', ['--into', 't'], 'SOURCE_UNSUITABLE', /append/],
    ['table=orders&cursor=changed', ['--into', 't', '--mode', 'replace'], 'SOURCE_UNSUITABLE', /replace/],
    ['table=orders&cursor=changed', ['--into', 't', '--key', 'id', '--since', '2026-01-02', '--date-field', 'changed'], 'SOURCE_UNSUITABLE', /not loaded by date/],
    ['table=orders', ['--into', 't', '--key', 'id', '--until', '2026-01-02', '--date-field', 'changed'], 'SOURCE_UNSUITABLE', /not loaded by date/],
    ['table=loose&cursor=changed', ['--into', 't', '--key', 'id'], 'SOURCE_UNSUITABLE', /1 rows have no changed/],
    ['table=words&cursor=changed', ['--into', 't', '--key', 'id'], 'SOURCE_UNSUITABLE', /overlap/],
    ['table=nosuch', ['--into', 't', '--key', 'id'], 'SOURCE_INVALID', /it has loose, orders, words/],
    ['table=orders&cursor=nosuch', ['--into', 't', '--key', 'id'], 'SOURCE_INVALID', /nosuch/],
    ['table=orders&curser=changed', ['--into', 't', '--key', 'id'], 'SOURCE_INVALID', /curser is no part/],
    ['cursor=changed', ['--into', 't', '--key', 'id'], 'SOURCE_INVALID', /table= or query=/],
    ['query=delete from orders', ['--into', 't', '--key', 'id'], 'SOURCE_INVALID', /SELECT/],
    ['table=orders&overlap=5', ['--into', 't', '--key', 'id'], 'SOURCE_INVALID', /overlap/],
  ]
  for (const [from, flags, code, message] of cases) {
    const said = await run('load', '--from', `sqlite:shop.db?${from}`, ...flags, '--json')
    const error = documentOf(said)
    assert.deepEqual([error['code'], said.code], [code, 4], `${from}: ${said.stdout}`)
    assert.match(String(error['message']), message)
  }
  assert.equal((await run('load', '--from', 'sqlite:nothing.db?table=orders', '--into', 't', '--key', 'id')).code, 6)
  assert.equal((await run('load', 'in', '--from', 'sqlite:shop.db?table=orders', '--into', 't', '--key', 'id')).code, 2)
  assert.equal(documentOf(await run('load', '--from', 'duckdb:nothing.duckdb?table=orders', '--into', 't', '--key', 'id', '--json'))['code'], 'PATH_NOT_FOUND')
})

test('a pipeline names its source like its files; relative to the configuration', async (t) => {
  const { folder, put, run } = shop(t)
  put(1, '10:00:00')
  writeFileSync(join(folder, 'sluice.config.mjs'), "export default { name: 'orders', load: 'sqlite:shop.db?table=orders&cursor=changed', into: 'orders', key: 'id', mode: 'upsert' }")
  const said = await sluice(['load', 'orders', '--config', join(folder, 'sluice.config.mjs'), '--data-dir', join(folder, 'data'), '--json'], { cwd: join(folder, '..') })
  assert.equal(said.code, 0, said.stdout)
  assert.equal((documentOf(said) as { balance: { inserted: number } }).balance.inserted, 1)
  assert.ok(existsSync(join(folder, 'data/windows')))
  const plan = documentOf(await run('clean', '--data', '--data-dir', 'data', '--dry-run', '--json')) as { items: { path: string }[] }
  assert.ok(plan.items.some(({ path }) => path.endsWith('/windows')))
})

test('a large table is read in windows; Ctrl-C between them loses nothing', async (t) => {
  const { folder, db, load, rows } = shop(t)
  db.exec("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 30000) INSERT INTO orders SELECT n, n, '{}', strftime('%Y-%m-%d %H:%M:%S', 1767225600 + n, 'unixepoch') FROM r")
  const from = ['--from', 'sqlite:shop.db?table=orders&cursor=changed&window=1000', '--into', 'orders', '--key', 'id']
  const sealed = (): boolean => existsSync(join(folder, 'sluice-data/windows')) && readdirSync(join(folder, 'sluice-data/windows'), { recursive: true, encoding: 'utf8' }).some((name) => name.endsWith('.parquet'))
  const stopped = await sluice(['load', ...from], {
    cwd: folder,
    onStart: (child) => {
      const look = setInterval(() => sealed() && (clearInterval(look), child.kill('SIGINT')), 5)
      child.on('close', () => clearInterval(look))
    },
  })
  assert.equal(stopped.code, 130, stopped.stderr)
  await load(...from)
  assert.equal((await rows()).length, 30_000)
})
