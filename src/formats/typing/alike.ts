/** What the fast lane is told to expect: the members of the last record that went the long way. */
import { ROWS_CODE } from '../csv/rows-code.ts'
import { fitsLane, lane } from '../json/lane.ts'
import type { Lane } from '../json/lane.ts'
import type { Columns } from './columns.ts'
import type { Keys } from './keys.ts'
import { expectation, holds } from './slot.ts'
import type { Expected, Slot } from './slot.ts'

export class Alike {
  private readonly columns: Columns
  private readonly keys: Keys
  /** What the fast lane expects, and the slots of its members. */
  expected: readonly Expected[] = []
  /** CSV: the names that `expected` was made for. */
  private names: readonly string[] | null = null

  constructor(columns: Columns, keys: Keys) {
    this.columns = columns
    this.keys = keys
  }

  /** The lane of the format that the last record came in. */
  lane(): Lane {
    return this.columns.named === null ? lane() : lane(ROWS_CODE)
  }

  /** Brings `expected` up to the last record. False: nothing can be expected from it. Of CSV only the first name is looked for, see rows.ts. */
  expect(): boolean {
    const { shape, members, named, found } = this.columns
    const count = named === null ? members : named.length
    // Fields that are left out go the long way, which notes what each of them looks like.
    for (let i = 0; i < count; i++) if (found[i] === null || (named === null ? shape[i]?.slot !== found[i] : found[i]?.role === 'left')) return false
    // What looks like a record without its key lacks it too.
    if (!this.keys.allFound()) return false
    const slots = found as Slot[]
    if (count > 0 && (named === null || named === this.names) && holds(this.expected, slots, count, named === null ? shape : null)) return true
    const names = named === null ? shape.map(({ bytes }) => bytes) : [Buffer.from(named[0] ?? '')]
    const next = expectation(slots, count, names)
    if (!fitsLane(next)) return false
    this.expected = next
    this.names = named
    return true
  }
}
