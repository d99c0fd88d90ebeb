/**
 * What to do after a failed attempt at a batch. The only place that decides about trying again.
 */
import { DEADLY, WorkerDied, deathsAlone } from '../core/death.ts'
import type { LastSeen } from '../core/death.ts'
import type { Batch } from '../core/engine.ts'
import type { SluiceError } from '../core/errors.ts'

/** Deaths of a worker process that nothing in the batch can explain, after which the run stops. */
const MAX_DEATHS = 10
/** Each conflict leaves something out or takes a newer schema; more of them than this, and somebody is wrong. */
const MAX_ATTEMPTS = 100
/** So many files in a row, condemned though none was being read when its process died: then it is not the files. */
export const MAX_CONDEMNED = 10

export type Verdict =
  /** Stage the batch again at once: the table moved on, or its process died of something else. */
  | 'again'
  /** Somebody else has the batch: let go of it. */
  | 'drop'
  /** A process died of it: pin its arrivals anew in smaller batches. */
  | 'split'
  /** Give the batch back, stop the run and say why; the same command goes on later. */
  | 'stop'

/**
 * @param unexplained how many processes died of nothing in particular while they had this batch, this one included
 * @param attempts how often the batch was staged
 * @param first the batch is the first of its table: its files together decide the column types, so an accident shall not
 *   tear them apart
 */
export function judge(error: SluiceError, unexplained: number, attempts: number, first: boolean): Verdict {
  if (error.code === 'FENCED') return 'drop'
  const last = lastSeen(error)
  if (last?.guilty === true) return first && last.stray && attempts === 1 ? 'again' : 'split'
  if (attempts >= MAX_ATTEMPTS) return 'stop'
  if (error.kind === 'conflict') return 'again'
  if (error.code === 'ENGINE_DIED') return unexplained < MAX_DEATHS ? 'again' : 'stop'
  return 'stop'
}

/** Memory that DuckDB asked for in vain is a death that it survived: smaller batches need less, and one file may be to blame. */
export function lastSeen(error: SluiceError): LastSeen | null {
  if (error.code === 'MEMORY_EXHAUSTED') return { how: `ran out of memory (${error.message.split('\n')[0]})`, begun: null, offset: null, guilty: true, silent: false, memory: true, stray: false }
  return error instanceof WorkerDied ? error.last : null
}

/** So many parts are made of a batch whose process fell silent after reading: seconds are waited for the one that is guilty. */
const SILENT_PARTS = 8

/**
 * How a batch is cut after a death: the arrival that was being read alone, and the rest; none was: in halves, or, when the
 * death was a silence, in eight.
 */
export function groupsOf({ arrivals }: Batch, { begun, silent }: Pick<LastSeen, 'begun' | 'silent'>): number[][] {
  const seqs = arrivals.map(({ seq }) => seq)
  if (seqs.length === 1) return [seqs]
  if (begun !== null && seqs.includes(begun)) return [[begun], seqs.filter((seq) => seq !== begun)]
  const size = Math.ceil(seqs.length / (silent ? SILENT_PARTS : 2))
  return Array.from({ length: Math.ceil(seqs.length / size) }, (_, at) => seqs.slice(at * size, (at + 1) * size))
}

/** A batch of one arrival over which a process died is under suspicion: nothing else of this process commits beside it. */
export function isSuspect({ arrivals }: Batch): boolean {
  return (arrivals[0]?.deaths?.length ?? 0) > 0
}

/** Enough processes died of this arrival alone. */
export function isCondemned({ arrivals }: Batch): boolean {
  return arrivals.length === 1 && deathsAlone(arrivals[0]?.deaths ?? []) >= DEADLY
}
