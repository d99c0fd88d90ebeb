/**
 * Which hashes of keys may occur more than once, where the parts do not have them (see `candidates.ts`): each sets two bits of a word, and one that finds both set is a suspect.
 *
 * A key of several records is always one: its second record meets the bits of its first. What shares them by chance is one
 * too, and is cleared later, by its key. One pass over the hashes, and memory that is bounded whatever the batch.
 *
 * Measured, 14.7 million keys of a text and a timestamp: 754,000 suspects, 1.42 million candidates of which 1.34 million are
 * repeated. Hashes come as one list for each part, and those of the next part are found meanwhile. Figures of other ways:
 * docs/decisions/hot-path.md.
 */
import type { Part } from '../../core/engine.ts'
import { wordsFor } from '../../core/likes.ts'
import { Parts } from '../../formats/parquet/parts.ts'
import { SUSPECT_COLUMN } from '../../resolve/duckdb-batch.ts'
import type { Connection } from './database.ts'

/** Suspects that are written at once. */
const MOST_MET = 4096

/** Takes every hash of a batch once. */
export class Suspects {
  private readonly seen: Int32Array
  private readonly mask: number
  private readonly parts: Parts
  /** Suspects that wait, lower half first, and how many halves. */
  private readonly met = new Int32Array(MOST_MET * 2)
  private halves = 0

  /** @param words a power of two · @param name path of the n-th part */
  constructor(words: number, name: (n: number) => string) {
    this.seen = new Int32Array(words)
    this.mask = words - 1
    this.parts = new Parts(name)
    this.parts.add(SUSPECT_COLUMN, 'int64')
  }

  take(hashes: BigInt64Array): void {
    const { seen, mask, met } = this
    const halves = new Int32Array(hashes.buffer, hashes.byteOffset, hashes.length * 2)
    let { halves: n } = this
    for (let at = 0; at < halves.length; at += 2) {
      const low = halves[at] as number
      const high = halves[at + 1] as number
      const word = high & mask
      const bits = (1 << low) | (1 << (low >>> 5))
      const before = seen[word] as number
      seen[word] = before | bits
      if ((before & bits) !== bits) continue
      met[n] = low
      met[n + 1] = high
      n += 2
      if (n < met.length) continue
      this.write(n)
      n = 0
    }
    this.halves = n
  }

  private write(halves: number): void {
    const { parts, met } = this
    for (let from = 0; from < halves; ) {
      const rows = Math.min(parts.room, (halves - from) / 2)
      parts.columns[0]?.appendAll(parts.row, rows, new Uint8Array(met.buffer, from * 4, rows * 8))
      parts.endRows(rows, rows * 8)
      from += rows * 2
    }
  }

  /** The suspects as parts, a hash perhaps several times. */
  finish(): Part[] {
    this.write(this.halves)
    this.halves = 0
    return this.parts.finish([{ name: SUSPECT_COLUMN, type: 'int64' }])
  }
  discard(): void {
    this.parts.discard()
  }
}

/** Suspects among the hashes that queries answer, see `Connection.lists`; as parts. @throws SluiceError DISK_FULL and its like */
export async function suspectsOf(connection: Connection, queries: readonly string[], records: number, name: (n: number) => string): Promise<Part[]> {
  const suspects = new Suspects(wordsFor(records, connection.memory), name)
  try {
    for await (const hashes of connection.lists(queries)) suspects.take(hashes)
    return suspects.finish()
  } catch (thrown) {
    suspects.discard()
    throw thrown
  }
}
