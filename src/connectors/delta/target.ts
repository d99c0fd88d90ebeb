/**
 * Delta Lake tables on the local disk: one folder per table under `root`, read by everything that reads Delta Lake.
 *
 * The log is the truth; `_sluice/` beside it holds what a reader does not need: batch records, losers, rejects, folds.
 */
import { join } from 'node:path'
import type { Definition } from '../../core/definition.ts'
import type { Clock, Random } from '../../core/effects.ts'
import type { Engine, Session, Staged, Standing } from '../../core/engine.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
import { joined } from '../../core/proposal.ts'
import type { Alteration, LeftOut } from '../../core/proposal.ts'
import type { Row } from '../../core/schema.ts'
import type { ApplyOptions, CommittedArrival, Finding, Head, Receipt, RejectRow, Table, Target } from '../../core/target.ts'
import { systemRandom } from '../../storage/system.ts'
import { adoptTable } from './adopt.ts'
import { isDue, writeCheckpoint } from './checkpoint.ts'
import { alterTable } from './alter.ts'
import { commitBatch, receiptIn } from './commit.ts'
import type { Committer } from './commit.ts'
import { deltaModels } from './models.ts'
import { OpenTable } from './opening.ts'
import { readRejects, readRows, tableFiles } from './reading.ts'
import { readRecord } from './record.ts'
import { garbageOf, verifyTable } from './verify.ts'
import type { TableState } from './state.ts'

/** @param options.root absolute path of the folder that holds the tables */
export function openDeltaTarget(options: { root: string; clock: Clock; random?: Random }): Target {
  const { root, clock, random = systemRandom } = options
  return {
    scheme: 'delta',
    partitions: true,
    schemas: false,
    uri: (table) => join(root, table),
    async open(table, ledger, engine, { adopt = false } = {}) {
      const opened = new DeltaTable(new OpenTable(join(root, table), ledger, engine, adopt), engine, clock, random)
      await opened.head()
      return opened
    },
    models: deltaModels({ root, clock, random }),
  }
}

class DeltaTable implements Table {
  readonly uri: string
  private readonly table: OpenTable
  private readonly engine: Engine
  private readonly clock: Clock
  private readonly random: Random
  private tail: Promise<unknown> = Promise.resolve()

  constructor(table: OpenTable, engine: Engine, clock: Clock, random: Random) {
    this.uri = table.root
    this.table = table
    this.engine = engine
    this.clock = clock
    this.random = random
  }

  private means(): Committer {
    const { table, engine, clock, random } = this
    return { table, engine, clock, random }
  }

  suits(): void {
    // Every type is a type of Delta's.
  }

  async head(): Promise<Head> {
    return headOf(await this.table.glance())
  }

  async dateField(): Promise<string | null> {
    return (await this.table.forward()).dateField
  }

  async highest(): Promise<bigint> {
    return (await this.table.forward()).highest
  }

  async committed(batch: string): Promise<Receipt | null> {
    return receiptIn(this.uri, await this.table.glance(), batch)
  }

  async standing(shas: readonly string[]): Promise<Map<string, Standing>> {
    const { contents } = await this.table.forward()
    return new Map(shas.flatMap((sha) => {
      const known = contents.get(sha)
      return known === undefined ? [] : [[sha, known] as const]
    }))
  }

  async latest(): Promise<readonly CommittedArrival[]> {
    const { batches } = await this.table.glance()
    for (const { record, sha256 } of [...batches.values()].toSorted((a, b) => b.version - a.version)) {
      const { arrivals } = await readRecord(this.uri, record, sha256)
      if (arrivals.length > 0) return arrivals
    }
    return []
  }

  /** Batches commit in the order of their numbers, so the records are read in the order of their lowest number. */
  async *arrivals(): AsyncGenerator<CommittedArrival> {
    const { batches } = await this.table.glance()
    const all: CommittedArrival[] = []
    for (const { record, sha256 } of batches.values()) all.push(...(await readRecord(this.uri, record, sha256)).arrivals)
    yield* all.toSorted((a, b) => a.seq - b.seq)
  }

  async *recent(): AsyncGenerator<CommittedArrival> {
    const { batches } = await this.table.glance()
    for (const { record, sha256 } of [...batches.values()].toSorted((a, b) => b.version - a.version)) {
      yield* (await readRecord(this.uri, record, sha256)).arrivals.toSorted((a, b) => b.seq - a.seq)
    }
  }

  /** One commit at a time in this process; other processes meet at the log. */
  apply(staged: Staged, definition: Definition, { signal }: ApplyOptions = {}): Promise<Receipt> {
    const turn = this.tail.then(async () => {
      const receipt = await commitBatch(this.means(), staged, definition, signal)
      await this.afterwards(receipt.version)
      return receipt
    })
    this.tail = turn.catch(() => undefined)
    return turn
  }

  adopt(definition: Definition, fence: number): Promise<void> {
    return adoptTable(this.means(), definition, fence)
  }

  async leftOut(): Promise<readonly LeftOut[]> {
    const { batches } = await this.table.glance()
    const all = new Map<string, LeftOut>()
    for (const { record, sha256 } of batches.values()) {
      for (const one of (await readRecord(this.uri, record, sha256)).leftOut ?? []) all.set(one.member, joined(all.get(one.member), one))
    }
    return [...all.values()]
  }

  /** A type of Delta's lies in every data file: another one would need them all written again. */
  takes(): boolean {
    return false
  }

  alter(decide: (head: Head) => Alteration): Promise<number> {
    const turn = this.tail.then(() => alterTable(this.means(), (state) => decide(headOf(state))))
    this.tail = turn.catch(() => undefined)
    return turn
  }

  /** Nothing here may turn a commit into a failure. */
  private async afterwards(version: number): Promise<void> {
    try {
      const state = await this.table.forward()
      if (state.version === version && isDue(state)) await writeCheckpoint(this.uri, state, this.means())
    } catch {
      // The next commit that is due tries again; doctor says what is wrong with the log itself.
    }
  }

  async *scan(limit: number | null): AsyncGenerator<Row[]> {
    const state = await this.table.forward()
    yield* this.reading((session) => readRows(session, state.schema, tableFiles(this.uri, state), limit, state.mixed ? state.highest : null))
  }

  async *losers(): AsyncGenerator<Row[]> {
    const { losers, schema } = await this.table.forward()
    const paths = losers.map(({ path }) => ({ uri: join(this.uri, path) }))
    yield* this.reading((session) => readRows(session, schema, paths, null))
  }

  private async *reading(read: (session: Session) => AsyncGenerator<Row[]>): AsyncGenerator<Row[]> {
    const session = await this.engine.session()
    try {
      yield* read(session)
    } finally {
      await session.close()
    }
  }

  async rejects(query: { batch?: string; limit: number; after?: bigint }): Promise<RejectRow[]> {
    const { rejects } = await this.table.forward()
    const wanted = rejects.filter(({ batch }) => query.batch === undefined || batch === query.batch)
    if (wanted.length === 0) return []
    const session = await this.engine.session()
    try {
      return await readRejects(session, new Map(wanted.map(({ path, batch }) => [join(this.uri, path), batch])), query)
    } finally {
      await session.close()
    }
  }

  verify(): Promise<Finding[]> {
    return verifyTable(this.table, this.engine)
  }

  garbage(): Promise<string[]> {
    return garbageOf(this.table)
  }

  async close(): Promise<void> {
    await this.tail
  }
}

function headOf(state: TableState): Head {
  const { exists, definition, schema, rows, ledger } = state
  return { exists, version: exists ? state.version : null, definition, schema, made: Math.max(0, state.fields.findIndex(({ name }) => name === PLACE_COLUMN)), rows, lanes: state.lanes(), ledger }
}
