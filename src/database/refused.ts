/**
 * Records that the database cannot keep are put aside before anything is decided: the best of the others of their key is in
 * their place then, as if they had never been sound.
 */
import type { Keep } from '../core/definition.ts'
import { findColumn } from '../core/schema.ts'
import { keySql, orderSql } from '../resolve/database.ts'
import type { Work } from './resolution.ts'

const PROMOTED = '_sluice_promoted'

/** Of every key without a winner, the best loser of the batch becomes one. */
export async function promote(work: Work, keep: Keep): Promise<void> {
  const { session, store, incoming, staged } = work
  const { winners, beaten } = incoming
  if (beaten === null) return
  const at = (name: string): number => staged.findIndex((column) => column === findColumn(staged, name))
  const key = work.definition.key.map(at)
  if (key.some((i) => i < 0)) return
  const column = 'column' in keep ? findColumn(staged, keep.column) : undefined
  const value = column === undefined ? 'NULL' : store.dialect.ordered(column.type, `b.c${staged.indexOf(column)}`)
  const order = orderSql(keep, { value, place: 'b.place' })
  const without = `NOT EXISTS (SELECT 1 FROM ${winners} i WHERE ${keySql(key.map((i) => [`i.c${i}`, `b.c${i}`]))})`
  const ranked = `SELECT b.place, row_number() OVER (PARTITION BY ${key.map((i) => `b.c${i}`).join(', ')} ORDER BY ${order}) AS nth FROM ${beaten} b WHERE ${without}`
  await session.run('database.promote', `CREATE TEMP TABLE ${PROMOTED} AS SELECT place FROM (${ranked}) x WHERE nth = 1`)
  await session.run('database.promote', `INSERT INTO ${winners} SELECT * FROM ${beaten} WHERE place IN (SELECT place FROM ${PROMOTED})`)
  await session.run('database.promote', `DELETE FROM ${beaten} WHERE place IN (SELECT place FROM ${PROMOTED})`)
  await session.run('database.promote', `DROP TABLE ${PROMOTED}`)
}
