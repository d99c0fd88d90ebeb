/**
 * One table on the stage of the contract: it writes records into files, makes batches of them, stages and applies them,
 * and compares the table with the reference model after every commit.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { define } from '../../src/core/definition.ts'
import type { Definition, DefinitionRequest } from '../../src/core/definition.ts'
import type { Batch, Engine, Staged } from '../../src/core/engine.ts'
import type { ModelWork } from '../../src/core/model.ts'
import type { ByDate, Covered } from '../../src/core/interval.ts'
import type { Row } from '../../src/core/schema.ts'
import type { ApplyOptions, Receipt, RejectRow, Table, Target } from '../../src/core/target.ts'
import { lookAt } from '../../src/storage/pin.ts'
import { contentOf, model, showRow } from '../reference.ts'
import type { ModelArrival } from '../reference.ts'
import { parseJson } from '../typing.ts'
import { BY_ITSELF } from '../../src/core/reading.ts'

/** A target with an engine, as a target's own test file provides them. */
export interface Variant {
  engine: Engine
  /**
   * The target as a process of its own would see it: every call opens anew, and sees what the others committed.
   * @param ledger id that is given to `open` as well
   * @param scene number of the scene whose table it is; scenes of one test share a database
   */
  target(ledger: string, scene: number): Target
  /** An engine whose children run with SLUICE_TAMPER=`spec`; the suite closes it. In-process engines: a fresh one. */
  tampered(spec: string): Engine
  /** False: decimals are text there, so they can be no key and decide no winner. */
  exactDecimals?: false
  /** False: a text cannot hold a NUL there, so a record that has one is put aside. */
  nulText?: false
  /** Rows of a delta as `id v`; only where the target fills deltas. */
  deltaRows?(name: string, scene: Scene): Promise<string[]>
  /** Folder for input files and parts; removed by `dispose`. */
  folder: string
  dispose(): Promise<void>
}

/** An arrival: its number and the JSON text (or the value) of each of its records. */
export interface Delivery {
  seq: number
  records: readonly unknown[]
  reload?: boolean
  /** It is partly in already, under this number. */
  again?: true
  /** Bytes of a JSON document in place of lines; `records` says what it holds. */
  document?: string
}

export interface BatchOptions {
  id?: string
  lane?: number
  fence?: number
  engine?: Engine
  table?: Table
  models?: ModelWork
  dates?: ByDate
  apply?: ApplyOptions
}

let files = 0
let scenes = 0

export class Scene {
  readonly variant: Variant
  /** Of the table; a test that alters the table puts the new one in its place. */
  definition: Definition
  readonly ledger: string
  readonly number = ++scenes
  table!: Table
  /** What the model takes as committed. */
  readonly committed: ModelArrival[] = []
  #delivered = new Map<number, ModelArrival>()
  #fence = 0

  private constructor(variant: Variant, definition: Definition, ledger: string) {
    this.variant = variant
    this.definition = definition
    this.ledger = ledger
  }

  static async open(variant: Variant, request: DefinitionRequest, ledger = 'l_contract'): Promise<Scene> {
    const scene = new Scene(variant, define(`t${++files}`, request), ledger)
    scene.table = await scene.another()
    scene.table.suits(scene.definition)
    return scene
  }

  /** The table through a handle of its own, as another process has it. */
  another(engine: Engine = this.variant.engine, ledger: string | null = this.ledger, options: { adopt?: boolean } = {}): Promise<Table> {
    return this.variant.target(ledger ?? this.ledger, this.number).open(this.definition.table, ledger, engine, options)
  }

  batch(deliveries: readonly Delivery[], options: BatchOptions = {}): Batch {
    const arrivals = deliveries.toSorted((a, b) => a.seq - b.seq).map(({ seq, records, reload = false, again = false, document }) => {
      const texts = records.map((record) => (typeof record === 'string' ? record : JSON.stringify(record)))
      const bytes = document ?? texts.map((text) => `${text}\n`).join('')
      const uri = join(this.variant.folder, `${this.definition.table}-${seq}-${++files}${document === undefined ? '.ndjson' : '.json'}`)
      writeFileSync(uri, bytes)
      // Blank lines are no records; a test that needs other bytes for the same records adds one.
      const parsed = texts.filter((text) => text.trim() !== '').map(parsedOr)
      if (!again) this.#delivered.set(seq, { seq, content: contentOf(bytes, reload ? seq : 0), records: parsed })
      const pin = lookAt(uri)
      assert.ok(pin !== null)
      return { seq, pin, reload, replaced: false, ...(again ? { content: { sha256: contentOf(bytes).slice(0, 64), generation: 0 } } : {}) }
    })
    const fence = options.fence ?? ++this.#fence
    return { id: options.id ?? `b_${this.definition.table}${fence}x${files}`, lane: options.lane ?? 0, fence, table: this.definition.table, arrivals }
  }

  async stage(batch: Batch, options: BatchOptions = {}): Promise<Staged> {
    const table = options.table ?? this.table
    const head = await table.head()
    const folder = join(this.variant.folder, `${batch.id}-${++files}`)
    mkdirSync(folder)
    const covered = await coveredBefore(table, batch)
    const job = {
      ...(options.dates === undefined ? {} : { dates: options.dates }), covered,
      batch, attempt: files, definition: this.definition, pinned: head.exists ? head.schema : null, folder,
      reading: BY_ITSELF, onBad: 'quarantine' as const, maxBad: null, now: Date.now(), grace: 0,
      standing: (shas: readonly string[]) => table.standing(shas), reloaded: new Set<string>(),
    }
    return (options.engine ?? this.variant.engine).stage(job, () => {}, new AbortController().signal)
  }

  /** Stages and commits; the model learns what became of it. */
  async load(deliveries: readonly Delivery[], options: BatchOptions = {}): Promise<Receipt> {
    return this.commit(await this.stage(this.batch(deliveries, options), options), options)
  }

  async commit(staged: Staged, options: BatchOptions = {}): Promise<Receipt> {
    const models = options.models === undefined ? {} : { models: options.models }
    const receipt = await (options.table ?? this.table).apply(staged, this.definition, { ...models, ...options.apply })
    for (const { seq, dates } of receipt.arrivals) {
      const arrival = this.#delivered.get(seq)
      if (arrival !== undefined && (dates !== undefined || arrival.commits !== undefined)) arrival.commits = [...(arrival.commits ?? []), dates]
      if (arrival !== undefined && !this.committed.includes(arrival)) this.committed.push(arrival)
    }
    return receipt
  }

  async rows(table: Table = this.table): Promise<Row[]> {
    return collect(table.scan(null))
  }

  async losers(): Promise<Row[]> {
    return collect(this.table.losers())
  }

  async rejects(): Promise<RejectRow[]> {
    return this.table.rejects({ limit: 1_000_000 })
  }

  /** The table is what the model says, and nothing is lost: rows, losers and rejects are all records, each once. */
  async check(table: Table = this.table): Promise<void> {
    const head = await table.head()
    const expected = model(this.definition, head.schema, this.committed)
    const rows = await collect(table.scan(null))
    const losers = await collect(table.losers())
    const rejects = await table.rejects({ limit: 1_000_000 })
    const keyed = this.definition.keep !== null
    const shown = (list: readonly Row[]): string[] => list.map((row) => showRow(keyed ? row.slice(0, -1) : row)).toSorted()
    assert.deepEqual(shown(rows), shown(expected.rows), 'the table is what the model says')
    assert.equal(head.rows, rows.length)
    const repeated = new Set(rejects.filter((one) => one.code === 'KEY_REPEATED').map((one) => one.place))
    const seen = [...rows, ...losers].map(showRow)
    const all = expected.good.filter((row) => !repeated.has(row.at(-1) as bigint)).map(showRow)
    assert.deepEqual(seen.toSorted(), all.toSorted(), 'rows and losers are the good records, each once')
    const places = rejects.map((one) => one.place).filter((place) => !repeated.has(place))
    assert.deepEqual(places, expected.bad.toSorted((a, b) => Number(a - b)), 'rejects are the bad records, each once')
    if (repeated.size > 0) assert.equal(this.definition.keep?.rule, 'error')
    assert.deepEqual(rows.map((row) => row.at(-1)), rows.map((row) => row.at(-1) as bigint).toSorted((a, b) => Number(a - b)), 'place order')
    const broken = (await table.verify()).filter((finding) => finding.grade === 'broken')
    assert.deepEqual(broken, [])
  }
}

/** What the table has of arrivals of which some dates are in. */
async function coveredBefore(table: Table, { arrivals }: Batch): Promise<Map<number, Covered>> {
  const shas = arrivals.flatMap(({ content }) => content?.sha256 ?? [])
  const standing = await table.standing(shas)
  return new Map(arrivals.flatMap(({ seq, content }) => {
    const covered = standing.get(content?.sha256 ?? '')?.covered
    return covered === undefined ? [] : [[seq, covered] as const]
  }))
}

function parsedOr(text: string): ReturnType<typeof parseJson> {
  try {
    return parseJson(text)
  } catch {
    // Not JSON: the model puts everything aside that is no object.
    return 'not JSON'
  }
}

export async function collect(chunks: AsyncIterable<Row[]>): Promise<Row[]> {
  const rows: Row[] = []
  for await (const chunk of chunks) rows.push(...chunk)
  return rows
}

const TERMS = ['inserted', 'updated', 'duplicate', 'stale', 'quarantined'] as const
type Counts = Partial<Record<(typeof TERMS)[number], number>>

/** Asserts the counts of each arrival of a receipt, terms that are absent being 0; and that `read` is their sum. */
export function counted(receipt: Receipt, expected: Readonly<Record<number, Counts>>): void {
  const seen = receipt.arrivals.map(({ seq, counts }) => [seq, { ...counts }])
  const wanted = Object.entries(expected).map(([seq, counts]) => {
    const terms = { inserted: 0, updated: 0, duplicate: 0, stale: 0, skipped: 0, quarantined: 0, ...counts }
    return [Number(seq), { read: Object.values(terms).reduce((a, b) => a + b, 0), ...terms }]
  })
  assert.deepEqual(seen, wanted)
}
