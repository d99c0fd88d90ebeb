/** What is known of one column while records are written into it. */
import { MAX_KEY_BYTES } from '../../core/schema.ts'
import type { ColumnType } from '../../core/schema.ts'
import type { RecordView } from '../record.ts'
import type { LaneColumn } from '../json/lane.ts'
import type { ColumnBuffer } from '../parquet/column.ts'
import { fieldWriterOf } from './field.ts'
import type { FieldWriter } from './field.ts'

export interface Slot {
  name: string
  original: string | null
  /** fixed: declared or in the table · open: inferred · left: not among the declared. */
  role: 'fixed' | 'open' | 'left'
  type: ColumnType | null
  flags: number
  /** Of the decimals that files declared for it, see `digitsOf`. */
  digits: number
  key: boolean
  buffer: ColumnBuffer | null
  told: boolean
  /** Writer of its fields, and the type that it is for. */
  field: FieldWriter | null
  fieldType: ColumnType | null
  /** Number of the last record that had it, and which member it was. */
  stamp: number
  member: number
  /** Records with a value that is not null. */
  seen: number
}

export function newSlot(name: string, original: string | null, role: Slot['role'], key: boolean): Slot {
  return { name, original, role, type: null, flags: 0, digits: 0, key, buffer: null, told: false, field: null, fieldType: null, stamp: 0, member: 0, seen: 0 }
}

export function laneType({ role, type, buffer }: Slot): LaneColumn['type'] {
  // What is left out has a type as well, so that what it is proposed as holds for all its values.
  if (role === 'left') return type === null ? 'null' : type === 'json' ? 'left' : type
  return type === null || buffer === null ? 'null' : type
}

/** What the fast lane expects of one member, and the slot that it goes to. */
export type Expected = LaneColumn & { slot: Slot; buffer: ColumnBuffer | null }

/** @param names of the members, by position; none: it is not looked for */
export function expectation(slots: readonly Slot[], count: number, names: readonly Buffer[]): Expected[] {
  return slots.slice(0, count).map((slot, i) => ({ name: names[i] ?? Buffer.alloc(0), type: laneType(slot), required: slot.key, slot, buffer: slot.buffer }))
}

/** True while the slots are as they were expected; `shape` has the names, where they count. */
export function holds(known: readonly Expected[], slots: readonly Slot[], count: number, shape: readonly { bytes: Buffer }[] | null): boolean {
  if (known.length !== count) return false
  for (let i = 0; i < count; i++) {
    const column = known[i] as Expected
    const slot = slots[i] as Slot
    if (column.slot !== slot || column.buffer !== slot.buffer || column.type !== laneType(slot) || (shape !== null && column.name !== shape[i]?.bytes)) return false
  }
  return true
}

/** The writer of the slot's fields: asking the type for it at every field took 4 % of the time. */
export function fieldOf(slot: Slot): FieldWriter {
  if (slot.field === null || slot.fieldType !== slot.type) {
    slot.fieldType = slot.type
    slot.field = fieldWriterOf(slot.type as ColumnType)
  }
  return slot.field
}

/** Values that records are compared by are held in memory by the thousand. @param record number of the record at hand */
export function sizeFault(slots: readonly (Slot | undefined)[], s: RecordView, record: number): { code: 'KEY_TOO_LARGE'; column: string; message: string } | null {
  for (const slot of slots) {
    if (slot === undefined || slot.stamp !== record) continue
    const bytes = (s.valueTo[slot.member] as number) - (s.valueFrom[slot.member] as number)
    if (bytes > MAX_KEY_BYTES) return { code: 'KEY_TOO_LARGE', column: slot.name, message: `The value of ${slot.name} has ${bytes} bytes; records are compared by it, and ${MAX_KEY_BYTES} are allowed.` }
  }
  return null
}
