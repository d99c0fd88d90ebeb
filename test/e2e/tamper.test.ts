/**
 * The balance can fail: one row lost or doubled at split, stage, resolve or write, and the run is FAILED with
 * BALANCE_BROKEN, the table is as it was, and the next load brings everything.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { sluice } from '../command.ts'
import { oneOf } from '../whole.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-tamper-'))
after(() => rmSync(root, { recursive: true, force: true }))

interface Said {
  state: string
  exit: number
  version: number | null
  balance: { inserted: number; updated: number; duplicate: number; balances: boolean }
  errors: { code: string }[]
}

const HOWS = ['drop', 'double']

for (const [turn, target] of ['delta', 'sqlite'].entries()) {
  for (const [step, point] of ['split', 'stage', 'resolve', 'write'].entries()) {
    describe(`${target}: a row tampered with at ${point}`, { concurrency: 2 }, () => {
      for (const how of oneOf(HOWS, turn + step)) {
        test(how, async () => {
          const folder = join(root, `${target}-${point}-${how}`)
          mkdirSync(join(folder, 'in'), { recursive: true })
          const put = (name: string, ids: number[]): void => writeFileSync(join(folder, 'in', name), JSON.stringify({ records: ids.map((id) => ({ id, v: name })) }))
          const args = ['load', join(folder, 'in'), '--into', 't', '--key', 'id', '--mode', 'upsert', '--data-dir', join(folder, 'data'), '--jobs', '1', '--json', '--to', target === 'delta' ? 'delta:' : `sqlite:${join(folder, 't.db')}`]
          const run = async (env: Record<string, string> = {}): Promise<Said> => JSON.parse((await sluice(args, { env })).stdout) as Said
          put('a.json', [1, 2, 3])
          assert.equal((await run()).exit, 0)
          // New keys, known keys, and a key that comes twice: every path has a row to lose.
          put('b.json', [3, 4, 5, 5])
          const broken = await run({ SLUICE_TAMPER: `${point}=${how}` })
          assert.deepEqual([broken.state, broken.exit, broken.errors[0]?.code, broken.balance.balances, broken.version], ['FAILED', 1, 'BALANCE_BROKEN', false, target === 'delta' ? 0 : 1])
          const healthy = await run()
          assert.deepEqual([healthy.exit, healthy.balance.inserted, healthy.balance.updated], [0, 2, 1])
        })
      }
    })
  }
}

for (const [turn, to] of ['parquet', 'csv', 'json'].entries()) {
  for (const [step, point] of ['split', 'write'].entries()) {
    for (const how of oneOf(HOWS, turn + step)) {
      test(`convert to ${to}, a row tampered with at ${point}: ${how}`, async () => {
        const folder = join(root, `${to}-${point}-${how}`)
        mkdirSync(join(folder, 'in'), { recursive: true })
        writeFileSync(join(folder, 'in/a.json'), '[{"id":1},{"id":2},{"id":3}]')
        const args = ['convert', join(folder, 'in'), '--to', to, '-o', join(folder, 'out'), '--data-dir', join(folder, 'data'), '--json']
        const broken = JSON.parse((await sluice(args, { env: { SLUICE_TAMPER: `${point}=${how}` } })).stdout) as Said
        assert.deepEqual([broken.state, broken.exit, broken.errors[0]?.code, broken.balance.balances, existsSync(join(folder, `out/a.${to}`))], ['FAILED', 1, 'BALANCE_BROKEN', false, false])
        assert.equal((JSON.parse((await sluice(args)).stdout) as Said).exit, 0)
      })
    }
  }
}
