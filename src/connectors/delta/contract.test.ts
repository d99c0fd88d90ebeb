/** The contract of targets against Delta Lake tables: staged in memory and by DuckDB, always resolved by DuckDB. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tamperedBy } from '../../../test/contract/tampered.ts'
import { targetContract } from '../../../test/contract/target.ts'
import { hybridEngine } from '../../../test/memory/hybrid.ts'
import type { Engine } from '../../core/engine.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { systemClock } from '../../storage/system.ts'
import { openDeltaTarget } from './target.ts'

const inMemory = mkdtempSync(join(tmpdir(), 'sluice-delta-contract-'))
const engine = await hybridEngine(inMemory)

targetContract('delta, staged in memory', async () => ({
  engine,
  target: () => openDeltaTarget({ root: join(inMemory, 'tables'), clock: systemClock }),
  // The failpoint handler of the suite reaches this engine, since it runs in this process.
  tampered: () => ({ ...engine, close: async () => undefined }),
  folder: inMemory,
  dispose: async () => rmSync(inMemory, { recursive: true }),
}), true)

targetContract('delta, staged by DuckDB', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-delta-contract-'))
  const start = (): Engine => openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
  const real = start()
  return {
    engine: real,
    target: () => openDeltaTarget({ root: join(folder, 'tables'), clock: systemClock }),
    tampered: (spec) => tamperedBy(spec, start),
    folder,
    async dispose() {
      await real.close()
      rmSync(folder, { recursive: true })
    },
  }
})
