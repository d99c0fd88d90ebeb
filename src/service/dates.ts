/** Loading by date: what a load asks for, checked against what the table is and how it was loaded before. */
import type { Definition } from '../core/definition.ts'
import { SluiceError } from '../core/errors.ts'
import type { ByDate, Interval } from '../core/interval.ts'
import { columnName, findColumn, fold } from '../core/schema.ts'
import type { Head, Table } from '../core/target.ts'
import type { LoadOptions } from './options.ts'

const DATED: readonly string[] = ['date', 'timestamp', 'timestamp_local']

/**
 * The records that a load is to bring; null: all of them. The column is that of the loads before it, unless it is named.
 * @throws SluiceError USAGE, DEFINITION_INVALID, DEFINITION_DIFFERS
 */
export async function datesOf(options: LoadOptions, asked: Interval | null, table: Table, before: Head, definition: Definition): Promise<ByDate | null> {
  const { into } = options
  // As the table names it: "order by" is the column order_by.
  const dateField = options.dateField === undefined ? undefined : columnName(options.dateField)
  if (asked === null && dateField === undefined) return null
  const former = before.exists ? await table.dateField() : null
  if (dateField !== undefined && former !== null && fold(dateField) !== fold(former)) {
    throw new SluiceError('DEFINITION_DIFFERS', `--date-field ${dateField} differs from the one that ${into} was loaded by before: ${former}.`, {
      hint: 'What is in is known by that column: leave the flag out, or load the rest without --since and --until.',
    })
  }
  if (asked === null) return null
  const field = former ?? dateField
  if (field === undefined) throw new SluiceError('USAGE', '--since and --until need the column whose dates they mean: --date-field NAME.')
  if (definition.mode === 'replace') {
    throw new SluiceError('DEFINITION_INVALID', '--since and --until do not go with --mode replace, which takes everything that its command names.', { hint: 'Take --mode upsert; --delta keeps a table of what the last load brought.' })
  }
  const columns = before.exists ? before.schema : (definition.columns ?? [])
  const column = findColumn(columns, field)
  if (column === undefined && definition.columns !== null) throw new SluiceError('DEFINITION_INVALID', `--date-field ${field} is not among --columns.`)
  if (column !== undefined && !DATED.includes(column.type)) {
    throw new SluiceError('DEFINITION_INVALID', `--date-field ${column.name}: a ${column.type} column has no dates.`, { hint: 'Name a column of type date or timestamp; text that holds dates can be declared so with --columns when the table is made.' })
  }
  return { field: column?.name ?? field, ...asked }
}
