/** Tables that this writer must not touch, each refused by the name of what is strange about it. */
import { SluiceError } from '../../core/errors.ts'
import type { Action, AddAction, MetaData, Protocol } from './actions.ts'
import { DATED_FORMAT } from './actions.ts'

const READER_FEATURES = new Set(['timestampNtz'])
const WRITER_FEATURES = new Set(['timestampNtz', 'appendOnly', 'invariants'])
const ACTIONS = new Set(['commitInfo', 'protocol', 'metaData', 'txn', 'add', 'remove'])
/** Properties that say when others clean up, compact or checkpoint: they ask nothing of a writer. */
const CONFIGURATION = new Set([
  'delta.enableExpiredLogCleanup', 'delta.logRetentionDuration', 'delta.deletedFileRetentionDuration', 'delta.checkpointInterval',
  'delta.autoOptimize.autoCompact', 'delta.autoOptimize.optimizeWrite', 'delta.targetFileSize', 'delta.tuneFileSizesForRewrites',
  'delta.dataSkippingNumIndexedCols', 'delta.dataSkippingStatsColumns', 'delta.minReaderVersion', 'delta.minWriterVersion',
])
/** Properties that ask for something unless they say no. */
const SWITCHES = new Set(['delta.appendOnly', 'delta.enableChangeDataFeed', 'delta.enableDeletionVectors', 'delta.enableRowTracking', 'delta.enableTypeWidening', 'delta.enableInCommitTimestamps'])

function unsupported(path: string, what: string): SluiceError {
  return new SluiceError('TABLE_UNSUPPORTED', `${path}: the table uses ${what}, which Sluice does not know.`)
}

/** @throws SluiceError TABLE_UNSUPPORTED naming version or feature */
export function checkProtocol(path: string, protocol: Protocol): void {
  const { minReaderVersion: reader, minWriterVersion: writer } = protocol
  if (!(reader === 1 && (writer <= 2 || writer === 7)) && !(reader === 3 && writer === 7)) throw unsupported(path, `the Delta protocol (${reader}, ${writer})`)
  const strange = [...(protocol.readerFeatures ?? []).filter((name) => !READER_FEATURES.has(name)), ...(protocol.writerFeatures ?? []).filter((name) => !WRITER_FEATURES.has(name))]
  if (strange.length > 0) throw unsupported(path, `the Delta feature ${[...new Set(strange)].join(', ')}`)
}

/** @throws SluiceError TABLE_UNSUPPORTED */
export function checkMetaData(path: string, metaData: MetaData): void {
  const asks = ([key, value]: [string, string]): boolean => !CONFIGURATION.has(key) && !(SWITCHES.has(key) && value === 'false') && !(key === 'delta.columnMapping.mode' && value === 'none')
  // Names that Delta does not reserve are remarks of their writers.
  const strange = Object.entries(metaData.configuration).find((entry) => entry[0].startsWith('delta.') && asks(entry))
  if (strange !== undefined) throw unsupported(path, `the Delta property ${strange[0]}`)
  if (metaData.format.provider !== 'parquet') throw unsupported(path, `the file format ${metaData.format.provider}`)
  const format = metaData.configuration['sluice.format']
  if (format !== undefined && Number(format) > DATED_FORMAT) throw unsupported(path, `format ${format} of a newer Sluice`)
}

export function checkAdd(path: string, version: number, add: AddAction): void {
  if (add.deletionVector !== undefined && add.deletionVector !== null) throw unsupported(path, `deletion vectors (version ${version})`)
}

/**
 * Of one entry, whoever wrote it.
 * @throws SluiceError TABLE_UNSUPPORTED naming the feature
 */
export function checkCommit(path: string, version: number, actions: readonly Action[]): void {
  for (const action of actions) {
    if (action.protocol !== undefined) checkProtocol(path, action.protocol)
    if (action.add !== undefined) checkAdd(path, version, action.add)
    if (action.metaData !== undefined) checkMetaData(path, action.metaData)
    const unknown = Object.keys(action).find((key) => !ACTIONS.has(key))
    if (unknown !== undefined) throw unsupported(path, `the log action ${unknown} (version ${version})`)
  }
  const stamp = actions.find((action) => action.commitInfo !== undefined)?.commitInfo?.sluice
  if (stamp !== undefined && stamp.format > DATED_FORMAT) throw unsupported(path, `format ${stamp.format} of a newer Sluice (version ${version})`)
}
