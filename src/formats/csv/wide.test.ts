/** Rows that are wider, and first rows that are longer, than what is looked at to tell the dialect. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load } from '../../../test/splitting.ts'

const names = Array.from({ length: 10_000 }, (_, i) => `c${i}`)

test('a file of 10,000 columns gives the few that are declared, the last one too', async () => {
  const bytes = Buffer.from(`${names.join(',')}\n${names.map((_, i) => i).join(',')}\n`)
  const { ends, rows, rejects } = await load({ 'wide.csv': bytes }, { columns: 'c0:int64,c9999:int64' })
  assert.equal(ends[0]?.fault, null)
  assert.deepEqual(rejects, [])
  assert.deepEqual(rows.map(({ c0, c9999 }) => [Number(c0), Number(c9999)]), [[0, 9999]])
})

test('undeclared they are too many for a table, and that is what is said of the record', async () => {
  const bytes = Buffer.from(`${names.join(',')}\n${names.map((_, i) => i).join(',')}\n`)
  const { rejects } = await load({ 'wide.csv': bytes })
  assert.deepEqual(rejects.map(({ code }) => code), ['COLUMNS_TOO_MANY'])
})

test('a first row that does not end is no empty file', async () => {
  const { ends } = await load({ 'long.csv': Buffer.from(`${'x'.repeat(300_000)}\n1\n`) })
  assert.equal(ends[0]?.state, 'failed')
  assert.equal(ends[0]?.fault?.code, 'HEADER_INVALID')
  assert.match(ends[0]?.fault?.message ?? '', /does not end within the first 256 kB/)
})
