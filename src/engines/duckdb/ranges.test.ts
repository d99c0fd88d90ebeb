/** A batch that several processes read at once comes to the same as one that one process reads. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, test } from 'node:test'
import type { Arrival } from '../../core/arrival.ts'
import { define } from '../../core/definition.ts'
import type { DefinitionRequest } from '../../core/definition.ts'
import type { Batch, StageEvent, StageJob, Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { BY_ITSELF } from '../../core/reading.ts'
import type { Row } from '../../core/schema.ts'
import { openSplitter } from '../../formats/splitter.ts'
import { lookAt } from '../../storage/pin.ts'
import { Pool } from './pool.ts'
import { openDuckdbEngine } from './engine.ts'
import { Database } from './database.ts'
import { RANGE, agreed, mostRanges, rangesOf, together } from './ranges.ts'
import { readHere, stage } from './stage.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-ranges-'))
const { bytes: usual } = RANGE
const engine = openDuckdbEngine({ memory: 1_000_000_000, spool: root })
const database = await Database.open({ threads: 1, memory: 100_000_000, temp: join(root, 'temp') })
afterEach(() => void (RANGE.bytes = usual))
after(async () => {
  await engine.close()
  rmSync(root, { recursive: true, force: true })
})

let jobs = 0
function jobOf(texts: readonly string[], request: DefinitionRequest): StageJob {
  jobs += 1
  const folder = join(root, `batch${jobs}`)
  const inbox = join(root, `in${jobs}`)
  mkdirSync(folder)
  mkdirSync(inbox)
  const arrivals = texts.map((text, at): Arrival => {
    const path = join(inbox, `f${at + 1}.ndjson`)
    writeFileSync(path, text)
    const pin = lookAt(path)
    assert.ok(pin !== null)
    return { seq: at + 1, pin, reload: false, replaced: false }
  })
  const batch = { id: `b_${jobs}`, lane: 1, fence: 7, table: 't', arrivals }
  return { batch, attempt: 1, definition: define('t', request), pinned: null, folder, reading: BY_ITSELF, onBad: 'quarantine', maxBad: null, now: Date.now(), grace: 0, standing: () => Promise.resolve(new Map()), reloaded: new Set() }
}

async function all(chunks: AsyncIterable<Row[]>): Promise<Row[]> {
  const rows: Row[] = []
  for await (const chunk of chunks) rows.push(...chunk)
  return rows
}

/** What a staged batch is, without the names of its files. */
async function told(staged: Staged): Promise<unknown> {
  const { outcomes, schema, excluded, winners, places, keyRange, faults, reasons, notices, leftOut } = staged
  const plain = (text: string): string => text.replaceAll(/in\d+/g, 'in')
  const rows = { winners: await all(engine.read(staged, 'winners')), losers: await all(engine.read(staged, 'losers')), rejects: await all(engine.rejects(staged)) }
  return JSON.parse(plain(JSON.stringify({ outcomes, schema, excluded, winners, places, keyRange, faults, reasons, notices: notices.toSorted(), leftOut: leftOut.map(({ examples: _, ...one }) => one), rows }, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))))
}

/** Through the ranges of this many files each, one after another: the machine may have a single core. */
async function inRanges(job: StageJob, count: number): Promise<Staged> {
  const around = { memory: database.memory, database: () => Promise.resolve(database), openSplitter, on: () => undefined, standing: job.standing }
  const ranges = rangesOf(job.batch, count)
  const done = await agreed((hypothesis) => Promise.all(ranges.map((batch, at) => readHere({ ...job, batch }, around, { range: at + 1, hypothesis }))))
  assert.ok(done !== null)
  return stage(job, around, done)
}

const lines = (...records: object[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('')
const CASES: Record<string, [string[], DefinitionRequest]> = {
  'types that only all files tell': [[lines({ id: 1, v: 1, w: null, day: '2026-01-01' }), lines({ id: 2, v: 1.5, w: 'x', late: true }), lines({ id: 1, v: 2, w: null, day: 'never' }), lines({ id: 3, new: 1 })], { key: 'id' }],
  'a key that is text after all': [[lines({ id: 1 }), lines({ id: 1.5 }), lines({ id: 'a' }), lines({ id: '1' })], { key: 'id' }],
  'names in another spelling, and columns of nulls that come late': [[lines({ id: 'a', n: null }), lines({ ID: 'b', N: 5, 'a b': 1 }), lines({ id: 'a', n: 6, m: null }), lines({ Id: 'c', M: 1, 'a_b': 2 })], { key: 'id' }],
  'bad records, bad files, empty ones, copies, members left out': [[lines({ id: 'a', x: 1 }), `${lines({ id: 'b' })}{"id":\n`, '{"id"', '', lines({ id: 'a', x: 1 }), lines({ y: 1 }, { id: 'a', x: 2, z: 1 })], { key: 'id', columns: 'id:string,x:int64', keep: 'last', mode: 'upsert' }],
  'nothing but nulls': [[lines({ id: 'a', n: null }), lines({ id: 'b', n: null })], {}],
}

describe('ranges', () => {
  for (const [name, [texts, request]] of Object.entries(CASES)) {
    test(name, async () => {
      const one = await told(await engine.stage(jobOf(texts, request), () => undefined, new AbortController().signal))
      for (const count of [2, 3, texts.length]) assert.deepEqual(await told(await inRanges(jobOf(texts, request), count)), one)
      RANGE.bytes = 1
      assert.deepEqual(await told(await engine.stage(jobOf(texts, request), () => undefined, new AbortController().signal)), one)
    })
  }

  test('several processes read one batch, and its progress is one', { skip: engine.jobs < 2 ? 'one core' : false }, async () => {
    RANGE.bytes = 1
    const job = jobOf(Array.from({ length: 40 }, (_, at) => lines({ id: at })), { key: 'id' })
    const events: StageEvent[] = []
    const staged = await engine.stage(job, (event) => events.push(event), new AbortController().signal)
    assert.equal(staged.winners, 40)
    assert.deepEqual(readdirSync(job.folder).filter((file) => file.includes('-records-')), ['b-' + job.batch.id + '-7-1-r1-records-1.parquet', 'b-' + job.batch.id + '-7-1-r2-records-1.parquet'])
    assert.deepEqual(events.flatMap((event) => (event.kind === 'arrival.begin' ? [event.seq] : [])).toSorted((a, b) => a - b), Array.from({ length: 40 }, (_, at) => at + 1))
    const last = events.findLast((event) => event.kind === 'progress')
    assert.deepEqual([last?.files, last?.records], [40, 40])
  })

  test('a fault of one range is the fault of the batch, and the processes can be used again', async () => {
    RANGE.bytes = 1
    const never = new AbortController().signal
    const job = jobOf([lines({ id: 'a' }), lines({ id: 'b' })], { key: 'id' })
    rmSync(job.folder, { recursive: true })
    await assert.rejects(engine.stage(job, () => undefined, never), (thrown: unknown) => thrown instanceof SluiceError)
    assert.equal((await engine.stage(jobOf([lines({ id: 'a' }), lines({ id: 'b' })], { key: 'id' }), () => undefined, never)).winners, 2)
  })
})

describe('the cut', () => {
  const batch = (...sizes: number[]): Batch => ({ id: 'b', lane: 1, fence: 1, table: 't', arrivals: sizes.map((size, at) => ({ seq: at + 1, pin: { uri: `f${at}`, size, stamp: '', modified: 0 }, reload: false, replaced: false })) })
  const sizes = (ranges: Batch[]): number[][] => ranges.map(({ arrivals }) => arrivals.map(({ pin }) => pin.size))

  test('ranges of about equal bytes, in order, none empty', () => {
    assert.deepEqual(sizes(rangesOf(batch(1, 1, 1, 1), 2)), [[1, 1], [1, 1]])
    assert.deepEqual(sizes(rangesOf(batch(9, 1, 1), 2)), [[9], [1, 1]])
    assert.deepEqual(sizes(rangesOf(batch(1, 1, 9), 2)), [[1, 1], [9]])
    assert.deepEqual(sizes(rangesOf(batch(0, 0), 2)), [[0], [0]])
  })

  test('small batches and single files are not cut', () => {
    assert.equal(mostRanges(batch(usual * 2 - 1, 0)), 1)
    assert.equal(mostRanges(batch(usual, usual)), 2)
    assert.equal(mostRanges(batch(usual * 9)), 1)
  })

  test('progress of the ranges adds up', () => {
    const heard: unknown[] = []
    const say = together(2, (event) => heard.push(event))
    say(0, { kind: 'progress', files: 1, bytes: 10, records: 2 })
    say(1, { kind: 'progress', files: 2, bytes: 20, records: 4 })
    say(0, { kind: 'progress', files: 3, bytes: 30, records: 6 })
    assert.deepEqual(heard.at(-1), { kind: 'progress', files: 5, bytes: 50, records: 10 })
  })

  test('a pool lends only what is idle', async () => {
    const pool = new Pool({ jobs: 2, notice: null, duckdb: 60_000_000, most: 400_000_000, threads: 1, flags: [] }, () => root)
    const first = await pool.take('stage')
    const [helper, none] = [pool.spare(3), pool.spare(1)]
    assert.deepEqual([helper.length, none.length], [1, 0])
    for (const worker of [first, ...helper]) pool.giveBack(worker, 'stage')
    assert.equal(pool.spare(2).length, 2)
    await pool.close()
  })
})
