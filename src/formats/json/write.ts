/**
 * Records as NDJSON (a line each) or as one JSON array (a line each within it).
 *
 * Integers and decimals keep their digits, doubles are the shortest text of the same number, timestamps are ISO, json
 * columns stand as they are. Null is written: every record has every column. `resolve/text.ts` makes the same lines in SQL.
 */
import { isString } from '../../core/types.ts'
import type { Column, Row, Schema, Value } from '../../core/schema.ts'
import { UnwritableValue, doubleText, timestampText } from '../unwritable.ts'
import type { TextWriter } from '../writer.ts'

type Write = (value: Exclude<Value, null>) => string

export function jsonWriter(schema: Schema, to: 'ndjson' | 'json'): TextWriter {
  const names = schema.map((column, at) => `${at === 0 ? '{' : ','}${JSON.stringify(column.original ?? column.name)}:`)
  const writes = schema.map(writeOf)
  const members = (row: Row): string => {
    if (names.length === 0) return '{}'
    let text = ''
    for (let at = 0; at < names.length; at++) {
      const value = row[at]
      text += names[at] as string
      text += value === null || value === undefined ? 'null' : (writes[at] as Write)(value)
    }
    return `${text}}`
  }
  if (to === 'ndjson') return { begin: () => '', record: (row) => `${members(row)}\n`, end: () => '' }
  let first = true
  return {
    begin: () => '[',
    record(row) {
      const text = `${first ? '\n' : ',\n'}${members(row)}`
      first = false
      return text
    },
    end: (some) => (some ? '\n]\n' : ']\n'),
  }
}

function writeOf({ name, type }: Column): Write {
  if (isString(type) || type === 'date') return (value) => JSON.stringify(value)
  if (type === 'timestamp' || type === 'timestamp_local') return (value) => `"${timestampText(String(value))}"`
  if (type !== 'double') return String
  return (value) => {
    if (!Number.isFinite(value)) throw new UnwritableValue(name, String(value), `JSON has no way to write ${String(value)}`)
    return doubleText(value as number)
  }
}
