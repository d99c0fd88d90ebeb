/**
 * Actions of Delta's log, in the shape of its JSON lines, and the schema as Delta spells it.
 * Only what this writer knows: everything else is refused by name in `refuse.ts`.
 */
import { SluiceError } from '../../core/errors.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
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
  format: 1
  batch: string
  lane: number
  fence: number
  attempt: number
  /** Path of the batch record, relative to the table, and the SHA-256 of its bytes. */
  record: string
  sha256: string
}
export interface CommitInfo {
  timestamp: number
  operation: string
  operationParameters: Record<string, string>
  engineInfo?: string
  sluice?: Stamp
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
export const BATCH_TAG = 'sluice'

/** Lanes of our ledger: one txn appId each, its version is the fence. */
export function laneApp(ledger: string, lane: number): string {
  return `sluice:${ledger}:${lane}`
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

interface Field {
  name: string
  type: unknown
  nullable: boolean
  metadata: Record<string, unknown>
}

/**
 * The schema as Delta's JSON. Everything is nullable. `_place` stands after the first `placeAt` columns: it is the last
 * one when the table is made, and columns that come later follow it.
 */
export function schemaString(schema: Schema, placeAt: number): string {
  const fields = schema.map(field)
  fields.splice(placeAt, 0, { name: PLACE_COLUMN, type: 'long', nullable: true, metadata: { comment: 'where the record came in: arrival × 2^32 + row' } })
  return JSON.stringify({ type: 'struct', fields })
}

function field(column: Column): Field {
  const metadata: Record<string, string> = {}
  if (column.original !== undefined) metadata['comment'] = column.original
  // What Delta's own type does not tell: text that is JSON, also inside.
  if (column.type === 'json' || isNested(column.type)) metadata['sluice.type'] = column.type
  return { name: column.name, type: deltaType(nodeOf(column.type)), nullable: true, metadata }
}

const FIELD_METADATA = new Set(['comment', 'sluice.type'])

/** The other way round. @throws SluiceError TABLE_UNSUPPORTED naming the column and what is unknown about it */
export function parseSchema(text: string, path: string): { schema: Column[]; placeAt: number } {
  const { fields } = JSON.parse(text) as { fields: Field[] }
  const schema: Column[] = []
  let placeAt = -1
  for (const { name, type, metadata } of fields) {
    const strange = Object.keys(metadata).find((key) => !FIELD_METADATA.has(key))
    if (strange !== undefined) throw new SluiceError('TABLE_UNSUPPORTED', `${path}: the column ${name} has the property ${strange}, which Sluice does not know.`)
    if (name === PLACE_COLUMN) {
      placeAt = schema.length
      continue
    }
    const found = ourType(type, metadata['sluice.type'])
    if (found === undefined) throw new SluiceError('TABLE_UNSUPPORTED', `${path}: the column ${name} has the type ${JSON.stringify(type)}, which Sluice does not know.`)
    const column: Column = { name, type: found }
    if (typeof metadata['comment'] === 'string') column.original = metadata['comment']
    schema.push(column)
  }
  if (placeAt < 0) throw new SluiceError('TABLE_UNSUPPORTED', `${path}: the table has no column ${PLACE_COLUMN}.`)
  return { schema, placeAt }
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
