/**
 * Records into columns: finds the column of each member, checks the record, writes its values, and infers types.
 *
 * A record is written whole or not at all. When a value contradicts what its inferred column was taken for, the rest of
 * the pass only collects flags, and the batch is split once more with what was learned.
 */
import type { Definition } from '../../core/definition.ts'
import { SluiceError } from '../../core/errors.ts'
import { OFFSET_COLUMN } from '../../core/engine.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
import { MAX_COLUMNS, columnName, fold, isReserved, nameFault } from '../../core/schema.ts'
import type { LeftOut } from '../../core/proposal.ts'
import type { Column, ColumnType, Schema } from '../../core/schema.ts'
import { canBeKey } from '../../core/types.ts'
import { FIELD, MAX_DEPTH, NESTED, NULL } from '../record.ts'
import type { RecordView } from '../record.ts'
import { ROWS_CODE } from '../csv/rows-code.ts'
import { fitsLane, lane } from '../json/lane.ts'
import { decode, repeatedName } from '../json/text.ts'
import type { ColumnBuffer } from '../parquet/column.ts'
import type { Parts } from '../parquet/parts.ts'
import { fieldFlag } from './field.ts'
import { Apart, isText } from './apart.ts'
import { flagOf, settled, typeOf } from './infer.ts'
import { Undeclared } from './left.ts'
import { inside } from './nested.ts'
import { refused } from './refused.ts'
import type { BadRecord } from './refused.ts'
import { expectation, fieldOf, holds, newSlot, sizeFault } from './slot.ts'
import type { Expected, Slot } from './slot.ts'
import { ASSUMED_UTC } from './write.ts'
import { writerOf } from './writers.ts'

/** What a pass learned of the open columns, in order of first appearance. */
export type Hypothesis = readonly { name: string; original: string | null; flags: number }[]

/** Names beyond this many that a closed definition leaves out are not counted one by one. */
const MOST_LEFT_OUT = 10_000
/** Columns of records without their key that are kept, to say what there was instead. */
const MOST_KEYLESS = 20

interface Snapshot {
  slots: { type: ColumnType | null; flags: number; buffer: ColumnBuffer | null; seen: number }[]
  collecting: boolean
  notices: Set<string>
  keyless: Set<string>
}

export class Records {
  private readonly parts: Parts
  private readonly closed: boolean
  private readonly place: ColumnBuffer
  private readonly offset: ColumnBuffer
  private slots: Slot[] = []
  /** Folded names of the key columns, and their slots as far as they are known. */
  private readonly keyNames: readonly string[]
  private readonly compared: readonly string[]
  private readonly keys: (Slot | undefined)[] = []
  private readonly apart: Apart
  private anyFixed = false
  private readonly definition: Definition
  private byName = new Map<string, Slot>()
  /** By the bytes of the name, as latin1. */
  private bySpelling = new Map<string, Slot>()
  /** Members of the record before, by their position. */
  private shape: { bytes: Buffer; slot: Slot }[] = []
  private record = 0
  /** Names that `found` stands for, while records bring the same ones. */
  private named: readonly string[] | null = null
  /** Members of the last JSON record that `found` stands for; 0: of none. */
  private members = 0
  /** Number of the record that `found` was filled for. */
  private foundIn = 0
  /** Slots of the record's members, by their position; null: not tracked. */
  private readonly found: (Slot | null)[] = []
  private fresh: Slot[] = []
  private columnCount = 0
  private leftCount = 0
  /** Only flags are collected: the pass will be repeated. */
  collecting = false
  notices = new Set<string>()
  /** First columns that records without their key had; those records teach no types. */
  keyless = new Set<string>()
  /** What the fast lane expects, and the slots of its members. */
  private lane: readonly Expected[] = []
  /** CSV: the names that `lane` was made for. */
  private laneOf: readonly string[] | null = null
  private readonly left = new Undeclared(MOST_LEFT_OUT)
  private saved: Snapshot | null = null

  constructor(parts: Parts, definition: Definition, pinned: Schema | null, hypothesis: Hypothesis | null) {
    this.parts = parts
    this.definition = definition
    this.closed = definition.columns !== null
    this.keyNames = definition.key.map(fold)
    this.compared = definition.keep !== null && 'column' in definition.keep ? [...this.keyNames, fold(definition.keep.column)] : this.keyNames
    this.apart = new Apart(definition.partition, this.closed)
    this.place = parts.add(PLACE_COLUMN, 'int64')
    this.offset = parts.add(OFFSET_COLUMN, 'int64')
    const fixed = [...(pinned ?? []), ...(definition.columns ?? []).filter((column) => !pinned?.some((known) => fold(known.name) === fold(column.name)))]
    for (const column of fixed) {
      const slot = this.addSlot(column.name, column.original ?? null, 'fixed')
      slot.type = column.type
    }
    for (const { name, original, flags } of hypothesis ?? []) {
      if (this.byName.has(fold(name))) continue
      const slot = this.addSlot(name, original, 'open')
      slot.flags = flags
      slot.type = typeOf(flags)
    }
    this.anyFixed = fixed.length > 0
    this.fresh = []
  }

  private addSlot(name: string, original: string | null, role: Slot['role']): Slot {
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

  /** What the schema of the file that begins declares of its columns (they refuse what does not fit); the one before is forgotten. */
  tell(columns: readonly { member: string; flags: number }[]): void {
    for (const slot of this.slots) slot.told = false
    for (const { member, flags } of columns) {
      const slot = this.newSpelling(member)
      if (slot === null || 'code' in slot || slot.role !== 'open' || flags === 0) continue
      const type = typeOf((slot.flags |= flags))
      if (slot.buffer !== null && type !== slot.type) this.collecting = true
      slot.type = type
      slot.told = true
      this.anyFixed = true
    }
    this.fresh = []
  }

  /** Writes the record that the scanner holds; answers why it is bad, and then nothing of it is written. */
  add(s: RecordView, seq: number, row: number, offset: number, times: number): BadRecord | null {
    this.record++
    if (this.fresh.length > 0) this.fresh = []
    const bad = this.check(s) ?? (times === 0 ? null : this.write(s, seq, row, offset))
    if (bad !== null) {
      for (const slot of this.fresh) this.forget(slot)
      if (this.fresh.length > 0) this.named = null
      return bad
    }
    for (let more = 1; more < times; more++) this.write(s, seq, row, offset)
    return null
  }

  private check(s: RecordView): BadRecord | null {
    if (s.depth > MAX_DEPTH) return { code: 'DEPTH_EXCEEDED', message: `The record is nested ${s.depth} levels deep; ${MAX_DEPTH} are allowed.` }
    if (s.lone) return { code: 'TEXT_INVALID', message: 'A string of the record holds half of a surrogate pair.' }
    const bad = s.names !== undefined && s.names === this.named ? null : this.find(s)
    if (bad !== null) return bad
    return (this.keyNames.length === 0 ? null : this.checkKey(s)) ?? this.apart.check(s, this.byName, this.foundIn)
  }

  /** The slots of all members, into `found`. */
  private find(s: RecordView): BadRecord | null {
    this.named = null
    this.members = 0
    for (let i = 0; i < s.count; i++) {
      const slot = s.names === undefined ? this.slotOf(s, i) : this.newSpelling(s.names[i] as string)
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

  private checkKey(s: RecordView): BadRecord | null {
    for (let k = 0; k < this.keyNames.length; k++) {
      const slot = this.keys[k]
      const present = slot !== undefined && slot.stamp === this.foundIn && s.kind[slot.member] !== NULL
      if (present) slot.seen++
      if (!present || (isText(s.kind[slot.member] as number) && s.valueFrom[slot.member] === s.valueTo[slot.member])) {
        this.noteKeyless(s.count)
        const name = slot?.name ?? this.definition.key[k] ?? ''
        return { code: 'KEY_MISSING', column: name, message: `The key column ${name} is ${present ? 'empty' : 'missing or null'}.` }
      }
    }
    return sizeFault(this.compared.map((name) => this.byName.get(name)), s, this.foundIn)
  }

  /** Notes the flags of a record of fields that will come again; see Sink. */
  rehearse(s: RecordView): boolean {
    if (this.anyFixed || this.collecting) return false
    this.record++
    this.fresh = []
    // A record that will be refused teaches nothing.
    if (this.find(s) !== null || this.keyLacking(s) >= 0 || this.apart.check(s, this.byName, this.foundIn) !== null) {
      for (const slot of this.fresh) this.forget(slot)
      this.named = null
      return true
    }
    let open = false
    for (let i = 0; i < s.count; i++) {
      const slot = this.found[i]
      if (slot?.role !== 'open' || slot.buffer !== null) continue
      open = true
      if (s.kind[i] !== FIELD) continue
      slot.flags |= fieldFlag(s.buf, s.valueFrom[i] as number, s.valueTo[i] as number)
      slot.type = typeOf(slot.flags)
    }
    return open
  }

  /** Number of the first key column that the record lacks; -1: none. */
  private keyLacking(s: RecordView): number {
    return this.keyNames.findIndex((_, k) => {
      const slot = this.keys[k]
      if (slot === undefined || slot.stamp !== this.foundIn) return true
      return s.kind[slot.member] === NULL || s.valueFrom[slot.member] === s.valueTo[slot.member]
    })
  }

  private noteKeyless(members: number): void {
    for (let i = 0; i < members && this.keyless.size < MOST_KEYLESS; i++) {
      const slot = this.found[i]
      if (slot !== null && slot !== undefined) this.keyless.add(slot.name)
    }
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
      const found = this.newSpelling(decode(s.buf, from, to, s.nameEscaped[i] === 1))
      if (found === null || 'code' in found) return found
      slot = found
      if (!this.fresh.includes(slot)) this.bySpelling.set(spelling, slot)
    }
    if (!this.fresh.includes(slot)) this.shape[i] = { bytes: Buffer.from(s.buf.subarray(from, to)), slot }
    return slot
  }

  private newSpelling(member: string): Slot | BadRecord | null {
    const name = columnName(member)
    if (nameFault(name) !== null) return this.closed ? null : { code: 'NAME_INVALID', message: nameFault(name) ?? '' }
    if (isReserved(name)) return { code: 'NAME_RESERVED', column: name, message: `The member ${member} has a name that belongs to Sluice.` }
    if (this.apart.derived.has(fold(name))) return { code: 'NAME_RESERVED', column: name, message: `The member ${member} has the name of a column that the table derives (--partition-by).` }
    const known = this.byName.get(fold(name))
    if (known !== undefined) return known
    if (this.closed) return this.leftCount < MOST_LEFT_OUT ? this.addSlot(name, name === member ? null : member, 'left') : null
    if (this.columnCount >= MAX_COLUMNS) return { code: 'COLUMNS_TOO_MANY', column: name, message: `With ${name} the table would have more than ${MAX_COLUMNS} columns.` }
    return this.addSlot(name, name === member ? null : member, 'open')
  }

  private forget(slot: Slot): void {
    this.slots.splice(this.slots.indexOf(slot), 1)
    this.byName.delete(fold(slot.name))
    if (slot.key) this.keys[this.keys.indexOf(slot)] = undefined
    if (slot.role === 'left') this.leftCount--
    else this.columnCount--
  }

  private write(s: RecordView, seq: number, row: number, offset: number): BadRecord | null {
    const parts = this.parts
    const at = parts.row
    let assumed = false
    // Fixed columns first: only they can refuse a value, and a refused record teaches nothing.
    if (this.anyFixed) {
      inside.left.clear()
      for (let i = 0; i < s.count; i++) {
        const slot = this.found[i]
        // In a pass that is repeated a told column's buffer may be of the type that it had before.
        if (slot?.role !== 'fixed' && (slot?.told !== true || (slot.buffer !== null && slot.buffer.type !== slot.type))) continue
        slot.buffer ??= parts.add(slot.name, slot.type as ColumnType)
        const type = slot.type as ColumnType
        const result = s.kind[i] === FIELD ? fieldOf(slot)(slot.buffer, at, s.buf, s.valueFrom[i] as number, s.valueTo[i] as number, false) : writerOf(type)(slot.buffer, at, s, i)
        if (result === ASSUMED_UTC) assumed = true
        else if (result !== null) {
          parts.undoRow()
          return refused(slot, result, s, i)
        }
      }
      for (const path of inside.left) this.left.inside(path, seq, row)
    }
    for (let i = 0; i < s.count; i++) {
      const slot = this.found[i] as Slot | null
      if (slot === null) continue
      if (slot.role === 'left') slot.type = this.left.note(slot.original ?? slot.name, s, i, seq, row)
      else if (slot.role === 'open' && !slot.told && this.infer(s, i, slot, at)) assumed = true
    }
    if (assumed) this.notices.add('Timestamps without a zone were taken as UTC.')
    if (this.collecting) {
      parts.undoRow()
      return null
    }
    this.place.i64(at, row, seq)
    this.offset.i64(at, offset, Math.floor(offset / 4_294_967_296))
    parts.endRow(s.size + 16)
    return null
  }

  /** Takes the records that look like the last one, at most `most`; see `Sink.alike`. */
  alike(buf: Buffer, from: number, to: number, how: number, seq: number, row: number, offset: number, most: number): { records: number; bytes: number } {
    if (this.collecting || this.apart.holds || !this.expect()) return { records: 0, bytes: 0 }
    const { parts } = this
    const fast = this.named === null ? lane() : lane(ROWS_CODE)
    const records = fast.run(this.lane, buf, from, to, how, seq, row, offset, Math.min(most, parts.room))
    const bytes = fast.used
    if (records === 0) return { records, bytes: 0 }
    if (fast.assumed) this.notices.add('Timestamps without a zone were taken as UTC.')
    for (const [i, { slot, buffer }] of this.lane.entries()) {
      if (buffer !== null) fast.give(i, buffer, parts.row)
      if (slot.key) slot.seen += records
      else if (slot.role === 'left') this.left.more(slot.original ?? slot.name, fast.values(i))
    }
    fast.givePlaces(this.place, this.offset, parts.row)
    parts.endRows(records, bytes + 16 * records)
    return { records, bytes }
  }

  /** Brings `lane` up to the last record. False: nothing can be expected from it. Of CSV only the first name is looked for, see rows.ts. */
  private expect(): boolean {
    const { lane: known, shape, members, named } = this
    const count = named === null ? members : named.length
    // Fields that are left out go the long way, which notes what each of them looks like.
    for (let i = 0; i < count; i++) if (this.found[i] === null || (named === null ? shape[i]?.slot !== this.found[i] : this.found[i]?.role === 'left')) return false
    // What looks like a record without its key lacks it too.
    for (let k = 0; k < this.keyNames.length; k++) if (this.keys[k]?.stamp !== this.foundIn) return false
    const slots = this.found as Slot[]
    if (count > 0 && (named === null || named === this.laneOf) && holds(known, slots, count, named === null ? shape : null)) return true
    const names = named === null ? shape.map(({ bytes }) => bytes) : [Buffer.from(named[0] ?? '')]
    const next = expectation(slots, count, names)
    if (!fitsLane(next)) return false
    this.lane = next
    this.laneOf = named
    return true
  }

  /** True: a timestamp was taken as UTC. */
  private infer(s: RecordView, i: number, slot: Slot, at: number): boolean {
    const kind = s.kind[i] as number
    if (kind === NULL) return false
    const from = s.valueFrom[i] as number
    const to = s.valueTo[i] as number
    if (kind === FIELD) return this.inferField(s.buf, from, to, slot, at)
    const escaped = s.escaped[i] === 1
    if (slot.buffer !== null && slot.type !== null && !this.collecting && settled(slot.type, s.buf, kind, from, to, escaped)) {
      const result = writerOf(slot.type)(slot.buffer, at, s, i)
      if (result === null || result === ASSUMED_UTC) return result !== null
    }
    this.widen(slot, slot.flags | flagOf(s.buf, kind, from, to, escaped))
    if (this.collecting || slot.type === null) return false
    slot.buffer ??= this.parts.add(slot.name, slot.type)
    return writerOf(slot.type)(slot.buffer, at, s, i) === ASSUMED_UTC
  }

  /** The same for a field of CSV: a writer that takes it leaves the type as it is. */
  private inferField(buf: Buffer, from: number, to: number, slot: Slot, at: number): boolean {
    if (slot.buffer !== null && slot.type !== null && !this.collecting) {
      const result = fieldOf(slot)(slot.buffer, at, buf, from, to, true)
      if (result === null || result === ASSUMED_UTC) return result !== null
    }
    this.widen(slot, slot.flags | fieldFlag(buf, from, to))
    if (this.collecting || slot.type === null) return false
    slot.buffer ??= this.parts.add(slot.name, slot.type)
    return fieldOf(slot)(slot.buffer, at, buf, from, to, false) === ASSUMED_UTC
  }

  private widen(slot: Slot, flags: number): void {
    if (flags === slot.flags) return
    slot.flags = flags
    const type = typeOf(flags)
    if (slot.buffer !== null && type !== slot.type) this.collecting = true
    slot.type = type
  }

  savepoint(): void {
    this.left.savepoint()
    this.saved = {
      slots: this.slots.map(({ type, flags, buffer, seen }) => ({ type, flags, buffer, seen })),
      collecting: this.collecting,
      notices: new Set(this.notices),
      keyless: new Set(this.keyless),
    }
  }
  rollback(): void {
    const saved = this.saved
    if (saved === null) return
    for (const slot of this.slots.slice(saved.slots.length)) this.forget(slot)
    this.slots.forEach((slot, i) => Object.assign(slot, saved.slots[i]))
    this.bySpelling.clear()
    this.shape = []
    this.members = 0
    this.named = null
    this.collecting = saved.collecting
    this.notices = new Set(saved.notices)
    this.keyless = new Set(saved.keyless)
    this.left.rollback()
  }
  hypothesis(): Hypothesis {
    return this.slots.filter(({ role }) => role === 'open').map(({ name, original, flags }) => ({ name, original, flags }))
  }
  /** Columns of the parts: all fixed ones, then the inferred ones that have a value. @throws SluiceError DEFINITION_INVALID, if `whole` */
  schema(whole: boolean): Schema {
    const columns: Column[] = []
    for (const { name, original, role, type, key } of this.slots) {
      if (role === 'left' || type === null) continue
      if (whole && key && !canBeKey(type)) {
        throw new SluiceError('DEFINITION_INVALID', `--key ${name}: its values are ${type}, and a ${type} cannot be a key.`, { hint: 'Declare the column as string with --columns, or take another key.' })
      }
      if (role === 'open' && original !== null) this.notices.add(`The member ${JSON.stringify(original)} is the column ${name}.`)
      columns.push(original === null ? { name, type } : { name, type, original })
    }
    return columns
  }
  keySeen(): Record<string, number> {
    return Object.fromEntries(this.definition.key.map((name) => [name, this.byName.get(fold(name))?.seen ?? 0]))
  }
  /** By the members' own names. */
  leftOut(): LeftOut[] {
    return this.left.list()
  }
}
