/** Rests: rows of a window that hold a value of no type of ours, a JSON object a line, for the load to decide. */
import type { SqlValue } from '../core/effects.ts'
import { openAppendFile } from '../storage/appendFile.ts'

/** Rows that are looked at together. */
const PAGE = 1000

/** @param table of a session of the engine, its rows numbered from 0. @returns how many lines were written */
export async function writeRest(ask: (sql: string) => Promise<readonly Readonly<Record<string, SqlValue>>[]>, table: string, path: string, lineOf: (row: Readonly<Record<string, SqlValue>>) => string): Promise<number> {
  const lines = openAppendFile('window.write', path)
  let written = 0
  for (let more = true; more; ) {
    const rows = await ask(`SELECT * FROM ${table} WHERE rowid >= ${written} AND rowid < ${written + PAGE} ORDER BY rowid`)
    for (const row of rows) lines.append(Buffer.from(`${lineOf(row)}\n`))
    written += rows.length
    more = rows.length === PAGE
  }
  lines.close()
  return written
}

/** The database's text of a value as it stands in a line of JSON. @param type of the column, as the schema says it */
export function jsonOf(type: string, value: SqlValue): string {
  if (typeof value !== 'string') return value === null ? 'null' : String(value)
  // Line feeds of a text of JSON stand between its tokens only.
  if (type === 'json') return value.replace(/[\n\r]/g, ' ')
  return type === 'boolean' || (/^(int64|double|decimal)/.test(type) && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(value)) ? value : JSON.stringify(value)
}
