/**
 * What the parent and an engine process say to each other (advanced serialization: bigint, Map and Set pass as they are).
 *
 * Every call has a number; the child answers with it. A stage asks back once for the standing of contents. A stream sends
 * chunks of rows, at most WINDOW of them unacknowledged.
 */
import { isCode } from '../../core/codes.ts'
import type { ArrivalOutcome } from '../../core/arrival.ts'
import type { Relation } from '../../core/console.ts'
import type { ConvertJob, ConverterEvent } from '../../core/convert.ts'
import type { InspectJob } from '../../core/inspect.ts'
import type { StageEvent, StageJob, Staged, Standing } from '../../core/engine.ts'
import { SluiceError, asSluiceError } from '../../core/errors.ts'
import type { Where } from '../../core/errors.ts'
import type { Row } from '../../core/schema.ts'
import type { Hypothesis, SplitResult } from '../../formats/splitter.ts'

/** Chunks of a stream that may be on their way. */
export const WINDOW = 2

/** How a child's DuckDB is opened: told when the process starts, in its arguments. */
export interface Start {
  threads: number
  /** Bytes. */
  memory: number
}

export function argumentsOf({ threads, memory }: Start): string[] {
  return [String(threads), String(memory)]
}

/** @throws SluiceError INTERNAL */
export function startOf([threads, memory]: readonly string[]): Start {
  const start = { threads: Number(threads), memory: Number(memory) }
  if (!(start.threads >= 1 && start.memory >= 1)) throw new SluiceError('INTERNAL', 'An engine process was started without its settings.')
  return start
}

/** What is told before the first call: only then the data folder is known. */
export interface Settings {
  /** Folder for what does not fit into memory; its parent exists. */
  temp: string
}

/** File descriptor of a child's pulse: behind those of its standard streams and of the channel to its parent. */
export const PULSE_FD = 4

/** A DuckDB file whose tables a console shows, but not those of one schema. */
export interface ConsoleFile {
  path: string
  hidden: string
}

/** What a console process may see, and the bytes that its queries may spill. */
export interface ConsoleSetup {
  relations: readonly Relation[]
  file?: ConsoleFile
  spill: number
}

/** A stage job without its functions. */
export type PlainJob = Omit<StageJob, 'standing'>

export type Split = Extract<SplitResult, { again: null }>

/** The arrivals of a batch, or of a range of it, after reading: outcomes in seq order, and the parts. */
export interface Read {
  read: ArrivalOutcome[]
  split: Split
}

/** Begins every file name of a stage; no two attempts share it. */
export function prefixOf({ batch, attempt }: Pick<PlainJob, 'batch' | 'attempt'>): string {
  return `b-${batch.id}-${batch.fence}-${attempt}`
}

export type Call =
  /** `done`: what other calls have read of it. */
  | { do: 'stage'; job: PlainJob; done: Read | null }
  /** Only reads: the arrivals of the job are range number `range` of a batch. Answers Read. */
  | { do: 'split'; job: PlainJob; range: number; hypothesis: Hypothesis | null }
  | { do: 'convert'; job: ConvertJob }
  | { do: 'inspect'; job: InspectJob }
  | { do: 'read'; staged: Staged; what: 'winners' | 'losers' | 'rejects' }
  /** Makes the process a console: from here on it opens nothing but the files of the tables. */
  | { do: 'console'; setup: ConsoleSetup }
  /** Checks a query; answers its columns. `answer` streams its rows. */
  | { do: 'ask'; sql: string }
  | { do: 'answer' }
  | { do: 'open' }
  /** Names of files that are still attached: who left them keeps others out of them. */
  | { do: 'attached' }
  | { do: 'widen'; session: number; columns: number; times: number }
  | { do: 'exec'; session: number; sql: string }
  | { do: 'rows'; session: number; sql: string }
  | { do: 'copy'; session: number; point: string; select: string; uri: string }
  | { do: 'text'; session: number; point: string; select: string; quoted: readonly string[]; uri: string }
  | { do: 'close'; session: number }

export type ToChild =
  | { to: 'settings'; settings: Settings }
  | { to: 'call'; id: number; call: Call }
  | { to: 'standing'; id: number; standing: ReadonlyMap<string, Standing> }
  | { to: 'unanswered'; id: number; error: WireError }
  | { to: 'more'; id: number }
  | { to: 'stop'; id: number }

export type ToParent =
  | { from: 'done'; id: number; value: unknown }
  /** `over`: its DuckDB can be asked nothing any more. */
  | { from: 'failed'; id: number; error: WireError; over: boolean }
  | { from: 'events'; id: number; events: (StageEvent | ConverterEvent)[] }
  | { from: 'ask'; id: number; shas: string[] }
  | { from: 'chunk'; id: number; rows: Row[] }

/** A SluiceError as it crosses processes. */
export interface WireError {
  code: string
  message: string
  where: Where
  hint: string
}

export function toWire(thrown: unknown): WireError {
  const { code, message, where, hint } = asSluiceError(thrown)
  return { code, message, where, hint }
}

export function fromWire({ code, message, where, hint }: WireError): SluiceError {
  return new SluiceError(isCode(code) ? code : 'INTERNAL', message, { where, hint })
}
