/** `sluice clean`: what goes, what stays, who is asked, and that it keeps its hands off a folder that is in use. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { BIN, documentOf, plainEnv, saidBy, scratch, sluice } from '../command.ts'

interface Cleaned {
  exit: number
  removed: boolean
  items: { kind: string; path: string; files: number; bytes: number }[]
  kept: { path: string; why: string }[]
}

/** A room whose data folder has a table, logs, and what a killed load left. */
async function room(t: TestContext): Promise<{ room: string; data: string }> {
  const folder = scratch(t)
  mkdirSync(join(folder, 'in'))
  for (const n of [1, 2]) writeFileSync(join(folder, `in/f${n}.json`), JSON.stringify({ records: [{ id: `a${n}` }] }))
  assert.equal((await sluice(['load', 'in/f1.json', '--into', 't', '--key', 'id'], { cwd: folder })).code, 0)
  const killed = await sluice(['load', 'in', '--into', 't'], { cwd: folder, env: { SLUICE_FAILPOINT: 'delta.link.before' } })
  assert.equal(killed.signal, 'SIGKILL')
  return { room: folder, data: join(folder, 'sluice-data') }
}

async function clean(cwd: string, ...flags: string[]): Promise<Cleaned> {
  const said = await sluice(['clean', ...flags, '--json'], { cwd })
  assert.equal(said.code, 0, said.stdout + said.stderr)
  return documentOf(said) as unknown as Cleaned
}

/** Files that a dead attempt left in the table, made two hours old. */
function age(data: string): string[] {
  const old = new Date(Date.now() - 7_200_000)
  const files = readdirSync(join(data, 'tables/t'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  for (const path of files) utimesSync(path, old, old)
  return files
}

test('left-overs go, tables and ledger stay, and the next load finishes what was interrupted', async (t) => {
  const { room: cwd, data } = await room(t)
  const young = await clean(cwd, '--attempts', '--dry-run')
  assert.deepEqual([young.removed, young.items.length, young.kept.every(({ why }) => why === 'younger than an hour'), young.kept.length > 0], [false, 0, true, true])
  const before = age(data)
  const planned = await clean(cwd, '--dry-run')
  assert.deepEqual([...new Set(planned.items.map(({ kind }) => kind))].toSorted(), ['attempts', 'logs', 'spool'])
  assert.deepEqual(planned.items.filter(({ kind }) => kind === 'attempts').map(({ path }) => path).toSorted(), young.kept.map(({ path }) => path).toSorted())
  assert.ok(planned.items.every(({ path, bytes }) => existsSync(path) && bytes > 0), 'nothing is removed by --dry-run')
  // Nobody can be asked here.
  const unasked = await sluice(['clean'], { cwd })
  assert.equal(unasked.code, 2)
  assert.match(unasked.stderr, /Remove \d+ files, .*\? Nobody can be asked here\.\n.*--yes/)
  assert.ok(planned.items.every(({ path }) => existsSync(path)))
  const done = await clean(cwd, '--yes')
  assert.equal(done.removed, true)
  assert.ok(done.items.every(({ path }) => !existsSync(path)))
  const gone = new Set(done.items.map(({ path }) => path))
  assert.ok(before.every((path) => gone.has(path) || existsSync(path)), 'nothing else went')
  assert.deepEqual((await clean(cwd, '--yes')).items, [])
  const again = documentOf(await sluice(['load', 'in', '--into', 't', '--json'], { cwd })) as { exit: number; files: Record<string, number> }
  assert.equal(again.exit, 0)
  const count = documentOf(await sluice(['tables', 'count', 't', '--json'], { cwd })) as { items: { rows: number }[] }
  assert.equal(count.items[0]?.rows, 2)
  const doctor = documentOf(await sluice(['doctor', '--json'], { cwd }))
  assert.deepEqual([doctor['clean'], doctor['findings']], [true, []])
})

test('a switch chooses; links and what Sluice did not make stay; --data takes the rest', async (t) => {
  const { room: cwd, data } = await room(t)
  age(data)
  writeFileSync(join(cwd, 'precious'), 'mine')
  mkdirSync(join(cwd, 'elsewhere'))
  writeFileSync(join(cwd, 'elsewhere/mine'), 'mine')
  symlinkSync(join(cwd, 'precious'), join(data, 'logs/sluice-2020-01-01.log'))
  symlinkSync(join(cwd, 'elsewhere'), join(data, 'spool/w_0123456789abcdef'))
  writeFileSync(join(data, 'notes.txt'), 'mine')
  assert.deepEqual([...new Set((await clean(cwd, '--spool', '--dry-run')).items.map(({ kind }) => kind))], ['spool'])
  const logs = await clean(cwd, '--logs', '--yes')
  assert.deepEqual([logs.items.length, logs.kept], [1, [{ path: join(data, 'logs/sluice-2020-01-01.log'), why: 'it is a link' }]])
  const all = await clean(cwd, '--yes')
  assert.ok(all.kept.some(({ path, why }) => path.endsWith('w_0123456789abcdef') && why === 'it is a link'))
  assert.ok(existsSync(join(data, 'spool/w_0123456789abcdef')))
  const everything = await clean(cwd, '--data', '--yes')
  assert.deepEqual(readdirSync(data), ['notes.txt'])
  assert.ok(everything.kept.some(({ path }) => path === join(data, 'notes.txt')))
  assert.ok(existsSync(join(cwd, 'precious')) && existsSync(join(cwd, 'elsewhere/mine')), 'what links lead to stays')
  // What is no data folder is nobody's to remove.
  const other = await sluice(['clean', '--data', '--yes', '--data-dir', 'elsewhere', '--json'], { cwd })
  assert.deepEqual([other.code, documentOf(other)['code']], [6, 'NOT_FOUND'])
  assert.ok(existsSync(join(cwd, 'elsewhere/mine')))
  // Other projects have folders of these names, too, and a load into the wrong folder puts its own beside theirs.
  const names = ['logs/app.log', 'spool/job', 'tables/mine.csv', 'tables/their/part.parquet', 'windows/main.ts', 'workers/w.py']
  for (const name of names) {
    mkdirSync(join(cwd, 'project', name, '..'), { recursive: true })
    writeFileSync(join(cwd, 'project', name), 'mine')
  }
  for (const flags of [['--data', '--yes'], ['--yes']]) assert.equal((await sluice(['clean', ...flags, '--data-dir', 'project'], { cwd })).code, 6)
  assert.equal((await sluice(['doctor', '--data-dir', 'project'], { cwd })).code, 6)
  assert.equal((await sluice(['load', 'in', '--into', 't', '--data-dir', 'project'], { cwd })).code, 0)
  await clean(cwd, '--data', '--yes', '--data-dir', 'project')
  assert.deepEqual(readdirSync(join(cwd, 'project'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(join(cwd, 'project/').length)).toSorted(), names)
})

test('a ledger.db that Sluice did not make is neither written to nor removed', async (t) => {
  const cwd = scratch(t)
  const db = new DatabaseSync(join(cwd, 'ledger.db'))
  db.exec('CREATE TABLE entries (amount)')
  db.close()
  const before = readFileSync(join(cwd, 'ledger.db'))
  assert.equal((await sluice(['tables', 'ls', '--data-dir', '.'], { cwd })).code, 2)
  assert.deepEqual((await clean(cwd, '--data', '--yes', '--data-dir', '.')).kept, [{ path: join(cwd, 'ledger.db'), why: 'Sluice did not make it' }])
  assert.deepEqual(readFileSync(join(cwd, 'ledger.db')), before)
})

test('a folder in which a process works is left alone', async (t) => {
  const { room: cwd, data } = await room(t)
  const names = (): string[] => readdirSync(data, { recursive: true }).map(String).filter((name) => name.startsWith('logs') || name.startsWith('tables')).toSorted()
  const follower = spawn(process.execPath, [BIN, 'load', 'in', '--into', 'other', '-v'], { cwd, env: plainEnv(), stdio: ['ignore', 'pipe', 'pipe'] })
  const said = saidBy(follower)
  follower.stderr.on('data', (text: string) => {
    if (text.includes('run r_')) follower.kill('SIGSTOP')
  })
  while (spawnSync('ps', ['-o', 'state=', '-p', String(follower.pid)], { encoding: 'utf8' }).stdout.trim() !== 'T') await new Promise((resolve) => setTimeout(resolve, 20))
  const before = names()
  for (const flags of [['--yes'], ['--data', '--yes'], ['--logs', '--yes']]) {
    const busy = await sluice(['clean', ...flags, '--json'], { cwd })
    assert.deepEqual([busy.code, documentOf(busy)['code']], [7, 'BUSY'], busy.stdout)
  }
  assert.deepEqual(names(), before)
  follower.kill('SIGCONT')
  assert.equal((await said).code, 0)
})

test('killed half-way, the same command removes the rest', async (t) => {
  const { room: cwd, data } = await room(t)
  for (const hit of ['1', '2', '5']) {
    cpSync(data, join(cwd, 'copy'), { recursive: true })
    const killed = await sluice(['clean', '--data', '--yes', '--data-dir', 'copy'], { cwd, env: { SLUICE_FAILPOINT: 'clean.remove.after', SLUICE_FAILPOINT_HIT: hit } })
    assert.equal(killed.signal, 'SIGKILL')
    assert.ok(existsSync(join(cwd, 'copy/ledger.db')), 'the ledger goes last')
    if (hit === '1') assert.ok(existsSync(join(cwd, 'copy/tables/t/_sluice')), 'what tells whose the table is goes last')
    // What a kill inside of the last removal of a table leaves.
    if (hit === '5') mkdirSync(join(cwd, 'copy/tables/t'), { recursive: true })
    await clean(cwd, '--data', '--yes', '--data-dir', 'copy')
    assert.deepEqual(readdirSync(join(cwd, 'copy')), [])
  }
})

test('a link or a file in the place of a folder stays, and a damaged ledger goes with what lies beside it', async (t) => {
  const { room: cwd, data } = await room(t)
  renameSync(join(data, 'logs'), join(cwd, 'shared'))
  writeFileSync(join(cwd, 'shared/app.txt'), 'mine')
  symlinkSync(join(cwd, 'shared'), join(data, 'logs'))
  writeFileSync(join(data, 'windows'), 'mine')
  writeFileSync(join(data, 'ledger.db'), Buffer.alloc(8000, 'damaged '))
  const { kept } = await clean(cwd, '--data', '--yes')
  assert.deepEqual(kept.map(({ path, why }) => `${path.slice(data.length + 1)}: ${why}`).toSorted(), ['logs: it is a link', 'windows: Sluice did not make it'])
  // The logs in it are those of this folder.
  assert.deepEqual([readdirSync(data).toSorted(), readdirSync(join(cwd, 'shared'))], [['logs', 'windows'], ['app.txt']])
  // Alone nobody knows whose it is.
  writeFileSync(join(data, 'ledger.db'), Buffer.alloc(8000, 'damaged '))
  assert.ok((await clean(cwd, '--data', '--yes')).kept.some(({ path, why }) => path.endsWith('ledger.db') && why === 'it cannot be read'))
})

const terminal = spawnSync('script', ['--version']).status === 0
test('at a terminal it asks: y removes, everything else does not', { skip: terminal ? false : 'there is no script(1) to make a terminal' }, async (t) => {
  const { room: cwd, data } = await room(t)
  const ask = async (answer: string): Promise<{ code: number | null; stdout: string }> => {
    const child = spawn('script', ['-qec', `${process.execPath} ${BIN} clean --logs`, '/dev/null'], { cwd, env: plainEnv({ TERM: 'xterm' }), stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (text.includes('[y/N]')) child.stdin.write(answer)
    })
    const { promise, resolve } = Promise.withResolvers<number | null>()
    child.on('close', resolve)
    return { code: await promise, stdout }
  }
  for (const answer of ['n\n', '\n', '\u0003', '\u0004', 'maybe\n']) {
    const said = await ask(answer)
    assert.match(said.stdout, /what {2,}files {2,}size {2}path\r\nlogs {5}[\s\S]*Remove 1 file, .*\? \[y\/N\]/)
    assert.match(said.stdout, /Nothing was removed/)
    assert.equal(readdirSync(join(data, 'logs')).length, 1)
  }
  const yes = await ask('y\n')
  assert.match(yes.stdout, /✓ removed 1 file/)
  assert.deepEqual([yes.code, readdirSync(join(data, 'logs'))], [0, []])
})
