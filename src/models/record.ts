/**
 * What Sluice remembers of each model in a database: one row of its own table, written in the transaction that refreshed
 * the model, so that a reader always knows which version of each input the rows come from.
 */
import type { Model, ModelState } from '../core/model.ts'
import { quoteText } from '../sql/quote.ts'
import { rows, run } from './dialect.ts'
import type { ModelDialect, Steps } from './dialect.ts'

export interface ModelRecord {
  name: string
  hash: string
  /** Version of each input that the rows come from. */
  inputs: ReadonlyMap<string, number>
  /** Grows with every refresh: what a model that reads this one holds. */
  version: number
  /** Null: there is no table. */
  rows: number | null
  state: 'fresh' | 'failed' | 'waiting'
  message: string | null
  /** Milliseconds since 1970. */
  refreshed: number | null
  /** What failed: definition and versions; the same is not tried again by a load. */
  tried: string | null
  /** Its groups were found to stand alone. */
  proven: boolean
}

/** The body of CREATE TABLE for a dialect's own table. */
export const RECORD_COLUMNS = 'name TEXT PRIMARY KEY, hash TEXT NOT NULL, inputs TEXT NOT NULL, version BIGINT NOT NULL, row_count BIGINT, state TEXT NOT NULL, message TEXT, refreshed BIGINT, tried TEXT, proven INTEGER NOT NULL'

export function forgotten(name: string): ModelRecord {
  return { name, hash: '', inputs: new Map(), version: 0, rows: null, state: 'waiting', message: null, refreshed: null, tried: null, proven: false }
}

/** Names what a refresh started from. */
export function inputsKey(hash: string, inputs: ReadonlyMap<string, number>): string {
  return JSON.stringify([hash, ...[...inputs].toSorted(([a], [b]) => (a < b ? -1 : 1))])
}

export function* readRecords(dialect: Pick<ModelDialect, 'own'>): Steps<Map<string, ModelRecord>> {
  const number = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value))
  const text = (value: unknown): string | null => (value === null || value === undefined ? null : String(value))
  const found = yield* rows(`SELECT name, hash, inputs, version, row_count, state, message, refreshed, tried, proven FROM ${dialect.own}`)
  return new Map(found.map((row) => {
    const state = String(row['state'])
    const record: ModelRecord = {
      name: String(row['name']), hash: String(row['hash']), version: Number(row['version']), rows: number(row['row_count']),
      inputs: new Map(Object.entries(JSON.parse(String(row['inputs'])) as Record<string, number>)),
      state: state === 'failed' || state === 'waiting' ? state : 'fresh',
      message: text(row['message']), refreshed: number(row['refreshed']), tried: text(row['tried']), proven: Number(row['proven']) === 1,
    }
    return [record.name, record]
  }))
}

export function* record(dialect: Pick<ModelDialect, 'own'>, entry: ModelRecord): Steps<void> {
  const text = (value: string | null): string => (value === null ? 'NULL' : quoteText(value.replaceAll('\0', '')))
  const values = [text(entry.name), text(entry.hash), text(JSON.stringify(Object.fromEntries(entry.inputs))), entry.version, entry.rows ?? 'NULL', text(entry.state), text(entry.message), entry.refreshed ?? 'NULL', text(entry.tried), entry.proven ? 1 : 0]
  yield* run('models.forget', `DELETE FROM ${dialect.own} WHERE name = ${text(entry.name)}`)
  yield* run('models.record', `INSERT INTO ${dialect.own} (name, hash, inputs, version, row_count, state, message, refreshed, tried, proven) VALUES (${values.join(', ')})`)
}

/** For listings: what is remembered, beside the versions that the inputs have now. Changes nothing. */
export function* modelStates(dialect: Pick<ModelDialect, 'own' | 'version'>, models: readonly Model[]): Steps<ModelState[]> {
  const known = yield* readRecords(dialect)
  const written = new Map(models.map((model) => [model.name, model]))
  const states: ModelState[] = []
  for (const name of [...new Set([...known.keys(), ...written.keys()])].toSorted()) {
    const entry = known.get(name)
    const model = written.get(name)
    const inputs: ModelState['inputs'][number][] = []
    for (const input of model?.inputs ?? entry?.inputs.keys() ?? []) {
      const other = known.get(input)
      const found = other === undefined ? (yield* rows(dialect.version(input)))[0]?.['version'] : other.rows === null ? null : other.version
      inputs.push({ name: input, held: entry?.inputs.get(input) ?? null, now: found === undefined || found === null ? null : Number(found) })
    }
    const hash = model?.hash ?? entry?.hash ?? ''
    const behind = entry !== undefined && (hash !== entry.hash || inputs.some(({ held, now }) => held !== now))
    const state = entry === undefined ? 'new' : entry.state === 'fresh' && behind ? 'stale' : entry.state
    states.push({ name, state, hash, rows: entry?.rows ?? null, inputs, refreshed: entry?.refreshed ?? null, message: entry?.message ?? null })
  }
  return states
}
