/**
 * What an engine process does before anything else: it leaves signals to its parent, ends with it, and begins to open
 * DuckDB. Imports next to nothing; whoever imports it is such a process.
 */
import type { Database } from '@duckdb/node-bindings'
import { openDuckdb } from './instance.ts'
import { startOf } from './protocol.ts'

process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('disconnect', () => process.exit(0))

/** As its parent said when it started the process. */
export const start = startOf(process.argv.slice(2))

export const opening: Promise<Database> = openDuckdb(start)
// Until there is a call nobody waits for it.
opening.catch(() => undefined)
