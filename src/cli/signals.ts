/**
 * Ctrl-C and SIGTERM: the first finishes the batch and stops, the second stops now.
 *
 * Under an older Node `bin/sluice.js` runs this process and tells of the signals it gets (`message`). A terminal sends
 * Ctrl-C to both processes, `kill` to one only. So signals got and signals told are counted apart, and the larger count
 * is what the user did.
 */
export type Stop = 'SIGINT' | 'SIGTERM'
const STOPS: readonly Stop[] = ['SIGINT', 'SIGTERM']

/** Shells report a process that a signal ended as 128 + its number. */
export const EXIT_OF: Readonly<Record<Stop, number>> = { SIGINT: 130, SIGTERM: 143 }

export interface Interruption {
  /** Aborted by the first signal: finish the batch and stop. */
  readonly signal: AbortSignal
  /** Aborted by the second signal: stop at once. */
  readonly now: AbortSignal
  /** The signal that asked to stop, or null. */
  readonly by: Stop | null
  /** Gives the signals back to the operating system's rule. */
  release(): void
}

let listener: ((signal: Stop, source: 'got' | 'told') => void) | null = null
/** Signals that the last command got itself, and those that it was told of. */
const counts = { got: 0, told: 0 }

/** @param say called with 1 and 2, when the first and the second signal arrive */
export function onInterruption(say: (times: 1 | 2) => void): Interruption {
  const first = new AbortController()
  const second = new AbortController()
  counts.got = counts.told = 0
  let by: Stop | null = null
  let times = 0
  const count = (signal: Stop, source: 'got' | 'told'): void => {
    counts[source]++
    by ??= signal
    const now = Math.max(counts.got, counts.told)
    if (now === times) return
    times = now
    // A third time: whatever hangs, the user wants it gone. Crash safety does the rest.
    if (times > 2) process.exit(EXIT_OF[signal])
    if (times === 1) first.abort(signal)
    else second.abort(signal)
    say(times === 1 ? 1 : 2)
  }
  const handlers = STOPS.map((signal) => [signal, () => count(signal, 'got')] as const)
  for (const [signal, handler] of handlers) process.on(signal, handler)
  listener = count
  return {
    signal: first.signal,
    now: second.signal,
    get by() {
      return by
    },
    release() {
      // First: between the last handler and the next one a signal would end the process.
      if (counts.got < counts.told) expectLate()
      for (const [signal, handler] of handlers) process.off(signal, handler)
      listener = null
    },
  }
}

/** Ends what `expectLate` began. */
let forgetLate = (): void => {}

/** What was told of may arrive itself a moment later: it is no new signal, and must not end a command that has ended well. */
function expectLate(): void {
  const handlers = STOPS.map((signal) => {
    const late = (): void => {
      if (++counts.got <= counts.told) return
      forgetLate()
      process.kill(process.pid, signal)
    }
    return [signal, late] as const
  })
  forgetLate = () => {
    for (const [signal, late] of handlers) process.off(signal, late)
  }
  for (const [signal, late] of handlers) process.on(signal, late)
}

/** Listens to the process that runs this one, if there is such a one. Does not keep this process alive. */
export function listenToWrapper(): void {
  if (process.env['SLUICE_WRAPPED'] === undefined || process.channel === undefined) return
  delete process.env['SLUICE_WRAPPED']
  process.on('message', (message: unknown) => {
    const signal = STOPS.find((stop) => typeof message === 'object' && message !== null && 'sluiceSignal' in message && message.sluiceSignal === stop)
    if (signal === undefined) return
    if (listener !== null) listener(signal, 'told')
    // The command has ended. What it got itself may be told of a moment later; only a further signal is a new one.
    else if (++counts.told > counts.got) {
      forgetLate()
      process.kill(process.pid, signal)
    }
  })
  // Killed outright, it cannot pass anything on: what was killed must not go on in its child.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel.unref()
}
