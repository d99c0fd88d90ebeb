/**
 * Who is alive. Every process holds a lock on `<folder>/workers/<worker>.db` for its life and counts beats in the ledger.
 * See docs/decisions/liveness-by-lock.md.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Random } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import { localFs } from '../storage/local.ts'
import { holdLock, isHeld } from '../sql/lock.ts'
import type { HeldLock } from '../sql/lock.ts'
import type { SqliteSession } from '../sql/sqlite.ts'

/** A process whose beat an observer saw stand still for this long counts as dead; milliseconds of his own clock. */
export const SILENCE_MS = 120_000

export class Workers {
  /** This process. */
  readonly own: string
  private readonly db: SqliteSession
  private readonly folder: string
  private readonly clock: Clock
  private readonly lock: HeldLock
  private readonly seen = new Map<string, { beat: bigint; since: number }>()

  private constructor(db: SqliteSession, folder: string, clock: Clock, own: string, lock: HeldLock) {
    this.db = db
    this.folder = folder
    this.clock = clock
    this.own = own
    this.lock = lock
  }

  /** Takes the lock first, then enters the ledger: who is in the ledger was alive. */
  static async enter(db: SqliteSession, folder: string, clock: Clock, random: Random): Promise<Workers> {
    await localFs.makeFolder('ledger.workers', folder)
    for (let tries = 0; tries < 10; tries++) {
      const own = `w_${random.id(16)}`
      const lock = holdLock('ledger.lock', join(folder, `${own}.db`))
      if (lock === null) continue
      try {
        db.transaction('ledger.enter', () => db.change('INSERT INTO workers (id, beat, started_at) VALUES (?, 0, ?)', [own, clock.now()]))
      } catch (thrown) {
        lock.release()
        throw thrown
      }
      return new Workers(db, folder, clock, own, lock)
    }
    throw new SluiceError('BUSY', `Cannot take a lock of its own in ${folder}.`, { where: { path: folder } })
  }

  isAlive(worker: string): boolean {
    if (worker === this.own) return true
    if (!isHeld('ledger.lock', join(this.folder, `${worker}.db`))) return false
    return !this.isSilent(worker)
  }

  /** A stopped process keeps its lock; its beat stands still. */
  private isSilent(worker: string): boolean {
    const beat = this.db.get('SELECT beat FROM workers WHERE id = ?', [worker])?.['beat']
    if (typeof beat !== 'bigint') return true
    const now = this.clock.monotonic()
    const last = this.seen.get(worker)
    if (last === undefined || last.beat !== beat) {
      this.seen.set(worker, { beat, since: now })
      return false
    }
    return now - last.since >= SILENCE_MS
  }

  beat(): void {
    this.db.run('ledger.beat', 'UPDATE workers SET beat = beat + 1 WHERE id = ?', [this.own])
  }

  /** Strikes dead workers that nothing refers to any more. True: one of them died since somebody looked. */
  sweep(): boolean {
    const dead: string[] = []
    let news = false
    for (const row of this.db.all('SELECT id FROM workers WHERE id <> ?', [this.own])) {
      const worker = String(row['id'])
      const file = join(this.folder, `${worker}.db`)
      const left = existsSync(file)
      if (isHeld('ledger.lock', file)) continue
      dead.push(worker)
      news ||= left
    }
    if (dead.length > 0) {
      this.db.transaction('ledger.sweep', () => {
        for (const worker of dead) this.strike(worker)
      })
    }
    return news
  }

  private strike(worker: string): void {
    this.db.change(
      `DELETE FROM workers WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM batches WHERE worker = ?1 AND open = 1)
         AND NOT EXISTS (SELECT 1 FROM runs WHERE worker = ?1 AND state = 'RUNNING')`,
      [worker],
    )
  }

  /** Leaves the ledger and lets the lock go. What is still claimed is an orphan from now on. */
  leave(): void {
    try {
      this.db.transaction('ledger.leave', () => this.strike(this.own))
    } finally {
      this.lock.release()
    }
  }
}

/** Processes that work in a data folder now, without a look into its ledger. Not to be called by one that has entered it. */
export async function livingWorkers(dataDir: string): Promise<string[]> {
  const folder = join(dataDir, 'workers')
  const names = ((await localFs.list(folder)) ?? []).flatMap(({ name }) => (/^w_[a-z0-9]+\.db$/.test(name) ? [name.slice(0, -3)] : []))
  return names.filter((worker) => isHeld('ledger.lock', join(folder, `${worker}.db`)))
}
