/**
 * Which of many pins are known: what the ledger holds of a table is read in the order of its numbers and met with the pins
 * in memory.
 *
 * 100,000 pins that are all known: 0.11 s. Asked in lists (`json_each`) that SQLite joins with its tables: 0.4 s, of which
 * 0.1 s are the text of the lists; asked one by one: 0.75 s.
 */
import type { Pin } from '../core/arrival.ts'
import type { Interval } from '../core/interval.ts'
import type { Sifted } from '../core/ledger.ts'
import type { SqlValue } from '../core/effects.ts'
import { tableNo } from './books.ts'
import type { Books } from './books.ts'
import { lackingOf } from './partly.ts'

/** Numbers that one statement reads: bounds the rows that are held at once. */
const READ = 20_000
/** Asking for one pin costs as much as reading so many rows. */
const ASKING = 10

const COLUMNS = 'p.path, a.stamp, p.young, a.size, a.sha256'
/** The plus keeps SQLite from the index of states, which would be one more look per row. */
const ALL = `SELECT ${COLUMNS} FROM arrivals a CROSS JOIN paths p ON p.no = a.path_no AND p.seq = a.seq
  WHERE a.table_no = ? AND a.seq > ? AND a.seq <= ? AND +a.state = 'COMPLETED'`
const ONE = `SELECT ${COLUMNS} FROM paths p CROSS JOIN arrivals a ON a.table_no = p.table_no AND a.seq = p.seq
  WHERE p.table_no = ? AND p.path = ? AND +a.state = 'COMPLETED'`

/** See `Ledger.sift`. */
export function sift(books: Books, table: string, pins: readonly Pin[], dates: Interval | null): Sifted {
  const places = new Map(pins.map(({ uri }, at) => [uri, at]))
  const known = new Uint8Array(pins.length)
  const young = new Set<string>()
  let lacking: ReadonlyMap<string, number> = new Map()
  const meet = ([path, stamp, isYoung, size, sha256]: readonly SqlValue[]): void => {
    const at = places.get(path as string)
    const pin = at === undefined ? undefined : pins[at]
    if (at === undefined || pin === undefined) return
    // Of an arrival that a lost ledger gave back only the size is known.
    if (stamp === '') {
      if (Number(size) === pin.size) young.add(pin.uri)
    } else if (stamp === pin.stamp) {
      // A stamp that was taken too early proves nothing.
      if (isYoung === 0n) known[at] = lacking.size > 0 && lacking.has(String(sha256)) ? 0 : 1
      else young.add(pin.uri)
    }
  }
  books.db.snapshot(() => {
    const no = tableNo(books, table)
    lacking = lackingOf(books, no, dates)
    const last = Number(books.db.get('SELECT last_seq FROM tables WHERE no = ?', [no])?.['last_seq'])
    if (pins.length * ASKING < last) for (const { uri } of pins) books.db.all(ONE, [no, uri]).forEach((row) => meet(Object.values(row)))
    else for (let from = 0; from < last; from += READ) books.db.arrays(ALL, [no, from, from + READ]).forEach(meet)
  })
  const rest = pins.filter((_, at) => known[at] === 0)
  return { known: pins.length - rest.length, rest, young }
}
