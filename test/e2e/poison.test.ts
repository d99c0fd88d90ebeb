/** A file that kills its worker process: found alone, FAILED with evidence, remembered by the next run; nobody else notices. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { ArrivalRow } from '../../src/core/ledger.ts'
import type { LoadResult } from '../../src/service/result.ts'
import { documentOf, sluice, scratch } from '../command.ts'
import type { Said } from '../command.ts'

const FILES = 6

function scene(t: TestContext, target: string): { load(poison: string, env?: Record<string, string>): Promise<Said>; show(): Promise<ArrivalRow>; put(n: number, text?: string): void } {
  const folder = scratch(t)
  const data = join(folder, 'data')
  mkdirSync(join(folder, 'in'))
  const put = (n: number, text = `{"records":[{"id":"${n}a"},{"id":"${n}b"}]}`): void => writeFileSync(join(folder, 'in', `f${n}.json`), text)
  for (let n = 1; n <= FILES; n++) put(n)
  return {
    put,
    load: (poison, env = {}) =>
      sluice(['load', join(folder, 'in'), '--into', 't', '--key', 'id', '--to', target === 'delta' ? 'delta:' : `sqlite:${join(folder, 't.db')}`, '--data-dir', data, '--json'], {
        env: { SLUICE_TEST_ONLY: 'poison', SLUICE_POISON: poison, ...env },
      }),
    show: async () => (documentOf(await sluice(['files', 'show', 'f3.json', '--data-dir', data, '--json'])) as unknown as { items: ArrivalRow[] }).items[0] as ArrivalRow,
  }
}

const result = (said: Said): LoadResult => documentOf(said) as unknown as LoadResult

for (const target of ['delta', 'sqlite']) {
  test(`${target}: FAILED with evidence, tried once more by the next load, loaded when its bytes change`, async (t) => {
    const { load, show, put } = scene(t, target)
    const said = await load('f3.json=exit@5')
    const first = result(said)
    assert.deepEqual([said.code, first.state, first.files.loaded, first.files.failed, first.balance.inserted, first.balance.balances], [3, 'COMPLETED', FILES - 1, 1, 2 * (FILES - 1), true])
    assert.equal(first.errors.length, 1)
    assert.deepEqual([first.errors[0]?.code, first.errors[0]?.offset], ['FILE_POISONED', 37])
    assert.match(first.errors[0]?.message ?? '', /died 3 times .*attempt 2 ended with exit code 7 \(read up to byte 37\); attempt 3 .*; attempt 4 /)
    const row = await show()
    assert.deepEqual([row.state, row.fault?.code, row.attempts], ['FAILED', 'FILE_POISONED', 5])
    assert.deepEqual(row.deaths.map(({ attempt, alone, how, offset }) => [attempt, alone, how, offset]), [1, 2, 3, 4].map((attempt) => [attempt, attempt > 1, 'ended with exit code 7', 37]))

    const again = result(await load('f3.json=exit@5'))
    assert.deepEqual([again.exit, again.files.known, again.files.failed, again.balance.read], [3, FILES - 1, 1, 0])
    assert.deepEqual((await show()).deaths.length, 5, 'one more death is enough')

    put(3, '{"records":[{"id":"mended"}]}')
    const mended = result(await load('f3.json=exit@1000'))
    assert.deepEqual([mended.exit, mended.balance.inserted], [0, 1])
    assert.deepEqual((await show()).deaths, [])
  })

  test(`${target}: a death after all files are read is found by halving`, async (t) => {
    const { load, show } = scene(t, target)
    const done = result(await load('f3.json=SIGSEGV@after'))
    assert.deepEqual([done.exit, done.files.loaded, done.files.failed, done.balance.inserted, done.balance.balances], [3, FILES - 1, 1, 2 * (FILES - 1), true])
    assert.match(done.errors[0]?.message ?? '', /was killed by SIGSEGV \(read to its end\)/)
    assert.deepEqual((await show()).deaths.map(({ alone, offset }) => [alone, offset]), [[true, null], [true, null], [true, null]])
  })
}

// What a dead process spilled is removed at once, before its death is written down.
for (const [point, counted] of [['ledger.split.before', 1], ['ledger.split.after', 2], ['engine.temp.before', 1]] as const) {
  test(`a parent killed at ${point} loses nothing: the next run goes on counting`, async (t) => {
    const { load, show } = scene(t, 'delta')
    assert.equal((await load('f3.json=exit@0', { SLUICE_FAILPOINT: point, SLUICE_FAILPOINT_HIT: '2' })).signal, 'SIGKILL')
    assert.equal((await show()).deaths.length, counted)
    const done = result(await load('f3.json=exit@0'))
    assert.deepEqual([done.exit, done.files.total, done.files.failed, done.balance.balances], [3, FILES, 1, true])
    assert.deepEqual((await show()).deaths.map(({ alone }) => alone), [false, true, true, true], 'three alone, whoever saw them')
  })
}

test('without the second variable nothing is poisonous', async (t) => {
  const { load } = scene(t, 'delta')
  assert.equal(result(await load('f3.json=exit@0', { SLUICE_TEST_ONLY: 'yes' })).exit, 0)
})
