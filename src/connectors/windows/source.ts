/**
 * A table of a database as a source of arrivals: windows over cursor and key, sealed before they count.
 *
 *   mark of the target's newest window ─▶ back by the overlap ─▶ window ─▶ window ─▶ … ─▶ the newest cursor at the beginning
 * How far it was read is told by the names of what the target has committed, and by sealed windows that follow them
 * without a gap; nothing else is remembered. Rows of the overlap come again and lose to themselves by their key. A row that
 * changes while it is read gets a higher cursor, so this read or the next one meets it.
 */
import { basename, join } from 'node:path'
import type { Pin } from '../../core/arrival.ts'
import type { Fs } from '../../core/effects.ts'
import { SluiceError } from '../../core/errors.ts'
import { backFrom, compareMarks } from '../../core/mark.ts'
import type { Mark } from '../../core/mark.ts'
import type { Schema } from '../../core/schema.ts'
import type { Discovery, FileSource, Position, SourceRange, TableSource, WindowFiles, WindowRows } from '../../core/source.ts'
import { lookAt } from '../../storage/pin.ts'
import { reached } from './mark.ts'
import type { MarkedWindow, Reached } from './mark.ts'
import { REST, readWindowName, windowName, windowOfPath } from './name.ts'
import type { WindowName } from './name.ts'
import { place, sweepWorking, workingFiles, writeRows } from './seal.ts'

export interface WindowsQuestion {
  source: TableSource
  fs: Fs
  /** Of the windows of this source and target; made when it is needed. */
  folder: string
  /** Begins their names. */
  label: string
  /** Null: the whole table each time. */
  cursor: string | null
  overlap: string | undefined
  /** Paths of the arrivals that the target has committed, newest first. */
  committed: AsyncIterable<string>
  /** From the beginning, whatever was committed. */
  reload: boolean
  hash(pin: Pin): Promise<string | null>
  /** Whether the table has these bytes. */
  isCommitted(sha256: string): Promise<boolean>
  on(text: string): void
  /** Rows of a window at most; absent: 250,000. */
  rows?: number
}

/** A window is the unit of a retry: some ten megabytes, however wide its rows are. */
const WINDOW_ROWS = 250_000
const WINDOW_BYTES = 64e6

/**
 * Reads what is new, and lists every window that is sealed.
 * @throws SluiceError SOURCE_INVALID, SOURCE_UNSUITABLE, and faults of the database and the disk; the signal's reason
 */
export async function discoverWindows(question: WindowsQuestion, signal: AbortSignal): Promise<Discovery> {
  const { source, fs, folder, on } = question
  const { schema, notices } = await source.columns()
  for (const notice of notices) on(notice)
  await fs.makeFolder('window.folder', folder)
  await sweepWorking(fs, folder)
  const told = { rows: 0, windows: 0, odd: 0 }
  try {
    if (question.cursor === null) await readSnapshot(question, schema, told, signal)
    else await readWindows(question, schema, told, signal)
  } catch (thrown) {
    await sweepWorking(fs, folder).catch(() => undefined)
    throw thrown
  }
  on(`${told.rows} ${told.rows === 1 ? 'row was' : 'rows were'} read into ${told.windows} ${told.windows === 1 ? 'window' : 'windows'}.${told.odd === 0 ? '' : ` ${told.odd} of them ${told.odd === 1 ? 'holds' : 'hold'} a value that is not of its column's type; the load decides about each.`}`)
  return list(question)
}

async function list({ fs, folder, label, hash }: WindowsQuestion): Promise<Discovery> {
  const pins: Pin[] = []
  const later: Pin[] = []
  const hashes = new Map<string, string>()
  for (const { name } of (await fs.list(folder)) ?? []) {
    const isRest = name.endsWith(REST)
    if (!isRest && readWindowName(label, name) === null) continue
    const pin = lookAt(join(folder, name))
    if (pin === null) continue
    const sha256 = await hash(pin)
    if (sha256 !== null) hashes.set(pin.uri, sha256)
    if (isRest) later.push(pin)
    else pins.push(pin)
  }
  return { pins, later, ignored: 0, hashes }
}

interface Told {
  rows: number
  windows: number
  odd: number
}

/** The way in which a source writes its windows. */
function writerOf(source: TableSource, schema: Schema): FileSource['write'] {
  return 'write' in source ? (range, most, files, signal) => source.write(range, most, files, signal) : (range, most, files, signal) => writeRows(source, schema, range, most, files, signal)
}

function sizeOf({ rows }: WindowsQuestion): { rows: number; bytes: number } {
  return { rows: rows ?? WINDOW_ROWS, bytes: WINDOW_BYTES }
}

/** Windows take their names in order; while one is written the next one is read, and no third. */
class Sealing {
  private readonly question: WindowsQuestion
  private readonly told: Told
  private before: Promise<void> = Promise.resolve()

  constructor(question: WindowsQuestion, told: Told) {
    this.question = question
    this.told = told
  }

  /** Returns when the window before has its name. */
  async follow({ rows, written }: WindowRows, files: WindowFiles, name: string): Promise<void> {
    const { before, told } = this
    const { fs, folder } = this.question
    // Both are waited for, also when one fails: what is still written would outlive the sweep.
    this.before = Promise.allSettled([before, written]).then(async ([sealed, whole]) => {
      if (sealed.status === 'rejected') throw sealed.reason
      if (whole.status === 'rejected') throw whole.reason
      const odd = whole.value
      await place(fs, folder, files, name, odd)
      told.windows++
      told.rows += rows
      told.odd += odd
    })
    // Who fails first is told by `follow` or `end`.
    this.before.catch(() => undefined)
    await before
  }

  end(): Promise<void> {
    return this.before
  }
}

/** One statement, so one state of the table; cut into windows. The same table again gives the same bytes. */
async function readSnapshot(question: WindowsQuestion, schema: Schema, told: Told, signal: AbortSignal): Promise<void> {
  const { source, fs, folder, label } = question
  const sealing = new Sealing(question, told)
  let n = 0
  try {
    const range = { after: null, from: null, until: null, count: null }
    for await (const window of writerOf(source, schema)(range, sizeOf(question), (at) => workingFiles(folder, at), signal)) {
      const files = workingFiles(folder, n)
      n++
      await sealing.follow(window, files, windowName(label, { n, after: null, mark: null }))
    }
  } finally {
    await sealing.end()
  }
  // Parts of a longer snapshot that was sealed before.
  for (const { name } of (await fs.list(folder)) ?? []) {
    const window = readWindowName(label, name)
    if (window === null || window.mark !== null || window.n <= n) continue
    await removeWindow(fs, folder, label, window)
  }
}

async function readWindows(question: WindowsQuestion, schema: Schema, told: Told, signal: AbortSignal): Promise<void> {
  const { source, reload, overlap } = question
  const until = await source.newest()
  const { last, mark, after: standing, newest } = await found(question)
  if (until === null) return
  // The first read goes back to nothing, but its overlap must make sense before anything is read.
  backFrom(until, overlap)
  if (mark !== null && (typeof mark === 'string') !== (typeof until === 'string')) {
    throw new SluiceError('SOURCE_UNSUITABLE', `The cursor was ${mark} at the end of the last read and is ${until} now: these cannot be compared.`, { hint: 'Load with --reload to read the table from its beginning.' })
  }
  const from = mark === null || reload ? null : backFrom(mark, overlap)
  const write = writerOf(source, schema)
  const most = sizeOf(question)
  const sealing = new Sealing(question, told)
  try {
    let after: Position | null = null
    for (let n = last + 1, more = true; more; ) {
      more = false
      const files = workingFiles(question.folder, n)
      // One row more than the window takes tells whether the next window can be told apart from this one.
      const begins = reload ? (last === 0 ? null : 0) : standing
      const range: SourceRange = { after, from: after === null ? from : null, until, count: most.rows + 1 }
      for await (const window of write(range, most, () => files, signal)) {
        if (window.last === null) throw new SluiceError('INTERNAL', 'A window was read whose last row nobody knows.')
        if (window.next !== null && samePosition(window.last, window.next)) {
          await window.written
          throw twins(window.last)
        }
        // Of what comes again, much is in already, byte for byte: no commit would ever name it, and what follows it would hang on nothing.
        const again = mark !== null && !reload && (after === null || compareMarks(after.cursor, mark) <= 0)
        if (!again || !(await isIn(question, files, await window.written))) {
          await sealing.follow(window, files, windowName(question.label, { n, after: n === last + 1 ? begins : null, mark: window.last.cursor }))
          n++
        }
        after = window.last
        more = window.next !== null
      }
    }
  } finally {
    await sealing.end()
  }
  // Nothing but the overlap of the last read: a source where nothing happens leaves no windows behind.
  const idle = mark === null || reload ? null : { n: last + 1, after: standing, mark }
  if (told.windows === 1 && idle !== null && newest !== null && (await isSame(question, newest, idle))) {
    await removeWindow(question.fs, question.folder, question.label, idle)
    told.windows = told.rows = told.odd = 0
  }
}

/** Whether all of a window is in the table; if so its files are removed. */
async function isIn({ fs, hash, isCommitted }: WindowsQuestion, files: WindowFiles, odd: number): Promise<boolean> {
  const paths = [files.parquet, ...(odd > 0 ? [files.rest] : [])]
  for (const path of paths) {
    const pin = lookAt(path)
    const sha256 = pin === null ? null : await hash(pin)
    if (sha256 === null || !(await isCommitted(sha256))) return false
  }
  for (const path of paths) await fs.remove('window.remove', path)
  return true
}

async function isSame({ fs, folder, label }: WindowsQuestion, a: WindowName, b: WindowName): Promise<boolean> {
  for (const end of ['.parquet', REST]) {
    const [one, other] = await Promise.all([a, b].map((window) => fs.read(join(folder, `${windowName(label, window)}${end}`))))
    if ((one ?? null) === null || (other ?? null) === null ? one !== other : Buffer.compare(one as Uint8Array, other as Uint8Array) !== 0) return false
    if (end === '.parquet' && one === null) return false
  }
  return true
}

async function found({ fs, folder, label, committed, on }: WindowsQuestion): Promise<Reached> {
  const sealed = ((await fs.list(folder)) ?? []).flatMap(({ name }) => markedOf(readWindowName(label, name)))
  const windows = async function* (): AsyncGenerator<MarkedWindow> {
    for await (const path of committed) yield* markedOf(windowOfPath(folder, label, path))
  }
  const answer = await reached(windows(), sealed)
  for (const window of answer.stray) {
    on(`Window ${window.n} of ${label} lacks the one before it; its rows are read again.`)
    await removeWindow(fs, folder, label, window)
  }
  return answer
}

function markedOf(window: WindowName | null): MarkedWindow[] {
  return window === null || window.mark === null ? [] : [{ ...window, mark: window.mark }]
}

function samePosition(a: Position, b: Position): boolean {
  return compareMarks(a.cursor, b.cursor) === 0 && a.key.every((part, at) => compareMarks(part, b.key[at] as Mark) === 0)
}

function twins({ cursor, key }: Position): SluiceError {
  return new SluiceError('SOURCE_UNSUITABLE', `Two rows have the cursor ${cursor} and the key ${key.join(', ')}: windows cannot tell them apart, and one would be lost.`, { hint: 'Name the columns that make a row unique with key=, or read the whole table without cursor=.' })
}

/** The rest goes first, as it came first. */
async function removeWindow(fs: Fs, folder: string, label: string, window: WindowName): Promise<void> {
  const name = windowName(label, window)
  for (const end of [REST, '.parquet']) await fs.remove('window.remove', join(folder, `${name}${end}`))
}

/**
 * Removes windows that are in the target: nobody reads them again. One whose bytes were known, so that no commit names it,
 * stays while none behind it is named by a commit: what is sealed next hangs on it. Then it goes with the others; what hangs
 * on it by its number counts no longer, and its rows are read again.
 * @param done paths of windows and rests that are in the target; `loaded`: those that a commit names
 */
export async function tidyWindows(fs: Fs, label: string, done: readonly string[], loaded: ReadonlySet<string>): Promise<void> {
  const windows = done.flatMap((path) => {
    const name = basename(path)
    const window = readWindowName(label, name.endsWith(REST) ? `${name.slice(0, -REST.length)}.parquet` : name)
    return window === null ? [] : [{ path, ...window }]
  })
  const top = Math.max(0, ...windows.flatMap(({ path, n, mark }) => (mark !== null && loaded.has(path) ? [n] : [])))
  for (const { path, n, mark } of windows.toSorted((a, b) => (a.path < b.path ? 1 : -1))) if (mark === null || n <= top) await fs.remove('window.remove', path)
}
