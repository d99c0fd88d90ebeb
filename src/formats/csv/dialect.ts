/** How the rows of one CSV file are written: what a load declared, completed by what the file shows. */
import type { CsvReading, NullText } from '../../core/csv.ts'

export interface Dialect {
  delimiter: string
  /** A byte; -1: quotes are text. */
  quote: number
  /** A byte; the quote itself where quotes are doubled; -1 where there are none. */
  escape: number
  /** Lines that begin with it are no rows. */
  comment: string | null
  /** Rows end with a carriage return alone. */
  cr: boolean
  nulls: readonly NullText[]
}

export const QUOTE = '"'.charCodeAt(0)
export const APOSTROPHE = "'".charCodeAt(0)
export const BACKSLASH = '\\'.charCodeAt(0)
export const LF = 10
export const CR = 13

/** The dialect with its delimiter, quote and escape; the rest is as declared. */
export function dialectOf(reading: CsvReading, delimiter: string, quote: number, escape: number, cr: boolean): Dialect {
  return { delimiter, quote, escape, comment: reading.comment, cr, nulls: reading.nulls }
}

const NAMES: Readonly<Record<string, string>> = { '\t': 'tab', ' ': 'space' }

/** A delimiter as it is shown, and as the flag takes it. */
export function shownDelimiter(delimiter: string): string {
  return NAMES[delimiter] ?? JSON.stringify(delimiter)
}

/** As the shell takes it. */
export function flagOfDelimiter(delimiter: string): string {
  return `--csv-delimiter '${delimiter === '\t' ? '\\t' : delimiter}'`
}

export function describe({ delimiter, quote, escape, cr }: Dialect): string {
  const quotes = quote < 0 ? 'no quotes' : `quotes ${String.fromCharCode(quote)}${escape === quote ? '' : ` escaped with ${String.fromCharCode(escape)}`}`
  return `${shownDelimiter(delimiter)} between fields, ${quotes}${cr ? ', rows end with CR' : ''}`
}
