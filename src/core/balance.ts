/**
 * The balance: read = inserted + updated + duplicate + stale + skipped + quarantined.
 *
 * No term is computed from another. `read` and `skipped` are counted by the splitter, everything else by the target over
 * the rows it wrote. `checkBalance` stands before every commit: what does not balance never becomes visible.
 */
import { SluiceError } from './errors.ts'

export interface Balance {
  /** Records found in the arrivals that were read. */
  read: number
  /** In the table now, under a key that was new (or appended). */
  inserted: number
  /** In the table now, in place of other content of the same key. */
  updated: number
  /** Lost under first or error, or equal to the winner in every column. */
  duplicate: number
  /** Lost under last, max or min, with other content than the winner. */
  stale: number
  /** Left out on request (`--on-bad skip`). */
  skipped: number
  /** Kept aside with a reason. */
  quarantined: number
}

export const OUTCOMES = ['inserted', 'updated', 'duplicate', 'stale', 'skipped', 'quarantined'] as const

export function noBalance(): Balance {
  return { read: 0, inserted: 0, updated: 0, duplicate: 0, stale: 0, skipped: 0, quarantined: 0 }
}

export function addBalance(into: Balance, more: Balance): Balance {
  into.read += more.read
  for (const term of OUTCOMES) into[term] += more[term]
  return into
}

/** What is read but not accounted for: 0 when it balances, negative when rows appeared from nowhere. */
export function missing(b: Balance): number {
  return b.read - OUTCOMES.reduce((sum, term) => sum + b[term], 0)
}

/**
 * Refuses a commit whose numbers do not add up.
 * @param counts one balance per arrival number
 * @param rows rows of the table before and after, counted in the table itself
 * @throws SluiceError BALANCE_BROKEN naming the first arrival (or the table) that does not add up
 */
export function checkBalance(counts: ReadonlyMap<number, Balance>, rows: { before: number; after: number }): void {
  const total = noBalance()
  for (const [seq, balance] of counts) {
    const lost = missing(balance)
    if (lost !== 0) throw broken(`arrival ${seq}: ${describe(balance)}, ${lost > 0 ? `${lost} missing` : `${-lost} too many`}`)
    addBalance(total, balance)
  }
  const grown = rows.after - rows.before
  if (grown !== total.inserted) {
    throw broken(`the table would grow from ${rows.before} to ${rows.after} rows, but ${total.inserted} were counted as inserted`)
  }
}

function describe(b: Balance): string {
  return `${b.read} read, ${OUTCOMES.map((term) => `${b[term]} ${term}`).join(' + ')}`
}

function broken(detail: string): SluiceError {
  return new SluiceError('BALANCE_BROKEN', `The numbers do not add up, nothing was committed: ${detail}`)
}
