/**
 * Taking a table over: one entry of the log with new metaData and no file. It names the ledger that the table belongs to
 * from now on; whoever commits for another one reads it first and stops.
 */
import { checkKeepColumn } from '../../core/definition.ts'
import type { Definition } from '../../core/definition.ts'
import { checkPartitions, formatPartitions } from '../../core/partition.ts'
import type { Partition } from '../../core/partition.ts'
import { SluiceError } from '../../core/errors.ts'
import { findColumn, fits, fold } from '../../core/schema.ts'
import { canBeKey } from '../../core/types.ts'
import { FORMAT, laneApp, recordApp, recordMark, schemaString } from './actions.ts'
import type { Action, MetaData } from './actions.ts'
import { prepareFolders, propertiesOf } from './commit.ts'
import type { Committer } from './commit.ts'
import { prepareEntry, putIfAbsent } from './log.ts'
import type { TableState } from './state.ts'

/** See `Table.adopt`. */
export async function adoptTable(by: Committer, asked: Definition, fence: number): Promise<void> {
  const { root, ledger } = by.table
  if (ledger === null) throw new SluiceError('TABLE_OTHER_LEDGER', `${root} was opened for reading only: no ledger was named.`)
  for (;;) {
    const state = await by.table.glance()
    const next = state.version + 1
    if (state.metaData === null) throw new SluiceError('NOT_FOUND', `There is no table at ${root}.`)
    if (state.definition !== null && state.ledger === ledger) break
    const definition = state.definition ?? checked(root, state, asked)
    const body = bodyOf(state, state.metaData, { ledger, definition, fence, now: by.clock.now() })
    await prepareFolders(root, by.random)
    const prepared = await prepareEntry(root, body, by.random, 'delta.adopt.write')
    // Another writer may take the version: then its entry is read first.
    if (await putIfAbsent(root, next, prepared, 'delta.adopt.link')) break
  }
  by.table.adopting = false
  await by.table.glance()
}

function bodyOf(state: TableState, metaData: MetaData, { ledger, definition, fence, now }: { ledger: string; definition: Definition; fence: number; now: number }): string {
  const from = state.definition === null ? null : state.ledger
  const added = (definition.columns ?? []).filter((column) => findColumn(state.schema, column.name) === undefined)
  const actions: Action[] = [
    { commitInfo: { timestamp: now, operation: 'ADOPT', operationParameters: { from: from ?? 'none', ledger }, engineInfo: 'Sluice', sluice: { format: FORMAT, adopted: from } } },
    { metaData: { ...metaData, schemaString: schemaString(state.fields, added), configuration: { ...metaData.configuration, ...propertiesOf(ledger, definition) } } },
    { txn: { appId: laneApp(ledger, 0), version: fence, lastUpdated: now } },
    { txn: { appId: recordApp(ledger), version: state.last === null ? 0 : recordMark(state.last.sha256), lastUpdated: now } },
  ]
  return `${actions.map((action) => JSON.stringify(action)).join('\n')}\n`
}

/** A definition for a table that Sluice did not make. @throws SluiceError DEFINITION_INVALID, TABLE_UNSUPPORTED */
function checked(root: string, state: TableState, definition: Definition): Definition {
  const invalid = (message: string): SluiceError => new SluiceError('DEFINITION_INVALID', `${root}: ${message}`, { hint: `Its columns are ${state.schema.map(({ name, type }) => `${name}:${type}`).join(', ')}.` })
  const twice = state.schema.find(({ name }, at) => state.schema.findIndex((other) => fold(other.name) === fold(name)) < at)
  if (twice !== undefined) throw new SluiceError('TABLE_UNSUPPORTED', `${root}: two columns of the table are named ${twice.name}; Sluice matches names without case.`)
  for (const name of definition.key) {
    const column = findColumn(state.schema, name)
    if (column === undefined) throw invalid(`the table has no column ${name} for --key.`)
    if (!canBeKey(column.type)) throw invalid(`--key ${name}: a ${column.type} cannot be a key.`)
  }
  if (definition.keep !== null && 'column' in definition.keep) checkKeepColumn(definition.keep, findColumn(state.schema, definition.keep.column))
  if (definition.columns !== null && !fits(definition.columns, state.schema)) throw invalid('--columns gives a column another type than the table has for it.')
  const columns = state.metaData?.partitionColumns ?? []
  const partition = columns.map((column): Partition => ({ column, by: 'value' }))
  checkPartitions(partition, state.schema)
  if (definition.partition !== undefined && fold(formatPartitions(definition.partition)) !== fold(formatPartitions(partition))) {
    throw invalid(`the table is laid apart by ${columns.join(', ') || 'nothing'}, not by --partition-by ${formatPartitions(definition.partition)}.`)
  }
  return partition.length === 0 ? definition : { ...definition, partition }
}
