/** Reading the arrivals of a batch once, each hashed while it is split. */
import { setImmediate as breathe } from 'node:timers/promises'
import type { Arrival, ArrivalOutcome } from '../../core/arrival.ts'
import type { Batch, StageEvent } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Fault } from '../../core/errors.ts'
import { poison } from '../../core/failpoint.ts'
import type { SplitEnd, Splitter } from '../../formats/splitter.ts'
import { hashedBytes } from '../../storage/ahead.ts'
import type { HashedBytes } from '../../storage/ahead.ts'
import { isMisnamed, lookAt, misnamed, openPinned } from '../../storage/pin.ts'
import type { PinnedFile } from '../../storage/pin.ts'
import type { Pulse } from '../../storage/pulse.ts'
import { systemClock } from '../../storage/system.ts'
import { waitsForDisk } from './motion.ts'

/** At most every so many milliseconds progress is told, and other calls of the process get their turn. */
const PULSE = 100

/** Reads every arrival in order. Outcomes are `loaded`, `failed` or `waiting`; which contents are known is decided later. */
export async function readArrivals(batch: Batch, splitter: Splitter, on: (event: StageEvent) => void, pulse?: Pulse): Promise<ArrivalOutcome[]> {
  const total = { bytes: 0, records: 0 }
  const outcomes: ArrivalOutcome[] = []
  let told = systemClock.monotonic()
  const tell = (bytes: number, records: number): void => {
    if (systemClock.monotonic() - told < PULSE) return
    told = systemClock.monotonic()
    on({ kind: 'progress', files: outcomes.length, bytes: total.bytes + bytes, records: total.records + records })
  }
  let paused = systemClock.monotonic()
  for (const arrival of batch.arrivals) {
    on({ kind: 'arrival.begin', seq: arrival.seq })
    pulse?.begin(arrival.seq)
    const outcome = await readArrival(arrival, splitter, tell, pulse)
    outcomes.push(outcome)
    total.bytes += outcome.bytes
    total.records += outcome.read
    tell(0, 0)
    if (systemClock.monotonic() - paused >= PULSE) {
      await breathe()
      paused = systemClock.monotonic()
    }
  }
  pulse?.done()
  on({ kind: 'progress', files: outcomes.length, ...total })
  return outcomes
}

async function readArrival(arrival: Arrival, splitter: Splitter, tell: (bytes: number, records: number) => void, pulse?: Pulse): Promise<ArrivalOutcome> {
  let file: PinnedFile | null
  try {
    file = openPinned(arrival.pin)
    if (file === null) return lookAt(arrival.pin.uri) === null ? gone(arrival) : changing(arrival, 0)
  } catch (thrown) {
    return unreadable(arrival, thrown, 0)
  }
  try {
    return await splitFile(arrival, file, splitter, tell, pulse)
  } finally {
    file.close()
  }
}

async function splitFile(arrival: Arrival, file: PinnedFile, splitter: Splitter, tell: (bytes: number, records: number) => void, pulse?: Pulse): Promise<ArrivalOutcome> {
  const { pin } = arrival
  const got: Got = { bytes: 0, ended: false, failed: null }
  const waits = (): void => {
    // The process sleeps while its thread waits: a disk that does not answer is nobody's fault here.
    if (waitsForDisk()) pulse?.at(got.bytes)
  }
  const bytes = hashedBytes(file, pin.size, waits)
  try {
    return await splitBytes(arrival, file, bytes, got, waits, splitter, tell, pulse)
  } finally {
    bytes.close()
  }
}

interface Got {
  bytes: number
  /** Nothing follows. */
  ended: boolean
  /** Why the file could not be read on; null: nothing. */
  failed: unknown
}

async function splitBytes(arrival: Arrival, file: PinnedFile, bytes: HashedBytes, got: Got, waits: () => void, splitter: Splitter, tell: (bytes: number, records: number) => void, pulse?: Pulse): Promise<ArrivalOutcome> {
  const { seq, pin } = arrival
  const read = (into: Uint8Array, at: number, length: number): number => {
    let n: number
    try {
      n = bytes.read(into, at, length)
    } catch (thrown) {
      got.failed = thrown
      throw thrown
    }
    if (n === 0) got.ended = length > 0 || got.ended
    got.bytes += n
    pulse?.at(got.bytes)
    poison(pin.uri, got.bytes)
    return n
  }
  let end: SplitEnd
  try {
    end = await splitter.split({ seq, path: pin.uri, modified: pin.modified, size: pin.size, read, waits }, (_, records) => {
      pulse?.at(got.bytes)
      tell(got.bytes, records)
    })
  } catch (thrown) {
    if (got.failed === null) throw thrown
    splitter.undo()
    return unreadable(arrival, got.failed, got.bytes)
  }
  const whole = got.ended || got.bytes === pin.size
  const sha256 = whole ? bytes.digest() : null
  if (!file.unchanged() || (whole && sha256 === null) || (end.state === 'loaded' && got.bytes !== pin.size)) {
    splitter.undo()
    return changing(arrival, got.bytes)
  }
  return {
    ...nothing(arrival),
    state: end.state,
    sha256,
    bytes: got.bytes,
    read: end.read,
    skipped: end.skipped,
    rejected: end.rejected,
    fault: end.fault,
    ...(end.aside === undefined ? {} : { aside: end.aside }),
  }
}

function nothing({ seq }: Arrival): ArrivalOutcome {
  return { seq, state: 'failed', sha256: null, generation: 0, sameAs: null, bytes: 0, read: 0, skipped: 0, rejected: 0, fault: null }
}

function gone(arrival: Arrival): ArrivalOutcome {
  if (isMisnamed(arrival.pin.uri)) return { ...nothing(arrival), fault: misnamed(arrival.pin.uri) }
  return { ...nothing(arrival), fault: faultOf(arrival, 'FILE_GONE', 'was removed before it was read.') }
}

function changing(arrival: Arrival, bytes: number): ArrivalOutcome {
  return { ...nothing(arrival), state: 'waiting', bytes, fault: faultOf(arrival, 'FILE_CHANGING', 'changed between the look at it and the end of reading it.') }
}

/** No right to read fails the file; a disk that does not answer may answer later. Neither stops the other files. */
function unreadable(arrival: Arrival, thrown: unknown, bytes: number): ArrivalOutcome {
  if (!(thrown instanceof SluiceError)) throw thrown
  if (thrown.code === 'PERMISSION_DENIED') return { ...nothing(arrival), bytes, fault: { code: 'FILE_UNREADABLE', message: thrown.message, path: arrival.pin.uri } }
  return { ...nothing(arrival), state: 'waiting', bytes, fault: { code: thrown.code, message: thrown.message, path: arrival.pin.uri } }
}

function faultOf({ pin }: Arrival, code: Fault['code'], what: string): Fault {
  return { code, message: `${pin.uri} ${what}`, path: pin.uri }
}
