/**
 * Processes that are ready before anybody asks for them: one that was started early, while the command still reads its
 * settings; and those that a pool left over, for the next one of the same program. Half of a small load is such a start
 * (docs/decisions/cold-start.md). Whoever does not get one starts one; those that nobody takes end by themselves.
 */
import { availableParallelism } from 'node:os'
import { divide } from './share.ts'
import type { Share } from './share.ts'
import { Worker } from './worker.ts'

/** A program that loads now and then should not hold 100 MB in between; one that loads all the time comes earlier. */
const IDLE_MS = 10_000
/** One for loading and one for looking, which want other shares. */
const MOST = 2

interface Ready {
  worker: Worker
  share: Share
  /** Variables and folder that it was started with: one that was started in another world is not taken. */
  world: string
  idle: NodeJS.Timeout | null
}

let ready: Ready[] = []

function worldNow(): string {
  return JSON.stringify([process.cwd(), process.env])
}

/** Until somebody takes it, it holds nothing up, and it ends with the program. */
export function startEarly(memory: number): void {
  const share = divide(memory, availableParallelism())
  lay({ worker: new Worker(share), share, world: worldNow(), idle: null })
}

/** A program that is done ends them, and waits until they are gone. */
export function dismissReady(): void {
  for (const one of ready) {
    one.worker.hold(true)
    drop(one)
  }
}

/** A process of a pool that is closed; it must be idle and have spilled nothing. It holds the program up no more. */
export function keepReady(worker: Worker, share: Share, world: string): void {
  const kept: Ready = { worker, share, world, idle: setTimeout(() => drop(kept), IDLE_MS).unref() }
  worker.forgetSettings()
  for (const other of ready.filter((one) => same(one.share, share))) drop(other)
  lay(kept)
}

/** One that lives and was started with the same settings in the same world; once. `world`: of the one that is taken or is to be started. */
export function takeReady(share: Share): { worker: Worker | null; world: string } {
  const world = worldNow()
  const fit = ready.find((one) => one.worker.alive && one.world === world && same(one.share, share))
  if (fit === undefined) return { worker: null, world }
  remove(fit)
  fit.worker.hold(true)
  return { worker: fit.worker, world }
}

function lay(one: Ready): void {
  if (!process.listeners('beforeExit').includes(dismissReady)) process.on('beforeExit', dismissReady)
  one.worker.hold(false)
  ready.push(one)
  for (const other of ready.slice(0, -MOST)) drop(other)
}

function drop(one: Ready): void {
  remove(one)
  one.worker.dismiss()
}

function remove(one: Ready): void {
  if (one.idle !== null) clearTimeout(one.idle)
  ready = ready.filter((other) => other !== one)
}

function same(a: Share, b: Share): boolean {
  return a.threads === b.threads && a.duckdb === b.duckdb && a.flags.join() === b.flags.join()
}
