/**
 * A session with a PostgreSQL server through pg.
 *
 * The settings that decide what a value looks like and when a commit counts are set on every connection, whatever the role
 * or the database has as its own: UTC, ISO dates, and a commit that is on disk when it is answered.
 */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { SqlValue } from '../../core/effects.ts'
import { SluiceError } from '../../core/errors.ts'
import { crash } from '../../core/failpoint.ts'
import { CopyOut } from './copy-out.ts'
import type { CopiedRows } from './copy-out.ts'
import type { Count, DatabaseSession, SqlRow, Writing } from '../../database/session.ts'
import { isLost, postgresError } from './errors.ts'

/** Rows that a listing holds at once. */
const CHUNK = 1000
/** How long a lock of another session is waited for. */
export const LOCK_MS = 60_000
/** The server looks after a connection whose other end may be gone. */
const CHECK_MS = 5_000
const OLDEST = 130_000

const BOOL = 16
const INTEGERS = new Set([20, 21, 23, 26])
const DOUBLES = new Set([700, 701])

/** The text of a value: integers as bigint, doubles as number, all else as the text that the server sends. */
export function fromText(oid: number, text: string | null): SqlValue {
  if (text === null) return null
  if (INTEGERS.has(oid)) return BigInt(text)
  if (DOUBLES.has(oid)) return Number(text)
  return oid === BOOL ? text === 't' : text
}

const types = { getTypeParser: (oid: number) => (text: string) => fromText(oid, text) }

export interface Access {
  host: string
  port: number
  database: string
  user: string
  password?: string
  ssl: false | { rejectUnauthorized: boolean; checkServerIdentity?: () => undefined }
  application: string
  /** Milliseconds. */
  patience: number
  /** For messages. */
  location: string
}

/** A role named sluice would find our own tables before those that are meant: its search path begins with the schema of its name. */
const NOT_OUR_SCHEMA = `SELECT set_config('search_path', regexp_replace(current_setting('search_path'), '"\\$user"\\s*,?\\s*', ''), false) WHERE current_user = 'sluice'`

export class PostgresSession implements DatabaseSession {
  private readonly client: pg.Client
  private readonly location: string
  private broken: unknown = null
  private depth = 0
  private signal: AbortSignal | undefined

  private constructor(client: pg.Client, location: string) {
    this.client = client
    this.location = location
    // A connection may break while nobody asks anything of it; the next statement says so.
    client.on('error', (error) => (this.broken ??= error))
  }

  /** @throws SluiceError UNREACHABLE, LOGIN_REFUSED, DATABASE_MISSING, TARGET_READ_ONLY, TABLE_UNSUPPORTED */
  static async open(access: Access, writes: boolean, signal?: AbortSignal): Promise<PostgresSession> {
    const { host, port, database, user, password, ssl, application, patience, location } = access
    const client = new pg.Client({
      host, port, database, user, ssl, types, application_name: application, connectionTimeoutMillis: patience, keepAlive: true,
      ...(password === undefined ? {} : { password }),
    })
    const session = new PostgresSession(client, location)
    try {
      await client.connect()
      await session.prepare(writes)
    } catch (thrown) {
      await session.close()
      throw postgresError(thrown, location)
    }
    session.watch(signal)
    return session
  }

  private async prepare(writes: boolean): Promise<void> {
    const settings = [
      `SET client_encoding = 'UTF8'`, `SET TimeZone = 'UTC'`, `SET DateStyle = 'ISO, YMD'`, `SET IntervalStyle = 'iso_8601'`, 'SET extra_float_digits = 1', 'SET bytea_output = hex',
      'SET standard_conforming_strings = on', NOT_OUR_SCHEMA, 'SET synchronous_commit = on', `SET lock_timeout = ${LOCK_MS}`, 'SET statement_timeout = 0',
      // A commit takes its time between two statements only where this process reads files.
      'SET idle_in_transaction_session_timeout = 600000', `SET client_connection_check_interval = ${CHECK_MS}`,
    ]
    const asked = `SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding, current_setting('synchronous_commit') AS sync, pg_is_in_recovery() AS recovery, current_setting('transaction_read_only') AS readonly`
    const version = Number((await this.client.query('SHOW server_version_num')).rows[0]?.server_version_num)
    if (version < OLDEST) throw new SluiceError('TABLE_UNSUPPORTED', `${this.location}: the server is PostgreSQL ${Math.floor(version / 10_000)}; 13 is the oldest that Sluice writes to.`)
    const wanted = version < 140_000 ? settings.filter((line) => !line.includes('client_connection_check_interval')) : settings
    const answers = (await this.client.query(`${wanted.join('; ')}; ${asked}`)) as unknown as pg.QueryResult<SqlRow>[]
    const told = answers.at(-1)?.rows[0]
    if (told?.['encoding'] !== 'UTF8') {
      throw new SluiceError('TABLE_UNSUPPORTED', `${this.location} holds its text as ${String(told?.['encoding'])}: it would not sort by UTF-8 bytes.`, { hint: "Load into a database made with ENCODING 'UTF8'." })
    }
    if (!writes) return
    if (told['recovery'] === true || told['readonly'] === 'on') {
      throw new SluiceError('TARGET_READ_ONLY', `${this.location} ${told['recovery'] === true ? 'is a standby or in recovery' : 'is set to read only'}: nothing can be written there.`)
    }
    if (told['sync'] !== 'on') throw new SluiceError('IO_FAILED', `${this.location} does not sync commits as asked (synchronous_commit is ${String(told['sync'])}).`)
  }

  /** Aborting closes the connection: the server rolls back what was not committed. */
  private watch(signal: AbortSignal | undefined): void {
    this.signal = signal
    signal?.addEventListener('abort', this.stop)
  }
  private readonly stop = (): void => {
    this.streamOf().destroy()
  }
  private streamOf(): { destroy(): void; ref(): void; unref(): void } {
    return (this.client as unknown as { connection: { stream: { destroy(): void; ref(): void; unref(): void } } }).connection.stream
  }

  /** Whether the process is kept alive for it. */
  hold(held: boolean): void {
    if (held) this.streamOf().ref()
    else this.streamOf().unref()
  }
  /** Ends the connection at once; the server gives up what it was doing. */
  cut(): void {
    this.broken ??= new Error('the connection was ended')
    this.stop()
  }
  get usable(): boolean {
    return this.broken === null
  }

  private async ask(sql: string, values: readonly SqlValue[] = []): Promise<pg.QueryResult<SqlRow>> {
    if (this.broken !== null) throw postgresError(this.broken, this.location)
    try {
      return values.length === 0 ? await this.client.query<SqlRow>(sql) : await this.client.query<SqlRow>(sql, values.map((value) => (typeof value === 'bigint' ? String(value) : value)))
    } catch (thrown) {
      if (isLost(thrown)) this.broken ??= thrown
      throw postgresError(thrown, this.location)
    }
  }

  async all(sql: string, values: readonly SqlValue[] = []): Promise<SqlRow[]> {
    return (await this.ask(sql, values)).rows
  }

  async *pages(sql: string, values: readonly SqlValue[] = []): AsyncGenerator<SqlRow[]> {
    await this.ask('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    try {
      await this.ask(`DECLARE sluice_pages NO SCROLL CURSOR FOR ${sql}`, values)
      for (;;) {
        const { rows } = await this.ask(`FETCH ${CHUNK} FROM sluice_pages`)
        if (rows.length > 0) yield rows
        if (rows.length < CHUNK) return
      }
    } finally {
      if (this.usable) await this.ask('ROLLBACK').catch(() => undefined)
    }
  }

  /** Names and types of a query's columns, nothing of it runs; one statement, because it is prepared. */
  async describe(sql: string): Promise<{ name: string; oid: number; modifier: number }[]> {
    const { fields } = await this.raw(`SELECT * FROM (${sql}\n) AS q LIMIT 0`)
    return fields.map(({ name, dataTypeID, dataTypeModifier }) => ({ name, oid: dataTypeID, modifier: dataTypeModifier }))
  }

  /** One statement, as arrays; columns of one name stay apart. */
  private async raw(text: string, values: readonly SqlValue[] = []): Promise<pg.QueryArrayResult<SqlValue[]>> {
    if (this.broken !== null) throw postgresError(this.broken, this.location)
    try {
      // The extended protocol takes one statement only.
      const query = { text, values: values.map((value) => (typeof value === 'bigint' ? String(value) : value)), rowMode: 'array', queryMode: 'extended' } as const
      return await this.client.query<SqlValue[]>(query as unknown as pg.QueryArrayConfig)
    } catch (thrown) {
      if (isLost(thrown)) this.broken ??= thrown
      throw thrown
    }
  }

  /**
   * Rows of one SELECT as arrays, through a cursor of a transaction that reads one state and can write nothing. What the
   * server says of a wrong statement is thrown as it is.
   */
  async *tuples(sql: string, values: readonly SqlValue[] = [], timeout = 0): AsyncGenerator<{ fields: { name: string; oid: number; modifier: number }[]; rows: SqlValue[][] }> {
    await this.ask('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    try {
      await this.ask(`SET LOCAL statement_timeout = ${Math.trunc(timeout)}`)
      await this.raw(`DECLARE sluice_tuples NO SCROLL CURSOR FOR ${sql}`, values)
      for (;;) {
        const { rows, fields } = await this.raw(`FETCH ${CHUNK} FROM sluice_tuples`)
        yield { fields: fields.map(({ name, dataTypeID, dataTypeModifier }) => ({ name, oid: dataTypeID, modifier: dataTypeModifier })), rows }
        if (rows.length < CHUNK) return
      }
    } finally {
      if (this.usable) await this.ask('ROLLBACK').catch(() => undefined)
    }
  }

  /** Rows of one SELECT as CSV, in a transaction that can write nothing. Whoever does not take all of them ends the connection. */
  async *copyOut(sql: string): AsyncGenerator<CopiedRows> {
    await this.ask('BEGIN READ ONLY')
    const copy = this.client.query(new CopyOut(sql))
    let whole = false
    try {
      yield* copy.rows()
      whole = true
    } catch (thrown) {
      if (isLost(thrown)) this.broken ??= thrown
      whole = true
      throw thrown
    } finally {
      if (!whole) this.cut()
      if (this.usable) await this.ask('ROLLBACK').catch(() => undefined)
    }
  }

  async run(point: string, sql: string, values: readonly SqlValue[] = []): Promise<number> {
    crash(`${point}.before`)
    const { rowCount } = await this.ask(sql, values)
    crash(`${point}.after`)
    return rowCount ?? 0
  }

  async write({ point, sql, values, place, what, into }: Writing): Promise<Count[]> {
    crash(`${point}.before`)
    const of = sql.startsWith('UPDATE') ? 't.' : `${into}.`
    const kind = what === undefined ? `''` : `CAST(${of}${what} AS text)`
    const { rows } = await this.ask(`WITH written AS (${sql} RETURNING ${of}${place} >> 32 AS seq, ${kind} AS what) SELECT seq, what, count(*) AS n FROM written GROUP BY seq, what`, values)
    crash(`${point}.after`)
    return rows.map((row) => ({ seq: Number(row['seq']), what: String(row['what']), n: Number(row['n']) }))
  }

  /** Feeds a file to `COPY … FROM STDIN`; answers the rows that the server took. */
  async copyIn(point: string, sql: string, path: string): Promise<number> {
    if (this.broken !== null) throw postgresError(this.broken, this.location)
    crash(`${point}.before`)
    const stream = this.client.query(copyFrom(sql))
    try {
      await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), stream)
    } catch (thrown) {
      if (isLost(thrown)) this.broken ??= thrown
      throw postgresError(thrown, this.location)
    }
    crash(`${point}.after`)
    return stream.rowCount
  }

  async transaction<T>(point: string, work: () => Promise<T>): Promise<T> {
    await this.ask('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE')
    let result: T
    try {
      result = await work()
      crash(`${point}.before`)
    } catch (thrown) {
      if (this.usable) await this.ask('ROLLBACK').catch(() => undefined)
      throw thrown
    }
    await this.commit()
    crash(`${point}.after`)
    return result
  }

  async attempt<T>(work: () => Promise<T>): Promise<T> {
    const name = `sluice_${++this.depth}`
    await this.ask(`SAVEPOINT ${name}`)
    try {
      const result = await work()
      await this.ask(`RELEASE SAVEPOINT ${name}`)
      return result
    } catch (thrown) {
      if (this.usable) await this.ask(`ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`)
      throw thrown
    } finally {
      this.depth--
    }
  }

  private async commit(): Promise<void> {
    let command: string
    try {
      command = (await this.ask('COMMIT')).command
    } catch (thrown) {
      if (!isLost(thrown)) throw thrown
      const why = thrown instanceof Error ? thrown.message : String(thrown)
      throw new SluiceError('COMMIT_UNKNOWN', `The connection was lost while the commit was under way: ${why}`, { cause: thrown })
    }
    if (command !== 'COMMIT') throw new SluiceError('DATABASE_FAILED', `${this.location} rolled back what was to be committed.`)
  }

  async snapshot<T>(work: () => Promise<T>): Promise<T> {
    await this.ask('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    try {
      return await work()
    } finally {
      if (this.usable) await this.ask('ROLLBACK').catch(() => undefined)
    }
  }

  async close(): Promise<void> {
    this.signal?.removeEventListener('abort', this.stop)
    // A server that is gone does not answer the farewell.
    if (this.usable) await this.client.end().catch(() => undefined)
    else this.stop()
  }
}
