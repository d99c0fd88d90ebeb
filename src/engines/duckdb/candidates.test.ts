/** Candidates from the hashes that lie in the parts: those that DuckDB finds over the keys, for every type of key, around files of which nothing is kept. */
import { strict as assert } from 'node:assert'
import { mkdirSync, mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { define } from '../../core/definition.ts'
import type { Part } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
import type { Column, ColumnType } from '../../core/schema.ts'
import { Parts } from '../../formats/parquet/parts.ts'
import { openSplitter } from '../../formats/splitter.ts'
import { recordsSql } from '../../resolve/duckdb-batch.ts'
import { candidatesOf, keysLying } from './candidates.ts'
import { Database } from './database.ts'
import type { Connection } from './database.ts'
import type { PlainJob } from './protocol.ts'
import { countWinners, separate } from './separate.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-candidates-'))
after(() => rmSync(root, { recursive: true, force: true }))
const database = await Database.open({ threads: 2, memory: 200_000_000, temp: join(root, 'temp') })

const TYPES: readonly ColumnType[] = ['string', 'string', 'int64', 'date', 'timestamp', 'decimal(30,2)', 'boolean']
/** Lengths around the four bytes that are hashed at once, and characters of several bytes. */
const text = (n: number): string => `${'é'.repeat(n % 3)}${String(n).padStart(n % 11, '-')}`

/** Ten records of arrival 2 are taken back amid the others; arrival 3 has the second half. */
function partsOf(folder: string, types: readonly ColumnType[], key: readonly string[], rows: number, keyOf: (at: number) => number): { schema: Column[]; records: Part[] } {
  mkdirSync(folder)
  const parts = new Parts((n) => join(folder, `records-${n}.parquet`), { groupRows: 700, partRows: 1500 })
  const place = parts.add(PLACE_COLUMN, 'int64')
  parts.hashKeys(key)
  const schema = types.map((type, i): Column => ({ name: `c${i}`, type }))
  const columns = schema.map(({ name, type }) => parts.add(name, type))
  const write = (seq: number, row: number, n: number): void => {
    place.i64(parts.row, row, seq)
    for (const [i, type] of types.entries()) {
      const column = columns[i]
      const bytes = Buffer.from(text(n + i))
      if (type === 'string') column?.text(parts.row, bytes, 0, bytes.length)
      else if (type === 'date') column?.i32(parts.row, n)
      else if (type === 'boolean') column?.bool(parts.row, n % 2 === 0)
      else if (type === 'decimal(30,2)') column?.wide(parts.row, BigInt(n) * 10n ** 20n)
      else column?.i64(parts.row, n * 7, n)
    }
    parts.endRow(60)
  }
  for (let at = 0; at < rows; at++) {
    if (at === rows / 2) {
      parts.savepoint()
      for (let bad = 1; bad <= 800; bad++) write(2, bad, bad)
      parts.rollback()
    }
    write(at < rows / 2 ? 1 : 3, (at % (rows / 2)) + 1, keyOf(at))
  }
  return { schema, records: parts.finish([{ name: PLACE_COLUMN, type: 'int64' }, ...schema]) }
}

async function losersOf(connection: Connection, schema: Column[], records: readonly Part[], excluded: number[], name: string): Promise<{ places: unknown[]; winners: number }> {
  const folder = join(root, name)
  mkdirSync(folder)
  const job = { batch: { id: 'b_1', fence: 1, arrivals: [] }, attempt: 1, folder, definition: define('t', { key: schema.map((column) => column.name).join(','), keep: 'last', mode: 'upsert' }) } as unknown as PlainJob
  const parted = await separate(connection, { schema, records, excluded }, job)
  const places = parted.losers.length === 0 ? [] : await connection.rows(`SELECT ${PLACE_COLUMN} FROM read_parquet('${parted.losers[0]?.uri}') ORDER BY 1`)
  return { places, winners: await countWinners(connection, { schema, excluded, ...parted }) }
}

test('the same losers as from hashes that DuckDB finds, whatever the types of the key', async () => {
  const connection = await database.connect()
  for (const [at, types] of [['string'], ['int64', 'string'], ['date'], ['string', 'timestamp'], ['decimal(30,2)', 'string'], ['boolean', 'int64']].entries()) {
    const { schema, records } = partsOf(join(root, `of-${at}`), types as ColumnType[], types.map((_, i) => `C${i}`), 6000, (n) => (n % 10 === 9 ? (n % 20 === 9 ? n >> 1 : n - 4) : n))
    assert.ok(records.length >= 4)
    const without = records.map(({ uri, rows }) => ({ uri, rows }))
    assert.equal(keysLying(schema, schema.map(({ name }) => name), records) === null, types.includes('boolean'))
    for (const excluded of [[], [1]]) {
      const ours = await losersOf(connection, schema, records, excluded, `ours-${at}-${excluded.length}`)
      const theirs = await losersOf(connection, schema, without, excluded, `theirs-${at}-${excluded.length}`)
      assert.deepEqual(ours, theirs, String(types))
      assert.ok(ours.places.length > 0)
    }
  }
  await connection.close()
})

test('candidates have the keys and places of their records, all that come again are there, and few others', async () => {
  const connection = await database.connect()
  const types = TYPES.slice(0, 6)
  const key = types.map((_, i) => `c${i}`)
  const { schema, records } = partsOf(join(root, 'keys'), types, key, 20_000, (n) => (n % 20 === 19 ? n - 7 : n))
  const lying = keysLying(schema, key, records)
  assert.ok(lying !== null)
  for (const [memory, most] of [[200_000_000, 0.03], [20_000, 0.99]] as const) {
    const found = await candidatesOf(records, lying, [], memory, (n) => join(root, `keys-${memory}-${n}.parquet`))
    const all = recordsSql({ schema, records, excluded: [] })
    const candidates = recordsSql({ schema, records: found, excluded: [] })
    const repeated = `SELECT * FROM (${all}) QUALIFY count(*) OVER (PARTITION BY ${key.join(', ')}) > 1`
    assert.deepEqual(await connection.rows(`SELECT (SELECT count(*) FROM (${repeated})) AS n, (SELECT count(*) FROM (${candidates} EXCEPT ${all})) AS other, (SELECT count(*) FROM (${repeated} EXCEPT ${candidates})) AS missed`), [{ n: 2000n, other: 0n, missed: 0n }])
    const rows = found.reduce((sum, part) => sum + part.rows, 0)
    assert.ok(rows >= 2000 && rows - 2000 <= most * 20_000, `${rows} candidates`)
  }
  await connection.close()
})

test('no key comes again: no part is written', async () => {
  const { schema, records } = partsOf(join(root, 'alone'), ['int64'], ['c0'], 60, (n) => n)
  const lying = keysLying(schema, ['c0'], records)
  assert.deepEqual(await candidatesOf(records, lying ?? [], [], 200_000_000, () => join(root, 'never.parquet')), [])
})

test('a part that is shorter than it was written stops the batch', async () => {
  const { schema, records } = partsOf(join(root, 'short'), ['int64'], ['c0'], 4000, (n) => n % 7)
  const lying = keysLying(schema, ['c0'], records)
  truncateSync(records[1]?.uri ?? '', 100)
  await assert.rejects(candidatesOf(records, lying ?? [], [], 200_000_000, (n) => join(root, `short-${n}.parquet`)), (thrown: unknown) => thrown instanceof SluiceError && thrown.code === 'IO_FAILED')
})


test('what a thread found of the keys while it wrote them is all that comes again, also around a file that does not count', { skip: availableParallelism() > 1 ? false : 'there is no core for a thread' }, async () => {
  const folder = join(root, 'looked')
  mkdirSync(folder)
  const definition = define('t', { key: 'a,b' })
  const splitter = openSplitter({ folder, prefix: 'p', definition, pinned: null, onBad: 'quarantine', maxBad: null, grace: 0, now: 0, window: 512, behind: 24_000, looking: 200_000_000, limits: { groupRows: 100, partRows: 1500 } })
  for (const [at, rows] of [1000, 300, 1700].entries()) {
    const line = (n: number): string => `{"a":"${n % 30 === 29 ? n - 29 : n}","b":${n % 7},"v":true}\n`
    const bytes = Buffer.from(Array.from({ length: rows }, (_, n) => line(at === 1 ? n : n + at * 400)).join('') + (at === 1 ? '{' : ''))
    let done = 0
    const read = (into: Uint8Array, to: number, length: number): number => {
      const n = bytes.copy(into, to, done, Math.min(bytes.length, done + length))
      done += n
      return n
    }
    const end = await splitter.split({ seq: at + 1, path: 'a.ndjson', modified: 0, size: bytes.length, read }, () => undefined)
    if (at === 1) splitter.undo()
    else assert.deepEqual([end.state, end.read], ['loaded', rows])
  }
  const split = splitter.finish()
  assert.ok(split.again === null && split.likes !== null)
  const { schema, records, likes } = split
  const groups = records.flatMap(({ keys }) => keys ?? [])
  const looked = groups.filter((group) => group.looked)
  assert.ok(looked.length > groups.length / 2 && looked.length < groups.length, `${looked.length} of ${groups.length}`)
  const lying = keysLying(schema, definition.key, records) ?? []
  const connection = await database.connect()
  const all = recordsSql({ schema, records, excluded: [] })
  const repeated = `SELECT a, b, _place FROM (${all}) QUALIFY count(*) OVER (PARTITION BY a, b) > 1`
  const little = { ...likes, seen: likes.seen.slice(0, 512) }
  for (const [name, before] of [['before', likes], ['little', little], ['without', null]] as const) {
    const found = await candidatesOf(records, lying, [], 200_000_000, (n) => join(folder, `${name}-${n}.parquet`), before)
    const candidates = `SELECT a, b, _place FROM (${recordsSql({ schema, records: found, excluded: [] }, ['a', 'b'])})`
    const missed = await connection.rows(`SELECT (SELECT count(*) FROM (${repeated})) > 200 AS many, (SELECT count(*) FROM (${repeated} EXCEPT ${candidates})) AS missed`)
    assert.deepEqual(missed, [{ many: true, missed: 0n }], name)
    assert.ok(found.reduce((sum, { rows }) => sum + rows, 0) < 2700 / 2, name)
  }
  await connection.close()
})
