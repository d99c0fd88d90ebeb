/**
 * The pulse of a worker process: a few bytes in a file that it writes over and over, and that its parent reads.
 *
 * What was written last outlives any death, is exact to the read, and costs one write into the page cache (about a
 * microsecond), where a message would cost twenty and might never be sent. Nothing is synced. It is not a change of
 * anything that lasts, so it has no failpoint.
 */
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storageError } from './errors.ts'
import { systemRandom } from './system.ts'

/** What the parent sees. */
export interface Seen {
  /** Grows with every sign of life. */
  beats: number
  /** Arrival that is being read; null: none. */
  seq: number | null
  /** Bytes of it that were read. */
  bytes: number
  /** The one arrival that was read and is worked at now; null: none is being worked at by itself. */
  after: number | null
}

const FIELDS = 4

/** The worker's end; `fd` is the parent's file, inherited. */
export class Pulse {
  private readonly fd: number
  private readonly now = new Float64Array(FIELDS)
  private readonly raw = new Uint8Array(this.now.buffer)

  constructor(fd: number) {
    this.fd = fd
  }
  /** Reads an arrival from now on: only `at` is a sign of life until `done`. */
  begin(seq: number): void {
    this.now[1] = seq
    this.now[2] = 0
    this.now[3] = 0
    this.write()
  }
  at(bytes: number): void {
    this.now[2] = bytes
    this.write()
  }
  done(): void {
    this.now[1] = 0
    this.now[3] = 0
    this.write()
  }
  /** Works at an arrival that was read, and at nothing else, until `begin` or `done`. */
  after(seq: number): void {
    this.now[1] = 0
    this.now[3] = seq
    this.write()
  }
  /** A sign of life of something else than reading. */
  beat(): void {
    if (this.now[1] === 0) this.write()
  }
  private write(): void {
    this.now[0] = (this.now[0] ?? 0) + 1
    try {
      writeSync(this.fd, this.raw, 0, this.raw.length, 0)
    } catch {
      // The bytes are there since the parent made the file; a disk that fails even so fails the parts, too, and says so.
    }
  }
}

/** The parent's end. */
export interface PulseReader {
  readonly fd: number
  read(): Seen
  close(): void
}

/** Makes the file, in the folder for temporary files; it has no name any more, so nobody needs to remove it. @throws SluiceError */
export function makePulse(): PulseReader {
  const now = new Float64Array(FIELDS)
  const raw = new Uint8Array(now.buffer)
  const path = join(tmpdir(), `sluice-pulse-${systemRandom.id(16)}`)
  let fd: number
  try {
    fd = openSync(path, 'wx+')
    unlinkSync(path)
    writeSync(fd, raw, 0, raw.length, 0)
  } catch (thrown) {
    throw storageError(thrown, 'create', path)
  }
  let open = true
  return {
    fd,
    read() {
      if (open) readSync(fd, raw, 0, raw.length, 0)
      const [beats = 0, seq = 0, bytes = 0, after = 0] = now
      return { beats, seq: seq === 0 ? null : seq, bytes, after: after === 0 ? null : after }
    },
    close() {
      if (open) closeSync(fd)
      open = false
    },
  }
}
