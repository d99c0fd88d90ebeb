/**
 * Records into columns: checks the record, writes its values, and infers types. Which column a member goes to is
 * `columns.ts`, what is asked of a key `keys.ts`, what the fast lane may expect `alike.ts`.
 *
 * A record is written whole or not at all. When a value contradicts what its inferred column was taken for, the rest of
 * the pass only collects flags, and the batch is split once more with what was learned.
 */
import type { Definition } from '../../core/definition.ts'
import { SluiceError } from '../../core/errors.ts'
import { OFFSET_COLUMN } from '../../core/engine.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
import { fold } from '../../core/schema.ts'
import type { LeftOut } from '../../core/proposal.ts'
import type { Column, ColumnType, Schema } from '../../core/schema.ts'
import { canBeKey } from '../../core/types.ts'
import { FIELD, MAX_DEPTH, NULL } from '../record.ts'
import type { RecordView } from '../record.ts'
import type { ColumnBuffer } from '../parquet/column.ts'
import type { Parts } from '../parquet/parts.ts'
import { Alike } from './alike.ts'
import { Apart } from './apart.ts'
import { Columns, MOST_LEFT_OUT } from './columns.ts'
import type { SavedSlot } from './columns.ts'
import { fieldFlag } from './field.ts'
import { flagOf, settled, typeOf, widerOf } from './infer.ts'
import { Keys } from './keys.ts'
import { Undeclared } from './left.ts'
import { inside } from './nested.ts'
import { refused } from './refused.ts'
import type { BadRecord } from './refused.ts'
import { fieldOf } from './slot.ts'
import type { Slot } from './slot.ts'
import { ASSUMED_UTC } from './write.ts'
import { writerOf } from './writers.ts'

/** What a pass learned of the open columns, in order of first appearance. */
export type Hypothesis = readonly { name: string; original: string | null; flags: number; digits: number }[]

interface Snapshot {
  slots: SavedSlot[]
  collecting: boolean
  notices: Set<string>
  keyless: Set<string>
}

export class Records {
  private readonly parts: Parts
  private readonly place: ColumnBuffer
  private readonly offset: ColumnBuffer
  private readonly columns: Columns
  private readonly keys: Keys
  private readonly apart: Apart
  private readonly expecting: Alike
  private anyFixed = false
  /** Only flags are collected: the pass will be repeated. */
  collecting = false
  /** The record is left out: nothing of it is written. */
  private taught = false
  notices = new Set<string>()
  private readonly left = new Undeclared(MOST_LEFT_OUT)
  private saved: Snapshot | null = null

  constructor(parts: Parts, definition: Definition, pinned: Schema | null, hypothesis: Hypothesis | null) {
    this.parts = parts
    this.apart = new Apart(definition.partition, definition.columns !== null)
    this.columns = new Columns(definition, this.apart)
    this.keys = new Keys(definition, this.columns)
    this.expecting = new Alike(this.columns, this.keys)
    this.place = parts.add(PLACE_COLUMN, 'int64')
    this.offset = parts.add(OFFSET_COLUMN, 'int64')
    if (definition.keep !== null && !('column' in definition.keep)) parts.hashKeys(definition.key)
    const fixed = [...(pinned ?? []), ...(definition.columns ?? []).filter((column) => !pinned?.some((known) => fold(known.name) === fold(column.name)))]
    for (const column of fixed) {
      const slot = this.columns.add(column.name, column.original ?? null, 'fixed')
      slot.type = column.type
    }
    for (const { name, original, flags, digits } of hypothesis ?? []) {
      if (this.columns.byName.has(fold(name))) continue
      const slot = this.columns.add(name, original, 'open')
      slot.flags = flags
      slot.digits = digits
      slot.type = typeOf(flags, digits)
    }
    this.anyFixed = fixed.length > 0
    this.columns.keepFresh()
  }

  /** What the schema of the file that begins declares of its columns (they refuse what does not fit); the one before is forgotten. */
  tell(columns: readonly { member: string; flags: number; digits: number }[]): void {
    for (const slot of this.columns.slots) slot.told = false
    for (const { member, flags, digits } of columns) {
      const slot = this.columns.of(member)
      if (slot === null || 'code' in slot || slot.role !== 'open' || flags === 0) continue
      slot.digits = widerOf(slot.digits, digits)
      const type = typeOf((slot.flags |= flags), slot.digits)
      if (slot.buffer !== null && type !== slot.type) this.collecting = true
      slot.type = type
      slot.told = true
      this.anyFixed = true
    }
    this.columns.keepFresh()
  }

  /** Writes the record that the scanner holds; answers why it is bad, and then nothing of it is written. */
  add(s: RecordView, seq: number, row: number, offset: number, times: number): BadRecord | null {
    this.columns.begin()
    const bad = this.check(s) ?? (times === 0 ? null : this.write(s, seq, row, offset))
    if (bad !== null) {
      this.columns.forgetFresh()
      return bad
    }
    for (let more = 1; more < times; more++) this.write(s, seq, row, offset)
    return null
  }

  /** For a record that is left out: types do not depend on what is loaded first. */
  teach(s: RecordView, seq: number, row: number): void {
    this.taught = true
    this.add(s, seq, row, 0, 1)
    this.taught = false
  }

  private check(s: RecordView): BadRecord | null {
    if (s.depth > MAX_DEPTH) return { code: 'DEPTH_EXCEEDED', message: `The record is nested ${s.depth} levels deep; ${MAX_DEPTH} are allowed.` }
    if (s.lone) return { code: 'TEXT_INVALID', message: 'A string of the record holds half of a surrogate pair.' }
    const { columns } = this
    const bad = s.names !== undefined && s.names === columns.named ? null : columns.find(s)
    return bad ?? this.keys.check(s) ?? this.apart.check(s, columns.byName, columns.foundIn)
  }

  /** Notes the flags of a record of fields that will come again; see Sink. */
  rehearse(s: RecordView): boolean {
    if (this.anyFixed || this.collecting) return false
    const { columns } = this
    columns.begin()
    // A record that will be refused teaches nothing.
    if (columns.find(s) !== null || this.keys.lacking(s) || this.apart.check(s, columns.byName, columns.foundIn) !== null) {
      columns.forgetFresh()
      columns.named = null
      return true
    }
    let open = false
    for (let i = 0; i < s.count; i++) {
      const slot = columns.found[i]
      if (slot?.role !== 'open' || slot.buffer !== null) continue
      open = true
      if (s.kind[i] !== FIELD) continue
      slot.flags |= fieldFlag(s.buf, s.valueFrom[i] as number, s.valueTo[i] as number)
      slot.type = typeOf(slot.flags, slot.digits)
    }
    return open
  }

  private write(s: RecordView, seq: number, row: number, offset: number): BadRecord | null {
    const parts = this.parts
    const found = this.columns.found
    const at = parts.row
    let assumed = false
    // Fixed columns first: only they can refuse a value, and a refused record teaches nothing.
    if (this.anyFixed) {
      inside.left.clear()
      for (let i = 0; i < s.count; i++) {
        const slot = found[i]
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
      if (!this.taught) for (const path of inside.left) this.left.inside(path, seq, row)
    }
    for (let i = 0; i < s.count; i++) {
      const slot = found[i] as Slot | null
      if (slot === null) continue
      if (slot.role === 'left' && !this.taught) slot.type = this.left.note(slot.original ?? slot.name, s, i, seq, row)
      else if (slot.role === 'open' && !slot.told && this.infer(s, i, slot, at)) assumed = true
    }
    if (assumed) this.notices.add('Timestamps without a zone were taken as UTC.')
    if (this.collecting || this.taught) {
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
    if (this.collecting || this.apart.holds || !this.expecting.expect()) return { records: 0, bytes: 0 }
    const { parts } = this
    const fast = this.expecting.lane()
    const { expected } = this.expecting
    const records = fast.run(expected, buf, from, to, how, seq, row, offset, Math.min(most, parts.room))
    const bytes = fast.used
    if (records === 0) return { records, bytes: 0 }
    if (fast.assumed) this.notices.add('Timestamps without a zone were taken as UTC.')
    for (const [i, { slot, buffer }] of expected.entries()) {
      if (buffer !== null) fast.give(i, buffer, parts.row)
      if (slot.key) slot.seen += records
      else if (slot.role === 'left') this.left.more(slot.original ?? slot.name, fast.values(i))
    }
    fast.givePlaces(this.place, this.offset, parts.row)
    parts.endRows(records, bytes + 16 * records)
    return { records, bytes }
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
    const type = typeOf(flags, slot.digits)
    if (slot.buffer !== null && type !== slot.type) this.collecting = true
    slot.type = type
  }

  savepoint(): void {
    this.left.savepoint()
    this.saved = { slots: this.columns.save(), collecting: this.collecting, notices: new Set(this.notices), keyless: new Set(this.keys.keyless) }
  }
  rollback(): void {
    const saved = this.saved
    if (saved === null) return
    this.columns.restore(saved.slots)
    this.collecting = saved.collecting
    this.notices = new Set(saved.notices)
    this.keys.keyless = new Set(saved.keyless)
    this.left.rollback()
  }
  hypothesis(): Hypothesis {
    return this.columns.slots.filter(({ role }) => role === 'open').map(({ name, original, flags, digits }) => ({ name, original, flags, digits }))
  }
  /** Columns of the parts: all fixed ones, then the inferred ones that have a value. @throws SluiceError DEFINITION_INVALID, if `whole` */
  schema(whole: boolean): Schema {
    const columns: Column[] = []
    for (const { name, original, role, type, key } of this.columns.slots) {
      if (role === 'left' || type === null) continue
      if (whole && key && !canBeKey(type)) {
        throw new SluiceError('DEFINITION_INVALID', `--key ${name}: its values are ${type}, and a ${type} cannot be a key.`, { hint: 'Declare the column as string with --columns, or take another key.' })
      }
      if (role === 'open' && original !== null) this.notices.add(`The member ${JSON.stringify(original)} is the column ${name}.`)
      columns.push(original === null ? { name, type } : { name, type, original })
    }
    return columns
  }
  /** Columns that records without their key had: the first 20 names. */
  keyless(): string[] {
    return [...this.keys.keyless]
  }
  keySeen(): Record<string, number> {
    return this.keys.seen()
  }
  /** By the members' own names. */
  leftOut(): LeftOut[] {
    return this.left.list()
  }
}
