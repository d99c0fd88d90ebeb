/** How the bytes of a file are to be understood: which names count, and what a command says of it. */
import { CSV_BY_ITSELF } from './csv.ts'
import type { CsvReading } from './csv.ts'

export const FORMATS = ['json', 'ndjson', 'csv', 'tsv', 'parquet'] as const
export type Format = (typeof FORMATS)[number]

/** By the end of a name, lower case. */
const EXTENSIONS: Readonly<Record<string, Format>> = { '.json': 'json', '.ndjson': 'ndjson', '.jsonl': 'ndjson', '.csv': 'csv', '.tsv': 'tsv', '.parquet': 'parquet' }

/** What a load says of its files; it belongs to the run, not to the table. */
export interface Reading {
  /** `--format`; null: told from the name and the first bytes. */
  format: Format | null
  /** `--csv-…`: counts for files that are CSV. */
  csv: CsvReading
}

/** Everything is told from the files themselves. */
export const BY_ITSELF: Reading = { format: null, csv: CSV_BY_ITSELF }

/** Endings of packed files, behind that of their format. */
const PACKED = /\.(gz|zst|zstd)$/i

/** True for `x.json.gz` and its like. What a file is packed with is told from its bytes; the name only promises it. */
export function isPackedName(name: string): boolean {
  return PACKED.test(name)
}

/** The format that a file's name tells, `.gz` and `.zst` left aside; null: it tells none. */
export function formatOfName(name: string): Format | null {
  const bare = name.replace(PACKED, '')
  const at = bare.lastIndexOf('.')
  return at < 0 ? null : (EXTENSIONS[bare.slice(at).toLowerCase()] ?? null)
}

/** For messages: `.json, .ndjson, .jsonl, each also with .gz or .zst`. */
export function extensions(): string {
  return `${Object.keys(EXTENSIONS).join(', ')}, each also with .gz or .zst`
}
