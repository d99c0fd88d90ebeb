/** `--partition-by`: made with the table, kept by it, and refused where it cannot be. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { sluice } from '../command.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-partition-e2e-'))
after(() => rmSync(root, { recursive: true, force: true }))
const data = join(root, 'data')
mkdirSync(join(root, 'in'))
const put = (name: string, records: readonly object[]): void => writeFileSync(join(root, 'in', name), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
const go = (...flags: string[]): ReturnType<typeof sluice> => sluice(['load', join(root, 'in'), '--into', 'orders', '--data-dir', data, ...flags])

describe('--partition-by', () => {
  test('lays the files apart; the table keeps it; another one is refused with both values', async () => {
    put('1.ndjson', [{ id: 1, ts: '2024-05-01T10:00:00Z', c: 'x' }, { id: 2, ts: '2024-06-01T10:00:00Z', c: 'y' }])
    const made = await go('--key', 'id', '--mode', 'upsert', '--partition-by', 'month(ts),c')
    assert.equal(made.code, 0, made.stderr)
    const folders = readdirSync(join(data, 'tables/orders')).filter((name) => name.includes('=')).toSorted()
    assert.deepEqual(folders, ['ts_month=2024-05-01', 'ts_month=2024-06-01'])
    assert.ok(existsSync(join(data, 'tables/orders/ts_month=2024-05-01/c=x')))
    put('2.ndjson', [{ id: 2, ts: '2024-06-01T10:00:00Z', c: 'z' }])
    assert.match((await go()).stdout, /1 read = 0 inserted \+ 1 updated/)
    assert.match((await go('--partition-by', 'MONTH(ts), C')).stdout, /0 read/)
    const other = await go('--partition-by', 'day(ts)')
    assert.equal(other.code, 4)
    assert.match(other.stderr, /DEFINITION_DIFFERS.*--partition-by day\(ts\) differs from the table's: orders has partition-by month\(ts\),c/s)
    const head = await sluice(['tables', 'head', 'orders', '--data-dir', data])
    assert.match(head.stdout, /x[\s\S]*z/)
    assert.equal((await sluice(['doctor', '--data-dir', data])).code, 0)
  })
  test('values and members that cannot be are put aside alone', async () => {
    put('3.ndjson', [{ id: 3, c: '' }, { id: 4, c: '__HIVE_DEFAULT_PARTITION__' }, { id: 5, c: 'x'.repeat(300) }, { id: 6, c: 'x', ts_month: 'mine' }, { id: 7, c: 'x\u00e9'.repeat(60) }, { id: 8, c: 'a\u0000b' }])
    // Records that look alike are read by the dozen: none of them slips past.
    put('4.ndjson', Array.from({ length: 300 }, (_, n) => ({ id: 100 + n, c: n === 250 ? '' : `c${n % 3}` })))
    const said = await go('--json')
    assert.equal(said.code, 3, said.stdout)
    assert.deepEqual((JSON.parse(said.stdout) as { reasons: object }).reasons, { PARTITION_INVALID: 5, NAME_RESERVED: 1 })
  })
  test('SQLite has none, and says where there are some', async () => {
    const said = await go('--to', `sqlite:${join(root, 't.db')}`, '--partition-by', 'c')
    assert.equal(said.code, 4)
    assert.match(said.stderr, /sqlite tables have no partitions[\s\S]*--to delta:/)
    assert.equal(existsSync(join(root, 't.db')), false)
  })
})
