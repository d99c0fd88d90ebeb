/** What a Parquet footer says: the tree of columns, the row groups, where their pages lie. Nothing is believed yet. */
import { FALSE, LIST, STRUCT, TRUE, ThriftReader } from './thrift.ts'

/** Physical types. */
export const INT96 = 3
export const BYTE_ARRAY = 6
export const FIXED = 7

/** What a leaf means, from its logical type or the older converted type. */
export type Meaning =
  | { is: 'plain' | 'string' | 'enum' | 'date' | 'time' | 'json' | 'bson' | 'uuid' | 'float16' | 'interval' | 'nothing' | 'variant' | 'geometry' | 'integer' }
  | { is: 'decimal'; precision: number; scale: number }
  | { is: 'timestamp'; utc: boolean; unit: 'ms' | 'us' | 'ns' }

export interface Field {
  name: string
  /** Null: a group. */
  type: number | null
  repetition: number
  /** Children, in order. */
  children: Field[]
  /** For times of nanoseconds: makes them a type that DuckDB reads whole, see `lossless`. */
  edits: Edit[]
  meaning: Meaning
}
/** Bytes of the footer that are replaced by others; `at` from its beginning. */
export interface Edit {
  at: number
  remove: number
  insert: readonly number[]
}
export interface Chunk {
  /** Where the footer says its physical type, one byte. */
  typeAt: number
  /** First byte of its pages, and how many bytes they have. */
  from: number
  packed: number
  unpacked: number
  values: number
  codec: number
}
export interface Footer {
  /** Top-level columns. */
  columns: Field[]
  leaves: number
  depth: number
  rows: number
  groups: { rows: number; chunks: Chunk[] }[]
  /** Part of it, or all, needs a key. */
  encrypted: boolean
  /** A column lies in another file. */
  elsewhere: boolean
}

const MOST_ELEMENTS = 100_000
const MOST_GROUPS = 1_000_000
/** Deeper trees are not walked. */
const MOST_LEVELS = 256

interface Element {
  field: Field
  children: number
}

export function readFooter(bytes: Buffer, base: number): Footer {
  const t = new ThriftReader(bytes, base)
  const footer: Footer = { columns: [], leaves: 0, depth: 0, rows: -1, groups: [], encrypted: false, elsewhere: false }
  const elements: Element[] = []
  t.struct((id, type) => {
    if (id === 2 && type === LIST) t.list(STRUCT, MOST_ELEMENTS, () => elements.push(readElement(t)))
    else if (id === 3 && type === 6) footer.rows = t.int()
    else if (id === 4 && type === LIST) t.list(STRUCT, MOST_GROUPS, () => footer.groups.push(readGroup(t, footer)))
    else if (id === 8 && type === STRUCT) return !(footer.encrypted = true)
    else return false
    return true
  })
  const root = elements[0]
  if (root === undefined) throw t.bad('it has no schema')
  if (footer.rows < 0) throw t.bad('it does not say how many rows there are')
  const next = { at: 1 }
  footer.columns = childrenOf(t, elements, root, next, footer, 1)
  if (next.at !== elements.length) throw t.bad('the schema is no tree')
  return footer
}

function childrenOf(t: ThriftReader, elements: readonly Element[], parent: Element, next: { at: number }, footer: Footer, level: number): Field[] {
  if (level > MOST_LEVELS) throw t.bad(`columns are nested deeper than ${MOST_LEVELS} levels`)
  footer.depth = Math.max(footer.depth, level)
  const fields: Field[] = []
  for (let i = 0; i < parent.children; i++) {
    const element = elements[next.at++]
    if (element === undefined) throw t.bad('the schema is no tree')
    if (element.children > 0) element.field.children = childrenOf(t, elements, element, next, footer, level + 1)
    else if (element.field.type === null) throw t.bad(`the group ${element.field.name} is empty`)
    else footer.leaves++
    fields.push(element.field)
  }
  return fields
}

function readElement(t: ThriftReader): Element {
  let converted = -1
  let scale = 0
  let precision = 0
  let logical: Meaning | null = null
  const field: Field = { name: '', type: null, repetition: 0, children: [], edits: [], meaning: { is: 'plain' } }
  let children = 0
  let typeAt = -1
  t.struct((id, type) => {
    if (field.type === INT96 && field.edits.length === 0) field.edits = twelveBytes(t, typeAt, id)
    if (id === 4 && type === 8) field.name = t.text()
    else if (id === 10 && type === STRUCT) logical = readLogical(t, field)
    else if (type === 5 && id === 1) {
      typeAt = t.pos
      field.type = t.int()
    }
    else if (type === 5 && id === 3) field.repetition = t.int()
    else if (type === 5 && id === 5) children = t.int()
    else if (type === 5 && id === 6) converted = t.int()
    else if (type === 5 && id === 7) scale = t.int()
    else if (type === 5 && id === 8) precision = t.int()
    else return false
    return true
  })
  if (children < 0 || children > MOST_ELEMENTS) throw t.bad(`the group ${field.name} has ${children} members`)
  if (children > 0) field.type = null
  field.meaning = logical ?? convertedMeaning(converted, precision, scale)
  return { field, children }
}

const LOGICAL: Readonly<Record<number, Exclude<Meaning, { is: 'decimal' | 'timestamp' }>['is']>> = {
  1: 'string', 4: 'enum', 6: 'date', 10: 'integer', 11: 'nothing', 12: 'json', 13: 'bson', 14: 'uuid', 15: 'float16', 16: 'variant', 17: 'geometry', 18: 'geometry',
}

/** An INT96 as a byte array of twelve: the physical type, and its length as the field behind it. */
function twelveBytes(t: ThriftReader, typeAt: number, next: number): Edit[] {
  const at = t.headAt
  const head = t.buf[at] as number
  const type = { at: typeAt, remove: 1, insert: [FIXED * 2] }
  if (next === 2) return [type, { at: t.pos, remove: 1, insert: [24] }]
  return [type, { at, remove: 1, insert: [0x15, 24, head >= 0x20 ? head - 0x10 : head] }]
}

function readLogical(t: ThriftReader, owner: Field): Meaning | null {
  let meaning: Meaning | null = null
  t.struct((id, type) => {
    if (type !== STRUCT) return false
    if (id === 5) {
      const decimal = { is: 'decimal' as const, precision: 0, scale: 0 }
      t.struct((field, of) => {
        if (of !== 5 || (field !== 1 && field !== 2)) return false
        decimal[field === 1 ? 'scale' : 'precision'] = t.int()
        return true
      })
      meaning = decimal
    } else if (id === 7 || id === 8) {
      const unionAt = t.headAt
      const time = { is: 'timestamp' as const, utc: false, unit: 'ms' as 'ms' | 'us' | 'ns' }
      t.struct((field, of) => {
        if (field === 1 && (of === TRUE || of === FALSE)) {
          time.utc = of === TRUE
          if (time.utc) owner.edits = [{ at: t.headAt, remove: 1, insert: [((t.buf[t.headAt] as number) & 0xf0) | FALSE] }]
        }
        else if (field === 2 && of === STRUCT) {
          t.struct((unit) => {
            time.unit = unit === 1 ? 'ms' : unit === 2 ? 'us' : 'ns'
            return false
          })
          return true
        } else return false
        return true
      })
      meaning = id === 7 ? { is: 'time' } : time
      if (time.unit !== 'ns') owner.edits = []
      // A time of the day becomes one of the first day: the two say the same things in the same order.
      else if (id === 7) owner.edits = [{ at: unionAt, remove: 1, insert: [((t.buf[unionAt] as number) & 15) | 0x80] }, ...owner.edits]
    } else {
      const is = LOGICAL[id]
      if (is !== undefined) meaning = { is }
      return false
    }
    return true
  })
  return meaning
}

function convertedMeaning(converted: number, precision: number, scale: number): Meaning {
  if (converted === 5) return { is: 'decimal', precision, scale }
  if (converted === 9 || converted === 10) return { is: 'timestamp', utc: true, unit: converted === 9 ? 'ms' : 'us' }
  if (converted >= 11 && converted <= 18) return { is: 'integer' }
  const is = ({ 0: 'string', 4: 'enum', 6: 'date', 7: 'time', 8: 'time', 19: 'json', 20: 'bson', 21: 'interval' } as const)[converted]
  return { is: is ?? 'plain' }
}

function readGroup(t: ThriftReader, footer: Footer): Footer['groups'][number] {
  const group: Footer['groups'][number] = { rows: -1, chunks: [] }
  t.struct((id, type) => {
    if (id === 1 && type === LIST) t.list(STRUCT, MOST_ELEMENTS, () => group.chunks.push(readChunk(t, footer)))
    else if (id === 3 && type === 6) group.rows = t.int()
    else return false
    return true
  })
  return group
}

function readChunk(t: ThriftReader, footer: Footer): Chunk {
  const chunk: Chunk = { typeAt: -1, from: -1, packed: -1, unpacked: -1, values: -1, codec: -1 }
  let data = -1
  let dictionary = -1
  t.struct((id, type) => {
    if (id === 1 && type === 8) footer.elsewhere = t.text() !== '' || footer.elsewhere
    else if (id === 8 && type === STRUCT) return !(footer.encrypted = true)
    else if (id === 3 && type === STRUCT) {
      t.struct((field, of) => {
        if (field === 1 && of === 5) {
          chunk.typeAt = t.pos
          return false
        }
        if (field === 4 && of === 5) chunk.codec = t.int()
        else if (of !== 6) return false
        else if (field === 5) chunk.values = t.int()
        else if (field === 6) chunk.unpacked = t.int()
        else if (field === 7) chunk.packed = t.int()
        else if (field === 9) data = t.int()
        else if (field === 11) dictionary = t.int()
        else return false
        return true
      })
    } else return false
    return true
  })
  // Some writers say 0 where there is no dictionary.
  chunk.from = dictionary > 0 && dictionary < data ? dictionary : data
  return chunk
}
