/**
 * The log: one JSON line per run, phase and arrival, with the ids that lead from one to the other. Never a line per record.
 *
 * Lines go to the file the moment they are made, so none is lost whatever ends the process. A log that cannot be written
 * is said once and disturbs nothing.
 */
import { pino } from 'pino'
import type { Logger } from 'pino'
import type { Fault } from '../core/errors.ts'
import type { LoadEvent } from '../core/events.ts'
import { redact } from '../core/secret.ts'
import { openLogFile } from '../storage/logFile.ts'
import type { LogFileSettings } from '../storage/logFile.ts'

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof LEVELS)[number]

export type Fields = Readonly<Record<string, string | number | boolean | null | undefined | object>>

export interface LogSettings extends LogFileSettings {
  /** The least that is logged. */
  level: Level
  /** Version of Sluice, for the line that begins a run. */
  version: string
  /** Also gets every line, for people; null: the file alone. */
  console: ((level: Level, message: string, fields: Fields) => void) | null
}

export interface Log {
  line(level: Level, message: string, fields?: Fields): void
  /** The line that an event of a load makes, if it makes one. */
  event(event: LoadEvent): void
  /** The last line of a run. */
  ended(result: RunEnd): void
  close(): void
}

/** What the end of a run tells: members of `LoadResult`. */
export interface RunEnd {
  run: string
  state: string
  exit: number
  table: string
  balance: object
  files: object
  errors: readonly Fault[]
  ms: number
}

export function openLog(settings: LogSettings): Log {
  const file = openLogFile(settings)
  const logger: Logger = pino(
    {
      level: settings.level,
      base: { pid: process.pid },
      timestamp: () => `,"time":"${new Date(settings.now()).toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    { write: (line: string) => file.write(redact(line)) },
  )
  /** Ids that every line of the run has. */
  let ids: Fields = {}
  const line = (level: Level, message: string, fields: Fields = {}): void => {
    const all = { ...ids, ...fields }
    logger[level](all, message)
    if (settings.console !== null && logger.isLevelEnabled(level)) settings.console(level, message, all)
  }
  return {
    line,
    event(event) {
      switch (event.kind) {
        case 'run.started':
          ids = { run: event.run, table: event.table }
          return line('info', 'run started', { target: event.target, version: settings.version })
        case 'discovered':
          return line('info', 'discovered', { files: event.files, bytes: event.bytes, known: event.known, ignored: event.ignored })
        case 'arrival.ended': {
          const { outcome } = event
          const level = outcome.state === 'failed' || outcome.state === 'waiting' ? 'warn' : 'info'
          const fault = outcome.fault === null ? {} : { code: outcome.fault.code, fault: outcome.fault.message, offset: outcome.fault.offset }
          return line(level, `arrival ${outcome.state}`, { batch: event.batch, seq: outcome.seq, path: event.path, bytes: outcome.bytes, records: outcome.read, ms: Math.round(event.ms), ...fault })
        }
        case 'phase':
          return line(event.phase === 'recovered' ? 'warn' : 'info', event.phase, { batch: event.batch, ms: Math.round(event.ms), detail: event.detail })
        case 'model': {
          const { name, state, how, groups, rows, message } = event.outcome
          return line(state === 'fresh' ? 'info' : 'warn', `model ${state}`, { model: name, how, groups, rows, ...(message === null ? {} : { fault: message }) })
        }
        case 'progress':
          return line('debug', 'progress', { batch: event.batch, files: event.files, bytes: event.bytes, records: event.records })
        case 'notice':
          return line('info', 'notice', { text: event.text })
      }
    },
    ended({ run, state, exit, table, balance, files, errors, ms }) {
      const [first] = errors
      const fault = first === undefined ? {} : { code: first.code, fault: first.message }
      line(state === 'FAILED' ? 'error' : exit === 0 ? 'info' : 'warn', 'run ended', { run, table, state, exit, balance, files, ms, ...fault })
    },
    close: () => file.close(),
  }
}
