/** The early process: taken once by who wants what it was started for, ended otherwise, and in nobody's way. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { startEarly, takeEarly } from './early.ts'
import { openDuckdbEngine } from './engine.ts'
import { divide } from './share.ts'
import type { Share } from './share.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-early-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const childrenOf = (pid: number): string[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter((child) => child !== '')
const share = (memory: number): Share => divide(memory, availableParallelism())

test('it serves the first engine that opens with its settings, and spills where that engine says', async () => {
  const end = startEarly(1e9)
  const engine = openDuckdbEngine({ memory: 1e9, spool: folder })
  try {
    const session = await engine.session()
    const [row] = await session.rows("SELECT current_setting('temp_directory') AS temp, current_setting('threads') AS threads")
    assert.equal(row?.['temp'], join(folder, `duckdb-${process.pid}-1`))
    assert.equal(row?.['threads'], BigInt(share(1e9).threads))
    assert.ok(takeEarly(share(1e9)) === null, 'it is taken once')
    // It belongs to the engine now.
    end()
    assert.equal((await session.rows('SELECT 1 AS one'))[0]?.['one'], 1n)
    await session.close()
  } finally {
    await engine.close()
  }
})

test('who wants another memory does not get it, and it ends when it is not wanted', async () => {
  const end = startEarly(1e9)
  assert.ok(takeEarly(share(600e6)) === null)
  const taken = takeEarly(share(1e9))
  assert.ok(taken?.alive === true)
  taken.dismiss()
  await taken.ended
  end()

  startEarly(1e9)()
  assert.ok(takeEarly(share(1e9)) === null)
})

test('one that died is not given to anybody', async () => {
  const others = childrenOf(process.pid)
  const end = startEarly(1e9)
  const pid = childrenOf(process.pid).find((child) => !others.includes(child))
  process.kill(Number(pid), 'SIGKILL')
  for (let turn = 0; turn < 200 && childrenOf(process.pid).includes(String(pid)); turn++) await setTimeout(50)
  // Heard of once its pipes are closed, too.
  await setTimeout(200)
  const taken = takeEarly(share(1e9))
  taken?.dismiss()
  assert.ok(taken === null)
  end()
})

test('a process ends although it holds an early one, which ends with it', async () => {
  const program = `import { startEarly } from ${JSON.stringify(join(import.meta.dirname, 'early.ts'))}
    import { readFileSync } from 'node:fs'
    startEarly(1e9)
    console.log(readFileSync('/proc/' + process.pid + '/task/' + process.pid + '/children', 'latin1').trim())`
  const said = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 60_000 })
  assert.equal(said.status, 0, said.stderr)
  const child = said.stdout.trim()
  assert.match(child, /^\d+$/)
  const ended = (): boolean => {
    try {
      return / [ZX] /.test(readFileSync(`/proc/${child}/stat`, 'latin1'))
    } catch {
      return true
    }
  }
  for (let turn = 0; turn < 200 && !ended(); turn++) await setTimeout(50)
  assert.ok(ended(), `the process ${child} outlived its parent`)
})
