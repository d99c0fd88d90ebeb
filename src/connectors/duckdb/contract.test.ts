/** The contract of targets against DuckDB files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rooms } from '../../../test/contract/rooms.ts'
import { tamperedBy } from '../../../test/contract/tampered.ts'
import { targetContract } from '../../../test/contract/target.ts'
import type { Engine } from '../../core/engine.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { openDuckdbTarget } from './target.ts'

const fileOf = rooms()

targetContract('duckdb', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-duckdb-contract-'))
  const start = (): Engine => openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
  const engine = start()
  return {
    engine,
    target: (_, scene) => openDuckdbTarget({ file: fileOf(folder, scene) }),
    tampered: (spec) => tamperedBy(spec, start),
    folder,
    async deltaRows(name, scene) {
      const session = await engine.session()
      try {
        await session.exec(`ATTACH '${fileOf(folder, scene.number)}' AS delta_of (READ_ONLY)`)
        return (await session.rows(`SELECT id || ' ' || v AS row FROM delta_of.main.${name}`)).map(({ row }) => String(row))
      } finally {
        await session.exec('DETACH delta_of').catch(() => undefined)
        await session.close()
      }
    },
    async dispose() {
      await engine.close()
      rmSync(folder, { recursive: true })
    },
  }
})
