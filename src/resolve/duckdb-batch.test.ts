/** The SQL of a batch: names that need quoting, and how slices of the keys cover every key once. */
import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { SluiceError } from '../core/errors.ts'
import type { Schema } from '../core/schema.ts'
import { candidatesSql, filesSql, losersSql, recordsSql, rejectsSql, separateSql, sizeSql, valueSql, winnersSql } from './duckdb-batch.ts'

const schema: Schema = [{ name: 'k"1', type: 'string' }, { name: 'v', type: 'timestamp' }]
const part = { uri: "/spool/it's [1]*?.parquet", rows: 2 }

test('paths are taken literally, not as patterns', () => {
  assert.equal(filesSql([part]), "['/spool/it''s [[]1][*][?].parquet']")
})

test('no parts: an empty relation with the same columns', () => {
  const sql = recordsSql({ schema, records: [], excluded: [] })
  assert.equal(sql, 'SELECT * FROM (SELECT CAST(NULL AS VARCHAR) AS "k""1", CAST(NULL AS TIMESTAMPTZ) AS "v", CAST(NULL AS BIGINT) AS "_place" WHERE false)')
})

test('arrivals that do not count are left out of records and rejects', () => {
  assert.match(recordsSql({ schema, records: [part], excluded: [3, 9] }), /WHERE \("_place" >> 32\) NOT IN \(3, 9\)$/)
  assert.match(rejectsSql({ rejects: [part], excluded: [3] }), /WHERE \("_place" >> 32\) NOT IN \(3\)$/)
})

test('winners are the records without the places of the losers; of a part only its own are looked for', () => {
  const staged = { schema, records: [part], excluded: [], losers: [part] }
  assert.doesNotMatch(winnersSql({ ...staged, losers: [] }), /NOT IN/)
  assert.match(winnersSql(staged, ['V']), /WHERE "_place" NOT IN \(SELECT "_place" FROM .*\)$/)
  assert.match(losersSql(staged, ['V']), /WHERE coalesce\("_place" IN \(SELECT "_place" FROM .*\), false\)$/)
  const placed = { ...part, places: { lowest: 7n, highest: 9n } }
  assert.match(winnersSql({ ...staged, records: [placed] }), / WHERE "_place" BETWEEN 7 AND 9\)$/)
  assert.doesNotMatch(winnersSql({ ...staged, records: [placed, part] }), /BETWEEN/)
})

test('keys are cut into slices by hash; one slice is not cut', () => {
  const staged = { schema, records: [part], excluded: [] }
  const keep = { rule: 'max', column: 'V' } as const
  assert.doesNotMatch(candidatesSql(staged, [part], ['K"1'], { rule: 'last' }, { at: 0, of: 1 }), /%/)
  assert.match(candidatesSql(staged, [part], ['K"1'], keep, { at: 2, of: 3 }), / WHERE h % 3 = 2\) AS m ON CAST\(hash\(b\."k""1"\) >> 1 AS BIGINT\) = m\.h/)
  for (const sql of separateSql(schema, ['K"1'], keep, { at: 2, of: 3 })) assert.match(sql, /WHERE \(CAST\(hash\("k""1"\) >> 1 AS BIGINT\) >> 32\) % 3 = 2/)
  assert.match(sizeSql(schema, ['k"1'], keep), /avg\(strlen\("k""1"\)\), 0\) \+ 8/)
})

test('timestamps become text of fixed width; an unknown column is a fault of ours', () => {
  assert.equal(valueSql({ name: 'v', type: 'timestamp' }), `strftime("v" AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')`)
  assert.throws(() => recordsSql({ schema, records: [], excluded: [] }, ['w']), (thrown: unknown) => thrown instanceof SluiceError && thrown.code === 'INTERNAL')
})
