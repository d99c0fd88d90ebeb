/**
 * The delta of a table: another one that holds exactly the rows which the last load brought into it. Written in the
 * transaction of the commit; the first commit of a run empties it.
 */
import { SluiceError } from '../core/errors.ts'
import { fold } from '../core/schema.ts'
import type { Schema } from '../core/schema.ts'
import type { DeltaOf } from '../core/target.ts'
import { quoteName } from '../sql/quote.ts'
import type { Store } from './dialect.ts'
import { columnList } from './layout.ts'
import type { Work } from './resolution.ts'
import { first } from './session.ts'
import type { DatabaseSession } from './session.ts'

/**
 * Makes the delta, or brings it to the columns of its table and to this run. Inside the transaction of a commit.
 * @throws SluiceError TARGET_INVALID when something else has the name
 */
export async function openDelta(store: Store, session: DatabaseSession, table: string, schema: Schema, delta: DeltaOf): Promise<void> {
  const { dialect } = store
  const refused = (why: string): SluiceError => new SluiceError('TARGET_INVALID', `--delta ${delta.table}: ${why}`, { hint: 'Give the delta a name of its own.' })
  store.checkName(delta.table)
  const { table: name } = dialect.names(delta.table)
  if (name === dialect.names(table).table) throw refused('that is the table itself.')
  await session.run('database.delta-own', `CREATE TABLE IF NOT EXISTS ${dialect.own('deltas')} (name TEXT PRIMARY KEY, tbl TEXT NOT NULL, run TEXT NOT NULL)`)
  const known = await first(session, `SELECT tbl, run FROM ${dialect.own('deltas')} WHERE name = $1`, [name])
  const relation = await store.relation(session, delta.table)
  const columns = schema.map((column) => `${quoteName(column.name)} ${dialect.sqlType(column.type)}`)
  if (known === undefined) {
    if (relation !== null) throw refused(`${store.location} has something else of this name.`)
    await store.makeRoom(session, delta.table)
    await session.run('database.delta-table', `CREATE TABLE ${name} (${[...columns, `_place ${dialect.integer} NOT NULL`].join(', ')})`)
    await session.run('database.delta-run', `INSERT INTO ${dialect.own('deltas')} VALUES ($1, $2, $3)`, [name, table, delta.run])
    return
  }
  if (known['tbl'] !== table) throw refused(`it is the delta of ${String(known['tbl'])}.`)
  if (relation === null) throw refused('its record is there, but the table was removed.')
  const has = new Set(relation.columns.map((column) => fold(column.name)))
  for (const [at, column] of schema.entries()) if (!has.has(fold(column.name))) await session.run('database.delta-table', `ALTER TABLE ${name} ADD COLUMN ${columns[at] ?? ''}`)
  if (known['run'] === delta.run) return
  await session.run('database.delta-run', `UPDATE ${dialect.own('deltas')} SET run = $1 WHERE name = $2`, [delta.run, name])
  await session.run('database.delta-empty', `DELETE FROM ${name}`)
}

/** Rows that this commit brought go in; rows of the same run that it took out of the table leave. Answers how many went in. */
export async function fillDelta(work: Work, delta: DeltaOf): Promise<number> {
  const { store, session, table, schema, batch, incoming, fresh } = work
  const { own, names } = store.dialect
  const { table: main, losers } = names(table)
  const { table: into } = names(delta.table)
  await session.run('database.delta-leave', `DELETE FROM ${into} WHERE _place IN (
    SELECT _place FROM ${losers} WHERE _sluice_batch = $1 AND _sluice_outcome = 'replaced'
    UNION ALL SELECT place FROM ${own('rejects')} WHERE tbl = $2 AND batch = $1 AND evicted = 1)`, [batch, table])
  const columns = columnList(schema)
  const from = [...schema.map((column) => `t.${quoteName(column.name)}`), 't._place'].join(', ')
  // Into an empty table everything came with this batch, and its winners may never have been brought into the session.
  const rows = fresh ? `${main} t` : `${main} t JOIN ${incoming.winners} w ON w.place = t._place`
  return session.run('database.delta-fill', `INSERT INTO ${into} (${columns}) SELECT ${from} FROM ${rows}`)
}
