/**
 * Converting: what is new or changed is converted in groups, several at once, and put in place group by group.
 *
 *   look ──▶ known | to do ──▶ groups ──▶ converter (child) ──▶ balance ──▶ in place
 *                                ▲            │ the child died: the file it was at is converted alone
 *                                └────────────┘
 */
import type { Pin } from '../core/arrival.ts'
import type { ConvertFile, ConvertJob, Converted, Converter, ConverterEvent } from '../core/convert.ts'
import type { ConvertEvent, ConvertItem, ConvertState } from '../core/converting.ts'
import { DEADLY, WorkerDied, poisoned } from '../core/death.ts'
import type { Death } from '../core/death.ts'
import type { Clock } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import type { Move, Origin } from '../core/origins.ts'
import { grouped, inLanes } from './lanes.ts'
import { pathIn, putInPlace } from './place.ts'
import type { Place } from './place.ts'

/** A group holds so much at most; what is in work when a run is stopped is finished first. */
const GROUP = { bytes: 64_000_000, files: 200 }
/** Deaths of worker processes that no file explains, after which the run stops. */
const MOST_UNEXPLAINED = 10

/** An input that is to be converted. */
export interface Todo {
  pin: Pin
  /** Output and rejects, below the folder. */
  output: string
  rejects: string
  state: Extract<ConvertState, 'converted' | 'replaced' | 'repaired'>
  /** What the folder remembers of this output. */
  former: Origin | null
}

export interface Converting extends Place, Omit<ConvertJob, 'files' | 'folder'> {
  converter: Converter
  clock: Clock
  /** Folder for work in progress, on the disk of the outputs; removed by the caller. */
  work: string
  /** Groups in work at once. */
  width: number
  /** What decides the outputs beside the bytes. */
  options: string
  /** True when the time stamp of a source is too young to tell a later change. */
  young(pin: Pin): boolean
  on: (event: ConvertEvent) => void
  stop: AbortSignal
  halt: AbortSignal
}

export interface ConvertTally {
  items: ConvertItem[]
  reasons: Record<string, number>
  faults: Fault[]
  leftOut: Record<string, number>
  interrupted: boolean
}

const SHOWN_FAULTS = 100

/**
 * Fills the tally as it goes.
 * @throws SluiceError what stopped the run; what was in place stays in place
 */
export async function convertAll(work: Converting, todo: readonly Todo[], tally: ConvertTally): Promise<ConvertTally> {
  const queue = grouped(todo, GROUP, work.width * 4)
  const deaths = new Map<Todo, Death[]>()
  let unexplained = 0
  const said = new Set<string>()
  let groups = 0
  // One group after another is put in place: their notes are transactions of one file.
  let placing: Promise<void> = Promise.resolve()

  const runGroup = async (group: Todo[]): Promise<void> => {
    const name = `g${++groups}`
    const { ended, death, begun } = await convertGroup(work, name, group)
    const before = placing
    placing = (async () => {
      await before
      await settle(work, ended, tally, said)
      // Its parts, and whatever a dead child left.
      await work.fs.remove('convert.group', `${work.work}/${name}`)
    })()
    await placing
    if (death === null) return
    const rest = group.filter((item) => !ended.some(({ todo: done }) => done === item))
    const { guilty, how, offset, memory } = death.last
    if (!guilty && ++unexplained >= MOST_UNEXPLAINED) throw death
    const only = group.length === 1 ? group[0] : undefined
    if (only !== undefined && guilty) {
      const known = [...(deaths.get(only) ?? []), { attempt: (deaths.get(only)?.length ?? 0) + 1, alone: true, how, offset, at: work.clock.now(), ...(memory ? { memory } : {}) }]
      deaths.set(only, known)
      if (known.length >= DEADLY) return fail(work, tally, only, poisoned(only.pin.uri, known))
    }
    queue.unshift(...cut(rest, begun))
  }
  tally.interrupted = await inLanes(queue, work.width, work.stop, runGroup)
  return tally
}

/** What a death left over: the file that was being read alone and the rest; none was: in halves. */
function cut(rest: readonly Todo[], begun: Todo | null): Todo[][] {
  const half = Math.ceil(rest.length / 2)
  const parts = begun === null ? [rest.slice(0, half), rest.slice(half)] : [[begun], rest.filter((item) => item !== begun)]
  return parts.filter((part) => part.length > 0)
}

interface Ended {
  todo: Todo
  file: ConvertFile
  converted: Converted
}

async function convertGroup(work: Converting, name: string, group: readonly Todo[]): Promise<{ ended: Ended[]; begun: Todo | null; death: WorkerDied | null }> {
  const folder = `${work.work}/${name}`
  await work.fs.makeFolder('convert.folder', `${folder}/parts`)
  const files = group.map((todo, at): ConvertFile => ({ n: at + 1, pin: todo.pin, output: `${folder}/${at}.output`, rejects: `${folder}/${at}.rejects` }))
  const { to, definition, reading, onBad, maxBad, grace, escapeFormulas } = work
  const job: ConvertJob = { files, to, definition, reading, onBad, maxBad, grace, escapeFormulas, now: work.now, folder: `${folder}/parts` }
  const ended: Ended[] = []
  const sum = { bytes: 0, records: 0 }
  const hear = (event: ConverterEvent): void => {
    if (event.kind === 'end') {
      const { converted } = event
      const [todo, file] = [group[converted.n - 1], files[converted.n - 1]]
      if (todo === undefined || file === undefined) return
      ended.push({ todo, file, converted })
      sum.bytes += converted.outcome.bytes
      sum.records += converted.outcome.read
      work.on({ kind: 'progress', batch: name, files: ended.length, ...sum })
    } else if (event.kind === 'progress') work.on({ kind: 'progress', batch: name, files: ended.length, bytes: sum.bytes + event.bytes, records: sum.records + event.records })
  }
  try {
    await work.converter.convert(job, hear, work.halt)
    return { ended, begun: null, death: null }
  } catch (thrown) {
    if (!(thrown instanceof WorkerDied)) throw thrown
    const begun = thrown.last.begun === null ? null : (group[thrown.last.begun - 1] ?? null)
    return { ended, begun: ended.some(({ todo }) => todo === begun) ? null : begun, death: thrown }
  }
}

/** Checks the balance of every file of a group and puts its outputs in place. */
async function settle(work: Converting, group: readonly Ended[], tally: ConvertTally, said: Set<string>): Promise<void> {
  const entries: { origin: Origin; moves: Move[] }[] = []
  const items: ConvertItem[] = []
  for (const { todo, file, converted } of group) {
    const { outcome, written, quarantined } = converted
    if (outcome.state !== 'loaded' || outcome.sha256 === null) {
      items.push({ ...itemOf(work, todo), state: outcome.state === 'waiting' ? 'waiting' : 'failed', bytes: outcome.bytes, sha256: outcome.sha256, fault: outcome.fault })
      continue
    }
    if (outcome.read !== written + outcome.skipped + quarantined) {
      throw new SluiceError('BALANCE_BROKEN', `${todo.pin.uri}: ${outcome.read} read, ${written} written + ${outcome.skipped} skipped + ${quarantined} quarantined; nothing of its group was put in place.`, { where: { path: todo.pin.uri } })
    }
    const { output, rejects } = converted
    const made = output === null ? null : { path: todo.output, ...output, stamp: '' }
    const beside = rejects === null ? null : { path: todo.rejects, ...rejects, stamp: '' }
    const { former, pin } = todo
    const moves: Move[] = [
      ...(made === null ? [] : [{ from: file.output, to: made.path }]),
      ...(beside === null ? [] : [{ from: file.rejects, to: beside.path }]),
      ...[former?.made, former?.beside].flatMap((old) => (old === undefined || old === null || old.path === made?.path || old.path === beside?.path ? [] : [{ from: null, to: old.path }])),
    ]
    const origin = { output: todo.output, source: pin.uri, stamp: pin.stamp, young: work.young(pin), size: pin.size, sha256: outcome.sha256, options: work.options, made, beside }
    entries.push({ origin, moves })
    items.push({
      ...itemOf(work, todo), output: made === null ? null : pathIn(work, made.path), rejects: beside === null ? null : pathIn(work, beside.path),
      sha256: outcome.sha256, bytes: outcome.bytes, read: outcome.read, written, skipped: outcome.skipped, quarantined,
    })
  }
  await putInPlace(work, entries)
  for (const { converted } of group) note(work, converted, tally, said)
  for (const item of items) {
    if (item.fault !== null && tally.faults.length < SHOWN_FAULTS) tally.faults.push(item.fault)
    if (item.fault === null && item.output === null) work.on({ kind: 'notice', text: `${item.path} holds neither a record nor a column: it has no output.` })
    tally.items.push(item)
    work.on({ kind: 'file.ended', item })
  }
}

function itemOf(work: Converting, { pin, output, state, former }: Todo): ConvertItem {
  // What fails keeps the output of its former bytes.
  return { path: pin.uri, output: former?.made === null || former === null ? null : pathIn(work, output), state, sha256: null, bytes: 0, read: 0, written: 0, skipped: 0, quarantined: 0, rejects: null, fault: null }
}

function note(work: Converting, converted: Converted, tally: ConvertTally, said: Set<string>): void {
  for (const fault of converted.faults) if (tally.faults.length < SHOWN_FAULTS) tally.faults.push(fault)
  for (const [code, count] of Object.entries(converted.reasons)) tally.reasons[code] = (tally.reasons[code] ?? 0) + count
  for (const [member, count] of Object.entries(converted.leftOut)) tally.leftOut[member] = (tally.leftOut[member] ?? 0) + count
  for (const text of converted.notices) {
    if (said.has(text)) continue
    said.add(text)
    work.on({ kind: 'notice', text })
  }
}

function fail(work: Converting, tally: ConvertTally, todo: Todo, fault: Fault): void {
  const item: ConvertItem = { ...itemOf(work, todo), state: 'failed', fault }
  tally.items.push(item)
  if (tally.faults.length < SHOWN_FAULTS) tally.faults.push(fault)
  work.on({ kind: 'file.ended', item })
}
