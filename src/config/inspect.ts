/** The settings of `inspect`: the interface for programs, and the table that declares them everywhere else. */
import type { CsvRequest } from '../core/csv.ts'
import { LOAD_SETTINGS } from './load.ts'
import type { LoadSettings } from './load.ts'
import type { SettingTable } from './settings.ts'

/** Settings of `inspect()`; each is the command's flag of the same name. */
export interface InspectSettings extends Pick<LoadSettings, 'format' | 'records' | 'columns' | 'key' | 'memory'>, CsvRequest {}

const { format, records, columns, key, memory } = LOAD_SETTINGS
const { csvDelimiter, csvQuote, csvEscape, csvHeader, csvComment, csvEncoding, csvSkip, csvNull } = LOAD_SETTINGS

export const INSPECT_SETTINGS: SettingTable<InspectSettings> = {
  format, csvDelimiter, csvQuote, csvEscape, csvHeader, csvComment, csvEncoding, csvSkip, csvNull, records, columns, key, memory,
}
