/**
 * Opening a table and moving forward in its log.
 *
 * Opening: newest whole fold + the entries after it, else every entry from version 0. Moving forward probes the next
 * version until there is none: no listing, the cost is that of the new commits.
 */
import { SluiceError } from '../../core/errors.ts'
import { localFs } from '../../storage/local.ts'
import { checkCommit, checkMetaData, checkProtocol } from './refuse.ts'
import { readNewestFold } from './fold.ts'
import { attemptOf } from './layout.ts'
import { listLog, readEntry, syncLog } from './log.ts'
import { readRecord } from './record.ts'
import { TableState } from './state.ts'

export class OpenTable {
  readonly root: string
  /** Null: whoever's the table is, for reading only. */
  readonly ledger: string | null
  state = new TableState()
  private opened = false
  private tail: Promise<unknown> = Promise.resolve()

  constructor(root: string, ledger: string | null) {
    this.root = root
    this.ledger = ledger
  }

  /** Takes over what was committed since. Calls wait for one another; the state only grows. */
  forward(): Promise<TableState> {
    const turn = this.tail.then(() => this.move())
    this.tail = turn.catch(() => undefined)
    return turn
  }

  private async move(): Promise<TableState> {
    let found = false
    if (!this.opened) {
      this.state = (await readNewestFold(this.root)) ?? new TableState()
      found = this.state.exists
      if (this.state.protocol !== null) checkProtocol(this.root, this.state.protocol)
      if (this.state.metaData !== null) checkMetaData(this.root, this.state.metaData)
      this.checkLedger(this.state.ledger)
    }
    while (await this.step()) found = true
    // Another process may have died between its link and its sync: what is acted on must be durable.
    if (found) await syncLog(this.root)
    if (!this.opened && !this.state.exists) await this.refuseWithoutLog()
    this.opened = true
    return this.state
  }

  private async step(): Promise<boolean> {
    const entry = await readEntry(this.root, this.state.version + 1)
    if (entry === null) return false
    checkCommit(this.root, entry.version, entry.actions)
    const owner = entry.actions.find((action) => action.metaData !== undefined)?.metaData?.configuration['sluice.ledger']
    this.checkLedger(owner ?? this.state.ledger)
    const stamp = entry.actions.find((action) => action.commitInfo !== undefined)?.commitInfo?.sluice
    if (stamp === undefined) throw new SluiceError('INTERNAL', `Version ${entry.version} passed without a stamp.`)
    this.state.take(entry, await readRecord(this.root, stamp.record, stamp.sha256), this.root)
    return true
  }

  /** @throws SluiceError TABLE_OTHER_LEDGER */
  checkLedger(owner: string | null): void {
    if (owner !== null && this.ledger !== null && owner !== this.ledger) {
      throw new SluiceError('TABLE_OTHER_LEDGER', `${this.root} belongs to the ledger ${owner}, not to ${this.ledger}.`)
    }
  }

  /** No version 0 and no fold: a table that does not exist yet, somebody else's files, or a log that lost its beginning. */
  private async refuseWithoutLog(): Promise<void> {
    const { entries, checkpoints } = await listLog(this.root)
    if (entries.length > 0 || checkpoints.length > 0) {
      throw new SluiceError('TABLE_BROKEN', `${this.root}: the log has no version 0 and there is no fold under _sluice/folds to begin with.`)
    }
    // Files of a first attempt that died carry our names: they are left-overs, not somebody's table.
    const foreign = ((await localFs.list(this.root)) ?? []).find(({ name }) => name.endsWith('.parquet') && attemptOf(name) === null)
    if (foreign !== undefined) throw new SluiceError('TABLE_FOREIGN', `${this.root} holds ${foreign.name} and no log: something other than Sluice put it there.`)
  }
}
