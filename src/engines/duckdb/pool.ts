/**
 * At most `jobs` engine processes, started when needed, used again, replaced when they die.
 *
 * A process runs one stage at a time. Sessions and streams prefer an idle process, but share one when there is none: with
 * one process a caller that holds a session can still stage, and a stage that asks for the standing of contents can be
 * answered through a session. So no order of calls can deadlock. A session or stream waits only while every process is
 * busy reading or deciding a batch, and goes before stages that wait.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { SluiceError } from '../../core/errors.ts'
import { localFs } from '../../storage/local.ts'
import { keepReady, takeReady } from './ready.ts'
import type { Share } from './share.ts'
import { LOOK_MS, Watch } from './watch.ts'
import { Worker } from './worker.ts'

export type Use = 'stage' | 'shared'

interface Waiting {
  use: Use
  give(worker: Worker): void
  refuse(reason: unknown): void
}

interface Member {
  /** Where it spills; asked at its first call. */
  temp: () => string
  /** Variables and folder that it was started with. */
  world: string
  gone: Promise<void>
}

export class Pool {
  private readonly share: Share
  private readonly spool: () => string
  private readonly workers = new Map<Worker, Member>()
  private queue: Waiting[] = []
  private started = 0
  private closed = false

  private readonly watch: Watch
  private looking: NodeJS.Timeout | null = null

  private readonly alone: boolean

  /** @param spool asked when a process gets its first call; @param alone its processes inherit no variables */
  constructor(share: Share, spool: () => string, alone = false) {
    this.share = share
    this.alone = alone
    this.watch = new Watch(share.most)
    this.spool = spool
  }

  /** A process for one use; to be given back. Rejects with the signal's reason. */
  async take(use: Use, signal?: AbortSignal): Promise<Worker> {
    signal?.throwIfAborted()
    if (this.closed) throw closed()
    const { promise, resolve, reject } = Promise.withResolvers<Worker>()
    const waiting: Waiting = { use, give: resolve, refuse: reject }
    const abort = (): void => {
      if (!this.queue.includes(waiting)) return
      this.queue = this.queue.filter((other) => other !== waiting)
      reject(signal?.reason)
    }
    this.queue.push(waiting)
    signal?.addEventListener('abort', abort, { once: true })
    this.dispatch()
    try {
      return await promise
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** At most so many processes more for a stage that runs: those that are idle or can be started now. To be given back. */
  spare(most: number): Worker[] {
    const workers: Worker[] = []
    while (workers.length < most) {
      const idle = [...this.workers.keys()].find((worker) => worker.idle)
      if (this.closed || (idle === undefined && this.workers.size >= this.share.jobs)) break
      const worker = idle ?? this.start()
      worker.staging = true
      workers.push(worker)
    }
    return workers
  }

  giveBack(worker: Worker, use: Use): void {
    if (use === 'shared') worker.shared -= 1
    else {
      worker.staging = worker.asking = false
      worker.patience = null
    }
    this.dispatch()
  }

  /** Serves whoever can be served: sessions and streams first. */
  dispatch(): void {
    for (const use of ['shared', 'stage'] as const) {
      for (const waiting of this.queue.filter((other) => other.use === use)) {
        let worker: Worker | null
        try {
          worker = this.choose(use)
        } catch (thrown) {
          this.queue = this.queue.filter((other) => other !== waiting)
          waiting.refuse(thrown)
          continue
        }
        if (worker === null) break
        this.queue = this.queue.filter((other) => other !== waiting)
        if (use === 'shared') worker.shared += 1
        else worker.staging = true
        waiting.give(worker)
      }
    }
  }

  private choose(use: Use): Worker | null {
    const alive = [...this.workers.keys()].filter((worker) => worker.alive)
    const idle = alive.find((worker) => worker.idle)
    if (idle !== undefined) return idle
    if (this.workers.size < this.share.jobs) return this.start()
    const fit = alive.filter((worker) => !worker.staging || (use === 'shared' && worker.asking))
    return fit.toSorted((a, b) => a.shared - b.shared)[0] ?? null
  }

  /** Starts the first process ahead of its first use: its start is a good part of a small load. */
  warm(): void {
    if (this.workers.size === 0) this.start()
  }

  private start(): Worker {
    this.started += 1
    const number = this.started
    const temp = (): string => join(this.spool(), `duckdb-${process.pid}-${number}`)
    const { worker: found, world } = this.alone ? { worker: null, world: '' } : takeReady(this.share)
    const worker = found ?? new Worker(this.share, this.alone)
    worker.spillTo(temp)
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    worker.onEnd = () => void this.bury(worker, temp).then(resolve)
    this.workers.set(worker, { temp, world, gone })
    this.looking ??= setInterval(() => this.watch.look(this.workers.keys()), LOOK_MS).unref()
    return worker
  }

  /** What DuckDB spilled is of no use to anyone after its process. */
  private async bury(worker: Worker, temp: () => string): Promise<void> {
    this.workers.delete(worker)
    // What cannot be removed is garbage of the spool, not a fault of the run.
    if (worker.used) await localFs.remove('engine.temp', temp()).catch(() => undefined)
    if (!this.closed) this.dispatch()
  }

  /** One process that does nothing is left over for the next pool of the program; the others end. */
  async close(): Promise<void> {
    this.closed = true
    for (const { refuse } of this.queue) refuse(closed())
    this.queue = []
    const kept = [...this.workers].find(([worker]) => !this.alone && worker.idle)
    if (kept !== undefined && (await isBlank(...kept)) && keepReady(kept[0], this.share, kept[1].world)) this.workers.delete(kept[0])
    // Not earlier: a process that does not answer is stopped as any other.
    if (this.looking !== null) clearInterval(this.looking)
    for (const worker of this.workers.keys()) worker.dismiss()
    await Promise.all(Array.from(this.workers.values(), ({ gone }) => gone))
  }
}

/** Nothing of whom it served is left in it: it has spilled nothing, and no file is attached. */
async function isBlank(worker: Worker, { temp }: Member): Promise<boolean> {
  if (!worker.used) return true
  if (existsSync(temp())) return false
  const attached = await worker.call({ do: 'attached' }).answer.catch(() => null)
  return worker.idle && Array.isArray(attached) && attached.length === 0
}

function closed(): SluiceError {
  return new SluiceError('INTERNAL', 'The engine is closed.')
}
