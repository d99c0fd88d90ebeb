/**
 * What a table is loaded by: columns, key, mode, keep, record path. It belongs to the table, not to the command.
 */
import { SluiceError } from './errors.ts'
import { checkPartitions, formatPartitions, parsePartitions } from './partition.ts'
import type { Partition } from './partition.ts'
import { checkRecordsPath } from './records-path.ts'
import { columnName, findColumn, fold, isReserved, isTableName } from './schema.ts'
import type { Column } from './schema.ts'
import { KEY_WORDS, TYPE_WORDS, canBeKey, formatType, hasOrder, parseType } from './types.ts'
import type { TypeNode } from './types.ts'

export const MODES = ['append', 'dedupe', 'upsert', 'replace'] as const
export type Mode = (typeof MODES)[number]
/** What makes a file the same: its bytes wherever they lie, or its bytes at its path. */
export const IDENTITIES = ['content', 'revision'] as const

/** Which record of a key is in the table: decided by place (first, last, error) or by a column's value (max, min). */
export type Keep = { rule: 'first' | 'last' | 'error' } | { rule: 'max' | 'min'; column: string }

export interface Definition {
  table: string
  /** Declared columns: closed, other members are left out. Null: inferred and open. */
  columns: readonly Column[] | null
  /** Key columns, as they are named in the table; empty under append, perhaps under replace. */
  key: readonly string[]
  mode: Mode
  /** Null without a key. */
  keep: Keep | null
  /** `--records`: dotted names, a JSON Pointer, or `.`; null: found by the rule for documents. */
  records: string | null
  /** A path with other bytes than before is a new arrival, also when these bytes were in before. Absent: `content`. */
  identity?: 'revision'
  /** How its files are laid apart; absent: they are not. */
  partition?: readonly Partition[]
  /** Changes of the columns that were proposed and are not wanted, see `proposal.ts`. */
  unwanted?: readonly string[]
}

/** What a command may say of a definition; everything absent is the table's, or the default. */
export interface DefinitionRequest {
  columns?: string
  key?: string
  mode?: string
  keep?: string
  records?: string
  identity?: string
  /** `day(ts),country`: day, month or year of a column, or a column. */
  partitionBy?: string
}

/** `max:version` and its like. @throws SluiceError DEFINITION_INVALID */
export function parseKeep(text: string): Keep {
  if (text === 'first' || text === 'last' || text === 'error') return { rule: text }
  const match = /^(max|min):(.+)$/s.exec(text)
  if (match?.[1] === 'max' || match?.[1] === 'min') return { rule: match[1], column: columnName(match[2] ?? '') }
  throw invalid(`--keep ${text} is not a rule.`, 'Take one of first, last, error, max:COLUMN, min:COLUMN.')
}

export function formatKeep(keep: Keep | null): string {
  return keep === null ? 'none' : 'column' in keep ? `${keep.rule}:${keep.column}` : keep.rule
}

/** `id:string,price:decimal(10,2),tags:list<string>`. @throws SluiceError DEFINITION_INVALID */
export function parseColumns(text: string): Column[] {
  const columns: Column[] = []
  for (const { name: member, type: spelled, whole } of declarations(text)) {
    if (member === '' || spelled === '') throw invalid(`--columns: "${whole}" is not name:type.`, `Types: ${TYPE_WORDS}.`)
    const type = formatType(columnType(member, spelled))
    const name = columnName(member)
    if (isReserved(name)) throw invalid(`--columns: ${member} is a reserved name.`, 'Names _place and _sluice… belong to Sluice.')
    if (findColumn(columns, name) !== undefined) throw invalid(`--columns names ${name} twice (names are matched without case).`)
    columns.push(name === member ? { name, type } : { name, type, original: member })
  }
  return columns
}

function columnType(member: string, spelled: string): TypeNode {
  try {
    return parseType(spelled)
  } catch (thrown) {
    throw thrown instanceof SluiceError ? invalid(`--columns: ${member}: ${thrown.message}`, thrown.hint) : thrown
  }
}

/** Cuts at commas, and each part at its last colon; brackets that belong to a type hold both together. */
function declarations(text: string): { name: string; type: string; whole: string }[] {
  const found: { name: string; type: string; whole: string }[] = []
  let [start, colon, depth] = [0, -1, 0]
  for (let at = 0; at <= text.length; at++) {
    const sign = text[at]
    // A bracket in a column's name is no bracket of a type.
    if ((sign === '<' || sign === '(') && (depth > 0 || /:\s*(string|decimal|list|struct)\s*$/i.test(text.slice(start, at)))) depth++
    else if ((sign === '>' || sign === ')') && depth > 0) depth--
    else if (sign === ':' && depth === 0) colon = at
    else if (sign === undefined || (sign === ',' && depth === 0)) {
      const whole = text.slice(start, at).trim()
      found.push(colon < 0 ? { name: whole, type: '', whole } : { name: text.slice(start, colon).trim(), type: text.slice(colon + 1, at).trim(), whole })
      start = at + 1
      colon = -1
    }
  }
  return found
}

function isMode(mode: string): mode is Mode {
  return (MODES as readonly string[]).includes(mode)
}

/**
 * The definition of a new table.
 * @throws SluiceError DEFINITION_INVALID, or LATER for what is not built yet
 */
export function define(table: string, request: DefinitionRequest): Definition {
  if (!isTableName(table)) throw invalid(`--into ${table} is not a table name.`, 'Letters, digits and _, not beginning with a digit, at most 63; in a database perhaps with a schema, as in raw.events.')
  if (request.records !== undefined) checkRecordsPath(request.records)
  const columns = request.columns === undefined ? null : parseColumns(request.columns)
  const key = parseKey(request.key)
  if (request.mode !== undefined && !isMode(request.mode)) throw invalid(`--mode ${request.mode} is not a mode.`, `Take one of ${MODES.join(', ')}.`)
  const given = request.keep === undefined ? null : parseKeep(request.keep)
  const mode = request.mode ?? (key.length > 0 ? 'dedupe' : 'append')
  const keep = pairOf(mode, key, given)
  checkColumns(columns, key, keep)
  const partition = request.partitionBy === undefined ? undefined : parsePartitions(request.partitionBy)
  if (columns !== null) checkPartitions(partition, columns)
  return { table, columns, key, mode, keep, records: request.records ?? null, ...identityOf(request.identity, mode), ...(partition === undefined ? {} : { partition }) }
}

function parseKey(text: string | undefined): string[] {
  if (text === undefined) return []
  const key = text.split(',').map((name) => columnName(name.trim()))
  if (key.some((name) => name === '_')) throw invalid(`--key ${text} has an empty name.`)
  if (new Set(key.map(fold)).size < key.length) throw invalid(`--key ${text} names a column twice.`)
  const reserved = key.find(isReserved)
  if (reserved !== undefined) throw invalid(`--key ${reserved} is a reserved name.`)
  return key
}

function identityOf(text: string | undefined, mode: Mode): { identity?: 'revision' } {
  if (text === undefined || text === 'content') return {}
  if (text !== 'revision') throw invalid(`--identity ${text} is not known.`, `Take one of ${IDENTITIES.join(', ')}.`)
  if (mode === 'append') throw invalid('--identity revision does not go with --mode append: the rows of the former content would stay.', 'Give a --key, so that records can take the place of others.')
  return { identity: 'revision' }
}

function pairOf(mode: Mode, key: readonly string[], keep: Keep | null): Keep | null {
  if (mode === 'append') {
    if (key.length > 0) throw invalid('--mode append takes no key.', 'Leave --key out, or take --mode dedupe.')
    if (keep !== null) throw invalid('--mode append takes no --keep: every record is kept.', 'Give a --key, or leave --keep out.')
    return null
  }
  if (mode === 'replace') {
    if (key.length === 0 && keep !== null) throw invalid('--keep without a --key: every record is kept.', 'Give a --key, or leave --keep out.')
    return key.length === 0 ? null : (keep ?? { rule: 'last' })
  }
  if (key.length === 0) throw invalid(`--mode ${mode} needs a --key.`, 'Name the columns that make a record the same: --key id,ts.')
  const rule = keep ?? { rule: mode === 'dedupe' ? 'first' : 'last' }
  const belongs = rule.rule === 'first' || rule.rule === 'error' ? 'dedupe' : 'upsert'
  if (belongs !== mode) throw invalid(`--keep ${formatKeep(rule)} does not go with --mode ${mode}.`, `Take --mode ${belongs} --keep ${formatKeep(rule)}.`)
  return rule
}

function checkColumns(columns: readonly Column[] | null, key: readonly string[], keep: Keep | null): void {
  if (columns === null) return
  for (const name of key) {
    const column = findColumn(columns, name)
    if (column === undefined) throw invalid(`--key ${name} is not among --columns.`)
    if (!canBeKey(column.type)) throw invalid(`--key ${name}: a ${column.type} cannot be a key.`, `Types of a key: ${KEY_WORDS}.`)
  }
  if (keep !== null && 'column' in keep) checkKeepColumn(keep, findColumn(columns, keep.column))
}

/** A column that decides the winner must exist and have an order. @throws SluiceError DEFINITION_INVALID */
export function checkKeepColumn(keep: { rule: string; column: string }, column: Column | undefined): void {
  if (column === undefined) throw invalid(`--keep ${keep.rule}:${keep.column}: there is no such column.`)
  if (!hasOrder(column.type)) throw invalid(`--keep ${keep.rule}:${keep.column}: a ${column.type} column has no order.`)
}

/**
 * The definition of an existing table, after checking that the command does not contradict it.
 * @throws SluiceError DEFINITION_DIFFERS with both values and the way out
 */
export function agree(existing: Definition, request: DefinitionRequest): Definition {
  const asked = {
    columns: request.columns === undefined ? undefined : show(parseColumns(request.columns)),
    key: request.key === undefined ? undefined : parseKey(request.key).map(fold).join(','),
    mode: request.mode,
    keep: request.keep === undefined ? undefined : fold(formatKeep(parseKeep(request.keep))),
    records: request.records,
    identity: request.identity,
    'partition-by': request.partitionBy === undefined ? undefined : fold(formatPartitions(parsePartitions(request.partitionBy))),
  }
  const has = {
    columns: existing.columns === null ? 'inferred' : show(existing.columns),
    key: existing.key.map(fold).join(','),
    mode: existing.mode as string,
    keep: fold(formatKeep(existing.keep)),
    records: existing.records ?? 'found by rule',
    identity: existing.identity ?? 'content',
    'partition-by': fold(formatPartitions(existing.partition)),
  }
  for (const flag of ['key', 'mode', 'keep', 'columns', 'records', 'identity', 'partition-by'] as const) {
    const wanted = asked[flag]
    if (wanted !== undefined && wanted !== has[flag]) {
      throw new SluiceError('DEFINITION_DIFFERS', `--${flag} ${wanted} differs from the table's: ${existing.table} has ${flag} ${has[flag] === '' ? 'none' : has[flag]}.`)
    }
  }
  return existing
}

/**
 * Two loads may make one table at the same moment: the second one was staged under a definition that the table does not
 * have. Targets call it when they apply.
 * @throws SluiceError DEFINITION_DIFFERS
 */
export function sameDefinition(existing: Definition, staged: Definition): void {
  const [has, came] = [describeDefinition(existing), describeDefinition(staged)]
  if (has !== came) throw new SluiceError('DEFINITION_DIFFERS', `Another process made or changed ${existing.table} meanwhile with ${has}; this load came with ${came}.`)
}

function describeDefinition({ columns, key, mode, keep, records, identity, partition }: Definition): string {
  const own = `mode ${mode}, key ${key.map(fold).join(',') || 'none'}, keep ${fold(formatKeep(keep))}, columns ${columns === null ? 'inferred' : show(columns)}, records ${records ?? 'by rule'}`
  return `${own}, identity ${identity ?? 'content'}, partition-by ${fold(formatPartitions(partition)) || 'none'}`
}

function show(columns: readonly Column[]): string {
  return columns.map((column) => fold(`${column.name}:${column.type}`)).join(',')
}

function invalid(message: string, hint?: string): SluiceError {
  return new SluiceError('DEFINITION_INVALID', message, hint === undefined ? {} : { hint })
}
