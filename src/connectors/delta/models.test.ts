/** The contract of models against Delta tables. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { modelContract } from '../../../test/contract/models.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { systemClock } from '../../storage/system.ts'
import { openDeltaTarget } from './target.ts'

modelContract('delta', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-delta-models-'))
  const engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
  return {
    engine,
    target: () => openDeltaTarget({ root: join(folder, 'tables'), clock: systemClock }),
    tampered: () => engine,
    folder,
    inside: false,
    day: (column) => `cast(${column} as date)`,
    async dispose() {
      await engine.close()
      rmSync(folder, { recursive: true })
    },
  }
})
