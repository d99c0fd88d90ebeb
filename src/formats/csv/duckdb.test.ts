/**
 * Clean CSV of many dialects is read as DuckDB reads it, field by field. Here the dialect is found in the file; DuckDB, which
 * shares no line with the reader, is told it, and told not to guess.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { load } from '../../../test/splitting.ts'
import { csvReading } from '../../core/csv.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-csv-duckdb-'))
const db = await (await DuckDBInstance.create(':memory:')).connect()
after(() => {
  rmSync(root, { recursive: true, force: true })
  db.closeSync()
})

interface Dialect {
  delimiter: string
  quote: string
  end: string
  /** Every field in quotes, or those that need them. */
  all: boolean
}
const dialect = fc.record<Dialect>({
  delimiter: fc.constantFrom(',', ';', '\t', '|'),
  quote: fc.constantFrom('"', "'"),
  end: fc.constantFrom('\n', '\r\n'),
  all: fc.boolean(),
})

type Cell = string | null
/** Texts as they are written by people and programs: words, numbers, dates, quoted speech, addresses of several lines. */
const word = fc.constantFrom('pear', 'Straße 7', '007', '-12.50', '1e5', 'true', '2024-02-29', 'NULL', '北京', 'a b', ' led', 'trailed ', 'x;y', 'a,b', 'p|q', 'C:\\dir\\', '#1', '5" pipe', "it's", '""', "''")
const lines = fc.array(word, { minLength: 2, maxLength: 4 }).chain((parts) => fc.constantFrom('\n', '\r\n', '\n\n', '"\n', ',\n;').map((between) => parts.join(between)))
const cell: fc.Arbitrary<Cell> = fc.oneof({ weight: 8, arbitrary: word }, { weight: 2, arbitrary: lines }, { weight: 1, arbitrary: fc.constantFrom('', null) })
const table = fc.integer({ min: 2, max: 6 }).chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 3, maxLength: 40 }))

function written(value: Cell, { delimiter, quote, all }: Dialect): string {
  if (value === null) return ''
  if (!all && value !== '' && ![delimiter, quote, '"', "'", '\n', '\r'].some((sign) => value.includes(sign))) return value
  return quote + value.replaceAll(quote, quote + quote) + quote
}

let files = 0

test('what DuckDB reads of a clean file is what is loaded of it, with the dialect found in the file', async () => {
  const seen = { fields: 0, newlines: 0, nulls: 0 }
  await fc.assert(
    fc.asyncProperty(table, dialect, async (rows, how) => {
      const names = rows[0]?.map((_, i) => `name${i}`) ?? []
      // A row of nulls alone is a row of delimiters; the first field is there, as it is in a table with a key.
      const cells = rows.map(([, ...rest], n) => [`r${n}`, ...rest])
      const text = [names.join(how.delimiter), ...cells.map((row) => row.map((value) => written(value, how)).join(how.delimiter))].join(how.end) + how.end
      const path = join(root, `${files++}.csv`)
      writeFileSync(path, text)
      // Apostrophes here and there are text unless it is said: that is decided, see `row-quotation-mark`.
      const reading = how.quote === "'" && !how.all ? { reading: { format: null, csv: csvReading({ csvQuote: how.quote }) } } : {}
      const { rows: got, rejects, ends } = await load({ [path]: text }, { key: 'name0', columns: names.map((name) => `${name}:string`).join(',') }, reading)
      assert.equal(ends[0]?.fault, null)
      assert.deepEqual(rejects, [])
      const sql = (sign: string): string => `'${sign.replaceAll("'", "''")}'`
      const columns = names.map((name) => `${sql(name)}: 'VARCHAR'`).join(', ')
      const answer = await db.runAndReadAll(
        `SELECT * FROM read_csv(${sql(path)}, auto_detect = false, columns = {${columns}}, header = true, delim = ${sql(how.delimiter)}, quote = ${sql(how.quote)}, escape = ${sql(how.quote)}, new_line = '${how.end === '\n' ? '\\n' : '\\r\\n'}', nullstr = '', allow_quoted_nulls = false, parallel = false)`,
      )
      const expected = answer.getRowObjectsJson().map((row) => names.map((name) => row[name]))
      assert.deepEqual(got.map((row) => names.map((name) => row[name])), expected)
      // And both are what was written.
      assert.deepEqual(expected, cells)
      for (const value of cells.flat()) {
        seen.fields++
        if (value === null) seen.nulls++
        else if (value.includes('\n')) seen.newlines++
      }
    }),
    { numRuns: 150, seed: 11 },
  )
  assert.ok(seen.fields > 5000 && seen.newlines > 500 && seen.nulls > 200, JSON.stringify(seen))
})
