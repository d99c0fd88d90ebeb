/** Groups of files, several at work at once: what converting and copying share. */
import type { Pin } from '../core/arrival.ts'
import { asSluiceError } from '../core/errors.ts'
import type { SluiceError } from '../core/errors.ts'

/**
 * Cuts work into groups: enough that every lane has work to the end, few enough that a group is worth its transaction.
 * @param most bytes and files of a group; one file may exceed it
 * @param groups wanted, if there are files enough
 */
export function grouped<T extends { pin: Pin }>(todo: readonly T[], most: { bytes: number; files: number }, groups: number): T[][] {
  const files = Math.max(1, Math.min(most.files, Math.ceil(todo.length / groups)))
  const cut: T[][] = []
  let bytes = 0
  for (const item of todo) {
    const last = cut.at(-1)
    if (last === undefined || last.length >= files || bytes + item.pin.size > most.bytes) {
      cut.push([item])
      bytes = item.pin.size
    } else {
      last.push(item)
      bytes += item.pin.size
    }
  }
  return cut
}

/**
 * Runs the groups of a queue, `width` at once; `run` may put more into the queue, which its own lane sees to. After a failure, or
 * a stop, nothing more is begun.
 * @returns whether something is left in the queue
 * @throws SluiceError the first failure, when all lanes are still
 */
export async function inLanes<T>(queue: T[], width: number, stop: AbortSignal, run: (group: T) => Promise<void>): Promise<boolean> {
  let failure: SluiceError | null = null
  const lane = async (): Promise<void> => {
    while (failure === null && !stop.aborted) {
      const group = queue.shift()
      if (group === undefined) return
      try {
        await run(group)
      } catch (thrown) {
        failure ??= asSluiceError(thrown)
      }
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
  if (failure !== null) throw failure as SluiceError
  return queue.length > 0
}
