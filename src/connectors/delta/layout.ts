/** Where things lie in a table's folder. No two attempts of a batch share a file name. */
import { join } from 'node:path'

export const LOG_FOLDER = '_delta_log'
export const BATCHES_FOLDER = '_sluice/batches'
export const LOSERS_FOLDER = '_sluice/losers'
export const REJECTS_FOLDER = '_sluice/rejects'
export const FOLDS_FOLDER = '_sluice/folds'
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
