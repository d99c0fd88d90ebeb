/** Splits texts with the real splitter, and reads its parts back with DuckDB, which shares no line with the writer. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { define } from '../src/core/definition.ts'
import type { DefinitionRequest } from '../src/core/definition.ts'
import { keepWholeTexts } from '../src/engines/duckdb/decoding.ts'
import { ForeignParquet } from '../src/engines/duckdb/foreign.ts'
import { openSplitter } from '../src/formats/splitter.ts'
import type { SplitEnd, SplitOptions, SplitResult, Splitter } from '../src/formats/splitter.ts'
import { SAW_NESTED, typeOf } from '../src/formats/typing/infer.ts'

export type Text = string | Uint8Array
export interface Outcome {
  ends: SplitEnd[]
  result: Extract<SplitResult, { again: null }>
  rows: Record<string, unknown>[]
  rejects: Record<string, unknown>[]
  /** Names of the files that were left. */
  left: string[]
}

// Without it the library drops a U+FEFF at the beginning of a value, and a splitter that keeps it would be blamed.
keepWholeTexts()
const instance = await DuckDBInstance.create(':memory:')
const db = await instance.connect()

/** @param texts values as DuckDB casts them to text */
export async function rowsOf(uris: string[], order: string, texts = false): Promise<Record<string, unknown>[]> {
  if (uris.length === 0) return []
  const answer = await db.runAndReadAll(`SELECT ${texts ? 'COLUMNS(*)::VARCHAR' : '*'} FROM read_parquet([${uris.map((uri) => `'${uri}'`).join(',')}]) ORDER BY ${order}`)
  return answer.getRowObjectsJson()
}

/**
 * What was left out. Two readers may have noted other kinds of values where neither these nor any further ones could make
 * another type of it: the kinds are told as the types that they become with all that might follow.
 */
export function leftOutOf({ leftOut }: Outcome['result']): unknown[] {
  return leftOut.map(({ flags = 0, ...one }) => ({ ...one, becomes: ANY_FLAGS.map((more) => typeOf(flags | more)).join() }))
}

/** Every set of kinds that values of JSON and fields can be of. */
const ANY_FLAGS = Array.from({ length: SAW_NESTED * 2 }, (_, flags) => flags)

/** Decodes Parquet files for the splitter. */
export const parquet = new ForeignParquet(200_000_000)

export async function give(splitter: Splitter, seq: number, path: string, text: Text, age = 0): Promise<SplitEnd> {
  const bytes = Buffer.from(text as string)
  let done = 0
  return splitter.split({ seq, path, modified: 1_000_000 - age, size: bytes.length, read: (into, at, length) => {
    const n = bytes.copy(into, at, done, Math.min(bytes.length, done + length))
    done += n
    return n
  } }, () => {})
}

export async function load(files: Record<string, Text>, request: DefinitionRequest = {}, more: Partial<SplitOptions> & { age?: number; texts?: boolean } = {}): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'split-'))
  try {
    const options: SplitOptions = { folder, prefix: 'b', definition: define('t', request), pinned: null, onBad: 'quarantine', maxBad: null, grace: 1000, now: 1_000_000, parquetRows: parquet.rows, ...more }
    for (let pass = 0; ; pass++) {
      assert.ok(pass < 2, 'at most two passes')
      const splitter = openSplitter(options)
      const ends: SplitEnd[] = []
      for (const [i, [path, text]] of Object.entries(files).entries()) ends.push(await give(splitter, i + 1, path, text, more.age ?? 0))
      const result = splitter.finish()
      if (result.again !== null) {
        options.hypothesis = result.again
        continue
      }
      const rows = await rowsOf(result.records.map(({ uri }) => uri), '_place', more.texts)
      return { ends, result, rows, left: readdirSync(folder), rejects: await rowsOf(result.rejects.map(({ uri }) => uri), '_place') }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
