/**
 * Actions of Delta's log, in the shape of its JSON lines, and the schema as Delta spells it.
 * Only what this writer knows: everything else is refused by name in `refuse.ts`.
 */
import { SluiceError } from '../../core/errors.ts'
import { derivedType, formatPartitions, partitionName } from '../../core/partition.ts'
import type { Partition } from '../../core/partition.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
import { columnName, fold } from '../../core/schema.ts'
import type { Column, ColumnType, Schema } from '../../core/schema.ts'
import { SCALARS, formatType, isNested, nodeOf, parseType } from '../../core/types.ts'
import type { Scalar, TypeNode } from '../../core/types.ts'

export interface AddAction {
  /** URI-encoded, relative to the table's folder. */
  path: string
  partitionValues: Record<string, string | null>
  size: number
  /** Milliseconds since 1970. */
  modificationTime: number
  dataChange: boolean
  /** A JSON text, see `stats.ts`. */
  stats?: string
  /** Kept in checkpoints, so the batch id stands here. */
  tags?: Record<string, string>
  deletionVector?: unknown
}
export interface RemoveAction {
  path: string
  deletionTimestamp: number
  dataChange: boolean
  extendedFileMetadata?: boolean
  partitionValues?: Record<string, string | null>
  size?: number
  tags?: Record<string, string>
}
export interface Protocol {
  minReaderVersion: number
  minWriterVersion: number
  readerFeatures?: string[]
  writerFeatures?: string[]
}
export interface MetaData {
  id: string
  name?: string
  format: { provider: string; options: Record<string, string> }
  schemaString: string
  partitionColumns: string[]
  configuration: Record<string, string>
  createdTime: number
}
export interface Txn {
  appId: string
  version: number
  lastUpdated: number
}
/** Our part of commitInfo: names the batch record that counts because of this commit. */
export interface Stamp {
  format: 1 | 2
  batch: string
  lane: number
  fence: number
  attempt: number
  /** Path of the batch record, relative to the table, and the SHA-256 of its bytes. */
  record: string
  sha256: string
}
/** The same of a commit that takes a table over and writes no row. */
export interface Adoption {
  format: 1
  /** Ledger that the table belonged to; null: Sluice did not make it. */
  adopted: string | null
}
/** The same of a commit that changes definition and columns, and no row. */
export interface SchemaChange {
  format: 1
  /** What was changed, as `add country:string`. */
  altered: string
}
/** The same of a commit that refreshes a model: what its rows come from. */
export interface Refreshed {
  format: 1
  model: string
  /** Of its definition. */
  hash: string
  /** Version of each input. */
  inputs: Readonly<Record<string, number>>
  /** Rows of the model afterwards. */
  rows: number
  /** Its groups were found to stand alone. */
  proven: boolean
}
export interface CommitInfo {
  timestamp: number
  operation: string
  operationParameters: Record<string, string>
  engineInfo?: string
  sluice?: Stamp | Adoption | SchemaChange | Refreshed
}
export interface Action {
  commitInfo?: CommitInfo
  protocol?: Protocol
  metaData?: MetaData
  txn?: Txn
  add?: AddAction
  remove?: RemoveAction
}

export const FORMAT = 1
/** Of commits that brought some dates of an arrival: an older Sluice would take them for all of it. */
export const DATED_FORMAT = 2
export const BATCH_TAG = 'sluice'
/** On a file of ours that holds rows of other writers: its places are not unique. */
export const FOREIGN_TAG = 'sluice.foreign'

/** Lanes of our ledger: one txn appId each, its version is the fence. */
export function laneApp(ledger: string, lane: number): string {
  return `sluice:${ledger}:${lane}`
}

/**
 * A txn that no batch uses: its version is the first 52 bits of the newest batch record's SHA-256. Checkpoints keep it, so
 * the chain of records has a head when the log before a checkpoint is gone.
 */
export function recordApp(ledger: string): string {
  return `sluice:${ledger}:record`
}
export function recordMark(sha256: string): number {
  return Number.parseInt(sha256.slice(0, 13), 16)
}

const DELTA_TYPES: Readonly<Record<Scalar, string>> = {
  string: 'string',
  boolean: 'boolean',
  int64: 'long',
  double: 'double',
  date: 'date',
  timestamp: 'timestamp',
  timestamp_local: 'timestamp_ntz',
  json: 'string',
}

/** A type as Delta spells it: a word, or an object of a list or struct in which everything is nullable. */
function deltaType(node: TypeNode): unknown {
  if (node.kind === 'decimal') return formatType(node)
  if (node.kind === 'list') return { type: 'array', elementType: deltaType(node.element), containsNull: true }
  if (node.kind === 'struct') return { type: 'struct', fields: node.members.map(({ name, type }): Field => ({ name, type: deltaType(type), nullable: true, metadata: {} })) }
  return DELTA_TYPES[node.kind]
}

/** A column as the log has it. */
export interface Field {
  name: string
  type: unknown
  nullable: boolean
  metadata: Record<string, unknown>
}

/** Readers see by it which version of an input the rows of a model come from. */
export function inputApp(input: string): string {
  return `sluice:model:${input}`
}

/** Property of a model's table: its definition as JSON. */
export const MODEL_PROPERTY = 'sluice.model'

/**
 * The schema as Delta's JSON: the fields that the table has, as they are, then new columns. Everything that Sluice adds is
 * nullable. `_place` is the last one when the table is made, and columns that come later follow it; a model has none.
 */
export function schemaString(known: readonly Field[], schema: Schema, partitions: readonly Partition[] = [], placed = true): string {
  const fields = [...known, ...schema.filter(({ name }) => !known.some((other) => fold(other.name) === fold(name))).map(field)]
  for (const partition of partitions) {
    const name = partitionName(partition)
    if (partition.by !== 'value' && !fields.some((other) => fold(other.name) === fold(name))) fields.push({ name, type: DELTA_TYPES[derivedType(partition.by)], nullable: true, metadata: { [DERIVED]: formatPartitions([partition]) } })
  }
  if (placed && !fields.some(({ name }) => name === PLACE_COLUMN)) fields.push({ name: PLACE_COLUMN, type: 'long', nullable: true, metadata: { comment: 'where the record came in: arrival × 2^32 + row' } })
  return JSON.stringify({ type: 'struct', fields })
}

function field(column: Column): Field {
  const metadata: Record<string, string> = {}
  if (column.original !== undefined) metadata['comment'] = column.original
  // What Delta's own type does not tell: text that is JSON, also inside.
  if (column.type === 'json' || column.type.startsWith('string(') || isNested(column.type)) metadata['sluice.type'] = column.type
  return { name: column.name, type: deltaType(nodeOf(column.type)), nullable: true, metadata }
}

/** Of a column that Sluice derives from another one: how. */
const DERIVED = 'sluice.derived'
const FIELD_METADATA = new Set(['comment', 'sluice.type', DERIVED])

/**
 * The other way round; `_place` and derived columns are fields and no columns.
 * @throws SluiceError TABLE_UNSUPPORTED naming the column and what is unknown about it
 */
export function parseSchema(text: string, path: string): { schema: Column[]; fields: Field[] } {
  const { fields } = JSON.parse(text) as { fields: Field[] }
  const schema: Column[] = []
  const refuse = (name: string, what: string): SluiceError => new SluiceError('TABLE_UNSUPPORTED', `${path}: the column ${name} ${what}, which Sluice does not know.`)
  for (const { name, type, nullable, metadata } of fields) {
    const strange = Object.keys(metadata).find((key) => !FIELD_METADATA.has(key))
    if (strange !== undefined) throw refuse(name, `has the property ${strange}`)
    if (!nullable) throw refuse(name, 'must not be null')
    if (name === PLACE_COLUMN) {
      if (type !== 'long') throw refuse(name, `has the type ${JSON.stringify(type)}`)
      continue
    }
    if (metadata[DERIVED] !== undefined) continue
    const found = ourType(type, metadata['sluice.type'])
    if (found === undefined) throw refuse(name, `has the type ${JSON.stringify(type)}`)
    const column: Column = { name, type: found }
    const comment = metadata['comment']
    // A comment of another writer is no name of a member.
    if (typeof comment === 'string' && comment !== name && columnName(comment) === name) column.original = comment
    schema.push(column)
  }
  return { schema, fields }
}

/** The type of ours that Delta's stands for; `told` says which when there are several. */
function ourType(type: unknown, told: unknown): ColumnType | undefined {
  if (typeof told === 'string') {
    const node = parseType(told)
    return JSON.stringify(deltaType(node)) === JSON.stringify(type) ? formatType(node) : undefined
  }
  if (typeof type !== 'string') return undefined
  return /^decimal\(\d{1,2},\d{1,2}\)$/.test(type) ? formatType(parseType(type)) : SCALARS.find((key) => DELTA_TYPES[key] === type && key !== 'json')
}

/** (1, 2) is read by everything; a local timestamp needs a named feature. Older features must be named with it. */
export function protocolFor(schema: Schema): Protocol {
  if (!schema.some((column) => hasLocal(nodeOf(column.type)))) return { minReaderVersion: 1, minWriterVersion: 2 }
  return { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ['timestampNtz'], writerFeatures: ['timestampNtz', 'appendOnly', 'invariants'] }
}

function hasLocal(node: TypeNode): boolean {
  if (node.kind === 'list') return hasLocal(node.element)
  if (node.kind === 'struct') return node.members.some(({ type }) => hasLocal(type))
  return node.kind === 'timestamp_local'
}
