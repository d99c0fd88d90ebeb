/**
 * Opening a table and moving forward in its log.
 *
 * Opening: newest whole fold + the entries after it, else every entry from version 0; where others removed entries before
 * a checkpoint, the checkpoint (`salvage.ts`). Moving forward probes the next version until there is none: no listing, the
 * cost is that of the new commits. Their batch records, which grow with the arrivals, are read when something asks for what
 * they hold: a load that finds nothing new asks for nothing (100,000 arrivals: 25 MB of records, 0.5 s).
 */
import { join } from 'node:path'
import type { Engine } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { partitionName } from '../../core/partition.ts'
import { fold } from '../../core/schema.ts'
import { filesSql } from '../../resolve/duckdb-batch.ts'
import { localFs } from '../../storage/local.ts'
import { MODEL_PROPERTY } from './actions.ts'
import type { AddAction } from './actions.ts'
import { foreignWork } from './foreign.ts'
import { checkCommit, checkMetaData, checkProtocol } from './refuse.ts'
import { readNewestFold } from './fold.ts'
import { attemptOf, decodePath } from './layout.ts'
import { listLog, readEntry, syncLog } from './log.ts'
import { readRecord } from './record.ts'
import { hintedCheckpoint, salvage } from './salvage.ts'
import { TableState, rowsOf } from './state.ts'

export class OpenTable {
  readonly root: string
  /** Null: whoever's the table is, for reading only. */
  readonly ledger: string | null
  /** The table may belong to another ledger, or be nobody's, until it is taken over. */
  adopting: boolean
  /** It is the table of a model: nobody loads it. */
  private readonly model: boolean
  private readonly engine: Engine
  state = new TableState()
  private opened = false
  private tail: Promise<unknown> = Promise.resolve()

  constructor(root: string, ledger: string | null, engine: Engine, adopting = false, model = false) {
    this.root = root
    this.ledger = ledger
    this.engine = engine
    this.adopting = adopting
    this.model = model
  }

  /** Takes over what was committed since. Calls wait for one another; the state only grows. */
  forward(): Promise<TableState> {
    return this.queue(async () => {
      await this.move()
      await this.readRecords()
      return this.state
    })
  }

  /** The same, as far as the log itself tells: files, schema, definition, lanes and which batches there are. */
  glance(): Promise<TableState> {
    return this.queue(() => this.move())
  }

  private queue(work: () => Promise<TableState>): Promise<TableState> {
    const turn = this.tail.then(work)
    this.tail = turn.catch(() => undefined)
    return turn
  }

  /** @throws SluiceError TABLE_BROKEN when one is missing or other than the log says */
  private async readRecords(): Promise<void> {
    const { unread } = this.state
    for (let batch = unread[0]; batch !== undefined; batch = unread[0]) {
      this.state.takeRecord(await readRecord(this.root, batch.record, batch.sha256))
      unread.shift()
    }
  }

  private async move(): Promise<TableState> {
    let found = false
    if (!this.opened) {
      this.state = (await readNewestFold(this.root)) ?? new TableState()
      this.state.folded = Math.max(this.state.version, 0)
      this.state.base = this.state.folded
      found = this.state.exists
      if (this.state.protocol !== null) checkProtocol(this.root, this.state.protocol)
      if (this.state.metaData !== null) checkMetaData(this.root, this.state.metaData)
    }
    while (await this.step()) found = true
    if (await this.jump()) {
      found = true
      while (await this.step());
    }
    if (!this.opened && !this.state.exists && (await this.isMadeMeanwhile())) {
      found = true
      while (await this.step());
    }
    // Another process may have died between its link and its sync: what is acted on must be durable.
    if (found) await syncLog(this.root)
    this.checkOwner()
    this.opened = true
    return this.state
  }

  private async step(): Promise<boolean> {
    const entry = await readEntry(this.root, this.state.version + 1)
    if (entry === null) return false
    checkCommit(this.root, entry.version, entry.actions)
    for (const { add } of entry.actions) if (add !== undefined) await this.countRows(add)
    this.state.take(entry, foreignWork(entry.version, entry.actions), this.root)
    return true
  }

  /** Others may have cleaned the log: then a checkpoint tells what the entries before it did. */
  private async jump(): Promise<boolean> {
    if (this.opened) return false
    if (this.state.exists && (await hintedCheckpoint(this.root)) <= this.state.version) return false
    const { checkpoints } = await listLog(this.root)
    if ((checkpoints.at(-1) ?? -1) <= this.state.version) return false
    // The chain of records is followed, so the state that it goes on from must be whole.
    await this.readRecords()
    const session = await this.engine.session()
    try {
      this.state = await salvage(this.root, this.state, session)
    } finally {
      await session.close()
    }
    return true
  }

  /** Statistics are optional: a writer may have left it to the files to say how many rows they have. */
  private async countRows(add: AddAction): Promise<void> {
    if (rowsOf(add) !== null) return
    const uri = join(this.root, decodePath(this.root, add.path))
    const session = await this.engine.session()
    try {
      const rows = Number((await session.rows(`SELECT num_rows AS n FROM parquet_file_metadata(${filesSql([{ uri }])})`))[0]?.['n'])
      add.stats = JSON.stringify({ numRecords: rows })
    } finally {
      await session.close()
    }
  }

  /** @throws SluiceError TABLE_FOREIGN, TABLE_OTHER_LEDGER */
  private checkOwner(): void {
    const { state, ledger, root } = this
    const made = state.metaData?.configuration[MODEL_PROPERTY] !== undefined
    if (state.exists && this.model && !made) throw new SluiceError('TABLE_FOREIGN', `${root} is a table that no model made.`, { hint: 'Give the model another name.' })
    if (state.exists && !this.model && made) throw new SluiceError('TABLE_FOREIGN', `${root} is the table of a model: it follows from other tables and cannot be loaded.`, { hint: 'sluice models show prints it; load into a table of another name.' })
    if (!state.exists || this.adopting || this.model) return
    if (state.definition === null) {
      const made = [...state.foreign.values()].map(({ by }) => by)[0] ?? 'another writer'
      throw new SluiceError('TABLE_FOREIGN', state.batches.size === 0 ? `${root}: ${made} made this table, not Sluice.` : `${root}: ${made} took away what Sluice had written down about this table.`)
    }
    const apart = state.metaData?.partitionColumns.map(fold).join(',')
    if (apart !== (state.definition.partition ?? []).map((partition) => fold(partitionName(partition))).join(',')) throw new SluiceError('TABLE_UNSUPPORTED', `${root}: another writer changed the partition columns to ${apart || 'none'}.`)
    if (ledger !== null && state.ledger !== ledger) throw new SluiceError('TABLE_OTHER_LEDGER', `${root} belongs to the ledger ${state.ledger ?? '?'}, not to ${ledger}.`)
  }

  /**
   * No version 0 was met and no fold: a table that does not exist yet, or that another process has just made (true: its
   * first version is taken), somebody else's files, or a log that lost its beginning.
   * @throws SluiceError TABLE_BROKEN, TABLE_FOREIGN
   */
  private async isMadeMeanwhile(): Promise<boolean> {
    const { entries, checkpoints } = await listLog(this.root)
    if (entries.length > 0 || checkpoints.length > 0) {
      // Asked for by its name: a listing may lack what was made while it was read.
      if (await this.step()) return true
      throw new SluiceError('TABLE_BROKEN', `${this.root}: the log has no version 0, and there is neither a fold under _sluice/folds nor a checkpoint to begin with.`)
    }
    // Files of a first attempt that died carry our names: they are left-overs, not somebody's table.
    const foreign = ((await localFs.list(this.root)) ?? []).find(({ name }) => name.endsWith('.parquet') && attemptOf(name) === null)
    if (foreign !== undefined) throw new SluiceError('TABLE_FOREIGN', `${this.root} holds ${foreign.name} and no log: something other than Sluice put it there.`)
    return false
  }
}
