/**
 * Pipelines as a configuration file writes them. A pipeline is told by the member that names its verb, and that member
 * says what it works on:
 *
 *   { load: 'in/*.json', into: 'orders', key: ['id', 'ts'] }
 */
import type { Format } from '../core/reading.ts'
import type { ColumnType } from '../core/schema.ts'
import type { GlobalSettings } from './globals.ts'
import type { OutputFormat } from '../core/convert.ts'
import { CONVERT_SETTINGS } from './convert.ts'
import type { ConvertSettings } from './convert.ts'
import { LOAD_SETTINGS } from './load.ts'
import type { LoadSettings } from './load.ts'
import { SYNC_SETTINGS } from './sync.ts'
import type { SyncSettings } from './sync.ts'
import type { AnyTable } from './settings.ts'

type Size = `${number}${'B' | 'KB' | 'kB' | 'MB' | 'GB' | 'TB' | 'KiB' | 'MiB' | 'GiB'}`
type Time = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

type Place = `delta:${string}` | `sqlite:${string}` | `duckdb:${string}` | `postgres://${string}` | `postgresql://${string}`

/** Members that a configuration may write in more ways than a flag, or that are worth a closer type. */
interface Typed {
  key: string | readonly string[]
  columns: string | Readonly<Record<string, ColumnType>>
  mode: 'append' | 'dedupe' | 'upsert' | 'replace'
  format: Format
  keep: 'first' | 'last' | 'error' | `max:${string}` | `min:${string}`
  to: Place | readonly Place[]
  maxBad: number | `${number}` | `${number}%`
  grace: Time
  memory: Size
  logKeep: Time
  logSize: Size
}
type Wide<T> = { [Name in keyof T]: Name extends keyof Typed ? Typed[Name] : T[Name] }

/** Members that no configuration has: they are for one command line. */
type OneTime = 'reload' | 'adopt' | 'overwrite' | 'verify'

/** What every pipeline has. */
interface Named {
  /** Needed where the file exports one pipeline; in `pipelines` its member is its name. */
  name?: string
}

/** Files into a table. Members are the flags of `sluice load`; docs/reference/config.md tells them. */
export interface LoadPipeline extends Named, Omit<Wide<LoadSettings>, 'paths' | 'models' | OneTime> {
  /** Files, folders or patterns; relative to the configuration file, as `models` is. */
  load: string | readonly string[]
  /** Folders of `.sql` files, or files. */
  models?: string | readonly string[]
}

/** Files into files of another format. Members are the flags of `sluice convert`. */
export interface ConvertPipeline extends Named, Omit<Wide<Omit<ConvertSettings, 'to'>>, 'paths' | OneTime> {
  /** Files, folders or patterns; relative to the configuration file, as `output` is. */
  convert: string | readonly string[]
  to: OutputFormat
}

/** A folder into an exact copy of it. Members are the flags of `sluice sync`. */
export interface SyncPipeline extends Named, Omit<SyncSettings, 'from' | OneTime> {
  /** The folder that is copied; relative to the configuration file, as `to` is. */
  sync: string
}

export type Pipeline = LoadPipeline | ConvertPipeline | SyncPipeline

/** Members of `defaults`: what holds for every pipeline that does not say otherwise. */
export type Defaults = Wide<GlobalSettings> & Partial<Pick<Wide<LoadSettings>, 'to' | 'onBad' | 'maxBad' | 'grace' | 'allowPartial' | 'jobs' | 'memory'>>

export interface Config {
  pipelines: Readonly<Record<string, Pipeline>>
  defaults?: Defaults
}

/** The verbs that a pipeline may have, and the table of its members. `source` is the setting that the verb's member gives. */
export const VERBS: Readonly<Record<string, { table: AnyTable; source: string }>> = {
  load: { table: LOAD_SETTINGS, source: 'paths' },
  convert: { table: CONVERT_SETTINGS, source: 'paths' },
  sync: { table: SYNC_SETTINGS, source: 'from' },
}

/** Types a pipeline for the editor and for `tsc`; what it may hold is checked again when the file is read. */
export function definePipeline(pipeline: Pipeline): Pipeline {
  return pipeline
}

/** Types a configuration of several pipelines. */
export function defineConfig(config: Config): Config {
  return config
}
