/**
 * Exact copies: what is new or changed is copied in groups, several at once, proven by reading it back, and put in place
 * group by group.
 *
 *   look ──▶ known | to do ──▶ groups ──▶ copier (threads) ──▶ in place
 *                                ▲            │ the source changed meanwhile
 *                                └────────────┘
 */
import { createHash } from 'node:crypto'
import type { Pin } from '../core/arrival.ts'
import type { Clock } from '../core/effects.ts'
import { asSluiceError } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import type { Origin } from '../core/origins.ts'
import type { Copier, CopyJob, CopyOutcome, SyncEvent, SyncItem, SyncState } from '../core/sync.ts'
import { grouped, inLanes } from './lanes.ts'
import { pathIn, putInPlace } from './place.ts'
import type { Place } from './place.ts'

/** A group holds so much at most; one transaction and one sync of the folders a group. */
const GROUP = { bytes: 64_000_000, files: 256 }
/** A source that changes while it is copied is looked at anew so often, after a pause. */
const LOOKS = 3
const PAUSE_MS = 200

/** A source as it was seen. */
export interface Seen {
  /** Below the folders, with `/`. */
  path: string
  pin: Pin
  mode: number
  mtime: bigint
}

export interface SyncTodo extends Seen {
  state: Extract<SyncState, 'copied' | 'replaced' | 'repaired'>
}

export interface Syncing extends Place {
  copier: Copier
  clock: Clock
  /** Working files, on the disk of the copies. They are kept when a sync is cut short: it resumes with their parts. */
  work: string
  width: number
  young(pin: Pin): boolean
  /** The source as it is now; null: gone. */
  look(path: string): Seen | null
  on: (event: SyncEvent) => void
  stop: AbortSignal
  halt: AbortSignal
}

export interface SyncTally {
  items: SyncItem[]
  interrupted: boolean
}

/** One name for the working file of a path, so that the next attempt finds what this one left. */
export function workingName(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32)
}

/** What an origin keeps of the source beside its bytes. */
export function optionsOf({ mode, mtime }: Pick<Seen, 'mode' | 'mtime'>): string {
  return `${mode.toString(8)} ${mtime}`
}

/**
 * Fills the tally as it goes.
 * @throws SluiceError what stopped the run; what is in place stays, and parts that were copied are kept
 */
export async function syncAll(work: Syncing, todo: readonly SyncTodo[], tally: SyncTally): Promise<void> {
  const queue = grouped(todo, GROUP, work.width * 2)
  const looks = new Map<string, number>()
  let groups = 0
  let placing: Promise<void> = Promise.resolve()
  const runGroup = async (group: SyncTodo[]): Promise<void> => {
    const ended = await copyGroup(work, `g${++groups}`, group)
    const before = placing
    const changing: SyncTodo[] = []
    placing = (async () => {
      await before
      await settle(work, ended, tally, changing)
    })()
    await placing
    for (const item of changing) {
      const now = work.look(item.path)
      const times = (looks.get(item.path) ?? 0) + 1
      looks.set(item.path, times)
      if (now === null) end(work, tally, item, 'failed', { fault: { code: 'FILE_GONE', message: `${item.pin.uri} was removed before it was copied.`, path: item.pin.uri } })
      else if (times >= LOOKS) end(work, tally, item, 'waiting', { fault: { code: 'FILE_CHANGING', message: `${item.pin.uri} changed while it was copied, ${times} times.`, path: item.pin.uri } })
      else {
        await work.clock.sleep(PAUSE_MS, work.halt)
        queue.push([{ ...item, ...(work.look(item.path) ?? now) }])
      }
    }
  }
  if (await inLanes(queue, work.width, work.stop, runGroup)) tally.interrupted = true
}

interface Ended {
  todo: SyncTodo
  job: CopyJob
  outcome: CopyOutcome
}

async function copyGroup(work: Syncing, name: string, group: readonly SyncTodo[]): Promise<Ended[]> {
  const jobs = group.map((todo): CopyJob => ({ pin: todo.pin, mode: todo.mode, mtime: todo.mtime, to: `${work.work}/${workingName(todo.path)}` }))
  const ended: Ended[] = []
  let bytes = 0
  const tell = (more: number): void => work.on({ kind: 'progress', batch: name, files: ended.length, bytes: bytes + more, records: 0 })
  await work.copier.copy(
    jobs,
    (event) => {
      const [todo, job] = [group[event.at], jobs[event.at]]
      if (todo === undefined || job === undefined) return
      if (event.kind === 'copied') {
        ended.push({ todo, job, outcome: event.outcome })
        bytes += todo.pin.size
      }
      tell(event.kind === 'progress' ? event.bytes : 0)
    },
    work.halt,
  )
  return ended
}

async function settle(work: Syncing, group: readonly Ended[], tally: SyncTally, changing: SyncTodo[]): Promise<void> {
  const done: { todo: SyncTodo; outcome: Extract<CopyOutcome, { state: 'done' }> }[] = []
  const entries: Parameters<typeof putInPlace>[1][number][] = []
  for (const { todo, job, outcome } of group) {
    if (outcome.state === 'done') {
      done.push({ todo, outcome })
      entries.push({ origin: originOf(work, todo, outcome), moves: [{ from: job.to, to: todo.path }] })
    } else if (outcome.state === 'failed') {
      await work.fs.remove('sync.discard', job.to)
      end(work, tally, todo, 'failed', { fault: outcome.fault })
    } else changing.push(todo)
  }
  await putInPlace(work, entries)
  for (const { todo, outcome } of done) end(work, tally, todo, todo.state, { sha256: outcome.sha256, bytes: outcome.size, kept: outcome.kept, retried: outcome.retried })
}

/** @param bytes as they lie in the source and, once it is in place, in the copy */
export function originOf(work: Pick<Syncing, 'young'>, seen: Seen, bytes: { sha256: string; size: number }, stamp = ''): Origin {
  const { path, pin } = seen
  return { output: path, source: pin.uri, stamp: pin.stamp, young: work.young(pin), size: bytes.size, sha256: bytes.sha256, options: optionsOf(seen), made: { path, sha256: bytes.sha256, size: bytes.size, stamp }, beside: null }
}

export function end(work: Pick<Syncing, 'folder' | 'on'>, tally: SyncTally, seen: Pick<Seen, 'path' | 'pin'>, state: SyncState, more: Partial<SyncItem>): void {
  const item: SyncItem = { path: seen.pin.uri, copy: pathIn(work, seen.path), state, sha256: null, bytes: 0, kept: 0, retried: 0, fault: null, ...more }
  tally.items.push(item)
  work.on({ kind: 'file.ended', item })
}

export function refused(thrown: unknown, path: string): Fault {
  const error = asSluiceError(thrown)
  return { ...error.where, code: error.code, message: error.message, path }
}
