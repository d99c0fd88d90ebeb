/**
 * Death at every step of a commit: nothing or everything of it is there, and the next process finishes it.
 *
 * A death is played in this process: from one failpoint on every state-changing call throws, the tidying up as well.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Scene } from '../../../test/contract/scene.ts'
import type { Delivery } from '../../../test/contract/scene.ts'
import { hybridEngine } from '../../../test/memory/hybrid.ts'
import { setFailpointHandler } from '../../core/failpoint.ts'
import type { Target } from '../../core/target.ts'
import { systemClock } from '../../storage/system.ts'
import { openDeltaTarget } from './target.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-delta-crash-'))
const engine = await hybridEngine(folder)
after(() => rmSync(folder, { recursive: true }))
const target = (): Target => openDeltaTarget({ root: join(folder, 'tables'), clock: systemClock })
const variant = { engine, target, tampered: () => engine, folder, dispose: async () => undefined }
const r = (id: number, v = 'a'): object => ({ id, v })

/** Names of the failpoints that `work` passes. */
async function pointsOf(work: () => Promise<unknown>): Promise<string[]> {
  const names = new Set<string>()
  setFailpointHandler({ tamper: () => null, crash: (point) => names.add(point) })
  await work().finally(() => setFailpointHandler(null))
  return [...names]
}

/** Dies at the first passing of `point`, and stays dead. */
async function dieAt(point: string, work: () => Promise<unknown>): Promise<unknown> {
  let dead = false
  setFailpointHandler({ tamper: () => null, crash(name) {
    dead ||= name === point
    if (dead) throw new Error(`dead at ${point}`)
  } })
  const thrown = await work().then(() => null, (error: unknown) => error)
  setFailpointHandler(null)
  assert.ok(dead, `${point} was not reached`)
  return thrown
}

const FIRST: Delivery[] = [{ seq: 1, records: [r(1), r(2), r(2, 'b'), 'bad'] }]
const SECOND: Delivery[] = [{ seq: 2, records: [r(1, 'new'), r(2, 'b'), r(3), r(3, 'x'), 'bad'] }]
const request = { columns: 'id:int64,v:string', key: 'id', mode: 'upsert' }

/** Opens a table, with its first batch in or not, and stages the batch that is to die. */
async function prepared(known: boolean): Promise<{ scene: Scene; staged: Awaited<ReturnType<Scene['stage']>> }> {
  const scene = await Scene.open(variant, request)
  if (known) await scene.load(FIRST)
  return { scene, staged: await scene.stage(scene.batch(known ? SECOND : FIRST)) }
}

async function commitPoints(known: boolean): Promise<string[]> {
  const { scene, staged } = await prepared(known)
  return pointsOf(() => scene.table.apply(staged, scene.definition))
}

/** A table at version 99, kept aside, and the batch whose commit writes the first checkpoint. */
async function nearCheckpoint(): Promise<{ scene: Scene; staged: Awaited<ReturnType<Scene['stage']>>; points: string[] }> {
  const scene = await Scene.open(variant, request)
  for (let seq = 1; seq <= 100; seq += 1) await scene.load([{ seq, records: [r(seq % 7, `${seq}`)] }])
  cpSync(scene.table.uri, `${scene.table.uri}_before`, { recursive: true })
  const staged = await scene.stage(scene.batch([{ seq: 101, records: [r(1, 'last')] }]))
  const points = await pointsOf(() => scene.commit(staged))
  return { scene, staged, points: points.filter((point) => /^delta\.(fold\.|checkpoint\.)/.test(point)) }
}

// Handlers hold for the whole process: all names are collected before the first test runs.
const makes = await commitPoints(false)
const upserts = await commitPoints(true)
const checkpoint = await nearCheckpoint()

for (const [known, points] of [[false, makes], [true, upserts]] as const) {
  describe(known ? 'an upsert' : 'the commit that makes the table', () => {
    test('passes failpoints around its steps', () => {
      const steps = ['delta.data', 'delta.losers', 'delta.rejects', 'delta.folder.sync', 'delta.record.write', 'delta.entry.write', 'delta.link', 'delta.link.sync']
      for (const step of [...steps, ...(known ? ['delta.rewrite'] : ['delta.folder.make', 'delta.probe.link'])]) {
        assert.ok(points.includes(`${step}.before`) && points.includes(`${step}.after`), step)
      }
    })
    for (const point of points) {
      test(point, async () => {
        const { scene, staged } = await prepared(known)
        const rows = await scene.rows()
        await dieAt(point, () => scene.table.apply(staged, scene.definition))
        const next = await scene.another()
        const receipt = await next.committed(staged.batch.id)
        if (receipt === null) assert.deepEqual(await scene.rows(next), rows)
        // The next process stages again under its own names; what was committed is answered as it was.
        const done = await scene.commit({ ...staged, attempt: staged.attempt + 1_000_000 }, { table: next })
        if (receipt !== null) assert.deepEqual(done, receipt)
        await scene.check(next)
      })
    }
  })
}

describe('a checkpoint', () => {
  const { scene, staged, points } = checkpoint
  const at = scene.table.uri
  test('passes failpoints around its steps', () => {
    for (const step of ['delta.fold.write', 'delta.fold.rename', 'delta.fold.sync', 'delta.checkpoint.copy', 'delta.checkpoint.rename', 'delta.checkpoint.hint.rename']) {
      assert.ok(points.includes(`${step}.before`) && points.includes(`${step}.after`), step)
    }
  })
  for (const point of points) {
    test(point, async () => {
      rmSync(at, { recursive: true })
      cpSync(`${at}_before`, at, { recursive: true })
      const table = await scene.another()
      assert.equal(await dieAt(point, () => table.apply(staged, scene.definition)), null, 'the commit is in')
      const next = await scene.another()
      assert.equal((await next.committed(staged.batch.id))?.version, 100)
      assert.equal((await next.head()).rows, 7)
      assert.deepEqual((await next.verify()).filter(({ grade }) => grade === 'broken'), [])
    })
  }
})
