/** A change of definition and columns by command; all inside the caller's transaction. */
import { SluiceError } from '../../core/errors.ts'
import { checkAlteration } from '../../core/proposal.ts'
import type { Alteration } from '../../core/proposal.ts'
import type { Head } from '../../core/target.ts'
import { isDecimal } from '../../core/types.ts'
import type { ColumnType } from '../../core/types.ts'
import type { SqliteSession } from '../../sql/sqlite.ts'
import { checkOrder, growTable } from './layout.ts'
import { readState } from './state.ts'

/** Dates, timestamps and decimals lie in SQLite as the text that they would be in a column of text. */
export function sameText(from: ColumnType, to: ColumnType): boolean {
  return to === 'string' && (from.startsWith('string(') || from === 'date' || from === 'timestamp' || from === 'timestamp_local' || isDecimal(from))
}

/** @returns the table's version, which is the number of its batches: it stays. @throws SluiceError see `Table.alter` */
export function alterTable(session: SqliteSession, file: string, table: string, ledger: string, decide: (head: Head) => Alteration): number {
  const state = readState(session, file, table, ledger)
  if (!state.exists) throw new SluiceError('NOT_FOUND', `There is no table ${table} in ${file} yet.`)
  const { definition, schema } = decide(state)
  checkAlteration(table, state.schema, schema, sameText)
  checkOrder(definition, schema)
  for (const statement of growTable(table, state.schema, schema)) session.exec('sqlite.columns', statement)
  session.run('sqlite.meta', 'UPDATE main._sluice_meta SET definition = ?, schema = ? WHERE tbl = ?', [JSON.stringify(definition), JSON.stringify(schema), table])
  return state.version ?? 0
}
