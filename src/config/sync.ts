/** The settings of `sync`: the interface for programs, and the one table that declares them everywhere else. */
import { LOAD_SETTINGS } from './load.ts'
import type { SettingTable } from './settings.ts'

/** Settings of `sync()`; each is the command's flag of the same name. */
export interface SyncSettings {
  /** The folder that is copied. */
  from: string
  /** The folder of the copies; made when it is not there. */
  to: string
  /** Remove copies whose sources are gone. */
  mirror?: boolean
  /** Replace files in the way that Sluice did not put there. */
  overwrite?: boolean
  /** Read everything again, at both ends. */
  verify?: boolean
  /** Exit 0 also when something failed or waits. */
  allowPartial?: boolean
  /** Threads that copy. */
  jobs?: number
}

const { allowPartial, jobs } = LOAD_SETTINGS

export const SYNC_SETTINGS: SettingTable<SyncSettings> = {
  from: { kind: 'path', of: 'table', flag: false, variable: false, needed: true, help: 'the folder that is copied' },
  to: { kind: 'path', of: 'table', flag: false, variable: false, needed: true, help: 'the folder of the copies' },
  mirror: { kind: 'switch', of: 'table', help: 'remove copies whose sources are gone' },
  overwrite: { kind: 'switch', of: 'table', lasting: false, help: 'replace files in the way that Sluice did not put there' },
  verify: { kind: 'switch', of: 'table', lasting: false, help: 'read everything again at both ends and compare' },
  allowPartial: { ...allowPartial, help: 'exit 0 also when something failed or waits' },
  jobs: { ...jobs, help: 'threads that copy (at most 64)', fallback: 'as many as cores' },
}
