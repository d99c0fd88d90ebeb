/** What DuckDB says becomes a code: a full disk by its own words, never by a value or a name of a user. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Database, databaseError, isOver } from './database.ts'

const told = (message: string): string => databaseError(new Error(message), 'SELECT 1').code

test('a full disk, as DuckDB says it', () => {
  for (const message of [
    'IO Error: Could not write file "/data/x.parquet": No space left on device',
    'TransactionContext Error: Failed to commit: Could not write file "/data/w.duckdb.wal": No space left on device',
    'IO Error: Checkpoint failed for database "f". The database has been invalidated. Original error: Could not write file "/data/w.duckdb": No space left on device',
    'IO Error: Could not write file "/data/w.duckdb": Disk quota exceeded',
    "Out of Memory Error: failed to offload data block of size 256.0 KiB (7.1 MiB/7.1 MiB used).\nThis limit was set by the 'max_temp_directory_size' setting.\nBy default, this setting utilizes the available disk space on the drive where the 'temp_directory' is located.\n\nPossible solutions:\n* Reducing the number of threads",
  ]) assert.equal(told(message), 'DISK_FULL', message)
})

test('what only speaks of a disk is something else', () => {
  assert.equal(told('Binder Error: Referenced column "disk" not found in FROM clause!\n\nLINE 1: SELECT disk'), 'ENGINE_FAILED')
  assert.equal(told(`Conversion Error: Could not convert string 'x: No space left on device' to INT32`), 'ENGINE_FAILED')
  assert.equal(told('Constraint Error: Duplicate key "v: No space left on device" violates unique constraint.'), 'ENGINE_FAILED')
  assert.equal(told('TransactionContext Error: Failed to commit: Duplicate key "v: No space left on device" violates unique constraint.'), 'ENGINE_FAILED')
  assert.equal(told('IO Error: Cannot open file "/disk/a.duckdb": Permission denied'), 'IO_FAILED')
  assert.equal(told('Out of Memory Error: could not allocate block of size 256.0 KiB (50.0 MiB/57.2 MiB used)\n\nPossible solutions:\n* Increasing the memory limit, or the disk'), 'MEMORY_EXHAUSTED')
})

test('a database that DuckDB gave up is told from an error of one statement', () => {
  const over = (message: string): boolean => isOver(databaseError(new Error(message), 'SELECT 1'))
  assert.equal(over('FATAL Error: Failed: database has been invalidated because of a previous fatal error.'), true)
  assert.equal(over('INTERNAL Error: Attempted to access index 1 within vector of size 1'), true)
  assert.equal(over('IO Error: Database "f" has been invalidated because checkpointing failed. Detach and reattach it before using it again.'), true)
  assert.equal(over('IO Error: Could not write file "/data/x": No space left on device'), false)
  assert.equal(over(`Conversion Error: Could not convert string 'FATAL Error: ' to INT32`), false)
})

test('wide rows are written in small groups from the first attempt on, narrow ones in large groups', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-groups-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const database = await Database.open({ threads: 1, memory: 500_000_000, temp: join(folder, 'temp') })
  const connection = await database.connect()
  const largest = async (columns: number): Promise<unknown> => {
    const uri = join(folder, `${columns}.parquet`)
    await connection.copy('test.make', `SELECT ${Array.from({ length: columns }, (_, n) => `i AS column_${n}`).join(', ')} FROM range(12000) t(i)`, uri)
    return (await connection.rows(`SELECT max(row_group_num_rows)::INTEGER AS n FROM parquet_metadata('${uri}')`))[0]?.['n']
  }
  assert.deepEqual([await largest(3), await largest(1000)], [12_000n, 2_048n])
  await connection.close()
})
