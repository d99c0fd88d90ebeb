/**
 * The DuckDB engine: the parent's side. DuckDB and the splitter run in child processes; this process never loads DuckDB.
 */
import { availableParallelism } from 'node:os'
import type { ConvertJob, Converter, ConverterEvent } from '../../core/convert.ts'
import type { InspectJob, Inspected, Inspector } from '../../core/inspect.ts'
import type { Engine, Session, StageEvent, StageJob, Staged, Written } from '../../core/engine.ts'
import type { Row } from '../../core/schema.ts'
import { Pool } from './pool.ts'
import type { Hypothesis } from '../../formats/splitter.ts'
import type { Call, PlainJob, Read } from './protocol.ts'
import { agreed, mostRanges, rangesOf, together } from './ranges.ts'
import { divide } from './share.ts'
import { SUSPECT_SILENCE_MS } from './watch.ts'
import type { Listener, Worker } from './worker.ts'

export interface DuckdbOptions {
  /** Bytes for all processes together. */
  memory: number
  /** Child processes wanted; lowered to what memory and cores allow. */
  jobs?: number
  /** Existing folder for what does not fit into memory; a function is asked when it is first needed. */
  spool: string | (() => string)
}

export interface DuckdbEngine extends Engine, Converter, Inspector {
  /** Child processes at the same time; so many stages can run at once. */
  jobs: number
  /** Said once to the user: the wanted number of jobs was lowered. */
  notice: string | null
  /** Starts a process ahead of its first use. */
  warm(): void
}

/** @throws SluiceError MEMORY_TOO_SMALL */
export function openDuckdbEngine(options: DuckdbOptions): DuckdbEngine {
  const share = divide(options.memory, availableParallelism(), options.jobs)
  const { spool } = options
  const pool = new Pool(share, typeof spool === 'string' ? () => spool : spool)
  return {
    jobs: share.jobs,
    notice: share.notice,
    warm: () => pool.warm(),
    stage: (job, on, signal) => stage(pool, job, on, signal),
    convert: (job, on, signal) => convert(pool, job, on, signal),
    inspect: (job, signal) => inspect(pool, job, signal),
    read: (staged, what) => read(pool, { do: 'read', staged, what }),
    rejects: (staged) => read(pool, { do: 'read', staged, what: 'rejects' }),
    session: (signal) => openSession(pool, signal),
    close: () => pool.close(),
  }
}

async function stage(pool: Pool, job: StageJob, on: (event: StageEvent) => void, signal: AbortSignal): Promise<Staged> {
  const worker = await pool.take('stage', signal)
  const { standing, suspected, ...plain } = job
  if (suspected === true) worker.patience = SUSPECT_SILENCE_MS
  const listener = {
    event(event: StageEvent | ConverterEvent) {
      if (event.kind !== 'end' && !('n' in event)) on(event)
    },
    async standing(shas: string[]) {
      worker.asking = true
      pool.dispatch()
      try {
        return await standing(shas)
      } finally {
        worker.asking = false
      }
    },
    underWay(begun: number | null, bytes: number | null) {
      const path = job.batch.arrivals.find(({ seq }) => seq === begun)?.pin.uri
      if (path === undefined || bytes === null) return { text: `while it staged batch ${job.batch.id}`, where: {} }
      return { text: `while it read ${path} (arrival ${begun}), after ${bytes} bytes of it`, where: { path, offset: bytes } }
    },
  }
  try {
    const done = await readTogether(pool, worker, plain, listener, signal)
    return (await worker.call({ do: 'stage', job: plain satisfies PlainJob, done }, listener, signal).answer) as Staged
  } finally {
    pool.giveBack(worker, 'stage')
  }
}

/** Ranges of a large batch by as many processes as are idle, and what they come to; null: one reads it. */
async function readTogether(pool: Pool, worker: Worker, job: PlainJob, listener: Listener, signal: AbortSignal): Promise<Read | null> {
  const most = mostRanges(job.batch)
  const helpers = most < 2 ? [] : pool.spare(most - 1)
  if (helpers.length === 0) return null
  const workers = [worker, ...helpers]
  const ranges = rangesOf(job.batch, workers.length)
  const event = together(ranges.length, (said) => listener.event?.(said))
  const readAll = async (hypothesis: Hypothesis | null): Promise<Read[]> => {
    const calls = ranges.map((batch, at) => {
      const call = { do: 'split', job: { ...job, batch }, range: at + 1, hypothesis } as const
      return workers[at]?.call(call, { ...listener, event: (said) => event(at, said) }, signal).answer as Promise<Read>
    })
    // None may write any more when the folder of the attempt goes.
    const ends = await Promise.allSettled(calls)
    return ends.map((end) => {
      if (end.status === 'rejected') throw end.reason
      return end.value
    })
  }
  try {
    return await agreed(readAll)
  } finally {
    for (const helper of helpers) pool.giveBack(helper, 'stage')
  }
}

/** A process for the whole job; the file that it had begun is named when it dies. */
async function convert(pool: Pool, job: ConvertJob, on: (event: ConverterEvent) => void, signal: AbortSignal): Promise<void> {
  const worker = await pool.take('stage', signal)
  const listener = {
    event(event: StageEvent | ConverterEvent) {
      if (event.kind === 'end' || 'n' in event) on(event)
    },
    underWay(begun: number | null, bytes: number | null) {
      const path = job.files.find(({ n }) => n === begun)?.pin.uri
      if (path === undefined) return { text: `while it converted ${job.files.length} files`, where: {} }
      return bytes === null ? { text: `while it wrote what it had read of ${path}`, where: { path } } : { text: `while it read ${path}, after ${bytes} bytes of it`, where: { path, offset: bytes } }
    },
  }
  try {
    await worker.call({ do: 'convert', job }, listener, signal).answer
  } finally {
    pool.giveBack(worker, 'stage')
  }
}

async function inspect(pool: Pool, job: InspectJob, signal: AbortSignal): Promise<Inspected> {
  const worker = await pool.take('stage', signal)
  const path = job.pin.uri
  const listener = { underWay: (_: number | null, bytes: number | null) => ({ text: `while it looked into ${path}, after ${bytes ?? 0} bytes of it`, where: { path, offset: bytes ?? 0 } }) }
  try {
    return (await worker.call({ do: 'inspect', job }, listener, signal).answer) as Inspected
  } finally {
    pool.giveBack(worker, 'stage')
  }
}

async function* read(pool: Pool, call: Call): AsyncGenerator<Row[]> {
  const worker = await pool.take('shared')
  try {
    yield* chunksOf(worker, call)
  } finally {
    pool.giveBack(worker, 'shared')
  }
}

/** Chunks on demand: the child is told to go on when one was taken, and to stop when the reader leaves. */
export async function* chunksOf(worker: Worker, call: Call, signal?: AbortSignal): AsyncGenerator<Row[]> {
  const chunks: Row[][] = []
  let wake: (() => void) | null = null
  let over = false
  const chunk = (rows: Row[]): void => {
    chunks.push(rows)
    wake?.()
  }
  const { id, answer } = worker.call(call, { chunk }, signal)
  const end = answer.finally(() => {
    over = true
    wake?.()
  })
  // Awaited below; until then a failure must not count as unhandled.
  end.catch(() => undefined)
  try {
    for (;;) {
      const rows = chunks.shift()
      if (rows !== undefined) {
        yield rows
        worker.send({ to: 'more', id })
      } else if (over) break
      else await new Promise<void>((resolve) => (wake = resolve))
    }
    await end
  } finally {
    worker.send({ to: 'stop', id })
    await end.catch(() => undefined)
  }
}

async function openSession(pool: Pool, signal?: AbortSignal): Promise<Session> {
  const worker = await pool.take('shared', signal)
  try {
    const session = (await worker.call({ do: 'open' }, {}, signal).answer) as number
    return new ChildSession(pool, worker, session, signal)
  } catch (thrown) {
    pool.giveBack(worker, 'shared')
    throw thrown
  }
}

class ChildSession implements Session {
  readonly dialect = 'duckdb'
  private readonly pool: Pool
  private readonly worker: Worker
  private readonly session: number
  private readonly signal: AbortSignal | undefined
  private closed = false
  constructor(pool: Pool, worker: Worker, session: number, signal?: AbortSignal) {
    this.pool = pool
    this.worker = worker
    this.session = session
    this.signal = signal
  }

  async widen(columns: number, times = 1): Promise<void> {
    await this.ask({ do: 'widen', session: this.session, columns, times })
  }
  async exec(sql: string): Promise<void> {
    await this.ask({ do: 'exec', session: this.session, sql })
  }
  async rows(sql: string): ReturnType<Session['rows']> {
    return (await this.ask({ do: 'rows', session: this.session, sql })) as Awaited<ReturnType<Session['rows']>>
  }
  async copy(point: string, select: string, uri: string): Promise<Written> {
    return (await this.ask({ do: 'copy', session: this.session, point, select, uri })) as Written
  }
  async copyText(point: string, select: string, quoted: readonly string[], uri: string): Promise<number> {
    return (await this.ask({ do: 'text', session: this.session, point, select, quoted, uri })) as number
  }
  async close(broken = false): Promise<void> {
    if (this.closed) return
    this.closed = true
    // Under an aborted signal nothing could be asked any more: a transaction, or a file that is attached, ends with the process.
    if (broken || this.signal?.aborted === true) this.worker.dismiss()
    // A process that died has closed everything already.
    await this.worker.call({ do: 'close', session: this.session }).answer.catch(() => undefined)
    this.pool.giveBack(this.worker, 'shared')
  }

  private ask(call: Call): Promise<unknown> {
    return this.worker.call(call, {}, this.signal).answer
  }
}
