/**
 * Commits of other writers between ours, as real ones look (test/proof/foreign-writers.proof.ts has delta-rs make them):
 * their rows take part with place 0, what they removed is gone, and nobody's history is lost.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Scene, counted } from '../../../test/contract/scene.ts'
import type { Variant } from '../../../test/contract/scene.ts'
import { hybridEngine } from '../../../test/memory/hybrid.ts'
import { setFailpointHandler } from '../../core/failpoint.ts'
import type { DefinitionRequest } from '../../core/definition.ts'
import { placeOf } from '../../core/place.ts'
import type { Value } from '../../core/schema.ts'
import type { Finding } from '../../core/target.ts'
import { systemClock } from '../../storage/system.ts'
import type { Action, AddAction } from './actions.ts'
import { openDeltaTarget } from './target.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-foreign-'))
const engine = await hybridEngine(folder)
after(() => rmSync(folder, { recursive: true }))
const root = join(folder, 'tables')
const variant: Variant = { engine, target: () => openDeltaTarget({ root, clock: systemClock }), tampered: () => engine, folder, dispose: async () => undefined }
const COLUMNS = 'id:int64,v:string'
const DEDUPE: DefinitionRequest = { columns: COLUMNS, key: 'id' }
const UPSERT: DefinitionRequest = { columns: COLUMNS, key: 'id', mode: 'upsert' }
const r = (id: number, v: string): object => ({ id, v })

/** Another writer, and what can be seen of the table it writes to. */
class Other {
  readonly scene: Scene
  constructor(scene: Scene) {
    this.scene = scene
  }
  at(...names: string[]): string {
    return join(root, this.scene.definition.table, ...names)
  }
  private log(): string[] {
    return readdirSync(this.at('_delta_log')).filter((name) => /^\d{20}\.json$/.test(name)).toSorted()
  }
  actions(): Action[] {
    return this.log().flatMap((name) => readFileSync(this.at('_delta_log', name), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Action))
  }
  /** Files that are live, by their path. */
  live(): Map<string, AddAction> {
    const live = new Map<string, AddAction>()
    for (const { add, remove } of this.actions()) {
      if (add !== undefined) live.set(add.path, add)
      if (remove !== undefined) live.delete(remove.path)
    }
    return live
  }
  async file(select: string, name: string): Promise<AddAction> {
    const session = await engine.session()
    const written = await session.copy('delta.data', select, this.at(name))
    await session.close()
    return { path: encodeURIComponent(name), partitionValues: {}, size: statSync(this.at(name)).size, modificationTime: 1, dataChange: true, stats: JSON.stringify({ numRecords: written.rows }) }
  }
  commit(operation: string, ...actions: object[]): void {
    const version = this.log().length
    const info = { commitInfo: { timestamp: 1, operation, engineInfo: 'delta-rs:test' } }
    writeFileSync(this.at('_delta_log', `${String(version).padStart(20, '0')}.json`), [info, ...actions].map((line) => JSON.stringify(line)).join('\n'))
  }
  async append(select: string, name = `part-${this.log().length}.parquet`): Promise<void> {
    this.commit('WRITE', { add: await this.file(select, name) })
  }
  /** Writes all rows anew through a query over `t`; `dataChange` false is a compaction. */
  async rewrite(select: string, operation: string): Promise<void> {
    const live = [...this.live().values()]
    const from = live.map(({ path }) => `'${this.at(decodeURIComponent(path))}'`).join(', ')
    const add = await this.file(select.replace(' t', ` read_parquet([${from}], union_by_name = true)`), `rewritten-${this.log().length}.parquet`)
    this.commit(operation, ...live.map(({ path }) => ({ remove: { path, dataChange: operation !== 'OPTIMIZE', deletionTimestamp: Date.now() } })), { add })
  }
  async rows(): Promise<Value[][]> {
    return (await this.scene.rows()).map((row) => row.slice(0, 2))
  }
  async findings(): Promise<Finding[]> {
    const findings = await this.scene.table.verify()
    assert.deepEqual(findings.filter(({ grade }) => grade === 'broken'), [])
    return findings
  }
}

async function opened(request: DefinitionRequest): Promise<{ scene: Scene; other: Other }> {
  const scene = await Scene.open(variant, request)
  await scene.load([{ seq: 1, records: [r(1, 'a'), r(2, 'b'), r(3, 'c')] }])
  return { scene, other: new Other(scene) }
}
const place = (seq: number, row: number): bigint => placeOf(seq, row)

describe('rows of other writers', () => {
  test('are known to dedupe: place 0 comes before every other', async () => {
    const { scene, other } = await opened(DEDUPE)
    await other.append(`SELECT 7::BIGINT AS id, 'theirs' AS v`)
    counted(await scene.load([{ seq: 2, records: [r(7, 'ours'), r(8, 'new')] }]), { 2: { inserted: 1, duplicate: 1 } })
    assert.deepEqual(await scene.rows(), [[7n, 'theirs', 0n], [1n, 'a', place(1, 1)], [2n, 'b', place(1, 2)], [3n, 'c', place(1, 3)], [8n, 'new', place(2, 2)]])
    assert.equal((await scene.table.head()).rows, 5)
    const findings = await other.findings()
    assert.ok(findings.some(({ grade, message }) => grade === 'foreign' && /delta-rs:test wrote a commit \(WRITE\) in version 1: 1 files added/.test(message)), JSON.stringify(findings))
  })
  test('lie in files that are no garbage, whatever their names', async () => {
    const { scene, other } = await opened(DEDUPE)
    await other.append(`SELECT 7::BIGINT AS id, 'theirs' AS v`, 'part-0-1-2.parquet')
    writeFileSync(other.at('part-0-1-3.parquet'), '')
    assert.deepEqual(await scene.table.garbage(), [other.at('part-0-1-3.parquet')])
    assert.deepEqual((await other.findings()).flatMap(({ grade, path }) => (grade === 'garbage' ? [path] : [])), [other.at('part-0-1-3.parquet')])
  })
  test('are updated by upsert, and what they were stays among the losers', async () => {
    const { scene, other } = await opened(UPSERT)
    await other.append(`SELECT * FROM (VALUES (7::BIGINT, 'theirs'), (8, 'same'), (9, 'alone')) AS x(id, v)`)
    counted(await scene.load([{ seq: 2, records: [r(7, 'ours'), r(8, 'same'), r(1, 'new')] }]), { 2: { updated: 2, duplicate: 1 } })
    assert.deepEqual(await other.rows(), [[8n, 'same'], [9n, 'alone'], [2n, 'b'], [3n, 'c'], [7n, 'ours'], [1n, 'new']])
    assert.deepEqual((await scene.losers()).map((row) => row.slice(0, 2)), [[7n, 'theirs'], [1n, 'a'], [8n, 'same']])
    // The file that was written anew holds rows of the other writer still: they are told apart.
    counted(await scene.load([{ seq: 3, records: [r(8, 'x'), r(9, 'y')] }]), { 3: { updated: 2 } })
    assert.deepEqual((await other.rows()).slice(-2), [[8n, 'x'], [9n, 'y']])
    await other.findings()
  })
  test('a key that is there twice has one row after the next record of it; all others are losers', async () => {
    for (const request of [DEDUPE, UPSERT, { ...DEDUPE, keep: 'error' }]) {
      const { scene, other } = await opened(request)
      await other.append(`SELECT * FROM (VALUES (1::BIGINT, 'x'), (1, 'y'), (2, 'z')) AS x(id, v)`)
      assert.ok((await other.findings()).some(({ message }) => /2 keys are in the table more than once/.test(message)))
      const receipt = await scene.load([{ seq: 2, records: [r(1, 'new'), r(5, 'e')] }])
      assert.equal(receipt.arrivals[0]?.counts.inserted, 1)
      const stays = request === UPSERT ? 'new' : 'x'
      assert.deepEqual((await other.rows()).filter(([id]) => id === 1n).map(([, v]) => v), [stays], JSON.stringify(request))
      const kept = [...(await scene.losers()).map((row) => row[1]), ...(await scene.rejects()).map(({ raw }) => (JSON.parse(raw ?? '{}') as { v?: string }).v), stays]
      assert.deepEqual(kept.map(String).toSorted(), ['a', 'new', 'x', 'y'])
      // The other key was not asked about: it stays as it is.
      assert.equal((await other.rows()).filter(([id]) => id === 2n).length, 2)
      assert.equal((await scene.table.head()).rows, 5)
      await other.findings()
    }
  })
  test('a place that another writer made up, or copied, is no obstacle', async () => {
    const { scene, other } = await opened(UPSERT)
    await other.append(`SELECT 7::BIGINT AS id, 'far' AS v, ${place(900, 1)} AS _place UNION ALL SELECT 8, 'copied', ${place(1, 1)}`)
    counted(await scene.load([{ seq: 2, records: [r(7, 'ours'), r(8, 'ours'), r(1, 'ours')] }]), { 2: { updated: 3 } })
    assert.deepEqual((await other.rows()).map(([id, v]) => `${id} ${v}`), ['2 b', '3 c', '7 ours', '8 ours', '1 ours'])
    await other.findings()
  })
  test('files without statistics are counted by their footers', async () => {
    const { scene, other } = await opened(DEDUPE)
    const { stats: _, ...add } = await other.file(`SELECT 7::BIGINT AS id, 'theirs' AS v`, 'bare.parquet')
    other.commit('WRITE', { add })
    assert.equal((await scene.table.head()).rows, 4)
    counted(await scene.load([{ seq: 2, records: [r(7, 'ours')] }]), { 2: { duplicate: 1 } })
  })
  test('a column that they added is part of the table', async () => {
    const { scene, other } = await opened({ key: 'id', mode: 'upsert' })
    const metaData = other.actions().find((action) => action.metaData)?.metaData
    const schema = JSON.parse(metaData?.schemaString ?? '') as { fields: object[] }
    schema.fields.push({ name: 'extra', type: 'string', nullable: true, metadata: { comment: 'a remark' } })
    other.commit('WRITE', { metaData: { ...metaData, schemaString: JSON.stringify(schema) } }, { add: await other.file(`SELECT 7::BIGINT AS id, 'theirs' AS v, 'e' AS extra`, 'extra.parquet') })
    await scene.load([{ seq: 2, records: [{ id: 8, v: 'ours', extra: 'f', more: 1 }, { id: 1, v: 'new' }] }])
    const { schema: columns } = await scene.table.head()
    assert.deepEqual(columns.map(({ name, original }) => [name, original]), [['id', undefined], ['v', undefined], ['extra', undefined], ['more', undefined]])
    assert.deepEqual((await scene.rows()).map((row) => row.slice(0, 4)), [[7n, 'theirs', 'e', null], [2n, 'b', null, null], [3n, 'c', null, null], [8n, 'ours', 'f', 1n], [1n, 'new', null, null]])
    assert.match(other.actions().findLast((action) => action.metaData)?.metaData?.schemaString ?? '', /a remark/)
  })
})

describe('what other writers take away', () => {
  test('removed rows are gone and do not come back by themselves', async () => {
    const { scene, other } = await opened(UPSERT)
    await scene.load([{ seq: 2, records: [r(2, 'newer')] }])
    await other.rewrite('SELECT * FROM t WHERE id <> 2', 'DELETE')
    counted(await scene.load([{ seq: 3, records: [r(1, 'x'), r(4, 'd')] }]), { 3: { inserted: 1, updated: 1 } })
    assert.deepEqual(await other.rows(), [[3n, 'c'], [1n, 'x'], [4n, 'd']])
    counted(await scene.load([{ seq: 4, records: [r(2, 'brought again')] }]), { 4: { inserted: 1 } })
    await other.findings()
  })
  test('after a compaction places are as before: a late record is decided by them', async () => {
    const { scene, other } = await opened(UPSERT)
    await scene.load([{ seq: 5, records: [r(1, 'five'), r(9, 'nine')] }])
    await other.append(`SELECT 20::BIGINT AS id, 'theirs' AS v`)
    await other.rewrite('SELECT * FROM t', 'OPTIMIZE')
    counted(await scene.load([{ seq: 3, records: [r(1, 'three'), r(2, 'three'), r(20, 'three')] }]), { 3: { updated: 2, stale: 1 } })
    assert.deepEqual((await other.rows()).map(([id, v]) => `${id} ${v}`).toSorted(), ['1 five', '2 three', '20 three', '3 c', '9 nine'])
    await other.findings()
  })
  test('a VACUUM cuts history: doctor says so, and what Sluice keeps itself is whole', async () => {
    const { scene, other } = await opened(UPSERT)
    const first = [...other.live().keys()][0] ?? ''
    await other.rewrite('SELECT * FROM t WHERE id <> 2', 'DELETE')
    rmSync(other.at(first))
    other.commit('VACUUM END')
    await scene.load([{ seq: 2, records: [r(1, 'x')] }])
    const findings = await other.findings()
    assert.ok(findings.some(({ grade, message }) => grade === 'foreign' && /VACUUM of delta-rs:test \(version 2\) removed 1 files/.test(message)), JSON.stringify(findings))
  })
  test('without what Sluice wrote down about it the table is nobody\'s', async () => {
    const { scene, other } = await opened(UPSERT)
    const metaData = other.actions().find((action) => action.metaData)?.metaData
    other.commit('CREATE OR REPLACE TABLE', { metaData: { ...metaData, configuration: {} } })
    await assert.rejects(scene.table.head(), { code: 'TABLE_FOREIGN', message: /delta-rs:test took away/ })
  })
})

describe('between two looks', () => {
  test('a commit of another writer that takes the version: the batch is resolved on top of it', async () => {
    const { scene, other } = await opened(UPSERT)
    const staged = await scene.stage(scene.batch([{ seq: 2, records: [r(7, 'ours'), r(2, 'x')] }]))
    let once = true
    const racing = { ...engine, session: async () => {
      const session = await engine.session()
      return { ...session, copy: async (point: string, select: string, uri: string) => {
        if (once) {
          once = false
          await other.append(`SELECT 7::BIGINT AS id, 'theirs' AS v`)
        }
        return session.copy(point, select, uri)
      } }
    } }
    const receipt = await scene.commit(staged, { table: await scene.another(racing) })
    assert.equal(receipt.version, 2)
    counted(receipt, { 2: { updated: 2 } })
    assert.deepEqual(await other.rows(), [[1n, 'a'], [3n, 'c'], [7n, 'ours'], [2n, 'x']])
  })
  test('a path may be spelt in several ways', async () => {
    const { scene, other } = await opened(DEDUPE)
    await other.append(`SELECT 7::BIGINT AS id, 'theirs' AS v`, 'a name=x.parquet')
    await scene.load([{ seq: 2, records: [r(8, 'h')] }])
    other.commit('DELETE', { remove: { path: 'a%20name=x.parquet', dataChange: true, deletionTimestamp: 1 } })
    assert.deepEqual((await other.rows()).map(([id]) => id), [1n, 2n, 3n, 8n])
  })
})

describe('a log that others cleaned', () => {
  test('a record of an attempt that died does not count, those of the chain do', async () => {
    const scene = await Scene.open(variant, UPSERT)
    for (let seq = 1; seq <= 101; seq += 1) await scene.load([{ seq, records: [r(seq % 30, `${seq}`)] }])
    const other = new Other(scene)
    const records = readdirSync(other.at('_sluice/batches'))
    const text = readFileSync(other.at('_sluice/batches', records[0] ?? ''), 'utf8')
    writeFileSync(other.at('_sluice/batches/b_dead-1-1.json'), text.replaceAll('"seq":', '"seq":9'))
    for (const name of readdirSync(other.at('_sluice/folds'))) rmSync(other.at('_sluice/folds', name))
    for (const name of readdirSync(other.at('_delta_log'))) if (/^\d{20}\.json$/.test(name) && Number(name.slice(0, 20)) < 100) rmSync(other.at('_delta_log', name))
    const table = await scene.another()
    const head = await table.head()
    assert.deepEqual([head.version, head.rows, await table.highest()], [100, 30, place(101, 1)])
    let committed = 0
    for await (const { seq } of table.arrivals()) assert.equal(seq, ++committed)
    assert.equal(committed, 101)
    await scene.check(table)
    // The next commit writes a fold again.
    await scene.load([{ seq: 102, records: [r(1, 'last')] }], { table })
    assert.ok(existsSync(other.at('_sluice/folds', `${String(101).padStart(20, '0')}.ndjson`)))
    await scene.check(await scene.another())
  })
  test('a missing record of the chain is damage, not an empty history', async () => {
    const scene = await Scene.open(variant, UPSERT)
    for (let seq = 1; seq <= 101; seq += 1) await scene.load([{ seq, records: [r(seq, 'x')] }])
    const other = new Other(scene)
    for (const name of readdirSync(other.at('_sluice/folds'))) rmSync(other.at('_sluice/folds', name))
    for (const name of readdirSync(other.at('_delta_log'))) if (/^\d{20}\.json$/.test(name)) rmSync(other.at('_delta_log', name))
    assert.equal((await (await scene.another()).head()).version, 100)
    rmSync(other.at('_sluice/batches', readdirSync(other.at('_sluice/batches'))[50] ?? ''))
    await assert.rejects(scene.another(), { code: 'TABLE_BROKEN', message: /batch record/ })
  })
})

describe('a table that Sluice did not make', () => {
  const made = async (scene: Scene, schema: readonly object[], select: string): Promise<Other> => {
    const other = new Other(scene)
    mkdirSync(other.at('_delta_log'), { recursive: true })
    const metaData = { id: 'm', format: { provider: 'parquet', options: {} }, schemaString: JSON.stringify({ type: 'struct', fields: schema }), partitionColumns: [], configuration: { 'their.remark': 'x' }, createdTime: 1 }
    other.commit('CREATE TABLE', { protocol: { minReaderVersion: 1, minWriterVersion: 2 } }, { metaData }, { add: await other.file(select, 'part-0.parquet') })
    return other
  }
  const field = (name: string, type: string, more: object = {}): object => ({ name, type, nullable: true, metadata: {}, ...more })
  const FIELDS = [field('id', 'long'), field('v', 'string', { metadata: { comment: 'their remark' } })]
  const SELECT = `SELECT * FROM (VALUES (1::BIGINT, 'a'), (2, 'b')) AS x(id, v)`

  test('is refused, is taken over with a definition, and its rows have place 0', async () => {
    const scene = await Scene.open(variant, { key: 'id', mode: 'upsert' })
    const other = await made(scene, FIELDS, SELECT)
    await assert.rejects(scene.another(), { code: 'TABLE_FOREIGN', message: /delta-rs:test made this table/ })
    const table = await scene.another(undefined, scene.ledger, { adopt: true })
    assert.deepEqual([(await table.head()).definition, (await table.head()).ledger, (await table.head()).rows], [null, null, 2])
    await table.adopt(scene.definition, 1)
    assert.deepEqual((await scene.table.head()).schema, [{ name: 'id', type: 'int64' }, { name: 'v', type: 'string' }])
    counted(await scene.load([{ seq: 1, records: [r(2, 'x'), r(3, 'c'), { id: 1, v: 'a' }] }], { fence: 5 }), { 1: { inserted: 1, updated: 1, duplicate: 1 } })
    assert.deepEqual(await scene.rows(), [[1n, 'a', 0n], [2n, 'x', place(1, 1)], [3n, 'c', place(1, 2)]])
    assert.deepEqual((await scene.losers()).map((row) => row.slice(0, 2)), [[2n, 'b'], [1n, 'a']])
    const { schemaString, configuration } = other.actions().findLast((action) => action.metaData)?.metaData ?? {}
    assert.match(schemaString ?? '', /their remark.*"_place"/)
    assert.equal(configuration?.['their.remark'], 'x')
    await other.findings()
  })
  test('a definition that it cannot have is refused before anything is written', async () => {
    for (const [request, fields, code, says] of [
      [{ key: 'nope' }, FIELDS, 'DEFINITION_INVALID', /no column nope/],
      [{ key: 'v', mode: 'upsert', keep: 'max:w' }, FIELDS, 'DEFINITION_INVALID', /there is no such column/],
      [{ columns: 'id:string,v:string' }, FIELDS, 'DEFINITION_INVALID', /another type/],
      [{ key: 'id' }, [...FIELDS, field('ID', 'string')], 'TABLE_UNSUPPORTED', /two columns of the table are named ID/],
    ] as const) {
      const scene = await Scene.open(variant, request)
      const other = await made(scene, fields, SELECT)
      const table = await scene.another(undefined, scene.ledger, { adopt: true })
      await assert.rejects(table.adopt(scene.definition, 1), { code, message: says })
      assert.deepEqual(readdirSync(other.at()).toSorted(), ['_delta_log', 'part-0.parquet'])
    }
  })
  test('columns that Sluice cannot write are refused by name', async () => {
    for (const [fields, says] of [[[...FIELDS, field('n', 'integer')], /the column n has the type "integer"/], [[...FIELDS, field('k', 'long', { nullable: false })], /the column k must not be null/]] as const) {
      const scene = await Scene.open(variant, { key: 'id' })
      await made(scene, fields, SELECT)
      await assert.rejects(scene.another(undefined, scene.ledger, { adopt: true }), { code: 'TABLE_UNSUPPORTED', message: says })
    }
  })
  test('a commit of another writer in between: the entry is written after it', async () => {
    const scene = await Scene.open(variant, { key: 'id' })
    const other = await made(scene, FIELDS, SELECT)
    const table = await scene.another(undefined, scene.ledger, { adopt: true })
    let once = true
    setFailpointHandler({ tamper: () => null, crash(point) {
      if (point === 'delta.adopt.link.before' && once) {
        once = false
        other.commit('VACUUM START')
      }
    } })
    await table.adopt(scene.definition, 1).finally(() => setFailpointHandler(null))
    assert.deepEqual([(await table.head()).version, (await table.head()).ledger], [2, scene.ledger])
  })
})
