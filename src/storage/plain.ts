/**
 * Files that Sluice writes for its user and can write again: generated and demo files. Not synced, no failpoints: they
 * are no part of what must survive, and 5,000 fsyncs would be most of the time that making them takes.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { storageError } from './errors.ts'
import { makeFolders } from './folders.ts'

/** Creates a folder and its parents; an existing one is fine. */
export function makePlainFolder(path: string): void {
  try {
    makeFolders(path)
  } catch (thrown) {
    throw storageError(thrown, 'make the folder', path)
  }
}

export interface PlainFile {
  write(bytes: Uint8Array): void
  close(): void
}

/** Creates a file, or empties the one that has its name. */
export function createPlainFile(path: string): PlainFile {
  const open = (): number => {
    try {
      return openSync(path, 'w', 0o644)
    } catch (thrown) {
      throw storageError(thrown, 'write', path)
    }
  }
  const handle = open()
  return {
    write(bytes) {
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at)
      } catch (thrown) {
        throw storageError(thrown, 'write', path)
      }
    },
    close: () => closeSync(handle),
  }
}
