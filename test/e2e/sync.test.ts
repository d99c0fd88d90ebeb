/** Exact copies: what is copied, what a second run does, what is tried again, resumed, said and refused. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { appendFileSync, chmodSync, existsSync, mkdirSync, openSync, closeSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'node:test'
import type { SyncResult } from '../../src/service/sync.ts'
import { sync } from '../../src/index.ts'
import type { SyncItem } from '../../src/index.ts'
import { openOrigins } from '../../src/ledger/origins.ts'
import { syncAll } from '../../src/pipeline/sync.ts'
import type { Seen, SyncTally } from '../../src/pipeline/sync.ts'
import { copyFile } from '../../src/storage/copy.ts'
import { localFs } from '../../src/storage/local.ts'
import { systemClock } from '../../src/storage/system.ts'
import { seeFile } from '../../src/storage/tree.ts'
import { documentOf, scratch, sluice } from '../command.ts'

const OLD = new Date(Date.now() - 3_600_000)
/** More than two parts. */
const LARGE = randomBytes(18_000_000)

function put(path: string, text: string | Buffer, mode = 0o644): void {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, mode)
  utimesSync(path, OLD, OLD)
}

async function run(room: string, args: string[] = [], env: Record<string, string> = {}): Promise<SyncResult> {
  const said = await sluice(['sync', 'from', 'to', '--json', ...args], { cwd: room, env })
  const document = documentOf(said) as unknown as SyncResult
  assert.equal(document.exit, said.code, said.stdout + said.stderr)
  return document
}

const states = (result: SyncResult): string[] => result.items.map((item) => `${item.path.split('/').at(-1) ?? ''} ${item.state}`)
const working = (room: string): string[] => readdirSync(join(room, 'to/.sluice-sync/work'))

function same(room: string, path: string): void {
  const [source, copy] = [join(room, 'from', path), join(room, 'to', path)]
  assert.ok(readFileSync(source).equals(readFileSync(copy)), `${path} differs`)
  const [a, b] = [statSync(source, { bigint: true }), statSync(copy, { bigint: true })]
  assert.deepEqual([b.mode, b.mtimeNs / 1000n], [a.mode, a.mtimeNs / 1000n], `mode or time of ${path}`)
}

test('new, replaced, touched, damaged, lost and removed files', async (t) => {
  const room = scratch(t)
  put(join(room, 'from/large.bin'), LARGE)
  put(join(room, 'from/deep/er/a.txt'), 'one', 0o640)
  put(join(room, 'from/empty'), '')
  put(join(room, 'from/.hidden'), 'h', 0o755)
  put(join(room, 'from/.sluice-convert/origins.db'), 'notes of a conversion are not data')
  symlinkSync('empty', join(room, 'from/link'))
  execFileSync('mkfifo', [join(room, 'from/pipe')])
  const first = await run(room)
  assert.deepEqual([first.state, first.exit, first.files], ['COMPLETED', 0, { total: 4, copied: 4, replaced: 0, repaired: 0, verified: 0, known: 0, waiting: 0, failed: 0, ignored: 2, gone: 0, removed: 0 }])
  for (const path of ['large.bin', 'deep/er/a.txt', 'empty', '.hidden']) same(room, path)
  assert.deepEqual([readdirSync(join(room, 'to')).toSorted(), working(room)], [['.hidden', '.sluice-sync', 'deep', 'empty', 'large.bin'], []])
  assert.deepEqual((await run(room)).files.known, 4)

  put(join(room, 'from/deep/er/a.txt'), 'two', 0o600)
  chmodSync(join(room, 'from/empty'), 0o600)
  appendFileSync(join(room, 'to/.hidden'), 'spoiled')
  rmSync(join(room, 'to/large.bin'))
  const second = await run(room)
  assert.deepEqual([states(second), second.files.known], [['.hidden repaired', 'a.txt replaced', 'large.bin repaired'], 1])
  for (const path of ['large.bin', 'deep/er/a.txt', 'empty', '.hidden']) same(room, path)

  rmSync(join(room, 'from/large.bin'))
  rmSync(join(room, 'from/.hidden'))
  put(join(room, 'to/mine.txt'), 'not from there')
  const third = await run(room)
  assert.deepEqual([states(third), third.exit, existsSync(join(room, 'to/large.bin'))], [['.hidden gone', 'large.bin gone'], 0, true])
  appendFileSync(join(room, 'to/.hidden'), 'mine')
  assert.deepEqual(states(await run(room, ['--mirror'])), ['.hidden gone', 'large.bin removed'])
  assert.deepEqual(readdirSync(join(room, 'to')).toSorted(), ['.hidden', '.sluice-sync', 'deep', 'empty', 'mine.txt'])
})

test('--verify reads both ends: a rotten copy is made again, a rotten source spoils nothing', async (t) => {
  const room = scratch(t)
  for (const name of ['a', 'b', 'c']) put(join(room, `from/${name}`), `content of ${name}`)
  await run(room)
  /** Other bytes, and nothing in size or time says so. */
  const rot = (path: string): void => {
    const handle = openSync(path, 'r+')
    writeSync(handle, 'X', 0)
    closeSync(handle)
    utimesSync(path, OLD, OLD)
  }
  const stamps = (path: string): string => JSON.stringify(statSync(path, { bigint: true }).ctimeNs.toString())
  const before = stamps(join(room, 'to/a'))
  rot(join(room, 'to/a'))
  assert.notEqual(stamps(join(room, 'to/a')), before)
  const verified = await run(room, ['--verify'])
  assert.deepEqual(states(verified), ['a repaired', 'b verified', 'c verified'])
  same(room, 'a')
  // A changed time stamp is a change; bytes that rot without one are only found by reading.
  rot(join(room, 'from/b'))
  const origins = openOrigins(join(room, 'to/.sluice-sync'))
  const b = origins.all().get('b')
  assert.ok(b !== undefined)
  const now = statSync(join(room, 'from/b'), { bigint: true })
  origins.refresh([{ ...b, stamp: `${now.dev}:${now.ino}:${now.size}:${now.mtimeNs}:${now.ctimeNs}` }])
  origins.close()
  assert.equal((await run(room)).files.known, 3)
  const rotten = await run(room, ['--verify'])
  assert.deepEqual([states(rotten), rotten.exit, rotten.errors[0]?.code], [['a verified', 'b failed', 'c verified'], 3, 'COPY_DIFFERS'])
  assert.equal(readFileSync(join(room, 'to/b'), 'utf8'), 'content of b')
})

test('a part that is written wrongly is tried again alone; one that never comes right fails its file', async (t) => {
  const room = scratch(t)
  put(join(room, 'from/large.bin'), LARGE)
  put(join(room, 'from/small'), 'small')
  const once = await run(room, [], { SLUICE_TAMPER: 'copy=drop' })
  assert.deepEqual([once.exit, states(once), once.retried], [0, ['large.bin copied', 'small copied'], 4])
  same(room, 'large.bin')
  put(join(room, 'from/large.bin'), LARGE.subarray(1))
  const never = await run(room, [], { SLUICE_TAMPER: 'copy=double' })
  assert.deepEqual([never.exit, states(never), never.errors[0]?.code, working(room)], [3, ['large.bin failed'], 'COPY_DIFFERS', []])
  assert.ok(readFileSync(join(room, 'to/large.bin')).equals(LARGE), 'the former copy is spoiled')
})

test('a killed sync resumes with the parts that are proven', async (t) => {
  const room = scratch(t)
  put(join(room, 'from/large.bin'), LARGE)
  const killed = await sluice(['sync', 'from', 'to'], { cwd: room, env: { SLUICE_FAILPOINT: 'sync.part.after', SLUICE_FAILPOINT_HIT: '2' } })
  assert.equal(killed.signal ?? killed.code, 'SIGKILL')
  assert.ok(!existsSync(join(room, 'to/large.bin')))
  const again = await run(room)
  assert.deepEqual([again.exit, again.kept, states(again)], [0, 2, ['large.bin copied']])
  same(room, 'large.bin')
})

test('what is there already is taken over if its bytes are right, and not overwritten if they are not', async (t) => {
  const room = scratch(t)
  for (const name of ['a', 'b', 'c']) put(join(room, `from/${name}`), 'right')
  put(join(room, 'to/a'), 'right', 0o600)
  put(join(room, 'to/b'), 'wrong')
  mkdirSync(join(room, 'to/c'))
  const first = await run(room)
  assert.deepEqual([first.exit, states(first)], [3, ['a verified', 'b failed', 'c failed']])
  same(room, 'a')
  assert.deepEqual(first.errors.map(({ code }) => code), ['OUTPUT_EXISTS', 'OUTPUT_EXISTS'])
  assert.deepEqual(states(await run(room, ['--overwrite'])), ['b copied', 'c failed'])
  same(room, 'b')
})

test('a file becomes a folder, and a folder a file: alone until --mirror, which puts the new one in the place of the former', async (t) => {
  const room = scratch(t)
  const [from, to] = [join(room, 'from'), join(room, 'to')]
  for (const name of ['file', 'folder/deep/a', 'folder/b', 'touched', 'other']) put(join(from, name), name)
  assert.equal((await sync({ from, to })).exit, 0)
  for (const name of ['file', 'folder', 'touched', 'other']) rmSync(join(from, name), { recursive: true })
  for (const name of ['file/now/in', 'folder', 'touched/in', 'new']) put(join(from, name), `${name} again`)
  put(join(to, 'touched'), 'somebody wrote here')
  const without = await sync({ from, to })
  assert.deepEqual([without.exit, without.files.copied, without.files.failed, without.files.gone], [3, 1, 3, 5])
  assert.deepEqual([...new Set(without.errors.map(({ code }) => code))], ['OUTPUT_EXISTS'])
  assert.equal(readFileSync(join(to, 'file'), 'utf8'), 'file')
  const mirrored = await sync({ from, to, mirror: true })
  assert.deepEqual([mirrored.exit, mirrored.files.copied, mirrored.files.failed, mirrored.files.removed, mirrored.files.gone], [3, 2, 1, 4, 1], 'what somebody changed stays')
  assert.deepEqual(['file/now/in', 'folder', 'touched'].map((name) => readFileSync(join(to, name), 'utf8')), ['file/now/in again', 'folder again', 'somebody wrote here'])
  rmSync(join(to, 'touched'))
  assert.equal((await sync({ from, to, mirror: true })).exit, 0)
  assert.equal((await sync({ from, to, mirror: true, verify: true })).files.verified, 4)
})

test('what others put in the way of a copy fails that file alone', async (t) => {
  const room = scratch(t)
  const [from, to] = [join(room, 'from'), join(room, 'to')]
  for (const name of ['sub/a', 'b', 'c']) put(join(from, name), name)
  assert.equal((await sync({ from, to })).exit, 0)
  for (const name of ['sub', 'b']) rmSync(join(to, name), { recursive: true })
  put(join(to, 'sub'), 'a file')
  put(join(to, 'b/in'), 'mine')
  put(join(from, 'd'), 'd')
  const result = await sync({ from, to, overwrite: true })
  assert.deepEqual([result.exit, result.files.copied, result.files.known, result.files.failed], [3, 1, 1, 2])
  assert.equal(readFileSync(join(to, 'b/in'), 'utf8'), 'mine')
  rmSync(join(to, 'b/in'))
  rmSync(join(to, 'sub'))
  assert.deepEqual([(await sync({ from, to, mirror: true })).files.repaired, readFileSync(join(to, 'b'), 'utf8')], [2, 'b'], 'a mirror has no folders without files')
  // What a link leads to is no part of the mirror.
  mkdirSync(join(room, 'outside/e'), { recursive: true })
  symlinkSync(join(room, 'outside'), join(to, 'linked'))
  put(join(from, 'linked/e'), 'e')
  assert.deepEqual([(await sync({ from, to, mirror: true })).files.failed, existsSync(join(room, 'outside/e'))], [1, true])
})

test('refused: one folder inside of the other, the same folder, no folder', async (t) => {
  const room = scratch(t)
  put(join(room, 'from/a'), 'a')
  symlinkSync('from', join(room, 'alias'))
  const refused = async (exit: number, ...args: string[]): Promise<string> => {
    const said = await sluice(['sync', ...args, '--json'], { cwd: room })
    assert.equal(said.code, exit, said.stdout)
    return String(documentOf(said)['message'])
  }
  assert.match(await refused(2, 'from', 'from/copy'), /lies inside of/)
  assert.match(await refused(2, 'from', 'alias/copy'), /lies inside of/)
  assert.match(await refused(2, 'from', '.'), /lies inside of/)
  assert.match(await refused(2, 'from', 'alias'), /same folder/)
  assert.match(await refused(2, 'from/a', 'to'), /no folder/)
  assert.match(await refused(2, 'from'), /two folders/)
  assert.match(await refused(6, 'nowhere', 'to'), /nothing at/)
  assert.ok(!existsSync(join(room, 'to')) && !existsSync(join(room, 'from/copy')))
})

test('sluice sync PIPELINE, one event per file, and many files with few handles', async (t) => {
  const room = scratch(t)
  for (let n = 0; n < 600; n++) put(join(room, `from/${n % 7}/f${n}`), String(n))
  writeFileSync(join(room, 'sluice.config.mjs'), "export default { pipelines: { final: { sync: 'from', to: 'to', mirror: true } } }\n")
  const said = await sluice(['sync', 'final', '--ndjson'], { cwd: room })
  const lines = said.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as { event?: string; schema: string })
  assert.deepEqual([said.code, lines.filter((line) => line.event === 'file.ended').length, lines.at(-1)?.schema], [0, 600, 'sluice.sync/1'])
  let most = 0
  for (let n = 0; n < 600; n++) put(join(room, `from/${n % 7}/f${n}`), `again ${n}`)
  const result = await sync({
    from: join(room, 'from'), to: join(room, 'to'), jobs: 8,
    onEvent: () => {
      most = Math.max(most, readdirSync('/proc/self/fd').length)
    },
  })
  assert.equal(result.files.replaced, 600)
  assert.ok(most < 256, `${most} handles`)
})

test('a source that changes while it is copied waits; one that comes to rest is copied', async (t) => {
  const room = scratch(t)
  put(join(room, 'from/large.bin'), LARGE)
  mkdirSync(join(room, 'to/.sluice-sync/work'), { recursive: true })
  const origins = openOrigins(join(room, 'to/.sluice-sync'))
  const never = new AbortController().signal
  const source = (): Seen => seeFile(join(room, 'from'), 'large.bin') as Seen
  /** The copier without its threads: the source is changed behind its first part, `most` times in all. */
  const copy = async (most: number): Promise<SyncItem[]> => {
    let times = 0
    const change = (bytes: number): void => {
      if (bytes <= 8 << 20 && ++times <= most) appendFileSync(join(room, 'from/large.bin'), 'more')
    }
    const tally: SyncTally = { items: [], interrupted: false }
    await syncAll(
      {
        fs: localFs, origins, folder: join(room, 'to'), work: join(room, 'to/.sluice-sync/work'), clock: systemClock, width: 1, young: () => false, look: source, on: () => {}, stop: never, halt: never,
        copier: { copy: async (jobs, on) => jobs.forEach((job, at) => on({ kind: 'copied', at, outcome: copyFile(job, change) })), hash: async () => [], dress: () => {}, close: async () => {} },
      },
      [{ ...source(), state: 'copied' }],
      tally,
    )
    return tally.items
  }
  const waiting = await copy(Infinity)
  assert.deepEqual(waiting.map(({ state, fault }) => [state, fault?.code]), [['waiting', 'FILE_CHANGING']])
  assert.ok(!existsSync(join(room, 'to/large.bin')))
  const still = await copy(1)
  assert.deepEqual(still.map(({ state, kept }) => [state, kept]), [['copied', 3]])
  same(room, 'large.bin')
  origins.close()
})
