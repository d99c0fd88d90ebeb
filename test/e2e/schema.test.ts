/** `sluice schema diff|accept|reject` as a user runs it: both targets, later loads, and kills in the middle. */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'
import type { SchemaItem } from '../../src/service/schema.ts'

const COLUMNS = 'id:int64,v:string,day:date,addr:struct<zip:string>'
const FIRST = ['{"id":1,"v":"a","more":1.5,"addr":{"zip":"1","country":"de"}}', '{"id":2,"day":"21.11.2026","more":2}', '{"id":3,"Other One":"x","more":7}', '{"id":3.5,"more":9}'].join('\n')

for (const to of ['delta:', 'sqlite:x.db']) {
  test(`what arrived is listed, accepted, rejected: ${to}`, async (t) => {
    const room = scratch(t)
    const run = (...args: string[]): ReturnType<typeof sluice> => sluice([...args, '--to', to], { cwd: room })
    const items = async (...flags: string[]): Promise<[string, unknown, unknown, number, string][]> => {
      const { items: all } = documentOf(await run('schema', 'diff', 't', '--json', ...flags)) as unknown as { items: SchemaItem[] }
      return all.map(({ column, has, type, records, state }) => [column, has, type, records, state])
    }
    writeFileSync(join(room, 'a.ndjson'), FIRST)
    assert.equal((await run('load', 'a.ndjson', '--into', 't', '--columns', COLUMNS, '--key', 'id', '--mode', 'upsert')).code, 3)
    const sqlite = to !== 'delta:'
    assert.deepEqual(await items(), [
      ['addr.country', null, null, 1, 'refused'], ['more', null, 'double', 2, 'open'], ['Other One', null, 'string', 1, 'open'],
      ['day', 'date', 'string', 1, sqlite ? 'open' : 'refused'], ['id', 'int64', 'decimal(38,18)', 1, 'refused'],
    ])
    const accepted = await run('schema', 'accept', 't', 'more', '--type', 'decimal(10,2)')
    assert.equal(accepted.code, 0, accepted.stderr)
    assert.match(accepted.stdout, /change +add more\n(.*\n)* +more is a decimal\(10,2\) from now on\. 2 records that had it lie in the table without it; load the files again with --reload/)
    assert.match((await run('schema', 'accept', 't', 'addr.country')).stderr, /TABLE_UNSUPPORTED.*struct inside/)
    assert.equal((await run('schema', 'accept', 't', 'day')).code, sqlite ? 0 : 4)
    assert.equal((await run('schema', 'reject', 't', 'other one')).code, 0)
    assert.match((await run('schema', 'reject', 't', 'Other One')).stdout, /rejected before/)
    assert.equal((await run('schema', 'accept', 't', 'nothing')).code, 6)
    assert.deepEqual((await items()).map(([column]) => column), sqlite ? ['addr.country', 'id'] : ['addr.country', 'day', 'id'])
    assert.ok((await items('--all')).some(([column, , , , state]) => column === 'Other One' && state === 'unwanted'))
    // The next load fills the column; the old --columns are another definition now.
    writeFileSync(join(room, 'b.ndjson'), '{"id":1,"v":"a","more":1.10,"addr":{"zip":"1"}}\n{"id":7,"day":"21.11.2026"}\n')
    assert.equal((await run('load', 'b.ndjson', '--into', 't', '--columns', COLUMNS)).code, 4)
    assert.equal((await run('load', 'b.ndjson', '--into', 't')).code, sqlite ? 0 : 3)
    const head = documentOf(await run('tables', 'head', 't', '--json')) as unknown as { items: Record<string, unknown>[] }
    assert.deepEqual(head.items.find(({ id }) => id === 1), { id: 1, v: 'a', day: null, addr: { zip: '1' }, more: 1.1 })
    assert.match((await run('tables', 'head', 't', '--json')).stdout, /"more":1\.10/)
    // Everything is told by the table: a lost ledger loses nothing of it.
    const before = await items('--all')
    for (const end of ['', '-wal', '-shm']) rmSync(join(room, 'sluice-data', `ledger.db${end}`), { force: true })
    writeFileSync(join(room, 'c.ndjson'), '{"id":8}\n')
    assert.equal((await run('load', 'c.ndjson', '--into', 't')).code, 0)
    assert.deepEqual(await items('--all'), before)
    assert.equal((await sluice(['doctor'], { cwd: room })).code, 0)
  })

  test(`killed while it accepts, the table has the column or not, and accept again is enough: ${to}`, async (t) => {
    const room = scratch(t)
    writeFileSync(join(room, 'a.ndjson'), FIRST)
    await sluice(['load', 'a.ndjson', '--into', 't', '--columns', COLUMNS, '--to', to], { cwd: room })
    // Every other step: test/contract/target-alter.ts.
    const points = to === 'delta:' ? ['delta.link.before', 'delta.link.after'] : ['database.commit.before', 'database.commit.after']
    for (const [at, point] of points.entries()) {
      const accept = ['schema', 'accept', 't', `new${at}`, '--type', 'list<string>', '--to', to]
      const dead = await sluice(accept, { cwd: room, env: { SLUICE_FAILPOINT: point } })
      assert.equal(dead.signal, 'SIGKILL', `${point}: ${dead.stderr}`)
      const there = (): Promise<boolean> => sluice(['tables', 'schema', 't', '--to', to], { cwd: room }).then(({ stdout }) => stdout.includes(`new${at}`))
      const was = await there()
      const again = await sluice(accept, { cwd: room })
      assert.equal(again.code, was ? 6 : 0, `${point}: ${again.stderr}`)
      assert.ok(await there(), point)
    }
    writeFileSync(join(room, 'b.ndjson'), '{"id":9,"new0":["x"]}\n')
    assert.equal((await sluice(['load', 'b.ndjson', '--into', 't', '--to', to], { cwd: room })).code, 0)
    assert.equal((await sluice(['doctor'], { cwd: room })).code, 0)
  })
}
