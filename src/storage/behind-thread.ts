/** The thread behind: writes slot by slot where it is told, and looks at hashes as they come. See `behind.ts`. */
import { writeSync } from 'node:fs'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { meet } from '../core/likes.ts'
import type { Likes } from '../core/likes.ts'
import { DONE, ERROR_BYTES, ERROR_ROOM, FILES, FILLED, HASHES, LENGTHS, SLOTS, SLOT_BYTES, STOP } from './behind-layout.ts'
import type { Behind } from './behind-layout.ts'

const shared = workerData as Behind
const control = new Int32Array(shared.numbers)
const positions = new Float64Array(shared.positions)
const bytes = new Uint8Array(shared.slots)
const room = new Uint8Array(shared.error)
/** Told before the first slot of hashes. */
let likes: Likes | null = null

function write(at: number): void {
  const length = control[LENGTHS + at] as number
  const fd = control[FILES + at] as number
  const position = positions[at] as number
  // A short write is not an error; the next one tells why (ENOSPC).
  for (let done = 0; done < length; ) done += writeSync(fd, bytes, at * SLOT_BYTES + done, length - done, position + done)
}

function tell(thrown: unknown): void {
  const { message, code } = thrown as NodeJS.ErrnoException
  const told = Buffer.from(JSON.stringify({ message: message.slice(0, 1000), code }))
  room.set(told.subarray(0, ERROR_ROOM))
  Atomics.store(control, ERROR_BYTES, told.length)
}

function look(at: number): void {
  likes ??= receiveMessageOnPort(parentPort as MessagePort)?.message as Likes
  meet(new Int32Array(shared.slots, at * SLOT_BYTES, (control[LENGTHS + at] as number) >> 2), likes)
}

for (let n = 0; ; n++) {
  for (let filled = Atomics.load(control, FILLED); filled === n; filled = Atomics.load(control, FILLED)) {
    if (Atomics.load(control, STOP) === 1) process.exit()
    Atomics.wait(control, FILLED, filled)
  }
  // After an error nothing more is written. One that were thrown here would let the other thread wait for ever.
  try {
    if (Atomics.load(control, ERROR_BYTES) === 0) write(n % SLOTS)
    if (control[HASHES + (n % SLOTS)] === 1) look(n % SLOTS)
  } catch (thrown) {
    tell(thrown)
  }
  Atomics.store(control, DONE, n + 1)
  Atomics.notify(control, DONE)
}
