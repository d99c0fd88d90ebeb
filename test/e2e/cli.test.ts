/** What a user does: generate, load, load again, rename, kill, resume. Counted by the command and expected by the files. */
import assert from 'node:assert/strict'
import { copyFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { documentOf, scratch, sluice } from '../command.ts'

interface Loaded {
  state: string
  exit: number
  version: number | null
  balance: Record<string, number | boolean>
  files: Record<string, number>
  reasons: Record<string, number>
  errors: { code: string; path: string; row?: number; offset?: number; message: string }[]
}

async function generate(folder: string, flags: string[]): Promise<{ records: number; keys: number; duplicates: number; bad: number }> {
  const said = await sluice(['generate', '-o', folder, '--json', ...flags])
  assert.equal(said.code, 0, said.stderr)
  return documentOf(said) as unknown as { records: number; keys: number; duplicates: number; bad: number }
}

async function load(room: string, args: string[]): Promise<Loaded> {
  const said = await sluice(['load', ...args, '--json'], { cwd: room })
  const document = documentOf(said) as unknown as Loaded
  assert.equal(document.exit, said.code, said.stdout + said.stderr)
  return document
}

async function count(room: string, table = 'events'): Promise<number> {
  const said = await sluice(['tables', 'count', table, '--json'], { cwd: room })
  assert.equal(said.code, 0, said.stdout + said.stderr)
  return (documentOf(said)['items'] as { rows: number }[])[0]?.rows ?? -1
}

async function clean(room: string): Promise<void> {
  const said = await sluice(['doctor', '--json'], { cwd: room })
  assert.deepEqual([said.code, documentOf(said)['clean']], [0, true], said.stdout)
}

for (const to of ['delta:', 'delta:lake', 'sqlite:events.db']) {
  test(`many files, expected duplicates, again, renamed and copied: ${to}`, async (t: TestContext) => {
    const room = scratch(t)
    const made = await generate(join(room, 'in'), ['--files', '30', '--records', '100', '--dup', '5%', '--bad', '1%', '--seed', '7'])
    const flags = ['in', '--into', 'events', '--key', 'id,ts', '--to', to]
    const first = await load(room, flags)
    assert.deepEqual([first.state, first.exit], ['COMPLETED', 3])
    assert.deepEqual(first.balance, { read: made.records, inserted: made.keys, updated: 0, duplicate: made.duplicates, stale: 0, skipped: 0, quarantined: made.bad, evicted: 0, balances: true })
    assert.deepEqual(first.reasons, { KEY_MISSING: made.bad })
    assert.equal(first.errors.length, made.bad)
    for (const error of first.errors) assert.ok(error.path.startsWith(room) && (error.row ?? 0) > 0 && (error.offset ?? 0) > 0, JSON.stringify(error))
    const names = readdirSync(join(room, 'in'))
    for (const name of names.slice(0, 3)) renameSync(join(room, 'in', name), join(room, 'in', `renamed-${name}`))
    for (const name of names.slice(3, 6)) copyFileSync(join(room, 'in', name), join(room, 'in', `copy-${name}`))
    const again = await load(room, flags)
    assert.deepEqual([again.exit, again.balance['read'], again.files['known'], again.files['total']], [0, 0, 33, 33])
    assert.equal(await count(room), made.keys)
    await clean(room)
  })
}

test('the last line of stdout is the balance, everything else is on stderr', async (t) => {
  const room = scratch(t)
  await generate(join(room, 'in'), ['--files', '2', '--records', '10', '--dup', '0', '--bad', '0'])
  const said = await sluice(['load', 'in', '--into', 'events', '--key', 'id,ts'], { cwd: room })
  assert.deepEqual([said.code, said.stdout], [0, '20 read = 20 inserted + 0 updated + 0 duplicate + 0 quarantined   ✓ balances\n'], said.stderr)
  const verbose = await sluice(['load', 'in', '--into', 'events', '--reload', '-v'], { cwd: room })
  assert.match(verbose.stderr, /loaded .*events-1\.json {2}.* 10 records/)
  assert.match(verbose.stderr, /committed b_/)
  assert.equal(verbose.stdout, '20 read = 0 inserted + 0 updated + 20 duplicate + 0 quarantined   ✓ balances\n')
  const quiet = await sluice(['load', 'in', '--into', 'events', '-q'], { cwd: room })
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, '', ''])
})

test('a bad file does not stop its neighbours, and says where it is bad', async (t) => {
  const room = scratch(t)
  await generate(join(room, 'in'), ['--files', '2', '--records', '10', '--dup', '0'])
  writeFileSync(join(room, 'in/cut.json'), '{"records":[{"id":"a","ts":"2026-01-01T00:00:00.000Z"},{"id":"b"')
  const flags = ['in', '--into', 'events', '--key', 'id,ts']
  const waiting = await load(room, flags)
  assert.deepEqual([waiting.exit, waiting.files['waiting'], waiting.errors[0]?.code], [3, 1, 'FILE_UNFINISHED'])
  const failed = await load(room, [...flags, '--grace', '0s'])
  assert.deepEqual([failed.exit, failed.files['failed'], failed.balance['read'], failed.errors[0]?.code], [3, 1, 0, 'FILE_TRUNCATED'])
  assert.equal((await load(room, [...flags, '--grace', '0s', '--allow-partial'])).exit, 0)
  const human = await sluice(['load', ...flags, '--grace', '0s'], { cwd: room })
  assert.match(human.stderr, /error\[FILE_TRUNCATED\]: .*\n {2}--> .*cut\.json.*byte 64/)
  assert.equal(await count(room), 20)
  rmSync(join(room, 'in/cut.json'))
  await clean(room)
})

test('what the table is loaded by cannot be changed by a flag', async (t) => {
  const room = scratch(t)
  await generate(join(room, 'in'), ['--files', '1', '--records', '5', '--dup', '0'])
  await load(room, ['in', '--into', 'events', '--key', 'id,ts'])
  for (const [flags, code] of [[['--key', 'id'], 'DEFINITION_DIFFERS'], [['--mode', 'upsert'], 'DEFINITION_DIFFERS'], [['--keep', 'last'], 'DEFINITION_DIFFERS']] as const) {
    const said = await sluice(['load', 'in', '--into', 'events', ...flags, '--json'], { cwd: room })
    assert.deepEqual([said.code, documentOf(said)['code']], [4, code], said.stdout)
  }
  const unknown = await sluice(['load', 'in', '--into', 'others', '--key', 'idd', '--json'], { cwd: room })
  assert.equal(unknown.code, 4, unknown.stdout)
  assert.match(unknown.stdout, /KEY_UNKNOWN/)
  const missing = await sluice(['load', 'nowhere', '--into', 'events', '--json'], { cwd: room })
  assert.deepEqual([missing.code, documentOf(missing)['code']], [6, 'PATH_NOT_FOUND'])
})

test('SIGTERM finishes what is in work and prints the document; the same command goes on', async (t) => {
  const room = scratch(t)
  const made = await generate(join(room, 'in'), ['--files', '400', '--records', '500', '--dup', '5%', '--bad', '0', '--seed', '3'])
  const flags = ['load', 'in', '--into', 'events', '--key', 'id,ts', '--json', '-v']
  const stopped = await sluice(flags, {
    cwd: room,
    onStart: (child) => {
      let sent = false
      child.stderr?.on('data', (text: string) => {
        if (sent || !text.includes('run r_')) return
        sent = true
        child.kill('SIGTERM')
      })
    },
  })
  const document = documentOf(stopped) as unknown as Loaded
  // A batch holds all of it: either the stop came before the claim, or everything was finished.
  assert.ok([143, 0].includes(stopped.code ?? -1), stopped.stderr)
  assert.deepEqual([document.exit, document.state], [stopped.code, stopped.code === 0 ? 'COMPLETED' : 'INTERRUPTED'])
  assert.match(stopped.stderr, /Stopping/)
  await load(room, ['in', '--into', 'events', '--key', 'id,ts'])
  assert.equal(await count(room), made.keys)
  await clean(room)
})

test('kill -9 in the middle, then the same command: nothing is lost, nothing doubles', async (t) => {
  const room = scratch(t)
  const made = await generate(join(room, 'in'), ['--files', '200', '--records', '500', '--dup', '5%', '--bad', '0.1%', '--seed', '4'])
  const flags = ['load', 'in', '--into', 'events', '--key', 'id,ts']
  const killed = await sluice([...flags, '-v'], {
    cwd: room,
    onStart: (child) => child.stderr?.on('data', (text: string) => void (text.includes(' loaded ') && child.kill('SIGKILL'))),
  })
  assert.equal(killed.signal, 'SIGKILL')
  const after = await load(room, ['in', '--into', 'events', '--key', 'id,ts'])
  assert.equal(after.balance['balances'], true)
  assert.equal(await count(room), made.keys)
  await clean(room)
})

test('the demo does what it shows, twice', async (t) => {
  const room = scratch(t)
  const first = await sluice(['demo'], { cwd: room })
  assert.equal(first.code, 0, first.stdout + first.stderr)
  assert.equal(first.stdout.match(/✓ balances/g)?.length, 2)
  const document = documentOf(await sluice(['demo', '--json'], { cwd: room }))
  assert.deepEqual([document['schema'], document['exit'], document['files']], ['sluice.demo/1', 0, 40])
  const loads = document['loads'] as Loaded[]
  assert.deepEqual(loads.map((one) => one.balance['read']), [0, 0])
  assert.equal((document['table'] as { rows: number }).rows, document['keys'])
  const codes = new Set((document['rejects'] as { code: string }[]).map((reject) => reject.code))
  assert.deepEqual([...codes].toSorted(), ['JSON_INVALID', 'KEY_MISSING', 'MEMBER_REPEATED'])
})
