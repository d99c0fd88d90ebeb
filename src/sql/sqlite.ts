/**
 * A session with a SQLite file through node:sqlite, shared by the ledger and the SQLite target.
 *
 * WAL with synchronous=EXTRA: an acknowledged commit survives a power cut in every journal mode (FULL does not sync the
 * folder of a rollback journal). Both are read back after they are set. Integers come as bigint.
 */
import { DatabaseSync, constants } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import type { SqlValue } from '../core/effects.ts'
import { SluiceError } from '../core/errors.ts'
import { crash } from '../core/failpoint.ts'
import { lineAndColumn } from './statement.ts'

export type SqliteRow = Record<string, SqlValue>

/** Nobody wakes who waits here. */
const PAUSE = new Int32Array(new SharedArrayBuffer(4))
const PAUSE_MS = 2

export class SqliteSession {
  private readonly db: DatabaseSync
  private readonly path: string
  private readonly statements = new Map<string, StatementSync>()

  /** @param busy milliseconds to wait for other writers */
  constructor(path: string, options: { busy?: number; readOnly?: boolean } = {}) {
    this.path = path
    try {
      this.db = new DatabaseSync(path, { timeout: options.busy ?? 60_000, readOnly: options.readOnly ?? false })
    } catch (thrown) {
      throw sqliteError(thrown, path)
    }
    if (options.readOnly === true) return
    try {
      this.prepareForWriting(options.busy ?? 60_000)
    } catch (thrown) {
      this.db.close()
      throw sqliteError(thrown, path)
    }
  }

  private prepareForWriting(busy: number): void {
    this.turnToWal(busy)
    this.db.exec('PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = OFF')
    const level = this.db.prepare('PRAGMA synchronous').get()?.['synchronous']
    if (level !== 3) throw new SluiceError('IO_FAILED', `SQLite does not sync ${this.path} as asked (synchronous is ${String(level)}).`)
  }

  /** Of several processes that make a file at once SQLite tells all but one that it is locked, and does not wait as it was asked. */
  private turnToWal(busy: number): void {
    for (let waited = 0; ; waited += PAUSE_MS) {
      try {
        return this.db.exec('PRAGMA journal_mode = WAL')
      } catch (thrown) {
        if (sqliteError(thrown, this.path).code !== 'BUSY' || waited >= busy) throw thrown
      }
      Atomics.wait(PAUSE, 0, 0, PAUSE_MS)
    }
  }

  all(sql: string, values: readonly SqlValue[] = []): SqliteRow[] {
    return this.guard(() => this.statement(sql).all(...values.map(bindable)) as SqliteRow[])
  }

  get(sql: string, values: readonly SqlValue[] = []): SqliteRow | undefined {
    return this.guard(() => this.statement(sql).get(...values.map(bindable)) as SqliteRow | undefined)
  }

  /** Rows as arrays, in the order of the columns: for many rows, which cost half as much this way. */
  arrays(sql: string, values: readonly SqlValue[] = []): SqlValue[][] {
    return this.guard(() => {
      const statement = this.db.prepare(sql)
      statement.setReadBigInts(true)
      statement.setReturnArrays(true)
      return statement.all(...values.map(bindable)) as unknown as SqlValue[][]
    })
  }

  /** Names of a query's columns, with the types that their columns are declared with; empty where there is none. */
  columnsOf(sql: string): { name: string; declared: string }[] {
    return this.guard(() => this.db.prepare(sql).columns().map(({ name, type }) => ({ name, declared: type ?? '' })))
  }

  /** Rows as arrays, one by one. */
  *tuples(sql: string, values: readonly SqlValue[] = []): Generator<SqlValue[], void, undefined> {
    const rows = this.guard(() => {
      const statement = this.db.prepare(sql)
      statement.setReadBigInts(true)
      statement.setReturnArrays(true)
      return statement.iterate(...values.map(bindable)) as unknown as Iterator<SqlValue[]>
    })
    try {
      for (;;) {
        const next = this.guard(() => rows.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      rows.return?.()
    }
  }

  /** Row by row. The same statement must not be asked again before the end. */
  *iterate(sql: string, values: readonly SqlValue[] = []): Generator<SqliteRow, void, undefined> {
    const rows = this.guard(() => this.statement(sql).iterate(...values.map(bindable)))
    try {
      for (;;) {
        const next = this.guard(() => rows.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      rows.return?.()
    }
  }

  /** One changing statement with failpoints on both sides. Answers the number of rows changed. */
  run(point: string, sql: string, values: readonly SqlValue[] = []): number {
    crash(`${point}.before`)
    const changes = this.change(sql, values)
    crash(`${point}.after`)
    return changes
  }

  /** The same without failpoints, for loops whose caller has them around the loop. */
  change(sql: string, values: readonly SqlValue[] = []): number {
    return this.guard(() => Number(this.statement(sql).run(...values.map(bindable)).changes))
  }

  /** Statements without values, such as DDL. */
  exec(point: string, sql: string): void {
    crash(`${point}.before`)
    this.guard(() => this.db.exec(sql))
    crash(`${point}.after`)
  }

  /** A function of one argument that SQL may call. It must give the same answer to the same value. */
  define(name: string, work: (value: SqlValue) => SqlValue): void {
    this.db.function(name, { deterministic: true, useBigIntArguments: true }, (value: unknown) => bindable(work(value as SqlValue)))
  }

  /** BEGIN IMMEDIATE … COMMIT; rolled back when `work` throws. The commit has failpoints on both sides. */
  transaction<T>(point: string, work: () => T): T {
    this.begin('IMMEDIATE')
    try {
      const result = work()
      crash(`${point}.before`)
      this.commit()
      crash(`${point}.after`)
      return result
    } catch (thrown) {
      this.rollback()
      throw thrown
    }
  }

  /** For work that waits: `commit` or `rollback` must follow. DEFERRED: one state of the file from the first look on. */
  begin(how: 'IMMEDIATE' | 'DEFERRED'): void {
    this.guard(() => this.db.exec(`BEGIN ${how}`))
  }

  /** False: SQLite, or a trigger, has ended it. */
  get inTransaction(): boolean {
    return this.db.isTransaction
  }

  commit(): void {
    this.guard(() => this.db.exec('COMMIT'))
  }

  /** Nothing happens when SQLite has ended the transaction itself. */
  rollback(): void {
    if (this.db.isTransaction) this.db.exec('ROLLBACK')
  }

  /** Everything that `work` reads comes from one state of the file. */
  snapshot<T>(work: () => T): T {
    this.begin('DEFERRED')
    try {
      return work()
    } finally {
      if (this.db.isTransaction) this.commit()
    }
  }

  /**
   * What a user asks: one statement that selects, told by SQLite itself, which asks back for everything that a statement
   * does. From here on the session takes nothing else.
   * @throws SluiceError SQL_INVALID, SQL_REFUSED; while it runs SQL_FAILED
   */
  question(sql: string): { columns: { name: string; declared: string }[]; rows: Iterator<SqlValue[]> } {
    this.statements.clear()
    this.db.setAuthorizer((action, _, name) => (READING.has(action) && name !== 'load_extension' ? constants.SQLITE_OK : constants.SQLITE_DENY))
    try {
      const statement = this.db.prepare(sql)
      const rest = sql.slice(statement.sourceSQL.length).replace(/--[^\n]*|\/\*[\s\S]*?(\*\/|$)|[\s;]/g, '')
      if (rest !== '') throw new SluiceError('SQL_REFUSED', 'More than one statement was given; it takes one.')
      const columns = statement.columns().map(({ name, type }) => ({ name, declared: type ?? '' }))
      if (columns.length === 0) throw new SluiceError('SQL_REFUSED', 'It is no SELECT.')
      statement.setReadBigInts(true)
      statement.setReturnArrays(true)
      return { columns, rows: statement.iterate() as unknown as Iterator<SqlValue[]> }
    } catch (thrown) {
      throw questionError(thrown, this.path, sql)
    }
  }

  close(): void {
    this.statements.clear()
    if (this.db.isOpen) this.db.close()
  }

  private statement(sql: string): StatementSync {
    let statement = this.statements.get(sql)
    if (statement === undefined) {
      statement = this.db.prepare(sql)
      statement.setReadBigInts(true)
      this.statements.set(sql, statement)
    }
    return statement
  }

  private guard<T>(work: () => T): T {
    try {
      return work()
    } catch (thrown) {
      throw sqliteError(thrown, this.path)
    }
  }
}

/** What SQLite asks leave for when a statement only reads. */
const READING: ReadonlySet<number> = new Set([constants.SQLITE_SELECT, constants.SQLITE_READ, constants.SQLITE_FUNCTION, constants.SQLITE_RECURSIVE])

/** What SQLite says of a query of a user. */
export function questionError(thrown: unknown, path: string, sql: string, running = false): SluiceError {
  const extended = thrown instanceof Error && 'errcode' in thrown ? Number(thrown.errcode) : -1
  const said = thrown instanceof Error ? thrown.message : String(thrown)
  // Node does not tell where in the text SQLite stopped; a word that is there once tells it, too.
  const word = /near "(.+?)"|no such \w+: (?:\w+\.)?(\w+)|ambiguous column name: (\w+)/.exec(said)?.slice(1).find((part) => part !== undefined)
  const at = word === undefined ? -1 : sql.indexOf(word)
  const told = at >= 0 && sql.indexOf(word ?? '', at + 1) < 0
  const sentence = `${said.charAt(0).toUpperCase()}${said.slice(1)}${told ? ` (${lineAndColumn(sql, at)})` : ''}.`
  const where = told ? { offset: Buffer.byteLength(sql.slice(0, at)) } : {}
  if (extended === AUTH) return new SluiceError('SQL_REFUSED', 'It is no SELECT, or asks for something that no query may have.', { cause: thrown })
  // Everything else that is wrong with a text, or with a value, has the general code.
  if (extended === ERROR || extended === TOOBIG) return new SluiceError(running ? 'SQL_FAILED' : 'SQL_INVALID', sentence, { where, cause: thrown })
  return sqliteError(thrown, path)
}

/**
 * A session that only reads. A process that died in a rollback-journal commit leaves its journal behind, and no reader gets
 * past it. So a session that may write rolls it back before this one reads (failpoint `point`).
 */
export function openForReading(point: string, path: string): SqliteSession {
  const session = new SqliteSession(path, { readOnly: true })
  try {
    session.get('PRAGMA schema_version')
    return session
  } catch (thrown) {
    session.close()
    const cause = thrown instanceof SluiceError ? thrown.cause : thrown
    if (!(cause instanceof Error && 'errcode' in cause && cause.errcode === READONLY_ROLLBACK)) throw thrown
  }
  crash(`${point}.before`)
  try {
    const db = new DatabaseSync(path, { timeout: 60_000 })
    try {
      db.prepare('PRAGMA schema_version').get()
    } finally {
      db.close()
    }
  } catch (thrown) {
    throw sqliteError(thrown, path)
  }
  crash(`${point}.after`)
  return new SqliteSession(path, { readOnly: true })
}

function bindable(value: SqlValue): string | number | bigint | null | Uint8Array {
  return typeof value === 'boolean' ? (value ? 1 : 0) : value
}

// Primary result codes of SQLite that have a meaning of their own here.
const ERROR = 1
const TOOBIG = 18
const AUTH = 23
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const FULL = 13
const CANTOPEN = 14
const NOTADB = 26
// Extended codes. A shared-memory file that cannot grow is a full disk, too.
const IOERR_SHMSIZE = 4874
// A journal of a dead process must be rolled back, which a read-only session cannot do.
const READONLY_ROLLBACK = 776

export function sqliteError(thrown: unknown, path: string): SluiceError {
  if (thrown instanceof SluiceError) return thrown
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  const extended = thrown instanceof Error && 'errcode' in thrown ? Number(thrown.errcode) : 0
  const code = extended & 0xff
  const options = { where: { path }, cause: thrown }
  if (extended === IOERR_SHMSIZE) return new SluiceError('DISK_FULL', `Cannot write ${path}-shm: no space left on the device`, options)
  if (code === FULL) return new SluiceError('DISK_FULL', `Cannot write ${path}: ${reason}`, options)
  if (code === BUSY || code === LOCKED) return new SluiceError('BUSY', `${path} is locked by another process: ${reason}`, options)
  if (code === READONLY || code === CANTOPEN) return new SluiceError('PERMISSION_DENIED', `Cannot open ${path}: ${reason} (SQLite code ${extended})`, options)
  if (code === NOTADB) return new SluiceError('TABLE_FOREIGN', `${path} is not a SQLite file: ${reason}`, options)
  return new SluiceError('IO_FAILED', `SQLite, ${path}: ${reason}`, options)
}
