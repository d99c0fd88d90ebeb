/**
 * A record's place: where it came in. `_place` = seq × 2³² + row, one signed 64-bit integer.
 *
 * `seq` numbers the arrivals of a table from 1, `row` the records of an arrival from 1 in the order of its bytes. Places
 * order all records of a table; retries and replays keep them (docs/reference/semantics.md, "Place and order").
 */
export const PLACE_COLUMN = '_place'
/** Largest number of an arrival: the place must stay below 2⁶³. */
export const MAX_SEQ = 2 ** 31 - 1
export const MAX_ROW = 2 ** 32 - 1

export function placeOf(seq: number, row: number): bigint {
  return (BigInt(seq) << 32n) | BigInt(row)
}
export function seqOf(place: bigint): number {
  return Number(place >> 32n)
}
export function rowOf(place: bigint): number {
  return Number(place & 0xffffffffn)
}
