/** Windows: what is sealed, from where the next read goes on, and that no history of reads, deaths and commits loses a row. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { SluiceError } from '../../core/errors.ts'
import { backFrom, compareMarks, markOfName, markToName } from '../../core/mark.ts'
import type { Mark } from '../../core/mark.ts'
import type { Row, Schema } from '../../core/schema.ts'
import type { Discovery, RowSource, TableSource } from '../../core/source.ts'
import { Database } from '../../engines/duckdb/database.ts'
import { localFs } from '../../storage/local.ts'
import { scratch } from '../../../test/command.ts'
import { openMemorySource } from '../../../test/memory/source.ts'
import type { MemoryTable } from '../../../test/memory/source.ts'
import { reached } from './mark.ts'
import type { MarkedWindow } from './mark.ts'
import { readWindowName, windowName } from './name.ts'
import { discoverWindows, tidyWindows } from './source.ts'

const SCHEMA: Schema = [{ name: 'id', type: 'int64' }, { name: 'changed', type: 'int64' }, { name: 'note', type: 'string' }]
const never = new AbortController().signal

interface Reading {
  folder: string
  committed: string[]
  said: string[]
  known: Set<string>
  read(source: TableSource, options?: { rows?: number; reload?: boolean; overlap?: string; cursor?: string | null }): Promise<Discovery>
  names(): string[]
}

function reading(t: TestContext): Reading {
  const folder = join(scratch(t), 'orders-1')
  const committed: string[] = []
  const said: string[] = []
  const known = new Set<string>()
  const paths = async function* (): AsyncGenerator<string> {
    yield* committed.toReversed()
  }
  return {
    folder, committed, said, known,
    read: (source, { rows = 3, reload = false, overlap, cursor = 'changed' } = {}) =>
      discoverWindows({ source, fs: localFs, folder, label: 'orders', cursor, overlap, committed: paths(), reload, hash: async (pin) => `sha of ${pin.size}`, isCommitted: async (sha256) => known.has(sha256), on: (text) => said.push(text), rows }, never),
    names: () => readdirSync(folder).toSorted(),
  }
}

const row = (id: number, changed: number, note = `n${id}`): Row => [BigInt(id), BigInt(changed), note]
const table = (...rows: Row[]): MemoryTable => ({ schema: SCHEMA, rows })
const open = (of: MemoryTable): RowSource => openMemorySource(of, { cursor: 'changed', key: ['id'] }, 2)

async function rowsOf(paths: readonly string[], t: TestContext): Promise<Row[]> {
  const connection = await (await Database.open({ threads: 1, memory: 200e6, temp: join(scratch(t), 'made') })).connect()
  const rows: Row[] = []
  for (const path of paths) for await (const chunk of connection.stream(`SELECT * FROM read_parquet('${path}')`)) rows.push(...chunk)
  await connection.close()
  return rows
}

test('a name carries number and cursor, exactly', () => {
  // One character alone may have more bytes than a name has room for: that is refused, see below.
  const text = fc.string({ unit: 'grapheme', maxLength: 4 }).filter((one) => Buffer.byteLength(one) <= 40)
  fc.assert(fc.property(fc.nat(), fc.option(fc.nat()), fc.oneof(fc.bigInt(), fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0), text), (n, after, mark: Mark) => {
    const name = windowName('orders', { n, after, mark })
    assert.match(name, /^[A-Za-z0-9.:+_%-]+$/)
    assert.deepEqual(readWindowName('orders', `${name}.parquet`), { n, after, mark })
  }))
  assert.equal(windowName('orders', { n: 12, after: null, mark: '2026-01-02 03:04:05' }), 'orders-000012-t2026-01-02_03:04:05')
  assert.deepEqual([readWindowName('orders', 'orders-000001-i5.rest.ndjson'), readWindowName('order', 'orders-000001-i5.parquet'), readWindowName('orders', 'orders-000001-x.parquet')], [null, null, null])
  for (const long of ['x'.repeat(200), '\u{1D160}'.repeat(11)]) assert.throws(() => markToName(long), SluiceError)
  for (const mark of [Infinity, -Infinity, NaN]) assert.throws(() => markToName(mark), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_UNSUITABLE' && error.message.includes(String(mark)))
  assert.equal(markOfName('t%E0%A4%A'), null)
})

test('the way back from a mark', () => {
  assert.deepEqual(['2026-01-02 03:04:05', '2026-01-02T00:04:05.123456Z', '2026-01-02'].map((mark) => backFrom(mark, undefined)), ['2026-01-02 02:54:05', '2026-01-01T23:54:05', '2026-01-01'])
  assert.deepEqual([backFrom(5000n, undefined), backFrom(5000n, '7'), backFrom(1.5, '1'), backFrom('abc', '0'), backFrom('2026-01-02 03:04:05', '1d')], [4000n, 4993n, 0.5, 'abc', '2026-01-01 03:04:05'])
  for (const [mark, overlap, code] of [['abc', undefined, 'SOURCE_UNSUITABLE'], ['2026-01-02', '5', 'SOURCE_INVALID'], [5n, '10m', 'SOURCE_INVALID']] as const) {
    assert.throws(() => backFrom(mark, overlap), (error: unknown) => error instanceof SluiceError && error.code === code)
  }
  fc.assert(fc.property(fc.date({ min: new Date('1990-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }), (date) => {
    const mark = date.toISOString().replace('T', ' ')
    assert.ok(compareMarks(backFrom(mark, '0ms'), mark) <= 0)
  }))
})

test('windows are bounded, numbered, named by their last cursor; what follows goes on from what was committed', async (t) => {
  const { committed, read, names, folder, said } = reading(t)
  const orders = table(...[1, 2, 3, 4, 5, 6, 7].map((n) => row(n, n * 1000)))
  const first = await read(open(orders))
  assert.deepEqual(names(), ['orders-000001-i3000.parquet', 'orders-000002-i6000.parquet', 'orders-000003-i7000.parquet'])
  assert.deepEqual((await rowsOf(first.pins.map(({ uri }) => uri).toSorted(), t)), orders.rows)
  assert.match(said.at(-1) ?? '', /^7 rows were read into 3 windows\.$/)
  committed.push(...first.pins.map(({ uri }) => uri.replace(folder, '/elsewhere/orders-1')))
  for (const { uri } of first.pins) rmSync(uri)
  orders.rows.push(row(8, 8000), row(9, 6500))
  await read(open(orders))
  // From 6000 on: the overlap of a thousand, the late row, and what is new.
  assert.deepEqual(names(), ['orders-000004-after3-i7000.parquet', 'orders-000005-i8000.parquet'])
  assert.deepEqual((await rowsOf(names().map((name) => join(folder, name)), t)).map(([id]) => id), [6n, 9n, 7n, 8n])
})

test('sealed windows count when they follow without a gap; what follows a gap is read again', async (t) => {
  const { committed, read, names, folder, said } = reading(t)
  const orders = table(...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => row(n, n * 10_000)))
  await read(open(orders))
  rmSync(join(folder, names()[1] ?? ''))
  await read(open(orders))
  assert.deepEqual(names().map((name) => name.slice(0, 13)), ['orders-000001', 'orders-000002', 'orders-000003', 'orders-000004'])
  assert.deepEqual((await rowsOf([join(folder, names()[1] ?? '')], t)).map(([id]) => id), [3n, 4n, 5n])
  assert.deepEqual(committed, [])
  assert.match(said.join('\n'), /Window 3 of orders lacks the one before it/)
})

test('the mark follows what was committed without a gap: a window that failed is read again when it is lost', async (t) => {
  const { committed, read, names, folder } = reading(t)
  const orders = table(...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => row(n, n * 10_000)))
  const [one, two, three] = (await read(open(orders))).pins.map(({ uri }) => uri).toSorted()
  // The second one failed; then the data folder was lost.
  committed.push(one ?? '', three ?? '')
  for (const path of [one, two, three]) rmSync(path ?? '')
  const again = await read(open(orders))
  assert.deepEqual(names(), ['orders-000004-after1-i50000.parquet', 'orders-000005-i80000.parquet', 'orders-000006-i90000.parquet'])
  assert.deepEqual((await rowsOf(again.pins.map(({ uri }) => uri).toSorted(), t)).map(([id]) => id), [3n, 4n, 5n, 6n, 7n, 8n, 9n])
  // From there on everything is in.
  for (const { uri } of again.pins) {
    committed.push(uri.replace(folder, '/elsewhere/orders-1'))
    rmSync(uri)
  }
  orders.rows.push(row(10, 100_000))
  await read(open(orders))
  assert.deepEqual(names(), ['orders-000007-after6-i100000.parquet'])
})

test('of what was committed no more is read than the last read brought', async () => {
  const taken: number[] = []
  const committed = async function* (): AsyncGenerator<MarkedWindow> {
    for (let n = 1000; n > 0; n--) {
      taken.push(n)
      yield { n, after: n % 10 === 1 ? n - 1 : null, mark: BigInt(n) }
    }
  }
  const { last, mark, after } = await reached(committed(), [])
  assert.deepEqual([last, mark, after, taken.length], [1000, 1000n, 1000, 10])
  const gap = async function* (): AsyncGenerator<MarkedWindow> {
    for (const n of [6, 5, 3, 2, 1]) yield { n, after: null, mark: BigInt(n) }
  }
  assert.deepEqual(await reached(gap(), []), { last: 6, mark: 3n, after: 3, newest: null, stray: [] })
  // The failed one still lies there: what follows it counts, but it is not in the table.
  assert.deepEqual(await reached(gap(), [{ n: 4, after: null, mark: 4n }]), { last: 6, mark: 6n, after: null, newest: { n: 4, after: null, mark: 4n }, stray: [] })
  // What it follows was taken from the table.
  assert.deepEqual((await reached((async function* () {})(), [{ n: 4, after: 3, mark: 4n }])).stray.map(({ n }) => n), [4])
})

test('what follows sealed windows hangs on the one that reaches as far as its mark', async () => {
  const committed = async function* (): AsyncGenerator<MarkedWindow> {
    yield { n: 8, after: 7, mark: 80n }
  }
  const failed = { n: 9, after: null, mark: 100n }
  assert.deepEqual(await reached(committed(), [failed]), { last: 9, mark: 100n, after: null, newest: failed, stray: [] })
  // A reload was stopped behind it: its windows come in, the failed one does not, and what lies between 80 and 100 is read again.
  const reloaded = [failed, { n: 10, after: 0, mark: 30n }, { n: 11, after: null, mark: 60n }]
  const { last, mark, after } = await reached(committed(), reloaded)
  assert.deepEqual([last, mark, after], [11, 80n, 8])
  // One that reaches as far does.
  const whole = await reached(committed(), [...reloaded, { n: 12, after: null, mark: 100n }])
  assert.deepEqual([whole.last, whole.mark, whole.after], [12, 100n, null])
})

test('where nothing happens, no windows pile up', async (t) => {
  const { committed, read, names, folder, known } = reading(t)
  const orders = table(row(1, 1), row(2, 2))
  committed.push(join(folder, 'orders-000001-i2.parquet'))
  for (let again = 0; again < 4; again++) {
    await read(open(orders))
    assert.deepEqual(names(), ['orders-000002-after1-i2.parquet'])
  }
  orders.rows.push(row(3, 2))
  await read(open(orders))
  assert.deepEqual(names(), ['orders-000002-after1-i2.parquet', 'orders-000003-after1-i2.parquet'])
  await tidyWindows(localFs, 'orders', names().map((name) => join(folder, name)), new Set())
  assert.equal(names().length, 2)
  await tidyWindows(localFs, 'orders', names().map((name) => join(folder, name)), new Set([join(folder, 'orders-000003-after1-i2.parquet')]))
  assert.deepEqual(names(), [])
  // What the table has byte for byte gets no name at all, and what follows hangs on what was there before.
  const { pins, hashes } = await read(open(orders))
  for (const { uri } of pins) {
    known.add(hashes?.get(uri) ?? '')
    rmSync(uri)
  }
  await read(open(orders))
  assert.deepEqual(names(), [])
  orders.rows.push(row(4, 3), row(5, 4))
  await read(open(orders))
  assert.deepEqual(names(), ['orders-000002-after1-i4.parquet'])
})

test('a read that dies leaves whole windows, and the next one goes on', async (t) => {
  const { read, names, folder } = reading(t)
  const orders = table(...[1, 2, 3, 4, 5, 6, 7].map((n) => row(n, n * 10_000)))
  const source = open(orders)
  let chunks = 0
  const dying: TableSource = {
    ...source,
    async *rows(range, signal) {
      for await (const chunk of source.rows(range, signal)) {
        if (++chunks > 4) throw new Error('the server is gone')
        yield chunk
      }
    },
  }
  await assert.rejects(read(dying), /gone/)
  assert.deepEqual(names(), ['orders-000001-i30000.parquet', 'orders-000002-i60000.parquet'])
  writeFileSync(join(folder, '.working.parquet'), 'half')
  await read(open(orders))
  assert.deepEqual(names(), ['orders-000001-i30000.parquet', 'orders-000002-i60000.parquet', 'orders-000003-i70000.parquet'])
})

test('when a window cannot be written, the one behind it is waited for before anything is removed', async (t) => {
  const { read, names } = reading(t)
  let writing = true
  const failing: TableSource = {
    columns: async () => ({ schema: SCHEMA, notices: [] }),
    newest: async () => 2n,
    close: async () => {},
    async *write(range) {
      if (range.after === null) return yield { rows: 1, last: { cursor: 1n, key: [1n] }, next: { cursor: 2n, key: [2n] }, written: Promise.reject(new Error('the disk is gone')) }
      const written = new Promise<number>((resolve) => setTimeout(resolve, 50, 0)).finally(() => (writing = false))
      yield { rows: 1, last: { cursor: 2n, key: [2n] }, next: null, written }
    },
  }
  await assert.rejects(read(failing), /the disk is gone/)
  assert.deepEqual([writing, names()], [false, []])
})

test('rows that windows cannot tell apart are refused at the edge; within a window they are read', async (t) => {
  const { read, names } = reading(t)
  await assert.rejects(read(open(table(row(1, 1), row(2, 2), row(3, 3), row(3, 3, 'twin')))), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_UNSUITABLE')
  assert.deepEqual(names(), [])
  await read(open(table(row(1, 1), row(1, 1), row(3, 3))))
  assert.equal(names().length, 1)
})

test('rows with values that are not of their type lie beside their window', async (t) => {
  const { read, names, folder } = reading(t)
  const { later, pins, hashes } = await read(open(table(row(1, 1), [2n, 2n, null], ['x', 3n, 'odd'])))
  assert.deepEqual(names(), ['orders-000001-i3.parquet', 'orders-000001-i3.rest.ndjson'])
  assert.deepEqual([pins.length, later?.length, hashes?.size], [1, 1, 2])
  assert.equal(readFileSync(join(folder, names()[1] ?? ''), 'utf8'), '{"id":"x","changed":3,"note":"odd"}\n')
})

test('a snapshot is cut into parts; the same table gives the same bytes, a shorter one fewer parts', async (t) => {
  const { read, names, folder } = reading(t)
  const orders = table(...[5, 4, 3, 2, 1, 6, 7].map((n) => row(n, n)))
  const snapshot = (): TableSource => openMemorySource(orders, { cursor: null, key: ['id'] })
  await read(snapshot(), { cursor: null })
  assert.deepEqual(names(), [1, 2, 3].map((n) => `orders-snapshot-00000${n}.parquet`))
  const before = names().map((name) => readFileSync(join(folder, name)))
  orders.rows.reverse()
  await read(snapshot(), { cursor: null })
  assert.deepEqual(names().map((name) => readFileSync(join(folder, name))), before)
  orders.rows = orders.rows.filter(([id]) => (id as bigint) < 3n)
  await read(snapshot(), { cursor: null })
  assert.deepEqual(names(), ['orders-snapshot-000001.parquet'])
})

test('reload reads from the beginning', async (t) => {
  const { committed, read, names, folder } = reading(t)
  committed.push(join(folder, 'orders-000009-i50000.parquet'))
  await read(open(table(row(1, 1), row(2, 50_000))), { reload: true })
  assert.deepEqual(names(), ['orders-000010-after0-i50000.parquet'])
})

/** What happens between two reads. */
type Happening = { kind: 'insert' | 'late' | 'change'; id: number } | Read

interface Read {
  kind: 'read'
  /** After so many chunks. */
  dies: number | null
  commits: number
  /** Of those, this one stays where it lies. */
  fails: number | null
  loses: boolean
  reload: boolean
}

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('insert' as const, 'late' as const, 'change' as const), id: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const), dies: fc.option(fc.nat(6)), commits: fc.nat(9), fails: fc.option(fc.nat(4)), loses: fc.boolean(), reload: fc.nat(4).map((n) => n === 0) }) },
)

test('whatever happens between reads, the last state of every row arrives', async (t) => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 40 }), async (history) => {
      const room = join(scratch(t), `run-${run++}`, 'orders-1')
      const orders = table()
      const committed: string[] = []
      /** The target: rows by key, the last window wins, whenever it comes in. */
      const target = new Map<unknown, { n: number; row: Row }>()
      let clock = 10_000
      const commit = async (paths: readonly string[]): Promise<void> => {
        for (const path of paths) {
          const n = readWindowName('orders', basename(path))?.n ?? 0
          for (const one of await rowsOf([path], t)) if (n >= (target.get(one[0])?.n ?? 0)) target.set(one[0], { n, row: one })
          committed.push(path)
          rmSync(path)
        }
      }
      const read = async (dies: number | null, reload = false): Promise<string[]> => {
        const source = openMemorySource(orders, { cursor: 'changed', key: ['id'] }, 2)
        let chunks = 0
        const mortal: RowSource = {
          ...source,
          async *rows(range, signal) {
            for await (const chunk of source.rows(range, signal)) {
              if (dies !== null && ++chunks > dies) throw new Error('dead')
              yield chunk
              // Somebody writes while it is read.
              if (chunks % 3 === 2 && orders.rows.length > 0) orders.rows = orders.rows.map((one, at) => (at === 0 ? [one[0] ?? null, BigInt((clock += 10)), 'meanwhile'] : one))
            }
          },
        }
        const paths = async function* (): AsyncGenerator<string> {
          yield* committed.toReversed()
        }
        const found = await discoverWindows({ source: mortal, fs: localFs, folder: room, label: 'orders', cursor: 'changed', overlap: '200', committed: paths(), reload, hash: async () => null, isCommitted: async () => false, on: () => {}, rows: 3 }, never).catch((thrown: unknown) => {
          if (thrown instanceof Error && thrown.message === 'dead') return null
          throw thrown
        })
        return (found?.pins ?? []).map(({ uri }) => uri).toSorted()
      }
      for (const one of history) {
        if (one.kind === 'read') {
          const windows = await read(one.dies, one.reload)
          await commit(windows.slice(0, one.commits).filter((_, at) => at !== one.fails))
          // The ledger and everything sealed is gone.
          if (one.loses) rmSync(room, { recursive: true, force: true })
        } else {
          clock += 100
          const there = orders.rows.some(([id]) => id === BigInt(one.id))
          const changed = one.kind === 'late' ? clock - 150 : clock
          if (one.kind === 'change' ? there : !there) orders.rows = [...orders.rows.filter(([id]) => id !== BigInt(one.id)), row(one.id, changed, `at ${clock}`)]
        }
      }
      // What failed never comes in.
      rmSync(room, { recursive: true, force: true })
      await commit(await read(null))
      await commit(await read(null))
      const expected = new Map(orders.rows.map((one) => [one[0], one]))
      for (const [id, one] of expected) if (one[2] !== 'meanwhile') assert.deepEqual(target.get(id)?.row, one)
      assert.equal(target.size, expected.size)
    }),
    { numRuns: 25 },
  )
})
