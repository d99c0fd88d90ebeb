/**
 * The bytes of a file and their SHA-256. Of a large file a thread reads ahead and hashes what it read, and those very bytes
 * are what the reader gets; so hashing, a third of reading, runs on another core.
 *
 * A thread takes up to 0.1 s of processor time to start, as much as hashing 150 MB, so smaller files are read and hashed
 * here. Figures: docs/decisions/hot-path.md.
 */
import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { ERROR_BYTES, FAILED, FILLED, FREED, GONE, LENGTHS, NUMBERS, SLOTS, SLOT_BYTES, STOP } from './ahead-layout.ts'
import type { Ahead } from './ahead-layout.ts'
import { storageError } from './errors.ts'
import type { PinnedFile } from './pin.ts'

/** Bytes of a file from which a thread pays. */
export const AHEAD_FROM = 256 << 20
/** Between two calls of `waits`; milliseconds. */
const WAIT_MS = 1_000

/** The same file as source and as compiled package. */
const THREAD = fileURLToPath(new URL(`./ahead-thread${extname(fileURLToPath(import.meta.url))}`, import.meta.url))

/** One pass over a file. */
export interface HashedBytes {
  /** Up to `length` next bytes into `into` at `at`; 0 at the end. @throws SluiceError PERMISSION_DENIED or IO_FAILED */
  read(into: Uint8Array, at: number, length: number): number
  /** SHA-256, as hex, of all that was read; null: the file has more than that, or its end cannot be read. Once, after the last read. */
  digest(): string | null
  /** Nothing touches the file any more; before the file is closed. */
  close(): void
}

/**
 * @param size of the file when it was pinned; it tells how it is read, nothing else
 * @param waits called every second while this thread waits for the other one: it sleeps then, whatever the other one does
 */
export function hashedBytes(file: PinnedFile, size: number, waits: () => void, from = AHEAD_FROM): HashedBytes {
  return size >= from && availableParallelism() > 1 ? new ReadAhead(file, waits) : readHere(file)
}

function readHere(file: PinnedFile): HashedBytes {
  const hash = createHash('sha256')
  return {
    read(into, at, length) {
      const n = file.read(into, at, length)
      if (n > 0) hash.update(into.subarray(at, at + n))
      return n
    },
    digest: () => hash.digest('hex'),
    close: () => undefined,
  }
}

class ReadAhead implements HashedBytes {
  private readonly path: string
  private readonly waits: () => void
  private readonly control: Int32Array
  /** Copying between shared and other memory takes a Buffer a third of the time of `set`. */
  private readonly slots: Buffer
  /** Slots that were used up, and bytes of the next one that were. */
  private used = 0
  private within = 0

  constructor({ handle, path }: PinnedFile, waits: () => void) {
    this.path = path
    this.waits = waits
    const numbers = new SharedArrayBuffer(NUMBERS * 4)
    const slots = new SharedArrayBuffer(SLOTS * SLOT_BYTES)
    this.control = new Int32Array(numbers)
    this.slots = Buffer.from(slots)
    const thread = new Worker(THREAD, { workerData: { fd: handle, numbers, slots } satisfies Ahead, resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 } })
    thread.unref()
  }

  read(into: Uint8Array, at: number, length: number): number {
    const filled = this.next()
    if (filled <= 0) return 0
    const slot = (this.used % SLOTS) * SLOT_BYTES
    const n = Math.min(length, filled - this.within)
    this.slots.copy(into, at, slot + this.within, slot + this.within + n)
    this.within += n
    if (this.within === filled) {
      this.used++
      this.within = 0
      Atomics.store(this.control, FREED, this.used)
      Atomics.notify(this.control, FREED)
    }
    return n
  }

  digest(): string | null {
    if (this.within > 0 || !this.ended()) return null
    const slot = (this.used % SLOTS) * SLOT_BYTES
    return this.slots.toString('hex', slot, slot + 32)
  }

  close(): void {
    Atomics.store(this.control, STOP, 1)
    Atomics.notify(this.control, FREED)
    this.until(GONE, () => Atomics.load(this.control, GONE) === 1)
  }

  private ended(): boolean {
    try {
      return this.next() === 0
    } catch {
      // Not read to its end: what is there behind what was asked for nobody knows.
      return false
    }
  }

  /** Bytes of the slot that is next; 0 at the end. */
  private next(): number {
    this.until(FILLED, () => Atomics.load(this.control, FILLED) > this.used)
    const at = this.used % SLOTS
    const length = Atomics.load(this.control, LENGTHS + at)
    if (length !== FAILED) return length
    const told = this.slots.toString('utf8', at * SLOT_BYTES, at * SLOT_BYTES + Atomics.load(this.control, ERROR_BYTES))
    const { message, code } = JSON.parse(told) as { message: string; code?: string }
    throw storageError(Object.assign(new Error(message), { code }), 'read', this.path)
  }

  private until(what: number, is: () => boolean): void {
    for (;;) {
      const now = Atomics.load(this.control, what)
      if (is()) return
      if (Atomics.wait(this.control, what, now, WAIT_MS) === 'timed-out') this.waits()
    }
  }
}
