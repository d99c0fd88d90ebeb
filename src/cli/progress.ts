/**
 * How far a load or a conversion is: one line that is painted over on a terminal, or a line now and then elsewhere.
 *
 *   bar    one aggregate line, at most ten paints a second, erased at the end
 *   plain  a line with the time per 10 seconds or 10 %, at most one a second
 *   none   nothing
 */
import type { Clock } from '../core/effects.ts'
import type { LoadEvent } from '../core/events.ts'
import { bytes, clock, number, rate } from './format.ts'
import type { Output, ProgressMode, Stream } from './output.ts'

const PAINT_EVERY = 100
const LINE_EVERY = 10_000
const LINE_AFTER = 1000
const BAR_CELLS = 24

/** Everything a run has read so far, and has to read. */
export interface Reading {
  bytes: number
  total: number
  records: number
  files: number
  filesTotal: number
  /** What goes on when everything is read; null before. */
  doing: Doing | null
}

type Doing = 'sorting out' | 'committing' | 'closing'

/** The phase that ended says what goes on now; a batch that is made again is read again. */
const AFTER: Readonly<Record<Extract<LoadEvent, { kind: 'phase' }>['phase'], Doing>> = {
  recovered: 'sorting out',
  staged: 'committing',
  committed: 'closing',
  settled: 'closing',
}
const STEPS: readonly Doing[] = ['sorting out', 'committing', 'closing']

/** Adds up the events of a run. A batch that is staged again counts anew, so its own last figures stand. */
export class Reckoning {
  private total = { files: 0, bytes: 0 }
  private readonly batches = new Map<string, { files: number; bytes: number; records: number; doing: Doing }>()

  /** True when the event changed the figures. */
  take(event: LoadEvent): boolean {
    if (event.kind === 'discovered') this.total = { files: event.files, bytes: event.bytes }
    else if (event.kind === 'progress') this.batches.set(event.batch, { files: event.files, bytes: event.bytes, records: event.records, doing: 'sorting out' })
    else if (event.kind === 'phase') {
      const batch = this.batches.get(event.batch)
      if (batch === undefined) return false
      batch.doing = AFTER[event.phase]
    } else return false
    return true
  }

  get reading(): Reading {
    const sum = { files: 0, bytes: 0, records: 0 }
    let step = STEPS.length - 1
    for (const batch of this.batches.values()) {
      sum.files += batch.files
      sum.bytes += batch.bytes
      sum.records += batch.records
      // Batches commit one after another: the line tells of the one that is behind the others.
      step = Math.min(step, STEPS.indexOf(batch.doing))
    }
    const filesTotal = Math.max(this.total.files, sum.files)
    const read = filesTotal > 0 && sum.files === filesTotal
    return { ...sum, total: this.total.bytes, filesTotal, doing: read ? (STEPS[step] ?? null) : null }
  }
}

export interface Progress {
  on(event: LoadEvent): void
  /** Erases the line. */
  end(): void
}

/** What `auto` means here: a bar only where a person looks at a terminal that can move its cursor. */
export function resolveMode(mode: ProgressMode, stream: Stream, env: NodeJS.ProcessEnv): 'bar' | 'plain' | 'none' {
  if (mode !== 'auto') return mode
  const ci = env['CI'] !== undefined && env['CI'] !== '' && env['CI'] !== 'false'
  return stream.isTTY === true && env['TERM'] !== 'dumb' && !ci ? 'bar' : 'plain'
}

export function progressOf(output: Output, timer: Clock, env: NodeJS.ProcessEnv = process.env, verb = 'load'): Progress {
  const { globals } = output
  const mode = globals.quiet === true ? 'none' : resolveMode(globals.progress ?? 'auto', output.stderr, env)
  if (mode === 'none') return { on() {}, end() {} }
  return mode === 'bar' ? barOf(output, timer, verb) : plainOf(output, timer, verb)
}

function barOf(output: Output, timer: Clock, verb: string): Progress {
  const started = timer.monotonic()
  const reckoning = new Reckoning()
  let painted = Number.NEGATIVE_INFINITY
  let doing: Doing | null = null
  let shown = false
  const erase = (): void => {
    if (shown) output.stderr.write('\r\u001b[2K')
    shown = false
  }
  output.beforeNote = erase
  return {
    on(event) {
      if (!reckoning.take(event)) return
      const now = timer.monotonic()
      const { reading } = reckoning
      // A step that begins is told at once: no event may follow for as long as it takes.
      if (now - painted < PAINT_EVERY && reading.doing === doing) return
      painted = now
      doing = reading.doing
      const line = `  ${verb} ${barLine(reading, now - started)}`
      const room = (output.stderr.columns ?? 80) - 1
      output.stderr.write(`\r\u001b[2K${Array.from(line).slice(0, room).join('')}`)
      shown = true
    },
    end() {
      erase()
      output.beforeNote = null
    },
  }
}

function plainOf(output: Output, timer: Clock, verb: string): Progress {
  const started = timer.monotonic()
  const reckoning = new Reckoning()
  let saidAt = started
  let saidTenth = 0
  let doing: Doing | null = null
  return {
    on(event) {
      if (!reckoning.take(event)) return
      const now = timer.monotonic()
      const { reading } = reckoning
      const tenth = Math.floor(fraction(reading) * 10)
      // What is over within a second needs no news of its progress, and nobody reads more than a line a second.
      const pause = tenth > saidTenth || reading.doing !== doing ? LINE_AFTER : LINE_EVERY
      if (now - saidAt < pause) return
      saidAt = now
      saidTenth = tenth
      doing = reading.doing
      output.note(`${new Date(timer.now()).toISOString().slice(0, 19)}Z  ${verb} ${factsOf(reading, now - started)}`)
    },
    end() {},
  }
}

function fraction(reading: Reading): number {
  // A file that failed was not read to its end: its bytes never come.
  if (reading.doing !== null) return 1
  if (reading.total > 0) return Math.min(1, reading.bytes / reading.total)
  return reading.filesTotal > 0 ? Math.min(1, reading.files / reading.filesTotal) : 0
}

/** `━━━━━━━╸────  68 %  8/12 files  81.2 MB  412k records/s  ~0:02` */
export function barLine(reading: Reading, elapsed: number): string {
  const cells = fraction(reading) * BAR_CELLS
  const full = Math.floor(cells)
  const half = full < BAR_CELLS && cells - full >= 0.5 ? '╸' : ''
  return `${'━'.repeat(full)}${half}${'─'.repeat(BAR_CELLS - full - half.length)} ${factsOf(reading, elapsed)}`
}

function factsOf(reading: Reading, elapsed: number): string {
  const done = fraction(reading)
  const seconds = elapsed / 1000
  const parts = [
    `${String(Math.floor(done * 100)).padStart(3)} %`,
    `${number(reading.files)}/${number(reading.filesTotal)} files`,
    bytes(reading.bytes),
    ...(seconds > 0.5 && reading.records > 0 ? [`${rate(reading.records / seconds)} records/s`] : []),
    ...(done > 0.02 && done < 1 && seconds > 1 ? [`~${clock(Math.ceil((seconds / done) * (1 - done)))}`] : []),
    ...(reading.doing === null ? [] : [reading.doing]),
  ]
  return parts.join('  ')
}
