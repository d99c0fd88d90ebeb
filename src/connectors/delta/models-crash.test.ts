/** Death at every step of the commit of a model. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { modelDeaths } from '../../../test/contract/models-deaths.ts'
import { hybridEngine } from '../../../test/memory/hybrid.ts'
import { systemClock } from '../../storage/system.ts'
import { openDeltaTarget } from './target.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-delta-models-'))
const engine = await hybridEngine(folder)
after(() => rmSync(folder, { recursive: true }))

const steps = ['delta.model.data', 'delta.model.sync', 'delta.model.entry', 'delta.model.link']
await modelDeaths('delta', {
  engine, folder, inside: false,
  target: () => openDeltaTarget({ root: join(folder, 'tables'), clock: systemClock }),
  tampered: () => engine,
  day: (column) => `cast(${column} as date)`,
  dispose: async () => undefined,
}, { first: [...steps, 'delta.model.folder', 'delta.model.mark.write'], second: steps })
