/**
 * Deaths of worker processes: what is known of one, and when a file is to blame.
 *
 * Only deaths of a process that held one file and did nothing else count (`alone`). A death is written down by the parent
 * that saw it: a parent that is killed, and its workers with it, condemns nobody. See docs/decisions/poison.md.
 */
import { SluiceError } from './errors.ts'
import type { Fault, Where } from './errors.ts'

/** One death, as the ledger keeps it with the arrival. */
export interface Death {
  /** Which attempt at the arrival it was, as counted by the ledger. */
  attempt: number
  /** Nothing but this arrival was in work: it counts. Else the arrival was the one being read when others were with it. */
  alone: boolean
  /** `was killed by SIGSEGV`, `ended with exit code 7`, `was stopped: …`. */
  how: string
  /** Bytes of the file that had been read; null: it was not being read any more. */
  offset: number | null
  /** Milliseconds since 1970. */
  at: number
  /** It was for want of memory. */
  memory?: true
}

/** What is told to the ledger; the rest it knows. */
export interface Mourned {
  seq: number
  how: string
  offset: number | null
  memory?: true
}

/** So many deaths alone condemn an arrival. */
export const DEADLY = 3
/** So many deaths of an arrival are kept, the newest. */
export const KEPT_DEATHS = 10

/** What the engine knows of the end of a process. */
export interface LastSeen {
  how: string
  /** Number of the arrival that was being read; null: none. */
  begun: number | null
  /** Bytes of it that had been read. */
  offset: number | null
  /** The process had begun this call, and served nobody else: whatever killed it lies in this call. */
  guilty: boolean
  /** It was stopped because it gave no sign of life: each such death costs seconds. */
  silent: boolean
  /** It took more memory than it was granted. */
  memory: boolean
  /** Killed by somebody outside (an operator, the system for want of memory): perhaps by accident. */
  stray: boolean
}

/** ENGINE_DIED with what was last seen of the process. */
export class WorkerDied extends SluiceError {
  readonly last: LastSeen
  constructor(message: string, last: LastSeen, where: Where = {}) {
    super('ENGINE_DIED', message, { where })
    this.last = last
  }
}

export function deathsAlone(deaths: readonly Death[]): number {
  return deaths.filter(({ alone }) => alone).length
}

/** `attempt 2 was killed by SIGSEGV (read up to byte 4096)`. */
export function describeDeath({ attempt, how, offset }: Death): string {
  return `attempt ${attempt} ${how} (read ${offset === null ? 'to its end' : `up to byte ${offset}`})`
}

/**
 * Why an arrival is FAILED: every death that counts, in words. A file that was read to its end each time, and whose processes
 * wanted more memory afterwards, is no poison: MEMORY_EXHAUSTED. What makes its reader grow is.
 */
export function poisoned(path: string, deaths: readonly Death[]): Fault {
  const counted = deaths.filter(({ alone }) => alone)
  const last = counted.at(-1)
  const each = counted.map(describeDeath).join('; ')
  if (counted.every(({ memory, offset }) => memory === true && offset === null)) {
    return { code: 'MEMORY_EXHAUSTED', path, message: `${path}: to load it takes more memory than the engine has of --memory: ${each}.` }
  }
  return {
    code: 'FILE_POISONED',
    path,
    message: `${path}: the worker process died ${counted.length} times while it had this file alone: ${each}.`,
    ...(last === undefined || last.offset === null ? {} : { offset: last.offset }),
  }
}
