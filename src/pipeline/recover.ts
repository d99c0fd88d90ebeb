/**
 * Recovery: what dead processes left unfinished is finished or given back. The table is asked, never the ledger.
 */
import type { LoadEvent } from '../core/events.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Table } from '../core/target.ts'

/**
 * Settles the claims of dead processes: committed ones into their own run, the others back to PENDING for `run` (null: for
 * no run, they wait until a command names them again).
 * `key` is the table's name in the ledger. Called at the start of every load and whenever it waits for others. Repeatable; concurrent calls are told apart by
 * the ledger.
 */
export async function recover(ledger: Ledger, key: string, table: Table, run: string | null, on: (event: LoadEvent) => void): Promise<void> {
  for (const claim of await ledger.orphans(key)) {
    const receipt = await table.committed(claim.batch.id)
    if (!(await ledger.recover(claim, receipt, run))) continue
    const what = receipt === null ? `given back ${claim.batch.arrivals.length} files` : `was committed as version ${receipt.version}`
    on({ kind: 'phase', batch: claim.batch.id, phase: 'recovered', ms: 0, detail: `of the interrupted run ${claim.run}: ${what}` })
  }
  for (const dead of await ledger.closeDeadRuns(key)) on({ kind: 'notice', text: `The run ${dead} was interrupted; this one goes on where it stopped.` })
}
