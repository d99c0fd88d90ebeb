/** A ledger that is lost, old, or moved, and a table that is gone: no row is lost and none comes twice. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { load, openBrowser } from '../../src/index.ts'
import { checkup } from '../../src/service/doctor.ts'
import { sluice } from '../command.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-loss-'))
after(() => rmSync(root, { recursive: true, force: true }))

for (const target of ['delta', 'sqlite'] as const) {
  describe(`${target}: losses`, () => {
    let scene = 0
    const begin = (): { folder: string; data: string; put: (name: string, id: number) => void; go: (data: string) => ReturnType<typeof load>; rows: (data: string) => Promise<unknown[]> } => {
      const folder = join(root, `${target}-${++scene}`)
      const data = join(folder, 'data')
      mkdirSync(join(folder, 'in'), { recursive: true })
      const to = (at: string): string => (target === 'delta' ? 'delta:' : `sqlite:${join(at, 't.db')}`)
      return {
        folder,
        data,
        put: (name, id) => writeFileSync(join(folder, 'in', name), `{"id":${id}}\n`),
        go: (at) => load({ paths: [join(folder, 'in')], into: 't', dataDir: at, jobs: 1, to: to(at) }),
        async rows(at) {
          const browser = await openBrowser(at)
          try {
            assert.deepEqual((await checkup(browser)).findings.filter((finding) => finding.grade === 'broken'), [])
            return (await browser.head('t', 100, to(at))).rows.map((row) => Number(row[0])).toSorted((a, b) => a - b)
          } finally {
            await browser.close()
          }
        },
      }
    }

    test('a lost ledger is rebuilt from the table, and nothing is read again', async () => {
      const { data, put, go, rows } = begin()
      put('1.ndjson', 1)
      put('2.ndjson', 2)
      await go(data)
      for (const end of ['', '-wal', '-shm']) rmSync(join(data, `ledger.db${end}`), { force: true })
      put('3.ndjson', 3)
      const again = await go(data)
      assert.deepEqual([again.exit, again.balance.inserted, again.files.known], [0, 1, 2])
      assert.deepEqual(await rows(data), [1, 2, 3])
    })

    test("yesterday's ledger learns from the table what came since", async () => {
      const { data, put, go, rows } = begin()
      put('1.ndjson', 1)
      await go(data)
      const yesterday = `${data}-ledger`
      mkdirSync(yesterday)
      cpSync(join(data, 'ledger.db'), join(yesterday, 'ledger.db'))
      put('2.ndjson', 2)
      put('3.ndjson', 3)
      await go(data)
      for (const end of ['', '-wal', '-shm']) rmSync(join(data, `ledger.db${end}`), { force: true })
      cpSync(join(yesterday, 'ledger.db'), join(data, 'ledger.db'))
      put('0.ndjson', 0)
      const again = await go(data)
      assert.deepEqual([again.exit, again.balance.inserted, again.files.known], [0, 1, 3])
      assert.deepEqual(await rows(data), [0, 1, 2, 3])
    })

    test('a data folder that was moved knows its tables', async () => {
      const { data, put, go, rows } = begin()
      put('1.ndjson', 1)
      await go(data)
      renameSync(data, `${data}-moved`)
      put('2.ndjson', 2)
      const again = await go(`${data}-moved`)
      assert.deepEqual([again.exit, again.balance.inserted, again.files.known], [0, 1, 1])
      assert.deepEqual(await rows(`${data}-moved`), [1, 2])
    })

    test('a table that goes after a load was killed is made again with all that was in it', async () => {
      const { data, folder, put, go, rows } = begin()
      put('1.ndjson', 1)
      await go(data)
      put('2.ndjson', 2)
      const to = target === 'delta' ? 'delta:' : `sqlite:${join(data, 't.db')}`
      const killed = await sluice(['load', join(folder, 'in'), '--into', 't', '--to', to, '--data-dir', data], { env: { SLUICE_FAILPOINT: target === 'delta' ? 'delta.link.before' : 'database.commit.before' } })
      assert.equal(killed.signal, 'SIGKILL')
      for (const path of ['t.db', 't.db-wal', 't.db-shm', 'tables/t']) rmSync(join(data, path), { recursive: true, force: true })
      const { exit, files } = await go(data)
      assert.deepEqual([exit, files.loaded, files.known], [0, 2, 0])
      assert.deepEqual(await rows(data), [1, 2])
    })

    test('a table that is gone is a finding, and the next load makes it again', async () => {
      const { data, put, go, rows } = begin()
      put('1.ndjson', 1)
      await go(data)
      if (target === 'delta') rmSync(join(data, 'tables', 't'), { recursive: true })
      else for (const end of ['', '-wal', '-shm']) rmSync(join(data, `t.db${end}`), { force: true })
      const browser = await openBrowser(data)
      try {
        assert.equal((await checkup(browser)).clean, false)
      } finally {
        await browser.close()
      }
      const again = await go(data)
      assert.deepEqual([again.exit, again.balance.inserted], [0, 1])
      assert.deepEqual(await rows(data), [1])
    })
  })
}
