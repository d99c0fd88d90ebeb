/**
 * The watchdog: stops a process that gives no sign of life or takes more memory than its share, so that one file can
 * neither hold up nor starve the others. Why these limits: docs/decisions/poison.md.
 *
 * Silence is time in which it could have given a sign: not while it waits for a disk or is halted, and only when it had the
 * processor for a good part of it. Memory and that time are read from /proc; elsewhere silence is wall time, and memory is
 * bounded by V8's and DuckDB's own limits.
 */
import { readFileSync } from 'node:fs'
import type { Seen } from '../../storage/pulse.ts'
import { systemClock } from '../../storage/system.ts'

/** Milliseconds after which a silent process is stopped. A sign of life comes every second or 16 MB. */
export const SILENCE_MS = 8_000
/** The same for a process that decides a group of suspects: whoever loses it is only cut smaller, never condemned. */
export const SUSPECT_SILENCE_MS = 3_000
/** So much of the silence it must have been running or asleep: on a busy machine it may just not get the processor. */
const OWN_SHARE = 3 / 8
/** Between two looks; milliseconds. Memory can be taken by a gigabyte a second. */
export const LOOK_MS = 100
/** A look that comes late counts for no more than this. */
const LONGEST_LOOK_MS = 1_000
/** /proc counts processor time in hundredths of a second on every Linux. */
const TICK_MS = 10

/** Waiting for a disk, halted, traced. */
const HELD_UP = ['D', 'T', 't']

export interface Watched {
  readonly pid: number | undefined
  /** It has been asked for something. */
  readonly busy: boolean
  /** Milliseconds of silence that are granted while nothing is read, where they are fewer than usual. */
  readonly patience: number | null
  seen(): Seen
  /** Ends it; `why` completes "The worker process was stopped: …". @param silent it gave no sign of life */
  stop(why: string, silent: boolean): void
}

interface Record {
  beats: number
  cpu: number
  at: number
  silent: number
  own: number
  /** Bytes of its resident memory that belong to others. */
  shared: number
}

export class Watch {
  /** Bytes of memory that all processes may take together. */
  private readonly memory: number
  private readonly records = new WeakMap<Watched, Record>()

  private readonly silence: number

  constructor(memory: number, silence: number = SILENCE_MS) {
    this.memory = memory
    this.silence = silence
  }

  look(processes: Iterable<Watched>): void {
    const all = [...processes].flatMap((process) => (process.pid === undefined ? [] : [{ process, pid: process.pid }]))
    for (const { process, pid } of all) this.listen(process, pid)
    const shared = ({ process }: { process: Watched }): number => this.records.get(process)?.shared ?? 0
    if (all.reduce((sum, one) => sum + residentOf(one.pid) - shared(one), 0) <= this.memory) return
    const sizes = all.map(({ process, pid }) => {
      const bytes = proportionalOf(pid)
      const record = this.records.get(process)
      if (record !== undefined) record.shared = Math.max(0, residentOf(pid) - bytes)
      return { process, bytes }
    })
    const largest = sizes.toSorted((one, two) => two.bytes - one.bytes)[0]
    if (largest === undefined || sizes.reduce((sum, { bytes }) => sum + bytes, 0) <= this.memory) return
    largest.process.stop(`it took ${mb(largest.bytes)} MB of memory; all together may have ${mb(this.memory)} MB`, false)
  }

  private listen(process: Watched, pid: number): void {
    const last = this.records.get(process)
    const now = systemClock.monotonic()
    const { beats, seq } = process.seen()
    const most = seq === null ? Math.min(this.silence, process.patience ?? this.silence) : this.silence
    if (last === undefined || !process.busy || last.beats !== beats) {
      this.records.set(process, { beats, cpu: timeOf(pid).cpu, at: now, silent: 0, own: 0, shared: last?.shared ?? 0 })
      return
    }
    const passed = Math.min(LONGEST_LOOK_MS, now - last.at)
    const { cpu, state } = timeOf(pid)
    const used = Math.min(passed, cpu - last.cpu)
    last.silent += HELD_UP.includes(state) ? used : passed
    // Asleep in its own code it is idle for no reason that another could give.
    last.own += state === 'S' ? passed : used
    last.cpu = cpu
    last.at = now
    if (last.silent >= most && last.own >= most * OWN_SHARE) process.stop(`it made no progress for ${most / 1000} s`, true)
  }
}

function mb(bytes: number): number {
  return Math.round(bytes / 1e6)
}

/** Resident bytes, shared ones included; 0 without /proc, or when the process has just ended. */
function residentOf(pid: number): number {
  return kilobytes(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB/m)
}

/** Bytes, the shared ones divided among those who share them. Costs a walk over all pages: only asked when it matters. */
function proportionalOf(pid: number): number {
  return kilobytes(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB/m)
}

function kilobytes(path: string, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(path, 'latin1'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** Processor time in milliseconds and the state of the main thread; without /proc: always asleep, so that wall time counts. */
function timeOf(pid: number): { cpu: number; state: string } {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')
    return { cpu: (Number(fields[11]) + Number(fields[12])) * TICK_MS, state: fields[0] ?? '' }
  } catch {
    return { cpu: 0, state: 'S' }
  }
}
