/** The settings of `convert`: the interface for programs, and the one table that declares them everywhere else. */
import type { CsvRequest } from '../core/csv.ts'
import { OUTPUT_FORMATS } from '../core/convert.ts'
import type { OutputFormat } from '../core/convert.ts'
import { LOAD_SETTINGS } from './load.ts'
import type { LoadSettings } from './load.ts'
import type { SettingTable } from './settings.ts'

/** Settings of `convert()`; each is the command's flag of the same name. */
export interface ConvertSettings extends Pick<LoadSettings, 'paths' | 'format' | 'records' | 'columns' | 'onBad' | 'maxBad' | 'grace' | 'allowPartial' | 'jobs' | 'memory'>, CsvRequest {
  /** Format of the outputs. */
  to: OutputFormat
  /** The folder of the outputs; made when it is not there. */
  output: string
  /** Remove outputs whose inputs are gone. */
  mirror?: boolean
  /** Replace files in the way that Sluice did not put there. */
  overwrite?: boolean
  /** CSV: an apostrophe before text that a spreadsheet would run as a formula. */
  escapeFormulas?: boolean
}

const { paths, format, records, columns, onBad, maxBad, grace, allowPartial, jobs, memory } = LOAD_SETTINGS
const { csvDelimiter, csvQuote, csvEscape, csvHeader, csvComment, csvEncoding, csvSkip, csvNull } = LOAD_SETTINGS

export const CONVERT_SETTINGS: SettingTable<ConvertSettings> = {
  paths,
  to: { kind: 'text', of: 'table', value: 'format', variable: false, needed: true, choices: OUTPUT_FORMATS, help: 'format of the outputs (needed)' },
  output: { kind: 'path', of: 'table', value: 'dir', short: '-o', variable: false, needed: true, help: 'folder of the outputs (needed); sub-folders are kept' },
  mirror: { kind: 'switch', of: 'table', help: 'remove outputs whose inputs are gone' },
  overwrite: { kind: 'switch', of: 'table', lasting: false, help: 'replace files in the way that Sluice did not put there' },
  format,
  csvDelimiter,
  csvQuote,
  csvEscape,
  csvHeader,
  csvComment,
  csvEncoding,
  csvSkip,
  csvNull,
  records,
  columns: { ...columns, help: 'the only columns to write, with types: id:string,ts:timestamp' },
  onBad,
  maxBad,
  grace,
  escapeFormulas: { kind: 'switch', of: 'table', help: 'CSV: an apostrophe before text that a spreadsheet would run (= + - @)' },
  allowPartial,
  jobs,
  memory,
}
