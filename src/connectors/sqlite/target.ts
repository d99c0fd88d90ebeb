/**
 * The SQLite target: tables in one file, rows, losers, rejects and commit records in the same transaction.
 *
 * Every look opens its own read-only session on one snapshot, every commit its own writing one, so nothing is held
 * between calls and a file that does not exist is never made by looking.
 */
import { dirname } from 'node:path'
import type { Engine, Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { crash } from '../../core/failpoint.ts'
import type { ColumnType } from '../../core/schema.ts'
import type { Target } from '../../core/target.ts'
import { isDecimal } from '../../core/types.ts'
import type { Incoming, Relation, Store } from '../../database/dialect.ts'
import { databaseModels } from '../../database/models.ts'
import type { DatabaseSession } from '../../database/session.ts'
import { DatabaseTable } from '../../database/table.ts'
import { SqliteSession, openForReading } from '../../sql/sqlite.ts'
import { localFs } from '../../storage/local.ts'
import { FROM_1, FROM_2, SEEN_AS_2, sqlite } from './dialect.ts'
import { relationOf } from './foreign.ts'
import { bringIn } from './incoming.ts'
import { sqliteModels } from './models.ts'
import { FileSession, WAIT_MS, isConstraint, patiently, saidBy } from './session.ts'

/** Primary result code of SQLite. */
const CORRUPT = 11
const REPEATED = 'UNIQUE constraint failed: '

/** @param options.file absolute path; need not exist */
export function openSqliteTarget(options: { file: string }): Target {
  const { file } = options
  return {
    scheme: 'sqlite',
    partitions: false,
    schemas: false,
    uri: (table) => uriOf(file, table),
    async open(table, ledger, engine, { adopt = false } = {}) {
      const store = new SqliteStore(file, engine)
      store.checkName(table)
      const opened = new DatabaseTable({ store, table, ledger, adopt, takes: sameText })
      await opened.head()
      return opened
    },
    models: databaseModels((engine) => new SqliteStore(file, engine)),
  }
}

function uriOf(file: string, table: string): string {
  return `sqlite:${file}#${table}`
}

/** Dates, timestamps and decimals lie in SQLite as the text that they would be in a column of text. */
function sameText(from: ColumnType, to: ColumnType): boolean {
  return to === 'string' && (from.startsWith('string(') || from === 'date' || from === 'timestamp' || from === 'timestamp_local' || isDecimal(from))
}

class SqliteStore implements Store {
  readonly dialect = sqlite
  readonly models = sqliteModels
  readonly location: string
  private readonly file: string
  private readonly engine: Engine

  constructor(file: string, engine: Engine) {
    this.file = file
    this.engine = engine
    this.location = file
  }

  uri(table: string): string {
    return uriOf(this.file, table)
  }

  checkName(table: string): void {
    if (table.includes('.')) throw new SluiceError('TABLE_UNSUPPORTED', `${this.file}: a table in SQLite has no schema before its name: ${table}.`, { hint: 'Take a name without a dot.' })
    if (!/^(_sluice|sqlite_)/i.test(table)) return
    throw new SluiceError('TARGET_INVALID', `${this.file}: a table cannot be named ${table}.`, { hint: 'Names that begin with _sluice or sqlite_ are reserved; take another name with --into.' })
  }

  /** An empty file is none. */
  async reading(): Promise<DatabaseSession | null> {
    const stat = await localFs.stat(this.file)
    if (stat === null || (stat.kind === 'file' && stat.size === 0)) return null
    if (stat.kind !== 'file') throw new SluiceError('TARGET_INVALID', `${this.file} is not a file.`, { where: { path: this.file } })
    return this.checked(openForReading('sqlite.rollback', this.file), (db) => {
      if (isOld(db)) db.exec('sqlite.settings', SEEN_AS_2)
      return new FileSession(db)
    })
  }

  /** The first commit makes the file; its folder entry is durable before anything is committed into it. */
  async writing(signal?: AbortSignal, table?: string): Promise<DatabaseSession> {
    const isNew = (await localFs.stat(this.file)) === null
    if (isNew) await localFs.makeFolder('sqlite.folder', dirname(this.file))
    crash('sqlite.create.before')
    // Waiting happens without blocking the process.
    const db = await patiently(() => new SqliteSession(this.file, { busy: WAIT_MS }), signal)
    crash('sqlite.create.after')
    return this.checked(db, async () => {
      if (isNew) await localFs.sync('sqlite.create', dirname(this.file))
      // What tables of others refer to must be there; SQLite asks it only of those who say so before they begin. Of our own
      // tables nothing is asked: there a foreign key that others put on them would take their rows along, or refuse ours.
      if (table !== undefined && isOthers(db, table)) db.exec('sqlite.settings', 'PRAGMA foreign_keys = ON')
      return new FileSession(db, signal)
    })
  }

  private async checked<T>(db: SqliteSession, work: (db: SqliteSession) => T | Promise<T>): Promise<T> {
    try {
      const encoding = db.get('PRAGMA encoding')?.['encoding']
      if (encoding === 'UTF-8') return await work(db)
      throw new SluiceError('TABLE_UNSUPPORTED', `${this.file} holds its text as ${String(encoding)}: it would not sort by UTF-8 bytes.`, { where: { path: this.file }, hint: 'Load into another file.' })
    } catch (thrown) {
      db.close()
      throw thrown
    }
  }

  /** The transaction has the lock; a file of the format before is brought up first. */
  async lock(session: DatabaseSession, table: string): Promise<void> {
    const { db } = session as FileSession
    const statements = [...(isOld(db) ? FROM_1 : []), ...(isBefore3(db) ? FROM_2 : [])]
    if (statements.length > 0) {
      crash('sqlite.format.before')
      for (const statement of statements) db.change(statement)
      crash('sqlite.format.after')
    }
    const asked = db.get('PRAGMA foreign_keys')?.['foreign_keys'] === 1n
    if (asked !== isOthers(db, table)) throw new SluiceError('SERIALIZATION', `${this.uri(table)}: another process made the table, or took it over, meanwhile.`)
  }

  async hasOwn(session: DatabaseSession): Promise<boolean> {
    const columns = columnsOf((session as FileSession).db, '_sluice_meta')
    if (columns.length === 0 || (columns.includes('tbl') && columns.includes('format'))) return columns.length > 0
    throw new SluiceError('TABLE_FOREIGN', `${this.file} has a table _sluice_meta that Sluice did not make.`, { where: { path: this.file } })
  }

  async makeOwn(): Promise<void> {
    // They lie in the file itself.
  }

  async makeRoom(): Promise<void> {
    // There are no schemas.
  }

  relation(session: DatabaseSession, table: string): Promise<Relation | null> {
    return relationOf(session, table)
  }

  bringIn(session: DatabaseSession, _: string, staged: Staged, __: boolean, signal: AbortSignal | undefined): Promise<Incoming> {
    return bringIn((session as FileSession).db, this.engine, staged, signal)
  }

  /** What a dead process wrote is visible before it is synced: sync it before anybody relies on it. */
  async settle(): Promise<void> {
    for (const path of [`${this.file}-wal`, this.file, dirname(this.file)]) {
      if ((await localFs.stat(path)) !== null) await localFs.sync('sqlite.settle', path)
    }
  }

  async close(): Promise<void> {
    // Nothing is held between calls.
  }

  /** The key is told by its columns. A place that is there twice among Sluice's own rows is no rule of the user's. */
  isRepeated(thrown: unknown, keys: readonly string[]): boolean {
    const said = isConstraint(thrown) ? saidBy(thrown)?.message : undefined
    return said !== undefined && (keys.length === 0 ? said.startsWith(REPEATED) : said.startsWith(`${REPEATED}_sluice_`) || keys.some((key) => said === `${REPEATED}${key}`))
  }

  refusal(thrown: unknown, keys: readonly string[]): string | null {
    if (!isConstraint(thrown) || (keys.length > 0 && this.isRepeated(thrown, keys))) return null
    return saidBy(thrown)?.message ?? null
  }

  async inspect(session: DatabaseSession): Promise<string[]> {
    const found = (await session.all('PRAGMA main.integrity_check')).map((row) => String(row['integrity_check']))
    return found.filter((one) => one !== 'ok').map((one) => `SQLite finds: ${one}`)
  }

  damage(thrown: unknown): string | null {
    const said = saidBy(thrown)
    return said?.code === CORRUPT ? `SQLite cannot read the file: ${said.message}` : null
  }
}

function columnsOf(db: SqliteSession, table: string): unknown[] {
  return db.all(`PRAGMA main.table_info('${table}')`).map((column) => column['name'])
}

/** Did others make the table? By its record, or else because it is there. */
function isOthers(db: SqliteSession, table: string): boolean {
  const columns = columnsOf(db, '_sluice_meta')
  const known = columns.includes('tbl') ? db.get(`SELECT ${columns.includes('adopted') ? 'adopted' : 'NULL AS adopted'} FROM _sluice_meta WHERE tbl = ?`, [table]) : undefined
  if (known !== undefined) return known['adopted'] !== null
  return db.get(`SELECT 1 AS one FROM main.sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE`, [table]) !== undefined
}

/** The file's tables are as formats 1 and 2 have them. */
function isBefore3(db: SqliteSession): boolean {
  const columns = columnsOf(db, '_sluice_meta')
  return columns.length > 0 && !columns.includes('adopted')
}

/** The file's arrivals are as format 1 has them. */
function isOld(db: SqliteSession): boolean {
  const columns = columnsOf(db, '_sluice_arrivals')
  return columns.length > 0 && !columns.includes('since')
}
