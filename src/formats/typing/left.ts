/** Members that nobody declared: how many records had them, and what their values looked like. */
import { placeOf } from '../../core/place.ts'
import { MOST_EXAMPLES } from '../../core/proposal.ts'
import type { LeftOut } from '../../core/proposal.ts'
import type { ColumnType } from '../../core/schema.ts'
import { FIELD, NULL } from '../record.ts'
import type { RecordView } from '../record.ts'
import { fieldFlag } from './field.ts'
import { flagOf, typeOf } from './infer.ts'
import { shown } from './write.ts'

interface Found {
  records: number
  flags: number
  place: bigint
  examples: string[]
}

export class Undeclared {
  private readonly most: number
  private found = new Map<string, Found>()
  private saved: Map<string, Found> | null = null

  /** @param most members that are told apart; more are not counted */
  constructor(most: number) {
    this.most = most
  }

  /** Member `i` of a record that got in; null tells nothing. Answers the type that holds all values so far. */
  note(member: string, s: RecordView, i: number, seq: number, row: number): ColumnType | null {
    const kind = s.kind[i] as number
    const found = kind === NULL ? this.found.get(member) : this.of(member, seq, row)
    if (found === undefined || found === null) return kind === NULL ? null : 'json'
    if (kind === NULL) return typeOf(found.flags)
    found.records++
    const from = s.valueFrom[i] as number
    const to = s.valueTo[i] as number
    const escaped = s.escaped[i] === 1
    const before = typeOf(found.flags)
    found.flags |= kind === FIELD ? fieldFlag(s.buf, from, to) : flagOf(s.buf, kind, from, to, escaped)
    const type = typeOf(found.flags)
    // The first value, and those that made the type wider: they tell most, and the fast lane sees no others.
    if (type !== before && found.examples.length < MOST_EXAMPLES) found.examples.push(shown(s.buf, kind, from, to, escaped))
    return type
  }

  /** Further records with a value of the type that `note` answered. */
  more(member: string, records: number): void {
    const found = this.found.get(member)
    if (found !== undefined) found.records += records
  }

  /** A member of a struct, by its path. */
  inside(path: string, seq: number, row: number): void {
    const found = this.of(path, seq, row)
    if (found !== null) found.records++
  }

  private of(name: string, seq: number, row: number): Found | null {
    let found = this.found.get(name)
    if (found === undefined) {
      if (this.found.size >= this.most) return null
      this.found.set(name, (found = { records: 0, flags: 0, place: placeOf(seq, row), examples: [] }))
    }
    return found
  }

  savepoint(): void {
    this.saved = copied(this.found)
  }
  rollback(): void {
    if (this.saved !== null) this.found = copied(this.saved)
  }

  list(): LeftOut[] {
    return [...this.found].map(([member, { records, flags, place, examples }]) => ({ member, records, type: typeOf(flags), place: String(place), examples, flags }))
  }
}

function copied(found: ReadonlyMap<string, Found>): Map<string, Found> {
  return new Map([...found].map(([name, one]) => [name, { ...one, examples: [...one.examples] }]))
}
