/** The source port: where arrivals come from. */
import type { Pin } from './arrival.ts'

export interface Discovery {
  pins: Pin[]
  /** Left out by the rules: hidden names, unfinished copies, other extensions, links. */
  ignored: number
}

export interface Source {
  /**
   * Lists what there is, in the order in which arrivals are numbered. Cheap; may be repeated.
   * @throws SluiceError PATH_NOT_FOUND, PERMISSION_DENIED
   */
  discover(signal?: AbortSignal): Promise<Discovery>
}
