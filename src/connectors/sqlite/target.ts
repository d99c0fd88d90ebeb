/**
 * The SQLite target: tables in one file, rows, losers, rejects and commit records in the same transaction.
 *
 * Every look opens its own read-only session on one snapshot, every commit its own writing one, so nothing is held
 * between calls and a file that does not exist is never made by looking.
 */
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Definition } from '../../core/definition.ts'
import type { Engine, Staged, Standing } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { crash } from '../../core/failpoint.ts'
import { joined } from '../../core/proposal.ts'
import type { Alteration, LeftOut } from '../../core/proposal.ts'
import type { ColumnType, Row } from '../../core/schema.ts'
import type { ApplyOptions, CommittedArrival, DeltaOf, Finding, Head, Receipt, RejectRow, Table, Target } from '../../core/target.ts'
import { SqliteSession, openForReading } from '../../sql/sqlite.ts'
import type { SqliteRow } from '../../sql/sqlite.ts'
import { localFs } from '../../storage/local.ts'
import { takeOver } from './adopt.ts'
import { alterTable, sameText } from './alter.ts'
import { commit, readReceipt } from './commit.ts'
import { settleDelta } from './delta.ts'
import { bringIn } from './incoming.ts'
import { LATEST_BATCH, checkOrder, checkTableName, namesOf, rowFromSql, rowSelect } from './layout.ts'
import { sqliteModels } from './models.ts'
import { arrivalFromSql, receiptFromJson, rejectFromSql } from '../../database/record.ts'
import { nothing, readDateField, readStanding, readState } from './state.ts'
import type { State } from './state.ts'
import { damage, verifyTable } from './verify.ts'

/** Rows that a listing holds at once. */
const CHUNK = 1000
/** A locked file is tried again for a minute; in between the process goes on with its other work. */
const TRIES = 300
const WAIT_MS = 100

/** @param options.file absolute path; need not exist */
export function openSqliteTarget(options: { file: string }): Target {
  const { file } = options
  return {
    scheme: 'sqlite',
    partitions: false,
    schemas: false,
    uri: (table) => uriOf(file, table),
    async open(table, ledger, engine, { adopt = false } = {}) {
      checkTableName(table, file)
      const opened = new SqliteTable(file, table, ledger, engine, adopt)
      await opened.head()
      return opened
    },
    models: sqliteModels(file, {
      read: (work) => new SqliteTable(file, '', null, null, false).reading(work),
      write: (work, signal) => new SqliteTable(file, '', null, null, false).writing(work, signal),
    }),
  }
}

function uriOf(file: string, table: string): string {
  return `sqlite:${file}#${table}`
}

class SqliteTable implements Table {
  readonly uri: string
  private readonly file: string
  private readonly table: string
  private readonly ledger: string | null
  /** Null: nothing is staged through it. */
  private readonly engine: Engine | null
  /** The table may belong to another ledger until it is taken over. */
  private adopting: boolean

  constructor(file: string, table: string, ledger: string | null, engine: Engine | null, adopting: boolean) {
    this.uri = uriOf(file, table)
    this.file = file
    this.table = table
    this.ledger = ledger
    this.engine = engine
    this.adopting = adopting
  }

  /** Whose the table must be; null: whoever's. */
  private get owner(): string | null {
    return this.adopting ? null : this.ledger
  }

  suits(definition: Definition): void {
    if (definition.columns !== null) checkOrder(definition, definition.columns)
  }

  head(): Promise<Head> {
    const head = ({ highest: _, ...rest }: State): Head => rest
    return this.look((_, state) => head(state), head(nothing()))
  }

  highest(): Promise<bigint> {
    return this.look((_, { highest }) => highest, 0n)
  }

  dateField(): Promise<string | null> {
    return this.look((session) => readDateField(session, this.table), null)
  }

  async committed(batch: string): Promise<Receipt | null> {
    return this.look((session) => readReceipt(session, this.table, batch), null, true)
  }

  async standing(shas: readonly string[]): Promise<Map<string, Standing>> {
    return this.look((session) => readStanding(session, this.table, shas), new Map<string, Standing>(), true)
  }

  async latest(): Promise<readonly CommittedArrival[]> {
    return this.look((session) => session.all(`SELECT * FROM main._sluice_arrivals WHERE tbl = ?1 AND batch = ${LATEST_BATCH} ORDER BY seq`, [this.table]).map(arrivalFromSql), [])
  }

  async *arrivals(): AsyncIterable<CommittedArrival> {
    const sql = 'SELECT * FROM main._sluice_arrivals WHERE tbl = ?1 ORDER BY seq, (SELECT version FROM main._sluice_batches b WHERE b.tbl = ?1 AND b.id = batch)'
    for await (const rows of this.list(() => sql, [this.table], (row) => arrivalFromSql(row), true)) yield* rows
  }

  async apply(staged: Staged, definition: Definition, { signal, models, delta }: ApplyOptions = {}): Promise<Receipt> {
    const { ledger, engine } = this
    if (ledger === null || engine === null) throw new SluiceError('INTERNAL', `${this.uri} was opened without a ledger, for reading only.`)
    const done = await this.committed(staged.batch.id)
    if (done !== null) return done
    if (!staged.outcomes.some((outcome) => outcome.state === 'loaded')) return this.unchanged(staged.batch.id)
    const session = await this.openForWriting()
    try {
      await bringIn(session, engine, staged, signal)
      const job = { session, file: this.file, table: this.table, ledger, staged, definition, delta, ...(models === undefined ? {} : { models }) }
      const { receipt, known } = await this.locked(session, () => commit(job), signal)
      if (known) await this.settle()
      return receipt
    } finally {
      session.close()
    }
  }

  /** The answer to a batch in which nothing was loaded: there is nothing to commit. */
  private async unchanged(batch: string): Promise<Receipt> {
    const { version } = await this.head()
    return { batch, version: version ?? 0, arrivals: [], evicted: 0, reasons: {}, faults: [], rewritten: 0 }
  }

  async settleDelta(delta: DeltaOf): Promise<void> {
    if (!(await this.head()).exists) return
    const session = await this.openForWriting()
    try {
      await this.locked(session, () => settleDelta(session, this.file, this.table, this.ledger, delta), undefined)
    } finally {
      session.close()
    }
  }

  async adopt(_: Definition, fence: number): Promise<void> {
    const { ledger } = this
    if (ledger === null) throw new SluiceError('INTERNAL', `${this.uri} was opened without a ledger, for reading only.`)
    if (!(await this.head()).exists) throw new SluiceError('NOT_FOUND', `There is no table at ${this.uri}.`)
    const session = await this.openForWriting()
    try {
      await this.locked(session, () => takeOver({ session, file: this.file, table: this.table, ledger, fence }), undefined)
      this.adopting = false
    } finally {
      session.close()
    }
  }

  async *scan(limit: number | null): AsyncIterable<Row[]> {
    const select = (state: State): string => `SELECT ${rowSelect(state.schema, 't')} FROM ${namesOf(this.table).table} t ORDER BY t._place${limit === null ? '' : ` LIMIT ${Math.max(0, Math.trunc(limit))}`}`
    yield* this.list(select, [], (row, state) => rowFromSql(row, state.schema))
  }

  async rejects(query: { batch?: string; limit: number; after?: bigint }): Promise<RejectRow[]> {
    const { batch, limit, after } = query
    const where = `tbl = ?${batch === undefined ? '' : ' AND batch = ?'}${after === undefined ? '' : ' AND place > ?'}`
    const values = [this.table, ...(batch === undefined ? [] : [batch]), ...(after === undefined ? [] : [after]), limit]
    return this.look((session) => session.all(`SELECT * FROM main._sluice_rejects WHERE ${where} ORDER BY place LIMIT ?`, values).map(rejectFromSql), [])
  }

  async *losers(): AsyncIterable<Row[]> {
    const select = (state: State): string => `SELECT ${rowSelect(state.schema, 't')} FROM ${namesOf(this.table).losers} t ORDER BY t._place`
    yield* this.list(select, [], (row, state) => rowFromSql(row, state.schema))
  }

  leftOut(): Promise<readonly LeftOut[]> {
    return this.look((session) => {
      const all = new Map<string, LeftOut>()
      for (const row of session.all('SELECT receipt FROM main._sluice_batches WHERE tbl = ? ORDER BY version', [this.table])) {
        for (const one of receiptFromJson(String(row['receipt'])).leftOut ?? []) all.set(one.member, joined(all.get(one.member), one))
      }
      return [...all.values()]
    }, [])
  }

  takes(from: ColumnType, to: ColumnType): boolean {
    return sameText(from, to)
  }

  async alter(decide: (head: Head) => Alteration): Promise<number> {
    const { ledger } = this
    if (ledger === null) throw new SluiceError('INTERNAL', `${this.uri} was opened without a ledger, for reading only.`)
    if (!(await this.head()).exists) throw new SluiceError('NOT_FOUND', `There is no table ${this.uri} yet.`)
    const session = await this.openForWriting()
    try {
      return await this.locked(session, () => alterTable(session, this.file, this.table, ledger, decide), undefined)
    } finally {
      session.close()
    }
  }

  async verify(): Promise<Finding[]> {
    try {
      return await this.look((session, state) => verifyTable(session, this.uri, this.table, state), [])
    } catch (thrown) {
      return [damage(thrown, this.uri)]
    }
  }

  garbage(): Promise<string[]> {
    // What a dead transaction left is in SQLite's own journal, which the next one rolls back.
    return Promise.resolve([])
  }

  async close(): Promise<void> {
    // Nothing is held between calls.
  }

  /** Answers from one state of the file; null: there is no file. */
  async reading<T>(work: (session: SqliteSession) => T): Promise<T | null> {
    const session = await this.openForReading()
    try {
      return session?.snapshot(() => work(session)) ?? null
    } finally {
      session?.close()
    }
  }

  /** One transaction that is about no table of its own. */
  async writing<T>(work: (session: SqliteSession) => T, signal?: AbortSignal): Promise<T> {
    const session = await this.openForWriting()
    try {
      return await this.locked(session, () => work(session), signal)
    } finally {
      session.close()
    }
  }

  /** A read-only session, or null when there is no file yet (an empty one is none). */
  private async openForReading(): Promise<SqliteSession | null> {
    const stat = await localFs.stat(this.file)
    if (stat === null || (stat.kind === 'file' && stat.size === 0)) return null
    if (stat.kind !== 'file') throw new SluiceError('TARGET_INVALID', `${this.file} is not a file.`, { where: { path: this.file } })
    return openForReading('sqlite.rollback', this.file)
  }

  /**
   * Answers from one state of the file, or `empty` when the table does not exist.
   * @param durable the answer will be acted upon: a commit that was found is made durable before it is told
   */
  private async look<T>(work: (session: SqliteSession, state: State) => T, empty: T, durable = false): Promise<T> {
    const session = await this.openForReading()
    if (session === null) return empty
    try {
      const answer = session.snapshot(() => {
        const state = readState(session, this.file, this.table, this.owner)
        return state.exists ? { found: work(session, state) } : null
      })
      if (answer === null) return empty
      // The session is still open, so nobody can take the log away meanwhile.
      if (durable) await this.settle()
      return answer.found
    } finally {
      session.close()
    }
  }

  private async *list<T>(sql: (state: State) => string, values: readonly string[], shape: (row: SqliteRow, state: State) => T, durable = false): AsyncIterable<T[]> {
    const session = await this.openForReading()
    if (session === null) return
    try {
      const state = session.snapshot(() => readState(session, this.file, this.table, this.owner))
      if (!state.exists) return
      if (durable) await this.settle()
      session.exec('sqlite.settings', 'PRAGMA temp_store = FILE')
      let chunk: T[] = []
      for (const row of session.iterate(sql(state), values)) {
        chunk.push(shape(row, state))
        if (chunk.length < CHUNK) continue
        yield chunk
        chunk = []
      }
      if (chunk.length > 0) yield chunk
    } finally {
      session.close()
    }
  }

  /** What a dead process wrote is visible before it is synced: sync it before anybody relies on it. */
  private async settle(): Promise<void> {
    for (const path of [`${this.file}-wal`, this.file, dirname(this.file)]) {
      if ((await localFs.stat(path)) !== null) await localFs.sync('sqlite.settle', path)
    }
  }

  /** The first commit makes the file; its folder entry is durable before anything is committed into it. */
  private async openForWriting(): Promise<SqliteSession> {
    const isNew = (await localFs.stat(this.file)) === null
    if (isNew) await localFs.makeFolder('sqlite.folder', dirname(this.file))
    crash('sqlite.create.before')
    // Waiting happens in `locked`, without blocking the process.
    const session = await this.patiently(() => new SqliteSession(this.file, { busy: WAIT_MS }))
    crash('sqlite.create.after')
    try {
      if (isNew) await localFs.sync('sqlite.create', dirname(this.file))
    } catch (thrown) {
      session.close()
      throw thrown
    }
    return session
  }

  /** Runs `work` in the write transaction; waits for other writers, but never repeats work that had begun. */
  private locked<T>(session: SqliteSession, work: () => T, signal: AbortSignal | undefined): Promise<T> {
    let begun = false
    const attempt = (): T =>
      session.transaction('sqlite.commit', () => {
        begun = true
        const result = work()
        signal?.throwIfAborted()
        return result
      })
    return this.patiently(attempt, () => !begun, signal)
  }

  private async patiently<T>(work: () => T, again: () => boolean = () => true, signal?: AbortSignal): Promise<T> {
    for (let tries = 1; ; tries++) {
      signal?.throwIfAborted()
      try {
        return work()
      } catch (thrown) {
        if (!(thrown instanceof SluiceError) || thrown.code !== 'BUSY' || tries >= TRIES || !again()) throw thrown
        await sleep(WAIT_MS, undefined, signal === undefined ? {} : { signal })
      }
    }
  }
}
