/**
 * Where the rows of a CSV file begin and what its columns are called. The first row is taken for names only when it can be
 * nothing else, or nearly so; lines before it are left out only when they cannot be records.
 */
import type { CsvReading } from '../../core/csv.ts'
import { columnName, fold, isReserved } from '../../core/schema.ts'
import { FileFault } from '../sink.ts'
import { MOST_BEFORE, cellsOf, isTyped } from './look.ts'
import type { Cell, Look, Sample, SeenRow } from './look.ts'

export interface Header {
  names: string[]
  /** Where the first record begins, in the sample. */
  from: number
  /** Lines of text before the header, as they are counted for people; 0: none. */
  before: number
  /** The names stand in the file. */
  found: boolean
  /** Columns whose names are empty in the file. */
  nameless: string[]
}

/** Rows behind the header that are looked at for types. */
const LOOKED_AT = 200
/** Rows behind the first that are taken for more of the header. */
const MOST_HEADERS = 5
const LONGEST_NAME = 200
const ASK = 'Say --csv-header yes when the first row holds the names, --csv-header no or --csv-header NAME,NAME,… when it is a record.'

/**
 * @param expected names that the columns should have, as far as the load says: its key, declared columns, the table's
 * @throws FileFault DIALECT_UNCLEAR, HEADER_INVALID
 */
export function headerOf(sample: Sample, seen: Look, reading: CsvReading, expected: readonly string[]): Header {
  const { rows } = seen
  const first = rows[0]
  if (Array.isArray(reading.header)) return given(reading.header as string[], seen, first?.from ?? sample.end)
  if (first === undefined) return { names: [], from: sample.end, before: 0, found: false, nameless: [] }
  if (reading.header === false) return given(Array.from({ length: Math.max(1, seen.width) }, (_, i) => `column${i + 1}`), seen, first.from)
  const cells = rows.slice(0, LOOKED_AT).map((row) => cellsOf(sample, seen.dialect, row))
  const at = headerAt(seen, cells, reading)
  const names = cells[at] as Cell[]
  const row = rows[at] as SeenRow
  if (reading.header === null) {
    const known = new Set(expected.map((name) => fold(columnName(name))))
    const named = names.some(({ text }) => known.has(fold(columnName(text))))
    if (!named) mustBeNames(at, names, cells.slice(at + 1), reading.delimiter === null ? seen.dialect.delimiter : null)
    if (reading.skip === null) mustBeAlone(cells.slice(at + 1), names.length)
  } else if (at > 0) mustBeUntyped(at, names)
  const nameless: string[] = []
  const full = names.map(({ text }, i) => {
    if (text !== '') return text
    nameless.push(`column${i + 1}`)
    return `column${i + 1}`
  })
  check(full)
  return { names: full, from: row.next, before: at, found: true, nameless }
}

function given(names: readonly string[], seen: Look, from: number): Header {
  check(names)
  if (seen.rows.length > 1 && seen.width > 0 && seen.share === 1 && seen.width !== names.length) {
    throw new FileFault('HEADER_INVALID', `--csv-header names ${names.length} columns; the rows have ${seen.width} fields.`, 0)
  }
  return { names: [...names], from, before: 0, found: false, nameless: [] }
}

/** The row with the names: the first that is as wide as the others. */
function headerAt({ rows, width }: Look, cells: readonly Cell[][], reading: CsvReading): number {
  const first = cells[0] ?? []
  const filled = (row: readonly Cell[]): number => row.filter((cell) => cell.text !== '').length
  const at = width === 0 ? -1 : cells.findIndex((row) => row.length === width && (width < 3 || reading.skip !== null || filled(row) > 1))
  if (at === 0 || (at < 0 && first.length > 0)) return 0
  if (reading.skip === null && at > 0 && at <= MOST_BEFORE && width > 1 && cells.slice(0, at).every((row) => row.length > 0 && filled(row) <= 1)) return at
  if (first.length === 0) throw new FileFault('HEADER_INVALID', 'The first row cannot be read: a quote in it stands where none may stand. Give the names with --csv-header and leave the line out with --csv-skip 1.', rows[0]?.from ?? 0)
  if (reading.skip !== null || first.length > 1) {
    throw new FileFault('HEADER_INVALID', `The first row has ${first.length} fields, most others have ${width}. Leave lines that are no rows out with --csv-skip, or give the names with --csv-header.`, rows[0]?.from ?? 0)
  }
  throw new FileFault('DIALECT_UNCLEAR', `The first ${at} rows do not look like the others. If they are no rows, leave them out with --csv-skip ${at}.`, rows[0]?.from ?? 0)
}

/** @param at index of the row that would be the header */
function doubt(at: number, why: string): FileFault {
  if (at === 0) return new FileFault('DIALECT_UNCLEAR', `The first row may be a header or a record: ${why}. ${ASK}`, 0)
  const ask = `Say --csv-skip 0 when the first row of the file holds the names, --csv-skip ${at} and --csv-header NAME,NAME,… when row ${at + 1} is a record.`
  return new FileFault('DIALECT_UNCLEAR', `Row ${at + 1} is the first with more than one field filled, and may be a header or a record: ${why}. ${ask}`, 0)
}

/** @throws FileFault */
function mustBeUntyped(at: number, names: readonly Cell[]): void {
  const typed = names.find(({ flag }) => isTyped(flag))
  if (typed !== undefined) throw doubt(at, `it holds the value ${typed.text}`)
}

/** @param at index of the row @param delimiter if it was found @throws FileFault when the row may be a record */
function mustBeNames(at: number, names: readonly Cell[], below: readonly Cell[][], delimiter: string | null): void {
  mustBeUntyped(at, names)
  if (names.every((cell) => cell.text === '')) throw doubt(at, 'it is empty')
  if (delimiter !== null && names.length > 2 && names.length % 2 === 1 && names.every(({ text }, i) => (text === '') === (i % 2 === 1))) {
    throw new FileFault('DIALECT_UNCLEAR', `Every second name is empty: the delimiter seems to be two characters. Say it with --csv-delimiter '${delimiter}${delimiter}' or '${delimiter}'.`, 0)
  }
  const long = names.find(({ text }) => text.length > LONGEST_NAME)
  if (long !== undefined) throw doubt(at, `one of its fields is longer than ${LONGEST_NAME} characters`)
  // What stands in a column again and again is a value of it. A row that repeats all names is another matter.
  const rows = below.filter((row) => row.length === names.length && !row.every(({ text }, i) => text.replace(/^\ufeff/, '') === names[i]?.text))
  const again = names.find(({ text }, i) => text !== '' && rows.some((row) => row[i]?.text === text))
  if (again !== undefined) throw doubt(at, `its value ${JSON.stringify(again.text)} occurs in that column again`)
}

/** @throws FileFault when the names seem to go on in the next row */
function mustBeAlone(below: readonly Cell[][], width: number): void {
  const rows = below.filter((row) => row.length === width)
  const more = rows.findIndex((row) => row.some(({ flag }) => isTyped(flag)))
  if (more < 1 || more > MOST_HEADERS || rows.length - more < 2) return
  const [heads, records] = [rows.slice(0, more), rows.slice(more)]
  const typed = Array.from({ length: width }, (_, i) => i).filter((i) => records.every((row) => row[i]?.null === true || isTyped(row[i]?.flag ?? 0)) && records.some((row) => isTyped(row[i]?.flag ?? 0)))
  // Nulls are values; it is text where numbers stand that makes a name of it.
  if (typed.length < 2 || !heads.every((row) => typed.some((i) => row[i]?.null === false))) return
  throw new FileFault('DIALECT_UNCLEAR', `The header seems to have ${more + 1} rows: there is no value yet where ${typed.length} columns hold numbers or dates below. Say --csv-header yes if only the first row holds names; else leave the rows out with --csv-skip and give the names with --csv-header.`, 0)
}

function check(names: readonly string[]): void {
  const known = new Map<string, number>()
  names.forEach((name, i) => {
    const folded = fold(columnName(name))
    const other = known.get(folded)
    if (other !== undefined) {
      throw new FileFault('HEADER_INVALID', `Columns ${other + 1} and ${i + 1} are both named ${name} (names are matched without case, and characters that a table refuses become _). Give the names with --csv-header and leave the line out with --csv-skip 1.`, 0)
    }
    if (isReserved(columnName(name))) throw new FileFault('HEADER_INVALID', `The name ${name} belongs to Sluice. Give the names with --csv-header and leave the line out with --csv-skip 1.`, 0)
    known.set(folded, i)
  })
}
