/** Checks that the files of a table hold what its log and its batch records say. Changes nothing. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Engine, Session } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Finding } from '../../core/target.ts'
import { quoteName } from '../../sql/quote.ts'
import { filesSql } from '../../resolve/duckdb-batch.ts'
import { columnOf, filesOfTableSql } from '../../resolve/duckdb-table.ts'
import { localFs } from '../../storage/local.ts'
import { BATCHES_FOLDER, FOLDS_FOLDER, LOG_FOLDER, LOSERS_FOLDER, REJECTS_FOLDER, attemptOf } from './layout.ts'
import { listLog } from './log.ts'
import { describeForeign } from './foreign.ts'
import type { OpenTable } from './opening.ts'
import { tableFiles } from './reading.ts'
import type { TableState } from './state.ts'

interface Expected {
  path: string
  rows: number
  bytes: number
}

export async function verifyTable(table: OpenTable, engine: Engine): Promise<Finding[]> {
  let state: TableState
  try {
    state = await table.forward()
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.code === 'TABLE_BROKEN') return [broken(thrown.where.path ?? table.root, thrown.message)]
    throw thrown
  }
  const findings = [...(await checkLog(table.root, state)), ...(await checkRecords(table.root, state)), ...(await findGarbage(table.root, state)), ...(await findForeign(table.root, state))]
  if (!state.exists) return findings
  const session = await engine.session()
  try {
    return [...findings, ...(await checkContents(table.root, state, session))]
  } finally {
    await session.close()
  }
}

function broken(path: string, message: string): Finding {
  return { grade: 'broken', path, message }
}

/** Entries follow one another without a gap; what stands before the oldest one may have been cleaned away. */
async function checkLog(root: string, state: TableState): Promise<Finding[]> {
  const { entries } = await listLog(root)
  const findings: Finding[] = []
  for (const [at, version] of entries.entries()) {
    const before = entries[at - 1]
    // What stands before an entry that was jumped over is not needed: a fold or a checkpoint tells it.
    if (before !== undefined && version !== before + 1 && version > state.base + 1) findings.push(broken(join(root, LOG_FOLDER), `The log jumps from version ${before} to ${version}.`))
  }
  const newest = entries.at(-1)
  if (newest !== undefined && newest > state.version && findings.length === 0) findings.push(broken(join(root, LOG_FOLDER), `The log has version ${newest}, but it can be followed to ${state.version} only.`))
  if (state.expected !== state.rows) findings.push(broken(root, `By its commits the table has ${state.expected} rows, by the data files of its log ${state.rows}.`))
  return findings
}

async function checkRecords(root: string, state: TableState): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { id, record, sha256, version } of state.batches.values()) {
    const bytes = await localFs.read(join(root, record))
    if (bytes === null) findings.push(broken(join(root, record), `The record of batch ${id} (version ${version}) is missing.`))
    else if (createHash('sha256').update(bytes).digest('hex') !== sha256) findings.push(broken(join(root, record), `The record of batch ${id} (version ${version}) was changed.`))
  }
  return findings
}

/** Sizes and row counts of every file, then keys and places over the whole table, if its files are whole. */
async function checkContents(root: string, state: TableState, session: Session): Promise<Finding[]> {
  const live = [...state.files.values()].map(({ add, path, rows }) => ({ path, rows, bytes: add.size }))
  const damagedLive = await checkFiles(root, live, session)
  const findings = [...damagedLive, ...(await checkFiles(root, [...state.losers, ...state.rejects], session))]
  if (damagedLive.length > 0 || live.length === 0) return findings
  // Other writers may have brought a key twice, none at all, or copied places: said, and not broken.
  const grade = state.mixed ? 'foreign' : 'broken'
  const theirs = state.mixed ? ' Other writers have written to this table.' : ''
  const found = (message: string): number => findings.push({ grade, path: root, message: `${message}${theirs}` })
  const from = filesOfTableSql(state.schema, tableFiles(root, state), { foreign: state.mixed ? state.highest : null })
  const count = async (sql: string): Promise<number> => Number((await session.rows(sql))[0]?.['n'] ?? 0)
  const places = await count(`SELECT count(*) AS n FROM (SELECT _place FROM (${from}) WHERE _place <> 0 GROUP BY _place HAVING count(*) > 1)`)
  if (places > 0) found(`${places} places are in the table more than once.`)
  const key = (state.definition?.key ?? []).map((name) => quoteName(columnOf(state.schema, name).name))
  if (key.length === 0) return findings
  const repeated = await count(`SELECT count(*) AS n FROM (SELECT ${key.join(', ')} FROM (${from}) GROUP BY ALL HAVING count(*) > 1)`)
  if (repeated > 0) found(`${repeated} keys are in the table more than once.`)
  const empty = await count(`SELECT count(*) AS n FROM (${from}) WHERE ${key.map((name) => `${name} IS NULL`).join(' OR ')}`)
  if (empty > 0) found(`${empty} rows have no key.`)
  return findings
}

async function checkFiles(root: string, expected: readonly Expected[], session: Session): Promise<Finding[]> {
  const findings: Finding[] = []
  const whole: Expected[] = []
  for (const file of expected) {
    const stat = await localFs.stat(join(root, file.path))
    if (stat === null) findings.push(broken(join(root, file.path), 'A file that the log names is missing.'))
    else if (stat.size !== file.bytes) findings.push(broken(join(root, file.path), `The file has ${stat.size} bytes, the log says ${file.bytes}.`))
    else whole.push(file)
  }
  if (whole.length === 0) return findings
  try {
    const footers = await session.rows(`SELECT file_name, num_rows FROM parquet_file_metadata(${filesSql(whole.map(({ path }) => ({ uri: join(root, path) })))})`)
    const rows = new Map(footers.map((footer) => [String(footer['file_name']), Number(footer['num_rows'])]))
    for (const file of whole) {
      const has = rows.get(join(root, file.path))
      if (has !== file.rows) findings.push(broken(join(root, file.path), `The file has ${has} rows, the log says ${file.rows}.`))
    }
  } catch (thrown) {
    if (!(thrown instanceof SluiceError) || thrown.code === 'ENGINE_DIED') throw thrown
    findings.push(broken(root, `A data file cannot be read: ${thrown.message}`))
  }
  return findings
}

/** The table's folder and those of its partitions, relative to it. A table that lies inside of this one is none of its business. */
async function dataFolders(root: string, folder = ''): Promise<string[]> {
  const folders = [folder]
  for (const { name, kind } of (await localFs.list(join(root, folder))) ?? []) {
    if (kind !== 'folder' || /^[._]/.test(name) || (await localFs.stat(join(root, folder, name, LOG_FOLDER))) !== null) continue
    folders.push(...(await dataFolders(root, join(folder, name))))
  }
  return folders
}

/** Files that no commit names: left by a dead attempt, or of one that is at work right now. What the state needs is never among them, whatever its name says. */
async function findGarbage(root: string, state: TableState): Promise<Finding[]> {
  const records = [...state.batches.values()].map(({ record }) => record)
  // Files that left are read by those who look at an older version, and by models that are behind.
  const needed = new Set([...state.files.keys(), ...state.tombstones.keys(), ...[...state.losers, ...state.rejects].map(({ path }) => path), ...records].map((path) => join(root, path)))
  const named = new Set(records.map((record) => attemptOf(record.slice(BATCHES_FOLDER.length + 1))))
  const findings: Finding[] = []
  for (const folder of [...(await dataFolders(root)), BATCHES_FOLDER, LOSERS_FOLDER, REJECTS_FOLDER, LOG_FOLDER, FOLDS_FOLDER]) {
    for (const { name, kind } of (await localFs.list(join(root, folder))) ?? []) {
      const attempt = attemptOf(name)
      const left = name.startsWith('.tmp-') || (attempt !== null && !named.has(attempt))
      if (kind === 'file' && left && !needed.has(join(root, folder, name))) findings.push({ grade: 'garbage', path: join(root, folder, name), message: 'No commit names this file: it is left from an attempt that died, or an attempt is at work.' })
    }
  }
  return findings
}

/** Paths of garbage that may be removed. */
export async function garbageOf(table: OpenTable): Promise<string[]> {
  return (await findGarbage(table.root, await table.forward())).map(({ path }) => path)
}

/** What other writers did, and what their VACUUM took away. Nothing of it is broken. */
async function findForeign(root: string, state: TableState): Promise<Finding[]> {
  const foreign = (message: string): Finding => ({ grade: 'foreign', path: root, message })
  const works = [...state.foreign.values()]
  const findings = works.map((work) => foreign(describeForeign(work)))
  let gone = 0
  for (const path of state.tombstones.keys()) if ((await localFs.stat(join(root, path))) === null) gone += 1
  const vacuums = works.filter(({ operation }) => operation.startsWith('VACUUM'))
  if (gone === 0 && vacuums.length === 0) return findings
  const when = vacuums.length === 0 ? 'Another writer' : `A VACUUM of ${vacuums[0]?.by ?? 'another writer'} (version ${Math.max(...vacuums.map(({ last }) => last))})`
  const files = gone === 0 ? 'files that the table does not use any more' : `${gone} files that the table does not use any more`
  return [...findings, foreign(`${when} removed ${files}: older versions of the table cannot be read, and rows that other writers deleted cannot be looked up. Losers and rejects under _sluice are whole.`)]
}
