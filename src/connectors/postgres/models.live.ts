/** The contract of models against a PostgreSQL server: process.env['SLUICE_TEST_POSTGRES_URL'] names it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ModelScene } from '../../../test/contract/model-scene.ts'
import type { ModelVariant } from '../../../test/contract/model-scene.ts'
import { modelContract } from '../../../test/contract/models.ts'
import { modelDeaths } from '../../../test/contract/models-deaths.ts'
import { ask, ownDatabase } from '../../../test/postgres.ts'
import { openDuckdbEngine } from '../../engines/duckdb/engine.ts'
import { uuid5 } from '../../models/uuid.ts'
import { openPostgresTarget } from './target.ts'
import { uuid5Statements } from './uuid.ts'

async function open(): Promise<ModelVariant & { url: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-postgres-models-'))
  const database = await ownDatabase()
  const engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
  return {
    engine, folder, url: database.url, inside: true, nulText: false,
    target: () => openPostgresTarget({ url: database.url }),
    tampered: () => engine,
    day: (column) => `cast(${column} at time zone 'UTC' as date)`,
    async dispose() {
      await engine.close()
      await database.drop()
      rmSync(folder, { recursive: true })
    },
  }
}

// First: which failpoints there are is listened to before anything else passes some.
const dying = await open()
after(() => dying.dispose())
await modelDeaths('postgres', dying, {
  once: ['models.own', 'models.extension', 'models.function'],
  first: ['models.make', 'models.key', 'models.record'],
  second: ['models.touched', 'models.touch', 'models.groups', 'models.settle', 'models.index', 'models.delete', 'models.insert', 'models.record'],
})

modelContract('postgres', open)

test('uuid5 without pgcrypto gives the same ids', async () => {
  const database = await ownDatabase()
  try {
    for (const statement of ['CREATE SCHEMA slow', ...uuid5Statements('slow', null)]) await database.ask(statement)
    const found = await database.ask(`SELECT n, slow.uuid5(n) AS id FROM (SELECT repeat('ä', i) || i AS n FROM generate_series(0, 150) i) AS names`)
    assert.equal(found.length, 151)
    for (const { n, id } of found) assert.equal(id, uuid5(String(n)))
  } finally {
    await database.drop()
  }
})

test('names with a schema, a model in a schema that is not there yet, and an index that a group is found by', async () => {
  const variant = await open()
  try {
    const scene = await ModelScene.open(variant)
    const model = { ...scene.model('count', [`depends_on: public.$t`, 'incremental: group name'], 'select name, count(*) as c from public.$t as t group by name'), name: 'modelled.counts' }
    scene.use(model)
    await scene.load({ seq: 1, records: [{ id: 1, name: 'a' }, { id: 2, name: 'b' }] })
    const outcomes = [...(await scene.load({ seq: 2, records: [{ id: 3, name: 'x'.repeat(5000) }] })).values()]
    assert.deepEqual(outcomes.map(({ name, how, groups }) => [name, how, groups]), [['modelled.counts', 'groups', 1]])
    assert.deepEqual(await ask(variant.url, 'SELECT c FROM modelled.counts ORDER BY name COLLATE "C"'), [{ c: '1' }, { c: '1' }, { c: '1' }])
    // A text of any length can be stored: the index on it is one of hashes.
    const indexes = await ask(variant.url, `SELECT indexdef FROM pg_indexes WHERE indexname LIKE '_sluice_group%'`)
    assert.equal(indexes.length, 1)
    assert.match(String(indexes[0]?.['indexdef']), /USING hash/)
  } finally {
    await variant.dispose()
  }
})
