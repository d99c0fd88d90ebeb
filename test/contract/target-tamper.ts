/** Contract: a row that is lost or doubled on its way breaks the balance, and nothing becomes visible. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SluiceError } from '../../src/core/errors.ts'
import { setFailpointHandler } from '../../src/core/failpoint.ts'
import { Scene } from './scene.ts'
import type { Variant } from './scene.ts'
import { oneOf } from '../whole.ts'

const COLUMNS = 'id:int64,v:string'
const r = (id: number, v = 'a'): object => ({ id, v })

export function tamperCases(get: () => Variant): void {
  describe('the balance can fail', () => {
    for (const [mode, request] of [{ columns: COLUMNS }, { columns: COLUMNS, key: 'id' }, { columns: COLUMNS, key: 'id', mode: 'upsert' }].entries()) {
      for (const [step, point] of ['stage', 'resolve', 'write'].entries()) {
        // Nothing is deduplicated in an append batch.
        if (point === 'stage' && request.key === undefined) continue
        for (const how of oneOf(['drop', 'double'] as const, mode + step)) {
          test(`${request.mode ?? (request.key === undefined ? 'append' : 'dedupe')}: ${point} ${how}`, async () => {
            const scene = await Scene.open(get(), request)
            await scene.load([{ seq: 1, records: [r(1), r(2), r(3)] }])
            const head = await scene.table.head()
            const rows = await scene.rows()
            // All but the staging happens in this process: the handler below reaches it.
            const tampered = point === 'stage' ? get().tampered(`${point}=${how}`) : null
            const engine = tampered ?? get().engine
            const table = await scene.another(engine)
            setFailpointHandler({ crash: () => {}, tamper: (name) => (name === point ? how : null) })
            try {
              const deliveries = [{ seq: 2, records: [r(7, 'new'), r(7, 'newer'), r(2, 'other'), r(1), r(8)] }]
              await assert.rejects(scene.load(deliveries, { engine, table }), (thrown) => {
                assert.equal(thrown instanceof SluiceError ? thrown.code : thrown, 'BALANCE_BROKEN')
                return true
              })
            } finally {
              setFailpointHandler(null)
              await table.close()
              await tampered?.close()
            }
            assert.deepEqual(await scene.table.head(), head)
            assert.deepEqual(await scene.rows(), rows)
            await scene.check()
            // Nothing stands in the way of the same arrival, honestly loaded.
            await scene.load([{ seq: 2, records: [r(7, 'new'), r(7, 'newer'), r(2, 'other'), r(1), r(8)] }])
            await scene.check()
          })
        }
      }
    }
  })
}
