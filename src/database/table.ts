/**
 * A table in a database: rows, losers, rejects and commit records in the same transaction, for every database alike.
 *
 * Every look is made from one state of the database, every commit on a session of its own, so nothing is held between
 * calls.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Definition } from '../core/definition.ts'
import type { Staged, Standing } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import { joined } from '../core/proposal.ts'
import type { Alteration, LeftOut } from '../core/proposal.ts'
import type { ColumnType, Row } from '../core/schema.ts'
import type { ApplyOptions, CommittedArrival, DeltaOf, Finding, Head, Receipt, RejectRow, Table } from '../core/target.ts'
import { adoptForeign, takeOver } from './adopt.ts'
import { alterTable } from './alter.ts'
import { ModelRefused } from '../models/refresh.ts'
import { commit } from './commit.ts'
import type { Commit } from './commit.ts'
import { openDelta } from './delta.ts'
import type { Incoming, Store } from './dialect.ts'
import { latestBatch, rowFromSql, rowSelect } from './layout.ts'
import { arrivalFromSql, receiptFromJson, rejectFromSql } from './record.ts'
import { first } from './session.ts'
import type { DatabaseSession, SqlRow } from './session.ts'
import { nothing, readReceipt, readStanding, readState } from './state.ts'
import type { State } from './state.ts'
import { RowRefused, findRefused } from './trials.ts'
import { verifyTable } from './verify.ts'

/** How often a commit is made again that the database gave up for the sake of another one, or whose end is unknown. */
const TRIES = 5
const AGAIN = new Set(['DEADLOCK', 'SERIALIZATION', 'COMMIT_UNKNOWN'])
/** The database ended it, so nothing of it is there. */
const ENDED = new Set(['DEADLOCK', 'SERIALIZATION'])
/** How often the server is asked what became of a commit: for half a minute. */
const ASKED = 10
/** Busy: with the commit that is asked after, perhaps. */
const ASKED_AGAIN = new Set(['UNREACHABLE', 'COMMIT_UNKNOWN', 'TARGET_READ_ONLY', 'BUSY'])

export interface TableOptions {
  store: Store
  table: string
  ledger: string | null
  /** The table may belong to another ledger until it is taken over. */
  adopt: boolean
  /** Would values of a column lie as they lie if it had the other type? */
  takes(from: ColumnType, to: ColumnType): boolean
}

/** Arrivals that are looked at together, newest first. */
const RECENT = 200

export class DatabaseTable implements Table {
  readonly uri: string
  private readonly store: Store
  private readonly table: string
  private readonly ledger: string | null
  private readonly given: TableOptions
  private adopting: boolean

  constructor(options: TableOptions) {
    this.store = options.store
    this.table = options.table
    this.ledger = options.ledger
    this.given = options
    this.adopting = options.adopt
    this.uri = options.store.uri(options.table)
  }

  /** Whose the table must be; null: whoever's. */
  private get owner(): string | null {
    return this.adopting ? null : this.ledger
  }

  private get writer(): string {
    if (this.ledger === null) throw new SluiceError('INTERNAL', `${this.uri} was opened without a ledger, for reading only.`)
    return this.ledger
  }

  suits(definition: Definition): void {
    if (definition.columns !== null) this.store.dialect.checkOrder(definition, definition.columns)
  }

  async head(): Promise<Head> {
    const { relation: _, highest: __, adopted: ___, ...head } = await this.look((_session, state) => Promise.resolve(state), nothing())
    return head
  }

  dateField(): Promise<string | null> {
    return this.look(async (session) => {
      const row = await first(session, `SELECT field FROM ${this.store.dialect.own('arrivals')} WHERE tbl = $1 AND field IS NOT NULL LIMIT 1`, [this.table])
      return row === undefined ? null : String(row['field'])
    }, null)
  }

  highest(): Promise<bigint> {
    return this.look((_, state) => Promise.resolve(state.highest), 0n)
  }

  committed(batch: string): Promise<Receipt | null> {
    return this.look((session) => readReceipt(this.store, session, this.table, batch), null, true)
  }

  async standing(shas: readonly string[]): Promise<Map<string, Standing>> {
    if (shas.length === 0) return new Map()
    return this.look((session) => readStanding(this.store, session, this.table, shas), new Map<string, Standing>(), true)
  }

  latest(): Promise<readonly CommittedArrival[]> {
    const { dialect } = this.store
    return this.look(async (session) => (await session.all(`SELECT * FROM ${dialect.own('arrivals')} WHERE tbl = $1 AND batch = ${latestBatch(dialect)} ORDER BY seq`, [this.table])).map(arrivalFromSql), [])
  }

  async *arrivals(): AsyncIterable<CommittedArrival> {
    const sql = `SELECT * FROM ${this.store.dialect.own('arrivals')} WHERE tbl = $1 ORDER BY seq, (SELECT b.version FROM ${this.store.dialect.own('batches')} b WHERE b.tbl = $1 AND b.id = batch)`
    for await (const rows of this.list(() => sql, [this.table], arrivalFromSql, true)) yield* rows
  }

  /** Page by page from the highest number down: a page costs the same however many there are. */
  async *recent(): AsyncGenerator<CommittedArrival> {
    for (let below: number | null = null; ; ) {
      const where = below === null ? '' : ' AND seq < $2'
      const from: string = `FROM ${this.store.dialect.own('arrivals')} WHERE tbl = $1`
      // An arrival that came by dates has several rows, and a page has all of them.
      const sql = `SELECT * ${from}${where} AND seq >= coalesce((SELECT min(seq) FROM (SELECT seq ${from}${where} ORDER BY seq DESC LIMIT ${RECENT}) AS page), 0) ORDER BY seq DESC, batch`
      const values = [this.table, ...(below === null ? [] : [below])]
      const page: CommittedArrival[] = await this.look(async (session) => (await session.all(sql, values)).map(arrivalFromSql), [])
      yield* page
      const last = page.at(-1)
      if (last === undefined) return
      below = last.seq
    }
  }

  async apply(staged: Staged, definition: Definition, { signal, models, delta }: ApplyOptions = {}): Promise<Receipt> {
    const ledger = this.writer
    const failing = new Map<string, string>()
    for (let tries = 1; ; tries++) {
      const { done, rows } = await this.look(async (session, state) => ({ done: await readReceipt(this.store, session, this.table, staged.batch.id), rows: state.rows }), { done: null, rows: 0 }, true)
      if (done !== null) return done
      if (!staged.outcomes.some((outcome) => outcome.state === 'loaded')) return this.unchanged(staged.batch.id)
      try {
        return await this.attempt({ staged, definition, ledger, failing, delta, ...(models === undefined ? {} : { models }) }, rows, signal)
      } catch (thrown) {
        // Where there are no savepoints the commit is made again without the model, and marks it.
        if (thrown instanceof ModelRefused && !failing.has(thrown.model)) {
          failing.set(thrown.model, thrown.message)
          continue
        }
        if (!(thrown instanceof SluiceError) || !AGAIN.has(thrown.code) || tries >= TRIES) throw thrown
        signal?.throwIfAborted()
        if (thrown.code !== 'COMMIT_UNKNOWN') continue
        const found = await this.readBack(staged.batch.id)
        if (found !== null) return found
      }
    }
  }

  /** @param rows of the table a moment ago: whether it is worth it to bring in what has to be compared with them */
  private async attempt(job: Pick<Commit, 'staged' | 'definition' | 'ledger' | 'models' | 'failing' | 'delta'>, rows: number, signal: AbortSignal | undefined): Promise<Receipt> {
    const { store, table } = this
    const { staged, definition } = job
    const session = await store.writing(signal, table)
    try {
      const bring = (fresh: boolean): Promise<Incoming> => store.bringIn(session, table, staged, fresh, signal)
      const incoming = await bring(rows === 0 || definition.mode === 'replace')
      const once = (given: Pick<Commit, 'incoming' | 'known'>): ReturnType<typeof commit> =>
        session.transaction('database.commit', async () => {
          const done = await commit({ ...job, store, session, table, ...given })
          signal?.throwIfAborted()
          return done
        })
      const { receipt, known } = await once({ incoming }).catch(async (thrown: unknown) => {
        if (!(thrown instanceof RowRefused)) throw thrown
        // Brought in outside of all transactions it outlasts the trials.
        const again = await bring(false)
        await again.loosen?.()
        return findRefused(thrown, {
          product: store.dialect.product, table, losers: again.beaten !== null,
          commit: (refused) => once({ incoming: again, known: refused }),
          write: (refused, trial) => session.transaction('database.trial', () => commit({ staged, definition, ledger: job.ledger, delta: undefined, store, session, table, incoming: again, known: refused, trial })),
        })
      })
      if (known) await store.settle()
      return receipt
    } catch (thrown) {
      // What a session says that was closed for the sake of the signal is no fault of the database.
      if (!(thrown instanceof SluiceError && thrown.code === 'COMMIT_UNKNOWN')) signal?.throwIfAborted()
      throw thrown
    } finally {
      await session.close()
    }
  }

  /** Asked patiently: a server that was killed recovers first. @throws SluiceError COMMIT_UNKNOWN when it cannot be asked */
  private async readBack(batch: string): Promise<Receipt | null> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.askFor(batch)
      } catch (thrown) {
        if (!(thrown instanceof SluiceError) || !ASKED_AGAIN.has(thrown.code)) throw thrown
        if (tries >= ASKED) throw new SluiceError('COMMIT_UNKNOWN', `${this.uri}: the connection broke while batch ${batch} was committed, and the server cannot be asked what became of it: ${thrown.message}`, { cause: thrown })
        await sleep(Math.min(100 * 2 ** tries, 5_000))
      }
    }
  }

  /** After a lost answer: whoever committed holds the lock until the end, so behind it the record is there or never will be. */
  private async askFor(batch: string): Promise<Receipt | null> {
    const { store, table } = this
    const session = await store.writing(undefined, table)
    try {
      return await session.transaction('database.ask', async () => {
        await store.lock(session, table)
        return (await readState(store, session, table, this.owner)).exists ? readReceipt(store, session, table, batch) : null
      })
    } finally {
      await session.close()
    }
  }

  /** The answer to a batch in which nothing was loaded: there is nothing to commit. */
  private async unchanged(batch: string): Promise<Receipt> {
    const { version } = await this.head()
    return { batch, version: version ?? 0, arrivals: [], evicted: 0, reasons: {}, faults: [], rewritten: 0 }
  }

  async settleDelta(delta: DeltaOf): Promise<void> {
    if (!(await this.head()).exists) return
    await this.change(async (session) => {
      const { store, table } = this
      await store.lock(session, table)
      const { exists, schema } = await readState(store, session, table, this.owner)
      if (exists) await openDelta(store, session, table, schema, delta)
    })
  }

  async adopt(definition: Definition, fence: number): Promise<void> {
    const ledger = this.writer
    const head = await this.head()
    if (!head.exists) throw new SluiceError('NOT_FOUND', `There is no table at ${this.uri}.`)
    await this.change((session) => (head.definition === null ? adoptForeign : takeOver)({ store: this.store, session, table: this.table, ledger }, fence, definition), AGAIN)
    this.adopting = false
  }

  async alter(decide: (head: Head) => Alteration): Promise<number> {
    const ledger = this.writer
    if (!(await this.head()).exists) throw new SluiceError('NOT_FOUND', `There is no table ${this.uri} yet.`)
    return this.change((session) => alterTable({ store: this.store, session, table: this.table, ledger }, decide, this.given.takes))
  }

  takes(from: ColumnType, to: ColumnType): boolean {
    return this.given.takes(from, to)
  }

  async *scan(limit: number | null): AsyncIterable<Row[]> {
    yield* this.rows((state) => `SELECT ${rowSelect(this.store.dialect, state.schema, 't')} FROM ${this.store.dialect.names(this.table).table} t ORDER BY t._place${limit === null ? '' : ` LIMIT ${Math.max(0, Math.trunc(limit))}`}`)
  }

  async *losers(): AsyncIterable<Row[]> {
    yield* this.rows((state) => `SELECT ${rowSelect(this.store.dialect, state.schema, 't')} FROM ${this.store.dialect.names(this.table).losers} t ORDER BY t._place`)
  }

  private rows(select: (state: State) => string): AsyncIterable<Row[]> {
    return this.list(select, [], (row, state) => rowFromSql(this.store.dialect, row, state.schema))
  }

  async rejects(query: { batch?: string; limit: number; after?: bigint }): Promise<RejectRow[]> {
    const { batch, limit, after } = query
    const values = [this.table, ...(batch === undefined ? [] : [batch]), ...(after === undefined ? [] : [after])]
    const where = `tbl = $1${batch === undefined ? '' : ' AND batch = $2'}${after === undefined ? '' : ` AND place > $${values.length}`}`
    const sql = `SELECT * FROM ${this.store.dialect.own('rejects')} WHERE ${where} ORDER BY place LIMIT ${Math.max(0, Math.trunc(limit))}`
    return this.look(async (session) => (await session.all(sql, values)).map(rejectFromSql), [])
  }

  leftOut(): Promise<readonly LeftOut[]> {
    return this.look(async (session) => {
      const all = new Map<string, LeftOut>()
      for (const row of await session.all(`SELECT receipt FROM ${this.store.dialect.own('batches')} WHERE tbl = $1 ORDER BY version`, [this.table])) {
        for (const one of receiptFromJson(String(row['receipt'])).leftOut ?? []) all.set(one.member, joined(all.get(one.member), one))
      }
      return [...all.values()]
    }, [])
  }

  async verify(): Promise<Finding[]> {
    try {
      return await this.look((session, state) => verifyTable({ store: this.store, session, table: this.table, state }), [])
    } catch (thrown) {
      const message = this.store.damage?.(thrown) ?? null
      if (message === null) throw thrown
      return [{ grade: 'broken', path: this.uri, message }]
    }
  }

  garbage(): Promise<string[]> {
    // What a dead transaction left is rolled back by the database itself.
    return Promise.resolve([])
  }

  close(): Promise<void> {
    return this.store.close()
  }

  /** One transaction that changes the table and no row; made again when the database gave it up for another one (`again`). */
  private async change<T>(work: (session: DatabaseSession) => Promise<T>, again: ReadonlySet<string> = ENDED): Promise<T> {
    for (let tries = 1; ; tries++) {
      const session = await this.store.writing(undefined, this.table)
      try {
        return await session.transaction('database.commit', () => work(session))
      } catch (thrown) {
        if (!(thrown instanceof SluiceError) || !again.has(thrown.code) || tries >= TRIES) throw thrown
      } finally {
        await session.close()
      }
    }
  }

  /**
   * Answers from one state of the database, or `empty` when the table does not exist.
   * @param durable the answer will be acted upon: a commit that was found is made durable before it is told
   */
  private async look<T>(work: (session: DatabaseSession, state: State) => Promise<T>, empty: T, durable = false): Promise<T> {
    const session = await this.store.reading()
    if (session === null) return empty
    try {
      const answer = await session.snapshot(async () => {
        const state = await readState(this.store, session, this.table, this.owner, this.adopting)
        return state.exists ? { found: await work(session, state) } : null
      })
      if (answer === null) return empty
      if (durable) await this.store.settle()
      return answer.found
    } finally {
      await session.close()
    }
  }

  private async *list<T>(sql: (state: State) => string, values: readonly string[], shape: (row: SqlRow, state: State) => T, durable = false): AsyncIterable<T[]> {
    const session = await this.store.reading()
    if (session === null) return
    try {
      const state = await session.snapshot(() => readState(this.store, session, this.table, this.owner, this.adopting))
      if (!state.exists) return
      if (durable) await this.store.settle()
      for await (const rows of session.pages(sql(state), values)) yield rows.map((row) => shape(row, state))
    } finally {
      await session.close()
    }
  }
}
