/** The sample run of examples/json-to-parquet is played again and must say what its page says. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { playSampleRun } from '../sample-run.ts'

test('the sample run says what it says on its page', (t) => {
  const folder = playSampleRun(t, { example: 'json-to-parquet', page: 'documented_sample_run/README.md' })
  // The page is about something: what it tells of is there.
  const final = readdirSync(join(folder, 'parquet_final')).filter((name) => name.endsWith('.parquet'))
  assert.deepEqual(final.toSorted(), ['events-1.parquet', 'events-2.parquet', 'events-3.parquet', 'hand.parquet'])
  for (const name of final) assert.ok(readFileSync(join(folder, 'parquet_final', name)).equals(readFileSync(join(folder, 'parquet_raw', name))), name)
})
