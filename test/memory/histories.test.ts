/**
 * Histories on the engine and the table in memory: shows that the histories, the model and the contract's reference agree
 * before real processes run them. Batches are cut and committed in an order of their own, so many of them are late.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Arrival } from '../../src/core/arrival.ts'
import { SluiceError } from '../../src/core/errors.ts'
import type { Table } from '../../src/core/target.ts'
import { lookAt } from '../../src/storage/pin.ts'
import { collect } from '../contract/scene.ts'
import { TABLE, arrange, committedOf, contentsOf, histories } from '../histories.ts'
import type { History } from '../histories.ts'
import { model, showRow } from '../reference.ts'
import { memoryEngine } from './engine.ts'
import { memoryTarget } from './table.ts'
import { BY_ITSELF } from '../../src/core/reading.ts'

test('any history in memory gives the table of the model', async () => {
  await fc.assert(fc.asyncProperty(histories, fc.infiniteStream(fc.nat(6)), play), { numRuns: 150 })
})

async function play(history: History, draws: fc.Stream<number>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-histories-'))
  try {
    const engine = memoryEngine()
    const table = await memoryTarget(new Map()).open(TABLE, 'l_histories', engine)
    const next = (): number => draws.next().value ?? 0
    let seq = 0
    for (const run of history.runs) {
      arrange(folder, run)
      const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()
      const arrivals = names.flatMap((name): Arrival[] => {
        const pin = lookAt(join(folder, name))
        return pin === null || pin.size === 0 ? [] : [{ seq: ++seq, pin, reload: false, replaced: false }]
      })
      const batches: Arrival[][] = []
      while (arrivals.length > 0) batches.splice(next() % (batches.length + 1), 0, arrivals.splice(0, 1 + next()))
      for (const batch of batches) await commit(history, table, batch, engine)
    }
    await compare(history, table)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

let fence = 0

async function commit(history: History, table: Table, arrivals: Arrival[], engine: ReturnType<typeof memoryEngine>): Promise<void> {
  const batch = { id: `b_${++fence}`, lane: 0, fence, table: TABLE, arrivals }
  const { exists, schema } = await table.head()
  const staged = await engine.stage(
    {
      batch, attempt: 1, definition: history.definition, pinned: exists ? schema : null, folder: '', reading: BY_ITSELF, onBad: 'quarantine', maxBad: null,
      now: Date.now(), grace: 0, standing: (shas) => table.standing(shas), reloaded: new Set(),
    },
    () => {},
    new AbortController().signal,
  )
  const failed = staged.outcomes.find((outcome) => outcome.state === 'failed' || outcome.state === 'waiting')
  if (failed !== undefined) throw new SluiceError('INTERNAL', `a file of a history must be readable: ${JSON.stringify(failed)}`)
  await table.apply(staged, history.definition)
}

async function compare(history: History, table: Table): Promise<void> {
  const arrivals: { seq: number; sha256: string; generation: number }[] = []
  for await (const arrival of table.arrivals()) arrivals.push(arrival)
  const shas = new Set(arrivals.map((arrival) => arrival.sha256))
  assert.ok([...contentsOf(history)].every((sha) => shas.has(sha)), 'every content that lay there is in')
  const { schema } = await table.head()
  const expected = model(history.definition, schema, committedOf(history, arrivals))
  const shown = (rows: readonly (readonly unknown[])[]): string[] => rows.map((row) => showRow(row.slice(0, -1) as string[])).toSorted()
  assert.deepEqual(shown(await collect(table.scan(null))), shown(expected.rows))
  const rejects = await table.rejects({ limit: 1_000_000 })
  const own = rejects.filter((one) => one.code !== 'KEY_REPEATED').map((one) => one.place)
  assert.deepEqual(own, expected.bad)
  assert.deepEqual(await table.verify(), [])
}
