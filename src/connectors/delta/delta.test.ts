/** What is Delta's own: the folder, refusals, checkpoints and folds, left-overs, races, damage. */
import assert from 'node:assert/strict'
import { appendFileSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Scene } from '../../../test/contract/scene.ts'
import type { Variant } from '../../../test/contract/scene.ts'
import { hybridEngine } from '../../../test/memory/hybrid.ts'
import { setFailpointHandler } from '../../core/failpoint.ts'
import type { Table } from '../../core/target.ts'
import { localFs } from '../../storage/local.ts'
import { systemClock } from '../../storage/system.ts'
import type { Action } from './actions.ts'
import { stampOf } from './foreign.ts'
import { openDeltaTarget } from './target.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-delta-'))
const engine = await hybridEngine(folder)
after(() => rmSync(folder, { recursive: true }))
const root = join(folder, 'tables')
const variant: Variant = { engine, target: () => openDeltaTarget({ root, clock: systemClock }), tampered: () => engine, folder, dispose: async () => undefined }
const COLUMNS = 'id:int64,v:string'
const KEYED = { columns: COLUMNS, key: 'id' }
const r = (id: number, v = 'a'): object => ({ id, v })
const at = (scene: Scene, ...names: string[]): string => join(root, scene.definition.table, ...names)
const entry = (version: number): string => `${String(version).padStart(20, '0')}.json`
const actions = (scene: Scene, version: number): Action[] => readFileSync(at(scene, '_delta_log', entry(version)), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Action)
/** A commit of somebody else, as the next version. */
function intrude(scene: Scene, version: number, ...lines: object[]): void {
  writeFileSync(at(scene, '_delta_log', entry(version)), lines.map((line) => JSON.stringify(line)).join('\n'))
}
const again = (scene: Scene): Promise<Table> => scene.another()

describe('the log', () => {
  test('the head needs no batch record; whatever asks for contents or would commit does', async () => {
    const scene = await Scene.open(variant, KEYED)
    await scene.load([{ seq: 1, records: [r(1)] }])
    await scene.load([{ seq: 2, records: [r(2)] }])
    const late = await scene.stage(scene.batch([{ seq: 3, records: [r(3)] }]))
    for (const name of readdirSync(at(scene, '_sluice/batches'))) rmSync(at(scene, '_sluice/batches', name))
    const table = await again(scene)
    const { version, rows, lanes } = await table.head()
    assert.deepEqual([version, rows, lanes.size], [1, 2, 1])
    await assert.rejects(table.standing(['00']), { code: 'TABLE_BROKEN', message: /batch record/ })
    await assert.rejects(table.apply(late, scene.definition), { code: 'TABLE_BROKEN' })
    assert.ok((await table.verify()).some(({ grade }) => grade === 'broken'))
  })
  test('a table that another process makes between the look for its first version and the listing is there', async (t) => {
    const scene = await Scene.open(variant, KEYED)
    await scene.load([{ seq: 1, records: [r(1)] }])
    await scene.load([{ seq: 2, records: [r(2)] }])
    const log = at(scene, '_delta_log')
    cpSync(log, `${log}.later`, { recursive: true })
    rmSync(log, { recursive: true })
    const { list } = localFs
    t.mock.method(localFs, 'list', (path: string) => {
      if (path === log && !existsSync(log)) {
        // The first listing looks for checkpoints; it is the second one that used to find entries without a first one.
        if (listings++ > 0) cpSync(`${log}.later`, log, { recursive: true })
      }
      return list(path)
    })
    let listings = 0
    const { version, rows } = await (await again(scene)).head()
    assert.deepEqual([version, rows, listings], [1, 2, 2])
  })
  test('an arrival that another process commits while this one waits for a session comes in once', async () => {
    const scene = await Scene.open(variant, { columns: COLUMNS, mode: 'append' })
    await scene.load([{ seq: 1, records: [r(1)] }])
    const delivery = { seq: 2, records: [r(2)] }
    const mine = await scene.stage(scene.batch([delivery], { id: 'b_mine', lane: 1 }))
    const theirs = await scene.stage(scene.batch([delivery], { id: 'b_theirs', lane: 2 }))
    let waited = false
    const slow = await scene.another({
      ...engine,
      async session(signal) {
        if (!waited) {
          waited = true
          await (await again(scene)).apply(theirs, scene.definition)
          // Another batch of this process looks at the table meanwhile.
          assert.equal((await slow.head()).version, 1)
        }
        return engine.session(signal)
      },
    })
    await assert.rejects(slow.apply(mine, scene.definition), { code: 'ARRIVAL_COMMITTED' })
    assert.ok(waited)
    const table = await again(scene)
    assert.deepEqual([(await table.head()).version, (await table.head()).rows], [1, 2])
    assert.deepEqual(await table.verify(), [])
  })
  test('version 0 makes the table and is the first batch', async () => {
    const scene = await Scene.open(variant, { columns: 'id:int64,my name:json', key: 'id' })
    await scene.load([{ seq: 1, records: [{ id: 1, 'my name': { b: 1 } }] }])
    const [info, protocol, metaData, txn, mark, add] = actions(scene, 0)
    const stamp = stampOf(actions(scene, 0))
    assert.equal(stamp?.batch, (await scene.table.head()).exists ? info?.commitInfo?.operationParameters['batch'] : null)
    assert.deepEqual(protocol?.protocol, { minReaderVersion: 1, minWriterVersion: 2 })
    assert.equal(metaData?.metaData?.configuration['delta.enableExpiredLogCleanup'], 'false')
    assert.equal(metaData?.metaData?.configuration['sluice.ledger'], 'l_contract')
    const { fields } = JSON.parse(metaData?.metaData?.schemaString ?? '') as { fields: { name: string; type: string; metadata: object }[] }
    assert.deepEqual(fields.map(({ name, type }) => [name, type]), [['id', 'long'], ['my_name', 'string'], ['_place', 'long']])
    assert.deepEqual(fields[1]?.metadata, { comment: 'my name', 'sluice.type': 'json' })
    assert.equal(txn?.txn?.appId, 'sluice:l_contract:0')
    assert.equal(mark?.txn?.appId, 'sluice:l_contract:record')
    assert.deepEqual(add?.add?.tags, { sluice: stamp?.batch })
    assert.match(add?.add?.path ?? '', /^b-b_.*-1-\d+-\d+\.parquet$/)
    assert.deepEqual((await (await again(scene)).head()).schema, [{ name: 'id', type: 'int64' }, { name: 'my_name', type: 'json', original: 'my name' }])
  })
  test('new columns bring metaData again, a local timestamp the protocol that it needs', async () => {
    const scene = await Scene.open(variant, { key: 'id' })
    await scene.load([{ seq: 1, records: [r(1)] }])
    const staged = await scene.stage(scene.batch([{ seq: 2, records: [{ id: 2, v: 'b' }] }]))
    await scene.table.apply({ ...staged, schema: [...staged.schema, { name: 'w', type: 'timestamp_local' }] }, scene.definition)
    const found = actions(scene, 1)
    assert.equal(found.find((action) => action.protocol)?.protocol?.minWriterVersion, 7)
    assert.deepEqual((JSON.parse(found.find((action) => action.metaData)?.metaData?.schemaString ?? '') as { fields: { name: string }[] }).fields.map(({ name }) => name), ['id', 'v', '_place', 'w'])
    assert.deepEqual((await (await again(scene)).head()).schema.map(({ name }) => name), ['id', 'v', 'w'])
    assert.deepEqual(await (await again(scene)).verify(), [])
  })
  test('rows that are not touched are not written again; a file with nothing left is only removed', async () => {
    const scene = await Scene.open(variant, { ...KEYED, mode: 'upsert' })
    await scene.load([{ seq: 1, records: [r(1), r(2)] }])
    await scene.load([{ seq: 2, records: [r(50), r(51)] }])
    await scene.load([{ seq: 3, records: [r(1, 'x'), r(2, 'x')] }])
    const names = actions(scene, 2).map((action) => Object.keys(action)[0])
    assert.deepEqual(names, ['commitInfo', 'txn', 'txn', 'remove', 'add'])
    await scene.load([{ seq: 4, records: [r(50, 'x'), r(90, 'x')] }])
    assert.deepEqual(actions(scene, 3).map((action) => Object.keys(action)[0]), ['commitInfo', 'txn', 'txn', 'remove', 'add', 'add'])
    await scene.check()
  })
  test('who acts on entries that it found makes them durable first', async () => {
    const scene = await Scene.open(variant, KEYED)
    await scene.load([{ seq: 1, records: [r(1)] }])
    const other = await again(scene)
    const receipt = await scene.load([{ seq: 2, records: [r(2)] }])
    const points: string[] = []
    setFailpointHandler({ tamper: () => null, crash: (point) => points.push(point) })
    try {
      assert.equal((await other.committed(receipt.batch))?.version, 1)
      assert.deepEqual(points, ['delta.log.sync.before', 'delta.log.sync.after'])
      await other.head()
      assert.equal(points.length, 2, 'nothing new was found')
    } finally {
      setFailpointHandler(null)
    }
  })
  test('a file system without hard links is refused before anything is written', async () => {
    const scene = await Scene.open(variant, KEYED)
    const staged = await scene.stage(scene.batch([{ seq: 1, records: [r(1)] }]))
    setFailpointHandler({ tamper: () => null, crash(point) {
      if (point === 'delta.probe.link.after') throw Object.assign(new Error('EPERM: operation not permitted'), { code: 'EPERM' })
    } })
    try {
      await assert.rejects(scene.table.apply(staged, scene.definition), { code: 'FILE_SYSTEM_UNFIT' })
    } finally {
      setFailpointHandler(null)
    }
    assert.deepEqual(readdirSync(at(scene)).filter((name) => name.endsWith('.parquet')), [])
    assert.deepEqual(readdirSync(at(scene, '_delta_log')), [])
  })
  test('losing the race for a version: the batch is resolved again on top of the other one', async () => {
    const scene = await Scene.open(variant, KEYED)
    await scene.load([{ seq: 1, records: [r(1)] }])
    const other = await again(scene)
    const theirs = await scene.stage(scene.batch([{ seq: 3, records: [r(7, 'theirs'), r(8)] }], { lane: 1 }))
    const ours = await scene.stage(scene.batch([{ seq: 2, records: [r(7), r(9)] }], { lane: 2 }))
    let once = true
    const apply = engine.session.bind(engine)
    const racing = { ...engine, session: async () => {
      const session = await apply()
      return { ...session, copy: async (point: string, select: string, uri: string) => {
        // The other one commits while this one writes.
        if (once) {
          once = false
          await scene.commit(theirs, { table: other })
        }
        return session.copy(point, select, uri)
      } }
    } }
    const receipt = await scene.commit(ours, { table: await scene.another(racing) })
    assert.equal(receipt.version, 2)
    assert.deepEqual([receipt.arrivals[0]?.counts.inserted, receipt.arrivals[0]?.counts.updated], [1, 1])
    await scene.check()
    assert.deepEqual((await scene.table.verify()), [], 'the files of the lost try are gone')
  })
})

describe('refusals', () => {
  const cases: { name: string; code: string; says: RegExp; lines: object[] }[] = [
    { name: 'an unknown action', code: 'TABLE_UNSUPPORTED', says: /log action cdc \(version 1\)/, lines: [{ commitInfo: { operation: 'WRITE', engineInfo: 'delta-rs:1.6' } }, { cdc: { path: 'x' } }] },
    { name: 'a data file elsewhere', code: 'TABLE_UNSUPPORTED', says: /outside of its folder, file:/, lines: [{ commitInfo: {} }, { add: { path: 'file:///elsewhere/x.parquet', partitionValues: {}, stats: '{"numRecords":1}' } }] },
    { name: 'a feature', code: 'TABLE_UNSUPPORTED', says: /columnMapping/, lines: [{ commitInfo: {} }, { protocol: { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ['columnMapping'], writerFeatures: ['columnMapping'] } }] },
    { name: 'a protocol', code: 'TABLE_UNSUPPORTED', says: /\(2, 5\)/, lines: [{ protocol: { minReaderVersion: 2, minWriterVersion: 5 } }] },
    { name: 'deletion vectors', code: 'TABLE_UNSUPPORTED', says: /deletion vectors \(version 1\)/, lines: [{ add: { path: 'x', deletionVector: { storageType: 'u' } } }] },
  ]
  for (const { name, code, says, lines } of cases) {
    test(name, async () => {
      const scene = await Scene.open(variant, KEYED)
      await scene.load([{ seq: 1, records: [r(1)] }])
      intrude(scene, 1, ...lines)
      await assert.rejects(scene.table.head(), { code, message: says })
      await assert.rejects(again(scene), { code, message: says })
    })
  }
  for (const [property, says] of [['delta.enableChangeDataFeed', /enableChangeDataFeed/], ['sluice.format', /format 3 of a newer/]] as const) {
    test(`the property ${property}`, async () => {
      const scene = await Scene.open(variant, KEYED)
      await scene.load([{ seq: 1, records: [r(1)] }])
      const lines = actions(scene, 0)
      const metaData = lines.find((action) => action.metaData)?.metaData
      if (metaData !== undefined) metaData.configuration[property] = '3'
      rmSync(at(scene, '_delta_log', entry(0)))
      intrude(scene, 0, ...lines)
      await assert.rejects(again(scene), { code: 'TABLE_UNSUPPORTED', message: says })
    })
  }
  test('a column with a property that generates it', async () => {
    const scene = await Scene.open(variant, KEYED)
    await scene.load([{ seq: 1, records: [r(1)] }])
    const text = readFileSync(at(scene, '_delta_log', entry(0)), 'utf8').replace('\\"metadata\\":{}', '\\"metadata\\":{\\"delta.generationExpression\\":\\"1\\"}')
    rmSync(at(scene, '_delta_log', entry(0)))
    writeFileSync(at(scene, '_delta_log', entry(0)), text)
    await assert.rejects(again(scene), { code: 'TABLE_UNSUPPORTED', message: /delta\.generationExpression/ })
  })
  test('a folder of Parquet files that is no table; what a dead first attempt left is no obstacle', async () => {
    const scene = await Scene.open(variant, KEYED)
    mkdirSync(at(scene), { recursive: true })
    writeFileSync(at(scene, 'b-b_dead-1-1-1.parquet'), '')
    assert.equal((await (await again(scene)).head()).exists, false)
    assert.deepEqual((await (await again(scene)).verify()).map(({ grade }) => grade), ['garbage'])
    writeFileSync(at(scene, 'part-0001.parquet'), '')
    await assert.rejects(again(scene), { code: 'TABLE_FOREIGN', message: /part-0001/ })
  })
})

describe('checkpoints', () => {
  test('at version 100; the table opens without the log before it, and without the checkpoint from the log', async () => {
    const scene = await Scene.open(variant, { ...KEYED, mode: 'upsert' })
    for (let seq = 1; seq <= 103; seq += 1) await scene.load([{ seq, records: seq % 50 === 0 ? [r(seq, `${seq}`), 'bad'] : [r(seq % 20, `${seq}`)] }])
    const log = at(scene, '_delta_log')
    const name = `${String(100).padStart(20, '0')}.checkpoint.parquet`
    assert.ok(existsSync(join(log, name)))
    const hint = JSON.parse(readFileSync(join(log, '_last_checkpoint'), 'utf8')) as { version: number; size: number }
    assert.equal(hint.version, 100)
    const session = await engine.session()
    assert.equal((await session.rows(`SELECT count(*) AS n FROM read_parquet('${join(log, name)}')`))[0]?.['n'], BigInt(hint.size))
    await session.close()
    const head = await scene.table.head()
    const without = async (what: (name: string) => boolean, into: string): Promise<Table> => {
      cpSync(at(scene), join(folder, into, scene.definition.table), { recursive: true })
      for (const file of readdirSync(join(folder, into, scene.definition.table, '_delta_log'))) if (what(file)) rmSync(join(folder, into, scene.definition.table, '_delta_log', file))
      return openDeltaTarget({ root: join(folder, into), clock: systemClock }).open(scene.definition.table, scene.ledger, engine)
    }
    const short = await without((file) => /^\d+\.json$/.test(file) && Number.parseInt(file, 10) < 100, 'short')
    assert.deepEqual(await short.head(), head)
    assert.deepEqual(await numbers(short), Array.from({ length: 103 }, (_, i) => i + 1))
    await scene.check(short)
    // The fold keeps the numbers of arrivals, of reloaded ones too.
    const taken = await scene.stage(scene.batch([{ seq: 40, records: [r(999, 'other')] }]), { table: short })
    await assert.rejects(short.apply(taken, scene.definition), { code: 'ARRIVAL_COMMITTED' })
    // Without the fold the checkpoint and the chain of batch records tell the same; without the checkpoint nothing does.
    rmSync(join(folder, 'short', scene.definition.table, '_sluice', 'folds'), { recursive: true })
    const reopen = (): Promise<Table> => openDeltaTarget({ root: join(folder, 'short'), clock: systemClock }).open(scene.definition.table, scene.ledger, engine)
    const salvaged = await reopen()
    assert.deepEqual(await salvaged.head(), head)
    assert.deepEqual(await numbers(salvaged), Array.from({ length: 103 }, (_, i) => i + 1))
    await scene.check(salvaged)
    rmSync(join(folder, 'short', scene.definition.table, '_delta_log', name))
    await assert.rejects(reopen(), { code: 'TABLE_BROKEN', message: /no version 0/ })
    // A torn fold counts as none: the log is replayed.
    const folds = at(scene, '_sluice', 'folds')
    truncateSync(join(folds, readdirSync(folds)[0] ?? ''), 300)
    assert.deepEqual(await (await again(scene)).head(), head)
    // A log that was put back from an older copy is shorter than the fold.
    const older = await without((file) => /^\d+\.(json|check)/.test(file) && Number.parseInt(file, 10) > 90, 'older')
    assert.equal((await older.head()).version, 90)
  })
  test('a failing checkpoint does not turn the commit into a failure', async () => {
    const scene = await Scene.open(variant, KEYED)
    for (let seq = 1; seq <= 100; seq += 1) await scene.load([{ seq, records: [r(seq)] }])
    setFailpointHandler({ tamper: () => null, crash(point) {
      if (point.startsWith('delta.checkpoint')) throw new Error('no room')
    } })
    try {
      assert.equal((await scene.load([{ seq: 101, records: [r(101)] }])).version, 100)
    } finally {
      setFailpointHandler(null)
    }
    assert.equal(existsSync(at(scene, '_delta_log', '_last_checkpoint')), false)
    await scene.check()
  })
})

describe('damage is found', () => {
  const damages: { name: string; says: RegExp; harm: (scene: Scene) => void }[] = [
    { name: 'a missing data file', says: /missing/, harm: (scene) => rmSync(at(scene, dataFile(scene))) },
    { name: 'a data file of another size', says: /bytes/, harm: (scene) => appendFileSync(at(scene, dataFile(scene)), 'x') },
    { name: 'a changed batch record', says: /changed/, harm: (scene) => appendFileSync(at(scene, '_sluice/batches', readdirSync(at(scene, '_sluice/batches'))[0] ?? ''), ' ') },
    { name: 'a missing losers file', says: /missing/, harm: (scene) => rmSync(at(scene, '_sluice/losers'), { recursive: true }) },
    { name: 'a missing rejects file', says: /missing/, harm: (scene) => rmSync(at(scene, '_sluice/rejects'), { recursive: true }) },
    { name: 'a gap in the log', says: /jumps/, harm: (scene) => copyFileSync(at(scene, '_delta_log', entry(1)), at(scene, '_delta_log', entry(5))) },
  ]
  for (const { name, says, harm } of damages) {
    test(name, async () => {
      const scene = await Scene.open(variant, KEYED)
      await scene.load([{ seq: 1, records: [r(1), r(1), 'bad'] }])
      await scene.load([{ seq: 2, records: [r(2)] }])
      assert.deepEqual(await scene.table.verify(), [])
      harm(scene)
      const findings = await scene.table.verify()
      assert.ok(findings.some(({ grade, message }) => grade === 'broken' && says.test(message)), JSON.stringify(findings))
    })
  }
  test('a failed attempt leaves nothing behind', async () => {
    const scene = await Scene.open(variant, KEYED)
    await scene.load([{ seq: 1, records: [r(1)] }])
    const staged = await scene.stage(scene.batch([{ seq: 2, records: [r(2), 'bad'] }]))
    setFailpointHandler({ crash: () => undefined, tamper: (point) => (point === 'write' ? 'drop' : null) })
    try {
      await assert.rejects(scene.table.apply(staged, scene.definition), { code: 'BALANCE_BROKEN' })
    } finally {
      setFailpointHandler(null)
    }
    assert.deepEqual(await scene.table.verify(), [])
  })
})

async function numbers(table: Table): Promise<number[]> {
  const all: number[] = []
  for await (const { seq } of table.arrivals()) all.push(seq)
  return all
}

function dataFile(scene: Scene): string {
  return actions(scene, 0).find((action) => action.add)?.add?.path ?? ''
}
