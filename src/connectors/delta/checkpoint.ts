/**
 * Checkpoints: the fold for ourselves first, then Delta's V1 checkpoint for other readers.
 *
 * Written after a commit by whoever made it. Whatever fails here is ignored: the log is whole without it.
 */
import { join } from 'node:path'
import type { Clock, Random } from '../../core/effects.ts'
import type { Engine } from '../../core/engine.ts'
import { quoteText } from '../../sql/quote.ts'
import { localFs } from '../../storage/local.ts'
import type { Action } from './actions.ts'
import { writeFold } from './fold.ts'
import { LOG_FOLDER, checkpointPath, versionName } from './layout.ts'
import { replaceFile } from './log.ts'
import type { TableState } from './state.ts'
import { TOMBSTONE_MS } from './state.ts'

const EVERY = 100
const LOG_BYTES = 10_000_000

export function isDue(state: TableState): boolean {
  // Another writer may have committed the version whose turn it was.
  return state.version > 0 && (state.version % EVERY === 0 || state.version - state.folded > EVERY || state.logBytes >= LOG_BYTES)
}

const MAP = 'MAP(VARCHAR, VARCHAR)'
/** The types of the checkpoint's columns: inferred ones would turn maps into structs. */
const COLUMNS: Readonly<Record<string, string>> = {
  txn: 'STRUCT(appId VARCHAR, "version" BIGINT, lastUpdated BIGINT)',
  add: `STRUCT(path VARCHAR, partitionValues ${MAP}, size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR, tags ${MAP})`,
  remove: `STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, partitionValues ${MAP}, size BIGINT)`,
  metaData: `STRUCT(id VARCHAR, "name" VARCHAR, format STRUCT(provider VARCHAR, options ${MAP}), schemaString VARCHAR, partitionColumns VARCHAR[], createdTime BIGINT, configuration ${MAP})`,
  protocol: 'STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])',
}
/** Largest line that DuckDB's reader takes; it allocates twice as much at once. */
const LINE_BYTES = 33_554_432

function actionsOf(state: TableState, now: number): Action[] {
  if (state.protocol === null || state.metaData === null) return []
  const removes = [...state.tombstones.values()].filter(({ deletionTimestamp }) => deletionTimestamp > now - TOMBSTONE_MS)
  return [
    { protocol: state.protocol },
    { metaData: state.metaData },
    ...[...state.txns.values()].map((txn) => ({ txn })),
    ...removes.map(({ tags: _, ...remove }) => ({ remove: { ...remove, dataChange: false } })),
    ...[...state.files.values()].map(({ add }) => ({ add: { ...add, dataChange: false } })),
  ]
}

/** Writes fold and checkpoint of the state's version; both appear whole under their names or not at all. */
export async function writeCheckpoint(root: string, state: TableState, by: { engine: Engine; clock: Clock; random: Random }): Promise<void> {
  const now = by.clock.now()
  const { version } = state
  const actions = actionsOf(state, now)
  await writeFold(root, state, now, by.random)
  const log = join(root, LOG_FOLDER)
  const name = `.tmp-${by.random.id(16)}`
  const lines = join(log, `${name}.ndjson`)
  const parquet = join(log, `${name}.parquet`)
  try {
    await localFs.write('delta.checkpoint.lines', lines, `${actions.map((action) => JSON.stringify(action)).join('\n')}\n`)
    const bytes = await copyLines(by.engine, lines, parquet)
    // Spark leaves checksums of files that it wrote; a stale one would make it distrust ours.
    await localFs.remove('delta.checkpoint.crc', join(log, `.${versionName(version)}.checkpoint.parquet.crc`))
    await localFs.rename('delta.checkpoint.rename', parquet, checkpointPath(root, version))
    await localFs.sync('delta.checkpoint.sync', log)
    await localFs.remove('delta.checkpoint.crc', join(log, '._last_checkpoint.crc'))
    const hint = { version, size: actions.length, sizeInBytes: bytes, numOfAddFiles: state.files.size }
    await replaceFile('delta.checkpoint.hint', log, '_last_checkpoint', JSON.stringify(hint), by.random)
    state.logBytes = 0
    state.folded = version
  } finally {
    await localFs.remove('delta.checkpoint.tidy', lines)
    await localFs.remove('delta.checkpoint.tidy', parquet)
  }
}

async function copyLines(engine: Engine, lines: string, parquet: string): Promise<number> {
  const session = await engine.session()
  try {
    const columns = Object.entries(COLUMNS).map(([name, type]) => `${quoteText(name)}: ${quoteText(type)}`)
    const path = quoteText(lines.replaceAll(/[[*?]/g, '[$&]'))
    const from = `read_json(${path}, format = 'newline_delimited', maximum_object_size = ${LINE_BYTES}, columns = {${columns.join(', ')}})`
    return (await session.copy('delta.checkpoint.copy', `SELECT * FROM ${from}`, parquet)).bytes
  } finally {
    await session.close()
  }
}
