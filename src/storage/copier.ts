/**
 * The copier: threads that copy and hash, so that many files are read, hashed and synced at once. Each holds two files at
 * most, so the number of open files is bounded by the number of threads.
 */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Copier, CopyEvent, CopyJob } from '../core/sync.ts'
import { SluiceError } from '../core/errors.ts'
import type { Code, Where } from '../core/errors.ts'
import { dressFile } from './copy.ts'

export type Order = { do: 'copy'; jobs: readonly CopyJob[] } | { do: 'hash'; paths: readonly string[] }
export type Answer = CopyEvent | { kind: 'done'; hashes: (string | null)[] } | { kind: 'failed'; code: Code; message: string; where: Where; hint: string }

/** The same file as source and as compiled package. */
const THREAD = fileURLToPath(new URL(`./copy-thread${extname(fileURLToPath(import.meta.url))}`, import.meta.url))

/** @param threads at most; started when they are needed */
export function openCopier(threads: number): Copier {
  const idle: Worker[] = []
  const waiting: ((worker: Worker) => void)[] = []
  const all = new Set<Worker>()

  const take = async (): Promise<Worker> => {
    const free = idle.pop()
    if (free !== undefined) return free
    if (all.size < threads) {
      const worker = new Worker(THREAD)
      all.add(worker)
      return worker
    }
    return new Promise((resolve) => waiting.push(resolve))
  }
  const giveBack = (worker: Worker): void => {
    const next = waiting.shift()
    if (next !== undefined) next(worker)
    else idle.push(worker)
  }

  const order = async (what: Order, on: (event: CopyEvent) => void, signal: AbortSignal): Promise<(string | null)[]> => {
    signal.throwIfAborted()
    const worker = await take()
    const { promise, resolve, reject } = Promise.withResolvers<(string | null)[]>()
    const hear = (answer: Answer): void => {
      if (answer.kind === 'done') resolve(answer.hashes)
      else if (answer.kind === 'failed') reject(new SluiceError(answer.code, answer.message, { where: answer.where, hint: answer.hint }))
      else on(answer)
    }
    const fail = (thrown: unknown): void => reject(thrown)
    const abort = (): void => reject(signal.reason)
    worker.on('message', hear).on('error', fail)
    signal.addEventListener('abort', abort, { once: true })
    try {
      worker.postMessage(what)
      return await promise
    } finally {
      worker.off('message', hear).off('error', fail)
      signal.removeEventListener('abort', abort)
      // What goes on in a thread after an abort ends with `close`.
      if (!signal.aborted) giveBack(worker)
    }
  }
  return {
    copy: async (jobs, on, signal) => void (await order({ do: 'copy', jobs }, on, signal)),
    hash: (paths, signal) => order({ do: 'hash', paths }, () => {}, signal),
    dress: dressFile,
    async close() {
      await Promise.all([...all].map((worker) => worker.terminate()))
    },
  }
}
