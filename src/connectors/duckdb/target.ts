/**
 * The DuckDB target: tables of one file, rows, losers, rejects and commit records in the same transaction.
 *
 * The file is opened by a process of the engine, for one look or one commit at a time: DuckDB lets one process have a file
 * that is written to, and others wait.
 */
import { dirname } from 'node:path'
import type { Engine, Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { crash } from '../../core/failpoint.ts'
import { fold } from '../../core/schema.ts'
import type { Target } from '../../core/target.ts'
import type { Relation, Store, StoredColumn } from '../../database/dialect.ts'
import { databaseModels } from '../../database/models.ts'
import { first } from '../../database/session.ts'
import type { DatabaseSession, SqlRow } from '../../database/session.ts'
import { DatabaseTable } from '../../database/table.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { localFs } from '../../storage/local.ts'
import { CATALOG, DEFAULT_SCHEMA, OWN_SCHEMA, duckdb, fullName, partsOf, within } from './dialect.ts'
import { StagedParts } from './incoming.ts'
import { duckdbModels } from './models.ts'
import { rulesOf } from './rules.ts'
import { openSession, refusalOf } from './session.ts'
import type { DuckdbSession } from './session.ts'

/** @param options.file absolute path; need not exist */
export function openDuckdbTarget(options: { file: string }): Target {
  const { file } = options
  return {
    scheme: 'duckdb',
    partitions: false,
    schemas: true,
    uri: (table) => uriOf(file, table),
    async open(table, ledger, engine, { adopt = false } = {}) {
      const store = new DuckdbStore(file, engine)
      store.checkName(table)
      const opened = new DatabaseTable({ store, table: fullName(table), ledger, adopt, takes: () => false })
      await opened.head()
      return opened
    },
    models: databaseModels((engine) => new DuckdbStore(file, engine)),
  }
}

function uriOf(file: string, table: string): string {
  return `duckdb:${file}#${fullName(table)}`
}

/**
 * Columns of a table or view; none when there is no such thing. Names are matched without case.
 *
 * Asked of the one table: duckdb_columns() looks at every column of every table first, which takes three times as long. DuckDB
 * takes half as long again to have them in order.
 */
async function columnsOf(session: DatabaseSession, schema: string, name: string): Promise<SqlRow[]> {
  try {
    const columns = await session.all(`SELECT cid, name, type, NOT "notnull" AS nullable, dflt_value AS filled FROM pragma_table_info(${quoteText(within(schema, name))})`)
    return columns.toSorted((a, b) => Number(a['cid']) - Number(b['cid']))
  } catch (thrown) {
    if (isMissing(thrown)) return []
    throw thrown
  }
}

/** There is no such table or view. No transaction ends of it. */
function isMissing(thrown: unknown): boolean {
  return thrown instanceof SluiceError && thrown.message.startsWith('Catalog Error: Table with name')
}

class DuckdbStore implements Store {
  readonly dialect = duckdb
  readonly models = duckdbModels
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
    const { schema, name } = partsOf(table)
    const taken = [OWN_SCHEMA, 'information_schema', 'pg_catalog', 'temp', 'memory', 'system'].includes(fold(schema)) || fold(schema).startsWith(CATALOG)
    if (!taken && !/^_sluice/i.test(name)) return
    throw new SluiceError('TARGET_INVALID', `${this.file}: a table cannot be named ${table}.`, { hint: 'The schemas sluice, information_schema and pg_catalog, and names that begin with _sluice, are reserved; take another name with --into.' })
  }

  async reading(): Promise<DatabaseSession | null> {
    const stat = await localFs.stat(this.file)
    if (stat === null || (stat.kind === 'file' && stat.size === 0)) return null
    if (stat.kind !== 'file') throw new SluiceError('TARGET_INVALID', `${this.file} is not a file.`, { where: { path: this.file } })
    return this.open(false)
  }

  async writing(signal?: AbortSignal): Promise<DatabaseSession> {
    const isNew = (await localFs.stat(this.file)) === null
    if (!isNew) return this.open(true, signal)
    // The folder entry of a new file is durable before anything is committed into it.
    await localFs.makeFolder('duckdb.folder', dirname(this.file))
    crash('duckdb.create.before')
    const session = await this.open(true, signal)
    crash('duckdb.create.after')
    try {
      await localFs.sync('duckdb.create', dirname(this.file))
    } catch (thrown) {
      await session.close()
      throw thrown
    }
    return session
  }

  private open(writes: boolean, signal?: AbortSignal): Promise<DuckdbSession> {
    return openSession(this.engine, this.file, writes, signal === undefined ? {} : { signal })
  }

  async lock(): Promise<void> {
    // The file is this process's own while it is attached for writing.
  }

  async hasOwn(session: DatabaseSession): Promise<boolean> {
    try {
      await session.all(`SELECT tbl, format FROM ${duckdb.own('meta')} LIMIT 0`)
      return true
    } catch (thrown) {
      if (isMissing(thrown)) return false
      if (!(thrown instanceof SluiceError) || !thrown.message.startsWith('Binder Error')) throw thrown
    }
    throw new SluiceError('TABLE_FOREIGN', `${this.file} has a table ${OWN_SCHEMA}.meta that Sluice did not make.`, { where: { path: this.file } })
  }

  async makeOwn(session: DatabaseSession): Promise<void> {
    await session.run('duckdb.schema', `CREATE SCHEMA IF NOT EXISTS ${quoteName(OWN_SCHEMA)}`)
  }

  async makeRoom(session: DatabaseSession, table: string): Promise<void> {
    const { schema } = partsOf(table)
    if (schema !== DEFAULT_SCHEMA) await session.run('duckdb.schema', `CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`)
  }

  /** Names are matched without case, as DuckDB itself matches them. */
  async relation(session: DatabaseSession, table: string): Promise<Relation | null> {
    const { schema, name } = partsOf(table)
    const at = (column: string): string => `database_name = current_database() AND lower(schema_name) = lower(${quoteText(schema)}) AND lower(${column}) = lower(${quoteText(name)})`
    const found = await first(session, `SELECT 'table' AS kind, table_name AS name, sql, index_count AS indexes FROM duckdb_tables() WHERE ${at('table_name')} UNION ALL SELECT 'view', view_name, '', 0 FROM duckdb_views() WHERE ${at('view_name')}`)
    if (found === undefined) return null
    const columns = await columnsOf(session, schema, name)
    const made = String(found['sql'])
    const shaped = columns.map((row): StoredColumn => {
      const [column, type] = [String(row['name']), String(row['type'])]
      // The catalog tells what a column is generated from as its default; only the statement that makes the table tells them apart.
      const generated = [column, quoteName(column)].some((written) => made.includes(`${written} ${type} GENERATED ALWAYS AS(`))
      return { name: column, type, notNull: row['nullable'] === false, filled: row['filled'] !== null, generated }
    })
    // Tables of our own have none, and every look would ask for them.
    const rules = Number(found['indexes']) > 0 || /CHECK|UNIQUE|PRIMARY|REFERENCES/i.test(made) ? await rulesOf(session, at, String(found['name']), shaped) : []
    return { kind: String(found['kind']), name: String(found['name']), columns: shaped, uniques: [], rules }
  }

  async bringIn(session: DatabaseSession, _: string, staged: Staged, fresh: boolean): Promise<StagedParts> {
    const incoming = new StagedParts(session as DuckdbSession, staged)
    await incoming.prepare()
    if (!fresh) await incoming.bring()
    return incoming
  }

  /** What a dead process wrote is visible before it is synced: sync it before anybody relies on it. */
  async settle(): Promise<void> {
    for (const path of [`${this.file}.wal`, this.file, dirname(this.file)]) {
      if ((await localFs.stat(path)) !== null) await localFs.sync('duckdb.settle', path)
    }
  }

  async close(): Promise<void> {
    // Nothing is held between calls.
  }

  /** No index is ours; of those that an adopted table has, see `refusal`. */
  isRepeated(): boolean {
    return false
  }

  refusal(thrown: unknown): string | null {
    const said = refusalOf(thrown)
    // References to other tables were asked beforehand.
    return said !== null && /does not exist in the referenced table/.test(said) ? `${said}; DuckDB does not look among rows of the same batch: when that row is in, --reload brings this one` : said
  }
}
