/**
 * examples/events on a PostgreSQL server by its URL alone, and days against everything at once: the same rows.
 * process.env['SLUICE_TEST_POSTGRES_URL'] names the server.
 */
import assert from 'node:assert/strict'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sameRows } from '../example-runs.ts'
import type { Step } from '../example-runs.ts'
import { ownDatabase } from '../postgres.ts'

const LATE = '[{"id":"late-1","event_type":"Signed In","username":"Noca Dunton","user_email":"noca.dunton@example.com","user_type":"User","organization_name":"Dunley Ltd","plan_name":"Basic","received_at":"2020-12-06 23:59:59.999999"}]'
const BEGIN: Step[] = [['generate', '--like', 'events', '--records', '5000', '-o', 'incoming'], ['load', 'organizations']]
const BY_DAY: Step[] = [['load', 'events', '--since', '2020-12-08', '--until', '2020-12-09'], ['load', 'events', '--since', '2020-12-06', '--until', '2020-12-07']]
const END: Step[] = [
  ['load', 'events'],
  (folder) => copyFileSync(join(folder, 'incoming/events/events_sample.json'), join(folder, 'incoming/events/again.json')),
  ['load', 'events'],
  (folder) => writeFileSync(join(folder, 'incoming/events/late.json'), LATE),
  ['load', 'events'],
]
const MODELLED = [
  'select cast(day as text) as day, events from modelled.events order by 1',
  'select cast(day as text) as day, unique_events from modelled.unique_events order by 1',
  'select cast(day as text) as day, organization_name, organization_key, events from modelled.events_per_organization order by 1, 2',
  'select cast(day as text) as day, user_type, events from modelled.events_per_user_type order by 1, 2',
]
const RAW = [
  'select id, event_type, username, user_email, user_type, organization_name, plan_name from raw.events order by id',
  'select organization_key, organization_name from raw.organizations order by organization_key',
  'select id from raw.events_delta order by id',
]

test('events and their counts are the same in DuckDB and in PostgreSQL', async (t) => {
  const database = await ownDatabase()
  t.after(() => database.drop())
  const [perDay = [], , , , , , delta = []] = await sameRows(t, { example: 'events', steps: [...BEGIN, ...BY_DAY, ...END], queries: [...MODELLED, ...RAW] }, ['duckdb:warehouse.duckdb', database.url])
  const events = perDay.reduce((sum, line) => sum + Number((JSON.parse(line) as { events: number }).events), 0)
  assert.deepEqual([perDay.length, events], [5, 4751], 'each id once, however often its file was dropped, and the late one')
  assert.deepEqual(delta, ['{"id":"late-1"}'])
  const atOnce = await sameRows(t, { example: 'events', steps: [...BEGIN, ...END], queries: MODELLED }, ['duckdb:warehouse.duckdb'])
  assert.deepEqual(atOnce[0], perDay)
})
