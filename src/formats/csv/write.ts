/**
 * Records as CSV by RFC 4180 with a header: commas, lines that end with a line feed, quotes doubled.
 *
 * A field is quoted when it must be. Null is an empty field and the empty text is `""`, so the two stay apart. With
 * `escapeFormulas` text that begins with = + - @, a tab or a carriage return gets an apostrophe: a spreadsheet would run
 * it. Columns of numbers are never touched, a negative number is no formula. `resolve/text.ts` makes the same lines in SQL.
 */
import type { Column, Row, Schema, Value } from '../../core/schema.ts'
import { isNested, isString } from '../../core/types.ts'
import { UnwritableValue, doubleText, timestampText } from '../unwritable.ts'
import type { TextOptions, TextWriter } from '../writer.ts'

// Beyond RFC 4180: what some readers take for a delimiter, a comment, or trim.
const MUST_QUOTE = /[",\r\n;\t|]|^[\s#]|\s$/
const FORMULA = /^[=+\-@\t\r]/

export function csvWriter(schema: Schema, { escapeFormulas }: TextOptions): TextWriter {
  const text = (value: string): string => quote(escapeFormulas && FORMULA.test(value) ? `'${value}` : value)
  const writes = schema.map((column) => writeOf(column, text))
  return {
    begin: () => `${schema.map((column) => text(column.original ?? column.name)).join(',')}\n`,
    record(row: Row) {
      let line = ''
      for (let at = 0; at < writes.length; at++) {
        const value = row[at]
        if (at > 0) line += ','
        if (value !== null && value !== undefined) line += (writes[at] as (value: Value) => string)(value)
      }
      // Readers skip empty lines: the record would be gone.
      if (line === '') throw new UnwritableValue(schema[0]?.name ?? '', 'null', 'a CSV of one column cannot hold null, its line would be empty')
      return `${line}\n`
    },
    end: () => '',
  }
}

function quote(value: string): string {
  return value === '' || MUST_QUOTE.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

function writeOf({ type }: Column, text: (value: string) => string): (value: Value) => string {
  if (type === 'double') return (value) => doubleText(value as number)
  if (type === 'timestamp' || type === 'timestamp_local') return (value) => timestampText(String(value))
  if (isString(type) || type === 'json' || isNested(type)) return (value) => text(String(value))
  return String
}
