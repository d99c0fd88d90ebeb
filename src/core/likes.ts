/**
 * Which keys of a batch may come again, told by their hashes. Each sets two bits of a word of `seen`, and one that finds both
 * set has met its like: it sets two bits of a word of `met`, which a second pass looks at.
 *
 * No key that comes again is missed, in whatever order the hashes come, and whatever the memory; what shares bits by chance
 * is cleared later, by its key. Hashes that are seen for nothing only add to what must be cleared.
 */

export interface Likes {
  /** Powers of two. */
  seen: Int32Array
  met: Int32Array
  /** One word: not 0 when one of them has met its like. */
  any: Int32Array
}

/** Words of one record: one in a hundred that are alone is suspected (two bits anywhere would cost two misses of the cache). */
const WORDS_EACH = 0.5
const LEAST_WORDS = 2 ** 11
/** A word is chosen by 31 bits of the hash; an array has at most so many. */
const MOST_WORDS = 2 ** 30
/** The part of DuckDB's memory that is taken for the bits, while DuckDB needs none of it. */
const MEMORY_SHARE = 5
/** Words of `met`, in a hundred of `seen`: few records meet their like, and what is small stays in the cache. */
const MET_SHARE = 4

/** A power of two. @param memory bytes */
export function wordsFor(records: number, memory: number): number {
  let words = LEAST_WORDS
  while (words < records * WORDS_EACH && words < MOST_WORDS && words * 8 <= memory / MEMORY_SHARE) words *= 2
  return words
}

/** Given back by whoever was done with them. Shared memory moves no garbage collector: of what is only dropped, many times as much piles up. */
let spare: Likes | null = null

/** For about so many records; threads may share them. @param memory bytes, of which a fourth is taken at most */
export function openLikes(records: number, memory: number): Likes {
  const former = spare
  spare = null
  const words = (before: Int32Array | undefined, n: number): Int32Array => {
    if (before === undefined || before.buffer.byteLength < n * 4) return new Int32Array(new SharedArrayBuffer(n * 4))
    return new Int32Array(before.buffer, 0, n).fill(0)
  }
  return { seen: words(former?.seen, wordsFor(records, memory)), met: words(former?.met, wordsFor(records / MET_SHARE, memory / MET_SHARE)), any: words(former?.any, 1) }
}

/** Gives them back for the next ones: no thread may be at work on them any more. */
export function closeLikes(likes: Likes | null): void {
  spare = likes ?? spare
}

/** Hashes of 64 bits, each as two halves. */
export function meet(hashes: Int32Array, { seen, met, any }: Likes): void {
  const mask = seen.length - 1
  const metMask = met.length - 1
  for (let at = 0; at < hashes.length; at += 2) {
    const low = hashes[at] as number
    const high = hashes[at + 1] as number
    const bits = (1 << low) | (1 << (low >>> 5))
    const before = seen[high & mask] as number
    seen[high & mask] = before | bits
    if ((before & bits) !== bits) continue
    met[low & metMask] = (met[low & metMask] as number) | (1 << high) | (1 << (high >>> 5))
    any[0] = 1
  }
}

/** Notes the rows, from 0, whose like was met. @returns how many */
export function metIn(hashes: Int32Array, { met }: Likes, rows: Int32Array): number {
  const mask = met.length - 1
  let n = 0
  for (let at = 0; at < hashes.length; at += 2) {
    const high = hashes[at + 1] as number
    const bits = (1 << high) | (1 << (high >>> 5))
    if (((met[(hashes[at] as number) & mask] as number) & bits) === bits) rows[n++] = at >> 1
  }
  return n
}
