/** A table of a scene with models on top of it, as the contract of models plays it. */
import assert from 'node:assert/strict'
import type { DefinitionRequest } from '../../src/core/definition.ts'
import type { Model, ModelOutcome, ModelState } from '../../src/core/model.ts'
import type { Value } from '../../src/core/schema.ts'
import type { ModelKeeper } from '../../src/core/target.ts'
import { inOrder } from '../../src/models/graph.ts'
import { readModel } from '../../src/models/header.ts'
import { Scene } from './scene.ts'
import type { Delivery, Variant } from './scene.ts'

export interface ModelVariant extends Variant {
  /** The UTC day of a timestamp column, in the SQL of the target. */
  day(column: string): string
  /** Models are refreshed in the transaction of the rows. */
  inside: boolean
  /** Histories of the property; fewer where every look opens the file anew. */
  runs?: number
}

export const UPSERT: DefinitionRequest = { key: 'id', mode: 'upsert', columns: 'id:int64,name:string,ts:timestamp,n:int64' }
let names = 0

/** A table of a scene, with models on top of it. */
export class ModelScene {
  readonly scene: Scene
  readonly variant: ModelVariant
  readonly keeper: ModelKeeper
  readonly tag = `x${++names}`
  models: Model[] = []
  private constructor(scene: Scene, variant: ModelVariant, keeper: ModelKeeper) {
    this.scene = scene
    this.variant = variant
    this.keeper = keeper
  }

  static async open(variant: ModelVariant, request: DefinitionRequest = UPSERT): Promise<ModelScene> {
    const scene = await Scene.open(variant, request)
    const keeper = variant.target(scene.ledger, scene.number).models
    assert.ok(keeper !== undefined)
    return new ModelScene(scene, variant, keeper)
  }

  get table(): string {
    return this.scene.definition.table
  }

  /** Names of models begin with a word; `$t` and `$<word>` in header and SQL are the table and other models of the scene. */
  model(word: string, header: readonly string[], sql: string): Model {
    const filled = (text: string): string => text.replaceAll(/\$t\b/g, this.table).replaceAll(/\$([a-z]+)/g, `$1_${this.tag}`)
    return readModel(`${word}.sql`, filled(`-- model: $${word}\n${header.map((line) => `-- ${line}\n`).join('')}\n${sql}`))
  }

  use(...models: Model[]): void {
    this.models = inOrder(models)
  }

  name(word: string): string {
    return `${word}_${this.tag}`
  }

  /** Commits, and brings the models up to date as a load does; afterwards there is nothing left to do. */
  async load(...deliveries: Delivery[]): Promise<Map<string, ModelOutcome>> {
    const work = { models: this.models, now: 1000 }
    const receipt = await this.scene.load(deliveries, { models: work })
    if (this.variant.inside) assert.ok(receipt.models !== undefined)
    const outcomes = await this.refresh()
    const fresh = new Map((receipt.models ?? []).map((one) => [one.name.replace(`_${this.tag}`, ''), one]))
    return new Map([...outcomes].map(([word, one]) => [word, one.how === 'none' && one.state === 'fresh' ? (fresh.get(word) ?? one) : one]))
  }

  async refresh(options: { full?: boolean; retry?: boolean } = {}): Promise<Map<string, ModelOutcome>> {
    const outcomes = await this.keeper.refresh({ models: this.models, now: 2000, ...options }, this.variant.engine)
    return new Map(outcomes.map((one) => [one.name.replace(`_${this.tag}`, ''), one]))
  }

  /** Rows of a model as text, sorted. */
  async rows(word: string): Promise<string[]> {
    const { rows } = await this.keeper.rows(this.name(word), 1_000_000, this.variant.engine)
    return rows.map((row) => row.map(shown).join(' ')).toSorted()
  }

  /** @param models those whose files are at hand */
  async state(word: string, models = this.models): Promise<ModelState | undefined> {
    return (await this.keeper.states(models, this.variant.engine)).find(({ name }) => name === this.name(word))
  }
}

function shown(value: Value): string {
  return value === null ? '-' : String(value)
}

export const brief = (outcome: ModelOutcome | undefined): unknown[] => [outcome?.state, outcome?.how, outcome?.groups]
