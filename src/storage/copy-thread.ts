/** A thread that copies and hashes. See `copier.ts`. */
import { createHash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { asSluiceError } from '../core/errors.ts'
import { copyFile } from './copy.ts'
import type { Answer, Order } from './copier.ts'
import { installFailpoints } from './failpoints.ts'
import { lookAt, openPinned } from './pin.ts'

installFailpoints('parent')

function tell(answer: Answer): void {
  parentPort?.postMessage(answer)
}

parentPort?.on('message', (order: Order) => {
  try {
    if (order.do === 'copy') {
      for (const [at, job] of order.jobs.entries()) {
        tell({ kind: 'copied', at, outcome: copyFile(job, (bytes) => tell({ kind: 'progress', at, bytes })) })
      }
      tell({ kind: 'done', hashes: [] })
    } else tell({ kind: 'done', hashes: order.paths.map(hashOf) })
  } catch (thrown) {
    const { code, message, where, hint } = asSluiceError(thrown)
    tell({ kind: 'failed', code, message, where, hint })
  }
})

function hashOf(path: string): string | null {
  try {
    const pin = lookAt(path)
    const file = pin === null ? null : openPinned(pin)
    if (file === null) return null
    try {
      const hash = createHash('sha256')
      const buffer = new Uint8Array(1 << 20)
      for (let n = file.read(buffer, 0, buffer.length); n > 0; n = file.read(buffer, 0, buffer.length)) hash.update(buffer.subarray(0, n))
      return file.unchanged() ? hash.digest('hex') : null
    } finally {
      file.close()
    }
  } catch {
    // Not readable: the caller says so by what it looks for.
    return null
  }
}
