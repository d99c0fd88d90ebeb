/**
 * Names of windows: `orders-000012-t2026-01-02_03:04:05.parquet` is the twelfth window of a source and ends with this
 * cursor, and goes on where the eleventh ends; `orders-000013-after9-t….parquet` goes on where the ninth ends, and up to there
 * everything was in the table when it was read. `orders-snapshot-000002.parquet` is the second part of a whole table. Rows whose values are not of their columns'
 * types lie beside it in `….rest.ndjson`.
 */
import { basename, dirname } from 'node:path'
import { markOfName, markToName } from '../../core/mark.ts'
import type { Mark } from '../../core/mark.ts'

export interface WindowName {
  n: number
  /** It goes on where this window ends, up to which everything was in the table; 0: from the beginning. Null: where number n - 1 ends. */
  after: number | null
  /** Null: part of a snapshot. */
  mark: Mark | null
}

const PARQUET = '.parquet'
export const REST = '.rest.ndjson'

export function windowName(label: string, { n, after, mark }: WindowName): string {
  const number = String(n).padStart(6, '0')
  return `${label}-${mark === null ? `snapshot-${number}` : `${number}${after === null ? '' : `-after${after}`}-${markToName(mark)}`}`
}

/** Null: no window of this label. Rests are none. */
export function readWindowName(label: string, file: string): WindowName | null {
  if (!file.startsWith(`${label}-`) || !file.endsWith(PARQUET)) return null
  const name = file.slice(label.length + 1, -PARQUET.length)
  const snapshot = /^snapshot-(\d{6,})$/.exec(name)
  if (snapshot !== null) return { n: Number(snapshot[1]), after: null, mark: null }
  const [, number, after, mark = ''] = /^(\d{6,})(?:-after(\d+))?-(.+)$/s.exec(name) ?? []
  const value = number === undefined ? null : markOfName(mark)
  return value === null ? null : { n: Number(number), after: after === undefined ? null : Number(after), mark: value }
}

/** The same of a path in a commit record: it counts in whatever data folder it was written. */
export function windowOfPath(folder: string, label: string, path: string): WindowName | null {
  return basename(dirname(path)) === basename(folder) ? readWindowName(label, basename(path)) : null
}
