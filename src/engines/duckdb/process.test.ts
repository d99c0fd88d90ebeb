/** Processes of the engine: they die, are aborted and replaced; sessions and streams; the parent stays free of DuckDB. */
import { strict as assert } from 'node:assert'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { define } from '../../core/definition.ts'
import type { StageEvent, StageJob } from '../../core/engine.ts'
import { WorkerDied } from '../../core/death.ts'
import { SluiceError } from '../../core/errors.ts'
import { placeOf } from '../../core/place.ts'
import { lookAt } from '../../storage/pin.ts'
import { openDuckdbEngine } from './engine.ts'
import { BY_ITSELF } from '../../core/reading.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-process-'))
const engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: root })
after(async () => {
  await engine.close()
  rmSync(root, { recursive: true, force: true })
})

let jobs = 0
function jobOf(records: number): StageJob {
  jobs += 1
  const path = join(root, `in${jobs}.ndjson`)
  const folder = join(root, `batch${jobs}`)
  mkdirSync(folder)
  writeFileSync(path, Array.from({ length: records }, (_, at) => `{"id":"k${at}"}\n`).join(''))
  const pin = lookAt(path)
  assert.ok(pin !== null)
  return {
    batch: { id: `b_${jobs}`, lane: 1, fence: 1, table: 't', arrivals: [{ seq: 1, pin, reload: false, replaced: false }] },
    attempt: 1,
    definition: define('t', { columns: 'id:string', key: 'id' }),
    pinned: null,
    folder,
    reading: BY_ITSELF, onBad: 'quarantine',
    maxBad: null,
    now: Date.now(),
    grace: 0,
    standing: () => Promise.resolve(new Map()),
    reloaded: new Set(),
  }
}

const never = new AbortController().signal
const isCode = (code: string, pattern = /./) => (thrown: unknown): boolean => thrown instanceof SluiceError && thrown.code === code && pattern.test(thrown.message)

/** Process numbers of this process's children. */
function children(): number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

describe('a process of the engine', () => {
  test('ends when its DuckDB gave a file up, and another one has the file', async (t) => {
    const disk = join(root, 'disk')
    if (spawnSync('sh', ['-c', `mkdir ${disk} && mount -t tmpfs -o size=4m tmpfs ${disk}`], { stdio: 'ignore' }).status !== 0) return t.skip('cannot mount a small disk')
    try {
      const attach = `ATTACH '${join(disk, 'a.duckdb')}' AS a (TYPE duckdb)`
      const session = await engine.session()
      for (const sql of [attach, 'USE a', 'CREATE TABLE a.t AS SELECT 1 AS n']) await session.exec(sql)
      const before = children()
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(Number(execFileSync('df', ['--output=avail', '-B1', disk], { encoding: 'utf8' }).split('\n')[1])))
      await assert.rejects(session.exec('FORCE CHECKPOINT a'), isCode('DISK_FULL', /has been invalidated/))
      rmSync(join(disk, 'ballast'))
      await session.close()
      const next = await engine.session()
      await next.exec(attach)
      assert.deepEqual(await next.rows('SELECT n FROM a.t'), [{ n: 1n }])
      assert.ok(before.length > 0 && !children().some((pid) => before.includes(pid)))
      await next.exec('DETACH a')
      await next.close()
    } finally {
      execFileSync('umount', [disk])
    }
  })

  test('is mourned by its job and replaced for the next one', async () => {
    const job = jobOf(1000)
    const kill = (event: StageEvent): void => {
      if (event.kind === 'arrival.begin') for (const pid of children()) process.kill(pid, 'SIGKILL')
    }
    // Whatever of the job is left when the signal arrives, it cannot end: its question is never answered.
    const dying = engine.stage({ ...job, standing: () => new Promise(() => undefined) }, kill, never)
    await assert.rejects(dying, isCode('ENGINE_DIED', /SIGKILL while it (read|staged) /))
    const staged = await engine.stage({ ...jobOf(5), attempt: 2 }, () => undefined, never)
    assert.equal(staged.winners, 5)
  })

  test('is killed when the signal aborts, and the job rejects with its reason', async () => {
    const controller = new AbortController()
    const reason = new SluiceError('INTERRUPTED', 'stop')
    const begun = (event: StageEvent): void => {
      if (event.kind === 'arrival.begin') controller.abort(reason)
    }
    const stopped = engine.stage({ ...jobOf(10), standing: () => new Promise(() => undefined) }, begun, controller.signal)
    await assert.rejects(stopped, (thrown: unknown) => thrown === reason)
    const staged = await engine.stage(jobOf(3), () => undefined, never)
    assert.equal(staged.winners, 3)
    await assert.rejects(engine.stage(jobOf(3), () => undefined, controller.signal), (thrown: unknown) => thrown === reason)
  })

  test('tells which file it was working at, also when it had read it to its end', async () => {
    Object.assign(process.env, { SLUICE_TEST_ONLY: 'poison', SLUICE_POISON: 'venom=exit@after' })
    const poisoned = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: root })
    poisoned.warm()
    delete process.env['SLUICE_TEST_ONLY']
    delete process.env['SLUICE_POISON']
    const folder = join(root, 'convert')
    mkdirSync(folder)
    const files = ['a', 'venom', 'c'].map((name, at) => {
      const path = join(root, `${name}.ndjson`)
      writeFileSync(path, '{"id":1}\n')
      const pin = lookAt(path)
      assert.ok(pin !== null)
      return { n: at + 1, pin, output: join(folder, `${name}.out`), rejects: join(folder, `${name}.rejects`) }
    })
    const ended: number[] = []
    const { definition, reading, onBad, maxBad, now, grace } = jobOf(1)
    const done = poisoned.convert({ files, to: 'csv', definition: { ...definition, key: [], keep: null }, reading, onBad, maxBad, now, grace, escapeFormulas: false, folder }, (event) => event.kind === 'end' && ended.push(event.converted.n), never)
    await assert.rejects(done, (thrown) => thrown instanceof WorkerDied && thrown.last.begun === 2 && thrown.last.offset === null && thrown.last.guilty && /while it wrote what it had read of .*venom/.test(thrown.message))
    assert.deepEqual(ended, [], 'small files are written together: what was read before it is made again')
    await poisoned.close()
  })

  test('ignores the signals of the terminal', async () => {
    const session = await engine.session()
    for (const pid of children()) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.kill(pid, signal)
    assert.deepEqual(await session.rows('SELECT 1 AS one'), [{ one: 1n }])
    await session.close()
  })

  test('ends with its parent', async () => {
    const script = `import { openDuckdbEngine } from ${JSON.stringify(new URL('./engine.ts', import.meta.url).href)}
      const engine = openDuckdbEngine({ memory: 512e6, spool: ${JSON.stringify(root)} })
      const session = await engine.session()
      console.log((await session.rows('SELECT 1 AS one')).length)
      setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(parent.stdout, 'data')
    const child = Number(readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8').split(' ')[0])
    assert.ok(existsSync(`/proc/${child}`))
    parent.kill('SIGKILL')
    // The pipe of standard error closes when the last process that holds it is gone; here the process table is asked.
    const gone = (): boolean => {
      try {
        return /^State:\s+Z/m.test(readFileSync(`/proc/${child}/status`, 'utf8'))
      } catch {
        return true
      }
    }
    while (!gone()) await new Promise((resolve) => setImmediate(resolve))
  })

  test('leaves nothing of what DuckDB spilled', async () => {
    const own = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: mkdirIn('spill') })
    const session = await own.session()
    await session.exec("SET memory_limit = '20MB'")
    await session.exec('CREATE TEMP TABLE much AS SELECT i, md5(i::VARCHAR) AS text FROM range(600000) t(i)')
    assert.notDeepEqual(readdirSync(join(root, 'spill')), [])
    await own.close()
    assert.deepEqual(readdirSync(join(root, 'spill')), [])
  })
})

function mkdirIn(name: string): string {
  mkdirSync(join(root, name))
  return join(root, name)
}

describe('a session', () => {
  test('copies, syncs and tells what it wrote; nothing to write leaves no file', async () => {
    const session = await engine.session()
    const uri = join(root, "it's [a] part.parquet")
    const select = `SELECT i AS "a""b", CASE WHEN i > 1 THEN 'x' || i END AS t, 1.5::DOUBLE AS d, TIMESTAMPTZ '2020-01-01 00:00:00Z' AS at FROM range(4) r(i)`
    const written = await session.copy('test.copy', select, uri)
    assert.equal(written.rows, 4)
    assert.equal(written.bytes, statSync(uri).size)
    assert.deepEqual(written.stats['a"b'], { nulls: 0, min: '0', max: '3' })
    assert.deepEqual(written.stats['t'], { nulls: 2, min: 'x2', max: 'x3' })
    assert.deepEqual(written.stats['d'], { nulls: 0, min: '1.5', max: '1.5', nan: false })
    const empty = await session.copy('test.copy', `${select} WHERE false`, join(root, 'empty.parquet'))
    assert.deepEqual(empty, { uri: join(root, 'empty.parquet'), rows: 0, bytes: 0, stats: {} })
    assert.ok(!existsSync(join(root, 'empty.parquet')))
    await session.close()
  })

  test('reaches its failpoints, the sync of the copy among them', () => {
    const log = join(root, 'points')
    const script = `import { openDuckdbEngine } from ${JSON.stringify(new URL('./engine.ts', import.meta.url).href)}
      const engine = openDuckdbEngine({ memory: 512e6, spool: ${JSON.stringify(root)} })
      const session = await engine.session()
      await session.copy('test.copy', 'SELECT 1 AS a', ${JSON.stringify(join(root, 'points.parquet'))})
      await engine.close()`
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, SLUICE_FAILPOINT_LOG: log } })
    assert.deepEqual(readFileSync(log, 'utf8').trim().split('\n'), ['c test.copy.before', 'c test.copy.after', 'c test.copy.sync.before', 'c test.copy.sync.after'])
  })

  test('answers in the types that it promises, in UTC', async () => {
    const session = await engine.session()
    const rows = await session.rows("SELECT 1::INTEGER AS i, 2::BIGINT AS b, 3::HUGEINT AS h, 0.5::DOUBLE AS d, true AS t, 'x' AS s, NULL AS n, DATE '2020-01-02' AS day, current_setting('TimeZone') AS zone")
    assert.deepEqual(rows, [{ i: 1n, b: 2n, h: 3n, d: 0.5, t: true, s: 'x', n: null, day: '2020-01-02', zone: 'UTC' }])
    await session.close()
  })

  test('tells errors by what is to be done', async () => {
    const session = await engine.session()
    await assert.rejects(session.exec('SELEC 1'), isCode('ENGINE_FAILED', /SELEC 1/))
    await assert.rejects(session.copy('test.copy', 'SELECT 1', join(root, 'no', 'such.parquet')), isCode('IO_FAILED'))
    await assert.rejects(session.copy('test.copy', 'SELECT 1', '/dev/full'), isCode('DISK_FULL'))
    // A list is held whole and cannot spill.
    await assert.rejects(session.rows('SELECT len(list(range)) AS n FROM range(40000000)'), isCode('MEMORY_EXHAUSTED', /Out of Memory/))
    await session.close()
  })
})

describe('a stream', () => {
  test('waits for its reader, can be left early, and is not cut short by neighbours', async () => {
    const staged = await engine.stage(jobOf(30_000), () => undefined, never)
    for await (const first of engine.read(staged, 'winners')) {
      assert.ok(first.length < 5000)
      break
    }
    const session = await engine.session()
    let expected = 1
    for await (const rows of engine.read(staged, 'winners')) {
      await session.rows('SELECT count(*) AS n FROM range(10)')
      for (const row of rows) assert.equal(row.at(-1), placeOf(1, expected++))
    }
    assert.equal(expected, 30_001)
    await session.close()
  })
})

test('only the child process reaches the library of DuckDB', () => {
  const reached = new Map<string, string[]>()
  const visit = (file: string): void => {
    if (reached.has(file)) return
    const imports = [...readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type\b)[^'"]*['"]([^'"]+)['"]/gm)].map((match) => match[1] ?? '')
    reached.set(file, imports)
    for (const name of imports) if (/^\..*\.ts$/.test(name)) visit(join(dirname(file), name))
  }
  const here = dirname(fileURLToPath(import.meta.url))
  const users = (): string[] => [...reached].filter(([, imports]) => imports.some((name) => name.startsWith('@duckdb'))).map(([file]) => file)
  visit(join(here, 'engine.ts'))
  assert.ok(reached.size > 8)
  assert.deepEqual(users(), [])
  visit(join(here, 'child.ts'))
  // All that is loaded before DuckDB is being opened.
  assert.deepEqual(users(), [join(here, 'instance.ts')])
  visit(join(here, 'serving.ts'))
  assert.deepEqual(users().toSorted(), ['database.ts', 'decoding.ts', 'foreign.ts', 'instance.ts'].map((name) => join(here, name)))
})
