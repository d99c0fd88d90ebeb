/** The contract of models against DuckDB files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { modelContract } from '../../../test/contract/models.ts'
import { rooms } from '../../../test/contract/rooms.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { openDuckdbTarget } from './target.ts'

const fileOf = rooms()

modelContract('duckdb', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-duckdb-models-'))
  const engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
  return {
    engine,
    target: (_, scene) => openDuckdbTarget({ file: fileOf(folder, scene) }),
    tampered: () => engine,
    folder,
    inside: true,
    runs: 6,
    day: (column) => `cast(${column} as date)`,
    async dispose() {
      await engine.close()
      rmSync(folder, { recursive: true })
    },
  }
})
