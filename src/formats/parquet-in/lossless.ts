/**
 * Times of nanoseconds, without a loss. DuckDB reads INT96, zoned nanoseconds and times of a day to the microsecond and cuts
 * the rest in silence. Under another footer the same pages are read whole: INT96 as twelve bytes, the others as wall time.
 * Wherever they lie: a column is its leaves, in order, and DuckDB's types have the same ones in the same order.
 */
import type { Checked } from './check.ts'
import { FIXED, INT96 } from './footer.ts'
import type { Edit, Field } from './footer.ts'

/** How a leaf's values lie, when not as its type says. */
export type Lying = 'as said' | 'int96' | 'utc nanoseconds' | 'nanoseconds of a day'

/** One per leaf of the column. */
export function lyingOf(field: Field): Lying[] {
  return leavesOf(field).map(lyingOfLeaf)
}
function lyingOfLeaf(field: Field): Lying {
  if (field.edits.length === 0) return 'as said'
  if (field.type === INT96) return 'int96'
  return field.meaning.is === 'time' ? 'nanoseconds of a day' : 'utc nanoseconds'
}

/** The footer under which nothing is lost, with length and magic behind it; null: the file's own will do. */
export function lossless({ columns, groups, bytes }: Checked): Buffer | null {
  const edits: Edit[] = []
  for (const [at, leaf] of columns.flatMap(leavesOf).entries()) {
    edits.push(...leaf.edits)
    // The first byte of an INT96's type is the only one.
    if (leaf.type === INT96) for (const { chunks } of groups) edits.push({ at: chunks[at]?.typeAt ?? -1, remove: 1, insert: [FIXED * 2] })
  }
  const wanted = edits.filter(({ at }) => at >= 0).toSorted((a, b) => a.at - b.at)
  if (wanted.length === 0) return null
  const pieces: Buffer[] = []
  let from = 0
  for (const { at, remove, insert } of wanted) {
    pieces.push(bytes.subarray(from, at), Buffer.from(insert))
    from = at + remove
  }
  const body = Buffer.concat([...pieces, bytes.subarray(from)])
  const tail = Buffer.from('....PAR1', 'latin1')
  tail.writeUInt32LE(body.length, 0)
  return Buffer.concat([body, tail])
}

function leavesOf(field: Field): Field[] {
  return field.type === null ? field.children.flatMap(leavesOf) : [field]
}
