/**
 * Marks: values of a cursor column. The names of windows carry them, so a target that remembers the names of what it has
 * committed remembers how far a source was read.
 */
import { SluiceError } from './errors.ts'
import { parseDuration } from './units.ts'

/** Integers, numbers, and texts: everything else a database can order is text here. */
export type Mark = bigint | number | string

/** A name has room for this many bytes of a mark. */
const MOST_BYTES = 120

/** A mark as a part of a file's name, readable and exact: `i1042`, `t2026-01-02_03:04:05`. @throws SluiceError SOURCE_UNSUITABLE */
export function markToName(mark: Mark): string {
  if (typeof mark === 'bigint') return `i${mark}`
  if (typeof mark === 'number') {
    // A name that no read understands would seal a window which is never loaded.
    if (!Number.isFinite(mark)) throw new SluiceError('SOURCE_UNSUITABLE', `A cursor of ${mark} is no number to go on from.`, { hint: 'Leave such rows out with query= and a WHERE, or choose another cursor=.' })
    return `r${mark}`
  }
  const name = nameSafe(mark)
  if (name.length > MOST_BYTES) throw new SluiceError('SOURCE_UNSUITABLE', `A cursor of ${Buffer.byteLength(mark)} bytes is too long to go on from.`, { hint: 'Choose a column that grows with every change, such as a time or a number.' })
  return `t${name}`
}

/** Null: no mark. */
export function markOfName(name: string): Mark | null {
  const text = name.slice(1)
  if (name.startsWith('i') && /^-?\d+$/.test(text)) return BigInt(text)
  if (name.startsWith('r') && Number.isFinite(Number(text))) return Number(text)
  if (!name.startsWith('t')) return null
  try {
    return decodeURIComponent(text.replaceAll('_', ' '))
  } catch {
    return null
  }
}

/** Spaces as `_`, and everything that is not harmless in a name by its bytes. */
export function nameSafe(text: string): string {
  return Array.from(text, (sign) => (/[A-Za-z0-9.:+-]/.test(sign) ? sign : sign === ' ' ? '_' : [...Buffer.from(sign)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''))).join('')
}

/** Negative: `a` comes first. Marks of one source are of one kind, or numbers of two. */
export function compareMarks(a: Mark, b: Mark): number {
  if (typeof a === 'string' || typeof b === 'string') return typeof a === typeof b ? Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))) : typeof a === 'string' ? 1 : -1
  return a < b ? -1 : a > b ? 1 : 0
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:([T ])(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$/

/** Back from a mark by this much, unless the address says otherwise. */
const DEFAULT_TIME = '10m'
const DEFAULT_COUNT = 1000

/**
 * Where the next read begins: some way before the mark, because a row with a lower cursor may be committed after one with a
 * higher one.
 * @param overlap as it was written: a time, or a number; absent: ten minutes, or a thousand
 * @throws SluiceError SOURCE_UNSUITABLE when the cursor has no "some way before", SOURCE_INVALID when the overlap is of another kind
 */
export function backFrom(mark: Mark, overlap: string | undefined): Mark {
  if (overlap === '0') return mark
  if (typeof mark !== 'string') {
    if (overlap !== undefined && !/^\d{1,15}$/.test(overlap)) throw new SluiceError('SOURCE_INVALID', `overlap=${overlap}: the cursor is a number, so the overlap is one, too.`)
    const by = Number(overlap ?? DEFAULT_COUNT)
    return typeof mark === 'bigint' ? mark - BigInt(by) : mark - by
  }
  const parts = TIME.exec(mark)
  if (parts === null) throw new SluiceError('SOURCE_UNSUITABLE', `The cursor ${mark} is neither a number nor a time, so no overlap can be read again, and rows that are committed late would be lost.`, { hint: 'Choose a cursor that is a time or a number, or say overlap=0 where rows are never committed late.' })
  if (overlap !== undefined && !/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(overlap)) throw new SluiceError('SOURCE_INVALID', `overlap=${overlap}: the cursor is a time, so the overlap is one, such as 10m.`)
  const [, year, month, day, separator, hour = '0', minute = '0', second = '0'] = parts
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second)) - parseDuration('overlap', overlap ?? DEFAULT_TIME)
  const iso = new Date(at).toISOString()
  // Without fraction and zone it comes before every text of the same second.
  return separator === undefined ? iso.slice(0, 10) : iso.slice(0, 19).replace('T', separator)
}
