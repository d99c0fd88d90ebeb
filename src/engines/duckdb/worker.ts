/**
 * The parent's end of one engine process: calls by number, and what becomes of them when the process dies.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import type { Socket } from 'node:net'
import { dirname, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConverterEvent } from '../../core/convert.ts'
import type { StageEvent, Standing } from '../../core/engine.ts'
import { WorkerDied } from '../../core/death.ts'
import type { LastSeen } from '../../core/death.ts'
import type { Where } from '../../core/errors.ts'
import type { Row } from '../../core/schema.ts'
import { makePulse } from '../../storage/pulse.ts'
import type { PulseReader, Seen } from '../../storage/pulse.ts'
import { argumentsOf, fromWire, toWire } from './protocol.ts'
import type { Call, ToChild, ToParent } from './protocol.ts'
import type { Share } from './share.ts'

/** The same file as source and as compiled package. */
const CHILD = fileURLToPath(new URL(`./child${extname(fileURLToPath(import.meta.url))}`, import.meta.url))
/** Queries that run at the same time hold a thread of libuv each; file calls must still find one. */
const THREADPOOL = '8'
/**
 * Arenas of glibc, which keeps what was freed in each: an update of 10,000 rows of 998 columns grew to 390 MB over its statements,
 * with two arenas to 310. Processor time is the same; others take no notice.
 */
const ARENAS = '2'
/** So much of what a process said last is kept for the message about its death. */
const LAST_WORDS = 2000

/** The cache of compiled sources of this process, if it has one: more than half of a child's start is compiling them. */
function compileCache(): { NODE_COMPILE_CACHE?: string } {
  const folder = getCompileCacheDir()
  // What is told is the folder of this version of Node inside of the cache.
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) }
}

/** What a call wants to hear besides its answer. */
export interface Listener {
  event?(event: StageEvent | ConverterEvent): void
  standing?(shas: string[]): Promise<ReadonlyMap<string, Standing>>
  chunk?(rows: Row[]): void
  /** What was under way when the process died, ends the sentence of ENGINE_DIED; `begun`: the arrival that was being read, or that was worked at after it was read (bytes: null). */
  underWay?(begun: number | null, bytes: number | null): { text: string; where: Where }
}

interface Pending {
  /** Signs of life when it was asked: without a later one the process has not begun it. */
  beats: number
  resolve(value: unknown): void
  reject(reason: unknown): void
  listener: Listener
  /** Rejects with this instead of what the child says. */
  reason: { thrown: unknown } | null
}

export class Worker {
  /** A stage runs here; `asking` while it waits for the table's answer. */
  staging = false
  asking = false
  /** See Watched. */
  patience: number | null = null
  /** So many had it before. */
  served = 0
  /** Sessions and streams that are open here. */
  shared = 0
  /** Whoever has it is told when the process is gone and its calls are rejected. No promise: who had it before would be held by it as long as it lives. */
  onEnd: (() => void) | null = null
  /** Asked at the first call: a process may be started before its folder is known. */
  private temp: () => string = () => ''
  private told = false
  private readonly process: ChildProcess
  private readonly pending = new Map<number, Pending>()
  private calls = 0
  private death: WorkerDied | null = null
  private lastWords = ''
  private readonly pulse: PulseReader
  /** Why it was ended from here; null: it was not. */
  private stopped: string | null = null
  private silent = false
  private dismissed = false
  /** It was sent a signal that it does not survive. */
  private ending = false

  /** @param alone it inherits no variables: what runs in it is not ours */
  constructor(share: Pick<Share, 'threads' | 'duckdb' | 'flags'>, alone = false) {
    this.pulse = makePulse()
    this.process = fork(CHILD, argumentsOf({ threads: share.threads, memory: share.duckdb }), {
      serialization: 'advanced',
      execArgv: [...share.flags],
      env: { ...(alone ? {} : process.env), ...compileCache(), UV_THREADPOOL_SIZE: THREADPOOL, MALLOC_ARENA_MAX: ARENAS },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', this.pulse.fd],
    })
    this.process.stderr?.on('data', (bytes: Buffer) => (this.lastWords = (this.lastWords + bytes.toString()).slice(-LAST_WORDS)))
    this.process.on('message', (message: ToParent) => this.hear(message))
    const end = (how: string): void => {
      this.die(how)
      this.onEnd?.()
    }
    this.process.on('error', (error) => {
      // Not started at all: no 'close' will follow.
      if (this.process.pid === undefined) end(`could not be started: ${error.message}`)
    })
    this.process.on('close', (code, signal) => end(signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`))
  }

  /** Before its first call: the folder for what its DuckDB spills, asked then. */
  spillTo(temp: () => string): void {
    this.temp = temp
  }
  /** What it is asked next is for somebody else, who says anew where to spill. */
  handOver(): void {
    this.told = false
    this.lastWords = ''
    this.onEnd = null
    this.served += 1
  }
  /** Whether this process waits for it to end. */
  hold(held: boolean): void {
    const { channel, stderr } = this.process
    for (const handle of [this.process, channel, stderr as Socket | null]) {
      if (held) handle?.ref()
      else handle?.unref()
    }
  }

  /** It has had a call. */
  get used(): boolean {
    return this.told
  }

  /** It can be called: it is not dead, and not about to be. */
  get alive(): boolean {
    return this.death === null && !this.dismissed && !this.ending
  }
  get pid(): number | undefined {
    return this.process.pid
  }
  get busy(): boolean {
    return this.pending.size > 0
  }
  /** Nobody has it, and it does nothing. */
  get idle(): boolean {
    return this.alive && !this.staging && this.shared === 0 && !this.busy
  }
  seen(): Seen {
    return this.pulse.read()
  }
  /** The watchdog ends it: a death as any other, with its reason. */
  stop(why: string, silent: boolean): void {
    if (this.stopped !== null || this.death !== null) return
    this.stopped = why
    this.silent = silent
    this.kill()
  }
  /** It is needed no more; whatever it still does, its end is nobody's fault. */
  dismiss(): void {
    this.dismissed = true
    this.kill()
  }

  /** One call. An aborted signal kills the process and rejects with the signal's reason. */
  call(call: Call, listener: Listener = {}, signal?: AbortSignal): { id: number; answer: Promise<unknown> } {
    this.calls += 1
    const id = this.calls
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const pending: Pending = { beats: this.pulse.read().beats, resolve, reject, listener, reason: null }
    if (this.death !== null) reject(this.death)
    else if (signal?.aborted === true) reject(signal.reason)
    else {
      const abort = (): void => {
        pending.reason = { thrown: signal?.reason }
        this.kill()
      }
      this.pending.set(id, pending)
      if (!this.told) {
        this.told = true
        this.send({ to: 'settings', settings: { temp: this.temp() } })
      }
      signal?.addEventListener('abort', abort, { once: true })
      const settled = (): void => signal?.removeEventListener('abort', abort)
      promise.then(settled, settled)
      this.send({ to: 'call', id, call })
    }
    return { id, answer: promise }
  }

  send(message: ToChild): void {
    if (this.death !== null || !this.process.connected) return
    // A failure to send means that the process is going; 'close' says so to the calls.
    this.process.send(message, undefined, {}, () => undefined)
  }

  kill(): void {
    this.ending = true
    this.process.kill('SIGKILL')
  }

  private hear(message: ToParent): void {
    const pending = this.pending.get(message.id)
    if (pending === undefined) return
    const { listener } = pending
    if (message.from === 'events') this.listening(pending, () => message.events.forEach((event) => listener.event?.(event)))
    else if (message.from === 'chunk') listener.chunk?.(message.rows)
    else if (message.from === 'ask') void this.ask(message.id, pending, message.shas)
    else {
      this.pending.delete(message.id)
      if (message.from === 'done') pending.resolve(message.value)
      else {
        pending.reject(pending.reason === null ? fromWire(message.error) : pending.reason.thrown)
        if (message.over) this.dismiss()
      }
    }
  }

  /** A listener that throws ends the process: its call cannot go on. */
  private listening(pending: Pending, hear: () => void): void {
    try {
      hear()
    } catch (thrown) {
      pending.reason ??= { thrown }
      this.kill()
    }
  }

  private async ask(id: number, pending: Pending, shas: string[]): Promise<void> {
    try {
      const standing = (await pending.listener.standing?.(shas)) ?? new Map<string, Standing>()
      this.send({ to: 'standing', id, standing: new Map(standing) })
    } catch (thrown) {
      pending.reason ??= { thrown }
      this.send({ to: 'unanswered', id, error: toWire(thrown) })
    }
  }

  private die(how: string): void {
    const said = /(FATAL ERROR: .*|Error: .*)/.exec(this.lastWords)?.[1]
    const tail = said === undefined ? '' : ` It said: ${said}`
    const told = this.stopped === null ? how : `was stopped: ${this.stopped}`
    const seen = this.pulse.read()
    this.pulse.close()
    const last = (pending: Pending | null): LastSeen => {
      // Who reads has the process to himself: no other call gets on meanwhile.
      const reads = pending?.listener.underWay !== undefined && seen.seq !== null
      const alone = this.pending.size === 1 && seen.seq === null
      const guilty = pending !== null && !this.dismissed && pending.beats !== seen.beats && (reads || alone)
      return { how: told, begun: reads ? seen.seq : seen.after, offset: reads ? seen.bytes : null, guilty, silent: this.silent, memory: this.stopped !== null && !this.silent, stray: this.stopped === null && how.endsWith('SIGKILL') }
    }
    this.death = new WorkerDied(`The worker process ${told}.${tail}`, last(null))
    for (const pending of this.pending.values()) {
      const under = pending.listener.underWay?.(seen.seq ?? seen.after, seen.seq === null ? null : seen.bytes)
      const text = under === undefined ? '' : ` ${under.text}`
      pending.reject(pending.reason === null ? new WorkerDied(`The worker process ${told}${text}.${tail}`, last(pending), under?.where) : pending.reason.thrown)
    }
    this.pending.clear()
  }
}
