/** Taking a table over: another ledger in its record, and a commit of its own that says so. */
import type { SqliteSession } from '../../sql/sqlite.ts'
import { receiptToJson } from '../../database/record.ts'
import { readState } from './state.ts'

export interface Takeover {
  session: SqliteSession
  file: string
  table: string
  ledger: string
  fence: number
}

/** Runs in the caller's transaction; nothing happens when the table is the ledger's already. */
export function takeOver({ session, file, table, ledger, fence }: Takeover): void {
  const state = readState(session, file, table, null)
  if (state.ledger === ledger) return
  const version = (state.version ?? 0) + 1
  const id = `adopted-${version}-${ledger}`
  const receipt = { batch: id, version, arrivals: [], evicted: 0, reasons: {}, faults: [], rewritten: 0 }
  session.run('sqlite.adopt', 'UPDATE main._sluice_meta SET ledger = ? WHERE tbl = ?', [ledger, table])
  session.run('sqlite.adopted', 'INSERT INTO main._sluice_batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)', [table, version, id, 0, Math.max(fence, (state.lanes.get(0) ?? 0) + 1), state.highest, state.rows, receiptToJson(receipt)])
}
