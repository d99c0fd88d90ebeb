/**
 * Lists and structs: JSON text of a record, checked against the type of its column value by value, into text that a part
 * carries.
 *
 * In a part a nested value is JSON text in which every value that is no list, struct or null is a string, in a form that
 * DuckDB casts exactly: its own JSON reader would change numbers (`1.10`, integers beyond 64 bits). `resolve/nested.ts`
 * makes real lists and structs of it. Every inner value goes through the writer of its scalar type, so the rules are the
 * same as for columns. Members that the type does not name are left out and counted.
 */
import { columnName, fold } from '../../core/schema.ts'
import { decimalText, formatType } from '../../core/types.ts'
import type { ColumnType, ListNode, Scalar, StructNode, TypeNode } from '../../core/types.ts'
import { DECIMAL, FALSE, INTEGER, NESTED, NULL, OneMember, STRING, TRUE } from '../record.ts'
import { decode } from '../json/text.ts'
import { ByteList } from '../parquet/bytes.ts'
import { ColumnBuffer } from '../parquet/column.ts'
import { scaledOf } from './number.ts'
import { ASSUMED_UTC, WRITERS, shown } from './write.ts'
import type { Writer, Written } from './write.ts'

/** What the last nested value told beside being good or bad. */
export const inside: {
  /** Where inside the column the fault is (`[3].qty`; elements count from 0), the value, and the type it should have. */
  fault: { path: string; value: string; type: ColumnType } | null
  /** Paths of members that were left out (`address.country`, `items[].colour`). Whoever reads it clears it. */
  left: Set<string>
} = { fault: null, left: new Set() }

export function nestedWriter(node: ListNode | StructNode): Writer {
  const walker = new Walker()
  return (column, row, s, i) => {
    inside.fault = null
    const kind = s.kind[i]
    if (kind === NULL) return null
    if (kind !== NESTED) return 'TYPE_MISMATCH'
    const result = walker.run(node, s.buf, s.valueFrom[i] as number, column.name)
    if (result === null || result === ASSUMED_UTC) column.text(row, walker.out.data, 0, walker.out.length)
    return result
  }
}

class Walker {
  readonly out = new ByteList(1024)
  private readonly leaf = new OneMember()
  private readonly cells = new Map<Scalar, ColumnBuffer>()
  private readonly members = new Map<StructNode, Map<string, number>>()
  /** Names and numbers on the way to the value that is looked at. */
  private readonly way: (string | number)[] = []
  private column = ''
  private at = 0
  private assumed = false

  /** The value at `from` of a buffer that holds valid JSON there. */
  run(node: TypeNode, buf: Buffer, from: number, column: string): Written {
    this.leaf.buf = buf
    this.at = from
    this.column = column
    this.out.length = 0
    this.way.length = 0
    this.assumed = false
    return this.value(node) ?? (this.assumed ? ASSUMED_UTC : null)
  }

  private value(node: TypeNode): Written {
    const { buf } = this.leaf
    this.space()
    const first = buf[this.at]
    if (first === 0x6e) return this.nothing()
    if (node.kind === 'list') return first === 0x5b ? this.list(node) : this.mismatch(node, 'TYPE_MISMATCH')
    if (node.kind === 'struct') return first === 0x7b ? this.struct(node) : this.mismatch(node, 'TYPE_MISMATCH')
    return this.scalar(node)
  }

  private nothing(): null {
    this.at += 4
    this.text('null')
    return null
  }

  private list(node: ListNode): Written {
    this.out.byte(0x5b)
    this.at++
    this.way.push(0)
    for (let n = 0; !this.closes(0x5d); n++) {
      this.way[this.way.length - 1] = n
      if (n > 0) this.out.byte(0x2c)
      const fault = this.value(node.element)
      if (fault !== null) return fault
    }
    this.way.pop()
    this.out.byte(0x5d)
    return null
  }

  private struct(node: StructNode): Written {
    const names = this.namesOf(node)
    const seen = new Uint8Array(node.members.length)
    this.out.byte(0x7b)
    this.at++
    let written = 0
    while (!this.closes(0x7d)) {
      const name = this.name()
      const at = names.get(fold(columnName(name)))
      if (at === undefined) {
        inside.left.add(`${this.column}${this.path('')}.${name}`)
        this.space()
        this.skip()
        continue
      }
      if (seen[at] === 1) return this.fault('MEMBER_REPEATED', name, node)
      seen[at] = 1
      const member = node.members[at] as StructNode['members'][number]
      if (written++ > 0) this.out.byte(0x2c)
      this.text(`${JSON.stringify(member.name)}:`)
      this.way.push(member.name)
      const fault = this.value(member.type)
      if (fault !== null) return fault
      this.way.pop()
    }
    this.out.byte(0x7d)
    return null
  }

  private namesOf(node: StructNode): Map<string, number> {
    let names = this.members.get(node)
    if (names === undefined) this.members.set(node, (names = new Map(node.members.map(({ name }, at) => [fold(name), at]))))
    return names
  }

  private scalar(node: Exclude<TypeNode, ListNode | StructNode>): Written {
    const { leaf } = this
    this.look()
    const from = leaf.valueFrom[0] as number
    const to = leaf.valueTo[0] as number
    const kind = leaf.kind[0] as number
    if (node.kind === 'string') {
      if (kind === NESTED) return this.mismatch(node, 'TYPE_MISMATCH')
      // A string is valid JSON as it stands; what is none becomes its text.
      this.out.byte(0x22)
      this.out.bytes(leaf.buf, from, to)
      this.out.byte(0x22)
      return null
    }
    if (node.kind === 'decimal') {
      const value = kind === INTEGER || kind === DECIMAL ? scaledOf(leaf.buf.toString('latin1', from, to), node.precision, node.scale) : 'TYPE_MISMATCH'
      if (typeof value === 'string') return this.mismatch(node, value)
      this.text(`"${decimalText(value, node.scale)}"`)
      return null
    }
    const cell = this.cellOf(node.kind)
    const result = WRITERS[node.kind](cell, 0, leaf, 0)
    if (result === ASSUMED_UTC) this.assumed = true
    else if (result !== null) return this.mismatch(node, result)
    this.text(JSON.stringify(cellText(node.kind, cell)))
    cell.clear()
    return null
  }

  private cellOf(kind: Scalar): ColumnBuffer {
    let cell = this.cells.get(kind)
    if (cell === undefined) this.cells.set(kind, (cell = new ColumnBuffer('', kind)))
    return cell
  }

  /** Kind and bounds of the value that begins here, into the leaf; goes behind it. */
  private look(): void {
    const { leaf } = this
    const first = leaf.buf[this.at] as number
    const from = this.at
    let escaped = false
    if (first === 0x22) escaped = this.skipString()
    else this.skip()
    const quoted = first === 0x22 ? 1 : 0
    leaf.valueFrom[0] = from + quoted
    leaf.valueTo[0] = this.at - quoted
    leaf.escaped[0] = escaped ? 1 : 0
    leaf.kind[0] = quoted === 1 ? STRING : first === 0x74 ? TRUE : first === 0x66 ? FALSE : first === 0x5b || first === 0x7b ? NESTED : first === 0x6e ? NULL : numberKind(leaf.buf, from, this.at)
  }

  private name(): string {
    this.space()
    const from = this.at + 1
    const escaped = this.skipString()
    const name = decode(this.leaf.buf, from, this.at - 1, escaped)
    this.space()
    this.at++
    return name
  }

  /** Goes behind a comma; true when the bracket closes here, and goes behind it. */
  private closes(bracket: number): boolean {
    this.space()
    const sign = this.leaf.buf[this.at]
    if (sign === 0x2c || sign === bracket) this.at++
    return sign === bracket
  }

  private space(): void {
    while ((this.leaf.buf[this.at] as number) <= 0x20) this.at++
  }

  /** Goes behind a string; true when it holds escapes. */
  private skipString(): boolean {
    const { buf } = this.leaf
    let escaped = false
    for (this.at++; buf[this.at] !== 0x22; this.at++) {
      if (buf[this.at] !== 0x5c) continue
      escaped = true
      this.at++
    }
    this.at++
    return escaped
  }

  /** Goes behind a value. */
  private skip(): void {
    const { buf } = this.leaf
    for (let depth = 0; ; ) {
      const sign = buf[this.at] as number
      if (sign === 0x22) this.skipString()
      else if (sign === 0x5b || sign === 0x7b) {
        depth++
        this.at++
      } else if (sign === 0x5d || sign === 0x7d) {
        depth--
        this.at++
      } else if (depth > 0) this.at++
      else while (isPlain(buf[this.at] as number)) this.at++
      if (depth === 0) return
    }
  }

  private text(text: string): void {
    const bytes = Buffer.from(text, 'utf8')
    this.out.bytes(bytes, 0, bytes.length)
  }

  private path(element: '' | 'numbers'): string {
    return this.way.map((step) => (typeof step === 'string' ? `.${step}` : element === '' ? '[]' : `[${step}]`)).join('')
  }

  private mismatch(node: TypeNode, code: Exclude<Written, null>): Written {
    const { leaf } = this
    if (node.kind === 'list' || node.kind === 'struct') this.look()
    return this.fault(code, shown(leaf.buf, leaf.kind[0] as number, leaf.valueFrom[0] as number, leaf.valueTo[0] as number, leaf.escaped[0] === 1), node)
  }

  private fault(code: Exclude<Written, null>, value: string, node: TypeNode): Written {
    inside.fault = { path: this.path('numbers'), value, type: formatType(node) }
    return code
  }
}

function isPlain(sign: number): boolean {
  return sign > 0x20 && sign !== 0x2c && sign !== 0x5d && sign !== 0x7d
}

function numberKind(buf: Buffer, from: number, to: number): number {
  for (let p = from; p < to; p++) if (buf[p] === 0x2e || buf[p] === 0x65 || buf[p] === 0x45) return DECIMAL
  return INTEGER
}

/** What a scalar's writer wrote, as text that DuckDB casts to the same value. */
function cellText(kind: Scalar, cell: ColumnBuffer): string {
  const { data, view } = cell.data
  switch (kind) {
    case 'boolean':
      return data[0] === 1 ? 'true' : 'false'
    case 'int64':
      return String(view.getBigInt64(0, true))
    case 'double': {
      // The zeros are equal; as text they would not be.
      const value = view.getFloat64(0, true)
      return String(value === 0 ? 0 : value)
    }
    case 'date':
      return new Date(view.getInt32(0, true) * 86_400_000).toISOString().slice(0, 10)
    case 'timestamp':
    case 'timestamp_local': {
      const micros = view.getBigInt64(0, true)
      const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
      const seconds = new Date(Number((micros - rest) / 1000n)).toISOString().slice(0, 19)
      return `${seconds}.${String(rest).padStart(6, '0')}${kind === 'timestamp' ? 'Z' : ''}`
    }
    case 'string':
    case 'json':
      return data.toString('utf8', 4, cell.data.length)
  }
}
