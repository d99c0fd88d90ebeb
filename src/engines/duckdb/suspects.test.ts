/** Suspects among hashes: none that came twice is missed, whatever the memory, and few others are taken for one. */
import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { wordsFor } from '../../core/likes.ts'
import { filesSql } from '../../resolve/duckdb-batch.ts'
import { Database } from './database.ts'
import { suspectsOf } from './suspects.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-suspects-'))
after(() => rmSync(root, { recursive: true, force: true }))

const RECORDS = 200_000
const KEYS = 190_000

for (const [memory, most] of [[100_000_000, 0.02], [100_000, 0.9]] as const) {
  test(`${RECORDS} hashes, of which ${RECORDS - KEYS} come again, with ${memory} bytes`, async () => {
    const database = await Database.open({ threads: 2, memory: 100_000_000, temp: join(root, 'temp') })
    const connection = await database.connect()
    const little = Object.assign(Object.create(connection) as typeof connection, { memory })
    const hashes = `SELECT CAST(hash(i % ${KEYS}) >> 1 AS BIGINT) AS h, i FROM range(${RECORDS}) t(i)`
    // One of the lists has nothing in it.
    const queries = [0, 1, 2, 3].map((n) => `SELECT list(h) FROM (${hashes}) WHERE i % 3 = ${n}`)
    const parts = await suspectsOf(little, queries, RECORDS, (n) => join(root, `${memory}-${n}.parquet`))
    const read = `read_parquet(${filesSql(parts)})`
    const met = await connection.rows(`SELECT count(DISTINCT h) AS n FROM ${read} WHERE h IN (SELECT h FROM (${hashes}) GROUP BY h HAVING count(*) > 1)`)
    assert.deepEqual(met, [{ n: BigInt(RECORDS - KEYS) }])
    const rows = parts.reduce((sum, part) => sum + part.rows, 0)
    assert.ok(rows >= RECORDS - KEYS && rows - (RECORDS - KEYS) <= most * RECORDS, `${rows} suspects`)
    await connection.close()
  })
}

test('memory is a power of two that follows the records up to a share of what DuckDB may use', () => {
  assert.equal(wordsFor(1, 200_000_000), 2048)
  assert.equal(wordsFor(10_000_000, 200_000_000), 2 ** 23)
  assert.equal(wordsFor(1e9, 200_000_000) * 4, 2 ** 25)
})
