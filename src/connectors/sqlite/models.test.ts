/** The contract of models against SQLite files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { modelContract } from '../../../test/contract/models.ts'
import { memoryEngine } from '../../../test/memory/engine.ts'
import { openSqliteTarget } from './target.ts'

modelContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-models-'))
  return {
    engine: memoryEngine(),
    target: () => openSqliteTarget({ file: join(folder, 'data.db') }),
    tampered: () => memoryEngine(),
    folder,
    exactDecimals: false,
    inside: true,
    day: (column) => `date(${column})`,
    dispose: async () => rmSync(folder, { recursive: true }),
  }
})
