/** The answer of a query as people read it: names, types, aligned values, as wide as the terminal. */
import type { AnswerColumn } from '../core/console.ts'
import type { Row, Value } from '../core/schema.ts'
import { isDecimal } from '../core/types.ts'
import { doubleText } from '../formats/unwritable.ts'

export interface GridOptions {
  /** Columns of the terminal; null: nobody looks, nothing is cut. */
  width: number | null
  /** Marks what is no value. */
  dim: (text: string) => string
}

/** A column is not cut below this. */
const LEAST = 6
/** A value is not shown longer where nobody limits the width. */
const WIDEST = 200

const GAP = ' │ '

/** `null` is no text: a text that looks like it, and an empty one, stand in quotes. */
function shown(value: Value): string {
  if (value === null) return 'null'
  if (typeof value === 'number') return doubleText(value)
  const text = String(value).replace(/\p{Cc}/gu, (sign) => (sign === '\n' ? '↵' : sign === '\t' ? '→' : '·'))
  return text === '' || text === 'null' ? `'${text}'` : text
}

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

/** Columns that a text takes in a terminal. */
export function widthOf(text: string): number {
  // Most texts are plain.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const sign of text) width += /\p{Mn}|\p{Me}|\p{Cf}/u.test(sign) ? 0 : WIDE.test(sign) ? 2 : 1
  return width
}

function cut(text: string, most: number): string {
  if (widthOf(text) <= most) return text
  let kept = ''
  let width = 1
  for (const sign of text) {
    width += widthOf(sign)
    if (width > most) break
    kept += sign
  }
  return `${kept}…`
}

function isRight({ type }: AnswerColumn, rows: readonly Row[], at: number): boolean {
  if (type !== null) return type === 'int64' || type === 'double' || isDecimal(type)
  return rows.every((row) => row[at] === null || typeof row[at] === 'bigint' || typeof row[at] === 'number')
}

/** Widths that fit: the widest columns give way first. */
function fit(wanted: readonly number[], most: number): number[] {
  const widths = [...wanted]
  const over = (): number => widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1) - most
  while (over() > 0) {
    const widest = Math.max(...widths)
    if (widest <= LEAST) break
    const next = Math.max(LEAST, ...widths.filter((width) => width < widest))
    const least = Math.max(next, widest - Math.ceil(over() / widths.filter((width) => width === widest).length))
    for (let at = 0; at < widths.length; at++) if (widths[at] === widest) widths[at] = Math.max(LEAST, Math.min(widest - 1, least))
  }
  return widths
}

/** The lines of a table; columns that find no room even when cut are left out and named. */
export function grid(columns: readonly AnswerColumn[], rows: readonly Row[], { width, dim }: GridOptions): { lines: string[]; hidden: string[] } {
  const cells = rows.map((row) => columns.map((_, at) => shown(row[at] ?? null)))
  const names = columns.map(({ name }) => name.replace(/\p{Cc}/gu, ' '))
  const types = columns.map(({ type, declared }) => type ?? declared.toLowerCase())
  const wanted = columns.map((_, at) => Math.min(WIDEST, Math.max(1, widthOf(names[at] ?? ''), widthOf(types[at] ?? ''), ...cells.map((row) => widthOf(row[at] ?? '')))))
  let count = columns.length
  if (width !== null) while (count > 1 && wanted.slice(0, count).reduce((sum, one) => sum + Math.min(one, LEAST), GAP.length * (count - 1)) > width) count--
  const widths = width === null ? wanted : fit(wanted.slice(0, count), width)
  const right = columns.map((column, at) => isRight(column, rows, at))
  const line = (texts: readonly string[], paint: (text: string, at: number) => string = (text) => text): string =>
    widths
      .map((most, at) => {
        const text = cut(texts[at] ?? '', most)
        const gap = ' '.repeat(Math.max(0, most - widthOf(text)))
        const painted = paint(text, at)
        return right[at] === true ? gap + painted : painted + gap
      })
      .join(GAP)
      .trimEnd()
  const lines = [
    line(names),
    ...(types.every((type) => type === '') ? [] : [line(types, dim)]),
    widths.map((most) => '─'.repeat(most)).join('─┼─'),
    ...cells.map((texts, n) => line(texts, (text, at) => (rows[n]?.[at] === null ? dim(text) : text))),
  ]
  return { lines, hidden: names.slice(count) }
}
