/** The SQLite target: any order of batches gives the table of the rule, and nothing that is not ours is touched. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { OUTCOMES, addBalance, noBalance } from '../../core/balance.ts'
import { define } from '../../core/definition.ts'
import type { SluiceError } from '../../core/errors.ts'
import { setFailpointHandler } from '../../core/failpoint.ts'
import { placeOf } from '../../core/place.ts'
import type { Row, Schema } from '../../core/schema.ts'
import type { Table } from '../../core/target.ts'
import { content, servingEngine, stageRows, winnersOf } from '../../../test/memory/serving.ts'
import { openSqliteTarget } from './target.ts'

const SCHEMA: Schema = [{ name: 'id', type: 'string' }, { name: 'v', type: 'int64' }, { name: 'note', type: 'string' }]
const UPSERT = define('t', { key: 'id', mode: 'upsert' })
const engine = servingEngine()
let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-'))
  file = join(folder, 'new', 'data.db')
})
afterEach(() => {
  setFailpointHandler(null)
  rmSync(folder, { recursive: true, force: true })
})

const open = (table = 't', ledger: string | null = 'ledger'): Promise<Table> => openSqliteTarget({ file }).open(table, ledger, engine)
const code = (expected: string) => (thrown: unknown): boolean => (thrown as SluiceError).code === expected
async function all(chunks: AsyncIterable<Row[]>): Promise<Row[]> {
  const rows: Row[] = []
  for await (const chunk of chunks) rows.push(...chunk)
  return rows
}

test('looking at a file that does not exist makes nothing', async () => {
  const table = await open()
  assert.equal((await table.head()).exists, false)
  assert.equal(await table.committed('b_0'), null)
  assert.deepEqual(await all(table.scan(null)), [])
  assert.deepEqual(await table.rejects({ limit: 5 }), [])
  assert.deepEqual(await table.verify(), [])
  assert.equal(existsSync(join(folder, 'new')), false)
})

test('NaN is refused: SQLite would make null of it', async () => {
  const schema: Schema = [{ name: 'id', type: 'int64' }, { name: 'd', type: 'double' }]
  const table = await open()
  const asked = define('t', { key: 'id' })
  for (const twice of [false, true]) {
    const rows: Row[] = twice ? [[1n, 1], [1n, Number.NaN]] : [[1n, 1], [2n, Number.NaN]]
    await assert.rejects(table.apply(stageRows(engine, asked, schema, new Map([[1, rows]])), asked), (thrown: SluiceError) => thrown.code === 'TABLE_UNSUPPORTED' && /row 2: d is NaN/.test(thrown.message))
  }
  assert.equal((await table.head()).exists, false)
})

test('every type comes back as it went in', async () => {
  const schema: Schema = (['string', 'boolean', 'int64', 'double', 'date', 'timestamp', 'timestamp_local', 'json'] as const).map((type) => ({ name: `the ${type}`, type }))
  const rows: Row[] = [
    ['a\0b😀\uffff', true, 9223372036854775807n, 0.1, '2024-02-29', '2024-02-29T23:59:59.123456Z', '2024-02-29T23:59:59.123456', '{"a":1.10,"b":"\\u0000"}'],
    ['', false, -9223372036854775808n, 5e-324, '0001-01-01', '0001-01-01T00:00:00.000000Z', '0001-01-01T00:00:00.000000', '[]'],
    ['3', null, 3n, 3, null, null, null, 'null'],
  ]
  const table = await open()
  await table.apply(stageRows(engine, define('t', {}), schema, new Map([[1, rows]])), define('t', {}))
  assert.deepEqual(await all(table.scan(null)), rows.map((row, at) => [...row, placeOf(1, at + 1)]))
  assert.deepEqual((await table.head()).schema, schema)
  assert.deepEqual(await all(table.scan(1)), [[...(rows[0] ?? []), placeOf(1, 1)]])
})

const KEEPS = [{ mode: 'append' }, { key: 'id', keep: 'first' }, { key: 'id', keep: 'error' }, { key: 'id,note', keep: 'last', mode: 'upsert' }, { key: 'id', keep: 'max:v', mode: 'upsert' }, { key: 'id', keep: 'min:v', mode: 'upsert' }]
for (const request of KEEPS) {
  test(`batches in any order give the table of the rule: ${JSON.stringify(request)}`, async () => {
    const record = fc.oneof(
      { weight: 9, arbitrary: fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(null, 1n, 2n), fc.constantFrom('x', 'y', 'y')) },
      { weight: 1, arbitrary: fc.constant('bad') },
    )
    const arrivals = fc.array(fc.array(record, { maxLength: 4 }), { minLength: 2, maxLength: 6 })
    const definition = define('t', request)
    await fc.assert(
      fc.asyncProperty(arrivals, fc.array(fc.nat(), { minLength: 6, maxLength: 6 }), fc.boolean(), async (lists, order, pairwise) => {
        const at = join(mkdtempSync(join(folder, 'run-')), 'data.db')
        const table = await openSqliteTarget({ file: at }).open('t', 'ledger', engine)
        const seqs = lists.map((_, i) => i + 1).toSorted((a, b) => (order[a - 1] ?? 0) - (order[b - 1] ?? 0))
        const total = noBalance()
        let evicted = 0
        for (let n = 0; n < seqs.length; n += pairwise ? 2 : 1) {
          const part = seqs.slice(n, n + (pairwise ? 2 : 1)).toSorted((a, b) => a - b)
          const receipt = await table.apply(stageRows(engine, definition, SCHEMA, new Map(part.map((seq) => [seq, lists[seq - 1] ?? []]))), definition)
          for (const arrival of receipt.arrivals) addBalance(total, arrival.counts)
          evicted += receipt.evicted
        }
        const good: Row[] = lists.flatMap((list, i) => list.flatMap((one, j) => (typeof one === 'string' ? [] : [[...one, placeOf(i + 1, j + 1)]])))
        const rows = await all(table.scan(null))
        assert.deepEqual(content(rows), content(winnersOf(definition, SCHEMA, good)))
        assert.deepEqual(await table.verify(), [])
        // Nothing is lost: table, losers and rejects together are what came in.
        const rejects = await table.rejects({ limit: 100 })
        const places = [...rows, ...(await all(table.losers()))].map((row) => row.at(-1) as bigint).concat(rejects.map((one) => one.place))
        assert.equal(new Set(places).size, places.length)
        assert.equal(places.length, lists.flat().length)
        assert.equal(OUTCOMES.reduce((sum, term) => sum + total[term], 0), lists.flat().length)
        assert.equal(total.quarantined + evicted, rejects.length)
        const head = await table.head()
        assert.equal(head.rows, rows.length)
        assert.equal(await table.highest(), places.reduce((a, b) => (a > b ? a : b), 0n))
      }),
      { numRuns: 25 },
    )
  })
}

test('a late record does not beat an equal one that was never rewritten', async () => {
  const table = await open()
  const apply = (seq: number, ...rows: Row[]) => table.apply(stageRows(engine, UPSERT, SCHEMA, new Map([[seq, rows]])), UPSERT)
  await apply(1, ['k', 1n, 'a'])
  assert.equal((await apply(3, ['k', 1n, 'a'])).arrivals[0]?.counts.duplicate, 1)
  assert.equal((await apply(2, ['k', 2n, 'b'])).arrivals[0]?.counts.stale, 1)
  assert.deepEqual(await all(table.scan(null)), [['k', 1n, 'a', placeOf(1, 1)]])
})

test('keep error: rejects name the key, and a late lower place evicts', async () => {
  const definition = define('t', { key: 'id', keep: 'error' })
  const table = await open()
  await table.apply(stageRows(engine, definition, SCHEMA, new Map([[5, [['k', 9007199254740993n, 'a']]]])), definition)
  const receipt = await table.apply(stageRows(engine, definition, SCHEMA, new Map([[2, [['k', 2n, 'b'], ['k', 3n, 'c'], ['k', 2n, 'b'], 'no key']]])), definition)
  assert.equal(receipt.evicted, 1)
  assert.deepEqual(receipt.arrivals[0]?.counts, { read: 4, inserted: 0, updated: 1, duplicate: 1, stale: 0, skipped: 0, quarantined: 2 })
  assert.deepEqual(receipt.reasons, { KEY_REPEATED: 1 })
  const rejects = await table.rejects({ limit: 10 })
  assert.deepEqual(rejects.map((one) => [one.place, one.code, one.value]), [[placeOf(2, 2), 'KEY_REPEATED', 'k'], [placeOf(2, 4), 'KEY_MISSING', null], [placeOf(5, 1), 'KEY_REPEATED', 'k']])
  assert.equal(rejects[2]?.raw, '{"id":"k","v":9007199254740993,"note":"a"}')
  assert.deepEqual((await table.rejects({ limit: 10, after: placeOf(2, 2), batch: receipt.batch })).length, 2)
})

test('new columns come at the end; what a record does not have is null', async () => {
  const table = await open()
  const key = define('t', { key: 'n', mode: 'upsert' })
  await table.apply(stageRows(engine, key, [{ name: 'a', type: 'string' }], new Map([[1, ['no key']]])), key)
  await table.apply(stageRows(engine, key, [{ name: 'n', type: 'int64' }, { name: 'rowid', type: 'double' }], new Map([[2, [[1n, 0.5], [2n, 1]]]])), key)
  const receipt = await table.apply(stageRows(engine, key, [{ name: 'N', type: 'int64' }, { name: 'b', type: 'boolean' }], new Map([[3, [[1n, true]]]])), key)
  assert.equal(receipt.arrivals[0]?.counts.updated, 1)
  assert.deepEqual(await all(table.scan(null)), [[null, 2n, 1, null, placeOf(2, 2)], [null, 1n, null, true, placeOf(3, 1)]])
  assert.deepEqual(await table.verify(), [])
  await assert.rejects(table.apply(stageRows(engine, key, [{ name: 'n', type: 'string' }], new Map([[4, [['x']]]])), key), code('SCHEMA_MOVED'))
})

test('a table may have 1,990 columns, and one more is refused before anything is written', async () => {
  const wide: Schema = Array.from({ length: 1990 }, (_, i) => ({ name: i === 0 ? 'id' : `column ${i}`, type: 'int64' }))
  const row = (n: bigint): Row => wide.map((_, i) => (i === 0 ? 1n : n))
  for (const definition of [UPSERT, define('e', { key: 'id', keep: 'error' })]) {
    const table = await open(definition.table)
    await table.apply(stageRows(engine, definition, wide, new Map([[3, [row(1n), row(2n)]]])), definition)
    const receipt = await table.apply(stageRows(engine, definition, wide, new Map([[2, [row(3n)]], [4, [row(4n)]]])), definition)
    assert.equal(receipt.arrivals.length, 2)
    assert.deepEqual(await table.verify(), [])
    const wider: Schema = [...wide, { name: 'too many', type: 'int64' }]
    await assert.rejects(table.apply(stageRows(engine, definition, wider, new Map([[5, []]])), definition), code('TABLE_UNSUPPORTED'))
    assert.equal((await table.head()).version, 2)
  }
})

test('batches: the same one again, a fence that was passed, contents that are in', async () => {
  const table = await open()
  const staged = stageRows(engine, UPSERT, SCHEMA, new Map([[1, [['k', 1n, 'a']]]]), { id: 'b_one', fence: 700, lane: 3 })
  const receipt = await table.apply(staged, UPSERT)
  assert.deepEqual(await table.apply(staged, UPSERT), receipt)
  assert.deepEqual(await (await open()).committed('b_one'), receipt)
  await assert.rejects(table.apply(stageRows(engine, UPSERT, SCHEMA, new Map([[2, []]]), { fence: 699, lane: 3 }), UPSERT), code('FENCED'))
  await assert.rejects(table.apply(stageRows(engine, UPSERT, SCHEMA, new Map([[2, []]]), { content: 'content 1', fence: 701, lane: 3 }), UPSERT), code('ARRIVAL_COMMITTED'))
  assert.deepEqual((await table.head()).lanes, new Map([[3, 700]]))
  const sha = receipt.arrivals[0]?.sha256 ?? ''
  assert.deepEqual(await table.standing([sha, 'other']), new Map([[sha, { generation: 0, seq: 1 }]]))
  const arrivals = []
  for await (const arrival of table.arrivals()) arrivals.push(arrival)
  assert.deepEqual(arrivals, receipt.arrivals)
})

for (const [point, how] of [['resolve', 'drop'], ['resolve', 'double'], ['write', 'drop'], ['write', 'double']] as const) {
  for (const definition of [define('t', { mode: 'append' }), UPSERT]) {
    test(`a row that is ${how} at ${point} breaks the balance (${definition.mode})`, async () => {
      const table = await open()
      await table.apply(stageRows(engine, definition, SCHEMA, new Map([[1, [['k', 1n, 'a']]]])), definition)
      for (const rows of [[['l', 1n, 'a']], [['k', 2n, 'b'], ['k', 1n, 'a']], [['k', 2n, 'b']]] as Row[][]) {
        setFailpointHandler({ crash: () => {}, tamper: (at) => (at === point ? how : null) })
        await assert.rejects(table.apply(stageRows(engine, definition, SCHEMA, new Map([[2, rows]])), definition), code('BALANCE_BROKEN'))
        setFailpointHandler(null)
        assert.equal((await table.head()).version, 1)
      }
      assert.deepEqual(await table.verify(), [])
    })
  }
}

test('what Sluice did not make is refused by name', async () => {
  file = join(folder, 'foreign.db')
  const db = new DatabaseSync(file)
  db.exec('CREATE TABLE Theirs (a); CREATE VIEW seen AS SELECT 1')
  await assert.rejects(open('theirs'), code('TABLE_FOREIGN'))
  await assert.rejects(open('seen'), code('TABLE_FOREIGN'))
  await assert.rejects(open('_sluice_meta'), code('TARGET_INVALID'))
  const table = await open('ours')
  await table.apply(stageRows(engine, define('ours', {}), SCHEMA, new Map([[1, [['k', 1n, 'a']]]])), define('ours', {}))
  await assert.rejects(open('ours', 'another'), code('TABLE_OTHER_LEDGER'))
  assert.equal((await (await open('ours', null)).head()).ledger, 'ledger')
  db.exec('ALTER TABLE ours ADD COLUMN extra TEXT')
  assert.equal((await (await open('ours')).head()).rows, 1, 'a column of others is left alone')
  db.exec('ALTER TABLE ours RENAME COLUMN v TO w')
  await assert.rejects(open('ours'), code('TABLE_FOREIGN'))
  db.exec('UPDATE _sluice_meta SET format = 99')
  await assert.rejects(open('ours'), code('TABLE_UNSUPPORTED'))
  db.close()
  file = join(folder, 'text.db')
  writeFileSync(file, 'this is no database, but it is long enough to look at'.repeat(100))
  await assert.rejects(open(), code('TABLE_FOREIGN'))
})

test('verify tells what was changed from outside', async () => {
  const table = await open()
  await table.apply(stageRows(engine, UPSERT, SCHEMA, new Map([[1, [['k', 1n, 'a'], ['l', 1n, 'a'], ['l', 2n, 'b']]]])), UPSERT)
  assert.deepEqual(await table.verify(), [])
  for (const change of [`DELETE FROM t WHERE id = 'k'`, 'DELETE FROM _sluice_losers_t', 'DROP INDEX _sluice_key_t', 'UPDATE _sluice_batches SET version = 2']) {
    const db = new DatabaseSync(file)
    db.exec(`SAVEPOINT s; ${change}; RELEASE s`)
    db.close()
    assert.notDeepEqual(await table.verify(), [], change)
  }
})

test('verify tells of a damaged page', async () => {
  const table = await open()
  const rows: Row[] = Array.from({ length: 3000 }, (_, i) => [`key number ${i}`, BigInt(i), 'text'])
  await table.apply(stageRows(engine, UPSERT, SCHEMA, new Map([[1, rows]])), UPSERT)
  const whole = readFileSync(file)
  // Once among the rows, where only a check finds it; once where Sluice's own records lie.
  for (const from of [whole.length >> 1, whole.length - 9000]) {
    writeFileSync(file, Buffer.from(whole).fill(0xab, from, from + 4000))
    const findings = await table.verify()
    assert.ok(findings.length > 0 && findings.every((finding) => finding.grade === 'broken' && finding.path === table.uri))
  }
})
