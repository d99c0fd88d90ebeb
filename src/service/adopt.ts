/** `--adopt`: a table of another ledger, or one that Sluice did not make, becomes a table of this data folder. */
import { agree, define } from '../core/definition.ts'
import { SluiceError } from '../core/errors.ts'
import type { LoadEvent } from '../core/events.ts'
import type { Table } from '../core/target.ts'
import { recover } from '../pipeline/recover.ts'
import type { DataFolder } from './folder.ts'
import type { LoadOptions } from './options.ts'
import { tableKey } from './targets.ts'

/**
 * Takes the table over, unless it is this folder's already: a load that was stopped is repeated with the same flags.
 * @throws SluiceError NOT_FOUND when there is no table, and what a definition may be refused with
 */
export async function takeOver(folder: DataFolder, table: Table, options: LoadOptions, on: (event: LoadEvent) => void): Promise<void> {
  const { ledger } = folder
  const head = await table.head()
  if (!head.exists) throw new SluiceError('NOT_FOUND', `There is no table at ${table.uri}, so there is nothing to adopt.`, { hint: 'Check --to and --into, or leave --adopt out: the load makes the table.' })
  const definition = head.definition === null ? define(options.into, options) : agree(head.definition, options)
  const own = head.definition !== null && head.ledger === ledger.id
  const key = tableKey(table.uri, folder.path)
  // The ledger may know another table that was at this place: its files are not in this one.
  if (!own) {
    await recover(ledger, key, table, null, on)
    await ledger.forget(key)
  }
  const fence = Math.max((await ledger.lanes(key)).get(0) ?? 0, head.lanes.get(0) ?? 0) + 1
  await table.adopt(definition, fence)
  const from = head.definition === null ? 'Sluice did not make it; its rows have place 0' : `it belonged to the ledger ${head.ledger ?? '?'}, whose next commit will be refused`
  on({ kind: 'notice', text: own ? `The table ${options.into} belongs to this data folder already; --adopt changed nothing.` : `The table ${options.into} was taken over: ${from}.` })
}
