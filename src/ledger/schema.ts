/** The tables of ledger.db, and opening it: its format is checked before anything is changed. */
import { existsSync } from 'node:fs'
import type { Random } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import { SqliteSession, openForReading } from '../sql/sqlite.ts'

/** Grows with every change of the tables below; kept as SQLite's user_version. */
const LEDGER_FORMAT = 5
/** What makes a ledger of the format before into one of this format, by the format it leads to. */
const STEPS: Readonly<Record<number, string>> = {
  2: 'ALTER TABLE arrivals ADD COLUMN deaths TEXT; ALTER TABLE arrivals ADD COLUMN former INTEGER',
  3: 'ALTER TABLE runs ADD COLUMN known INTEGER NOT NULL DEFAULT 0',
  4: `ALTER TABLE arrivals ADD COLUMN covered TEXT; ALTER TABLE arrivals ADD COLUMN via INTEGER; ALTER TABLE runs ADD COLUMN dates TEXT;
    CREATE INDEX arrivals_partly ON arrivals (table_no, seq) WHERE covered IS NOT NULL`,
  5: 'ALTER TABLE runs ADD COLUMN phases TEXT',
}

// States are words, times are milliseconds since 1970, structures are JSON. `_no` refers to the `no` of another table.
const DDL = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- last_seq: highest number given; lost: numbers below it that a lost ledger had given and no table remembers.
CREATE TABLE tables (no INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE, name TEXT NOT NULL, definition TEXT,
  last_seq INTEGER NOT NULL DEFAULT 0, lost INTEGER NOT NULL DEFAULT 0);
-- A path and its latest arrival. young: the stamp cannot tell a change; brought: records of this path are committed.
CREATE TABLE paths (no INTEGER PRIMARY KEY, table_no INTEGER NOT NULL, path TEXT NOT NULL, seq INTEGER NOT NULL,
  young INTEGER NOT NULL, brought INTEGER NOT NULL DEFAULT 0, UNIQUE (table_no, path));
-- counts is null for contents that were known; deaths: worker processes that died over it, or null; former: seq of the
-- arrival that its path had before. covered: intervals that are in, when not everything is; its sha256 is that of the rows
-- then, whatever the state. via: seq of the copy at whose path the rest is read.
CREATE TABLE arrivals (table_no INTEGER NOT NULL, seq INTEGER NOT NULL, path_no INTEGER NOT NULL, state TEXT NOT NULL,
  reload INTEGER NOT NULL DEFAULT 0, replaced INTEGER NOT NULL DEFAULT 0,
  size INTEGER NOT NULL, stamp TEXT NOT NULL, modified INTEGER NOT NULL,
  sha256 TEXT, generation INTEGER NOT NULL DEFAULT 0, same_as INTEGER, attempts INTEGER NOT NULL DEFAULT 0,
  fault TEXT, counts TEXT, batch_no INTEGER, offered_at INTEGER NOT NULL, ended_at INTEGER, deaths TEXT, former INTEGER,
  covered TEXT, via INTEGER,
  PRIMARY KEY (table_no, seq)) WITHOUT ROWID;
CREATE INDEX arrivals_by_state ON arrivals (table_no, state, seq);
CREATE INDEX arrivals_by_batch ON arrivals (batch_no) WHERE batch_no IS NOT NULL;
CREATE INDEX arrivals_by_content ON arrivals (table_no, sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX arrivals_by_copy ON arrivals (table_no, same_as) WHERE same_as IS NOT NULL;
CREATE INDEX arrivals_partly ON arrivals (table_no, seq) WHERE covered IS NOT NULL;
-- known: paths that were known when a running run looked, beside its offers; dates: the interval that it asks for, or null;
-- phases: how long it was at what, when it ended.
CREATE TABLE runs (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, table_uri TEXT NOT NULL, command TEXT NOT NULL,
  worker TEXT NOT NULL, state TEXT NOT NULL, balance TEXT NOT NULL, evicted INTEGER NOT NULL DEFAULT 0,
  reasons TEXT NOT NULL DEFAULT '{}', files TEXT NOT NULL, fault TEXT, exit INTEGER,
  started_at INTEGER NOT NULL, ended_at INTEGER, known INTEGER NOT NULL DEFAULT 0, dates TEXT,
  phases TEXT);
CREATE INDEX runs_by_table ON runs (table_uri, no);
CREATE INDEX runs_running ON runs (table_uri) WHERE state = 'RUNNING';
-- What a running run is to see to; tried: it had its turn and is not claimed again.
CREATE TABLE offers (run_no INTEGER NOT NULL, seq INTEGER NOT NULL, tried INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (run_no, seq)) WITHOUT ROWID;
CREATE TABLE batches (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, table_no INTEGER NOT NULL, lane INTEGER NOT NULL,
  fence INTEGER NOT NULL, run_no INTEGER NOT NULL, worker TEXT NOT NULL, lowest INTEGER NOT NULL,
  claimed_at INTEGER NOT NULL, open INTEGER NOT NULL);
CREATE INDEX batches_open ON batches (table_no, lowest) WHERE open = 1;
CREATE TABLE lanes (table_no INTEGER NOT NULL, lane INTEGER NOT NULL, fence INTEGER NOT NULL, batch_no INTEGER,
  PRIMARY KEY (table_no, lane)) WITHOUT ROWID;
CREATE TABLE workers (id TEXT PRIMARY KEY, beat INTEGER NOT NULL, started_at INTEGER NOT NULL) WITHOUT ROWID;
`

/**
 * Opens or makes a ledger file.
 * @throws SluiceError DATA_DIR_NEWER, LEDGER_BROKEN, PERMISSION_DENIED, DISK_FULL, BUSY, IO_FAILED
 */
export function openLedgerFile(path: string, random: Random): SqliteSession {
  try {
    return openChecked(path, random)
  } catch (thrown) {
    throw isDamage(thrown) ? broken(path, thrown.message, thrown) : thrown
  }
}

function openChecked(path: string, random: Random): SqliteSession {
  if (existsSync(path)) {
    // Who died while making the file left a rollback journal, which no mere reader gets past.
    const look = openForReading('ledger.rollback', path)
    try {
      refuseNewer(formatOf(look), path)
      // Somebody may keep books in a file of this name. The format is asked after the tables: both come by one commit, perhaps between two questions.
      if (look.get('SELECT 1 AS found FROM sqlite_master') !== undefined && formatOf(look) === 0) throw new SluiceError('USAGE', `${path} is a database that Sluice did not make.`, { where: { path }, hint: 'Name another data folder with --data-dir.' })
    } finally {
      look.close()
    }
  }
  const db = new SqliteSession(path)
  try {
    db.transaction('ledger.create', () => {
      const format = formatOf(db)
      refuseNewer(format, path)
      if (format === 0) {
        db.exec('ledger.schema', `${DDL} PRAGMA user_version = ${LEDGER_FORMAT};`)
        db.change("INSERT INTO meta (name, value) VALUES ('id', ?)", [`l_${random.id(16)}`])
      } else for (let to = format + 1; to <= LEDGER_FORMAT; to++) db.exec('ledger.schema', `${STEPS[to] ?? ''}; PRAGMA user_version = ${to};`)
    })
    return db
  } catch (thrown) {
    db.close()
    throw thrown
  }
}

/** False: a file of that name that is no ledger; null: it cannot be read. Nothing there is nobody's. */
export function isLedger(path: string): boolean | null {
  if (!existsSync(path)) return true
  try {
    const db = openForReading('ledger.rollback', path)
    try {
      return formatOf(db) > 0 && db.get("SELECT 1 AS found FROM sqlite_master WHERE name = 'arrivals'") !== undefined
    } finally {
      db.close()
    }
  } catch {
    return null
  }
}

/** Random, made with the file, or taken over from a lost ledger. */
export function ledgerId(db: SqliteSession): string {
  return String(db.get("SELECT value FROM meta WHERE name = 'id'")?.['value'])
}

function formatOf(db: SqliteSession): number {
  return Number(db.get('PRAGMA user_version')?.['user_version'])
}

function refuseNewer(format: number, path: string): void {
  if (format <= LEDGER_FORMAT) return
  throw new SluiceError('DATA_DIR_NEWER', `${path} has format ${format}; this Sluice knows formats up to ${LEDGER_FORMAT}.`, { where: { path } })
}

/** Reads the whole file once. @throws SluiceError LEDGER_BROKEN with what SQLite found */
export function checkLedgerFile(db: SqliteSession, path: string): void {
  let found: string[]
  try {
    found = db.all('PRAGMA quick_check(1)').map((row) => String(row['quick_check']))
  } catch (thrown) {
    throw isDamage(thrown) ? broken(path, thrown.message, thrown) : thrown
  }
  if (found.length !== 1 || found[0] !== 'ok') throw broken(path, `${path}: ${found.join('; ')}`)
}

// SQLite's primary result codes: the pages do not make a database; this is no database at all.
const CORRUPT = 11
const NOTADB = 26

function isDamage(thrown: unknown): thrown is SluiceError {
  const cause = thrown instanceof SluiceError ? thrown.cause : null
  return cause instanceof Error && 'errcode' in cause && [CORRUPT, NOTADB].includes(Number(cause.errcode) & 0xff)
}

function broken(path: string, found: string, cause?: unknown): SluiceError {
  return new SluiceError('LEDGER_BROKEN', `The ledger is damaged. ${found}`, { where: { path }, cause })
}
