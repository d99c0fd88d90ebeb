/** What lists everything goes on when a part of it cannot be asked: a server that is down hides nothing but its own tables. */
import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'
import type { Said } from '../command.ts'

// Nothing listens on port 1.
const SERVER = 'postgres://me@127.0.0.1:1/shop'
const URI = `${SERVER}#public.orders`

test('a server that is down is named, the others are listed, and the exit code tells', async (t) => {
  const room = scratch(t)
  const run = (...args: string[]): Promise<Said> => sluice(args, { cwd: room })
  writeFileSync(join(room, 'a.ndjson'), '{"id":1}\n{"id":null}\n')
  await run('load', 'a.ndjson', '--into', 'events', '--key', 'id', '--to', 'sqlite:e.db')
  assert.equal((await run('doctor')).code, 0)
  // As a load into the server writes it down; the name sorts before and behind that of the other table.
  mkdirSync(join(room, 'sluice-data/tables'), { recursive: true })
  for (const table of ['orders', 'a_first']) writeFileSync(join(room, `sluice-data/tables/${table}@0123456789ab.json`), JSON.stringify({ table, scheme: 'postgres', location: SERVER }))

  const tables = documentOf(await run('tables', 'ls', '--json'))['items'] as { name: string; uri: string; rows: number | null; fault: { code: string; exit: number } | null }[]
  assert.deepEqual(tables.map(({ name, rows, fault }) => [name, rows, fault?.code ?? null]), [['a_first', null, 'UNREACHABLE'], ['events', 1, null], ['orders', null, 'UNREACHABLE']])
  assert.equal(tables[2]?.uri, URI)
  const listed = await run('tables', 'ls')
  assert.equal(listed.code, 5)
  assert.match(listed.stdout, /\nevents +1 .*\norders +\? .*#public\.orders +UNREACHABLE\n/)
  assert.equal(listed.stderr.split('error[UNREACHABLE]').length, 2, 'the reason is said once')
  assert.match(listed.stderr, /help: Check host, port and network/)

  const rejects = await run('rejects', 'ls')
  assert.equal(rejects.code, 5)
  assert.match(rejects.stdout, /\nevents\/1-2 +KEY_MISSING /)
  assert.match(rejects.stderr, /\? orders at postgres:.*UNREACHABLE/)
  assert.equal((await run('rejects', 'ls', '--table', 'events')).code, 0)

  const models = await run('models', 'ls')
  assert.equal(models.code, 5)
  assert.match(models.stdout, /unseen .*postgres:\/\/me@127\.0\.0\.1:1\/shop +UNREACHABLE/)
  writeFileSync(join(room, 'm.sql'), '-- model: counts\n-- depends_on: events\n\nselect count(*) as n from events')
  await run('models', 'run', '--models', 'm.sql', '--to', 'sqlite:e.db')
  assert.match((await run('models', 'ls')).stdout, /\ncounts +fresh +1 /)
  assert.equal((await run('models', 'show', 'counts')).code, 0)
  assert.equal((await run('models', 'show', 'nothing')).code, 5, 'it may be where nobody could be asked')

  const doctor = await run('doctor', '--json')
  const found = documentOf(doctor)
  assert.deepEqual([doctor.code, found['clean'], found['exit'], found['tables'], found['arrivals']], [5, false, 5, 1, 1])
  assert.deepEqual((found['findings'] as { grade: string; path: string }[]).map(({ grade, path }) => [grade, path.slice(0, 11)]), [['unseen', 'postgres://'], ['unseen', 'postgres://']])
  assert.match((await run('doctor')).stdout, /\? clean as far as it could be seen: 1 table, 1 arrival\./)
  const clean = await run('clean', '--attempts', '--dry-run', '--json')
  assert.equal(clean.code, 0, clean.stdout + clean.stderr)
  assert.match(clean.stdout, /UNREACHABLE/)

  // Something broken counts before something unseen.
  appendFileSync(join(room, 'b.ndjson'), '{"id":2}\n')
  await run('load', 'b.ndjson', '--into', 'broken', '--to', 'sqlite:b.db')
  writeFileSync(join(room, 'b.db'), 'no database')
  const worse = await run('doctor')
  assert.equal(worse.code, 1, worse.stdout + worse.stderr)
  assert.match(worse.stdout, /✗ broken +.*\n(.*\n)*✗ not clean: 1 table/)
})
