/**
 * Finds the rows that a database refuses when it cannot go back to before them: by transactions that are always rolled back.
 *
 * A trial writes the first n rows of the batch by their places. The shortest beginning that is refused ends with a row that
 * is: bisected, so one row of a million takes twenty trials. It is put aside, and the rest is tried again.
 */
import { SluiceError } from '../core/errors.ts'

/** Rows that are found so: each costs as many writes of a part of the batch as its number of rows has binary digits. */
const MOST_TRIED = 100

/** A row that the database refused, by its place. */
export interface RefusedRow {
  place: bigint
  why: string
}

/** Ends a transaction in which a row was refused. */
export class RowRefused extends Error {
  /** What the database says of the row. */
  readonly why: string
  constructor(why: string, cause: unknown) {
    super(why, { cause })
    this.why = why
  }
}

/** Ends a trial: what it wrote is taken back. */
export class Tried extends Error {
  /** Rows that the whole batch would write. */
  readonly rows: number
  /** Of the last row that was tried. */
  readonly place: bigint
  /** What the database says; null: it took them all. */
  readonly why: string | null
  constructor(rows: number, place: bigint, why: string | null) {
    super('a trial')
    this.rows = rows
    this.place = place
    this.why = why
  }
}

export interface Search<T> {
  product: string
  table: string
  /** Rows that lost within the batch may move up: then the places of those that are written are others. */
  losers: boolean
  /** The commit without rows that are known to be refused. @throws RowRefused */
  commit(known: readonly RefusedRow[]): Promise<T>
  /** Writes only the first `n` rows of it. @throws Tried, always */
  write(known: readonly RefusedRow[], n: number): Promise<unknown>
}

/**
 * Commits the batch without the rows that are refused.
 * @param whole what was said of the first attempt
 * @throws SluiceError ROWS_REFUSED above the limit, and when rows are refused only together
 */
export async function findRefused<T>(whole: RowRefused, search: Search<T>): Promise<T> {
  const known: RefusedRow[] = []
  for (let taken = 0; ; ) {
    const found = await firstRefused(whole, search, known, taken)
    known.push({ place: found.place, why: found.why })
    taken = search.losers ? 0 : found.before
    try {
      return await search.commit(known)
    } catch (thrown) {
      if (!(thrown instanceof RowRefused)) throw thrown
      whole = thrown
    }
  }
}

/** @param taken so many rows from the first one on are known to be taken */
async function firstRefused<T>(whole: RowRefused, { product, table, write }: Search<T>, known: readonly RefusedRow[], taken: number): Promise<RefusedRow & { before: number }> {
  if (known.length >= MOST_TRIED) throw new SluiceError('ROWS_REFUSED', `${table}: ${product} refuses more than ${MOST_TRIED} rows of the batch for reasons that its catalog does not tell, the last one because: ${whole.why}`)
  const attempt = async (n: number): Promise<Tried> => {
    const ended: unknown = await write(known, n).catch((thrown: unknown) => thrown)
    if (ended instanceof Tried) return ended
    throw ended
  }
  const next = await attempt(taken + 1)
  if (next.why !== null) return { place: next.place, why: next.why, before: taken }
  // `low` rows are taken, `high` rows are not.
  let [low, high] = [taken + 1, next.rows]
  let found: Tried | null = null
  while (found === null || high - low > 1) {
    // All of them are only tried when nothing before the last one was refused.
    const n = high - low > 1 ? (low + high) >> 1 : high
    const tried = await attempt(n)
    if (tried.why !== null) [found, high] = [tried, n]
    else if (n >= high) throw new SluiceError('ROWS_REFUSED', `${table}: ${product} takes every row of the batch, and refuses what is written with them: ${whole.why}`, { cause: whole })
    else low = n
  }
  return { place: found.place, why: found.why ?? whole.why, before: high - 1 }
}
