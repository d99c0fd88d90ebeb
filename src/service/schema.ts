/**
 * Schema changes: what arrived that a table does not have or cannot take, and what was decided about it.
 *
 * Everything is told by the table itself: members that were left out stand in its commit records, values that did not fit
 * in its rejects, what is not wanted in its definition. So nothing of it is lost with a ledger.
 */
import type { Engine } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import { rowOf, seqOf } from '../core/place.ts'
import { MOST_EXAMPLES, addColumn, isUnwanted, retype, unwant, widenedBy } from '../core/proposal.ts'
import type { Alteration, Proposal, ValueKind } from '../core/proposal.ts'
import { columnName, findColumn, fold } from '../core/schema.ts'
import type { Column, ColumnType } from '../core/schema.ts'
import type { Head, RejectRow, Table } from '../core/target.ts'
import { formatType, isNested, isString, parseType } from '../core/types.ts'
import { closeFolder, openEngine, openFolder } from './folder.ts'
import { tableNamed } from './lookup.ts'
import { dataFolder } from './options.ts'
import { openTarget } from './targets.ts'

export interface SchemaItem {
  /** `add country`, `type qty`; null: nothing to decide, the column came by itself. */
  proposal: Proposal | null
  column: string
  /** Type that the column has; null: there is no such column. */
  has: ColumnType | null
  /** Type that would take all that came; null: not known, or there is none. */
  type: ColumnType | null
  /** Records that had the member, or were put aside because of the column. */
  records: number
  /** The first of them. */
  path: string | null
  row: number | null
  examples: readonly string[]
  /** open: accept or reject it · refused: the target cannot · unwanted: rejected before · added: came by itself. */
  state: 'open' | 'refused' | 'unwanted' | 'added'
  note: string
}

export interface Decided {
  table: string
  proposal: Proposal
  /** Of the table afterwards. */
  version: number | null
  /** False: it was so already. */
  changed: boolean
  note: string
}

export interface SchemaChoice {
  dataDir?: string
  table: string
  to?: string
}

const BROWSING_MEMORY = 512e6
/** Rejects asked of a table at once. */
const CHUNK = 500
const NEW_TABLE = 'Load the files into a new table with other --columns.'

/** @param all with what was rejected before. @throws SluiceError NOT_FOUND, USAGE */
export function schemaDiff(choice: SchemaChoice, all = false): Promise<SchemaItem[]> {
  return withTable(choice, false, async (table, head, pathOf) => {
    const items = await itemsOf(table, head, pathOf)
    return items.filter(({ state }) => all || state !== 'unwanted')
  })
}

/** @param type instead of the one that is proposed. @throws SluiceError NOT_FOUND, DEFINITION_INVALID, TABLE_UNSUPPORTED */
export function acceptChange(choice: SchemaChoice, column: string, type?: string): Promise<Decided> {
  const given = type === undefined ? null : formatType(parseType(type))
  return withTable(choice, true, async (table, head, pathOf) => {
    const item = meant(await itemsOf(table, head, pathOf), column)
    const known = findColumn(head.schema, columnName(column))
    if (item === undefined && (given === null || known !== undefined)) throw nothingProposed(choice, column)
    if (item?.has === null && item.state === 'refused') throw new SluiceError('TABLE_UNSUPPORTED', `${column}: ${item.note}`)
    const to = given ?? item?.type ?? null
    if (to === null) throw new SluiceError('DEFINITION_INVALID', `${column}: ${item?.note ?? 'its type is not known'}`, { hint: 'Name the type with --type, or reject it.' })
    const has = item?.has ?? null
    const made: Column = { name: columnName(column), type: to, ...(columnName(column) === column ? {} : { original: column }) }
    const decide = (now: Head): Alteration => {
      const definition = definitionOf(now, choice)
      return has === null ? addColumn(definition, now.schema, made) : retype(definition, now.schema, item?.column ?? '', to)
    }
    const version = await table.alter(decide)
    const before = has === null && item !== undefined ? missed(item.records, head) : ''
    return { table: choice.table, proposal: has === null ? `add ${made.name}` : `type ${item?.column ?? ''}`, version, changed: true, note: `${made.name} is a ${to} from now on.${before}` }
  })
}

/** What becomes of the records that had the member before there was a column. */
function missed(records: number, { definition }: Head): string {
  const was = ` ${records} ${records === 1 ? 'record that had it lies' : 'records that had it lie'} in the table without it`
  return definition?.mode === 'upsert' ? `${was}; load the files again with --reload to bring it in.` : `${was}, and ${records === 1 ? 'stays' : 'stay'} so: only an upsert with --reload, or a new table, would bring it in.`
}

/** @throws SluiceError NOT_FOUND */
export function rejectChange(choice: SchemaChoice, column: string): Promise<Decided> {
  return withTable(choice, true, async (table, head, pathOf) => {
    const item = meant(await itemsOf(table, head, pathOf), column)
    if (item?.proposal === undefined || item.proposal === null) throw nothingProposed(choice, column)
    const { proposal } = item
    if (item.state === 'unwanted') return { table: choice.table, proposal, version: head.version, changed: false, note: 'It was rejected before.' }
    const version = await table.alter((now) => unwant(definitionOf(now, choice), now.schema, proposal))
    return { table: choice.table, proposal, version, changed: true, note: 'It is not proposed again; sluice schema diff --all shows it.' }
  })
}

function definitionOf({ definition }: Head, { table }: SchemaChoice): NonNullable<Head['definition']> {
  if (definition === null) throw new SluiceError('NOT_FOUND', `The table ${table} has no definition.`)
  return definition
}

function nothingProposed({ table }: SchemaChoice, column: string): SluiceError {
  return new SluiceError('NOT_FOUND', `There is nothing to decide about ${column} of ${table}.`, { hint: `sluice schema diff ${table} lists what arrived.` })
}

function meant(items: readonly SchemaItem[], column: string): SchemaItem | undefined {
  const named = items.filter((item) => item.proposal !== null && (fold(item.column) === fold(column) || fold(columnName(item.column)) === fold(columnName(column))))
  return named.find(({ state }) => state === 'open') ?? named[0]
}

type PathOf = (place: bigint) => Promise<string | null>

async function withTable<T>({ dataDir, table: name, to }: SchemaChoice, write: boolean, work: (table: Table, head: Head, pathOf: PathOf) => Promise<T>): Promise<T> {
  const folder = await openFolder(dataFolder(dataDir), { existing: true })
  let engine: Engine | null = null
  try {
    const entry = await tableNamed(folder, name, to)
    engine = await openEngine(folder, { memory: BROWSING_MEMORY })
    const table = await (await openTarget(entry.place, folder.clock, folder.random)).open(name, write ? folder.ledger.id : null, engine)
    try {
      const head = await table.head()
      if (!head.exists) throw new SluiceError('NOT_FOUND', `There is nothing at the place of the table ${name} yet.`, { hint: 'sluice tables ls lists what there is.' })
      const answer = await work(table, head, async (place) => (await folder.ledger.arrival(entry.key, seqOf(place)))?.path ?? null)
      const { definition } = await table.head()
      if (write && definition !== null) await folder.ledger.putTable({ uri: entry.key, name, definition })
      return answer
    } finally {
      await table.close()
    }
  } finally {
    await engine?.close()
    await closeFolder(folder)
  }
}

async function itemsOf(table: Table, head: Head, pathOf: PathOf): Promise<SchemaItem[]> {
  const definition = head.definition
  if (definition === null) return []
  const items = [...(await leftItems(table, head, pathOf)), ...(await typeItems(table, head, pathOf))].map((item): SchemaItem => {
    return item.proposal !== null && isUnwanted(definition, item.proposal) ? { ...item, state: 'unwanted', note: 'Rejected before.' } : item
  })
  if (definition.columns !== null) return items
  const added = head.schema.slice(head.made).map(({ name, type }): SchemaItem => ({ proposal: null, column: name, has: type, type, records: 0, path: null, row: null, examples: [], state: 'added', note: 'It came by itself after the table was made.' }))
  return [...added, ...items]
}

/** Members that declared columns do not name. */
async function leftItems(table: Table, head: Head, pathOf: PathOf): Promise<SchemaItem[]> {
  const items: SchemaItem[] = []
  for (const { member, records, type, place, examples } of await table.leftOut()) {
    // Paths begin with a column that the table has; members of records never do.
    const inside = head.schema.some(({ name, type: of }) => isNested(of) && (member.startsWith(`${name}.`) || member.startsWith(`${name}[`)))
    const name = columnName(member)
    if (!inside && findColumn(head.schema, name) !== undefined) continue
    const note = inside ? `A struct inside of a table cannot get members. ${NEW_TABLE}` : type === null ? 'Nothing but null came: accept needs --type.' : `accept adds the column ${name}.`
    items.push({ proposal: `add ${inside ? member : name}`, column: member, has: null, type: inside ? null : type, records, path: await pathOf(BigInt(place)), row: rowOf(BigInt(place)), examples, state: inside ? 'refused' : 'open', note })
  }
  return items
}

interface Misfits {
  column: Column
  records: number
  place: bigint
  examples: string[]
  kinds: Set<ValueKind>
}

/** Values that did not fit their column, from the rejects. */
async function typeItems(table: Table, head: Head, pathOf: PathOf): Promise<SchemaItem[]> {
  const found = new Map<string, Misfits>()
  let after = -1n
  for (let more = true; more; ) {
    const rows = await table.rejects({ limit: CHUNK, after })
    more = rows.length === CHUNK
    for (const row of rows) {
      after = row.place
      const column = row.column === null ? undefined : findColumn(head.schema, row.column)
      if (column !== undefined && (row.code === 'TYPE_MISMATCH' || row.code === 'PRECISION_LOST')) note(found, column, row)
    }
  }
  const items: SchemaItem[] = []
  for (const { column, records, place, examples, kinds } of found.values()) {
    const { name, type: has } = column
    // Text that is not nested fits by now: the column was changed since.
    if ((isString(has) && !kinds.has('nested')) || has === 'json') continue
    const type = widenedBy(has, kinds)
    const can = type !== null && table.takes(has, type)
    const why = type === null ? `No type takes them all; look at them with sluice rejects ls --code TYPE_MISMATCH, correct them, or load into a new table.` : can ? `accept makes ${name} a ${type}.` : `${name} would have to be a ${type}, which needs every row written again. ${NEW_TABLE}`
    items.push({ proposal: `type ${name}`, column: name, has, type, records, path: await pathOf(place), row: rowOf(place), examples, state: can ? 'open' : 'refused', note: why })
  }
  return items
}

function note(found: Map<string, Misfits>, column: Column, row: RejectRow): void {
  const known = found.get(column.name) ?? { column, records: 0, place: row.place, examples: [], kinds: new Set<ValueKind>() }
  found.set(column.name, known)
  known.records++
  if (row.value !== null && known.examples.length < MOST_EXAMPLES && !known.examples.includes(row.value)) known.examples.push(row.value)
  const kind = kindOf(column, row)
  if (kind !== null) known.kinds.add(kind)
}

/** What the value was, from the record as it lay; a field of CSV is text. Null: cut off, or not to be told. */
function kindOf(column: Column, { raw, value }: RejectRow): ValueKind | null {
  let record: unknown
  try {
    record = JSON.parse(raw ?? '')
  } catch {
    return value === null ? null : 'text'
  }
  if (typeof record !== 'object' || record === null) return 'text'
  const given = Object.entries(record).find(([member]) => fold(columnName(member)) === fold(column.name))?.[1] as unknown
  if (typeof given === 'number') return Number.isInteger(given) && !/[.eE]/.test(value ?? '') ? 'integer' : 'fraction'
  if (typeof given === 'boolean') return 'boolean'
  return typeof given === 'object' ? 'nested' : 'text'
}
