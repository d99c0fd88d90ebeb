/** The losers of a large batch under a small memory limit, and that a lost or doubled row is noticed. */
import { strict as assert } from 'node:assert'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, test } from 'node:test'
import { define } from '../../core/definition.ts'
import type { Part } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { setFailpointHandler } from '../../core/failpoint.ts'
import type { Tampering } from '../../core/failpoint.ts'
import type { Schema } from '../../core/schema.ts'
import { losersSql, lostSql, winnersSql } from '../../resolve/duckdb-batch.ts'
import { Database } from './database.ts'
import type { Connection } from './database.ts'
import type { PlainJob } from './protocol.ts'
import { countWinners, separate } from './separate.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-separate-'))
after(() => rmSync(root, { recursive: true, force: true }))
afterEach(() => setFailpointHandler(null))

const schema: Schema = [{ name: 'id', type: 'string' }, { name: 'v', type: 'int64' }, { name: 'text', type: 'string' }]

/** Records in two parts: key `at % keys`, value growing with the place. */
async function batchOf(name: string, rows: number, keys: number, limit: number): Promise<{ job: PlainJob; records: Part[]; database: Database }> {
  const folder = join(root, name)
  mkdirSync(folder)
  const database = await Database.open({ threads: 1, memory: limit, temp: join(folder, 'temp') })
  const connection = await database.connect()
  const half = Math.floor(rows / 2)
  const records: Part[] = []
  for (const [from, to] of [[0, half], [half, rows]] as const) {
    const uri = join(folder, `records-${from}.parquet`)
    const place = `(4294967296 + i + 1)::BIGINT AS _place, i AS _sluice_offset`
    const written = await connection.copy('test.make', `SELECT 'key-' || md5((i % ${keys})::VARCHAR) AS id, i AS v, repeat('x', 100) || i AS text, ${place} FROM range(${from}, ${to}) t(i)`, uri)
    records.push({ uri, rows: written.rows })
  }
  await connection.close()
  const job = { batch: { id: 'b_1', fence: 1, arrivals: [] }, attempt: 1, folder, definition: define('t', { key: 'id', keep: 'max:v', mode: 'upsert' }) } as unknown as PlainJob
  return { job, records, database }
}

test('500,000 records with 60 MB: spilled, in parts, in order', async () => {
  const { job, records, database } = await batchOf('large', 500_000, 300_000, 60_000_000)
  const connection = await database.connect()
  const parted = await separate(connection, { schema, records, excluded: [] }, job)
  const staged = { schema, excluded: [], ...parted }
  assert.equal(await countWinners(connection, staged), 300_000)
  assert.deepEqual(parted.losers.map(({ rows }) => rows), [200_000])
  const [row] = await connection.rows(`SELECT count(*) AS n, min(v) AS lowest FROM (${winnersSql(staged, ['id', 'v'])})`)
  assert.deepEqual(row, { n: 300_000n, lowest: 200_000n })
  await connection.close()
})

test('hashes and keys in slices: the same losers, in place order', async () => {
  const { job, records, database } = await batchOf('slices', 20_000, 12_000, 200_000_000)
  const real = await database.connect()
  const statements: string[] = []
  // It believes that it has little memory, and cuts accordingly.
  const little = Object.assign(Object.create(real) as Connection, {
    memory: 200_000,
    exec: (sql: string) => {
      statements.push(sql)
      return real.exec(sql)
    },
  })
  const { records: placed, losers } = await separate(little, { schema, records, excluded: [] }, job)
  assert.ok(statements.filter((sql) => sql.includes('% ') && sql.includes('AS m ON')).length >= 4)
  assert.ok(statements.filter((sql) => sql.includes('>> 32) % ')).length >= 6)
  assert.deepEqual(losers.map(({ rows }) => rows), [8000])
  assert.deepEqual(placed.map(({ places }) => places), [{ lowest: 4294967297n, highest: 4294977296n }, { lowest: 4294977297n, highest: 4294987296n }])
  // Under max:v the later of two records wins: the losers are the first 8,000 records.
  for (const sql of [lostSql({ losers }), losersSql({ schema, records: placed, excluded: [], losers }, [])]) {
    const places = await real.rows(`SELECT _place - 4294967296 AS row FROM (${sql})`)
    assert.deepEqual(places.map(({ row }) => row), Array.from({ length: 8000 }, (_, at) => BigInt(at + 1)))
  }
  // Of one part only its own losers are held.
  const ofPart = { schema, records: placed.slice(1), excluded: [], losers }
  assert.deepEqual(await real.rows(`SELECT count(*) AS n FROM (${winnersSql(ofPart, [])})`), [{ n: 10_000n }])
  await real.close()
})

for (const how of ['drop', 'double'] as const) {
  test(`a loser that is written ${how === 'drop' ? 'not at all' : 'twice'} stops the batch`, async () => {
    const { job, records, database } = await batchOf(`losers-${how}`, 100, 60, 60_000_000)
    tamper(how)
    const connection = await database.connect()
    await assert.rejects(separate(connection, { schema, records, excluded: [] }, job), (thrown: unknown) => thrown instanceof SluiceError && thrown.code === 'BALANCE_BROKEN')
    await connection.close()
  })

  test(`without losers a record is ${how === 'drop' ? 'lost' : 'doubled'}, for the target to notice`, async () => {
    const { job, records, database } = await batchOf(`records-${how}`, 100, 100, 60_000_000)
    tamper(how)
    const connection = await database.connect()
    const parted = await separate(connection, { schema, records, excluded: [] }, job)
    assert.equal(await countWinners(connection, { schema, excluded: [], ...parted }), how === 'drop' ? 99 : 101)
    await connection.close()
  })
}

function tamper(how: Tampering): void {
  setFailpointHandler({ crash: () => undefined, tamper: (point) => (point === 'stage' ? how : null) })
}

test('arrivals that do not count neither win nor lose, and a part without a column reads as null', async () => {
  const { job, records, database } = await batchOf('excluded', 10, 5, 60_000_000)
  const connection = await database.connect()
  const wider: Schema = [...schema, { name: 'day', type: 'date' }]
  const none = await separate(connection, { schema: wider, records, excluded: [1] }, job)
  assert.deepEqual(none.losers, [])
  const both = await separate(connection, { schema: wider, records, excluded: [2] }, job)
  assert.deepEqual(await connection.rows(`SELECT count(*) AS n, count(day) AS days FROM (${losersSql({ schema: wider, excluded: [2], ...both })})`), [{ n: 5n, days: 0n }])
  await connection.close()
})
