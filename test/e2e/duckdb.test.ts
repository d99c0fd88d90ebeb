/** The command with DuckDB files: loaded, again, upserted, replaced, looked at by every verb, and a ledger that is lost. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'
import type { Said } from '../command.ts'

interface World {
  dir: string
  put(name: string, ...records: unknown[]): void
  run(...args: string[]): Promise<Said>
  /** One `load` of the folder. */
  go(...args: string[]): Promise<Record<string, unknown>>
  ask(sql: string): Promise<string>
}

function world(t: TestContext, into: string): World {
  const dir = scratch(t)
  mkdirSync(join(dir, 'in'))
  const run = (...args: string[]): Promise<Said> => sluice([...args, '--data-dir', 'data'], { cwd: dir })
  return {
    dir,
    run,
    put: (name, ...records) => writeFileSync(join(dir, 'in', name), records.map((record) => `${JSON.stringify(record)}\n`).join('')),
    go: async (...args) => documentOf(await run('load', 'in', '--into', into, '--to', 'duckdb:w.duckdb', '--jobs', '1', '--json', ...args)),
    ask: async (sql) => (await run('sql', '--to', 'duckdb:w.duckdb', '--format', 'csv', sql)).stdout,
  }
}

const counts = (document: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(document['balance'] as Record<string, unknown>).filter(([name, n]) => n !== 0 && name !== 'balances'))

test('upserts into a schema, every verb, a column that joins, and a lost ledger', async (t) => {
  const { dir, put, run, go, ask } = world(t, 'raw.events')
  put('a.ndjson', { id: 1, v: 'a' }, { id: 2, v: 'b' }, { v: 'no key' })
  const first = await go('--key', 'id', '--mode', 'upsert')
  assert.deepEqual([first['state'], first['exit'], first['target'], counts(first)], ['COMPLETED', 3, `duckdb:${join(dir, 'w.duckdb')}#raw.events`, { read: 3, inserted: 2, quarantined: 1 }])
  put('b.ndjson', { id: 2, v: 'c', more: 1.5 }, { id: 3, v: 'd' }, { id: 1, v: 'a' })
  assert.deepEqual(counts(await go()), { read: 3, inserted: 1, updated: 1, duplicate: 1 })
  assert.deepEqual(counts(await go()), {})
  assert.equal(await ask('select id, v, more from raw.events order by id'), 'id,v,more\n1,a,\n2,c,1.5\n3,d,\n')
  for (const args of [['tables', 'ls'], ['tables', 'count', 'raw.events'], ['tables', 'head', 'raw.events'], ['tables', 'schema', 'raw.events'], ['files', 'show', 'raw.events/1'], ['runs', 'ls'], ['rejects', 'ls'], ['schema', 'diff', 'raw.events'], ['doctor']]) {
    const said = await run(...args, '--json')
    assert.equal(said.code, 0, `${args.join(' ')}: ${said.stdout}${said.stderr}`)
  }
  assert.deepEqual((documentOf(await run('rejects', 'ls', '--json'))['items'] as Record<string, unknown>[]).map(({ code }) => code), ['KEY_MISSING'])
  for (const name of readdirSync(join(dir, 'data'))) if (name.startsWith('ledger.db')) rmSync(join(dir, 'data', name))
  put('c.ndjson', { id: 4, v: 'e' })
  const rebuilt = await go()
  assert.deepEqual([rebuilt['exit'], counts(rebuilt), rebuilt['version']], [0, { read: 1, inserted: 1 }, 3])
  assert.equal((await run('doctor')).code, 0)
})

test('replace: the table is what the newest load brought, with the old state until then', async (t) => {
  const { dir, put, go, ask } = world(t, 'daily')
  put('a.ndjson', { id: 1 }, { id: 2 })
  assert.deepEqual(counts(await go('--mode', 'replace')), { read: 2, inserted: 2 })
  rmSync(join(dir, 'in', 'a.ndjson'))
  put('b.ndjson', { id: 3 })
  assert.deepEqual(counts(await go()), { read: 1, inserted: 1 })
  assert.equal(await ask('select id from daily'), 'id\n3\n')
})

test('the delta holds what the last load brought, and days come one by one', async (t) => {
  const { put, run, go, ask } = world(t, 'events')
  put('a.ndjson', { id: 1, at: '2026-01-01 10:00:00', v: 1 }, { id: 1, at: '2026-01-02 10:00:00', v: 2 }, { id: 2, at: '2026-01-02 11:00:00', v: 3 })
  const day = (n: number): string[] => ['--date-field', 'at', '--since', `2026-01-0${n}`, '--until', `2026-01-0${n + 1}`]
  assert.deepEqual(counts(await go('--key', 'id', '--mode', 'upsert', '--delta', 'fresh.events', ...day(1))), { read: 3, inserted: 1, skipped: 2 })
  assert.equal(await ask('select id, v from fresh.events'), 'id,v\n1,1\n')
  assert.deepEqual(counts(await go('--delta', 'fresh.events', ...day(2))), { read: 3, inserted: 1, updated: 1, skipped: 1 })
  assert.equal(await ask('select id, v from fresh.events order by id'), 'id,v\n1,2\n2,3\n')
  assert.deepEqual(counts(await go('--delta', 'fresh.events', ...day(2))), {})
  assert.equal(await ask('select count(*) as n from fresh.events'), 'n\n0\n')
  assert.equal((await run('doctor')).code, 0)
})
