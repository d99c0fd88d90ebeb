/**
 * The target port in memory: the reference for the real ones. Every commit builds a whole new state from the old one,
 * counts what it built, checks the balance, and then puts the state in place: that assignment is the commit point.
 */
import { addBalance, checkBalance, noBalance } from '../../src/core/balance.ts'
import type { Balance } from '../../src/core/balance.ts'
import { sameDefinition } from '../../src/core/definition.ts'
import type { Definition } from '../../src/core/definition.ts'
import type { Engine, Staged, Standing } from '../../src/core/engine.ts'
import { SluiceError } from '../../src/core/errors.ts'
import { tampering } from '../../src/core/failpoint.ts'
import { joinCovered, mayEnter } from '../../src/core/interval.ts'
import { seqOf } from '../../src/core/place.ts'
import { checkAlteration, joined } from '../../src/core/proposal.ts'
import type { Alteration, LeftOut } from '../../src/core/proposal.ts'
import { describeSchema, fits, fold, mergeSchema } from '../../src/core/schema.ts'
import type { Row, Schema } from '../../src/core/schema.ts'
import { isJsonText } from '../../src/core/types.ts'
import type { ApplyOptions, CommittedArrival, DeltaOf, Finding, Head, Receipt, RejectRow, Table, Target } from '../../src/core/target.ts'
import { keyOf, resolve, splitRow } from './resolve.ts'
import type { Outcome } from './resolve.ts'

/** One version of one table; never changed once it is in place. Rows: values of the schema, then the place. */
export interface State {
  version: number
  ledger: string
  definition: Definition
  schema: Schema
  made: number
  rows: readonly Row[]
  losers: readonly Row[]
  rejects: readonly RejectRow[]
  receipts: ReadonlyMap<string, Receipt>
  lanes: ReadonlyMap<number, number>
  highest: bigint
  /** Rows that left the table because a batch replaced all of it. */
  gone: number
  /** What a run brought, by the name of its delta. */
  deltas: ReadonlyMap<string, { run: string; rows: readonly Row[] }>
}

/** Tables by name. Shared by targets that stand for several processes. */
export type Store = Map<string, State>

export function memoryTarget(store: Store): Target {
  const uri = (table: string): string => `memory:${table}`
  return {
    scheme: 'memory',
    partitions: true,
    schemas: false,
    uri,
    async open(name, ledger, engine, { adopt = false } = {}) {
      const table = new MemoryTable(store, name, ledger, engine, adopt)
      table.state()
      return table
    },
  }
}

class MemoryTable implements Table {
  readonly uri: string
  readonly #store: Store
  readonly #name: string
  /** Null: for reading only. */
  readonly #ledger: string | null
  readonly #engine: Engine
  #adopting: boolean

  constructor(store: Store, name: string, ledger: string | null, engine: Engine, adopting: boolean) {
    this.#adopting = adopting
    this.uri = `memory:${name}`
    this.#store = store
    this.#name = name
    this.#ledger = ledger
    this.#engine = engine
  }

  /** The newest state, checked to be ours. @throws SluiceError TABLE_OTHER_LEDGER */
  state(): State | undefined {
    const state = this.#store.get(this.#name)
    if (state !== undefined && !this.#adopting && this.#ledger !== null && state.ledger !== this.#ledger) {
      throw new SluiceError('TABLE_OTHER_LEDGER', `${this.uri} belongs to the ledger ${state.ledger}, not to ${this.#ledger}.`)
    }
    return state
  }

  suits(): void {}

  async head(): Promise<Head> {
    return this.#head()
  }

  async dateField(): Promise<string | null> {
    return this.#arrivals().flatMap(({ dates }) => dates?.field ?? [])[0] ?? null
  }

  async highest(): Promise<bigint> {
    return this.state()?.highest ?? 0n
  }

  #head(): Head {
    const state = this.state()
    if (state === undefined) {
      return { exists: false, version: null, definition: null, schema: [], made: 0, rows: 0, lanes: new Map(), ledger: null }
    }
    const { version, definition, schema, rows, lanes, ledger } = state
    return { exists: true, version, definition, schema, made: this.state()?.made ?? 0, rows: rows.length, lanes, ledger }
  }

  async committed(batch: string): Promise<Receipt | null> {
    return this.state()?.receipts.get(batch) ?? null
  }

  async standing(shas: readonly string[]): Promise<Map<string, Standing>> {
    return new Map(shas.flatMap((sha) => {
      const stands = this.#standing(sha)
      return stands === undefined ? [] : [[sha, stands] as const]
    }))
  }

  /** What is in of the newest generation of these bytes, by all of its commits. */
  #standing(sha: string): Standing | undefined {
    const all = this.#arrivals().filter((one) => one.sha256 === sha)
    const generation = Math.max(...all.map((one) => one.generation))
    const newest = all.filter((one) => one.generation === generation)
    const [first] = newest
    if (first === undefined) return undefined
    let covered: Standing['covered']
    for (const { dates, counts } of newest) covered = joinCovered(covered, dates, counts.read)
    return { generation, seq: first.seq, ...(covered === undefined ? {} : { covered }) }
  }

  async latest(): Promise<readonly CommittedArrival[]> {
    const receipts = [...(this.state()?.receipts.values() ?? [])].filter(({ arrivals }) => arrivals.length > 0)
    return receipts.toSorted((a, b) => b.version - a.version)[0]?.arrivals ?? []
  }

  async *arrivals(): AsyncGenerator<CommittedArrival> {
    yield* this.#arrivals()
  }

  async *recent(): AsyncGenerator<CommittedArrival> {
    yield* this.#arrivals().toReversed()
  }

  #arrivals(): CommittedArrival[] {
    const receipts = [...(this.state()?.receipts.values() ?? [])].toSorted((a, b) => a.version - b.version)
    return receipts.flatMap((receipt) => receipt.arrivals).toSorted((a, b) => a.seq - b.seq)
  }

  async apply(staged: Staged, definition: Definition, { signal, delta }: ApplyOptions = {}): Promise<Receipt> {
    signal?.throwIfAborted()
    const before = this.state()
    const { batch } = staged
    if (this.#ledger === null) throw new SluiceError('INTERNAL', `${this.uri} was opened for reading.`)
    const first = before?.receipts.get(batch.id)
    if (first !== undefined) return first
    const loaded = staged.outcomes.filter((outcome) => outcome.state === 'loaded')
    const nothing = { batch: batch.id, version: before?.version ?? 0, arrivals: [], evicted: 0, reasons: {}, faults: [], rewritten: 0 }
    if (loaded.length === 0) return nothing
    this.#refuse(before, staged)
    this.#refuseDelta(delta)
    if (before !== undefined) sameDefinition(before.definition, definition)

    const schema = mergeSchema(before?.schema ?? [], staged.schema)
    const winners = distort('resolve', (await collect(this.#engine.read(staged, 'winners'))).map((row) => widen(row, staged.schema, schema)))
    const losers = (await collect(this.#engine.read(staged, 'losers'))).map((row) => widen(row, staged.schema, schema))
    const rejected = (await collect(this.#engine.rejects(staged))).map((row) => rejectOf(row, batch.id))
    const replaces = definition.mode === 'replace'
    const rows = (replaces ? [] : (before?.rows ?? [])).map((row) => widen(row, before?.schema ?? [], schema))
    const history = (before?.losers ?? []).map((row) => widen(row, before?.schema ?? [], schema))
    const resolution = resolve(definition, schema, { rows, history, winners, losers })
    const written = { ...resolution, decided: distort('write', resolution.decided) }

    // From here on only what is written counts.
    const kept = rows.length - written.replaced.length
    const entering = written.decided.filter((one) => one.what === 'inserted' || one.what === 'updated')
    const leaving = definition.keep?.rule === 'error' ? [] : written.replaced
    const evicted = definition.keep?.rule === 'error' ? written.replaced : []
    const repeated = [...written.decided.filter((one) => one.what === 'repeated').map((one) => one.row), ...evicted]
    const repeats = repeated.map((row) => repeatOf(row, schema, batch.id))
    const replaced = new Set(written.replaced)
    const after = [...rows.filter((row) => !replaced.has(row)), ...entering.map((one) => one.row)].toSorted(byPlace)
    const counts = countsOf(staged, written.decided, rejected)
    checkBalance(counts, { before: rows.length, after: after.length })
    if (kept + entering.length !== after.length) throw new SluiceError('BALANCE_BROKEN', `${this.uri}: rows left that nothing replaced.`)
    const keys = new Set(after.map((row) => keyOf(definition, schema, row)))
    if (definition.keep !== null && keys.size !== after.length) throw new SluiceError('BALANCE_BROKEN', `${this.uri} would hold a key twice.`)

    const own = repeats.filter((one) => !evicted.some((row) => splitRow(row).place === one.place))
    const receipt: Receipt = {
      batch: batch.id,
      version: (before?.version ?? 0) + 1,
      arrivals: arrivalsOf(staged, counts),
      evicted: evicted.length,
      reasons: own.length === 0 ? {} : { KEY_REPEATED: own.length },
      faults: own.slice(0, 100),
      rewritten: 0,
      ...(staged.leftOut.length === 0 ? {} : { leftOut: staged.leftOut }),
    }
    const lost = written.decided.filter((one) => one.what === 'duplicate' || one.what === 'stale').map((one) => one.row)
    const highest = [before?.highest ?? 0n, staged.places?.highest ?? 0n].reduce((a, b) => (a > b ? a : b))
    this.#store.set(this.#name, {
      version: receipt.version,
      ledger: this.#ledger,
      definition: before?.definition ?? definition,
      schema,
      made: before?.made ?? schema.length,
      rows: after,
      losers: [...history, ...lost, ...leaving].toSorted(byPlace),
      rejects: [...(before?.rejects ?? []), ...rejected, ...repeats].toSorted((a, b) => (a.place < b.place ? -1 : 1)),
      receipts: new Map([...(before?.receipts ?? []), [batch.id, receipt]]),
      lanes: new Map([...(before?.lanes ?? []), [batch.lane, batch.fence]]),
      highest,
      gone: (before?.gone ?? 0) + (replaces ? (before?.rows.length ?? 0) : 0),
      deltas: deltasAfter(before?.deltas, delta, entering.map((one) => one.row), written.replaced),
    })
    return receipt
  }

  /** @throws SluiceError TARGET_INVALID */
  #refuseDelta(delta: DeltaOf | undefined): void {
    const others = [...this.#store].flatMap(([name, { deltas }]) => [name, ...(name === this.#name ? [] : deltas.keys())])
    if (delta !== undefined && [this.#name, ...others].includes(delta.table)) throw new SluiceError('TARGET_INVALID', `--delta ${delta.table}: something else has this name.`)
  }

  async settleDelta(delta: DeltaOf): Promise<void> {
    this.#refuseDelta(delta)
    const state = this.state()
    if (state !== undefined) this.#store.set(this.#name, { ...state, deltas: deltasAfter(state.deltas, delta, [], []) })
  }

  async adopt(_: Definition, fence: number): Promise<void> {
    const state = this.state()
    const of = [...this.#store].find(([, { deltas }]) => deltas.has(this.#name))?.[0]
    if (of !== undefined) throw new SluiceError('TABLE_FOREIGN', `${this.uri} is the delta of ${of}.`)
    if (state === undefined) throw new SluiceError('NOT_FOUND', `There is no table ${this.uri}.`)
    if (this.#ledger === null) throw new SluiceError('INTERNAL', `${this.uri} was opened for reading.`)
    if (state.ledger !== this.#ledger) this.#store.set(this.#name, { ...state, ledger: this.#ledger, version: state.version + 1, lanes: new Map([[0, Math.max(fence, (state.lanes.get(0) ?? 0) + 1)]]) })
    this.#adopting = false
  }

  /** What stands against this commit. @throws SluiceError FENCED, ARRIVAL_COMMITTED, SCHEMA_MOVED */
  #refuse(before: State | undefined, staged: Staged): void {
    const { batch } = staged
    const fence = before?.lanes.get(batch.lane)
    if (fence !== undefined && fence >= batch.fence) {
      throw new SluiceError('FENCED', `${this.uri}: lane ${batch.lane} is at fence ${fence}, batch ${batch.id} has ${batch.fence}.`)
    }
    const inside = this.#arrivals()
    for (const outcome of staged.outcomes.filter((one) => one.state === 'loaded')) {
      const stands = outcome.sha256 === null ? undefined : this.#standing(outcome.sha256)
      if (!mayEnter(outcome, stands, inside.some((one) => one.seq === outcome.seq))) throw new SluiceError('ARRIVAL_COMMITTED', `${this.uri}: arrival ${outcome.seq} is in already.`)
    }
    if (before !== undefined && !fits(staged.schema, before.schema)) {
      throw new SluiceError('SCHEMA_MOVED', `${this.uri} has ${describeSchema(before.schema)}, the batch ${describeSchema(staged.schema)}.`)
    }
  }

  async leftOut(): Promise<readonly LeftOut[]> {
    const all = new Map<string, LeftOut>()
    for (const receipt of this.state()?.receipts.values() ?? []) for (const one of receipt.leftOut ?? []) all.set(one.member, joined(all.get(one.member), one))
    return [...all.values()]
  }

  takes(): boolean {
    return false
  }

  async alter(decide: (head: Head) => Alteration): Promise<number> {
    const state = this.state()
    if (state === undefined) throw new SluiceError('NOT_FOUND', `There is no table ${this.uri} yet.`)
    const { definition, schema } = decide(this.#head())
    checkAlteration(this.uri, state.schema, schema, () => false)
    const wide = (rows: readonly Row[]): Row[] => rows.map((row) => widen(row, state.schema, schema))
    const version = state.version + 1
    this.#store.set(this.#name, { ...state, version, definition, schema, rows: wide(state.rows), losers: wide(state.losers) })
    return version
  }

  async *scan(limit: number | null): AsyncGenerator<Row[]> {
    const rows = this.state()?.rows ?? []
    yield rows.slice(0, limit ?? rows.length)
  }

  async rejects(query: { batch?: string; limit: number; after?: bigint }): Promise<RejectRow[]> {
    const { batch, limit, after } = query
    const found = (this.state()?.rejects ?? []).filter((one) => (batch === undefined || one.batch === batch) && (after === undefined || one.place > after))
    return found.slice(0, limit)
  }

  async *losers(): AsyncGenerator<Row[]> {
    yield [...(this.state()?.losers ?? [])]
  }

  garbage(): Promise<string[]> {
    return Promise.resolve([])
  }

  /** Every good or bad record is in exactly one of rows, losers and rejects, and as many as were read. */
  async verify(): Promise<Finding[]> {
    const state = this.state()
    if (state === undefined) return []
    const total = this.#arrivals().reduce((sum, arrival) => addBalance(sum, arrival.counts), noBalance())
    const places = [...state.rows, ...state.losers].map((row) => splitRow(row).place).concat(state.rejects.map((one) => one.place))
    const broken = (message: string): Finding => ({ grade: 'broken', path: this.uri, message })
    const findings: Finding[] = []
    if (places.length + state.gone !== total.read - total.skipped) findings.push(broken(`${places.length} records are kept, ${total.read - total.skipped} were committed`))
    if (new Set(places).size !== places.length) findings.push(broken('a place is kept twice'))
    if (state.rows.length + state.gone !== total.inserted) findings.push(broken(`${state.rows.length} rows, ${total.inserted} inserted`))
    return findings
  }

  async close(): Promise<void> {}
}

/** Deltas after a commit: rows that came in, less those of the run that left the table again. */
function deltasAfter(before: State['deltas'] | undefined, delta: DeltaOf | undefined, came: readonly Row[], left: readonly Row[]): State['deltas'] {
  const after = new Map(before ?? [])
  if (delta === undefined) return after
  const known = after.get(delta.table)
  const gone = new Set(left.map((row) => splitRow(row).place))
  const stay = known?.run === delta.run ? known.rows.filter((row) => !gone.has(splitRow(row).place)) : []
  return after.set(delta.table, { run: delta.run, rows: [...stay, ...came].toSorted(byPlace) })
}

/** Loses or doubles one element where a test asks for it. */
function distort<T>(point: string, list: readonly T[]): T[] {
  const how = tampering(point)
  return how === 'drop' ? list.slice(1) : how === 'double' ? [...list.slice(0, 1), ...list] : [...list]
}

async function collect(chunks: AsyncIterable<Row[]>): Promise<Row[]> {
  const rows: Row[] = []
  for await (const chunk of chunks) rows.push(...chunk)
  return rows
}

/** A row of one schema in the columns of another; columns that it lacks are null. */
function widen(row: Row, from: Schema, to: Schema): Row {
  const values = to.map((column) => {
    const at = from.findIndex((other) => fold(other.name) === fold(column.name))
    return at < 0 ? null : (row[at] ?? null)
  })
  return [...values, splitRow(row).place]
}

function byPlace(a: Row, b: Row): number {
  return splitRow(a).place < splitRow(b).place ? -1 : 1
}

function rejectOf(row: Row, batch: string): RejectRow {
  const [place, offset, code, column, value, message, raw] = row
  const text = (one: unknown): string | null => (one === null || one === undefined ? null : String(one))
  return {
    batch, place: place as bigint, offset: offset === null ? null : Number(offset), code: String(code),
    column: text(column), value: text(value), message: String(message), raw: text(raw),
  }
}

function repeatOf(row: Row, schema: Schema, batch: string): RejectRow {
  const { values, place } = splitRow(row)
  const members = schema.map((column, index) => {
    const value = values[index] ?? null
    const text = typeof value === 'bigint' || (isJsonText(column.type) && value !== null) ? String(value) : JSON.stringify(value)
    return `${JSON.stringify(column.name)}:${text}`
  })
  const message = 'Another record of this key, with other content, came first.'
  return { batch, place, offset: null, code: 'KEY_REPEATED', column: null, value: null, message, raw: `{${members.join(',')}}` }
}

/** One balance per loaded arrival, every term counted from the rows it names. */
function countsOf(staged: Staged, decided: readonly { what: Outcome; row: Row }[], rejected: readonly RejectRow[]): Map<number, Balance> {
  const counts = new Map<number, Balance>()
  for (const outcome of staged.outcomes) {
    if (outcome.state === 'loaded') counts.set(outcome.seq, { ...noBalance(), read: outcome.read, skipped: outcome.skipped })
  }
  const of = (place: bigint): Balance => {
    const balance = counts.get(seqOf(place))
    if (balance === undefined) throw new SluiceError('BALANCE_BROKEN', `A row of the arrival ${seqOf(place)}, which is not loaded.`)
    return balance
  }
  for (const { what, row } of decided) of(splitRow(row).place)[what === 'repeated' ? 'quarantined' : what]++
  for (const one of rejected) of(one.place).quarantined++
  return counts
}

function arrivalsOf(staged: Staged, counts: ReadonlyMap<number, Balance>): CommittedArrival[] {
  return staged.outcomes.flatMap((outcome) => {
    const pin = staged.batch.arrivals.find((arrival) => arrival.seq === outcome.seq)?.pin
    const balance = counts.get(outcome.seq)
    if (pin === undefined || balance === undefined || outcome.sha256 === null) return []
    return [{ seq: outcome.seq, sha256: outcome.sha256, generation: outcome.generation, path: pin.uri, size: pin.size, counts: balance, ...(outcome.dates === undefined ? {} : { dates: outcome.dates }) }]
  })
}
