/** A Delta table, perhaps that of a model, as a SQL engine reads it: its live files, with the columns that a user knows. */
import { join } from 'node:path'
import type { Relation } from '../../core/console.ts'
import type { Engine } from '../../core/engine.ts'
import { filesOfTableSql } from '../../resolve/duckdb-table.ts'
import { quoteName } from '../../sql/quote.ts'
import { localFs } from '../../storage/local.ts'
import { MODEL_FILE } from './layout.ts'
import { OpenTable } from './opening.ts'
import { tableFiles } from './reading.ts'

/**
 * The table as it is now; a later commit changes nothing of it. Null: there is no table.
 * @param root folder that holds the tables
 * @throws SluiceError TABLE_FOREIGN, TABLE_UNSUPPORTED, TABLE_BROKEN
 */
export async function relationOf(root: string, name: string, engine: Engine): Promise<Relation | null> {
  const uri = join(root, name)
  const model = (await localFs.stat(join(uri, MODEL_FILE))) !== null
  const state = await new OpenTable(uri, null, engine, false, model).forward()
  if (!state.exists) return null
  const files = tableFiles(uri, state)
  // A table none of whose records got in has no columns yet; the place is what every table has.
  const columns = state.schema.map((column) => quoteName(column.name)).join(', ')
  return { name, select: `SELECT ${columns === '' ? '_place' : columns} FROM (${filesOfTableSql(state.schema, files)})`, files: files.map((file) => file.uri) }
}
