/** What every table source keeps to: called by the tests of each, with a table of four columns that it makes. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { SluiceError } from '../../src/core/errors.ts'
import type { Row } from '../../src/core/schema.ts'
import type { Position, SourceRange, TableSource } from '../../src/core/source.ts'
import { readWindows } from '../windows.ts'

/** `id` int64, `name` string, `amount` decimal(10,2), `changed` a text that orders as time, or null. */
export type ContractRow = [id: bigint, name: string | null, amount: string | null, changed: string | null]

export interface SourceScene {
  /** An empty table `orders`, and rows put into it or changed in it by their id. */
  make(t: TestContext): Promise<{ put(rows: readonly ContractRow[]): void | Promise<void>; open(columns: { cursor: string | null; key: readonly string[]; table?: string }): Promise<TableSource> }>
  /** Puts a row whose amount is the text `much`; absent: the database takes no such value. */
  putOdd?: (t: TestContext) => Promise<TableSource>
}

const never = new AbortController().signal
const CURSOR = { cursor: 'changed', key: ['id'] }
const time = (second: number): string => `2026-01-02 03:04:${String(second).padStart(2, '0')}`
const ALL = { after: null, from: null, until: time(59), count: 1000 }

/** Ties, late ids, texts of all kinds. */
const ROWS: ContractRow[] = [
  [5n, 'five', '5.00', time(1)],
  [1n, 'ünï 日本', '-0.01', time(3)],
  [9007199254740993n, 'large', '12345678.90', time(3)],
  [2n, null, null, time(3)],
  [4n, '', '0.00', time(2)],
  [3n, "it's", '1.10', time(9)],
  [-7n, 'negative', '99999999.99', time(3)],
]

const read = (source: TableSource, range: SourceRange, signal = never): ReturnType<typeof readWindows> => readWindows(source, range, signal)

const ids = (rows: readonly Row[]): Row => rows.map(([id]) => id ?? null)
const ORDER = [5n, 4n, -7n, 1n, 2n, 9007199254740993n, 3n]

export function sourceContract(name: string, { make, putOdd }: SourceScene): void {
  test(`${name}: the catalog gives the types`, async (t) => {
    const source = await (await make(t)).open(CURSOR)
    const { schema } = await source.columns()
    assert.deepEqual(schema.slice(0, 3).map(({ name: column, type }) => [column, type]), [['id', 'int64'], ['name', 'string'], ['amount', 'decimal(10,2)']])
    await source.close()
  })

  test(`${name}: an empty table has no newest row`, async (t) => {
    const source = await (await make(t)).open(CURSOR)
    assert.equal(await source.newest(), null)
    assert.deepEqual((await read(source, ALL)).rows, [])
    await source.close()
  })

  test(`${name}: rows come in the order of cursor and key, with exact values`, async (t) => {
    const { put, open } = await make(t)
    await put(ROWS)
    const source = await open(CURSOR)
    assert.equal(await source.newest(), time(9))
    const { rows, last } = await read(source, ALL)
    assert.deepEqual(ids(rows), ORDER)
    assert.deepEqual(rows.map((row) => row.slice(0, 3)), ORDER.map((id) => ROWS.find((row) => row[0] === id)?.slice(0, 3)))
    assert.deepEqual(last, { cursor: time(9), key: [3n] })
    await source.close()
  })

  test(`${name}: after is exclusive, from and until are inclusive`, async (t) => {
    const { put, open } = await make(t)
    await put(ROWS)
    const source = await open(CURSOR)
    assert.deepEqual(ids((await read(source, { ...ALL, after: { cursor: time(3), key: [1n] } })).rows), [2n, 9007199254740993n, 3n])
    assert.deepEqual(ids((await read(source, { ...ALL, from: time(3) })).rows), ORDER.slice(2))
    assert.deepEqual(ids((await read(source, { ...ALL, from: time(2), until: time(3) })).rows), ORDER.slice(1, 6))
    assert.deepEqual(ids((await read(source, { ...ALL, count: 3 })).rows), ORDER.slice(0, 3))
    await source.close()
  })

  for (const size of [1, 2, 3, 5]) {
    test(`${name}: pages of ${size} meet every row once, and a row that is put behind them`, async (t) => {
      const { put, open } = await make(t)
      await put(ROWS)
      const source = await open(CURSOR)
      const seen: unknown[] = []
      for (let after: Position | null = null, pages = 0; ; pages++) {
        const page: { rows: Row[]; last: Position | null } = await read(source, { ...ALL, after, count: size })
        if (page.last === null) break
        seen.push(...ids(page.rows))
        after = page.last
        if (pages === 0) await put([[77n, 'late', '7.00', time(50)], [3n, "it's", '1.11', time(51)]])
      }
      assert.deepEqual(seen, [...ORDER.slice(0, 6), ...(size >= 7 ? [3n] : []), 77n, 3n])
      await source.close()
    })
  }

  test(`${name}: a snapshot is every row, also those without a cursor`, async (t) => {
    const { put, open } = await make(t)
    await put([...ROWS, [100n, 'none', '1.00', null]])
    const source = await open({ cursor: null, key: ['id'] })
    assert.deepEqual(ids((await read(source, { after: null, from: null, until: null, count: null })).rows), [-7n, 1n, 2n, 3n, 4n, 5n, 100n, 9007199254740993n])
    await source.close()
  })

  test(`${name}: rows without a cursor are refused where they would never be met`, async (t) => {
    const { put, open } = await make(t)
    await put([...ROWS, [100n, 'none', '1.00', null]])
    const source = await open(CURSOR)
    await assert.rejects(source.newest(), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_UNSUITABLE')
    await source.close()
  })

  test(`${name}: names that are not there are SOURCE_INVALID`, async (t) => {
    const { open } = await make(t)
    for (const columns of [{ ...CURSOR, cursor: 'nosuch' }, { ...CURSOR, key: ['nosuch'] }]) {
      await assert.rejects(open(columns), (error: unknown) => error instanceof SluiceError && error.code === 'SOURCE_INVALID')
    }
  })

  test(`${name}: an aborted read ends`, async (t) => {
    const { put, open } = await make(t)
    await put(ROWS)
    const source = await open(CURSOR)
    const abort = new AbortController()
    abort.abort(new Error('enough'))
    await assert.rejects(read(source, ALL, abort.signal), /enough/)
    assert.equal((await read(source, ALL)).rows.length, ROWS.length)
    await source.close()
  })

  test(`${name}: a window ends by its rows and knows the row behind it; one that ends by its bytes goes on there`, async (t) => {
    const { put, open } = await make(t)
    await put(ROWS)
    const source = await open(CURSOR)
    const byRows = await readWindows(source, { ...ALL, count: 4 }, never, { rows: 3, bytes: 1e9 })
    assert.deepEqual([ids(byRows.rows), byRows.last, byRows.next], [ORDER.slice(0, 3), { cursor: time(3), key: [-7n] }, { cursor: time(3), key: [1n] }])
    const seen: unknown[] = []
    for (let after: Position | null = null; ; ) {
      const window: { rows: Row[]; last: Position | null; next: Position | null } = await readWindows(source, { ...ALL, after, count: 8 }, never, { rows: 7, bytes: 1 })
      seen.push(...ids(window.rows))
      after = window.last
      if (window.next === null) break
    }
    assert.deepEqual(seen, ORDER)
    await source.close()
  })

  test(`${name}: a snapshot is cut into windows, each row in one of them`, async (t) => {
    const { put, open } = await make(t)
    await put(ROWS)
    const source = await open({ cursor: null, key: ['id'] })
    const { rows, sizes } = await readWindows(source, { after: null, from: null, until: null, count: null }, never, { rows: 3, bytes: 1e9 })
    assert.deepEqual([ids(rows), sizes], [[-7n, 1n, 2n, 3n, 4n, 5n, 9007199254740993n], [3, 3, 1]])
    await source.close()
  })

  if (putOdd !== undefined) {
    test(`${name}: a value that is not of its column's type is told apart, with its row`, async (t) => {
      const source = await putOdd(t)
      const { odd } = await read(source, ALL)
      assert.equal(odd.length, 1)
      assert.equal((JSON.parse(odd[0] ?? '') as { amount: string }).amount, 'much')
      await source.close()
    })
  }
}
