/** The key columns of a record: there, not empty, and no longer than what is held in memory by the thousand. */
import type { Definition } from '../../core/definition.ts'
import { fold } from '../../core/schema.ts'
import { NULL } from '../record.ts'
import type { RecordView } from '../record.ts'
import { isText } from './apart.ts'
import type { Columns } from './columns.ts'
import type { BadRecord } from './refused.ts'
import { sizeFault } from './slot.ts'

/** Columns of records without their key that are kept, to say what there was instead. */
const MOST_KEYLESS = 20

export class Keys {
  /** As they are named in the table. */
  private readonly names: readonly string[]
  /** Folded names of what records are compared by: the key, and the column that decides. */
  private readonly compared: readonly string[]
  private readonly columns: Columns
  /** First columns that records without their key had; those records teach no types. */
  keyless = new Set<string>()

  constructor({ key, keep }: Definition, columns: Columns) {
    this.names = key
    const folded = key.map(fold)
    this.compared = keep !== null && 'column' in keep ? [...folded, fold(keep.column)] : folded
    this.columns = columns
  }

  /** Counts the key's values of the record that was found, and answers what is wrong with them. */
  check(s: RecordView): BadRecord | null {
    const { names, columns } = this
    if (names.length === 0) return null
    for (let k = 0; k < names.length; k++) {
      const slot = columns.keys[k]
      const present = slot !== undefined && slot.stamp === columns.foundIn && s.kind[slot.member] !== NULL
      if (present) slot.seen++
      if (!present || (isText(s.kind[slot.member] as number) && s.valueFrom[slot.member] === s.valueTo[slot.member])) {
        this.noteKeyless(s.count)
        const name = slot?.name ?? names[k] ?? ''
        return { code: 'KEY_MISSING', column: name, message: `The key column ${name} is ${present ? 'empty' : 'missing or null'}.` }
      }
    }
    return sizeFault(this.compared.map((name) => columns.byName.get(name)), s, columns.foundIn)
  }

  /** The record of fields that was found lacks a column of the key, or its value. */
  lacking(s: RecordView): boolean {
    return this.names.some((_, k) => {
      const slot = this.columns.keys[k]
      if (slot === undefined || slot.stamp !== this.columns.foundIn) return true
      return s.kind[slot.member] === NULL || s.valueFrom[slot.member] === s.valueTo[slot.member]
    })
  }

  /** The record that was found has all columns of the key, whatever their values. */
  allFound(): boolean {
    for (let k = 0; k < this.names.length; k++) if (this.columns.keys[k]?.stamp !== this.columns.foundIn) return false
    return true
  }

  private noteKeyless(members: number): void {
    for (let i = 0; i < members && this.keyless.size < MOST_KEYLESS; i++) {
      const slot = this.columns.found[i]
      if (slot !== null && slot !== undefined) this.keyless.add(slot.name)
    }
  }

  /** Records that had a value, per key column. */
  seen(): Record<string, number> {
    return Object.fromEntries(this.names.map((name) => [name, this.columns.byName.get(fold(name))?.seen ?? 0]))
  }
}
