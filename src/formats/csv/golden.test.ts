/** Every golden file gives what is written beside it, whatever the window; and the page that lists them is true. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cases, casesList, outcomeOf } from '../../../test/golden-csv.ts'

/** What the Pollock benchmark (Vitagliano et al., VLDB 2023) does to files: its files and its polluters. */
const POLLOCK = [
  'standard file', 'empty file', 'no newline at the end', 'two newlines at the end', 'no header row', 'header in two rows', 'header in three rows',
  'preamble with delimiters and an empty row', 'preamble without delimiters', 'preamble that looks like rows',
  'second table with fewer columns', 'second table with as many columns', 'second table with more columns', 'second table behind an empty row',
  'header only', 'one data row', 'one column',
  'extra delimiter in the header', 'extra delimiter in a row, before the first field', 'extra delimiter in a row, between fields', 'extra delimiter in a row, behind the last field',
  'missing delimiter in the header', 'missing delimiter in a row', 'missing delimiter in the last row',
  'fields delimited with semicolon', 'fields delimited with tab', 'fields delimited with a vertical bar', 'fields delimited with comma and space', 'fields delimited with space',
  'apostrophe as quotation mark', 'backslash as escape character', 'no escape character', 'rows end with LF', 'rows end with CR',
  'extra quote in the header', 'extra quote in the first field of a row', 'extra quote inside a field', 'extra quote behind the last field of a row', 'extra quote behind the last field of the file',
  'one row delimited with space', 'one row delimited with another character', 'the header delimited with space',
  'one row ends with another line end', 'one row ends with CR alone', 'one row with another quotation mark',
  'other encoding', 'other encoding in one row', 'footnote without delimiters', 'footnote with delimiters', 'a column of row numbers without a name',
  'a row with fewer fields', 'a column without a name', 'two columns of one name', 'names that are numbers',
]

const all = cases()

test('there is a case for every kind of pollution, and for no other', () => {
  assert.ok(all.length >= 120)
  assert.deepEqual(new Set(all.flatMap(({ pollution }) => (pollution === undefined ? [] : [pollution]))), new Set(POLLOCK))
})

for (const one of all) {
  test(`${one.name}: ${one.about}`, async () => {
    assert.deepEqual(await outcomeOf(one), one.outcome)
    assert.deepEqual(await outcomeOf(one, 17), one.outcome, 'a small window')
  })
}

test('docs/reference/csv.md says what becomes of each', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/csv.md'), 'utf8')
  assert.ok(page.endsWith(casesList()), 'run node test/golden-csv.ts')
})
