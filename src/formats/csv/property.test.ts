/** Any table, written by any dialect, is read back as it was: the writer here shares nothing with the reader. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { load } from '../../../test/splitting.ts'
import { csvReading } from '../../core/csv.ts'

type Cell = string | null
interface Way {
  delimiter: string
  quote: string
  escape: string
  end: string
  encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'latin-1'
  mark: boolean
  last: boolean
  window: number
}

const way = fc.record<Way>({
  delimiter: fc.constantFrom(',', ';', '\t', '|', ', ', '||', '§'),
  quote: fc.constantFrom('"', "'"),
  escape: fc.constantFrom('', '\\'),
  end: fc.constantFrom('\n', '\r\n', '\r'),
  encoding: fc.constantFrom('utf-8', 'utf-16le', 'utf-16be', 'latin-1'),
  mark: fc.boolean(),
  last: fc.boolean(),
  window: fc.integer({ min: 16, max: 300 }),
})
const part = fc.constantFrom('a', 'Z', '0', '7', ' ', ',', ';', '\t', '|', '"', "'", '\\', '\n', '\r', '\r\n', '§', 'é', '#', '.', '-', 'x y', '""')
const cell: fc.Arbitrary<Cell> = fc.oneof({ weight: 1, arbitrary: fc.constant(null) }, { weight: 5, arbitrary: fc.array(part, { maxLength: 5 }).map((parts) => parts.join('')) })
const table = fc.integer({ min: 2, max: 5 }).chain((width) => fc.array(fc.tuple(fc.array(cell, { minLength: width, maxLength: width }), fc.array(fc.boolean(), { minLength: width, maxLength: width })), { minLength: 1, maxLength: 8 }))

function written(value: Cell, quoted: boolean, { delimiter, quote, escape }: Way): string {
  if (value === null) return ''
  const special = value === '' || [quote, '\n', '\r', ...delimiter].some((c) => value.includes(c)) || (escape !== '' && value.includes(escape)) || value.endsWith(delimiter[0] ?? '')
  if (!quoted && !special) return value
  const mended = escape === '' ? value.replaceAll(quote, quote + quote) : value.replaceAll(escape, escape + escape).replaceAll(quote, escape + quote)
  return quote + mended + quote
}

function bytesOf(text: string, { encoding, mark }: Way): Buffer {
  const full = mark && encoding !== 'latin-1' ? `\ufeff${text}` : text
  if (encoding === 'utf-8') return Buffer.from(full)
  if (encoding === 'latin-1') return Buffer.from(text, 'latin1')
  const little = Buffer.from(full, 'utf16le')
  return encoding === 'utf-16le' ? little : little.swap16()
}

test('a table that was written in any way is read back', async () => {
  await fc.assert(
    fc.asyncProperty(table, way, async (rows, how) => {
      const names = rows[0]?.[0].map((_, i) => `c${i}`) ?? []
      const lines = [names.join(how.delimiter), ...rows.map(([cells, quoted]) => cells.map((value, i) => written(value, quoted[i] ?? false, how)).join(how.delimiter))]
      const text = lines.join(how.end) + (how.last ? '' : how.end)
      const csv = csvReading({ csvDelimiter: how.delimiter, csvQuote: how.quote, csvHeader: 'yes', csvSkip: '0', csvEncoding: how.encoding, ...(how.escape === '' ? {} : { csvEscape: how.escape }) })
      const { rows: got, rejects, ends } = await load({ 'a.csv': bytesOf(text, how) }, { columns: names.map((name) => `${name}:string`).join(',') }, { reading: { format: 'csv', csv }, window: how.window })
      assert.deepEqual(ends[0]?.fault ?? null, null)
      assert.deepEqual(rejects.map(({ message }) => message), [])
      assert.deepEqual(got.map((row) => names.map((name) => row[name] ?? null)), rows.map(([cells]) => cells))
      // Offsets are those of the file: the text there begins with the row.
      for (const [i, row] of got.entries()) {
        const begin = bytesOf(lines[i + 1] ?? '', { ...how, mark: false })
        const at = Number(row['_sluice_offset'])
        assert.deepEqual(bytesOf(text, how).subarray(at, at + begin.length), begin, `row ${i + 1}`)
      }
    }),
    { numRuns: 120 },
  )
})

test('a backslash is text where doubled quotes explain as much, whichever the quote is', async () => {
  for (const quote of ['"', "'"]) {
    const values = [String.raw`C:\\dir\\`, String.raw`\\`, String.raw`\n`]
    const text = ['a,b', ...values.map((value) => `1,${quote}${value}${quote}`)].join('\n')
    const { rows, rejects } = await load({ 'a.csv': text }, { columns: 'a:string,b:string' })
    assert.deepEqual([rows.map((row) => row['b']), rejects], [values, []])
  }
})
