/** Keys and keeps that must work out of the box, on records made by hand, on both targets. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'

type Item = Record<string, string | number | null>

const EARLY = '2026-01-01T00:00:00.000Z'
const LATE = '2026-01-01T00:00:01.000Z'

interface Case {
  name: string
  flags: string[]
  /** One file each, in the order of their names. */
  files: Item[][]
  /** Rows of the table, without the place. */
  rows: Item[]
  balance: Record<string, number>
}

const events: Item[][] = [
  [{ id: 'a', ts: EARLY, data: 1 }, { id: 'b', ts: EARLY, data: 2 }, { id: 'a', ts: LATE, data: 3 }],
  [{ id: 'a', ts: EARLY, data: 4 }, { id: 'c', ts: LATE, data: 5 }, { id: 'b', ts: EARLY, data: 2 }],
]
const products: Item[][] = [
  [{ sku: 'x', name: 'one', version: 2 }, { sku: 'y', name: 'two', version: 1 }],
  [{ sku: 'x', name: 'one, again', version: 1 }, { sku: 'x', name: 'one', version: 2 }, { sku: 'y', name: 'three', version: 4 }],
]

const CASES: Case[] = [
  {
    name: '(id, ts): same id and ts is a duplicate even if data differs, same id with other ts is kept',
    flags: ['--key', 'id,ts'],
    files: events,
    rows: [{ id: 'a', ts: EARLY, data: 1 }, { id: 'b', ts: EARLY, data: 2 }, { id: 'a', ts: LATE, data: 3 }, { id: 'c', ts: LATE, data: 5 }],
    balance: { read: 6, inserted: 4, duplicate: 2 },
  },
  {
    name: 'ts alone',
    flags: ['--key', 'ts'],
    files: events,
    rows: [{ id: 'a', ts: EARLY, data: 1 }, { id: 'a', ts: LATE, data: 3 }],
    balance: { read: 6, inserted: 2, duplicate: 4 },
  },
  {
    name: '(id, ts), the last one stays',
    flags: ['--key', 'id,ts', '--mode', 'upsert'],
    files: events,
    rows: [{ id: 'a', ts: LATE, data: 3 }, { id: 'a', ts: EARLY, data: 4 }, { id: 'c', ts: LATE, data: 5 }, { id: 'b', ts: EARLY, data: 2 }],
    balance: { read: 6, inserted: 4, duplicate: 1, stale: 1 },
  },
  {
    name: '(id, ts), other content is an error',
    flags: ['--key', 'id,ts', '--keep', 'error'],
    files: events,
    rows: [{ id: 'a', ts: EARLY, data: 1 }, { id: 'b', ts: EARLY, data: 2 }, { id: 'a', ts: LATE, data: 3 }, { id: 'c', ts: LATE, data: 5 }],
    balance: { read: 6, inserted: 4, duplicate: 1, quarantined: 1 },
  },
  {
    name: 'sku, upsert',
    flags: ['--key', 'sku', '--mode', 'upsert'],
    files: products,
    rows: [{ sku: 'x', name: 'one', version: 2 }, { sku: 'y', name: 'three', version: 4 }],
    balance: { read: 5, inserted: 2, duplicate: 1, stale: 2 },
  },
  {
    name: 'sku, the highest version stays',
    flags: ['--key', 'sku', '--mode', 'upsert', '--keep', 'max:version'],
    files: products,
    rows: [{ sku: 'x', name: 'one', version: 2 }, { sku: 'y', name: 'three', version: 4 }],
    balance: { read: 5, inserted: 2, duplicate: 1, stale: 2 },
  },
  {
    name: 'no key: every record',
    flags: [],
    files: products,
    rows: products.flat(),
    balance: { read: 5, inserted: 5 },
  },
]

function normal(items: readonly Item[]): string[] {
  const text = (value: string | number | null): string | number | null => (typeof value === 'string' && /^\d{4}-.*Z$/.test(value) ? new Date(value).toISOString() : value)
  return items.map((item) => JSON.stringify(Object.entries(item).map(([name, value]) => [name, text(value)]).toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)))).toSorted()
}

async function tryCase(t: TestContext, one: Case, to: string): Promise<void> {
  const room = scratch(t)
  mkdirSync(join(room, 'in'))
  one.files.forEach((records, i) => writeFileSync(join(room, `in/f${i + 1}.json`), JSON.stringify({ records })))
  const said = await sluice(['load', 'in', '--into', 't', '--to', to, ...one.flags, '--json'], { cwd: room })
  const document = documentOf(said)
  const zero = { read: 0, inserted: 0, updated: 0, duplicate: 0, stale: 0, skipped: 0, quarantined: 0, evicted: 0 }
  assert.deepEqual(document['balance'], { ...zero, ...one.balance, balances: true }, said.stdout)
  assert.equal(said.code, (one.balance['quarantined'] ?? 0) > 0 ? 3 : 0)
  const head = documentOf(await sluice(['tables', 'head', 't', '--limit', '100', '--json'], { cwd: room }))
  assert.deepEqual(normal(head['items'] as Item[]), normal(one.rows))
}

for (const to of ['delta:', 'sqlite:t.db']) {
  for (const one of CASES) test(`${to} ${one.name}`, (t) => tryCase(t, one, to))
}

test('two loads: the second upsert replaces, the first dedupe stays', async (t) => {
  const room = scratch(t)
  mkdirSync(join(room, 'in'))
  for (const [table, flags] of [['kept', ['--key', 'sku']], ['newest', ['--key', 'sku', '--mode', 'upsert']]] as const) {
    const load = async (): Promise<unknown> => documentOf(await sluice(['load', 'in', '--into', table, ...flags, '--json'], { cwd: room }))['balance']
    writeFileSync(join(room, 'in/a.json'), JSON.stringify({ records: [{ sku: 'x', name: 'one' }] }))
    writeFileSync(join(room, 'in/b.json'), '{"records":[]}')
    await load()
    writeFileSync(join(room, 'in/b.json'), JSON.stringify({ records: [{ sku: 'x', name: 'two' }] }))
    const balance = (await load()) as Record<string, number>
    const rows = documentOf(await sluice(['tables', 'head', table, '--json'], { cwd: room }))['items']
    assert.deepEqual([balance['read'], balance['updated'], balance['duplicate'], rows], table === 'kept' ? [1, 0, 1, [{ sku: 'x', name: 'one' }]] : [1, 1, 0, [{ sku: 'x', name: 'two' }]])
  }
})
