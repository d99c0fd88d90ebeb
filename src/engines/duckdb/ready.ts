/**
 * A process that is ready before anybody asks for it: started early, while the command still reads its settings, or left over
 * by a pool, for the next one of the same program. Half of a small load is such a start
 * (docs/decisions/cold-start.md). Whoever does not get it starts one; what nobody takes ends by itself.
 */
import { availableParallelism } from 'node:os'
import { divide } from './share.ts'
import type { Share } from './share.ts'
import { Worker } from './worker.ts'

/** A program that loads now and then should not hold 100 MB in between; one that loads all the time comes earlier. */
const IDLE_MS = 10_000
/** So often a process is passed on: what libraries leave behind in it goes with it. */
const MOST_SERVED = 100

interface Ready {
  worker: Worker
  share: Share
  /** Variables and folder that it was started with: one that was started in another world is not taken. */
  world: string
  idle: NodeJS.Timeout | null
}

/** One at most, so that no load runs beside what loads of another share have left. */
let ready: Ready | null = null

function worldNow(): string {
  return JSON.stringify([process.cwd(), process.env])
}

/** Until somebody takes it, it holds nothing up, and it ends with the program. */
export function startEarly(memory: number): void {
  const share = divide(memory, availableParallelism())
  lay({ worker: new Worker(share), share, world: worldNow(), idle: null })
}

/** A process of a pool that is closed; it must be idle and hold nothing of whom it served. @returns false: it has served enough, and the pool ends it */
export function keepReady(worker: Worker, share: Share, world: string): boolean {
  if (worker.served >= MOST_SERVED) return false
  worker.handOver()
  lay({ worker, share, world, idle: setTimeout(dismissReady, IDLE_MS).unref() })
  return true
}

/**
 * The process that is ready, if it lives and was started with the same settings in the same world; once. What does not fit
 * is ended. `world`: of the one that is taken or is to be started.
 */
export function takeReady(share: Share): { worker: Worker | null; world: string } {
  const world = worldNow()
  if (ready === null) return { worker: null, world }
  if (!ready.worker.alive || ready.world !== world || !same(ready.share, share)) {
    dismissReady()
    return { worker: null, world }
  }
  const { worker } = remove(ready)
  worker.hold(true)
  return { worker, world }
}

/** Ends it; the program waits until it is gone. */
export function dismissReady(): void {
  if (ready === null) return
  const { worker } = remove(ready)
  worker.hold(true)
  worker.dismiss()
}

function lay(one: Ready): void {
  if (!process.listeners('beforeExit').includes(dismissReady)) process.on('beforeExit', dismissReady)
  dismissReady()
  one.worker.hold(false)
  ready = one
}

function remove(one: Ready): Ready {
  if (one.idle !== null) clearTimeout(one.idle)
  ready = null
  return one
}

function same(a: Share, b: Share): boolean {
  return a.threads === b.threads && a.duckdb === b.duckdb && a.flags.join() === b.flags.join()
}
