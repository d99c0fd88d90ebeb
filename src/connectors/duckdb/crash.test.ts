/** The DuckDB target when it is killed, when its engine dies, when others hold the file, and when the disk is full. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { serialize } from 'node:v8'
import { define } from '../../core/definition.ts'
import type { Engine, Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { setFailpointHandler } from '../../core/failpoint.ts'
import type { Row } from '../../core/schema.ts'
import type { Table } from '../../core/target.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { Scene, collect } from '../../../test/contract/scene.ts'
import { thinned } from '../../../test/whole.ts'
import { openDuckdbTarget } from './target.ts'

const DEFINITION = define('t', { key: 'id', mode: 'upsert', columns: 'id:string,v:int64' })
let folder: string
let engine: Engine
/** Two batches, the second with every class there is; and a third one of another lane. */
let batches: Staged[]
let scenes = 0

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-duckdb-'))
  engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
  const scene = await Scene.open({ engine, folder, target: () => openDuckdbTarget({ file: join(folder, 'stage.duckdb') }), tampered: () => engine, dispose: async () => {} }, { key: 'id', mode: 'upsert', columns: 'id:string,v:int64' })
  scene.definition = DEFINITION
  const stage = (seq: number, lane: number, records: unknown[]): Promise<Staged> => scene.stage(scene.batch([{ seq, records }], { id: `b_${seq}`, fence: seq, lane }))
  batches = [
    await stage(1, 0, [{ id: 'k', v: 1 }, { id: 'l', v: 1 }]),
    await stage(2, 0, [{ id: 'k', v: 2 }, { id: 'k', v: 3 }, { id: 'm', v: 1 }, { v: 1 }, { id: 'l', v: 1 }]),
    await stage(3, 1, [{ id: 'm', v: 1 }, { id: 'n', v: 1 }]),
  ]
  for (const [at, staged] of batches.entries()) writeFileSync(join(folder, `batch-${at + 1}`), serialize(staged))
})
after(async () => {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})
afterEach(() => setFailpointHandler(null))

const newFile = (): string => join(folder, `scene-${++scenes}`, 'data.duckdb')
const open = (file: string): Promise<Table> => openDuckdbTarget({ file }).open('t', 'ledger', engine)
const apply = (table: Table, n: number, signal?: AbortSignal) => table.apply(batches[n - 1] as Staged, DEFINITION, signal === undefined ? {} : { signal })
const code = (expected: string) => (thrown: unknown): boolean => (thrown as SluiceError).code === expected
/** All of the rows, losers and rejects. */
async function contents(table: Table): Promise<unknown> {
  const rows: Row[] = [...(await collect(table.scan(null))), ...(await collect(table.losers()))]
  return [rows, (await table.rejects({ limit: 9 })).map((one) => one.place)]
}

const here = (path: string): string => JSON.stringify(new URL(path, pathToFileURL(import.meta.filename)).href)
/** What a process of its own does: opens the target and applies one staged batch. */
const SCRIPT = `
const { readFileSync } = await import('node:fs')
const { deserialize } = await import('node:v8')
const { openDuckdbTarget } = await import(${here('./target.ts')})
const { openDuckdbEngine } = await import(${here('../../engines/duckdb/engine.ts')})
const { installFailpoints } = await import(${here('../../storage/failpoints.ts')})
installFailpoints('parent')
const [, file, batch, spool] = process.argv
const engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool })
const table = await openDuckdbTarget({ file }).open('t', 'ledger', engine)
await table.apply(deserialize(readFileSync(batch)), ${JSON.stringify(DEFINITION)})
await engine.close()`

function run(file: string, n: number, env: Record<string, string> = {}): Promise<string | number | null> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, file, join(folder, `batch-${n}`), folder], { env: { ...process.env, ...env }, stdio: 'inherit' })
  const { promise, resolve } = Promise.withResolvers<string | number | null>()
  child.on('close', (exit, signal) => resolve(signal ?? exit))
  return promise
}

test('killed at any failpoint, the batch is in or it is not, and doing it again ends the same', async () => {
  const seed = newFile()
  const [first, second] = [join(folder, 'log-1'), join(folder, 'log-2')]
  assert.equal(await run(seed, 1, { SLUICE_FAILPOINT_LOG: first }), 0)
  const grown = newFile()
  mkdirSync(dirname(grown))
  copyFileSync(seed, grown)
  assert.equal(await run(grown, 2, { SLUICE_FAILPOINT_LOG: second }), 0)
  const whole = await contents(await open(grown))
  // Of the parent, and of the target; after a step is before the next one, and after the last one nothing follows.
  const points = (log: string): string[] =>
    readFileSync(log, 'utf8').split('\n').flatMap((line) => (/^p ((?:database|duckdb)\..*\.before|database\.commit\.after)$/.exec(line) ?? []).slice(1))
  const making = points(first).filter((point) => !points(second).includes(point) || /commit|record/.test(point))
  assert.ok(making.includes('duckdb.create.before') && making.includes('database.own.before') && points(second).includes('database.update.before'), JSON.stringify([making, points(second)]))
  const kills = [...making.map((point) => ({ point, n: 1 })), ...points(second).map((point) => ({ point, n: 2 }))]
  for (const { point, n } of thinned(kills, 5)) {
    const file = newFile()
    mkdirSync(dirname(file))
    if (n === 2) copyFileSync(seed, file)
    assert.equal(await run(file, n, { SLUICE_FAILPOINT: point }), 'SIGKILL', point)
    const table = await open(file)
    const found = [await table.committed('b_1'), await table.committed('b_2')]
    assert.equal((await table.head()).version ?? 0, found.filter((receipt) => receipt !== null).length, point)
    assert.equal(found[n - 1] !== null, point === 'database.commit.after', point)
    assert.deepEqual(await table.verify(), [], point)
    const receipts = [await apply(table, 1), await apply(table, 2)]
    for (const [at, receipt] of found.entries()) if (receipt !== null) assert.deepEqual(receipts[at], receipt)
    assert.deepEqual(await contents(table), whole, point)
    assert.deepEqual(await table.verify(), [], point)
  }
})

/** The processes of the engine that this process has started. */
function engineProcesses(): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const isOurs = new RegExp(`^PPid:\\t${process.pid}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'))
      return isOurs && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('duckdb/child') ? [Number(pid)] : []
    } catch {
      // It has ended meanwhile.
      return []
    }
  })
}

test('an engine that dies while it commits: the file is asked what became of it', async () => {
  const table = await open(newFile())
  await apply(table, 1)
  let deaths = 0
  let asked = 0
  setFailpointHandler({
    crash(point) {
      // Somebody else may have it for a while.
      if (point === 'database.ask.before' && asked++ === 0) throw new SluiceError('BUSY', 'it is in use')
      if (point !== 'database.commit.before' || deaths > 0) return
      for (const pid of engineProcesses()) {
        deaths++
        process.kill(pid, 'SIGKILL')
      }
    },
    tamper: () => null,
  })
  const receipt = await apply(table, 2)
  assert.ok(deaths > 0 && asked === 2, String(asked))
  assert.deepEqual([receipt.version, (await table.head()).version], [2, 2])
  assert.deepEqual(await table.verify(), [])
})

test('a file that cannot be detached is freed by the end of its process, and another one takes over', async () => {
  const file = newFile()
  const table = await open(file)
  await apply(table, 1)
  const before = engineProcesses()
  let held = 0
  setFailpointHandler({
    crash(point) {
      if (point === 'duckdb.detach.before' && held++ === 0) throw new Error('it is held')
    },
    tamper: () => null,
  })
  assert.equal((await apply(table, 2)).version, 2)
  assert.ok(held > 0)
  assert.equal((await table.head()).version, 2)
  assert.deepEqual(engineProcesses().filter((pid) => before.includes(pid)), [])
  setFailpointHandler(null)
  // Another program, too: nobody has it any more.
  assert.equal(await run(file, 3), 0)
})

test('two processes on one file wait for one another, and both get in', async () => {
  const file = newFile()
  assert.equal(await run(file, 1), 0)
  assert.deepEqual(await Promise.all([run(file, 2), run(file, 3)]), [0, 0])
  const table = await open(file)
  assert.deepEqual([(await table.head()).version, (await table.head()).rows], [3, 4])
  assert.deepEqual(await table.verify(), [])
})

test('an abort before the commit leaves nothing, and the file is free for the next', async () => {
  const file = newFile()
  const table = await open(file)
  const abort = new AbortController()
  setFailpointHandler({ crash: (point) => point === 'database.record.after' && abort.abort(new Error('stopped')), tamper: () => null })
  await assert.rejects(apply(table, 1, abort.signal), /stopped/)
  setFailpointHandler(null)
  assert.deepEqual([(await table.head()).exists, existsSync(file)], [false, true])
  // Another process, too: what was aborted does not keep it.
  assert.equal(await run(file, 3), 0)
  assert.equal((await apply(table, 1)).version, 2)
})

test('a full disk rolls back, and the next attempt works', async (t) => {
  const disk = join(folder, 'disk')
  if (spawnSync('sh', ['-c', `mkdir ${disk} && mount -t tmpfs -o size=4m tmpfs ${disk}`], { stdio: 'ignore' }).status !== 0) return t.skip('cannot mount a small disk')
  try {
    const table = await open(join(disk, 'data.duckdb'))
    await apply(table, 1)
    const ballast = join(disk, 'ballast')
    const free = Number(spawnSync('sh', ['-c', `df --output=avail -B1 ${disk} | tail -1`]).stdout.toString())
    writeFileSync(ballast, Buffer.alloc(free))
    await assert.rejects(apply(table, 2), code('DISK_FULL'))
    rmSync(ballast)
    assert.equal((await table.head()).version, 1)
    assert.deepEqual(await table.verify(), [])
    assert.equal((await apply(table, 2)).version, 2)
    assert.deepEqual(await table.verify(), [])
  } finally {
    spawnSync('umount', [disk])
  }
})
