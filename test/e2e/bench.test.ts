/** `sluice bench`, for seconds instead of minutes. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sluice } from '../command.ts'

test('rounds are loaded until the time is up, and the report says how much it was', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const dir = join(folder, 'b')
  const args = ['bench', '--minutes', '0.001', '--files', '3', '--records', '50', '--dup', '10%', '--dir', dir, '--json']
  for (let again = 0; again < 2; again++) {
    const { code, stdout } = await sluice(args)
    assert.equal(code, 0)
    const said = JSON.parse(stdout) as { rounds: { inserted: number; duplicate: number }[]; records: number; files: number; ms: number; recordsPerSecond: number; report: string; balance: { read: number } }
    assert.ok(said.rounds.length >= 1 && said.ms >= 60)
    assert.equal(said.records, said.rounds.length * 150)
    assert.equal(said.files, said.rounds.length * 3)
    assert.equal(said.balance.read, said.records)
    assert.deepEqual([...new Set(said.rounds.map(({ inserted, duplicate }) => `${inserted}+${duplicate}`))], ['135+15'])
    assert.match(readFileSync(said.report, 'utf8'), /records and .* per second/)
    assert.equal(existsSync(join(dir, 'in')), false)
  }
  writeFileSync(join(dir, 'mine.txt'), '')
  const refused = await sluice(args)
  assert.equal(refused.code, 2)
  assert.equal(existsSync(join(dir, 'mine.txt')), true)
})
