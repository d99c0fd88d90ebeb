/** What the partitions of a table ask of a record: values that can name a folder, and no member that is derived. */
import { badPartition, partitionName } from '../../core/partition.ts'
import type { Partition } from '../../core/partition.ts'
import { fold } from '../../core/schema.ts'
import { decode } from '../json/text.ts'
import { FIELD, STRING } from '../record.ts'
import type { RecordView } from '../record.ts'
import type { BadRecord } from './refused.ts'
import type { Slot } from './slot.ts'
import { shown } from './write.ts'

export class Apart {
  /** Folded names of columns that partitions hold. */
  private readonly held: readonly string[]
  /** Folded names of columns that are derived; a member of such a name is put aside unless members are left out anyway. */
  readonly derived: ReadonlySet<string>

  constructor(partitions: readonly Partition[] = [], closed: boolean) {
    const names = (own: boolean): string[] => partitions.filter(({ by }) => (by === 'value') === own).map((partition) => fold(partitionName(partition)))
    this.held = names(true)
    this.derived = new Set(closed ? [] : names(false))
  }

  /** Values are to be looked at one by one. */
  get holds(): boolean {
    return this.held.length > 0
  }

  /** A text that cannot lay files apart; other types always can. @param slots of the table, by folded name; `record` is that of the view */
  check(s: RecordView, slots: ReadonlyMap<string, Slot>, record: number): BadRecord | null {
    for (const name of this.held) {
      const slot = slots.get(name)
      if (slot === undefined || slot.stamp !== record || !isText(s.kind[slot.member] as number)) continue
      const kind = s.kind[slot.member] as number
      const [from, to, escaped] = [s.valueFrom[slot.member] as number, s.valueTo[slot.member] as number, s.escaped[slot.member] === 1]
      const why = badPartition(slot.name, kind === STRING ? decode(s.buf, from, to, escaped) : s.buf.toString('utf8', from, to))
      if (why !== null) return { code: 'PARTITION_INVALID', column: slot.name, value: shown(s.buf, kind, from, to, escaped), message: `The partition column ${slot.name} holds ${why}.` }
    }
    return null
  }
}

/** The value is a text, whatever its column makes of it. */
export function isText(kind: number): boolean {
  return kind === STRING || kind === FIELD
}
