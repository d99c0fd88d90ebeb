/**
 * Commits of other writers in the log: what they did to the table's files, as far as it can be told.
 *
 * Their files are read like any file. Rows without a place have place 0, and rows that they removed are gone.
 */
import type { Action, CommitInfo, Refreshed, Stamp } from './actions.ts'

/** What one writer did by one operation. */
export interface ForeignWork {
  /** As it calls itself. */
  by: string
  operation: string
  commits: number
  /** Versions of the first and the last of these commits. */
  first: number
  last: number
  /** Files that they added and removed. */
  added: number
  removed: number
}

function sluiceOf(actions: readonly Action[]): CommitInfo['sluice'] {
  return actions.find((action) => action.commitInfo !== undefined)?.commitInfo?.sluice
}

/** The stamp of a batch's commit; null for all other commits. */
export function stampOf(actions: readonly Action[]): Stamp | null {
  const stamp = sluiceOf(actions)
  return stamp !== undefined && 'batch' in stamp ? stamp : null
}

/** What a refresh of a model says of itself; null for all other commits. */
export function refreshOf(actions: readonly Action[]): Refreshed | null {
  const said = sluiceOf(actions)
  return said !== undefined && 'model' in said ? said : null
}

/** Null: the commit is Sluice's. */
export function foreignWork(version: number, actions: readonly Action[]): ForeignWork | null {
  const info = actions.find((action) => action.commitInfo !== undefined)?.commitInfo
  if (info?.sluice !== undefined) return null
  const count = (name: 'add' | 'remove'): number => actions.filter((action) => action[name] !== undefined).length
  return { by: info?.engineInfo ?? 'an unknown writer', operation: info?.operation ?? 'a commit', commits: 1, first: version, last: version, added: count('add'), removed: count('remove') }
}

/** Operation of no commit: entries were removed before they could be read. */
export const LOG_CLEANED = 'cleaned the log'

/** For `doctor`: who did what, in which versions. */
export function describeForeign({ by, operation, commits, first, last, added, removed }: ForeignWork): string {
  const versions = first === last ? `version ${first}` : `versions ${first} to ${last}`
  if (operation === LOG_CLEANED) return `${by} removed entries of the log before ${last}; the table goes on from the checkpoint of that version. What other writers did before it is not known.`
  const files = added + removed === 0 ? 'no files changed' : `${added} files added, ${removed} removed`
  return `${by} wrote ${commits === 1 ? 'a commit' : `${commits} commits`} (${operation}) in ${versions}: ${files}. Rows without a place are read as place 0.`
}
