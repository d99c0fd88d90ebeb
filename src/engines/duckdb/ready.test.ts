/** Processes that are ready, early or left over: taken once by who wants what they were started for, ended otherwise, and in nobody's way. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { dismissReady, startEarly, takeReady } from './ready.ts'
import type { Session } from '../../core/engine.ts'
import { openDuckdbEngine } from './engine.ts'
import { divide } from './share.ts'
import type { Share } from './share.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-ready-'))
after(() => rmSync(folder, { recursive: true, force: true }))
/** Nothing is left over from one test to the next. */
afterEach(async () => {
  dismissReady()
  while (childrenOf(process.pid).length > 0) await setTimeout(5)
})
const childrenOf = (pid: number): string[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter((child) => child !== '')
const share = (memory: number): Share => divide(memory, availableParallelism())

test('it serves the first engine that opens with its settings, and spills where that engine says', async () => {
  startEarly(1e9)
  const engine = openDuckdbEngine({ memory: 1e9, spool: folder })
  try {
    const session = await engine.session()
    const [row] = await session.rows("SELECT current_setting('temp_directory') AS temp, current_setting('threads') AS threads")
    assert.equal(row?.['temp'], join(folder, `duckdb-${process.pid}-1`))
    assert.equal(row?.['threads'], BigInt(share(1e9).threads))
    assert.ok(takeReady(share(1e9)).worker === null, 'it is taken once')
    // It belongs to the engine now.
    dismissReady()
    assert.equal((await session.rows('SELECT 1 AS one'))[0]?.['one'], 1n)
    await session.close()
  } finally {
    await engine.close()
  }
})

test('who wants another memory does not get it, and it ends', async () => {
  startEarly(1e9)
  assert.equal(childrenOf(process.pid).length, 1)
  assert.ok(takeReady(share(600e6)).worker === null)
  while (childrenOf(process.pid).length > 0) await setTimeout(5)
  assert.ok(takeReady(share(1e9)).worker === null)
})

/** Who served an engine that was opened with `memory`, and where it spilled. */
async function served(memory: number, spool = folder, work: (session: Session) => Promise<void> = async () => undefined): Promise<{ pids: string[]; temp: unknown }> {
  const engine = openDuckdbEngine({ memory, jobs: 1, spool })
  try {
    const session = await engine.session()
    const [row] = await session.rows("SELECT current_setting('temp_directory') AS temp")
    await work(session)
    await session.close()
    return { pids: childrenOf(process.pid), temp: row?.['temp'] }
  } finally {
    await engine.close()
  }
}

test('what an engine leaves over serves the next one with its settings, which says anew where to spill', async () => {
  const first = await served(600e6)
  const spool = join(folder, 'other')
  mkdirSync(spool)
  const second = await served(600e6, spool, (session) => session.exec('CREATE TEMP TABLE left_over AS SELECT 1 AS one'))
  assert.deepEqual(second.pids, first.pids)
  assert.equal(second.temp, join(spool, `duckdb-${process.pid}-1`))
  const third = await served(600e6, spool, (session) => session.exec('CREATE TEMP TABLE left_over AS SELECT 2 AS two'))
  assert.deepEqual(third.pids, first.pids)
})

const others: Record<string, (again: () => Promise<{ pids: string[] }>) => Promise<{ pids: string[] }>> = {
  'for another memory': () => served(700e6),
  'under other variables': async (again) => {
    process.env['SLUICE_TEST_READY'] = 'other'
    return again().finally(() => delete process.env['SLUICE_TEST_READY'])
  },
  'from another folder': async (again) => {
    const here = process.cwd()
    process.chdir(folder)
    return again().finally(() => process.chdir(here))
  },
}
for (const [how, wanted] of Object.entries(others)) {
  test(`it is not taken ${how}`, async () => {
    const { pids } = await served(600e6)
    const other = await wanted(() => served(600e6))
    assert.equal(pids.length, 1)
    assert.ok(other.pids.some((pid) => !pids.includes(pid)), `${other.pids.join()} after ${pids.join()}`)
    while (childrenOf(process.pid).length > 1) await setTimeout(5)
  })
}

test('one that has spilled is not left over', async () => {
  const { pids } = await served(600e6, folder, async () => {
    mkdirSync(join(folder, `duckdb-${process.pid}-1`))
  })
  assert.ok(!(await served(600e6)).pids.some((pid) => pids.includes(pid)))
})

test('one with a file that somebody has not let go is not left over, and the file is free', async () => {
  const attach = async (session: Session): Promise<void> => session.exec(`ATTACH '${join(folder, 'held.duckdb')}' AS held`)
  const { pids } = await served(600e6, folder, attach)
  assert.ok(!(await served(600e6, folder, attach)).pids.some((pid) => pids.includes(pid)))
})

test('one with an open session is not left over', async () => {
  const engine = openDuckdbEngine({ memory: 600e6, jobs: 1, spool: folder })
  const others = childrenOf(process.pid)
  await engine.session()
  const mine = childrenOf(process.pid).filter((pid) => !others.includes(pid))
  await engine.close()
  assert.ok(!(await served(600e6)).pids.some((pid) => mine.includes(pid)))
})

test('one that was stopped is not left over, also when nobody has heard of its end yet', async () => {
  const engine = openDuckdbEngine({ memory: 600e6, jobs: 1, spool: folder })
  const stop = new AbortController()
  const session = await engine.session(stop.signal)
  const asked = assert.rejects(session.rows('SELECT count(*) FROM range(100000000000)'), { message: 'enough' })
  const pids = childrenOf(process.pid)
  stop.abort(new Error('enough'))
  await session.close()
  await engine.close()
  await asked
  assert.ok(!(await served(600e6)).pids.some((pid) => pids.includes(pid)))
})

test('a process is passed on a hundred times, and then another one serves', async () => {
  const first = await served(600e6)
  for (let n = 1; n < 100; n++) await served(600e6)
  assert.deepEqual((await served(600e6)).pids, first.pids)
  assert.ok(!(await served(600e6)).pids.some((pid) => first.pids.includes(pid)))
})

test('one that died is not given to anybody', async () => {
  const others = childrenOf(process.pid)
  startEarly(1e9)
  const pid = childrenOf(process.pid).find((child) => !others.includes(child))
  process.kill(Number(pid), 'SIGKILL')
  for (let turn = 0; turn < 200 && childrenOf(process.pid).includes(String(pid)); turn++) await setTimeout(50)
  // Heard of once its pipes are closed, too.
  await setTimeout(200)
  const taken = takeReady(share(1e9)).worker
  taken?.dismiss()
  assert.ok(taken === null)
  dismissReady()
})

for (const [how, end, turns] of [['ends', '', 0], ['is ended', 'process.exit(0)', 200]] as const) {
  test(`a process that holds a ready one ${how}, and the ready one with it`, async () => {
    const program = `import { startEarly } from ${JSON.stringify(join(import.meta.dirname, 'ready.ts'))}
      import { readFileSync } from 'node:fs'
      startEarly(1e9)
      console.log(readFileSync('/proc/' + process.pid + '/task/' + process.pid + '/children', 'latin1').trim())
      ${end}`
    const said = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 60_000 })
    assert.equal(said.status, 0, said.stderr)
    const child = said.stdout.trim()
    assert.match(child, /^\d+$/)
    // At its natural end a process waits until the other one is gone: nothing of a command outlives it.
    for (let turn = 0; turn < turns && !gone(child); turn++) await setTimeout(50)
    assert.ok(gone(child), `the process ${child} outlived its parent`)
  })
}

function gone(pid: string): boolean {
  try {
    return / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return true
  }
}
