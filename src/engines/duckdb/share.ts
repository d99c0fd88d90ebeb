/**
 * How the memory of a command is divided among processes.
 *
 * 150 MB are the parent's; every child gets an equal share of the rest, at least 350 MB. DuckDB may use half of a share;
 * the other half is for V8, for buffers outside its heap, and for what DuckDB does not count.
 */
import { SluiceError } from '../../core/errors.ts'

const MB = 1_000_000
const PARENT = 150 * MB
const CHILD = 350 * MB
/** Code, stacks and libraries of a child, and buffers outside V8's heap. */
const OUTSIDE_HEAP = 100
/** What a thread of DuckDB wants for itself. */
const THREAD = 100 * MB

export interface Share {
  /** Child processes at the same time. */
  jobs: number
  /** Said once when the user asked for more jobs than fit. */
  notice: string | null
  /** Bytes that all children may take together; beyond them the largest is stopped. */
  most: number
  /** Bytes that DuckDB may use in one child. */
  duckdb: number
  /** Threads of DuckDB in one child. */
  threads: number
  /** V8 flags of a child. */
  flags: string[]
}

/**
 * @param memory bytes for all processes
 * @param wanted --jobs, if given
 * @throws SluiceError MEMORY_TOO_SMALL
 */
export function divide(memory: number, cores: number, wanted?: number): Share {
  if (memory < 512 * MB) throw new SluiceError('MEMORY_TOO_SMALL', `--memory of ${Math.floor(memory / MB)} MB is below 512 MB.`)
  const most = Math.max(1, Math.min(cores, Math.floor((memory - PARENT) / CHILD)))
  const jobs = Math.max(1, Math.min(most, wanted ?? most))
  const notice =
    wanted !== undefined && wanted > most
      ? `--jobs ${wanted} is lowered to ${most}: ${cores} ${cores === 1 ? 'core' : 'cores'} and ${Math.floor(memory / MB)} MB of memory are enough for ${most}.`
      : null
  const half = Math.floor((memory - PARENT) / jobs / 2)
  const heap = Math.max(64, Math.floor(half / MB) - OUTSIDE_HEAP)
  return {
    jobs,
    notice,
    most: memory - PARENT,
    duckdb: half,
    // Commits follow one another, so one child often works alone: it may use the cores that the others leave idle.
    threads: Math.max(1, Math.floor(cores / jobs), Math.min(cores, Math.floor(half / THREAD))),
    flags: [`--max-old-space-size=${heap}`, '--max-semi-space-size=8'],
  }
}
