/** The contract of targets against SQLite files, staged by DuckDB and by the engine in memory. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { tamperedBy } from '../../../test/contract/tampered.ts'
import { targetContract } from '../../../test/contract/target.ts'
import { memoryEngine } from '../../../test/memory/engine.ts'
import type { Engine } from '../../core/engine.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { openSqliteTarget } from './target.ts'

async function deltaRows(file: string, name: string): Promise<string[]> {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    return db.prepare(`SELECT id || ' ' || v AS row FROM ${name}`).all().map(({ row }) => String(row))
  } finally {
    db.close()
  }
}

targetContract('sqlite, staged in memory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-contract-'))
  return {
    engine: memoryEngine(),
    target: () => openSqliteTarget({ file: join(folder, 'data.db') }),
    tampered: () => memoryEngine(),
    folder,
    exactDecimals: false,
    deltaRows: (name) => deltaRows(join(folder, 'data.db'), name),
    dispose: async () => rmSync(folder, { recursive: true }),
  }
})

targetContract('sqlite, staged by DuckDB', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-contract-'))
  const start = (): Engine => openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
  const engine = start()
  return {
    engine,
    target: () => openSqliteTarget({ file: join(folder, 'data.db') }),
    tampered: (spec) => tamperedBy(spec, start),
    folder,
    exactDecimals: false,
    deltaRows: (name) => deltaRows(join(folder, 'data.db'), name),
    async dispose() {
      await engine.close()
      rmSync(folder, { recursive: true })
    },
  }
}, true)
