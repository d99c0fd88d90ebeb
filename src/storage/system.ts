/** The clock and the random numbers of this machine. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock, Random } from '../core/effects.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    await sleep(ms, undefined, signal === undefined ? {} : { signal })
  },
}

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'

export const systemRandom: Random = {
  id(n) {
    let text = ''
    // 252 = 7 × 36: larger bytes would make the first letters likelier.
    while (text.length < n) for (const byte of randomBytes(n)) if (byte < 252 && text.length < n) text += ALPHABET[byte % 36]
    return text
  },
}
