/** Samples: what they promise is counted in what they wrote. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { documentOf, scratch, sluice } from '../../test/command.ts'
import { SAMPLE_MAKERS } from './samples.ts'

test('products have the skus and names of the real delivery', () => {
  const [sample] = SAMPLE_MAKERS.products(500_000, 1)
  const [skus, names] = [new Set<string>(), new Set<string>()]
  let rows = 0
  // Only the beginning of a row has a sku: a description may go on in a second line.
  for (const piece of sample?.text() ?? []) {
    for (const [, name = '', sku = ''] of piece.matchAll(/^([A-Z]\w+ [A-Z]\w+),([a-z]+-[a-z]+-[a-z]+-[a-z]+),/gm)) {
      rows++
      names.add(name)
      skus.add(sku)
    }
  }
  assert.deepEqual([rows, skus.size, names.size, sample?.keys], [500_000, 466_693, 212_751, 466_693])
})

interface Event {
  id: string
  organization_name: string
  received_at: string
}

test('events repeat as many ids as promised, and name the organizations of their file', async (t) => {
  const folder = scratch(t)
  const said = await sluice(['generate', '--like', 'events', '--records', '2000', '--seed', '3', '-o', folder, '--json'])
  assert.equal(said.code, 0, said.stderr)
  const files = documentOf(said)['files'] as { file: string; records: number; keys: number }[]
  const read = (file: string): unknown => JSON.parse(readFileSync(join(folder, file), 'utf8'))
  const events = read('events/events_sample.json') as Event[]
  const custom = read('custom_sample.json') as Event[]
  const names = new Set((read('organizations/organizations_sample.json') as Event[]).map((one) => one.organization_name))
  assert.deepEqual(files.map(({ records, keys }) => [records, keys]), [[2000, 1900], [40, 40], [20, 19]])
  assert.deepEqual([events.length, new Set(events.map(({ id }) => id)).size], [2000, 1900])
  assert.equal(new Set([...events, ...custom].map(({ id }) => id)).size, 1919, 'the custom file has other events')
  assert.ok([...events, ...custom].every((one) => names.has(one.organization_name) && /^2020-12-(0[6-9]|10) \d\d:\d\d:\d\d\.\d{6}$/.test(one.received_at)))
})

test('what lays made-up records in files has no say in a sample', async (t) => {
  const said = await sluice(['generate', '--like', 'events', '--dup', '5%', '-o', scratch(t)])
  assert.equal(said.code, 2)
  assert.match(said.stderr, /--like events and --dup do not go together/)
})
