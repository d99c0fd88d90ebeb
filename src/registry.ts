/** The only list of what exists: a scheme and the module that knows it. Everything is imported when it is first used. */
import type { Clock, Random } from './core/effects.ts'
import type { Converter } from './core/convert.ts'
import type { Inspector } from './core/inspect.ts'
import type { Engine } from './core/engine.ts'
import type { Target } from './core/target.ts'

/** What a target is made from. */
export interface TargetSettings {
  /** What follows the scheme, as an absolute path. */
  location: string
  clock: Clock
  random: Random
}

export const TARGETS: Readonly<Record<string, (settings: TargetSettings) => Promise<Target>>> = {
  delta: async ({ location, clock, random }) => (await import('./connectors/delta/target.ts')).openDeltaTarget({ root: location, clock, random }),
  sqlite: async ({ location }) => (await import('./connectors/sqlite/target.ts')).openSqliteTarget({ file: location }),
}

/** Targets of the design that are not built yet. */
export const LATER_TARGETS: readonly string[] = ['postgres', 'postgresql', 'duckdb', 'kafka', 's3', 'parquet', 'files']

export interface EngineSettings {
  /** Bytes that all processes together may hold (PSS). */
  memory: number
  /** Processes at most; absent: as many as memory and cores allow. */
  jobs?: number
  /** Folder for what spills; asked when it is first needed. */
  spool: () => string
}

/** `jobs`: stages that can run at once; `notice`: said once; `warm` starts a process ahead of its first use. */
export type OpenedEngine = Engine & Converter & Inspector & { jobs: number; notice: string | null; warm(): void }

export const ENGINES: Readonly<Record<string, (settings: EngineSettings) => Promise<OpenedEngine>>> = {
  duckdb: async (settings) => (await import('./engines/duckdb/engine.ts')).openDuckdbEngine(settings),
}
