/** Every --json document against docs/reference/json.md, both ways; and the listings for people. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'
import type { Said } from '../command.ts'

/** Paths of a page's section by schema; `?` may be absent, `.*` covers everything below. */
function documented(): Map<string, string[]> {
  const text = readFileSync(join(import.meta.dirname, '../../docs/reference/json.md'), 'utf8')
  const sections = new Map<string, string[]>()
  for (const section of text.split(/^## /m).slice(1)) {
    const [title = '', ...lines] = section.split('\n')
    const paths = lines.flatMap((line) => /^\| `([^`]+)` \|/.exec(line)?.[1] ?? [])
    for (const schema of title.split(', ')) sections.set(schema.trim(), paths)
  }
  return sections
}

function pathsOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.length === 0 ? [] : value.flatMap((item) => pathsOf(item, `${path}[]`))
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([name, member]) => pathsOf(member, path === '' ? name : `${path}.${name}`))
}

const pages = documented()
const seen = new Map<string, Set<string>>()

function check(said: Said): Record<string, unknown> {
  const document = documentOf(said)
  const schema = String(document['schema'])
  const page = pages.get(schema)
  assert.ok(page !== undefined, `${schema} is not in json.md`)
  const rest = Object.fromEntries(Object.entries(document).filter(([name]) => name !== 'schema'))
  const found = seen.get(schema) ?? new Set<string>()
  seen.set(schema, found)
  for (const path of pathsOf(rest, '')) {
    const known = page.find((entry) => {
      const plain = entry.replace(/\?$/, '')
      return plain.endsWith('.*') ? path.startsWith(plain.slice(0, -1)) : plain === path
    })
    assert.ok(known !== undefined, `${schema}: ${path} is not in json.md`)
    found.add(known)
  }
  for (const entry of page) {
    if (entry.endsWith('?') || entry.endsWith('*')) continue
    // Members of items are there when there are items.
    const list = /^(\w+)\[\]/.exec(entry)?.[1]
    if (list !== undefined && (document[list] as unknown[]).length === 0) continue
    assert.ok(found.has(entry) || [...found].some((path) => path.startsWith(`${entry}.`)), `${schema}: ${entry} is in json.md, not in the document`)
  }
  return document
}

test('documents and json.md agree', async (t) => {
  const room = scratch(t)
  const run = async (...args: string[]): Promise<Record<string, unknown>> => check(await sluice([...args, '--json'], { cwd: room }))
  await run('--version')
  await run('--help')
  await run('laod')
  await run('explain', 'USAGE')
  await run('generate', '--files', '3', '--records', '20', '--dup', '10%', '--bad', '5%', '-o', 'in')
  writeFileSync(join(room, 'in/broken.json'), '{"records":[}')
  const loaded = await run('load', 'in', '--into', 'events', '--key', 'id,ts')
  assert.equal((await run('inspect', 'in'))['exit'], 3)
  assert.equal((await run('convert', 'in', '--to', 'csv', '-o', 'out'))['exit'], 3)
  writeFileSync(join(room, 'copies'), '')
  await run('sync', 'in', 'copies')
  mkdirSync(join(room, 'final'))
  writeFileSync(join(room, 'final/broken.json'), 'in the way')
  assert.equal((await run('sync', 'in', 'final'))['exit'], 3)
  const files = (await run('files', 'ls'))['items'] as { path: string; state: string; seq: number }[]
  assert.deepEqual(files.map((file) => file.state).toSorted(), ['COMPLETED', 'COMPLETED', 'COMPLETED', 'FAILED'])
  await run('files', 'show', 'events/1')
  await run('runs', 'ls')
  await run('runs', 'show', String(loaded['run']))
  const rejects = (await run('rejects', 'ls'))['items'] as { id: string; raw: string }[]
  assert.equal(rejects.length, 3)
  assert.deepEqual(((await run('rejects', 'show', String(rejects[0]?.id)))['items'] as { raw: string }[])[0]?.raw, rejects[0]?.raw)
  await run('tables', 'ls')
  await run('tables', 'head', 'events')
  await run('tables', 'schema', 'events')
  await run('tables', 'count', 'events')
  await run('sql', 'select * from events')
  await run('sql', 'select * from events', '-o', 'events.parquet')
  writeFileSync(join(room, 'closed.ndjson'), '{"id":1,"more":1.5}\n{"id":2,"other":"x","v":"bad"}\n')
  await run('load', 'closed.ndjson', '--into', 'closed', '--columns', 'id:int64,v:int64')
  await run('schema', 'diff', 'closed')
  await run('schema', 'accept', 'closed', 'more')
  await run('schema', 'reject', 'closed', 'v')
  writeFileSync(join(room, 'count.sql'), '-- model: counts\n-- depends_on: closed\n\nselect count(*) as n from closed')
  await run('models', 'run', '--models', 'count.sql')
  await run('models', 'ls')
  await run('models', 'show', 'counts')
  await run('load', 'closed.ndjson', '--into', 'closed', '--models', 'count.sql')
  await run('doctor')
  await run('logs')
  await run('clean', '--dry-run')
  writeFileSync(join(room, 'sluice.config.mjs'), `export default { name: 'events', load: 'in', into: 'events' }`)
  await run('config', 'show')
  await run('config', 'validate')
  rmSync(join(room, 'sluice.config.mjs'))
  await run('load', 'in', '--into', 'each', '--to', 'delta:', '--to', 'sqlite:each.db', '--data-dir', 'elsewhere')
  await run('demo')
  const missed = [...pages.keys()].filter((schema) => !seen.has(schema))
  assert.deepEqual(missed, [], 'no command was run for these pages')
})

test('pages of a listing join without gap or overlap', async (t) => {
  const room = scratch(t)
  await sluice(['generate', '--files', '7', '--records', '10', '--dup', '0', '--bad', '50%', '-o', 'in'], { cwd: room })
  await sluice(['load', 'in', '--into', 'events', '--key', 'id,ts'], { cwd: room })
  for (const [verb, id, total] of [['files', 'path', 7], ['rejects', 'id', 35]] as const) {
    const ids: string[] = []
    for (let after: string | null = ''; after !== null; ) {
      const said = await sluice([verb, 'ls', '--limit', '3', ...(after === '' ? [] : ['--after', after]), '--json'], { cwd: room })
      const document = documentOf(said) as unknown as { items: Record<string, string>[]; next: string | null }
      assert.ok(document.items.length <= 3)
      ids.push(...document.items.map((item) => item[id] ?? ''))
      after = document.next
    }
    assert.deepEqual([ids.length, new Set(ids).size], [total, total], verb)
  }
})

test('listings for people are aligned columns on stdout', async (t) => {
  const room = scratch(t)
  await sluice(['generate', '--files', '2', '--records', '10', '--dup', '0', '--bad', '10%', '-o', 'in'], { cwd: room })
  await sluice(['load', 'in', '--into', 'events', '--key', 'id,ts'], { cwd: room })
  const said = async (...args: string[]): Promise<string> => (await sluice(args, { cwd: room })).stdout
  assert.match(await said('files', 'ls'), /^state {6,}file {6,}size .*\nCOMPLETED {2}events\/1 /)
  assert.match(await said('runs', 'ls'), /^run +state +table .*\nr_\w+ +COMPLETED +events .*✓ balances\n$/)
  assert.match(await said('rejects', 'ls'), /^reject +code +row .*\nevents\/\d-\d+ +KEY_MISSING /)
  assert.match(await said('tables', 'ls'), /^table +rows .*\nevents +18 /)
  assert.equal(await said('tables', 'count', 'events'), '18 rows\n')
  assert.match(await said('tables', 'schema', 'events'), /\nid +string\ndata +string\nts +timestamp\n$/)
  assert.match(await said('doctor'), /✓ clean: 1 table, 2 arrivals\n$/)
})
