/**
 * The dialect of a CSV file, from its first rows. A wrong guess would cost more than a question: where two readings are as good
 * as each other the file is refused, with the flag that decides.
 */
import type { CsvReading } from '../../core/csv.ts'
import { FileFault } from '../sink.ts'
import { APOSTROPHE, BACKSLASH, QUOTE, dialectOf, flagOfDelimiter, shownDelimiter } from './dialect.ts'
import { beginsWithReturn, look } from './look.ts'
import type { Look, Sample } from './look.ts'

const DELIMITERS = [',', ';', '\t', '|']
/** Share of rows with the same number of fields that speaks for a delimiter. */
const REGULAR = 0.7

/** @throws FileFault DIALECT_UNCLEAR */
export function sniff(sample: Sample, reading: CsvReading, tabs: boolean): Look {
  const text = sample.buf.subarray(sample.from, sample.end)
  const under = (delimiter: string, cr: boolean): Look => best(quotings(text, reading).map(([quote, escape]) => look(sample, dialectOf(reading, delimiter, quote, escape, cr))))
  // Rows end with CR alone where the first line does and that explains more of them than LF.
  const looks = (delimiter: string): Look => {
    const usual = under(delimiter, false)
    if (usual.faults === 0 || !beginsWithReturn(sample.buf, sample.from, sample.end)) return usual
    const other = under(delimiter, true)
    return other.share > usual.share ? other : usual
  }
  if (reading.delimiter !== null) return looks(reading.delimiter)
  const candidates = spaced(DELIMITERS.filter((delimiter) => text.includes(delimiter)).map(looks), text.includes(', ') ? looks(', ') : null)
  const chosen = choose(candidates, tabs)
  if (chosen === null) return alone(text, looks, candidates, tabs)
  return chosen
}

/** Comma and space instead of the comma, where every comma between fields is followed by a space. */
function spaced(candidates: Look[], wide: Look | null): Look[] {
  const comma = candidates.find(({ dialect }) => dialect.delimiter === ',')
  if (wide === null || comma === undefined || wide.width < 2 || wide.rows.length < 2) return candidates
  const same = wide.rows.length === comma.rows.length && wide.rows.every(({ fields }, i) => fields === comma.rows[i]?.fields)
  const clearer = wide.faults < comma.faults && wide.share >= REGULAR && wide.share > comma.share
  return same || clearer ? candidates.map((one) => (one === comma ? wide : one)) : candidates
}

/** Pairs of quote and escape that the text may be written with, the usual one first. */
function quotings(text: Buffer, reading: CsvReading): [quote: number, escape: number][] {
  if (reading.quote === '') return [[-1, -1]]
  const quotes = reading.quote !== null ? [reading.quote.charCodeAt(0)] : text.includes(APOSTROPHE) ? [QUOTE, APOSTROPHE] : [QUOTE]
  if (reading.escape !== null) {
    const escape = reading.escape.charCodeAt(0)
    return quotes.map((quote) => [quote, escape])
  }
  return quotes.flatMap((quote): [number, number][] => (text.includes(Buffer.from([BACKSLASH, quote])) ? [[quote, quote], [quote, BACKSLASH]] : [[quote, quote]]))
}

/** Of ways to quote: the one that explains more rows; of equals the first, which is the usual one. */
function best(looks: readonly Look[]): Look {
  const [first, ...others] = looks as [Look, ...Look[]]
  let winner = first
  for (const other of others) {
    // Quotes that enclose fields are no text: every one of them must be explained.
    if (other.dialect.quote === APOSTROPHE && (other.faults > 0 || !enclosed(other))) continue
    // As good as quotation marks is enough for apostrophes that enclose; as good as doubling is not enough for a backslash.
    const apostrophes = other.dialect.quote === APOSTROPHE && winner.dialect.quote !== APOSTROPHE && other.faults === 0 && other.share >= winner.share
    if (apostrophes || other.faults < winner.faults || other.share > winner.share) winner = other
  }
  return winner
}

/** Apostrophes are quotes only if most rows have fields in them. */
function enclosed({ rows, quoted }: Look): boolean {
  return quoted * 2 >= rows.length
}

function choose(candidates: readonly Look[], tabs: boolean): Look | null {
  const named = tabs ? candidates.filter(({ dialect, width }) => dialect.delimiter === '\t' && width > 1) : []
  if (named[0] !== undefined) return named[0]
  // A name seldom holds a delimiter: the only one of the first row decides when the rows agree with it.
  const first = candidates.filter(({ rows }) => (rows[0]?.fields ?? 0) > 1)
  const only = first.length === 1 ? first[0] : undefined
  if (only !== undefined && only.before === 0 && only.width > 1 && only.share >= 0.5) return only
  const regular = candidates.filter(({ width, share }) => width > 1 && share >= REGULAR)
  const leading = regular.filter(({ before }) => before === 0)
  const contenders = leading.length > 0 ? leading : regular
  if (contenders.length === 1) return contenders[0] as Look
  if (contenders.length > 1) throw unclear(contenders)
  return only ?? null
}

/** No delimiter that is known: one column, or fields in quotes with spaces between them. */
function alone(text: Buffer, looks: (delimiter: string) => Look, candidates: readonly Look[], tabs: boolean): Look {
  const spaces = text.includes('" "') || text.includes("' '") ? looks(' ') : null
  if (spaces !== null && spaces.width > 1 && spaces.faults === 0 && spaces.share >= 0.9 && spaces.before === 0 && spaces.quoted * 2 >= spaces.rows.length) return spaces
  const some = candidates.filter(({ width, share, rows }) => (width > 1 && share >= 0.3) || (rows[0]?.fields ?? 0) > 1)
  if (some.length > 0) throw unclear(some)
  return looks(tabs ? '\t' : ',')
}

function unclear(looks: readonly Look[]): FileFault {
  const ways = looks.map(({ dialect, width, share }) => `${shownDelimiter(dialect.delimiter)} gives ${width} fields in ${Math.round(share * 100)} % of the first rows`)
  return new FileFault('DIALECT_UNCLEAR', `What stands between the fields is not clear: ${ways.join('; ')}. Say it with ${looks.map(({ dialect }) => flagOfDelimiter(dialect.delimiter)).join(' or ')}.`, 0)
}
