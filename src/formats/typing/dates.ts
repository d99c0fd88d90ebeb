/**
 * Which records of a file a load by date takes.
 *
 * A record's date follows from its bytes and the name of the member alone, never from the table: so every load of the same
 * bytes, whatever the columns have become meanwhile, gives a record to the same day, and each is brought once.
 *
 *   a date          the load that asks for it, unless an earlier one did
 *   null, missing   a load of everything
 *   none to be told (no record at all, text that is no date): bad for certain, and put aside by the first load of the file
 */
import type { Aside, ByDate, Covered, Interval } from '../../core/interval.ts'
import { microsOf } from '../../core/interval.ts'
import { columnName, fold } from '../../core/schema.ts'
import { FIELD, NULL, STRING } from '../record.ts'
import type { RecordView } from '../record.ts'
import { decode } from '../json/text.ts'
import { Clockwork, NOT_A_TIME, days } from './temporal.ts'

/** Microseconds in two halves, as Clockwork gives them; -Infinity and Infinity: no end. */
interface End {
  high: number
  low: number
}

const clockwork = new Clockwork()
const DAY_MICROS = 86_400_000_000n

export class DateFilter {
  readonly aside: Aside = { outside: 0, undated: 0 }
  private readonly field: string
  private readonly asked: Range | null
  private readonly before: readonly Range[]
  private readonly first: boolean
  /** Names that were seen: is it the member? */
  private readonly spelled = new Map<string, boolean>()
  private names: readonly string[] | null = null
  private named = -1
  private high = 0
  private low = 0

  /** @param asked null: everything that is not in yet · @param before absent: nothing is */
  constructor(field: string, asked: ByDate | null, before: Covered | undefined) {
    this.field = fold(field)
    this.asked = asked === null ? null : rangeOf(asked)
    this.before = (before?.intervals ?? []).map(rangeOf)
    this.first = before === undefined
  }

  /** True: the record is to be loaded. Else it is counted. */
  takes(s: RecordView): boolean {
    const found = this.read(s)
    if (found === 'unclear') return this.takesBad()
    const wanted = found === 'none' ? this.asked === null : (this.asked === null || this.within(this.asked)) && !this.before.some((range) => this.within(range))
    if (wanted) return true
    if (found === 'none') this.aside.undated++
    else this.aside.outside++
    return false
  }

  /** The same for text that is no record. */
  takesBad(): boolean {
    if (!this.first) this.aside.outside++
    return this.first
  }

  /** The date of the record, into `high` and `low`. */
  private read(s: RecordView): 'date' | 'none' | 'unclear' {
    const at = this.member(s)
    if (at === -2) return 'unclear'
    if (at === -1 || s.kind[at] === NULL) return 'none'
    const kind = s.kind[at]
    if (kind !== STRING && kind !== FIELD) return 'unclear'
    const from = s.valueFrom[at] as number
    const to = s.valueTo[at] as number
    if (kind === FIELD || s.escaped[at] === 0) return this.parse(s.buf, from, to)
    const bytes = Buffer.from(decode(s.buf, from, to, true), 'utf8')
    return this.parse(bytes, 0, bytes.length)
  }

  private parse(buf: Buffer, from: number, to: number): 'date' | 'unclear' {
    if (to - from === 10) {
      const day = days(buf, from)
      if (Number.isNaN(day)) return 'unclear'
      const micros = BigInt(day) * DAY_MICROS
      this.high = Number(micros >> 32n)
      this.low = Number(BigInt.asUintN(32, micros))
      return 'date'
    }
    if (clockwork.time(buf, from, to) === NOT_A_TIME) return 'unclear'
    this.high = clockwork.high
    this.low = clockwork.low
    return 'date'
  }

  /** Where the member is; -1: it is not there; -2: twice, so the record is bad. */
  private member(s: RecordView): number {
    if (s.names !== undefined && s.names === this.names) return this.named
    let found = -1
    for (let i = 0; i < s.count; i++) {
      const is = s.names === undefined ? this.isSpelled(s, i) : fold(columnName(s.names[i] as string)) === this.field
      if (is) found = found === -1 ? i : -2
      if (found === -2) break
    }
    this.names = s.names ?? null
    this.named = found
    return found
  }

  private isSpelled(s: RecordView, i: number): boolean {
    const from = s.nameFrom[i] as number
    const to = s.nameTo[i] as number
    const spelling = s.buf.toString('latin1', from, to)
    let is = this.spelled.get(spelling)
    if (is === undefined) {
      is = fold(columnName(decode(s.buf, from, to, s.nameEscaped[i] === 1))) === this.field
      // Names may be as many as there are records.
      if (this.spelled.size < MOST_SPELLINGS) this.spelled.set(spelling, is)
    }
    return is
  }

  private within({ since, until }: Range): boolean {
    const { high, low } = this
    return (high > since.high || (high === since.high && low >= since.low)) && (high < until.high || (high === until.high && low < until.low))
  }
}

const MOST_SPELLINGS = 4096

interface Range {
  since: End
  until: End
}

function rangeOf({ since, until }: Interval): Range {
  return { since: since === null ? { high: -Infinity, low: 0 } : endOf(since), until: until === null ? { high: Infinity, low: 0 } : endOf(until) }
}

function endOf(instant: string): End {
  const micros = microsOf(instant)
  return { high: Number(micros >> 32n), low: Number(BigInt.asUintN(32, micros)) }
}
