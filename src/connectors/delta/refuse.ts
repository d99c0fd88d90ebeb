/** Tables that this writer must not touch, each refused by the name of what is strange about it. */
import { SluiceError } from '../../core/errors.ts'
import type { Action, MetaData, Protocol } from './actions.ts'
import { FORMAT } from './actions.ts'

const READER_FEATURES = new Set(['timestampNtz'])
const WRITER_FEATURES = new Set(['timestampNtz', 'appendOnly', 'invariants'])
const ACTIONS = new Set(['commitInfo', 'protocol', 'metaData', 'txn', 'add', 'remove'])
const CONFIGURATION = new Set(['delta.enableExpiredLogCleanup'])

function unsupported(path: string, what: string): SluiceError {
  return new SluiceError('TABLE_UNSUPPORTED', `${path}: the table uses ${what}, which Sluice does not know.`)
}

/** @throws SluiceError TABLE_UNSUPPORTED naming version or feature */
export function checkProtocol(path: string, protocol: Protocol): void {
  const { minReaderVersion: reader, minWriterVersion: writer } = protocol
  if (!(reader === 1 && writer <= 2) && !(reader === 3 && writer === 7)) throw unsupported(path, `the Delta protocol (${reader}, ${writer})`)
  const strange = [...(protocol.readerFeatures ?? []).filter((name) => !READER_FEATURES.has(name)), ...(protocol.writerFeatures ?? []).filter((name) => !WRITER_FEATURES.has(name))]
  if (strange.length > 0) throw unsupported(path, `the Delta feature ${[...new Set(strange)].join(', ')}`)
}

/** @throws SluiceError TABLE_UNSUPPORTED or TABLE_FOREIGN */
export function checkMetaData(path: string, metaData: MetaData): void {
  const strange = Object.keys(metaData.configuration).find((key) => !CONFIGURATION.has(key) && !key.startsWith('sluice.'))
  if (strange !== undefined) throw unsupported(path, `the Delta property ${strange}`)
  if (metaData.partitionColumns.length > 0) throw unsupported(path, `partition columns (${metaData.partitionColumns.join(', ')})`)
  if (metaData.format.provider !== 'parquet') throw unsupported(path, `the file format ${metaData.format.provider}`)
  const format = metaData.configuration['sluice.format']
  if (format === undefined) throw new SluiceError('TABLE_FOREIGN', `${path}: Sluice did not make this table.`)
  if (Number(format) > FORMAT) throw unsupported(path, `format ${format} of a newer Sluice`)
}

/**
 * Every commit must be ours.
 * @throws SluiceError TABLE_UNSUPPORTED naming the feature, or TABLE_FOREIGN naming version and writer
 */
export function checkCommit(path: string, version: number, actions: readonly Action[]): void {
  for (const action of actions) {
    if (action.protocol !== undefined) checkProtocol(path, action.protocol)
    if (action.add?.deletionVector !== undefined && action.add.deletionVector !== null) throw unsupported(path, `deletion vectors (version ${version})`)
  }
  const stamp = actions.find((action) => action.commitInfo !== undefined)?.commitInfo
  if (stamp?.sluice === undefined) {
    throw new SluiceError('TABLE_FOREIGN', `${path}: version ${version} was written by ${stamp?.engineInfo ?? 'an unknown writer'}, not by Sluice.`)
  }
  for (const action of actions) {
    if (action.metaData !== undefined) checkMetaData(path, action.metaData)
    const unknown = Object.keys(action).find((key) => !ACTIONS.has(key))
    if (unknown !== undefined) throw unsupported(path, `the log action ${unknown} (version ${version})`)
  }
  if (stamp.sluice.format > FORMAT) throw unsupported(path, `format ${stamp.sluice.format} of a newer Sluice (version ${version})`)
}
