/**
 * What an engine process says to its parent. Events of a stage wait a moment for one another: a batch of 5,000 files has
 * 10,000 of them, and as many messages were 5 % of the processor time of its load. Whatever else is said goes behind them.
 * What waits is lost with the process; the batch is then staged again.
 */
import type { Clock } from '../../core/effects.ts'
import type { StageEvent } from '../../core/engine.ts'
import type { ToParent } from './protocol.ts'

/** Events wait at most so many milliseconds for the next one, or until the process has nothing else to do. */
const WAIT_MS = 20

export class Telling {
  private readonly send: (message: ToParent) => void
  private readonly clock: Pick<Clock, 'monotonic'>
  private waiting: { id: number; events: StageEvent[] } | null = null
  private sent = Number.NEGATIVE_INFINITY
  private planned = false

  constructor(send: (message: ToParent) => void, clock: Pick<Clock, 'monotonic'>) {
    this.send = send
    this.clock = clock
  }

  /** Says at once what is no event. */
  tell(message: ToParent): void {
    this.flush()
    this.send(message)
  }

  event(id: number, event: StageEvent): void {
    if (this.waiting !== null && this.waiting.id !== id) this.flush()
    this.waiting ??= { id, events: [] }
    this.waiting.events.push(event)
    if (this.clock.monotonic() - this.sent >= WAIT_MS) this.flush()
    else if (!this.planned) {
      this.planned = true
      setImmediate(() => {
        this.planned = false
        this.flush()
      })
    }
  }

  private flush(): void {
    const { waiting } = this
    if (waiting === null) return
    this.waiting = null
    this.sent = this.clock.monotonic()
    this.send({ from: 'events', ...waiting })
  }
}
