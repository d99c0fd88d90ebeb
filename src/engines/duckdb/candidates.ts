/**
 * The records whose key another one of the batch may have, from the hashes that were written with the parts: their keys and
 * places as parts of their own, a tenth of the batch where a twentieth is repeated.
 *
 * Two passes over the hashes alone, see `Likes`; of a large file the first one was done by a thread while it was read. Keys
 * are read only where a row group has a candidate, and copied as they lie.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { setImmediate as breathe } from 'node:timers/promises'
import type { KeyGroup, Part, Run } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { closeLikes, meet, metIn, openLikes, wordsFor } from '../../core/likes.ts'
import type { Likes } from '../../core/likes.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
import { findColumn } from '../../core/schema.ts'
import type { Column, Schema } from '../../core/schema.ts'
import type { ColumnBuffer } from '../../formats/parquet/column.ts'
import { widthOf } from '../../formats/parquet/column.ts'
import { Parts } from '../../formats/parquet/parts.ts'
import { storageError } from '../../storage/errors.ts'

/** The key's columns; null where the parts do not say where their keys lie, or one of them lies as bits. */
export function keysLying(schema: Schema, key: readonly string[], records: readonly Part[]): Column[] | null {
  const columns = key.flatMap((name) => findColumn(schema, name) ?? [])
  const lie = records.every(({ keys }) => keys !== undefined) && columns.length === key.length
  return lie && columns.every(({ type }) => widthOf(type) !== 1) ? columns : null
}

/**
 * @param key see keysLying · @param memory bytes, of which a fourth is taken · @param name path of the n-th part
 * @param before what was found while the parts were written, of the groups that say so
 */
export async function candidatesOf(records: readonly Part[], key: readonly Column[], excluded: readonly number[], memory: number, name: (n: number) => string, before: Likes | null = null): Promise<Part[]> {
  const rows = records.reduce((sum, part) => sum + part.rows, 0)
  // Records that became smaller and smaller would all be candidates.
  const likes = before === null || before.seen.length * 2 < wordsFor(rows, memory) ? null : before
  const found = likes ?? openLikes(rows, memory)
  try {
    const room = new Room()
    await eachGroup(records, (part, { hash, looked }) => {
      if (likes === null || looked !== true) meet(part.words(hash, room), found)
    })
    return found.any[0] === 0 ? [] : await candidatesIn(records, new Found(key, new Set(excluded), found, name))
  } finally {
    if (likes === null) closeLikes(found)
  }
}

async function candidatesIn(records: readonly Part[], candidates: Found): Promise<Part[]> {
  try {
    await eachGroup(records, (part, group) => candidates.take(part, group))
    return candidates.finish()
  } catch (thrown) {
    candidates.discard()
    throw thrown
  }
}

async function eachGroup(records: readonly Part[], take: (part: PartReader, group: KeyGroup) => void): Promise<void> {
  for (const { uri, keys } of records) {
    const part = new PartReader(uri)
    try {
      for (const group of keys ?? []) take(part, group)
    } finally {
      part.close()
    }
    await breathe()
  }
}

/** Memory that every row group uses again: taking it anew costs as much as reading into it. */
class Room {
  private words = new Int32Array(0)

  /** At least so many bytes, zeros or left from before. */
  of(bytes: number): Int32Array {
    const wanted = (bytes + 3) >> 2
    if (this.words.length < wanted) this.words = new Int32Array(Math.max(wanted, this.words.length * 2))
    return this.words
  }
}

/** Reads one part. */
class PartReader {
  private readonly path: string
  private readonly fd: number

  constructor(path: string) {
    this.path = path
    this.fd = this.reading(() => openSync(path, 'r'))
  }

  /** The bytes of a run; as words, of which the last may have others behind them. */
  words({ at, bytes }: Run, room: Room): Int32Array {
    const words = room.of(bytes)
    const into = new Uint8Array(words.buffer, 0, bytes)
    for (let done = 0; done < bytes; ) {
      const n = this.reading(() => readSync(this.fd, into, done, bytes - done, at + done))
      if (n === 0) throw new SluiceError('IO_FAILED', `${this.path} is shorter than it was written.`, { where: { path: this.path } })
      done += n
    }
    return words.subarray(0, (bytes + 3) >> 2)
  }
  private reading<T>(work: () => T): T {
    try {
      return work()
    } catch (thrown) {
      throw storageError(thrown, 'read', this.path)
    }
  }
  close(): void {
    closeSync(this.fd)
  }
}

/** Copies keys and places of the candidates. */
class Found {
  private readonly schema: readonly Column[]
  private readonly parts: Parts
  private readonly excluded: ReadonlySet<number>
  private readonly likes: Likes
  private readonly rooms: readonly Room[]
  private rows = new Int32Array(0)

  constructor(key: readonly Column[], excluded: ReadonlySet<number>, likes: Likes, name: (n: number) => string) {
    this.schema = [{ name: PLACE_COLUMN, type: 'int64' }, ...key]
    this.excluded = excluded
    this.likes = likes
    this.rooms = [...this.schema, null].map(() => new Room())
    this.parts = new Parts(name)
    for (const column of this.schema) this.parts.add(column.name, column.type)
  }

  take(part: PartReader, group: KeyGroup): void {
    if (this.rows.length < group.rows) this.rows = new Int32Array(group.rows)
    const { rows, rooms, parts } = this
    let n = metIn(part.words(group.hash, rooms.at(-1) as Room), this.likes, rows)
    if (n === 0) return
    const places = part.words(group.place, rooms[0] as Room)
    if (this.excluded.size > 0) {
      let counting = 0
      for (let at = 0; at < n; at++) if (!this.excluded.has(places[(rows[at] as number) * 2 + 1] as number)) rows[counting++] = rows[at] as number
      if ((n = counting) === 0) return
    }
    // A row group of candidates has room for as many rows as one of the batch.
    if (n > parts.room) parts.flush()
    let bytes = 0
    for (const [c, { type }] of this.schema.entries()) {
      const words = c === 0 ? places : part.words(group.key[c - 1] as Run, rooms[c] as Room)
      bytes += copy(parts.columns[c] as ColumnBuffer, parts.row, words, widthOf(type), rows, n)
    }
    parts.endRows(n, bytes)
  }

  finish(): Part[] {
    return this.parts.finish(this.schema)
  }
  discard(): void {
    this.parts.discard()
  }
}

/** @param n of `rows` · @returns how many bytes */
function copy(column: ColumnBuffer, to: number, from: Int32Array, width: number | null, rows: Int32Array, n: number): number {
  if (width === null) return copyTexts(column, to, Buffer.from(from.buffer), rows, n)
  const each = width / 4
  const values = new Int32Array(n * each)
  for (let i = 0, at = 0; i < n; i++) for (let word = (rows[i] as number) * each, w = 0; w < each; w++) values[at++] = from[word + w] as number
  column.appendAll(to, n, new Uint8Array(values.buffer))
  return n * width
}

function copyTexts(column: ColumnBuffer, to: number, from: Buffer, rows: Int32Array, n: number): number {
  const view = new DataView(from.buffer, from.byteOffset)
  const before = column.data.length
  for (let i = 0, at = 0, row = 0; i < n; i++) {
    for (const wanted = rows[i] as number; row < wanted; row++) at += 4 + view.getInt32(at, true)
    column.text(to + i, from, at + 4, at + 4 + view.getInt32(at, true))
  }
  return column.data.length - before
}
