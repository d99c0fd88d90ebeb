/**
 * The ledger of one machine: `<folder>/ledger.db`, shared by any number of processes. Short immediate transactions; nobody
 * waits inside one. The parts: schema, workers, offers, claims with endings, runs, lists, restore, verify.
 */
import { join } from 'node:path'
import type { ArrivalOutcome, Pin } from '../core/arrival.ts'
import type { Clock, Random } from '../core/effects.ts'
import type { Mourned } from '../core/death.ts'
import type { Batch } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import type { Interval } from '../core/interval.ts'
import type { Claim, FileCounts, FilesQuery, Ledger, Offering, Phases, RunState, Sighting, TableRow } from '../core/ledger.ts'
import type { CommittedArrival, Receipt } from '../core/target.ts'
import { localFs } from '../storage/local.ts'
import type { Books } from './books.ts'
import * as claims from './claims.ts'
import * as lists from './lists.ts'
import { offer, recognise } from './offers.ts'
import { adopt, forget, lanes, putTable, restore } from './restore.ts'
import * as runs from './runs.ts'
import { sift } from './sift.ts'
import { split } from './split.ts'
import { checkLedgerFile, ledgerId, openLedgerFile } from './schema.ts'
import { verify } from './verify.ts'
import { Workers } from './workers.ts'

/**
 * Opens the ledger of a data folder, making both when they are missing. After a process that died the file is checked.
 * @throws SluiceError DATA_DIR_NEWER (nothing is changed), LEDGER_BROKEN, PERMISSION_DENIED, DISK_FULL, BUSY, IO_FAILED
 */
export async function openLedger(folder: string, { clock, random }: { clock: Clock; random: Random }): Promise<Ledger> {
  await localFs.makeFolder('ledger.folder', folder)
  const path = join(folder, 'ledger.db')
  const db = openLedgerFile(path, random)
  try {
    const workers = await Workers.enter(db, join(folder, 'workers'), clock, random)
    try {
      if (workers.sweep()) checkLedgerFile(db, path)
    } catch (thrown) {
      workers.leave()
      throw thrown
    }
    return new SqliteLedger({ db, clock, random, workers })
  } catch (thrown) {
    db.close()
    throw thrown
  }
}

class SqliteLedger implements Ledger {
  readonly worker: string
  private readonly books: Books

  constructor(books: Books) {
    this.books = books
    this.worker = books.workers.own
  }

  /** Read anew each time: another process may have adopted the id of a lost ledger. */
  get id() {
    return ledgerId(this.books.db)
  }
  async adopt(id: string) {
    return adopt(this.books, id)
  }

  async tables() {
    return lists.tables(this.books)
  }
  async putTable(table: TableRow) {
    putTable(this.books, table)
  }
  async isEmpty() {
    return this.books.db.get('SELECT 1 FROM tables LIMIT 1') === undefined
  }
  restore(table: TableRow, arrivals: AsyncIterable<CommittedArrival>, lanes: ReadonlyMap<number, number>) {
    return restore(this.books, table, arrivals, lanes)
  }
  async lanes(table: string) {
    return lanes(this.books, table)
  }
  async forget(table: string) {
    return forget(this.books, table)
  }
  async begin(run: { id: string; table: string; command: string; dates?: Interval }) {
    runs.begin(this.books, run)
  }
  async offer(run: string, table: string, sightings: readonly Sighting[], options: Offering) {
    return offer(this.books, run, table, sightings, options)
  }
  async sift(table: string, pins: readonly Pin[], dates?: Interval) {
    return sift(this.books, table, pins, dates ?? null)
  }
  async recognise(table: string, sightings: readonly Sighting[]) {
    return recognise(this.books, table, sightings)
  }
  async claim(run: string, table: string, limit: { bytes: number; files: number; whole?: boolean }) {
    return claims.claim(this.books, run, table, limit)
  }
  async turn(batch: Batch) {
    return claims.turn(this.books, batch)
  }
  async settle(batch: Batch, outcomes: readonly ArrivalOutcome[], receipt: Receipt | null) {
    return claims.settle(this.books, batch, outcomes, receipt)
  }
  async release(batch: Batch, fault: Fault | null) {
    return claims.release(this.books, batch, fault)
  }
  async split(batch: Batch, groups: readonly (readonly number[])[], death: Mourned | null) {
    return split(this.books, batch, groups, death)
  }
  async orphans(table: string) {
    return claims.orphans(this.books, table)
  }
  async recover(claim: Claim, receipt: Receipt | null, run: string | null) {
    return claims.recover(this.books, claim, receipt, run)
  }
  async closeDeadRuns(table: string) {
    return runs.closeDeadRuns(this.books, table)
  }
  async elsewhere(run: string) {
    return runs.elsewhere(this.books, run)
  }
  async countFiles(run: string) {
    return runs.countFiles(this.books, run)
  }
  async end(run: string, state: RunState, files: FileCounts, exit: number, fault: Fault | null, phases?: Phases) {
    runs.end(this.books, run, state, files, exit, fault, phases ?? null)
    const row = lists.run(this.books, run)
    if (row === null) throw new SluiceError('NOT_FOUND', `The ledger does not know the run ${run}.`)
    return row
  }
  async files(query: FilesQuery) {
    return lists.files(this.books, query)
  }
  async runs(query: { table?: string; limit: number; after?: string }) {
    return lists.runs(this.books, query)
  }
  async run(id: string) {
    return lists.run(this.books, id)
  }
  async runOfBatch(batch: string) {
    return lists.runOfBatch(this.books, batch)
  }
  async arrival(table: string, seq: number) {
    return lists.arrival(this.books, table, seq)
  }
  async verify() {
    return verify(this.books)
  }
  async beat() {
    this.books.workers.beat()
  }
  async close() {
    try {
      this.books.workers.leave()
    } finally {
      this.books.db.close()
    }
  }
}
