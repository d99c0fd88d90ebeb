/** The log of a command that works: where it goes, what is logged, and what is said when it cannot be written. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { asSluiceError } from '../core/errors.ts'
import type { LoadEvent } from '../core/events.ts'
import { parseDuration, parseSize } from '../core/units.ts'
import { GLOBAL_DEFAULTS } from '../config/globals.ts'
import type { Fields, Level, Log } from '../logging/log.ts'
import { systemClock } from '../storage/system.ts'
import type { Output } from './output.ts'
import { version } from './version.ts'

/** Where the logs of a data folder are: its `logs/`, unless --log-dir or a variable says otherwise. */
export function logFolder(output: Output, dataDir = output.dataDir): string {
  const named = output.surroundings?.globals.values.logDir
  return resolve(named ?? join(dataDir, 'logs'))
}

export interface CommandLog extends Log {
  /** An error that ended the command. Makes no data folder for it. */
  failed(thrown: unknown, fields?: Fields): void
}

/**
 * Opens the log of a command that changes something. Folder and file are made with the first line.
 * @throws SluiceError USAGE when a setting of the log cannot be understood
 */
export async function openCommandLog(output: Output, dataDir = output.dataDir): Promise<CommandLog> {
  const { openLog } = await import('../logging/log.ts')
  const settings = { ...GLOBAL_DEFAULTS, ...output.surroundings?.globals.values }
  const folder = logFolder(output, dataDir)
  const log = openLog({
    folder,
    level: settings.verbosity,
    size: parseSize('logSize', settings.logSize),
    keep: parseDuration('logKeep', settings.logKeep),
    now: () => systemClock.now(),
    version: version(),
    console: settings.verbosity === 'debug' ? (level, message, fields) => output.note(consoleLine(level, message, fields, systemClock.now())) : null,
    onFault: (error) => output.note(`  note: ${error.message}. Nothing more is logged; the work goes on.`),
  })
  return {
    ...log,
    failed(thrown, fields = {}) {
      if (!existsSync(resolve(dataDir)) && !existsSync(folder)) return
      const error = asSluiceError(thrown)
      log.line('error', error.message, { ...fields, code: error.code, ...error.where, exit: error.exit, ...(error.code === 'INTERNAL' && error.cause instanceof Error ? { stack: error.cause.stack } : {}) })
    },
  }
}

/** `12:03:04.567 info  arrival loaded  path=in/a.json records=500` */
export function consoleLine(level: Level, message: string, fields: Fields, now: number): string {
  const facts = Object.entries(fields).flatMap(([name, value]) => (value === undefined || value === null ? [] : [`${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`]))
  return `${new Date(now).toISOString().slice(11, 23)} ${level.padEnd(5)} ${message}${facts.length === 0 ? '' : `  ${facts.join(' ')}`}`
}

/** The line of --ndjson for an event of a load. `run` is the one that it belongs to. */
export function eventDocument(event: LoadEvent | { kind: string }, run: string | null, now: number): object {
  const { kind, ...rest } = event
  return { schema: 'sluice.event/1', event: kind, time: new Date(now).toISOString(), run, ...rest }
}
