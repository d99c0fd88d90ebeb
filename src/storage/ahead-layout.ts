/** What the reader of a file and its thread ahead share: a ring of slots for bytes, and these numbers. See `ahead.ts`. */

export const SLOT_BYTES = 512 << 10
export const SLOTS = 8

/** Indexes of the Int32Array. Slots that were filled and slots that are free again, counted from the start. */
export const FILLED = 0
export const FREED = 1
/** 1: the reader wants no more. */
export const STOP = 2
/** 1: the thread touches the file no more. */
export const GONE = 3
/** From here on the bytes of each slot: 0 at the end of the file, where the digest lies in the slot; FAILED: an error as JSON. */
export const LENGTHS = 4
export const FAILED = -1
/** Behind them, the length of that JSON. */
export const ERROR_BYTES = LENGTHS + SLOTS
export const NUMBERS = ERROR_BYTES + 1

export interface Ahead {
  /** Of the file, which its reader closes after the thread is gone. */
  fd: number
  numbers: SharedArrayBuffer
  slots: SharedArrayBuffer
}
