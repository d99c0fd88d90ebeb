/** A change of definition and columns by command, and taking a table over; all inside the caller's transaction. */
import { SluiceError } from '../core/errors.ts'
import { checkAlteration } from '../core/proposal.ts'
import type { Alteration } from '../core/proposal.ts'
import { fold } from '../core/schema.ts'
import type { Receipt } from '../core/target.ts'
import type { Head } from '../core/target.ts'
import type { ColumnType } from '../core/types.ts'
import type { Store } from './dialect.ts'
import { growTable } from './layout.ts'
import { receiptToJson } from './record.ts'
import type { DatabaseSession } from './session.ts'
import { readState } from './state.ts'

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
  const there = new Set((state.relation?.columns ?? []).map(({ name }) => fold(name)))
  for (const statement of growTable(store.dialect, table, state.schema, schema, there)) await session.run('database.columns', statement)
  await session.run('database.meta', `UPDATE ${store.dialect.own('meta')} SET definition = $1, schema = $2 WHERE tbl = $3`, [JSON.stringify(definition), JSON.stringify(schema), table])
  return state.version ?? 0
}

/** Another ledger in the table's record, and a commit of its own that says so. Nothing happens when it is the ledger's already. */
export async function takeOver({ store, session, table, ledger }: Change, fence: number): Promise<void> {
  await store.lock(session, table)
  const state = await readState(store, session, table, null)
  if (!state.exists) throw new SluiceError('NOT_FOUND', `There is no table at ${store.uri(table)}.`)
  if (state.ledger === ledger) return
  const version = (state.version ?? 0) + 1
  const id = `adopted-${version}-${ledger}`
  const receipt: Receipt = { batch: id, version, arrivals: [], evicted: 0, reasons: {}, faults: [], rewritten: 0 }
  await session.run('database.adopt', `UPDATE ${store.dialect.own('meta')} SET ledger = $1 WHERE tbl = $2`, [ledger, table])
  const values = [table, version, id, 0, Math.max(fence, (state.lanes.get(0) ?? 0) + 1), state.highest, state.rows, receiptToJson(receipt)]
  await session.run('database.adopted', `INSERT INTO ${store.dialect.own('batches')} VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, values)
}
