/** The only list of what exists: a scheme and the module that knows it. Everything is imported when it is first used. */
import type { SourceAddress } from './core/address.ts'
import type { Console } from './core/console.ts'
import type { Clock, Random } from './core/effects.ts'
import type { Converter } from './core/convert.ts'
import type { Inspector } from './core/inspect.ts'
import type { Engine } from './core/engine.ts'
import type { Secret } from './core/secret.ts'
import type { TableSource } from './core/source.ts'
import type { Target } from './core/target.ts'

/** What a target is made from. */
export interface TargetSettings {
  /** What follows the scheme, as an absolute path; of a server its address without password and options. */
  location: string
  /** Options of an address, and a password that counts for this command only. */
  options?: string
  secret?: Secret
  clock: Clock
  random: Random
}

export const TARGETS: Readonly<Record<string, (settings: TargetSettings) => Promise<Target>>> = {
  delta: async ({ location, clock, random }) => (await import('./connectors/delta/target.ts')).openDeltaTarget({ root: location, clock, random }),
  sqlite: async ({ location }) => (await import('./connectors/sqlite/target.ts')).openSqliteTarget({ file: location }),
  duckdb: async ({ location }) => (await import('./connectors/duckdb/target.ts')).openDuckdbTarget({ file: location }),
  postgres: async ({ location, options, secret }) =>
    (await import('./connectors/postgres/target.ts')).openPostgresTarget({ url: options === undefined ? location : `${location}?${options}`, ...(secret === undefined ? {} : { secret }) }),
}

/** Targets of the design that are not built yet. */
export const LATER_TARGETS: readonly string[] = ['kafka', 's3', 'parquet', 'files']

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

/** Starts a process of an engine before it is opened. */
export const EARLY: Readonly<Record<string, (memory: number) => Promise<void>>> = {
  duckdb: async (memory) => (await import('./engines/duckdb/ready.ts')).startEarly(memory),
}

export const ENGINES: Readonly<Record<string, (settings: EngineSettings) => Promise<OpenedEngine>>> = {
  duckdb: async (settings) => (await import('./engines/duckdb/engine.ts')).openDuckdbEngine(settings),
}

/** What a console is opened with. */
export interface ConsoleSettings {
  /** What follows the scheme, as an absolute path. */
  location: string
  /** Names of the tables that are asked for, where the place itself does not know them. */
  tables: readonly { name: string; location: string }[]
  engine: Engine
  /** Bytes for its process, and bytes that a query may spill. */
  memory: number
  spill: number
  /** Existing folder for what does not fit into memory. */
  spool: string
  /** Of a server: options of its address, a password for this command, and milliseconds for a statement. */
  options?: string
  secret?: Secret
  timeout: number
}

/** SQL on the tables of a place, by the scheme of the target. */
export const CONSOLES: Readonly<Record<string, (settings: ConsoleSettings) => Promise<Console>>> = {
  delta: async ({ tables, engine, memory, spill, spool }) => {
    const { relationOf } = await import('./connectors/delta/relation.ts')
    const { openDuckdbConsole } = await import('./engines/duckdb/console.ts')
    const relations = []
    for (const { name, location } of tables) {
      const relation = await relationOf(location, name, engine)
      if (relation !== null) relations.push(relation)
    }
    return openDuckdbConsole({ memory, spill, spool, relations })
  },
  sqlite: async ({ location }) => (await import('./connectors/sqlite/console.ts')).openSqliteConsole(location),
  postgres: async ({ location, options, secret, timeout }) =>
    (await import('./connectors/postgres/console.ts')).openPostgresConsole({ url: options === undefined ? location : `${location}?${options}`, secret: secret ?? null, timeout }),
  duckdb: async ({ location, memory, spill, spool }) => {
    const { whenFree } = await import('./connectors/duckdb/session.ts')
    const { OWN_SCHEMA } = await import('./connectors/duckdb/dialect.ts')
    const { openDuckdbConsole } = await import('./engines/duckdb/console.ts')
    return whenFree(location, () => openDuckdbConsole({ memory, spill, spool, relations: [], file: { path: location, hidden: OWN_SCHEMA } }))
  },
}

/** What a source is made from. `key`: columns that tell rows apart. */
export interface SourceSettings {
  /** What follows the scheme; of a file its absolute path. */
  location: string
  address: SourceAddress
  key: readonly string[]
  engine: Engine
}

/** Databases whose tables can be read. */
export const SOURCES: Readonly<Record<string, (settings: SourceSettings) => Promise<TableSource>>> = {
  postgres: async ({ address, key, engine }) => (await import('./connectors/postgres/source.ts')).openPostgresSource({ address, key, engine }),
  duckdb: async ({ location, address, key, engine }) => (await import('./connectors/duckdb/source.ts')).openDuckdbSource({ file: location, address, key, engine }),
  sqlite: async ({ location, address, key }) => (await import('./connectors/sqlite/source.ts')).openSqliteSource({ file: location, address, key }),
}
