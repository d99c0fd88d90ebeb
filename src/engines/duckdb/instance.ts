/**
 * DuckDB in memory, opened with the binding alone: the wrapper around it takes as long to load as DuckDB takes to open, and
 * a thread opens it meanwhile.
 */
import duckdb from '@duckdb/node-bindings'
import type { Database } from '@duckdb/node-bindings'
import type { Start } from './protocol.ts'

/** @param temp folder for what does not fit into memory; absent: nothing is spilled until one is set */
export function openDuckdb({ threads, memory, temp = '' }: Start & { temp?: string }): Promise<Database> {
  const config = duckdb.create_config()
  const settings = {
    threads: String(threads),
    memory_limit: `${memory}B`,
    temp_directory: temp,
    preserve_insertion_order: 'true',
    // What lies in the cache of the system already. Of wide rows it held 70 MB more; processor time is the same without.
    enable_external_file_cache: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  }
  for (const [name, value] of Object.entries(settings)) duckdb.set_config(config, name, value)
  return duckdb.open(':memory:', config)
}
