/** The watchdog looks at real processes. Its limit is made short; nothing here measures how long anything takes. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Watch } from './watch.ts'
import type { Watched } from './watch.ts'

const LIMIT = 100e6
const ready = "process.stdout.write('.');"

interface Subject extends Watched {
  child: ChildProcess
  stopped: string | null
}

async function subject(t: TestContext, program: string, beats: () => number = () => 1): Promise<Subject> {
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  const made: Subject = { child, pid: child.pid, busy: true, patience: null, stopped: null, seen: () => ({ beats: beats(), seq: null, bytes: 0, after: null }), stop: (why) => void (made.stopped ??= why) }
  return made
}

/** Looks until somebody is stopped, or so many times. */
async function look(watch: Watch, subjects: readonly Subject[], most: number): Promise<void> {
  for (let n = 0; n < most && subjects.every(({ stopped }) => stopped === null); n++) {
    watch.look(subjects)
    await sleep(20)
  }
}

const skip = existsSync('/proc/self/stat') ? false : 'there is no /proc'

test('an endless loop is stopped; who beats, is not asked, or stands still for another reason is not', { skip }, async (t) => {
  let n = 0
  const loop = `${ready} for (;;);`
  const spinning = await subject(t, loop)
  const beating = await subject(t, loop, () => n++)
  const idle = { ...(await subject(t, loop)), busy: false }
  const halted = await subject(t, loop)
  halted.child.kill('SIGSTOP')
  await look(new Watch(1e12, 300), [spinning, beating, idle, halted], 5000)
  assert.match(spinning.stopped ?? '', /no progress for 0\.3 s/)
  assert.deepEqual([beating.stopped, idle.stopped, halted.stopped], [null, null, null])
})

test('a group of suspects has less patience, but not while a file is read', { skip }, async (t) => {
  const loop = `${ready} for (;;);`
  const deciding = { ...(await subject(t, loop)), patience: 200 }
  const reading = { ...(await subject(t, loop)), patience: 200, seen: () => ({ beats: 1, seq: 7, bytes: 0, after: null }) }
  const said: string[] = []
  deciding.stop = (why, silent) => void said.push(`${why}, ${silent}`)
  reading.stop = () => void said.push('reading')
  const watch = new Watch(1e12, 3_600_000)
  for (let n = 0; n < 5000 && said.length === 0; n++) {
    watch.look([deciding, reading])
    await sleep(20)
  }
  assert.equal(said[0], 'it made no progress for 0.2 s, true')
})

test('a process that waits in its own code for ever is stopped', { skip }, async (t) => {
  const hanging = await subject(t, `${ready} Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)`)
  await look(new Watch(1e12, 300), [hanging], 5000)
  assert.match(hanging.stopped ?? '', /no progress/)
})

test('memory above the limit is stopped, also outside of the heap', { skip }, async (t) => {
  let n = 0
  const eating = await subject(t, `globalThis.kept = Buffer.alloc(${LIMIT * 2}, 1); ${ready} setInterval(() => {}, 1000)`, () => n++)
  const modest = await subject(t, `${ready} setInterval(() => {}, 1000)`, () => n++)
  const watch = new Watch(LIMIT)
  for (let look = 0; look < 3; look++) watch.look([eating, modest])
  assert.match(eating.stopped ?? '', /took 2\d\d MB of memory; all together may have 100 MB/)
  assert.equal(modest.stopped, null)
})
