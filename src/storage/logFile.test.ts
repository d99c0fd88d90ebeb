/** Log files: names follow from day and size, several writers do not mix their lines, and a fault is said once. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { scratch } from '../../test/command.ts'
import type { SluiceError } from '../core/errors.ts'
import { logFiles, openLogFile } from './logFile.ts'
import type { LogFileSettings } from './logFile.ts'

const NOON = Date.parse('2026-01-31T12:00:00Z')
const DAY = 86_400_000

function settings(folder: string, more: Partial<LogFileSettings> = {}): LogFileSettings & { faults: SluiceError[] } {
  const faults: SluiceError[] = []
  return { folder, size: 1e9, keep: 14 * DAY, now: () => NOON, onFault: (error) => faults.push(error), faults, ...more }
}

// A writer of its own process: lines of many lengths, so that a torn one would be seen.
if (process.argv[2] === 'write') {
  const log = openLogFile(settings(process.argv[3] ?? '', { size: 300_000 }))
  for (let n = 0; n < 2000; n++) log.write(`${JSON.stringify({ writer: process.argv[4], n, fill: 'x'.repeat((n * 37) % 900) })}\n`)
  process.exit(0)
}

test('several processes write at once: every line is whole, none is lost, and files follow one another by size', async (t) => {
  const folder = scratch(t)
  const writers = ['a', 'b', 'c'].map((name) => fork(import.meta.filename, ['write', folder, name], { stdio: 'ignore' }))
  for (const ended of await Promise.all(writers.map((writer) => once(writer, 'exit')))) assert.deepEqual(ended, [0, null])
  const files = logFiles(folder)
  assert.ok(files.length >= 4, `${files.length} files`)
  assert.equal(files[1], join(folder, 'sluice-2026-01-31.2.log'))
  const seen = new Map<string, number>()
  for (const path of files) {
    for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
      // Whoever opens the file while a line is being written takes it for one that was cut short, and ends it.
      if (line === '') continue
      const { writer, n } = JSON.parse(line) as { writer: string; n: number }
      // One writer's lines are in order within the files in order.
      assert.equal(n, seen.get(writer) ?? 0)
      seen.set(writer, n + 1)
    }
  }
  assert.deepEqual([...seen.values()], [2000, 2000, 2000])
})

test('a new day is a new file, and old days go; what is not ours stays', (t) => {
  const folder = scratch(t)
  let now = NOON
  for (const name of ['sluice-2026-01-10.log', 'sluice-2026-01-16.2.log', 'sluice-2026-01-20.log', 'other-2020-01-01.log']) writeFileSync(join(folder, name), 'old\n')
  const log = openLogFile(settings(folder, { now: () => now }))
  log.write('one\n')
  now += DAY
  log.write('two\n')
  log.close()
  assert.deepEqual(readdirSync(folder).toSorted(), ['other-2020-01-01.log', 'sluice-2026-01-20.log', 'sluice-2026-01-31.log', 'sluice-2026-02-01.log'])
  assert.equal(readFileSync(join(folder, 'sluice-2026-02-01.log'), 'utf8'), 'two\n')
})

test('the folder is made with the first line and not before', (t) => {
  const folder = join(scratch(t), 'a/logs')
  const log = openLogFile(settings(folder))
  assert.equal(existsSync(folder), false)
  log.write('one\n')
  assert.deepEqual(readdirSync(folder), ['sluice-2026-01-31.log'])
})

test('after a line that was cut short, the next begins on a line of its own', (t) => {
  const folder = scratch(t)
  appendFileSync(join(folder, 'sluice-2026-01-31.log'), 'whole\n{"cut":"sh')
  openLogFile(settings(folder)).write('next\n')
  assert.equal(readFileSync(join(folder, 'sluice-2026-01-31.log'), 'utf8'), 'whole\n{"cut":"sh\nnext\n')
})

test('what cannot be written is said once, and nothing is thrown', (t) => {
  const room = scratch(t)
  writeFileSync(join(room, 'file'), '')
  const given = settings(join(room, 'file/logs'))
  const log = openLogFile(given)
  for (let n = 0; n < 3; n++) log.write('line\n')
  assert.deepEqual(given.faults.length, 1)
  assert.match(given.faults[0]?.message ?? '', /Cannot write the log in .*file\/logs/)
  // A link in place of the file is not followed.
  mkdirSync(join(room, 'logs'))
  symlinkSync(join(room, 'elsewhere'), join(room, 'logs/sluice-2026-01-31.log'))
  const linked = settings(join(room, 'logs'))
  openLogFile(linked).write('line\n')
  assert.equal(linked.faults.length, 1)
  assert.equal(existsSync(join(room, 'elsewhere')), false)
})
