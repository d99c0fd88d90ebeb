/** `sluice load --adopt`: a table of another data folder changes hands, and its former owner is told. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import { load, openBrowser } from '../../src/index.ts'
import { checkup } from '../../src/service/doctor.ts'
import { sluice } from '../command.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-adopt-'))
after(() => rmSync(root, { recursive: true, force: true }))

for (const scheme of ['delta', 'sqlite'] as const) {
  describe(`${scheme}: --adopt`, () => {
    const folder = join(root, scheme)
    const to = scheme === 'delta' ? `delta:${join(folder, 'lake')}` : `sqlite:${join(folder, 't.db')}`
    const go = (data: string, more: object = {}): ReturnType<typeof load> => load({ paths: [join(folder, 'in')], into: 't', to, dataDir: join(folder, data), jobs: 1, ...more })
    const put = (name: string, id: number): void => writeFileSync(join(folder, 'in', name), `{"id":${id},"v":"x"}\n`)
    mkdirSync(join(folder, 'in'), { recursive: true })

    test('another data folder is refused, takes over, knows what is in, and shuts the former one out', async () => {
      put('1.ndjson', 1)
      await go('old', { key: 'id' })
      put('2.ndjson', 2)
      await assert.rejects(go('new'), { code: 'TABLE_OTHER_LEDGER' })
      const said = await sluice(['load', join(folder, 'in'), '--into', 't', '--to', to, '--data-dir', join(folder, 'new'), '--adopt'])
      assert.equal(said.code, 0, said.stderr)
      assert.match(said.stderr, /The table t was taken over: it belonged to the ledger l_/)
      assert.match(said.stdout, /1 read = 1 inserted/)
      put('3.ndjson', 3)
      await assert.rejects(go('old'), { code: 'TABLE_OTHER_LEDGER' })
      const again = await go('new', { adopt: true })
      assert.deepEqual([again.exit, again.balance.inserted, again.files.known], [0, 1, 2])
      const browser = await openBrowser(join(folder, 'new'))
      assert.deepEqual((await checkup(browser)).findings.filter(({ grade }) => grade === 'broken'), [])
      assert.equal((await browser.count('t')).rows, 3)
      await browser.close()
    })
    test('where there is no table it makes no sense', async () => {
      await assert.rejects(go('new', { into: 'nothing', adopt: true }), { code: 'NOT_FOUND', message: /nothing to adopt/ })
    })
    test('another definition is refused, and the table stays with its owner', async () => {
      await assert.rejects(go('third', { key: 'v', adopt: true }), { code: 'DEFINITION_DIFFERS' })
      put('4.ndjson', 4)
      assert.equal((await go('new')).balance.inserted, 1)
    })
  })
}

test('a SQLite table that others made is loaded, with all that it asks, and goes on without --adopt', async () => {
  const folder = join(root, 'theirs')
  mkdirSync(join(folder, 'in'), { recursive: true })
  const file = join(folder, 'shop.db')
  const db = new DatabaseSync(file)
  db.exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY, sku TEXT NOT NULL, qty INT CHECK (qty > 0), note TEXT DEFAULT 'none'); INSERT INTO orders (id, sku, qty) VALUES (7, 'a', 1)`)
  const go = (more: object = {}): ReturnType<typeof load> => load({ paths: [join(folder, 'in')], into: 'orders', to: `sqlite:${file}`, dataDir: join(folder, 'data'), jobs: 1, ...more })
  writeFileSync(join(folder, 'in', '1.ndjson'), '{"id":7,"sku":"a","qty":2}\n{"id":3,"sku":"b","qty":1}\n{"id":4,"sku":"c","qty":0}\n{"id":5,"qty":1}\n')
  await assert.rejects(go({ key: 'id' }), { code: 'TABLE_FOREIGN' })
  const first = await go({ key: 'id', mode: 'upsert', adopt: true })
  assert.deepEqual([first.exit, first.balance.inserted, first.balance.updated, first.reasons], [3, 1, 1, { ROW_REFUSED: 2 }], JSON.stringify(first.errors))
  writeFileSync(join(folder, 'in', '2.ndjson'), '{"id":3,"sku":"b","qty":9}\n')
  assert.deepEqual([(await go()).balance.updated, db.prepare('SELECT id, qty, note FROM orders ORDER BY id').all().map((row) => Object.values(row))], [1, [[3, 9, 'none'], [7, 2, 'none']]])
  db.close()
})
