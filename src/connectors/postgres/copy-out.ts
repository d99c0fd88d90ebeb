/**
 * `COPY … TO STDOUT` without losing where its rows end: the server sends every row as a message of its own.
 *
 * pg-copy-streams joins the messages, and then only a parser of CSV could tell rows apart; as events of pg each row costs
 * an object. Here rows are moved together in the buffer they came in.
 */
import type pg from 'pg'

/** Bytes of rows; `ends` are the ends of those rows that end in them. */
export interface CopiedRows {
  bytes: Buffer
  ends: Uint32Array
}

const COPY_DATA = 0x64
/** What may stand between rows: the begin of the copy, notices, settings, notifications. */
const PASSED = new Set([0x48, 0x4e, 0x53, 0x41])
/** Chunks that wait before the server is made to wait. */
const MOST_WAITING = 8
const HEADER = 5

interface Stream {
  listeners(event: 'data'): ((chunk: Buffer) => void)[]
  on(event: 'data', listener: (chunk: Buffer) => void): void
  removeListener(event: 'data', listener: (chunk: Buffer) => void): void
  pause(): void
  resume(): void
}
interface Connection {
  stream: Stream
  query(text: string): void
}

/** A query of `pg`: give it to `Client.query`, then take its rows, all of them or until the connection is cut. */
export class CopyOut implements pg.Submittable {
  private readonly text: string
  private connection: Connection | null = null
  private theirs: ((chunk: Buffer) => void) | null = null
  private readonly mine = (chunk: Buffer): void => this.take(chunk)
  /** The beginning of a message whose header is not whole. */
  private head: Buffer = Buffer.alloc(0)
  /** Bytes that a row still lacks, and those of another message. */
  private lacking = 0
  private passing = 0
  private readonly waiting: CopiedRows[] = []
  private done = false
  private failure: Error | null = null
  private wake: (() => void) | null = null

  constructor(text: string) {
    this.text = text
  }

  submit(connection: pg.Connection): void {
    const on = connection as unknown as Connection
    this.connection = on
    this.theirs = on.stream.listeners('data')[0] ?? null
    if (this.theirs !== null) on.stream.removeListener('data', this.theirs)
    on.stream.on('data', this.mine)
    on.query(this.text)
  }

  async *rows(): AsyncGenerator<CopiedRows> {
    for (;;) {
      const next = this.waiting.shift()
      if (next !== undefined) {
        if (this.waiting.length === 0) this.connection?.stream.resume()
        yield next
      } else if (this.failure !== null) throw this.failure
      else if (this.done) return
      else await new Promise<void>((resolve) => (this.wake = resolve))
    }
  }

  private take(chunk: Buffer): void {
    const buf = this.head.length === 0 ? chunk : Buffer.concat([this.head, chunk])
    this.head = this.head.subarray(0, 0)
    const ends: number[] = []
    let at = 0
    let to = 0
    const move = (length: number): void => {
      if (at > to) buf.copyWithin(to, at, at + length)
      at += length
      to += length
    }
    for (;;) {
      if (this.lacking > 0) {
        const length = Math.min(this.lacking, buf.length - at)
        move(length)
        this.lacking -= length
        if (this.lacking > 0) break
        ends.push(to)
      } else if (this.passing > 0) {
        const length = Math.min(this.passing, buf.length - at)
        at += length
        this.passing -= length
        if (this.passing > 0) break
      }
      if (buf.length - at < HEADER) {
        this.head = Buffer.from(buf.subarray(at))
        break
      }
      const kind = buf[at] as number
      if (kind !== COPY_DATA && !PASSED.has(kind)) {
        // The end, or an error: pg knows what follows.
        const rest = Buffer.from(buf.subarray(at))
        this.give(buf.subarray(0, to), ends)
        this.detach(rest)
        return
      }
      const length = buf.readUInt32BE(at + 1) - 4
      at += HEADER
      if (kind === COPY_DATA) this.lacking = length
      else this.passing = length
    }
    this.give(buf.subarray(0, to), ends)
  }

  private give(bytes: Buffer, ends: readonly number[]): void {
    if (bytes.length === 0) return
    this.waiting.push({ bytes, ends: Uint32Array.from(ends) })
    if (this.waiting.length >= MOST_WAITING) this.connection?.stream.pause()
    this.awake()
  }

  private detach(rest: Buffer): void {
    const stream = this.connection?.stream
    const { theirs } = this
    if (stream === undefined || theirs === null) return
    this.theirs = null
    stream.removeListener('data', this.mine)
    stream.on('data', theirs)
    stream.resume()
    theirs(rest)
  }

  private awake(): void {
    this.wake?.()
    this.wake = null
  }

  /** Called by pg. */
  handleError(error: Error): void {
    this.failure ??= error
    this.awake()
  }
  /** Called by pg. */
  handleReadyForQuery(): void {
    this.done = true
    this.awake()
  }
  /** Called by pg. */
  handleCommandComplete(): void {
    // The rows were counted as they came.
  }
}
