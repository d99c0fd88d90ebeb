/** Tables of so many columns that their rows are compared in slices: outcomes as in any other table, and little memory. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Scene, counted } from '../../../test/contract/scene.ts'
import type { Variant } from '../../../test/contract/scene.ts'
import { hybridEngine } from '../../../test/memory/hybrid.ts'
import type { Schema } from '../../core/schema.ts'
import { Database } from '../../engines/duckdb/database.ts'
import { slicedSql, slicesOf } from '../../resolve/duckdb-equal.ts'
import { systemClock } from '../../storage/system.ts'
import { openDeltaTarget } from './target.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-wide-'))
const engine = await hybridEngine(folder)
after(() => rmSync(folder, { recursive: true }))
const variant: Variant = { engine, target: () => openDeltaTarget({ root: join(folder, 'tables'), clock: systemClock }), tampered: () => engine, folder, dispose: async () => undefined }

const WIDTH = 150
const COLUMNS = ['id:int64', ...Array.from({ length: WIDTH }, (_, n) => `c${n}:string`)].join(',')
/** Absent columns are null. */
const row = (id: number, more: object = {}): object => ({ id, ...Object.fromEntries(Array.from({ length: WIDTH - 1 }, (_, n) => [`c${n}`, 'a'])), ...more })

test('what differs in the first, the last or a null column is told from what is equal', async () => {
  const scene = await Scene.open(variant, { columns: COLUMNS, key: 'id', mode: 'upsert' })
  await scene.load([{ seq: 1, records: [1, 2, 3, 4, 5].map((id) => row(id)) }])
  const changed = [row(1), row(2, { c0: 'b' }), row(3, { [`c${WIDTH - 1}`]: 'b' }), row(4, { c75: null }), row(6)]
  counted(await scene.load([{ seq: 2, records: changed }]), { 2: { inserted: 1, updated: 3, duplicate: 1 } })
  const again = [row(7, { c149: 'x' }), row(7), row(7), row(1), row(1, { c100: 'z' })]
  counted(await scene.load([{ seq: 3, records: again }]), { 3: { inserted: 1, updated: 1, duplicate: 1, stale: 2 } })
})

test('so under keep error, where the first one stays', async () => {
  const scene = await Scene.open(variant, { columns: COLUMNS, key: 'id', keep: 'error' })
  await scene.load([{ seq: 1, records: [row(1), row(2), row(3)] }])
  counted(await scene.load([{ seq: 2, records: [row(1), row(2, { c149: 'b' }), row(3, { c0: null }), row(3)] }]), { 2: { duplicate: 2, quarantined: 2 } })
})

test('a thousand columns are compared, and written, with less memory than one side of them takes', async () => {
  const database = await Database.open({ threads: 2, memory: 120_000_000 })
  const connection = await database.connect()
  const schema: Schema = Array.from({ length: 998 }, (_, n) => ({ name: `c${n}`, type: 'string' }))
  const relation = (columns: Schema, odd: string): string => `SELECT ${columns.map(({ name }, n) => `'value ' || (i * 7 + ${n})${n === 0 ? ` || ${odd}` : ''} AS ${name}`).join(', ')}, i AS _place FROM range(3000) t(i)`
  const rows = (odd: string) => (columns: Schema): string => relation(columns, columns[0]?.name === 'c0' ? odd : `''`)
  await connection.exec('CREATE TEMP TABLE pair AS SELECT i AS place, i AS a, i AS b FROM range(3000) t(i)')
  const sliced = slicedSql({ pairs: 'SELECT * FROM pair', a: { rows: rows(`''`), by: '_place' }, b: { rows: rows(`(CASE WHEN i < 10 THEN 'x' ELSE '' END)`), by: '_place' } }, slicesOf(schema, 3000), (equal) => [`CREATE TEMP TABLE told AS SELECT place, ${equal('place')} AS equal FROM pair`])
  for (const sql of sliced) await connection.exec(sql)
  assert.deepEqual(await connection.rows('SELECT count(*) AS n, count(*) FILTER (NOT equal) AS differ FROM told'), [{ n: 3000n, differ: 10n }])

  const left = `SELECT * FROM (${relation(schema, `''`)}) WHERE _place NOT IN (SELECT place FROM pair WHERE place >= 10)`
  assert.equal((await connection.copy('test.copy', left, join(folder, 'left.parquet'))).rows, 10)
  assert.deepEqual(await connection.rows(`SELECT current_setting('threads')::BIGINT AS threads`), [{ threads: 2n }])
  await connection.close()
})
