/**
 * What to do after a failed attempt at a batch. The only place that decides about trying again.
 */
import type { SluiceError } from '../core/errors.ts'

/** Deaths of a worker process after which a batch is not tried again by this run. */
const MAX_DEATHS = 3
/** Each conflict leaves something out or takes a newer schema; more of them than this, and somebody is wrong. */
const MAX_ATTEMPTS = 100

export type Verdict =
  /** Stage the batch again at once: the table moved on, or the worker died and may live the next time. */
  | 'again'
  /** Somebody else has the batch: let go of it. */
  | 'drop'
  /** Its only file is FAILED: three workers died of it alone. */
  | 'condemn'
  /** Give the batch back, stop the run and say why; the same command goes on later. */
  | 'stop'

/**
 * @param deaths how many workers died of this batch so far, this one included
 * @param attempts how often the batch was staged
 * @param alone the batch holds one file: nobody else can be guilty
 */
export function judge(error: SluiceError, deaths: number, attempts: number, alone: boolean): Verdict {
  if (error.code === 'FENCED') return 'drop'
  if (attempts >= MAX_ATTEMPTS) return 'stop'
  if (error.kind === 'conflict') return 'again'
  if (error.code === 'ENGINE_DIED') return deaths < MAX_DEATHS ? 'again' : alone ? 'condemn' : 'stop'
  return 'stop'
}
