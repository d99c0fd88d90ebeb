/**
 * Partitions: columns by whose values a table's files are laid apart. A partition is a column itself, or a day, month or
 * year that is derived from one and becomes a column of its own (`ts_day`) that readers can filter by.
 */
import { SluiceError } from './errors.ts'
import { columnName, findColumn, fold, isReserved } from './schema.ts'
import type { Column, Schema } from './schema.ts'

export type Transform = 'value' | 'day' | 'month' | 'year'

export interface Partition {
  /** The column of the records. */
  column: string
  by: Transform
}

const TIMES = ['date', 'timestamp', 'timestamp_local']
/** Delta writes a partition's value as text; readers disagree about the text of doubles and timestamps. */
const VALUES = ['string', 'boolean', 'int64', 'date']
/** Readers take this folder for null, and Delta takes an empty text for it. */
export const HIVE_NULL = '__HIVE_DEFAULT_PARTITION__'
/** Longest name of a folder, in bytes. */
const MAX_NAME = 255

/** `day(ts),country`. @throws SluiceError DEFINITION_INVALID */
export function parsePartitions(text: string): Partition[] {
  const partitions = text.split(',').map((part): Partition => {
    const match = /^(day|month|year)\((.+)\)$/is.exec(part.trim())
    const member = (match?.[2] ?? part).trim()
    if (member === '') throw invalid(`--partition-by ${text} has an empty name.`)
    if (match === null && /^\w+\(.*\)$/.test(member)) throw invalid(`--partition-by ${member}: there are day(COLUMN), month(COLUMN), year(COLUMN), or a column.`)
    const column = columnName(member)
    if (isReserved(column)) throw invalid(`--partition-by ${column} is a reserved name.`)
    return { column, by: (match?.[1]?.toLowerCase() as Transform | undefined) ?? 'value' }
  })
  const names = partitions.map((partition) => fold(partitionName(partition)))
  if (new Set(names).size < names.length) throw invalid(`--partition-by ${text} names a column twice.`)
  return partitions
}

export function formatPartitions(partitions: readonly Partition[] | undefined): string {
  return (partitions ?? []).map(({ column, by }) => (by === 'value' ? column : `${by}(${column})`)).join(',')
}

/** Name of the partition's column in the table. */
export function partitionName({ column, by }: Partition): string {
  return by === 'value' ? column : `${column}_${by}`
}

/** Type of a derived column: the first day of its month stands for a month. */
export function derivedType(by: Transform): 'date' | 'int64' {
  return by === 'year' ? 'int64' : 'date'
}

/** @throws SluiceError DEFINITION_INVALID when a schema cannot be laid apart so */
export function checkPartitions(partitions: readonly Partition[] | undefined, schema: Schema): void {
  for (const partition of partitions ?? []) {
    const said = `--partition-by ${formatPartitions([partition])}`
    const column = findColumn(schema, partition.column)
    if (column === undefined) throw invalid(`${said}: there is no column ${partition.column}.`)
    const allowed = partition.by === 'value' ? VALUES : TIMES
    if (!allowed.includes(column.type)) {
      const hint = partition.by === 'value' && TIMES.includes(column.type) ? `Take day(${column.name}), month(${column.name}) or year(${column.name}).` : `Types for it: ${allowed.join(', ')}.`
      throw invalid(`${said}: ${column.name} is ${column.type}.`, hint)
    }
    const name = partitionName(partition)
    if (partition.by !== 'value' && findColumn(schema, name) !== undefined) throw invalid(`${said} makes the column ${name}, and the records have one of that name.`, 'Leave it out of the records with --columns, or partition by it.')
  }
  if (partitions !== undefined && partitions.length > 0 && schema.every(({ name }) => partitions.some((partition) => fold(partitionName(partition)) === fold(name)))) {
    throw invalid('--partition-by leaves no column for the files themselves.')
  }
}

/** Columns of a schema that lie in the files: those that a partition holds are in the log alone. */
export function storedColumns(schema: Schema, partitions: readonly Partition[] | undefined): Column[] {
  return schema.filter(({ name }) => !(partitions ?? []).some((partition) => partition.by === 'value' && fold(partition.column) === fold(name)))
}

/** Characters that Hive escapes, control characters and the space beside them. */
const SPECIAL = '"#%\'*/:=?\\{}[]^\u007F'

function escape(text: string): string {
  const signs = [...text].map((sign) => (sign <= ' ' || SPECIAL.includes(sign) ? `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}` : sign))
  return signs.join('')
}

/** `country=New%20York`: special characters are escaped as Hive does it, so that readers find the value in the path. */
export function partitionFolder(name: string, value: string | null): string {
  return `${escape(name)}=${value === null ? HIVE_NULL : escape(value)}`
}

/** Why a text cannot be the value of a partition; null: it can. */
export function badPartition(name: string, value: string): string | null {
  if (value === '') return 'an empty text, which Delta takes for null'
  if (value === HIVE_NULL) return `${HIVE_NULL}, which readers take for null`
  if (value.includes('\0')) return 'a NUL character, which no name of a folder can have'
  return Buffer.byteLength(partitionFolder(name, value)) > MAX_NAME ? `too long for the name of a folder` : null
}

function invalid(message: string, hint?: string): SluiceError {
  return new SluiceError('DEFINITION_INVALID', message, hint === undefined ? {} : { hint })
}
