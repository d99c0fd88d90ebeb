/** The first rows of a CSV file under one supposed dialect: how many fields they have, and what is wrong with them. */
import { NULL } from '../record.ts'
import { fieldFlag } from '../typing/field.ts'
import { SAW_TEXT } from '../typing/infer.ts'
import type { Dialect } from './dialect.ts'
import { CR, LF } from './dialect.ts'
import { FAULTY, NEED, Row } from './row.ts'

/** Rows that are looked at. */
const MOST_ROWS = 1000
/** Lines before a table that are left out of its regularity. */
export const MOST_BEFORE = 20
/** Fields of a row that are looked at. */
const MOST_FIELDS = 4000

export interface SeenRow {
  /** Offset in the sample of its first byte, and of the row after it. */
  from: number
  next: number
  /** 0: the row is faulty. */
  fields: number
}
export interface Cell {
  text: string
  null: boolean
  /** Of typing/infer.ts; 0 for null. */
  flag: number
}

export interface Look {
  dialect: Dialect
  rows: SeenRow[]
  /** Fields that most rows have, and the share of rows that have them; of equals the number that came first. */
  width: number
  share: number
  faults: number
  /** Rows with a field in quotes. */
  quoted: number
  /** Rows before the first one with `width` fields. */
  before: number
}

/** The text that is looked at: a byte that may be lent lies behind it. */
export interface Sample {
  buf: Buffer
  from: number
  end: number
  /** Nothing follows. */
  whole: boolean
}

export function look({ buf, from, end, whole }: Sample, dialect: Dialect): Look {
  const row = new Row(dialect, MOST_FIELDS)
  const rows: SeenRow[] = []
  const comment = dialect.comment === null ? null : Buffer.from(dialect.comment, 'utf8')
  let faults = 0
  let quoted = 0
  let p = from
  while (p < end && rows.length < MOST_ROWS) {
    const line = lineEnd(buf, p, end, dialect.cr)
    if (line < 0 && !whole) break
    const next = line < 0 ? end : line
    if (isBlank(buf, p, end) || (comment !== null && buf.compare(comment, 0, comment.length, p, Math.min(end, p + comment.length)) === 0)) {
      p = next
      continue
    }
    const got = row.read(buf, p, end, whole)
    if (got === NEED) break
    if (got === FAULTY) {
      faults++
      const after = lineEnd(buf, row.faultAt, end, dialect.cr)
      const behind = after < 0 ? end : after
      rows.push({ from: p, next: behind, fields: 0 })
      p = row.fault === 'open' ? next : behind
      continue
    }
    rows.push({ from: p, next: got, fields: row.fields })
    if (row.anyQuoted) quoted++
    p = got
  }
  return { dialect, rows, faults, quoted, ...widthOf(rows) }
}

/** The cells of a row that was seen. */
export function cellsOf({ buf, end, whole }: Sample, dialect: Dialect, { from, fields }: SeenRow): Cell[] {
  if (fields === 0) return []
  // All of them, also of a row wider than is looked at otherwise: names that are left out would make every row too wide.
  const row = new Row(dialect, fields)
  if (row.read(buf, from, end, whole) < 0) return []
  return row.texts().map((text, i) => {
    const isNull = row.kind[i] === NULL
    return { text, null: isNull, flag: isNull ? 0 : fieldFlag(row.buf, row.valueFrom[i] as number, row.valueTo[i] as number) }
  })
}

export function isTyped(flag: number): boolean {
  return flag !== 0 && flag !== SAW_TEXT
}

/** True where the first line ends with a carriage return alone. */
export function beginsWithReturn(buf: Buffer, from: number, end: number): boolean {
  for (let p = from; p < end; p++) if (buf[p] === LF) return false
  else if (buf[p] === CR) return buf[p + 1] !== LF
  return false
}

/** Index behind the line end at or after `from`; -1: there is none. */
export function lineEnd(buf: Buffer, from: number, end: number, cr: boolean): number {
  const at = buf.subarray(0, end).indexOf(cr ? CR : LF, from)
  return at < 0 ? -1 : cr && buf[at + 1] === LF && at + 1 < end ? at + 2 : at + 1
}

function isBlank(buf: Buffer, p: number, end: number): boolean {
  return p >= end || buf[p] === LF || (buf[p] === CR && (p + 1 >= end || buf[p + 1] === LF || buf[p + 1] === CR))
}

function widthOf(rows: readonly SeenRow[]): { width: number; share: number; before: number } {
  const counts = new Map<number, number>()
  for (const { fields } of rows) if (fields > 0) counts.set(fields, (counts.get(fields) ?? 0) + 1)
  let width = 0
  let most = 0
  for (const [fields, n] of counts) if (n > most) [width, most] = [fields, n]
  const before = rows.findIndex(({ fields }) => fields === width)
  // A few lines before the table do not speak against it; faults do.
  const counted = rows.length - (before > 0 && before <= MOST_BEFORE ? rows.slice(0, before).filter(({ fields }) => fields > 0).length : 0)
  return { width, share: counted === 0 ? 0 : most / counted, before }
}
