/** What a writer and its thread behind share: a ring of slots for bytes, and these numbers. See `behind.ts`. */

export const SLOT_BYTES = 1 << 20
export const SLOTS = 8

/** Indexes of the Int32Array. Slots that were filled, and slots that are done with, counted from the start. */
export const FILLED = 0
export const DONE = 1
/** 1: what is filled is the last. */
export const STOP = 2
/** Bytes of an error as JSON, in its own room; 0: there is none. Until it is taken back nothing more is written. */
export const ERROR_BYTES = 3
/** From here on bytes and file descriptor of each slot. */
export const LENGTHS = 4
export const FILES = LENGTHS + SLOTS
/** 1: the slot holds hashes, which the thread looks at, too. */
export const HASHES = FILES + SLOTS
export const NUMBERS = HASHES + SLOTS
/** Room of an error. */
export const ERROR_ROOM = 4096

export interface Behind {
  numbers: SharedArrayBuffer
  /** Where in its file each slot goes, as doubles. */
  positions: SharedArrayBuffer
  slots: SharedArrayBuffer
  error: SharedArrayBuffer
}
