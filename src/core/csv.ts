/** What a load may say of its CSV files. Whatever it leaves open is found in the first bytes of each file, or refused. */
import { SluiceError } from './errors.ts'

export const ENCODINGS = ['utf-8', 'utf-16le', 'utf-16be', 'latin-1', 'windows-1252'] as const
export type Encoding = (typeof ENCODINGS)[number]

/** A text that stands for null: as it is between delimiters, or between quotes. */
export interface NullText {
  text: string
  quoted: boolean
}

/** Null where the file itself is to tell. */
export interface CsvReading {
  /** One character or several. */
  delimiter: string | null
  /** One byte; '' means that quotes are text like any other. */
  quote: string | null
  /** Before a quote inside of quotes: the quote itself (doubled), or a backslash or the like. */
  escape: string | null
  /** True: the first row holds names. False: there are none. A list: these are the names, and the first row is a record. */
  header: boolean | readonly string[] | null
  /** Lines that begin with it are no rows. */
  comment: string | null
  encoding: Encoding | null
  /** Lines at the beginning that are no rows. */
  skip: number | null
  /** Besides the empty field without quotes, which always is null. */
  nulls: readonly NullText[]
}

export const CSV_BY_ITSELF: CsvReading = { delimiter: null, quote: null, escape: null, header: null, comment: null, encoding: null, skip: null, nulls: [] }

/** The flags as they are typed; those of programs have the same names. */
export interface CsvRequest {
  /** `,`, `;`, `\t` or any other text between two fields. */
  csvDelimiter?: string
  /** The character around fields that hold delimiters; `none` when quotes are text. */
  csvQuote?: string
  /** What stands before a quote inside of quotes; the quote itself unless the file shows a backslash. */
  csvEscape?: string
  /** `yes`, `no`, or the names of the columns with commas between them. */
  csvHeader?: string
  /** Lines that begin with this are no rows. */
  csvComment?: string
  /** utf-8, utf-16le, utf-16be, latin-1, windows-1252. */
  csvEncoding?: string
  /** Lines before the header that are no rows. */
  csvSkip?: string
  /** Texts that mean null, with commas between them: `NULL,\N`; with quotes around it one that stands in quotes: `""`. */
  csvNull?: string
}

const OTHER_NAMES: Readonly<Record<string, Encoding>> = { utf8: 'utf-8', 'utf-16': 'utf-16le', utf16le: 'utf-16le', utf16be: 'utf-16be', latin1: 'latin-1', 'iso-8859-1': 'latin-1', cp1252: 'windows-1252', 'windows1252': 'windows-1252' }

/** @throws SluiceError USAGE naming the flag */
export function csvReading(request: CsvRequest): CsvReading {
  const { csvDelimiter, csvQuote, csvEscape, csvHeader, csvComment, csvEncoding, csvSkip, csvNull } = request
  const delimiter = csvDelimiter === undefined ? null : unwritten(csvDelimiter)
  if (delimiter !== null && (delimiter === '' || delimiter.length > 16 || /[\r\n]/.test(delimiter))) throw usage('--csv-delimiter', csvDelimiter, 'expected one character or a few, such as ; or \\t')
  const quote = csvQuote === undefined ? null : csvQuote === 'none' ? '' : single('--csv-quote', csvQuote, 'or none')
  const escape = csvEscape === undefined ? null : single('--csv-escape', csvEscape, 'such as \\')
  if (quote === '' && escape !== null) throw new SluiceError('USAGE', '--csv-escape has no meaning with --csv-quote none.')
  if (delimiter !== null && quote !== null && quote !== '' && delimiter.includes(quote)) throw new SluiceError('USAGE', '--csv-delimiter and --csv-quote cannot share a character.')
  if (csvComment !== undefined && (csvComment === '' || csvComment.length > 16 || /[\r\n]/.test(csvComment))) throw usage('--csv-comment', csvComment, 'expected a character or a few, such as #')
  if (csvSkip !== undefined && !/^\d{1,6}$/.test(csvSkip)) throw usage('--csv-skip', csvSkip, 'expected a number of lines')
  return {
    delimiter,
    quote,
    escape,
    header: csvHeader === undefined ? null : headerOf(csvHeader),
    comment: csvComment ?? null,
    encoding: csvEncoding === undefined ? null : encodingOf(csvEncoding),
    skip: csvSkip === undefined ? null : Number(csvSkip),
    nulls: csvNull === undefined ? [] : csvNull.split(',').map(nullText),
  }
}

/** True when a flag of CSV was given. */
export function saysCsv(request: CsvRequest): boolean {
  const names: (keyof CsvRequest)[] = ['csvDelimiter', 'csvQuote', 'csvEscape', 'csvHeader', 'csvComment', 'csvEncoding', 'csvSkip', 'csvNull']
  return names.some((name) => request[name] !== undefined)
}

/** `\t`, `\xNN` and `tab` as a shell can pass them. */
function unwritten(text: string): string {
  if (text === 'tab') return '\t'
  return text.replace(/\\t/g, '\t').replace(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function single(flag: string, text: string, more: string): string {
  if (text.length !== 1 || text.charCodeAt(0) > 0x7e || /[\r\n]/.test(text)) throw usage(flag, text, `expected one ASCII character, ${more}`)
  return text
}

function headerOf(text: string): boolean | string[] {
  if (text === 'yes' || text === 'no') return text === 'yes'
  const names = text.split(',')
  if (names.some((name) => name === '')) throw usage('--csv-header', text, 'expected yes, no, or names with commas between them')
  return names
}

function encodingOf(text: string): Encoding {
  const lower = text.toLowerCase()
  const known = ENCODINGS.find((name) => name === lower) ?? OTHER_NAMES[lower]
  if (known === undefined) throw usage('--csv-encoding', text, `expected one of ${ENCODINGS.join(', ')}`)
  return known
}

function nullText(text: string): NullText {
  const match = /^"(.*)"$/s.exec(text)
  return match === null ? { text, quoted: false } : { text: match[1] ?? '', quoted: true }
}

function usage(flag: string, text: string | undefined, expected: string): SluiceError {
  return new SluiceError('USAGE', `${flag} ${JSON.stringify(text)}: ${expected}.`)
}
