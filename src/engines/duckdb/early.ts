/**
 * A process that is started before anybody knows what it will be asked: the command starts it first of all, and the first
 * pool of the same share takes it. While the command reads its settings and opens the data folder, it loads DuckDB.
 */
import { availableParallelism } from 'node:os'
import { divide } from './share.ts'
import type { Share } from './share.ts'
import { Worker } from './worker.ts'

let early: { worker: Worker; share: Share } | null = null

/** @returns ends the process if nobody took it; until somebody does, it holds nothing up */
export function startEarly(memory: number): () => void {
  const share = divide(memory, availableParallelism())
  const worker = new Worker(share)
  worker.hold(false)
  const mine = { worker, share }
  early = mine
  return () => {
    if (early !== mine) return
    early = null
    worker.dismiss()
  }
}

/** The early process, if it lives and was started with the same settings; once. */
export function takeEarly(share: Share): Worker | null {
  if (early === null || !early.worker.alive) return null
  const same = early.share.threads === share.threads && early.share.duckdb === share.duckdb && early.share.flags.join() === share.flags.join()
  if (!same) return null
  const { worker } = early
  early = null
  worker.hold(true)
  return worker
}
