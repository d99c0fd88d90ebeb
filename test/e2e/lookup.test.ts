/** What listings find: rejects of a run, tables of one name in two targets, files by any of their names; and what they refuse. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'

interface Page {
  items: Record<string, unknown>[]
  next: string | null
}

/** Writes `in/<name>` with these records. */
function put(room: string, name: string, ...records: string[]): void {
  mkdirSync(join(room, 'in'), { recursive: true })
  writeFileSync(join(room, 'in', name), `{"records":[${records.join(',')}]}`)
}

const asks = (room: string) => async (...args: string[]): Promise<Page & Record<string, unknown>> =>
  documentOf(await sluice([...args, '--json'], { cwd: room })) as Page & Record<string, unknown>

/** Every page of a listing, one item each. */
async function allPages(ask: ReturnType<typeof asks>, ...args: string[]): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = []
  for (let after: string | null = ''; after !== null && items.length < 50; ) {
    const page: Page = await ask(...args, '--limit', '1', ...(after === '' ? [] : ['--after', after]))
    items.push(...page.items)
    after = page.next
  }
  return items
}

for (const to of ['delta:o', 'sqlite:x.db']) {
  test(`${to}: the rejects of a run are those that its commits put aside, evicted rows too`, async (t) => {
    const room = scratch(t)
    const ask = asks(room)
    const load = (path: string) => ask('load', path, '--into', 't', '--to', to, '--columns', 'id:int64,v:string', '--key', 'id', '--keep', 'error')
    put(room, 'a.json', '{"id":1')
    // a.json is numbered first and fails; when it is put right it keeps its number, so its record comes before that of b.json.
    const early = await load('in')
    assert.equal((early['files'] as Record<string, number>)['failed'], 1)
    put(room, 'b.json', '{"id":1,"v":"late"}', '{"v":"no key"}')
    const second = await load('in/b.json')
    put(room, 'a.json', '{"id":1,"v":"first"}', '{"id":2,"v":"b"}')
    const third = await load('in')
    assert.equal((third['balance'] as Record<string, number>)['evicted'], 1)
    const of = async (run: unknown): Promise<string[]> => (await ask('rejects', 'ls', '--run', String(run))).items.map((item) => `${String(item['id'])} ${String(item['code'])}`)
    assert.deepEqual(await of(second['run']), ['t/2-2 KEY_MISSING'])
    assert.deepEqual(await of(third['run']), ['t/2-1 KEY_REPEATED'])
    assert.deepEqual(await of(early['run']), [])
  })
}

test('two tables of one name: --to says which one, everywhere', async (t) => {
  const room = scratch(t)
  const ask = asks(room)
  put(room, 'a.json', '{"id":1}', '{"no":1}', '{"no":2}')
  for (const to of ['sqlite:x.db', 'delta:o']) await ask('load', 'in', '--into', 't', '--key', 'id', '--to', to)
  for (const args of [['files', 'ls', '--table', 't'], ['runs', 'ls', '--table', 't'], ['rejects', 'ls', '--table', 't'], ['tables', 'count', 't'], ['files', 'show', 't/1'], ['rejects', 'show', 't/1-2']]) {
    const said = await ask(...args)
    assert.deepEqual([said['code'], said['exit']], ['USAGE', 2], args.join(' '))
    assert.match(String(said['message']), /There are 2 tables t: .*(sqlite:.*x\.db.*delta:.*o|delta:.*o.*sqlite:.*x\.db)/)
    assert.match(String(said['hint']), /--to/)
    const chosen = await ask(...args, '--to', 'sqlite:x.db')
    assert.equal(chosen.items.length, args[0] === 'rejects' && args[1] === 'ls' ? 2 : 1, args.join(' '))
    if (args[0] === 'files' || args[0] === 'runs') assert.match(String(chosen.items[0]?.['table']), /^sqlite:/)
  }
  assert.deepEqual([(await ask('files', 'ls', '--to', 'delta:o'))['exit'], (await ask('files', 'ls', '--table', 't', '--to', 'delta:p'))['exit']], [2, 6])
  const rejects = await allPages(ask, 'rejects', 'ls')
  assert.deepEqual(rejects.map((item) => item['id']), ['t/1-2', 't/1-3', 't/1-2', 't/1-3'])
  // A table at home is meant before all others.
  await ask('load', 'in', '--into', 't', '--key', 'id', '--to', 'delta:')
  assert.doesNotMatch(String((await ask('files', 'show', 't/1')).items[0]?.['table']), /^sqlite:|\/o\//)
  assert.equal((await ask('rejects', 'ls', '--table', 't')).items.length, 2)
  assert.equal((await allPages(ask, 'rejects', 'ls')).length, 6)
})

test('files show: the path, then the number, then the content, then a part of the path', async (t) => {
  const room = scratch(t)
  const ask = asks(room)
  put(room, 'a.json', '{"id":1}')
  put(room, 'b-a.json', '{"id":2}')
  mkdirSync(join(room, 'in/in/t'), { recursive: true })
  writeFileSync(join(room, 'in/in/a.json'), '{"records":[{"id":3}]}')
  writeFileSync(join(room, 'in/in/t/1.json'), '{"records":[{"id":4}]}')
  await ask('load', 'in', '--into', 't', '--key', 'id')
  const files = (await ask('files', 'ls')).items as { path: string; seq: number; sha256: string }[]
  assert.equal(files.length, 4)
  const shown = async (id: string): Promise<unknown> => (await ask('files', 'show', id)).items[0]?.['path']
  const at = (name: string): string => join(room, name)
  assert.deepEqual(await shown('in/a.json'), at('in/a.json'), 'not in/in/a.json')
  assert.deepEqual(await shown(at('in/a.json')), at('in/a.json'))
  assert.deepEqual(await shown('t/1'), files.find((file) => file.seq === 1)?.path)
  for (const { sha256, path } of files) {
    assert.deepEqual(await shown(sha256), path)
    assert.deepEqual(await shown(sha256.slice(0, 12).toUpperCase()), path)
  }
  assert.deepEqual(await shown('b-a'), at('in/b-a.json'))
  const several = await ask('files', 'show', 'a.json')
  const numbers = files.filter((file) => file.path.endsWith('a.json')).map((file) => `t/${file.seq}`)
  assert.deepEqual([several['code'], several['message']], ['NOT_FOUND', `a.json means 3 files: ${numbers.join(', ')}.`])
  assert.deepEqual([(await ask('files', 'show', 'nothing'))['exit'], (await ask('files', 'show', files[0]?.sha256.slice(0, 5) ?? ''))['exit']], [6, 6])
})

test('cursors, codes and runs that there are not are refused', async (t) => {
  const room = scratch(t)
  const ask = asks(room)
  put(room, 'a.json', '{"id":1}', '{"no":1}')
  await ask('load', 'in', '--into', 't', '--key', 'id')
  for (const after of ['x', 't/1-2', 't@00000000/1-2', '1.', '-1', '99999999999999999999']) {
    for (const verb of ['files', 'runs', 'rejects']) {
      const said = await ask(verb, 'ls', `--after=${after}`)
      assert.deepEqual([said['code'], said['exit']], ['USAGE', 2], `${verb} ${after}`)
    }
  }
  for (const args of [['--code', 'NOPE'], ['--run', 'r_none']]) {
    const said = await ask('rejects', 'ls', ...args)
    assert.deepEqual([said['code'], said['exit']], ['NOT_FOUND', 6], args.join(' '))
  }
  assert.deepEqual((await ask('rejects', 'ls', '--code', 'json_invalid')).items, [])
  assert.equal((await ask('rejects', 'ls', '--code', 'key_missing')).items.length, 1)
})
