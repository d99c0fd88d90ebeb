/** A change of definition and columns by command; all inside the caller's transaction. */
import { SluiceError } from '../core/errors.ts'
import { checkAlteration } from '../core/proposal.ts'
import type { Alteration } from '../core/proposal.ts'
import type { Head } from '../core/target.ts'
import type { ColumnType } from '../core/types.ts'
import type { Store } from './dialect.ts'
import { growTable } from './layout.ts'
import type { DatabaseSession } from './session.ts'
import { checkJoined, readState } from './state.ts'

export interface Change {
  store: Store
  session: DatabaseSession
  table: string
  ledger: string
}

/** @returns the table's version, which is the number of its batches: it stays. @throws SluiceError see `Table.alter` */
export async function alterTable({ store, session, table, ledger }: Change, decide: (head: Head) => Alteration, takes: (from: ColumnType, to: ColumnType) => boolean): Promise<number> {
  await store.lock(session, table)
  const state = await readState(store, session, table, ledger)
  if (!state.exists) throw new SluiceError('NOT_FOUND', `There is no table ${table} in ${store.location} yet.`)
  const { definition, schema } = decide(state)
  checkAlteration(table, state.schema, schema, takes)
  store.dialect.checkOrder(definition, schema)
  for (const statement of growTable(store.dialect, table, state.schema, schema, state.relation)) await session.run('database.columns', statement)
  await checkJoined(store, session, table, state, schema)
  await session.run('database.meta', `UPDATE ${store.dialect.own('meta')} SET definition = $1, schema = $2 WHERE tbl = $3`, [JSON.stringify(definition), JSON.stringify(schema), table])
  return state.version ?? 0
}
