/**
 * Times of nanoseconds, without a loss. DuckDB reads INT96, zoned nanoseconds and times of a day to the microsecond and cuts
 * the rest in silence. Under another footer the same pages are read whole: INT96 as twelve bytes, the others as wall time.
 */
import { FileFault } from '../sink.ts'
import type { Checked } from './check.ts'
import { FIXED, INT96 } from './footer.ts'
import type { Edit, Field } from './footer.ts'

/** How a column's values lie, when not as its type says. */
export type Lying = 'as said' | 'int96' | 'utc nanoseconds' | 'nanoseconds of a day'

export function lyingOf(field: Field): Lying {
  if (field.edits.length === 0) return 'as said'
  if (field.type === INT96) return 'int96'
  return field.meaning.is === 'time' ? 'nanoseconds of a day' : 'utc nanoseconds'
}

/** The footer under which nothing is lost, with length and magic behind it; null: the file's own will do. @throws FileFault PARQUET_UNSUPPORTED */
export function lossless({ columns, groups, bytes }: Checked): Buffer | null {
  const edits: Edit[] = []
  let leaf = 0
  for (const column of columns) {
    if (column.edits.length > 0) {
      refuseRepeated(column, column.repetition === 2)
      edits.push(...column.edits)
      // The first byte of an INT96's type is the only one.
      if (column.type === INT96) for (const { chunks } of groups) edits.push({ at: chunks[leaf]?.typeAt ?? -1, remove: 1, insert: [FIXED * 2] })
    }
    leaf += leavesOf(column)
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

function leavesOf(field: Field): number {
  if (field.type !== null) return 1
  let leaves = 0
  for (const child of field.children) {
    refuseRepeated(child, child.edits.length > 0)
    leaves += leavesOf(child)
  }
  return leaves
}

function refuseRepeated({ name }: Field, inside: boolean): void {
  if (inside) throw new FileFault('PARQUET_UNSUPPORTED', `The Parquet file cannot be read: ${name} holds times of nanoseconds inside a list, map or struct; write them as microseconds.`, 0)
}
