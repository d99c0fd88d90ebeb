/** Where things lie in a table's folder. No two attempts of a batch share a file name. */
import { join } from 'node:path'
import { SluiceError } from '../../core/errors.ts'

export const LOG_FOLDER = '_delta_log'
export const BATCHES_FOLDER = '_sluice/batches'
export const LOSERS_FOLDER = '_sluice/losers'
export const REJECTS_FOLDER = '_sluice/rejects'
export const FOLDS_FOLDER = '_sluice/folds'
/** What lies in the folder of a model beside its log: that it is one, and why it could not be refreshed. */
export const MODEL_FILE = '_sluice/model.json'
export const FOLDERS = [LOG_FOLDER, BATCHES_FOLDER, LOSERS_FOLDER, REJECTS_FOLDER, FOLDS_FOLDER] as const

export function versionName(version: number): string {
  return String(version).padStart(20, '0')
}
export function logPath(root: string, version: number): string {
  return join(root, LOG_FOLDER, `${versionName(version)}.json`)
}
export function checkpointPath(root: string, version: number): string {
  return join(root, LOG_FOLDER, `${versionName(version)}.checkpoint.parquet`)
}
export function foldPath(root: string, version: number): string {
  return join(root, FOLDS_FOLDER, `${versionName(version)}.ndjson`)
}

/** `<batch>-<fence>-<attempt>`: names one attempt; a second try after a lost race gets `x2` behind it. */
export function attemptName(batch: string, fence: number, attempt: number, round: number): string {
  return `${batch}-${fence}-${attempt}${round === 1 ? '' : `x${round}`}`
}
export function dataName(attempt: string, n: number): string {
  return `b-${attempt}-${n}.parquet`
}

/** The attempt that a file of ours belongs to: data, losers, rejects or batch record; null for other names. */
export function attemptOf(name: string): string | null {
  return /^(?:b-)?([0-9A-Za-z_]+-\d+-\d+(?:x\d+)?)(?:-\d+\.parquet|\.json)$/.exec(name)?.[1] ?? null
}

/** Path of a file, relative to the table, as an action spells it: a URI, of which `=` in folders of partitions stays. */
export function encodePath(relative: string): string {
  return relative.split('/').map((part) => encodeURIComponent(part).replaceAll('%3D', '=')).join('/')
}

/**
 * The other way round: one file has one name, however its writer spelt the URI.
 * @throws SluiceError TABLE_UNSUPPORTED for a file outside of the table's folder
 */
export function decodePath(root: string, path: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(path) || path.startsWith('/') || path.split('/').includes('..')) {
    throw new SluiceError('TABLE_UNSUPPORTED', `${root}: the table has a data file outside of its folder, ${path}.`)
  }
  try {
    return decodeURIComponent(path)
  } catch {
    // Not encoded: a name with a percent sign in it.
    return path
  }
}
