/**
 * The PostgreSQL target: tables of a database, rows, losers, rejects and commit records in the same transaction.
 *
 * One session looks, and is kept for the next look for a moment; every commit has one of its own, whose temporary tables go
 * with it.
 */
import type { Engine, Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { fold } from '../../core/schema.ts'
import type { Secret } from '../../core/secret.ts'
import type { Target } from '../../core/target.ts'
import type { Relation, Store, StoredColumn } from '../../database/dialect.ts'
import { first } from '../../database/session.ts'
import type { DatabaseSession } from '../../database/session.ts'
import { databaseModels } from '../../database/models.ts'
import { DatabaseTable } from '../../database/table.ts'
import { quoteName } from '../../sql/quote.ts'
import { accessTo } from './access.ts'
import { DEFAULT_SCHEMA, ENUM, JSONB, OWN_SCHEMA, fullName, partsOf, postgres } from './dialect.ts'
import { constraintOf, saidBy, stateOf } from './errors.ts'
import { CopiedBatch } from './incoming.ts'
import { postgresModels } from './models.ts'
import { PostgresSession } from './session.ts'
import type { Access } from './session.ts'
import { identityOf, parsePostgresUrl } from './url.ts'
import type { PostgresUrl } from './url.ts'

/** How long a session is kept for the next look; milliseconds. */
const IDLE_MS = 1_000

/** @param options.url as `parsePostgresUrl` takes it; its password counts before all others */
export function openPostgresTarget(options: { url: string; secret?: Secret }): Target {
  const url = parsePostgresUrl(options.url)
  const secret = options.secret ?? url.password
  return {
    scheme: 'postgres',
    partitions: false,
    schemas: true,
    uri: (table) => uriOf(url, table),
    async open(table, ledger, engine, { adopt = false } = {}) {
      const store = new PostgresStore(url, secret, engine)
      store.checkName(table)
      const opened = new DatabaseTable({ store, table: fullName(table), ledger, adopt, takes: () => false })
      await opened.head()
      return opened
    },
    models: databaseModels((engine) => new PostgresStore(url, secret, engine)),
  }
}

function uriOf(url: PostgresUrl, table: string): string {
  return `${identityOf(url)}#${fullName(table)}`
}

class PostgresStore implements Store {
  readonly dialect = postgres
  readonly models = postgresModels
  readonly location: string
  private readonly url: PostgresUrl
  private readonly secret: Secret | null
  private readonly engine: Engine
  private idle: { session: PostgresSession; timer: NodeJS.Timeout } | null = null

  constructor(url: PostgresUrl, secret: Secret | null, engine: Engine) {
    this.url = url
    this.secret = secret
    this.engine = engine
    this.location = identityOf(url)
  }

  uri(table: string): string {
    return uriOf(this.url, table)
  }

  checkName(table: string): void {
    const { schema, name } = partsOf(table)
    const taken = fold(schema) === OWN_SCHEMA || /^pg_/i.test(schema) || fold(schema) === 'information_schema'
    if (!taken && !/^_sluice/i.test(name)) return
    throw new SluiceError('TARGET_INVALID', `${this.location}: a table cannot be named ${table}.`, { hint: 'The schemas sluice, information_schema and pg_…, and names that begin with _sluice, are reserved; take another name with --into.' })
  }

  async reading(): Promise<DatabaseSession> {
    const session = (await this.kept()) ?? (await PostgresSession.open(this.access(), false))
    return new Kept(session, () => this.keep(session))
  }

  /** The session of the last look, if it still lives: the server may have ended it meanwhile. */
  private async kept(): Promise<PostgresSession | null> {
    const kept = this.idle
    this.idle = null
    if (kept === null) return null
    clearTimeout(kept.timer)
    kept.session.hold(true)
    try {
      await kept.session.all('SELECT 1 AS one')
      return kept.session
    } catch {
      await kept.session.close()
      return null
    }
  }

  private async keep(session: PostgresSession): Promise<void> {
    if (this.idle !== null || !session.usable) return session.close()
    session.hold(false)
    const timer = setTimeout(() => void this.close(), IDLE_MS)
    timer.unref()
    this.idle = { session, timer }
  }

  writing(signal?: AbortSignal): Promise<DatabaseSession> {
    return PostgresSession.open(this.access(), true, signal)
  }

  async close(): Promise<void> {
    const kept = this.idle
    this.idle = null
    if (kept === null) return
    clearTimeout(kept.timer)
    kept.session.hold(true)
    await kept.session.close()
  }

  private access(): Access {
    return accessTo(this.url, this.secret)
  }

  /** One writer of Sluice at a time, also while there is no table yet; and nobody else's rows between ours. */
  async lock(session: DatabaseSession, table: string): Promise<void> {
    await session.all('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`sluice ${table}`])
    const relation = await this.relation(session, table)
    if (relation?.kind !== 'table') return
    await session.all(`LOCK TABLE ${postgres.names(table).table} IN SHARE ROW EXCLUSIVE MODE`)
    // A row that is refused only when everything is committed could not be told from the others.
    await session.all('SET CONSTRAINTS ALL IMMEDIATE')
  }

  async hasOwn(session: DatabaseSession): Promise<boolean> {
    const row = await first(session, `SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname IN ('tbl', 'format')) AS n, to_regclass($1) IS NOT NULL AS there`, [`${OWN_SCHEMA}.meta`])
    if (row?.['there'] !== true) return false
    if (Number(row['n']) === 2) return true
    throw new SluiceError('TABLE_FOREIGN', `${this.location} has a table ${OWN_SCHEMA}.meta that Sluice did not make.`)
  }

  async makeOwn(session: DatabaseSession): Promise<void> {
    if (await this.hasOwn(session)) return
    // Two first commits to different tables must not both make them.
    await session.all(`SELECT pg_advisory_xact_lock(hashtextextended('sluice', 0))`)
    await session.run('postgres.schema', `CREATE SCHEMA IF NOT EXISTS ${quoteName(OWN_SCHEMA)}`)
  }

  async makeRoom(session: DatabaseSession, table: string): Promise<void> {
    const { schema } = partsOf(table)
    if (schema === DEFAULT_SCHEMA || (await first(session, 'SELECT 1 AS one FROM pg_namespace WHERE nspname = $1', [schema])) !== undefined) return
    await session.run('postgres.schema', `CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`)
  }

  async relation(session: DatabaseSession, table: string): Promise<Relation | null> {
    const { schema, name } = partsOf(table)
    const row = await first(session, RELATION, [schema, name])
    if (row === undefined) return null
    return {
      kind: String(row['kind']),
      partitioned: row['partitioned'] === true,
      ...(row['unfit'] === null ? {} : { unfit: String(row['unfit']) }),
      columns: JSON.parse(String(row['columns'] ?? '[]')) as StoredColumn[],
      uniques: JSON.parse(String(row['uniques'] ?? '[]')) as Relation['uniques'],
    }
  }

  async bringIn(session: DatabaseSession, table: string, staged: Staged, fresh: boolean, signal: AbortSignal | undefined): Promise<CopiedBatch> {
    const writing = session as PostgresSession
    const relation = await this.relation(session, table)
    const types = staged.schema.map(({ name, type }) => postgres.beside(type, relation?.columns.find((column) => fold(column.name) === fold(name))))
    if (relation?.columns.some(({ type }) => type === 'jsonb') === true) await writing.run('postgres.function', JSONB_FUNCTION)
    const incoming = new CopiedBatch(writing, staged, types)
    await incoming.prepare(this.engine, fresh, signal)
    return incoming
  }

  async settle(): Promise<void> {
    // A commit that can be seen is on disk: it is flushed before it becomes visible.
  }

  isRepeated(thrown: unknown, keys: readonly string[]): boolean {
    return stateOf(thrown) === '23505' && (keys.length === 0 || keys.includes(constraintOf(thrown) ?? ''))
  }

  refusal(thrown: unknown, keys: readonly string[]): string | null {
    const state = stateOf(thrown)
    // Data that does not fit, constraints, and what a trigger raises.
    if (state === null || !/^(22|23|P0001$)/.test(state) || this.isRepeated(thrown, keys.length === 0 ? [''] : keys)) return null
    return saidBy(thrown)
  }
}

/** Only what may fail is tried: each trial is a transaction within the transaction. */
const JSONB_FUNCTION = `CREATE OR REPLACE FUNCTION ${JSONB}(given json) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $sluice$
BEGIN
  IF given::text !~ '\\\\u|[0-9][eE]|[0-9]{255}' THEN RETURN given::jsonb; END IF;
  BEGIN
    RETURN given::jsonb;
  EXCEPTION WHEN others THEN
    RETURN NULL;
  END;
END $sluice$`

const KINDS = `CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' ELSE 'relation' END`

/** The type that a domain is of: its own rules show when a row is written. */
const BASE = `(WITH RECURSIVE b AS (SELECT a.atttypid AS oid, a.atttypmod AS size UNION ALL SELECT d.typbasetype, greatest(d.typtypmod, b.size) FROM b JOIN pg_type d ON d.oid = b.oid WHERE d.typtype = 'd')
        SELECT CASE WHEN ty.typtype = 'e' THEN '${ENUM}' ELSE '' END || format_type(b.oid, b.size) FROM b JOIN pg_type ty ON ty.oid = b.oid WHERE ty.typtype <> 'd')`

/** What the catalog says of one relation, as one row. */
const RELATION = `
  SELECT ${KINDS} AS kind, c.relkind = 'p' OR c.relhassubclass AS partitioned,
    CASE WHEN c.relispartition THEN format('it is a partition of %s: load that table', (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = c.oid LIMIT 1)) END AS unfit,
    (SELECT json_agg(json_strip_nulls(json_build_object('name', a.attname, 'type', ${BASE}, 'notNull', a.attnotnull OR t.typnotnull,
        'filled', a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, 'generated', a.attgenerated <> '' OR a.attidentity = 'a',
        'collation', (SELECT format('%I.%I', cn.nspname, co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation))) ORDER BY a.attnum)
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    (SELECT json_agg(json_build_object('name', ic.relname, 'columns', (SELECT json_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))))
      FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL) AS uniques
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`

/** A session that goes back when it is closed. */
class Kept implements DatabaseSession {
  private readonly inner: PostgresSession
  private readonly back: () => Promise<void>
  constructor(inner: PostgresSession, back: () => Promise<void>) {
    this.inner = inner
    this.back = back
  }
  all: DatabaseSession['all'] = (...given) => this.inner.all(...given)
  pages: DatabaseSession['pages'] = (...given) => this.inner.pages(...given)
  run: DatabaseSession['run'] = (...given) => this.inner.run(...given)
  write: DatabaseSession['write'] = (...given) => this.inner.write(...given)
  attempt: DatabaseSession['attempt'] = (work) => this.inner.attempt(work)
  transaction: DatabaseSession['transaction'] = (...given) => this.inner.transaction(...given)
  snapshot: DatabaseSession['snapshot'] = (...given) => this.inner.snapshot(...given)
  close(): Promise<void> {
    return this.back()
  }
}
