/** Tables laid apart by partitions: where files lie, what the log says, and that rows and rules are those of any table. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Scene, counted } from '../../../test/contract/scene.ts'
import type { Variant } from '../../../test/contract/scene.ts'
import { hybridEngine } from '../../../test/memory/hybrid.ts'
import type { DefinitionRequest } from '../../core/definition.ts'
import { checkPartitions, parsePartitions, partitionFolder } from '../../core/partition.ts'
import { systemClock } from '../../storage/system.ts'
import type { Action, AddAction } from './actions.ts'
import { openDeltaTarget } from './target.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-partition-'))
const engine = await hybridEngine(folder)
after(() => rmSync(folder, { recursive: true }))
const root = join(folder, 'tables')
const variant: Variant = { engine, target: () => openDeltaTarget({ root, clock: systemClock }), tampered: () => engine, folder, dispose: async () => undefined }
const COLUMNS = 'id:int64,ts:timestamp,c:string,v:string'
const r = (id: number, ts: string | null, c: string | null, v = 'a'): object => ({ id, ts, c, v })
const at = (scene: Scene, ...names: string[]): string => join(root, scene.definition.table, ...names)

function actions(scene: Scene): Action[] {
  const log = at(scene, '_delta_log')
  const names = readdirSync(log).filter((name) => /^\d{20}\.json$/.test(name)).toSorted()
  return names.flatMap((name) => readFileSync(join(log, name), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Action))
}
function live(scene: Scene): AddAction[] {
  const files = new Map<string, AddAction>()
  for (const { add, remove } of actions(scene)) {
    if (remove !== undefined) files.delete(remove.path)
    if (add !== undefined) files.set(add.path, add)
  }
  return [...files.values()]
}
const folders = (scene: Scene): string[] => [...new Set(live(scene).map(({ path }) => path.split('/').slice(0, -1).join('/')))].toSorted()

describe('partitions', () => {
  test('a day is a column of its own, in UTC, and in the path of every file; what holds it lies apart', async () => {
    const scene = await Scene.open(variant, { columns: COLUMNS, key: 'id', mode: 'upsert', partitionBy: 'day(ts), c' })
    await scene.load([{ seq: 1, records: [r(1, '2024-05-01T23:30:00-02:00', 'New York'), r(2, '2024-05-01T00:00:00Z', 'New York'), r(3, null, null), r(4, '0001-01-01T00:00:00Z', 'a/b=ü%')] }])
    assert.deepEqual(folders(scene), [
      'ts_day=0001-01-01/c=a%252Fb%253D%C3%BC%2525', 'ts_day=2024-05-01/c=New%2520York', 'ts_day=2024-05-02/c=New%2520York', 'ts_day=__HIVE_DEFAULT_PARTITION__/c=__HIVE_DEFAULT_PARTITION__',
    ])
    for (const { path } of live(scene)) assert.ok(existsSync(at(scene, decodeURIComponent(path))), path)
    assert.deepEqual(live(scene).map(({ partitionValues }) => partitionValues).find((values) => values['ts_day'] === null), { ts_day: null, c: null })
    const metaData = actions(scene).find((action) => action.metaData)?.metaData
    assert.deepEqual(metaData?.partitionColumns, ['ts_day', 'c'])
    const { fields } = JSON.parse(metaData?.schemaString ?? '') as { fields: { name: string; type: string; metadata: object }[] }
    assert.deepEqual(fields.map(({ name, type, metadata }) => [name, type, 'sluice.derived' in metadata]), [['id', 'long', false], ['ts', 'timestamp', false], ['c', 'string', false], ['v', 'string', false], ['ts_day', 'date', true], ['_place', 'long', false]])
    assert.deepEqual((await scene.table.head()).schema.map(({ name }) => name), ['id', 'ts', 'c', 'v'])
    await scene.check()
    await scene.check(await scene.another())
  })
  test('an update writes the touched files anew, in their own partitions only; a row may move to another one', async () => {
    const scene = await Scene.open(variant, { columns: COLUMNS, key: 'id', mode: 'upsert', partitionBy: 'c' })
    await scene.load([{ seq: 1, records: [r(1, null, 'x'), r(2, null, 'x'), r(3, null, 'y'), r(4, null, 'z')] }])
    const before = new Map(live(scene).map(({ path, partitionValues }) => [partitionValues['c'], path]))
    counted(await scene.load([{ seq: 2, records: [r(1, null, 'x', 'new'), r(3, null, 'w', 'moved')] }]), { 2: { updated: 2 } })
    const now = live(scene)
    assert.ok(now.some(({ path }) => path === before.get('z')), 'the partition that is not touched keeps its file')
    assert.deepEqual(now.map(({ partitionValues }) => partitionValues['c']).toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1)), ['w', 'x', 'x', 'z'])
    for (const { path, partitionValues } of now) assert.ok(path.startsWith(`c=${partitionValues['c']}/`))
    for (const remove of actions(scene).flatMap((action) => action.remove ?? [])) assert.ok(['x', 'y'].includes(remove.partitionValues?.['c'] ?? ''))
    await scene.check()
  })
  const laws: [string, DefinitionRequest][] = [
    ['c', { columns: COLUMNS }], ['day(ts)', { columns: COLUMNS, key: 'id' }], ['month(ts),c', { columns: COLUMNS, key: 'id', keep: 'error' }],
    ['year(ts)', { columns: COLUMNS, key: 'id,c', mode: 'upsert', keep: 'max:ts' }], ['c', { columns: COLUMNS, key: 'ts,c,id', mode: 'upsert' }], ['month(ts),c', { columns: COLUMNS, key: 'ts,c,id', mode: 'upsert' }],
  ]
  for (const [partitionBy, request] of laws) {
    test(`${partitionBy}: ${request.keep ?? request.mode ?? 'plain'} ${request.key ?? ''}: late, equal and repeated records as in any table`, async () => {
      const scene = await Scene.open(variant, { ...request, partitionBy })
      const days = ['2024-01-01T00:00:00Z', '2024-01-31T23:59:59.999999Z', '2024-02-01T00:00:00Z', '2025-01-01T00:00:00Z']
      const some = (seed: number): object[] => Array.from({ length: 12 }, (_, n) => r((n * seed) % 7, days[(n + seed) % 4] ?? null, ['x', 'y', 'é z'][(n * seed) % 3] ?? null, `v${(n + seed) % 2}`))
      for (const seq of [2, 5, 3, 1, 4]) await scene.load([{ seq, records: some(seq) }])
      await scene.check()
      await scene.check(await scene.another())
    })
  }
  test('files of partitions that the keys cannot lie in are not read', async () => {
    const scene = await Scene.open(variant, { columns: COLUMNS, key: 'id,ts', mode: 'upsert', partitionBy: 'day(ts)' })
    await scene.load([{ seq: 1, records: [1, 2, 3].map((day) => r(day, `2024-01-0${day}T12:00:00Z`, 'x')) }])
    const read: string[] = []
    const watching = { ...engine, session: async () => {
      const session = await engine.session()
      return { ...session, exec: async (sql: string) => {
        if (sql.startsWith('CREATE TEMP TABLE sluice_live')) read.push(...[...sql.matchAll(/ts_day=([0-9-]+)/g)].map((match) => match[1] ?? ''))
        return session.exec(sql)
      } }
    } }
    // The range of the batch's keys covers all three days, its partitions are two of them.
    const table = await scene.another(watching)
    await scene.load([{ seq: 2, records: [r(1, '2024-01-01T12:00:00Z', 'new'), r(3, '2024-01-03T12:00:00Z', 'new')] }], { table })
    assert.deepEqual(read.toSorted(), ['2024-01-01', '2024-01-03'])
    await scene.check(table)
  })
  test('what cannot lay files apart is refused, or put aside', async () => {
    const open = await Scene.open(variant, { key: 'id', partitionBy: 'c' })
    await open.load([{ seq: 1, records: [{ id: 1, c: 'x' }] }])
    const refused = await Scene.open(variant, { key: 'id', partitionBy: 'x' })
    await assert.rejects(refused.load([{ seq: 1, records: [{ id: 1, x: 1.5 }] }]), { code: 'DEFINITION_INVALID', message: /--partition-by x: x is double/ })
    const absent = await Scene.open(variant, { key: 'id', partitionBy: 'nope' })
    await assert.rejects(absent.load([{ seq: 1, records: [{ id: 1 }] }]), { code: 'DEFINITION_INVALID', message: /there is no column nope/ })
    assert.throws(() => checkPartitions(parsePartitions('ts'), [{ name: 'ts', type: 'timestamp' }]), { hint: /Take day\(ts\)/ })
    assert.throws(() => checkPartitions(parsePartitions('day(d)'), [{ name: 'd', type: 'string' }]), { message: /d is string/ })
    assert.throws(() => checkPartitions(parsePartitions('day(d)'), [{ name: 'd', type: 'date' }, { name: 'D_day', type: 'date' }]), { message: /makes the column d_day/ })
    assert.throws(() => checkPartitions(parsePartitions('d'), [{ name: 'd', type: 'date' }]), { message: /leaves no column/ })
    for (const text of ['', 'week(ts)', 'c,C', '_place', 'day(ts),day(ts)']) assert.throws(() => parsePartitions(text), { code: 'DEFINITION_INVALID' }, text)
    assert.equal(partitionFolder('a b', null), 'a%20b=__HIVE_DEFAULT_PARTITION__')
  })
  test('left-overs below partitions are found, and another writer may not lay the table apart anew', async () => {
    const scene = await Scene.open(variant, { columns: COLUMNS, key: 'id', partitionBy: 'c' })
    await scene.load([{ seq: 1, records: [r(1, null, 'x')] }])
    writeFileSync(at(scene, 'c=x', 'b-b_dead-1-1-1.parquet'), '')
    assert.deepEqual((await scene.table.verify()).map(({ grade, path }) => [grade, path]), [['garbage', at(scene, 'c=x', 'b-b_dead-1-1-1.parquet')]])
    const metaData = actions(scene).find((action) => action.metaData)?.metaData
    writeFileSync(at(scene, '_delta_log', `${'1'.padStart(20, '0')}.json`), [{ commitInfo: { operation: 'X', engineInfo: 'they' } }, { metaData: { ...metaData, partitionColumns: [] } }].map((line) => JSON.stringify(line)).join('\n'))
    await assert.rejects(scene.table.head(), { code: 'TABLE_UNSUPPORTED', message: /changed the partition columns to none/ })
  })
})
