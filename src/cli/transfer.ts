/** What `convert` and `sync` have in common: progress, log, events and signals around a run over files. */
import { SluiceError } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import { systemClock, systemRandom } from '../storage/system.ts'
import { eventDocument, openCommandLog } from './log.ts'
import type { Output } from './output.ts'
import { progressOf } from './progress.ts'
import { EXIT_OF, onInterruption } from './signals.ts'
import { version } from './version.ts'

/** What the end of such a run tells. */
interface Ended {
  state: string
  exit: number
  files: object
  balance?: object
  bytes?: number
  errors: readonly Fault[]
  ms: number
}

type TransferEvent<Item> =
  | { kind: 'discovered'; files: number; bytes: number; known: number; ignored: number }
  | { kind: 'progress'; batch: string; files: number; bytes: number; records: number }
  | { kind: 'file.ended'; item: Item }
  | { kind: 'notice'; text: string }

export interface Hooks<Event> {
  onEvent: (event: Event) => void
  signal: AbortSignal
  now: AbortSignal
}

/**
 * Runs it with the signals in hand.
 * @param places from where to where, for the log; @param tell says an event to people
 */
export async function transfer<Item extends { state: string; path: string; fault: Fault | null }, Result extends Ended>(
  output: Output,
  verb: 'convert' | 'sync',
  places: Readonly<Record<string, string>>,
  tell: (event: TransferEvent<Item>) => void,
  run: (hooks: Hooks<TransferEvent<Item>>) => Promise<Result>,
): Promise<Result> {
  const id = `r_${systemClock.now().toString(36)}${systemRandom.id(4)}`
  const log = await openCommandLog(output)
  const progress = progressOf(output, systemClock, process.env, verb)
  const interruption = onInterruption((times) =>
    output.note(times === 1 ? 'Stopping: the files in work are finished first. Once more stops at once; both can be resumed.' : 'Stopping at once. The same command goes on where it stopped.'),
  )
  const ids = { run: id, verb }
  const onEvent = (event: TransferEvent<Item>): void => {
    output.event(eventDocument(event, id, systemClock.now()))
    if (event.kind === 'file.ended') {
      const { state, fault, ...item } = event.item
      const facts = Object.fromEntries(Object.entries(item).filter(([, value]) => value !== null && value !== 0))
      log.line(state === 'failed' || state === 'waiting' ? 'warn' : 'info', `file ${state}`, { ...ids, ...facts, ...(fault === null ? {} : { code: fault.code, fault: fault.message }) })
    } else {
      const { kind, ...facts } = event
      log.line(kind === 'progress' ? 'debug' : 'info', kind, { ...ids, ...facts })
      if (kind !== 'notice') progress.on(event)
    }
    tell(event)
  }
  try {
    log.line('info', 'run started', { ...ids, ...places, version: version() })
    const result = await run({ onEvent, signal: interruption.signal, now: interruption.now })
    const { state, files, balance, bytes, errors: [first], ms } = result
    log.line(state === 'FAILED' ? 'error' : result.exit === 0 ? 'info' : 'warn', 'run ended', { ...ids, state, exit: result.exit, files, balance, bytes, ms, ...(first === undefined ? {} : { code: first.code, fault: first.message }) })
    return state === 'INTERRUPTED' && interruption.by !== null ? { ...result, exit: EXIT_OF[interruption.by] } : result
  } catch (thrown) {
    log.failed(thrown)
    if (interruption.by !== null && interruption.signal.aborted && !(thrown instanceof SluiceError && thrown.code !== 'INTERRUPTED')) {
      throw new SluiceError('INTERRUPTED', `Stopped by ${interruption.by} before the run began.`, { cause: thrown })
    }
    throw thrown
  } finally {
    progress.end()
    interruption.release()
    log.close()
  }
}
