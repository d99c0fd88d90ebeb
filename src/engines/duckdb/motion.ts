/**
 * Whether DuckDB gets on with what it was told, as seen from inside its process: a statement may take long, but something
 * of it moves. Asked every second; a process whose statements stand still gives no sign of life and is stopped by its parent.
 */
import { readFileSync, readdirSync } from 'node:fs'
import type { DuckDBConnection } from '@duckdb/node-api'
import { systemClock } from '../../storage/system.ts'

/** A statement that only computes, without progress and without a byte in or out, may do so for this long; milliseconds. */
const COMPUTING_MS = 300_000
/** Microseconds of processor time between two looks that count as work. */
const WORK_US = 20_000

const connections = new Set<DuckDBConnection>()
let statements = 0
let last = { progress: '', bytes: 0, cpu: 0, moved: 0 }

export function watchConnection(raw: DuckDBConnection): void {
  connections.add(raw)
}
export function forgetConnection(raw: DuckDBConnection): void {
  connections.delete(raw)
}
/** One statement, or one step of a stream. */
export async function running<T>(work: () => Promise<T>): Promise<T> {
  statements += 1
  try {
    return await work()
  } finally {
    statements -= 1
  }
}

/** True: nothing runs, or what runs has moved since the last look. */
export function moves(): boolean {
  const now = systemClock.monotonic()
  const { user, system } = process.cpuUsage()
  const seen = { progress: progressNow(), bytes: bytesNow(), cpu: user + system, moved: last.moved }
  const moved = statements === 0 || seen.progress !== last.progress || seen.bytes !== last.bytes || waitsForDisk()
  const works = seen.cpu - last.cpu >= WORK_US && now - last.moved < COMPUTING_MS
  last = { ...seen, moved: moved ? now : last.moved }
  return moved || works
}

function progressNow(): string {
  return [...connections].map(({ progress }) => `${progress.percentage}/${progress.rows_processed}`).join()
}

/** Bytes in and out of this process. Where /proc is not there, blocks as the system counts them. */
function bytesNow(): number {
  try {
    return [...readFileSync('/proc/self/io', 'latin1').matchAll(/^[rw]char: (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0)
  } catch {
    const { fsRead, fsWrite } = process.resourceUsage()
    return fsRead + fsWrite
  }
}

/** Some thread of this process does: a disk that does not answer is not its fault. */
export function waitsForDisk(): boolean {
  try {
    return readdirSync('/proc/self/task').some((task) => /\) D /.test(readFileSync(`/proc/self/task/${task}/stat`, 'latin1')))
  } catch {
    return false
  }
}
