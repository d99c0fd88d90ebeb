/**
 * Writes files from a thread, behind whoever fills them: putting the parts of a large file into the system's cache is a
 * third of the time of reading it, and another core can do that. That core has time left: it also looks for keys that come
 * again, among hashes that it writes.
 *
 * The bytes are copied into a ring; when it is full the writer waits. Nothing is lost in silence: `settle` waits for what is
 * under way and throws what went wrong, and a file settles before anything else is done to it.
 */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Likes } from '../core/likes.ts'
import { DONE, ERROR_BYTES, ERROR_ROOM, FILES, FILLED, HASHES, LENGTHS, NUMBERS, SLOTS, SLOT_BYTES, STOP } from './behind-layout.ts'
import type { Behind } from './behind-layout.ts'
import { storageError } from './errors.ts'

/** Between two calls of `waits`; milliseconds. */
const WAIT_MS = 1_000

/** The same file as source and as compiled package. */
const THREAD = fileURLToPath(new URL(`./behind-thread${extname(fileURLToPath(import.meta.url))}`, import.meta.url))

export class WriteBehind {
  private readonly waits: () => void
  private readonly control: Int32Array
  private readonly positions: Float64Array
  private readonly slots: Buffer
  private readonly error: Uint8Array
  private readonly thread: Worker
  private looking = false
  private filled = 0

  /** @param waits called every second while this thread waits for the other one: it sleeps then, whatever the other one does */
  constructor(waits: () => void) {
    this.waits = waits
    const shared: Behind = {
      numbers: new SharedArrayBuffer(NUMBERS * 4),
      positions: new SharedArrayBuffer(SLOTS * 8),
      slots: new SharedArrayBuffer(SLOTS * SLOT_BYTES),
      error: new SharedArrayBuffer(ERROR_ROOM),
    }
    this.control = new Int32Array(shared.numbers)
    this.positions = new Float64Array(shared.positions)
    // Copying between shared and other memory takes a Buffer a third of the time of `set`.
    this.slots = Buffer.from(shared.slots)
    this.error = new Uint8Array(shared.error)
    this.thread = new Worker(THREAD, { workerData: shared, resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 } })
    this.thread.unref()
  }

  /** From now on the thread looks at the hashes that it writes; all that it was given were looked at when it has settled. */
  look(likes: Likes): void {
    this.looking = true
    this.thread.postMessage(likes)
  }
  get looks(): boolean {
    return this.looking
  }

  /**
   * Takes the bytes; they may change afterwards.
   * @param hashes one of the runs, when it holds hashes · @throws SluiceError of earlier bytes that could not be written to `path`
   */
  write(fd: number, position: number, runs: readonly Uint8Array[], path: string, hashes: Uint8Array | null = null): void {
    let to = position
    for (const run of runs) {
      const from = Buffer.from(run.buffer, run.byteOffset, run.byteLength)
      for (let at = 0; at < run.length; ) {
        const slot = this.free()
        const n = from.copy(this.slots, slot * SLOT_BYTES, at, Math.min(run.length, at + SLOT_BYTES))
        this.control[LENGTHS + slot] = n
        this.control[FILES + slot] = fd
        this.control[HASHES + slot] = run === hashes && this.looking ? 1 : 0
        this.positions[slot] = to
        this.filled++
        Atomics.store(this.control, FILLED, this.filled)
        Atomics.notify(this.control, FILLED)
        at += n
        to += n
      }
    }
    this.check(path)
  }

  /** Nothing is under way any more when it returns; what went wrong is still to be told. */
  wait(): void {
    this.until(this.filled)
  }

  /** All that was taken is written when it returns. @throws SluiceError DISK_FULL, PERMISSION_DENIED or IO_FAILED, once */
  settle(path: string): void {
    this.until(this.filled)
    this.check(path)
  }

  /** Waits for what is under way, whatever becomes of it, and ends the thread. */
  close(): void {
    this.until(this.filled)
    Atomics.store(this.control, STOP, 1)
    Atomics.notify(this.control, FILLED)
  }

  private check(path: string): void {
    const length = Atomics.load(this.control, ERROR_BYTES)
    if (length === 0) return
    // What was taken meanwhile is passed over: the thread must not find the error gone before it is through.
    this.until(this.filled)
    const { message, code } = JSON.parse(Buffer.from(this.error.slice(0, length)).toString()) as { message: string; code?: string }
    Atomics.store(this.control, ERROR_BYTES, 0)
    throw storageError(Object.assign(new Error(message), { code }), 'write', path)
  }

  private free(): number {
    this.until(this.filled - SLOTS + 1)
    return this.filled % SLOTS
  }

  private until(done: number): void {
    for (;;) {
      const now = Atomics.load(this.control, DONE)
      if (now >= done) return
      if (Atomics.wait(this.control, DONE, now, WAIT_MS) === 'timed-out') this.waits()
    }
  }
}
