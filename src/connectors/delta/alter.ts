/**
 * A change of definition and columns by command: one entry of the log with new metaData and no file.
 *
 *   forward → decide → check → entry under another name, synced → ★ link → durable
 * Losing a race for the version starts over from the newest state, so what is decided holds for it.
 */
import { SluiceError } from '../../core/errors.ts'
import { checkAlteration } from '../../core/proposal.ts'
import type { Alteration } from '../../core/proposal.ts'
import { FORMAT, protocolFor, schemaString } from './actions.ts'
import type { Action, CommitInfo } from './actions.ts'
import type { Committer } from './commit.ts'
import { prepareEntry, putIfAbsent } from './log.ts'
import type { TableState } from './state.ts'

/** @returns the version that it made. @throws SluiceError see `Table.alter` */
export async function alterTable(by: Committer, decide: (state: TableState) => Alteration): Promise<number> {
  const { root, ledger } = by.table
  if (ledger === null) throw new SluiceError('TABLE_OTHER_LEDGER', `${root} was opened for reading only: no ledger was named.`)
  for (;;) {
    const state = await by.table.glance()
    // The state may move on meanwhile; what is decided holds for this version alone.
    const next = state.version + 1
    if (state.metaData === null) throw new SluiceError('NOT_FOUND', `There is no table at ${root} yet.`)
    const alteration = decide(state)
    checkAlteration(root, state.schema, alteration.schema, () => false)
    const prepared = await prepareEntry(root, bodyOf(state, alteration, by.clock.now()), by.random)
    if (await putIfAbsent(root, next, prepared)) {
      const { version } = await by.table.glance()
      return version
    }
  }
}

function bodyOf(state: TableState, { definition, schema, what }: Alteration, now: number): string {
  if (state.metaData === null) throw new SluiceError('INTERNAL', 'A table without metaData cannot be altered.')
  const commitInfo: CommitInfo = {
    timestamp: now,
    operation: schema.length > state.schema.length ? 'ADD COLUMNS' : 'SET TBLPROPERTIES',
    operationParameters: { change: what },
    engineInfo: 'Sluice',
    sluice: { format: FORMAT, altered: what },
  }
  const configuration = { ...state.metaData.configuration, 'sluice.definition': JSON.stringify(definition) }
  const metaData = { ...state.metaData, configuration, schemaString: schemaString(state.fields, schema) }
  const protocol = protocolFor(schema)
  const actions: Action[] = [{ commitInfo }, ...(state.protocol !== null && protocol.minWriterVersion > state.protocol.minWriterVersion ? [{ protocol }] : []), { metaData }]
  return `${actions.map((action) => JSON.stringify(action)).join('\n')}\n`
}
