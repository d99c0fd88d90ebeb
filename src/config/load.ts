/** The settings of `load`: the interface for programs, and the one table that declares them everywhere else. */
import { IDENTITIES, MODES } from '../core/definition.ts'
import type { CsvRequest } from '../core/csv.ts'
import { ENCODINGS } from '../core/csv.ts'
import type { DefinitionRequest } from '../core/definition.ts'
import { FORMATS } from '../core/reading.ts'
import type { SettingTable } from './settings.ts'

/** Memory of all processes together, unless told otherwise. */
export const DEFAULT_MEMORY = '1GB'

/** Settings of `load()`; each is the command's flag of the same name. */
export interface LoadSettings extends DefinitionRequest, CsvRequest {
  /** Files, folders or patterns. */
  paths: string[]
  /** Name of the table. */
  into: string
  /** `delta:`, `delta:DIR`, `sqlite:FILE`, `duckdb:FILE` or `postgres://user@host:port/database`; several: the same into each; absent: where the table is, else Delta in the data folder. */
  to?: string | string[]
  /** Format of all files: json, ndjson, csv, tsv. Absent: told from name and content. */
  format?: string
  /** Models that are kept up to date with the table: folders of `.sql` files, or files. */
  models?: string[]
  /** Only records from this date or timestamp on (UTC). */
  since?: string
  /** Only records before it. */
  until?: string
  /** Column whose dates `since` and `until` mean; once a table was loaded by one, it is that one. */
  dateField?: string
  /** Table of the same target that holds exactly what the last load brought. */
  delta?: string
  onBad?: 'quarantine' | 'fail' | 'skip'
  /** `N` or `N%` bad records per file, more fail the file. */
  maxBad?: string
  /** How long an unfinished file is waited for (10m). */
  grace?: string
  /** Read files again whose bytes are in the table. */
  reload?: boolean
  /** Take a table over that belongs to another data folder, or that Sluice did not make. */
  adopt?: boolean
  /** Exit 0 also when something is quarantined, failed or waiting. */
  allowPartial?: boolean
  /** Worker processes at most. */
  jobs?: number
  /** Memory of all processes together (1GB). */
  memory?: string
}

/** Declared once: flags, variables, members of a configuration, JSON Schema, help and reference are made from it. */
export const LOAD_SETTINGS: SettingTable<LoadSettings> = {
  paths: { kind: 'paths', of: 'table', flag: false, needed: true, help: 'files, folders or quoted patterns' },
  into: { kind: 'text', of: 'table', value: 'table', needed: true, help: 'name of the table (needed)' },
  to: { kind: 'target', of: 'run', value: 'target', fallback: 'where the table is, else Delta in the data folder', help: 'delta:, delta:DIR, sqlite:FILE, duckdb:FILE or postgres://user@host:port/database; given again: into this one, too' },
  key: { kind: 'names', of: 'table', value: 'columns', help: 'columns that make two records the same, such as id,ts' },
  mode: { kind: 'text', of: 'table', value: 'mode', fallback: 'dedupe with a key, else append', help: `${MODES.slice(0, -1).join(', ')} or ${MODES.at(-1) ?? ''}` },
  keep: { kind: 'text', of: 'table', value: 'rule', help: 'which record of a key stays: first, last, max:COL, min:COL, error' },
  records: { kind: 'text', of: 'table', value: 'path', help: 'where the records are in a document: data.items, /data/items, or . for the root' },
  identity: { kind: 'text', of: 'table', value: 'what', choices: IDENTITIES, fallback: 'content', help: 'what makes a file the same: its content wherever it lies, or revision: its content at its path' },
  format: { kind: 'text', of: 'table', value: 'format', choices: FORMATS, fallback: 'told from name and content', help: 'the format of all files' },
  csvDelimiter: { kind: 'text', of: 'table', value: 'text', fallback: 'found in the file', help: 'what stands between the fields of CSV, such as ; or the word tab' },
  csvQuote: { kind: 'text', of: 'table', value: 'char', fallback: 'found in the file', help: 'what stands around fields; none: quotes are text' },
  csvEscape: { kind: 'text', of: 'table', value: 'char', fallback: 'found in the file', help: 'what stands before a quote inside of quotes' },
  csvHeader: { kind: 'text', of: 'table', value: 'how', fallback: 'found in the file', help: 'yes, no, or the names: id,name,price' },
  csvComment: { kind: 'text', of: 'table', value: 'text', help: 'lines that begin with it are no rows' },
  csvEncoding: { kind: 'text', of: 'table', value: 'name', fallback: 'found in the file', help: ENCODINGS.join(', ') },
  csvSkip: { kind: 'text', of: 'table', value: 'n', fallback: 'found in the file', help: 'lines before the header that are no rows' },
  csvNull: { kind: 'text', of: 'table', value: 'texts', help: 'texts that mean null, beside the empty field: NULL,NA' },
  partitionBy: { kind: 'names', of: 'table', value: 'columns', help: 'lay the files of a Delta table apart: day(COL), month(COL), year(COL) or a column' },
  columns: { kind: 'columns', of: 'table', value: 'list', help: 'the only columns to load, with types: id:string,ts:timestamp' },
  models: { kind: 'paths', of: 'table', value: 'paths', help: 'models that are kept up to date with the table: folders of .sql files or files, with : between them' },
  since: { kind: 'text', of: 'table', value: 'date', help: 'only records from this date or timestamp on, in UTC' },
  until: { kind: 'text', of: 'table', value: 'date', help: 'only records before this date or timestamp, in UTC' },
  dateField: { kind: 'text', of: 'table', value: 'column', fallback: 'that of the loads before', help: 'column whose dates --since and --until mean' },
  delta: { kind: 'text', of: 'table', value: 'table', help: 'another table of the target, for exactly what the last load brought' },
  onBad: { kind: 'text', of: 'run', value: 'what', choices: ['quarantine', 'fail', 'skip'], fallback: 'quarantine', help: 'what happens to bad records' },
  maxBad: { kind: 'limit', of: 'run', value: 'limit', help: 'more bad records than N or N% fail their file' },
  grace: { kind: 'time', of: 'run', value: 'time', fallback: '10m', help: 'how long an unfinished file is waited for' },
  reload: { kind: 'switch', of: 'run', lasting: false, help: 'read files again although their bytes are in the table' },
  adopt: { kind: 'switch', of: 'run', lasting: false, help: 'take over a table of another data folder, or one that Sluice did not make' },
  allowPartial: { kind: 'switch', of: 'run', help: 'exit 0 also when something is quarantined, failed or waiting' },
  jobs: { kind: 'count', of: 'run', value: 'n', fallback: 'as many as cores and memory allow', help: 'worker processes at most' },
  memory: { kind: 'size', of: 'run', value: 'size', fallback: DEFAULT_MEMORY, help: 'what all processes together may hold, at least 512MB' },
}
