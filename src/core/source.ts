/** The source port: where arrivals come from. */
import type { Pin } from './arrival.ts'

export interface Discovery {
  /** In no order: most of them are known in most runs, and only what is new is numbered. */
  pins: Pin[]
  /** Left out by the rules: hidden names, unfinished copies, other extensions, links. */
  ignored: number
}

export interface Source {
  /**
   * Lists what there is. Cheap; may be repeated.
   * @throws SluiceError PATH_NOT_FOUND, PERMISSION_DENIED
   */
  discover(signal?: AbortSignal): Promise<Discovery>
  /** The order in which arrivals are numbered: negative when `a` comes first. */
  compare(a: Pin, b: Pin): number
}
