/** The progress line: when it is painted, what it says, and that nothing of it stays. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Clock } from '../core/effects.ts'
import type { LoadEvent } from '../core/events.ts'
import { Output } from './output.ts'
import { Reckoning, barLine, progressOf, resolveMode } from './progress.ts'

class Recorder {
  readonly isTTY: boolean
  readonly columns = 60
  readonly writes: string[] = []
  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }
  write(text: string): void {
    this.writes.push(text)
  }
}

function clockAt(state: { ms: number }): Clock {
  return { now: () => 1_767_225_600_000 + state.ms, monotonic: () => state.ms, sleep: () => Promise.resolve() }
}

function read(batch: string, files: number, bytes: number): LoadEvent {
  return { kind: 'progress', batch, files, bytes, records: bytes / 100 }
}

function phase(batch: string, which: 'staged' | 'committed' | 'settled'): LoadEvent {
  return { kind: 'phase', batch, phase: which, ms: 1, detail: '' }
}

const found: LoadEvent = { kind: 'discovered', files: 4, bytes: 1000, known: 0, ignored: 0 }

test('auto is a bar only for a person at a terminal', () => {
  const terminal = new Recorder(true)
  assert.equal(resolveMode('auto', terminal, {}), 'bar')
  assert.equal(resolveMode('auto', terminal, { CI: 'true' }), 'plain')
  assert.equal(resolveMode('auto', terminal, { TERM: 'dumb' }), 'plain')
  assert.equal(resolveMode('auto', new Recorder(false), {}), 'plain')
  assert.equal(resolveMode('none', terminal, {}), 'none')
})

test('batches add up, a batch that is made again counts once', () => {
  const sum = new Reckoning()
  for (const event of [found, read('a', 2, 300), read('b', 1, 100), read('a', 1, 200)]) sum.take(event)
  assert.deepEqual(sum.reading, { bytes: 300, total: 1000, records: 3, files: 2, filesTotal: 4, doing: null })
})

test('the bar says share, files, size, rate and the time that remains', () => {
  const line = barLine({ bytes: 500, total: 1000, records: 8000, files: 2, filesTotal: 4, doing: null }, 4000)
  assert.equal(line, '━━━━━━━━━━━━────────────  50 %  2/4 files  500 B  2k records/s  ~0:04')
})

test('when all is read the line says what goes on, for the batch that is behind', () => {
  const sum = new Reckoning()
  const said: (string | null)[] = []
  // Of a file that failed not all bytes are read.
  for (const event of [found, read('a', 2, 500), phase('a', 'staged'), read('b', 1, 300), read('b', 2, 400), phase('a', 'settled'), phase('b', 'staged'), phase('b', 'committed')]) {
    sum.take(event)
    said.push(sum.reading.doing)
  }
  assert.deepEqual(said, [null, null, null, null, 'sorting out', 'sorting out', 'committing', 'closing'])
  assert.match(barLine(sum.reading, 100), / 100 %  4\/4 files  900 B  closing$/)
})

test('a step that begins is painted at once', () => {
  const stderr = new Recorder(true)
  const progress = progressOf(new Output({}, new Recorder(true), stderr, {}), clockAt({ ms: 0 }), {})
  for (const event of [found, read('a', 4, 1000), phase('a', 'staged')]) progress.on(event)
  assert.match(stderr.writes.at(-1) ?? '', /4\/4 files {2}1.0 kB {2}c/)
  progress.end()
})

test('a bar is painted ten times a second at most, kept within the terminal, and erased', () => {
  const state = { ms: 0 }
  const stderr = new Recorder(true)
  const progress = progressOf(new Output({ progress: 'auto' }, new Recorder(true), stderr, {}), clockAt(state), {})
  progress.on(found)
  for (let i = 0; i < 999; i++) {
    state.ms += 1
    progress.on({ kind: 'progress', batch: 'a', files: 0, bytes: i, records: i })
  }
  assert.equal(stderr.writes.length, 10)
  for (const text of stderr.writes) assert.ok(Array.from(text.replace('\r\u001b[2K', '')).length < 60, text)
  progress.end()
  assert.equal(stderr.writes.at(-1), '\r\u001b[2K')
})

test('a note erases the bar first', () => {
  const stderr = new Recorder(true)
  const output = new Output({}, new Recorder(true), stderr, {})
  const progress = progressOf(output, clockAt({ ms: 0 }), {})
  progress.on(found)
  output.note('hello')
  assert.deepEqual(stderr.writes.slice(-2), ['\r\u001b[2K', 'hello\n'])
  progress.end()
})

test('plain progress is a line with the time per ten percent or ten seconds', () => {
  const state = { ms: 0 }
  const stderr = new Recorder(false)
  const progress = progressOf(new Output({}, new Recorder(false), stderr, {}), clockAt(state), {})
  progress.on(found)
  for (const [ms, bytes] of [[500, 50], [2000, 150], [2001, 160], [2002, 210], [9000, 220], [12_500, 230], [19_500, 235]] as const) {
    state.ms = ms
    progress.on({ kind: 'progress', batch: 'a', files: 0, bytes, records: bytes })
  }
  progress.end()
  assert.equal(stderr.writes.length, 3)
  assert.match(stderr.writes[0] ?? '', /^2026-01-01T00:00:02Z {2}load {2}15 % {2}0\/4 files {2}150 B {2}75 records\/s/)
  assert.match(stderr.writes[2] ?? '', / 23 % /)
})

test('-q shows none', () => {
  const stderr = new Recorder(true)
  const progress = progressOf(new Output({ quiet: true }, new Recorder(true), stderr, {}), clockAt({ ms: 0 }), {})
  progress.on(found)
  progress.end()
  assert.deepEqual(stderr.writes, [])
})
