/** The settings that all commands share. */
import type { SettingTable } from './settings.ts'

export const VERBOSITIES = ['error', 'warn', 'info', 'debug'] as const
export type Verbosity = (typeof VERBOSITIES)[number]

export interface GlobalSettings {
  /** Folder of the ledger and the Delta tables. */
  dataDir?: string
  /** Folder of the logs. */
  logDir?: string
  /** The least that is logged; `debug` also shows the log on the console. */
  verbosity?: Verbosity
  /** How long logs are kept, such as `14d`. */
  logKeep?: string
  /** A log file that is larger is followed by a new one, such as `64MB`. */
  logSize?: string
}

export const GLOBAL_SETTINGS: SettingTable<GlobalSettings> = {
  dataDir: { kind: 'path', of: 'run', value: 'dir', fallback: './sluice-data', help: 'folder of the ledger and the Delta tables' },
  logDir: { kind: 'path', of: 'run', value: 'dir', fallback: 'logs in the data folder', help: 'folder of the logs' },
  verbosity: { kind: 'text', of: 'run', value: 'level', choices: VERBOSITIES, fallback: 'info', help: 'the least that is logged: error, warn, info or debug; debug also shows the log on the console' },
  logKeep: { kind: 'time', of: 'run', value: 'time', flag: false, fallback: '14d', help: 'how long logs are kept' },
  logSize: { kind: 'size', of: 'run', value: 'size', flag: false, fallback: '64MB', help: 'a larger log file is followed by a new one' },
}

export const GLOBAL_DEFAULTS = { dataDir: './sluice-data', verbosity: 'info', logKeep: '14d', logSize: '64MB' } as const
