/**
 * Types of columns. A type is a text, as it is declared, stored and shown; `nodeOf` gives it as a tree.
 *
 *   string boolean int64 double date timestamp timestamp_local json      scalars
 *   string(n)                  text of at most n characters, 1 ≤ n ≤ 10,485,760; a column alone, not inside of lists and structs
 *   decimal(p,s)               1 ≤ p ≤ 38 digits in all, 0 ≤ s ≤ p of them after the point
 *   list<T>                    elements of one type, null among them
 *   struct<name:T,…>           members by name, matched without case
 * The text has one form: no white space, type words in lower case. So equal texts are equal types.
 */
import { SluiceError } from './errors.ts'

export const SCALARS = ['string', 'boolean', 'int64', 'double', 'date', 'timestamp', 'timestamp_local', 'json'] as const
export type Scalar = (typeof SCALARS)[number]
export type DecimalType = `decimal(${number},${number})`
export type TextType = `string(${number})`
export type ColumnType = Scalar | TextType | DecimalType | `list<${string}>` | `struct<${string}>`

export interface DecimalNode {
  kind: 'decimal'
  precision: number
  scale: number
}
export interface ListNode {
  kind: 'list'
  element: TypeNode
}
export interface StructNode {
  kind: 'struct'
  members: readonly { name: string; type: TypeNode }[]
}
export interface ScalarNode {
  kind: Scalar
  /** Of a string: most characters (code points); absent: as many as there are. */
  length?: number
}
export type TypeNode = ScalarNode | DecimalNode | ListNode | StructNode

/** All types, for messages. */
export const TYPE_WORDS = [...SCALARS, 'string(n)', 'decimal(p,s)', 'list<T>', 'struct<name:T,…>'].join(', ')

/** Scalars that may be a key: they compare exactly. So does a decimal. */
export const KEY_TYPES: readonly Scalar[] = ['string', 'boolean', 'int64', 'date', 'timestamp', 'timestamp_local']
export const KEY_WORDS = [...KEY_TYPES, 'decimal(p,s)'].join(', ')

/** Most characters that a declared length may allow: what PostgreSQL takes. */
export const MAX_LENGTH = 10_485_760
/** Digits that a decimal may have. */
export const MAX_PRECISION = 38
/** Levels of lists and structs in one another. */
const MAX_NESTING = 32
/** Members of all structs of one type. */
const MAX_MEMBERS = 1000

export function isNested(type: ColumnType): boolean {
  return type.startsWith('list<') || type.startsWith('struct<')
}

/** Text that is no JSON, of any length. */
export function isString(type: ColumnType): boolean {
  return type === 'string' || type.startsWith('string(')
}

export function isDecimal(type: ColumnType): type is DecimalType {
  return type.startsWith('decimal(')
}

/** Is the value's text JSON as it stands? */
export function isJsonText(type: ColumnType): boolean {
  return type === 'json' || isDecimal(type) || isNested(type)
}

export function canBeKey(type: ColumnType): boolean {
  return isDecimal(type) || isString(type) || (KEY_TYPES as readonly string[]).includes(type)
}

/** May it decide a winner (max, min)? */
export function hasOrder(type: ColumnType): boolean {
  return type !== 'json' && !isNested(type)
}

const known = new Map<string, TypeNode>()

/** The tree of a type; of a text that is none it throws, as `parseType`. */
export function nodeOf(type: ColumnType): TypeNode {
  let node = known.get(type)
  if (node === undefined) known.set(type, (node = parseType(type)))
  return node
}

/** The one form of a type as text. */
export function formatType(node: TypeNode): ColumnType {
  if (node.kind === 'decimal') return `decimal(${node.precision},${node.scale})`
  if (node.kind === 'list') return `list<${formatType(node.element)}>`
  if (node.kind === 'struct') return `struct<${node.members.map(({ name, type }) => `${name}:${formatType(type)}`).join(',')}>`
  return 'length' in node ? `string(${node.length ?? 0})` : node.kind
}

/** Any spelling of a type. @throws SluiceError DEFINITION_INVALID saying what is wrong with it */
export function parseType(text: string): TypeNode {
  const parser = new TypeParser(text)
  const node = parser.type(0)
  parser.end()
  return node
}

class TypeParser {
  private readonly text: string
  private at = 0
  private members = 0

  constructor(text: string) {
    this.text = text
  }
  type(depth: number): TypeNode {
    const word = this.take(/[A-Za-z0-9_]*/y).toLowerCase()
    if (depth > MAX_NESTING) throw this.wrong(`more than ${MAX_NESTING} levels`)
    if (word === 'decimal') return this.decimal()
    if (word === 'list') {
      this.expect('<')
      const element = this.type(depth + 1)
      this.expect('>')
      return { kind: 'list', element }
    }
    if (word === 'struct') return this.struct(depth)
    const scalar = SCALARS.find((name) => name === word)
    if (scalar === undefined) throw this.wrong(word === '' ? 'a type is missing' : `the unknown type ${word}`)
    return scalar === 'string' && this.found('(') ? this.limited(depth) : { kind: scalar }
  }
  private limited(depth: number): ScalarNode {
    const length = Number(this.take(/\d{1,9}/y))
    this.expect(')')
    if (length < 1 || length > MAX_LENGTH) throw this.wrong(`string(n) takes 1 to ${MAX_LENGTH} characters`)
    if (depth > 0) throw this.wrong('the length of a text is for a column, not for a part of a list or struct')
    return { kind: 'string', length }
  }
  private decimal(): DecimalNode {
    this.expect('(')
    const precision = Number(this.take(/\d{1,4}/y))
    this.expect(',')
    const scale = Number(this.take(/\d{1,4}/y))
    this.expect(')')
    if (precision < 1 || precision > MAX_PRECISION || scale > precision) throw this.wrong(`decimal(p,s) takes 1 to ${MAX_PRECISION} digits, of them 0 to p after the point`)
    return { kind: 'decimal', precision, scale }
  }
  private struct(depth: number): StructNode {
    this.expect('<')
    const members: { name: string; type: TypeNode }[] = []
    const taken = new Set<string>()
    do {
      const name = this.take(/[^:,<>]*/y).trim().replace(/[ ;{}()=\t\n]/g, '_')
      this.expect(':')
      if (name === '') throw this.wrong('a member without a name')
      if (taken.has(name.toLowerCase())) throw this.wrong(`two members ${name} (names are matched without case)`)
      taken.add(name.toLowerCase())
      if (++this.members > MAX_MEMBERS) throw this.wrong(`more than ${MAX_MEMBERS} members`)
      members.push({ name, type: this.type(depth + 1) })
    } while (this.found(','))
    this.expect('>')
    return { kind: 'struct', members }
  }
  end(): void {
    this.take(/\s*/y)
    if (this.at < this.text.length) throw this.wrong(`"${this.text.slice(this.at)}" behind the type`)
  }
  private take(pattern: RegExp): string {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0] ?? ''
    this.at += found.length
    return found
  }
  private found(sign: string): boolean {
    this.take(/\s*/y)
    if (this.text[this.at] !== sign) return false
    this.at++
    return true
  }
  private expect(sign: string): void {
    if (!this.found(sign)) throw this.wrong(`${sign} is missing`)
  }
  private wrong(what: string): SluiceError {
    return new SluiceError('DEFINITION_INVALID', `The type ${this.text.trim()} cannot be understood: ${what}.`, { hint: `Types: ${TYPE_WORDS}.` })
  }
}

/** A decimal as text: its digits with exactly `scale` of them after the point. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const sign = unscaled < 0n ? '-' : ''
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** The other way round. */
export function unscaledOf(text: string): bigint {
  return BigInt(text.replace('.', ''))
}
