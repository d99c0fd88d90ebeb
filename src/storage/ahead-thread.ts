/** The thread ahead: reads a file from where it stands and hashes it, slot by slot. See `ahead.ts`. */
import { createHash } from 'node:crypto'
import { readSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { ERROR_BYTES, FAILED, FILLED, FREED, GONE, LENGTHS, SLOTS, SLOT_BYTES, STOP } from './ahead-layout.ts'
import type { Ahead } from './ahead-layout.ts'

const { fd, numbers, slots } = workerData as Ahead
const control = new Int32Array(numbers)
const bytes = new Uint8Array(slots)
const hash = createHash('sha256')

/** True: the slot with this number is free; false: nothing is wanted any more. */
function free(n: number): boolean {
  for (;;) {
    const freed = Atomics.load(control, FREED)
    if (Atomics.load(control, STOP) === 1) return false
    if (n - freed < SLOTS) return true
    Atomics.wait(control, FREED, freed)
  }
}

/** Fills a slot; answers what its length says. */
function fill(slot: Uint8Array): number {
  try {
    const n = readSync(fd, slot, 0, slot.length, null)
    if (n > 0) hash.update(slot.subarray(0, n))
    else slot.set(hash.digest())
    return n
  } catch (thrown) {
    const { message, code } = thrown as NodeJS.ErrnoException
    const told = Buffer.from(JSON.stringify({ message, code }))
    slot.set(told)
    Atomics.store(control, ERROR_BYTES, told.length)
    return FAILED
  }
}

for (let n = 0; free(n); n++) {
  const at = n % SLOTS
  const length = fill(bytes.subarray(at * SLOT_BYTES, (at + 1) * SLOT_BYTES))
  Atomics.store(control, LENGTHS + at, length)
  // Before the last slot is told: who has it may close the file.
  if (length <= 0) Atomics.store(control, GONE, 1)
  Atomics.store(control, FILLED, n + 1)
  Atomics.notify(control, FILLED)
  if (length <= 0) break
}
Atomics.store(control, GONE, 1)
Atomics.notify(control, GONE)
