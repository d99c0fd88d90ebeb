/** What a folder remembers of its own making, in a SQLite file in it. See the port in `core/origins.ts`. */
import { dirname, join } from 'node:path'
import type { Made, Move, Origin, Origins } from '../core/origins.ts'
import { SluiceError } from '../core/errors.ts'
import { holdLock } from '../sql/lock.ts'
import type { HeldLock } from '../sql/lock.ts'
import { SqliteSession } from '../sql/sqlite.ts'
import type { SqliteRow } from '../sql/sqlite.ts'

const FORMAT = 1

// `moves` holds what is half in place: `source` is a working file, null: what is at `target` goes.
const DDL = `
CREATE TABLE origins (output TEXT PRIMARY KEY, source TEXT NOT NULL, stamp TEXT NOT NULL, young INTEGER NOT NULL,
  size INTEGER NOT NULL, sha256 TEXT NOT NULL, options TEXT NOT NULL, made TEXT, beside TEXT) WITHOUT ROWID;
CREATE TABLE moves (target TEXT PRIMARY KEY, source TEXT) WITHOUT ROWID;
PRAGMA user_version = ${FORMAT};
`

/**
 * Opens the memory in `folder`, which exists, and keeps other processes out until `close`.
 * @throws SluiceError DATA_DIR_NEWER, PERMISSION_DENIED, DISK_FULL, BUSY, IO_FAILED
 */
export function openOrigins(folder: string): Origins {
  const lock = holdLock('origins.lock', join(folder, 'lock.db'))
  if (lock === null) throw new SluiceError('BUSY', `Another process is at work in ${dirname(folder)}.`, { where: { path: folder } })
  try {
    return open(join(folder, 'origins.db'), lock)
  } catch (thrown) {
    lock.release()
    throw thrown
  }
}

function open(path: string, lock: HeldLock): Origins {
  const session = new SqliteSession(path)
  try {
    session.transaction('origins.make', () => {
      const version = Number(session.get('PRAGMA user_version')?.['user_version'] ?? 0)
      if (version > FORMAT) throw new SluiceError('DATA_DIR_NEWER', `${path} was written by a newer Sluice.`, { where: { path } })
      if (version === 0) for (const statement of DDL.split(';')) if (statement.trim() !== '') session.change(statement)
    })
    return new SqliteOrigins(session, lock)
  } catch (thrown) {
    session.close()
    throw thrown
  }
}

class SqliteOrigins implements Origins {
  private readonly session: SqliteSession
  private readonly lock: HeldLock
  constructor(session: SqliteSession, lock: HeldLock) {
    this.session = session
    this.lock = lock
  }

  all(): Map<string, Origin> {
    const found = new Map<string, Origin>()
    for (const row of this.session.iterate('SELECT * FROM origins ORDER BY output')) found.set(String(row['output']), originOf(row))
    return found
  }

  intend(entries: readonly { origin: Origin; moves: readonly Move[] }[]): void {
    this.session.transaction('origins.intend', () => {
      for (const { origin, moves } of entries) {
        this.put(origin)
        for (const { from, to } of moves) this.session.change('INSERT OR REPLACE INTO moves (target, source) VALUES (?, ?)', [to, from])
      }
    })
  }

  moves(): Move[] {
    return this.session.all('SELECT target, source FROM moves ORDER BY target').map((row) => ({ from: row['source'] === null ? null : String(row['source']), to: String(row['target']) }))
  }

  placed(origins: readonly Origin[], targets: readonly string[]): void {
    this.session.transaction('origins.placed', () => {
      for (const origin of origins) this.put(origin)
      for (const target of targets) this.session.change('DELETE FROM moves WHERE target = ?', [target])
    })
  }

  refresh(origins: readonly Origin[]): void {
    if (origins.length === 0) return
    this.session.transaction('origins.refresh', () => {
      for (const origin of origins) this.put(origin)
    })
  }

  forget(outputs: readonly string[]): void {
    if (outputs.length === 0) return
    this.session.transaction('origins.forget', () => {
      for (const output of outputs) this.session.change('DELETE FROM origins WHERE output = ?', [output])
    })
  }

  close(): void {
    this.session.close()
    this.lock.release()
  }

  private put(o: Origin): void {
    const json = (made: Made | null): string | null => (made === null ? null : JSON.stringify(made))
    this.session.change('INSERT OR REPLACE INTO origins (output, source, stamp, young, size, sha256, options, made, beside) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', [
      o.output, o.source, o.stamp, o.young ? 1 : 0, o.size, o.sha256, o.options, json(o.made), json(o.beside),
    ])
  }
}

function originOf(row: SqliteRow): Origin {
  const made = (value: unknown): Made | null => (typeof value === 'string' ? (JSON.parse(value) as Made) : null)
  return {
    output: String(row['output']), source: String(row['source']), stamp: String(row['stamp']), young: row['young'] === 1n, size: Number(row['size']),
    sha256: String(row['sha256']), options: String(row['options']), made: made(row['made']), beside: made(row['beside']),
  }
}
