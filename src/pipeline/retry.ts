/**
 * What to do after a failed attempt at a batch. The only place that decides about trying again.
 */
import type { SluiceError } from '../core/errors.ts'

/** Deaths of a worker process after which the files of a batch are FAILED. */
export const MAX_DEATHS = 3

export type Verdict =
  /** Stage the batch again at once: the table moved on, or the worker died and may live the next time. */
  | 'again'
  /** Somebody else has the batch: let go of it. */
  | 'drop'
  /** Its files are FAILED: three workers died of it. */
  | 'condemn'
  /** Give the batch back, stop the run and say why; the same command goes on later. */
  | 'stop'

/** @param deaths how many workers died of this batch so far, this one included */
export function judge(error: SluiceError, deaths: number): Verdict {
  if (error.code === 'FENCED') return 'drop'
  if (error.kind === 'conflict') return 'again'
  if (error.code === 'ENGINE_DIED') return deaths < MAX_DEATHS ? 'again' : 'condemn'
  return 'stop'
}
