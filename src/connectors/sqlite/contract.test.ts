/** The contract of targets against SQLite files, staged by DuckDB and by the engine in memory. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tamperedBy } from '../../../test/contract/tampered.ts'
import { targetContract } from '../../../test/contract/target.ts'
import { memoryEngine } from '../../../test/memory/engine.ts'
import type { Engine } from '../../core/engine.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { openSqliteTarget } from './target.ts'

targetContract('sqlite, staged in memory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-contract-'))
  return {
    engine: memoryEngine(),
    target: () => openSqliteTarget({ file: join(folder, 'data.db') }),
    tampered: () => memoryEngine(),
    folder,
    exactDecimals: false,
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
    async dispose() {
      await engine.close()
      rmSync(folder, { recursive: true })
    },
  }
})
