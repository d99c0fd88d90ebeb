/** How the bytes of a file are to be understood: which names count, and what a command says of it. */

export const FORMATS = ['json', 'ndjson'] as const
export type Format = (typeof FORMATS)[number]

/** By the end of a name, lower case. */
const EXTENSIONS: Readonly<Record<string, Format>> = { '.json': 'json', '.ndjson': 'ndjson', '.jsonl': 'ndjson' }

/** What a load says of its files; it belongs to the run, not to the table. */
export interface Reading {
  /** `--format`; null: told from the name and the first bytes. */
  format: Format | null
}

/** Everything is told from the files themselves. */
export const BY_ITSELF: Reading = { format: null }

/** The format that a file's name tells; null: it tells none. */
export function formatOfName(name: string): Format | null {
  const at = name.lastIndexOf('.')
  return at < 0 ? null : (EXTENSIONS[name.slice(at).toLowerCase()] ?? null)
}

/** For messages: `.json, .ndjson, .jsonl`. */
export function extensions(): string {
  return Object.keys(EXTENSIONS).join(', ')
}
