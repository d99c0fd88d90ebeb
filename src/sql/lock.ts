/**
 * A lock that lives exactly as long as its process: an exclusive transaction on a small SQLite file of its own.
 *
 * The kernel drops the lock when the process dies, also after SIGKILL. A process must never open the file of a lock it
 * holds by other means: closing any second handle would drop the lock (POSIX).
 */
import { existsSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { crash } from '../core/failpoint.ts'
import { sqliteError } from './sqlite.ts'

const BUSY = 5

export interface HeldLock {
  /** Removes the file and lets go, in this order: nobody finds a free file that still counts. */
  release(): void
}

/**
 * Makes the file and holds it.
 * @returns null when somebody took the new file for a left-over; try another name
 * @throws SluiceError PERMISSION_DENIED, DISK_FULL, IO_FAILED
 */
export function holdLock(point: string, path: string): HeldLock | null {
  crash(`${point}.before`)
  let db: DatabaseSync | null = null
  try {
    db = new DatabaseSync(path, { timeout: 1_000 })
    // Nothing is ever written, so there is nothing to roll back and no second file.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (thrown) {
    db?.close()
    if (isBusy(thrown)) return null
    throw sqliteError(thrown, path)
  }
  // Observers remove only what they have locked, so what is there now stays.
  if (!existsSync(path)) {
    db.close()
    return null
  }
  crash(`${point}.after`)
  const held = db
  return {
    release() {
      crash(`${point}.release.before`)
      rmSync(path, { force: true })
      held.close()
      crash(`${point}.release.after`)
    },
  }
}

/** True while a living process holds it. A free file is a dead process's and is removed under a lock. */
export function isHeld(point: string, path: string): boolean {
  if (!existsSync(path)) return false
  let db: DatabaseSync | null = null
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 0 })
    db.exec('BEGIN')
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    crash(`${point}.remove.before`)
    rmSync(path, { force: true })
    crash(`${point}.remove.after`)
    return false
  } catch (thrown) {
    if (isBusy(thrown)) return true
    // Removed between the two looks.
    if (!existsSync(path)) return false
    throw sqliteError(thrown, path)
  } finally {
    db?.close()
  }
}

function isBusy(thrown: unknown): boolean {
  return thrown instanceof Error && 'errcode' in thrown && (Number(thrown.errcode) & 0xff) === BUSY
}
