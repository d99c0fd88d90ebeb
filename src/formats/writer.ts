/**
 * Rows to text, for the formats that are text: what the writers of CSV, NDJSON and JSON have in common. They say what a text
 * is and why a record has none; the lines of all but small conversions are made by DuckDB (`resolve/text.ts`) and tested against them.
 */
import type { OutputFormat } from '../core/convert.ts'
import type { Row, Schema } from '../core/schema.ts'
import { csvWriter } from './csv/write.ts'
import { jsonWriter } from './json/write.ts'

export type TextFormat = Exclude<OutputFormat, 'parquet'>

export interface TextWriter {
  /** What stands before the first record. */
  begin(): string
  /** One record; `row` has the schema's values as `Value`. @throws UnwritableValue */
  record(row: Row): string
  /** What stands behind the last one. @param some there was one */
  end(some: boolean): string
}

export interface TextOptions {
  /** CSV: an apostrophe before text that a spreadsheet would run. */
  escapeFormulas: boolean
}

export function openTextWriter(to: TextFormat, schema: Schema, options: TextOptions): TextWriter {
  return to === 'csv' ? csvWriter(schema, options) : jsonWriter(schema, to)
}
