/**
 * The columns of a table while records are written, and which of them each member of a record belongs to.
 *
 * Records of one table mostly look alike: the members of the record before are remembered by their position and compared as
 * bytes, so that no name is decoded and no map is asked for the usual record.
 */
import type { Definition } from '../../core/definition.ts'
import { MAX_COLUMNS, columnName, fold, isReserved, nameFault } from '../../core/schema.ts'
import type { ColumnType } from '../../core/schema.ts'
import { decode, repeatedName } from '../json/text.ts'
import type { ColumnBuffer } from '../parquet/column.ts'
import { NESTED } from '../record.ts'
import type { RecordView } from '../record.ts'
import type { Apart } from './apart.ts'
import type { BadRecord } from './refused.ts'
import { newSlot } from './slot.ts'
import type { Slot } from './slot.ts'

/** Names beyond this many that a closed definition leaves out are not counted one by one. */
export const MOST_LEFT_OUT = 10_000

/** What a slot comes back to when a file is taken back. */
export type SavedSlot = { type: ColumnType | null; flags: number; digits: number; buffer: ColumnBuffer | null; seen: number }

export class Columns {
  /** In order of first appearance, the fixed ones first. */
  slots: Slot[] = []
  readonly byName = new Map<string, Slot>()
  /** Of the key, in its order, as far as they are known. */
  readonly keys: (Slot | undefined)[] = []
  /** Slots of the record's members, by their position; null: not tracked. */
  readonly found: (Slot | null)[] = []
  /** Number of the record that `found` was filled for. */
  foundIn = 0
  /** Names that `found` stands for, while records bring the same ones. */
  named: readonly string[] | null = null
  /** Members of the last JSON record that `found` stands for; 0: of none. */
  members = 0
  /** Members of the record before, by their position. */
  shape: { bytes: Buffer; slot: Slot }[] = []
  private readonly closed: boolean
  private readonly keyNames: readonly string[]
  private readonly derived: ReadonlySet<string>
  /** By the bytes of the name, as latin1. */
  private readonly bySpelling = new Map<string, Slot>()
  private record = 0
  /** Columns that the record at hand brought: a record that is refused leaves none behind. */
  private fresh: Slot[] = []
  private columnCount = 0
  private leftCount = 0

  constructor({ columns, key }: Definition, apart: Apart) {
    this.closed = columns !== null
    this.keyNames = key.map(fold)
    this.derived = apart.derived
  }

  add(name: string, original: string | null, role: Slot['role']): Slot {
    const key = this.keyNames.indexOf(fold(name))
    const slot = newSlot(name, original, role, key >= 0)
    this.slots.push(slot)
    this.byName.set(fold(name), slot)
    if (key >= 0) this.keys[key] = slot
    if (role === 'left') this.leftCount++
    else this.columnCount++
    this.fresh.push(slot)
    return slot
  }

  /** A record begins: what was fresh stays. */
  begin(): void {
    this.record++
    this.keepFresh()
  }
  keepFresh(): void {
    if (this.fresh.length > 0) this.fresh = []
  }
  /** The record that began was refused. */
  forgetFresh(): void {
    for (const slot of this.fresh) this.forget(slot)
    if (this.fresh.length > 0) this.named = null
  }

  /** The slots of all members, into `found`. */
  find(s: RecordView): BadRecord | null {
    this.named = null
    this.members = 0
    for (let i = 0; i < s.count; i++) {
      const slot = s.names === undefined ? this.slotOf(s, i) : this.of(s.names[i] as string)
      if (slot !== null && 'code' in slot) return slot
      this.found[i] = slot
      if (slot === null) continue
      if (slot.stamp === this.record) return { code: 'MEMBER_REPEATED', column: slot.name, message: `Two members of the record are named ${slot.name} (names are matched without case).` }
      slot.stamp = this.record
      slot.member = i
      if (s.kind[i] === NESTED) {
        const name = repeatedName(s.buf, s.valueFrom[i] as number, s.valueTo[i] as number)
        if (name !== null) return { code: 'MEMBER_REPEATED', column: slot.name, message: `An object inside ${slot.name} has two members named ${name}.` }
      }
    }
    this.named = s.names ?? null
    this.members = s.names === undefined ? s.count : 0
    this.foundIn = this.record
    return null
  }

  /** The slot of member i; null: not tracked. */
  private slotOf(s: RecordView, i: number): Slot | BadRecord | null {
    const from = s.nameFrom[i] as number
    const to = s.nameTo[i] as number
    const expected = this.shape[i]
    if (expected !== undefined && expected.bytes.length === to - from) {
      const bytes = expected.bytes
      const buf = s.buf
      let p = 0
      while (p < bytes.length && bytes[p] === buf[from + p]) p++
      if (p === bytes.length) return expected.slot
    }
    const spelling = s.buf.toString('latin1', from, to)
    let slot = this.bySpelling.get(spelling)
    if (slot === undefined) {
      const found = this.of(decode(s.buf, from, to, s.nameEscaped[i] === 1))
      if (found === null || 'code' in found) return found
      slot = found
      if (!this.fresh.includes(slot)) this.bySpelling.set(spelling, slot)
    }
    if (!this.fresh.includes(slot)) this.shape[i] = { bytes: Buffer.from(s.buf.subarray(from, to)), slot }
    return slot
  }

  /** The slot of a member by its name, made if need be; null: not tracked. */
  of(member: string): Slot | BadRecord | null {
    const name = columnName(member)
    if (nameFault(name) !== null) return this.closed ? null : { code: 'NAME_INVALID', message: nameFault(name) ?? '' }
    if (isReserved(name)) return { code: 'NAME_RESERVED', column: name, message: `The member ${member} has a name that belongs to Sluice.` }
    if (this.derived.has(fold(name))) return { code: 'NAME_RESERVED', column: name, message: `The member ${member} has the name of a column that the table derives (--partition-by).` }
    const known = this.byName.get(fold(name))
    if (known !== undefined) return known
    if (this.closed) return this.leftCount < MOST_LEFT_OUT ? this.add(name, name === member ? null : member, 'left') : null
    if (this.columnCount >= MAX_COLUMNS) return { code: 'COLUMNS_TOO_MANY', column: name, message: `With ${name} the table would have more than ${MAX_COLUMNS} columns.` }
    return this.add(name, name === member ? null : member, 'open')
  }

  private forget(slot: Slot): void {
    this.slots.splice(this.slots.indexOf(slot), 1)
    this.byName.delete(fold(slot.name))
    if (slot.key) this.keys[this.keys.indexOf(slot)] = undefined
    if (slot.role === 'left') this.leftCount--
    else this.columnCount--
  }

  save(): SavedSlot[] {
    return this.slots.map(({ type, flags, digits, buffer, seen }) => ({ type, flags, digits, buffer, seen }))
  }
  restore(saved: readonly SavedSlot[]): void {
    for (const slot of this.slots.slice(saved.length)) this.forget(slot)
    this.slots.forEach((slot, i) => Object.assign(slot, saved[i]))
    this.bySpelling.clear()
    this.shape = []
    this.members = 0
    this.named = null
  }
}
