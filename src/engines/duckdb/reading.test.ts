/** Files that vanish, change or refuse while they are read; what is hashed; a second pass. The splitter is a double. */
import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Arrival, ArrivalOutcome } from '../../core/arrival.ts'
import { define } from '../../core/definition.ts'
import type { Batch } from '../../core/engine.ts'
import type { Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { SplitEnd, SplitOptions, Splitter } from '../../formats/splitter.ts'
import { lookAt } from '../../storage/pin.ts'
import { Database } from './database.ts'
import type { PlainJob } from './protocol.ts'
import { readArrivals } from './reading.ts'
import { stage } from './stage.ts'
import { BY_ITSELF } from '../../core/reading.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-reading-'))
after(() => rmSync(root, { recursive: true, force: true }))

let made = 0
function arrivalOf(text: string): Arrival {
  made += 1
  const path = join(root, `f${made}.ndjson`)
  writeFileSync(path, text)
  const pin = lookAt(path)
  assert.ok(pin !== null)
  return { seq: made, pin, reload: false, replaced: false }
}

const LOADED: SplitEnd = { state: 'loaded', read: 1, skipped: 0, rejected: 0, fault: null }

interface Told {
  undone: number
  discarded: number
  splitter: Splitter
}

/** Reads 4 bytes at a time, at most `most` times. */
function double(end: SplitEnd, options: { most?: number; between?: () => void } = {}): Told {
  const told: Told = {
    undone: 0,
    discarded: 0,
    splitter: {
      async split(input) {
        const into = new Uint8Array(8)
        for (let times = 0; times < (options.most ?? 1000); times++) {
          if (input.read(into, 2, 4) === 0) break
          options.between?.()
        }
        return end
      },
      undo: () => (told.undone += 1),
      discard: () => (told.discarded += 1),
      finish: () => ({ again: null, schema: [], open: [], records: [], rejects: [], faults: [], reasons: {}, notices: [], leftOut: [], keySeen: {}, keyless: [], lowest: null, highest: null, taken: 0, likes: null }),
    },
  }
  return told
}

async function readOne(arrival: Arrival, told: Told): Promise<ArrivalOutcome> {
  const batch: Batch = { id: 'b_1', lane: 1, fence: 1, table: 't', arrivals: [arrival] }
  const [outcome] = await readArrivals(batch, told.splitter, () => undefined)
  assert.ok(outcome !== undefined)
  return outcome
}

const sha = (text: string): string => createHash('sha256').update(text).digest('hex')

test('the hash is of exactly the bytes of the file', async () => {
  const outcome = await readOne(arrivalOf('0123456789'), double(LOADED))
  assert.deepEqual([outcome.state, outcome.sha256, outcome.bytes], ['loaded', sha('0123456789'), 10])
})

test('a failed file is hashed only when it was read to its end', async () => {
  const failed: SplitEnd = { ...LOADED, state: 'failed', fault: { code: 'JSON_INVALID', message: 'no' } }
  assert.equal((await readOne(arrivalOf('0123456789'), double(failed, { most: 2 }))).sha256, null)
  assert.equal((await readOne(arrivalOf('01234567'), double(failed, { most: 2 }))).sha256, sha('01234567'))
})

test('gone before it was read: failed; replaced by another file: waiting', async () => {
  const gone = arrivalOf('x')
  rmSync(gone.pin.uri)
  const outcome = await readOne(gone, double(LOADED))
  assert.deepEqual([outcome.state, outcome.fault?.code], ['failed', 'FILE_GONE'])
  const replaced = arrivalOf('x')
  utimesSync(replaced.pin.uri, 1, 1)
  const other = await readOne(replaced, double(LOADED))
  assert.deepEqual([other.state, other.fault?.code], ['waiting', 'FILE_CHANGING'])
})

test('changed while it is read: undone, waiting, without a hash', async () => {
  const arrival = arrivalOf('0123456789')
  let changes = 0
  const told = double(LOADED, { between: () => (changes++ === 0 ? utimesSync(arrival.pin.uri, 1, 1) : undefined) })
  const outcome = await readOne(arrival, told)
  assert.deepEqual([outcome.state, outcome.fault?.code, outcome.sha256, outcome.read, told.undone], ['waiting', 'FILE_CHANGING', null, 0, 1])
})

test('without the right to read it: failed', { skip: process.getuid?.() === 0 ? 'root may read everything' : false }, async () => {
  const arrival = arrivalOf('x')
  chmodSync(arrival.pin.uri, 0)
  const pin = lookAt(arrival.pin.uri)
  assert.ok(pin !== null)
  const outcome = await readOne({ ...arrival, pin }, double(LOADED))
  assert.deepEqual([outcome.state, outcome.fault?.code], ['failed', 'FILE_UNREADABLE'])
})

test('a fault of the splitter itself, such as a full disk, stops the job', async () => {
  const told = double(LOADED)
  const arrival = arrivalOf('x')
  const full = new SluiceError('DISK_FULL', 'no room for the parts')
  const stopping: Splitter = { ...told.splitter, split: () => Promise.reject(full) }
  await assert.rejects(readOne(arrival, { ...told, splitter: stopping }), (thrown: unknown) => thrown === full)
})

test('when a type was too narrow, the parts are removed and the batch is read again', async () => {
  const folder = join(root, 'again')
  mkdirSync(folder)
  const asked: SplitOptions[] = []
  const hypothesis = { any: 'thing' } as unknown as NonNullable<SplitOptions['hypothesis']>
  let leftOver = ''
  // Another range of the batch may be reading beside this one.
  const other = join(folder, 'b-other-records-1.parquet')
  writeFileSync(other, 'part')
  const openSplitter = (options: SplitOptions): Splitter => {
    asked.push({ ...options })
    const { splitter } = double(LOADED)
    if (asked.length > 1) return splitter
    leftOver = join(folder, `${options.prefix}-records-1.parquet`)
    writeFileSync(leftOver, 'part')
    return { ...splitter, finish: () => ({ again: hypothesis }) }
  }
  const staged = await stageOne(arrivalOf('01'), folder, openSplitter)
  assert.deepEqual(asked.map((options) => options.hypothesis), [undefined, hypothesis])
  assert.deepEqual([existsSync(leftOver), existsSync(other)], [false, true])
  assert.deepEqual(staged.outcomes.map(({ state }) => state), ['loaded'])
})

test('a pass that fails gives back the room of its parts', async () => {
  const told = double(LOADED)
  const full = new SluiceError('DISK_FULL', 'no room for the footer')
  const finish = (): never => {
    throw full
  }
  await assert.rejects(stageOne(arrivalOf('02'), root, () => ({ ...told.splitter, finish })), (thrown: unknown) => thrown === full)
  assert.equal(told.discarded, 1)
})

async function stageOne(arrival: Arrival, folder: string, openSplitter: (options: SplitOptions) => Splitter): Promise<Staged> {
  const batch = { id: 'b_1', lane: 1, fence: 2, table: 't', arrivals: [arrival] }
  const job: PlainJob = { batch, attempt: 3, definition: define('t', {}), pinned: null, folder, reading: BY_ITSELF, onBad: 'quarantine', maxBad: null, now: 0, grace: 0, reloaded: new Set() }
  const database = await Database.open({ threads: 1, memory: 60_000_000, temp: join(root, 'temp') })
  return stage(job, { memory: database.memory, database: () => Promise.resolve(database), openSplitter, standing: () => Promise.resolve(new Map()), on: () => undefined })
}
