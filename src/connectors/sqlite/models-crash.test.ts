/** Death at every step of models in the transaction of their table. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { modelDeaths } from '../../../test/contract/models-deaths.ts'
import { memoryEngine } from '../../../test/memory/engine.ts'
import { openSqliteTarget } from './target.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-models-'))
after(() => rmSync(folder, { recursive: true }))

await modelDeaths('sqlite', {
  engine: memoryEngine(), folder, inside: true,
  target: () => openSqliteTarget({ file: join(folder, 'data.db') }),
  tampered: () => memoryEngine(),
  day: (column) => `date(${column})`,
  dispose: async () => undefined,
}, { first: ['models.own', 'models.make', 'models.key', 'models.record'], second: ['models.touched', 'models.touch', 'models.groups', 'models.delete', 'models.insert', 'models.record'] })
