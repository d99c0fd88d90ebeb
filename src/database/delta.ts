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
import { columnList, ownTable } from './layout.ts'
import { first } from './session.ts'
import type { DatabaseSession } from './session.ts'
import type { Watcher } from './work.ts'

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
  for (const statement of ownTable(dialect, 'deltas')) await session.run('database.delta-own', statement)
  const remembered = dialect.deltaName(delta.table)
  const known = await first(session, `SELECT tbl, run FROM ${dialect.own('deltas')} WHERE name = $1`, [remembered])
  const relation = await store.relation(session, delta.table)
  const columns = schema.map((column) => `${quoteName(column.name)} ${dialect.sqlType(column.type)}`)
  if (known === undefined) {
    if (relation !== null) throw refused(`${store.location} has something else of this name.`)
    await store.makeRoom(session, delta.table)
    await session.run('database.delta-table', `CREATE TABLE ${name} (${[...columns, `_place ${dialect.integer} NOT NULL`].join(', ')})${dialect.ending}`)
    await session.run('database.delta-run', `INSERT INTO ${dialect.own('deltas')} VALUES ($1, $2, $3)`, [remembered, table, delta.run])
    return
  }
  if (known['tbl'] !== table) throw refused(`it is the delta of ${String(known['tbl'])}.`)
  if (relation === null) throw refused('its record is there, but the table was removed.')
  const has = new Set(relation.columns.map((column) => fold(column.name)))
  for (const [at, column] of schema.entries()) if (!has.has(fold(column.name))) await session.run('database.delta-table', `ALTER TABLE ${name} ADD COLUMN ${columns[at] ?? ''}`)
  if (known['run'] === delta.run) return
  await session.run('database.delta-run', `UPDATE ${dialect.own('deltas')} SET run = $1 WHERE name = $2`, [delta.run, remembered])
  await session.run('database.delta-empty', `DELETE FROM ${name}`)
}

/** Rows of the same run that leave the table leave the delta, and rows that came go in. */
export class DeltaRows implements Watcher {
  /** Rows that went in. */
  filled = 0
  private readonly session: DatabaseSession
  private readonly into: string
  private readonly columns: string

  constructor({ dialect }: Store, session: DatabaseSession, schema: Schema, delta: DeltaOf) {
    this.session = session
    this.into = dialect.names(delta.table).table
    this.columns = columnList(schema)
  }

  async leave(relation: string): Promise<void> {
    await this.session.run('database.delta-leave', `DELETE FROM ${this.into} WHERE _place IN (SELECT _place FROM ${relation} AS r)`)
  }

  async come(relation: string): Promise<void> {
    this.filled = await this.session.run('database.delta-fill', `INSERT INTO ${this.into} (${this.columns}) SELECT ${this.columns} FROM ${relation} AS r`)
  }
}
