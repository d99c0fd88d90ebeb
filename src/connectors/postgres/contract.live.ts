/** The contract of targets against a PostgreSQL server: process.env['SLUICE_TEST_POSTGRES_URL'] names it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tamperedBy } from '../../../test/contract/tampered.ts'
import { targetContract } from '../../../test/contract/target.ts'
import { ownDatabase } from '../../../test/postgres.ts'
import type { Engine } from '../../core/engine.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { openPostgresTarget } from './target.ts'

targetContract('postgres, staged by DuckDB', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-postgres-contract-'))
  const database = await ownDatabase()
  const start = (): Engine => openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
  const engine = start()
  return {
    engine,
    target: () => openPostgresTarget({ url: database.url }),
    tampered: (spec) => tamperedBy(spec, start),
    folder,
    nulText: false,
    deltaRows: async (name) => (await database.ask(`SELECT id || ' ' || v AS row FROM ${name}`)).map(({ row }) => String(row)),
    async dispose() {
      await engine.close()
      await database.drop()
      rmSync(folder, { recursive: true })
    },
  }
})
