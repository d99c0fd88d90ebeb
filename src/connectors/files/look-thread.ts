/** The second thread of `look.ts`: takes chunks while there are any. A fault ends it; the first thread meets it, too. */
import { parentPort, workerData } from 'node:worker_threads'
import { lookAt } from '../../storage/pin.ts'
import { chunkOf, take } from './look.ts'
import type { Seen, Share } from './look.ts'

const { paths, next } = workerData as Share

for (let chunk = take(next), some = chunkOf(paths, chunk); some.length > 0; chunk = take(next), some = chunkOf(paths, chunk)) {
  const seen: Seen = { chunk, stamps: [], sizes: new Float64Array(some.length), modified: new Float64Array(some.length) }
  for (const [at, path] of some.entries()) {
    const pin = lookAt(path)
    seen.stamps.push(pin?.stamp ?? '')
    seen.sizes[at] = pin?.size ?? 0
    seen.modified[at] = pin?.modified ?? 0
  }
  parentPort?.postMessage(seen)
}
