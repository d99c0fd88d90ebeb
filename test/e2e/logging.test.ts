/** Logs of real loads: what is in them, that nothing is lost however a load ends, and that they never stand in its way. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { BIN, documentOf, plainEnv, saidBy, scratch, sluice } from '../command.ts'

type Line = Record<string, unknown> & { msg: string; level: string; run: string }

function linesIn(folder: string): Line[] {
  return readdirSync(folder).toSorted().flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Line))
}

function files(room: string, count: number): string {
  const folder = join(room, 'in')
  mkdirSync(folder)
  for (let n = 0; n < count; n++) writeFileSync(join(folder, `f${n}.json`), JSON.stringify({ records: [{ id: `a${n}`, v: n }, { id: `b${n}`, v: n }] }))
  return folder
}

test('a line per arrival and phase with its ids, the start and the end of the run with its balance; the console stays as it was', async (t) => {
  const room = scratch(t)
  files(room, 3)
  writeFileSync(join(room, 'in/bad.json'), '{"records":[{"id":1}],"other":[]')
  const said = await sluice(['load', 'in', '--into', 't', '--key', 'id', '--grace', '0', '--json'], { cwd: room })
  assert.equal(said.code, 3, said.stderr)
  const { run } = documentOf(said) as { run: string }
  assert.doesNotMatch(said.stderr, /arrival loaded/)
  const lines = linesIn(join(room, 'sluice-data/logs'))
  assert.ok(lines.every((line) => line.run === run && line['table'] === 't' && typeof line['pid'] === 'number' && /^\d{4}-.*Z$/.test(String(line['time']))))
  assert.deepEqual(lines.map(({ msg }) => msg).filter((msg) => msg !== 'notice'), ['run started', 'discovered', 'arrival failed', 'arrival loaded', 'arrival loaded', 'arrival loaded', 'staged', 'committed', 'settled', 'run ended'])
  const loaded = lines.filter(({ msg }) => msg === 'arrival loaded')
  for (const [at, line] of loaded.entries()) {
    assert.deepEqual([line['path'], line['records'], line['bytes']], [join(room, `in/f${at}.json`), 2, 49], JSON.stringify(line))
    assert.ok(Number(line['seq']) > 0 && Number(line['ms']) >= 0 && String(line['batch']).startsWith('b_'))
  }
  const failed = lines.find(({ msg }) => msg === 'arrival failed')
  assert.deepEqual([failed?.level, failed?.['code'], failed?.['path']], ['warn', 'FILE_TRUNCATED', join(room, 'in/bad.json')])
  const end = lines.at(-1)
  assert.deepEqual([end?.level, end?.['state'], end?.['exit'], (end?.['balance'] as { read: number } | undefined)?.read, (end?.['files'] as { failed: number } | undefined)?.failed], ['warn', 'COMPLETED', 3, 6, 1])
})

test('--verbosity: the least that is logged; debug is also shown on the console, and never on stdout', async (t) => {
  const room = scratch(t)
  files(room, 2)
  const debug = await sluice(['load', 'in', '--into', 't', '--verbosity', 'debug', '--json'], { cwd: room })
  assert.match(debug.stderr, /^\d\d:\d\d:\d\d\.\d{3} info {2}arrival loaded {2}run=r_\w+ table=t batch=b_\w+ seq=1 path=.*f0\.json bytes=49 records=2 ms=\d+$/m)
  assert.match(debug.stderr, / debug progress /)
  documentOf(debug)
  assert.ok(linesIn(join(room, 'sluice-data/logs')).some(({ level }) => level === 'debug'))
  const warn = await sluice(['load', 'in', '--into', 't2', '--log-dir', 'w'], { cwd: room, env: { SLUICE_VERBOSITY: 'warn' } })
  assert.equal(warn.code, 0)
  assert.equal(existsSync(join(room, 'w')), false, 'nothing was worth a warning')
  const quiet = await sluice(['load', 'in', '--into', 't3', '--log-dir', 'q', '-q', '--verbosity', 'debug'], { cwd: room })
  assert.deepEqual([quiet.stdout, quiet.stderr], ['', ''])
  assert.ok(linesIn(join(room, 'q')).length > 5)
})

test('nothing is lost when the load is killed: what was begun is in the file', async (t) => {
  const room = scratch(t)
  files(room, 3)
  const kills: [string, Record<string, string>][] = [['settle', { SLUICE_FAILPOINT: 'ledger.settle.before' }], ['stop', {}]]
  for (const [name, env] of kills) {
    const logs = join(room, `logs-${name}`)
    const said = await sluice(['load', 'in', '--into', name, '--log-dir', logs, '-v'], {
      cwd: room,
      env,
      onStart: (child) => {
        if (name === 'stop') child.stderr?.on('data', (text: Buffer) => void (text.toString().includes('run r_') && child.kill('SIGTERM')))
      },
    })
    const lines = linesIn(logs)
    if (name === 'settle') {
      assert.equal(said.signal, 'SIGKILL')
      assert.deepEqual(lines.map(({ msg }) => msg).filter((msg) => msg !== 'discovered' && msg !== 'notice'), ['run started', 'arrival loaded', 'arrival loaded', 'arrival loaded', 'staged', 'committed'])
    } else assert.deepEqual([lines.at(-1)?.msg, lines.at(-1)?.['exit']], ['run ended', said.code])
  }
  // The next run settles what was committed, and says so in its log.
  await sluice(['load', 'in', '--into', 'settle', '--log-dir', join(room, 'after')], { cwd: room })
  assert.ok(linesIn(join(room, 'after')).some(({ msg, level }) => msg === 'recovered' && level === 'warn'))
})

test('logs that cannot be written are said once and change nothing of the load', async (t) => {
  const room = scratch(t)
  files(room, 3)
  writeFileSync(join(room, 'file'), '')
  const said = await sluice(['load', 'in', '--into', 't', '--log-dir', 'file/logs'], { cwd: room })
  assert.equal(said.code, 0, said.stderr)
  assert.equal([...said.stderr.matchAll(/note: Cannot write the log in/g)].length, 1)
  assert.match(said.stdout, /^6 read = 6 inserted/)
})

test('a listing makes no log, and an error before the run makes no data folder', async (t) => {
  const room = scratch(t)
  const missing = await sluice(['load', 'nowhere', '--into', 't'], { cwd: room })
  assert.equal(missing.code, 6)
  assert.deepEqual(readdirSync(room), [])
  files(room, 1)
  await sluice(['load', 'in', '--into', 't', '--log-dir', 'a'], { cwd: room })
  await sluice(['tables', 'ls', '--log-dir', 'b'], { cwd: room })
  assert.deepEqual(readdirSync(room).toSorted(), ['a', 'in', 'sluice-data'])
  const failed = await sluice(['load', 'in', '--into', 't', '--key', 'id', '--log-dir', 'a'], { cwd: room })
  assert.equal(failed.code, 4)
  const last = linesIn(join(room, 'a')).at(-1)
  assert.deepEqual([last?.level, last?.['code'], last?.['exit']], ['error', 'DEFINITION_DIFFERS', 4])
})

test('sluice logs: by run, time and level, as a document, as lines, and following', async (t) => {
  const room = scratch(t)
  files(room, 2)
  const runs: string[] = []
  for (const table of ['one', 'two']) runs.push((documentOf(await sluice(['load', 'in', '--into', table, '--json'], { cwd: room })) as { run: string }).run)
  const items = async (...flags: string[]): Promise<Line[]> => documentOf(await sluice(['logs', ...flags, '--json'], { cwd: room }))['items'] as Line[]
  const all = await items()
  assert.deepEqual([...new Set(all.map(({ run }) => run))], runs)
  assert.ok((await items('--run', runs[1] ?? '')).every(({ run }) => run === runs[1]))
  assert.deepEqual([(await items('--level', 'warn')).length, (await items('--since', '1h')).length, (await items('--since', '2999-01-01')).length], [0, all.length, 0])
  assert.equal((await items('--limit', '3')).at(-1)?.msg, 'run ended')
  const human = await sluice(['logs', '--limit', '1'], { cwd: room })
  assert.match(human.stdout, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} info {2}run ended {2}run=r_/)
  assert.equal((await sluice(['logs', '--since', 'soon'], { cwd: room })).code, 2)
  assert.equal((await sluice(['logs', '--follow', '--json'], { cwd: room })).code, 2)
  const follower = spawn(process.execPath, [BIN, 'logs', '--follow', '--ndjson', '--level', 'info'], { cwd: room, env: plainEnv(), stdio: ['ignore', 'pipe', 'pipe'] })
  const said = saidBy(follower)
  let started = false
  follower.stdout.on('data', (text: string) => {
    if (!started) {
      started = true
      void sluice(['load', 'in', '--into', 'three'], { cwd: room })
    }
    if (text.includes('"three"') && text.includes('run ended')) follower.kill('SIGINT')
  })
  const { code, stdout } = await said
  assert.equal(code, 0)
  const followed = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Line)
  assert.deepEqual(followed.slice(0, all.length), all)
  assert.deepEqual([followed.at(-1)?.['table'], followed.at(-1)?.msg], ['three', 'run ended'])
})

test('--ndjson: events while it runs, the document of --json as the last line; not together with --json', async (t) => {
  const room = scratch(t)
  files(room, 2)
  const said = await sluice(['load', 'in', '--into', 't', '--ndjson'], { cwd: room })
  const lines = said.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  const last = lines.pop()
  assert.deepEqual([last?.['schema'], last?.['exit']], ['sluice.load/1', 0])
  assert.ok(lines.length >= 7 && lines.every((line) => line['schema'] === 'sluice.event/1' && line['run'] === last?.['run']))
  assert.deepEqual(lines.filter(({ event }) => event === 'arrival.ended').map(({ path }) => path), [join(room, 'in/f0.json'), join(room, 'in/f1.json')])
  const wrong = await sluice(['load', 'nowhere', '--into', 't', '--ndjson'], { cwd: room })
  assert.deepEqual([wrong.code, documentOf(wrong)['code']], [6, 'PATH_NOT_FOUND'])
  const both = await sluice(['load', 'in', '--into', 't', '--ndjson', '--json'], { cwd: room })
  assert.deepEqual([both.code, documentOf(both)['code']], [2, 'USAGE'])
})
