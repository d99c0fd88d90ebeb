/** What the catalog of a DuckDB file asks of rows of a table as a whole: CHECK, UNIQUE, PRIMARY KEY, FOREIGN KEY, unique indexes. */
import type { StoredColumn } from '../../database/dialect.ts'
import type { Rule } from '../../database/rules.ts'
import type { DatabaseSession, SqlRow } from '../../database/session.ts'
import { within } from './dialect.ts'

/**
 * @param at condition on the catalog, given its column with the table's name
 * @param table its name as it is spelled
 */
export async function rulesOf(session: DatabaseSession, at: (column: string) => string, table: string, stored: readonly StoredColumn[]): Promise<Rule[]> {
  const told = await session.all(`SELECT schema_name AS "schema", constraint_type AS kind, constraint_text AS text, expression, CAST(to_json(constraint_column_names) AS VARCHAR) AS columns,
    referenced_table AS parent, CAST(to_json(referenced_column_names) AS VARCHAR) AS of FROM duckdb_constraints() WHERE ${at('table_name')} AND constraint_type <> 'NOT NULL' ORDER BY constraint_index`)
  const indexes = await session.all(`SELECT expressions FROM duckdb_indexes() WHERE ${at('table_name')} AND is_unique AND NOT is_primary ORDER BY index_name`)
  return [...told.flatMap((row) => ruleOf(row, table, stored) ?? []), ...indexes.flatMap(({ expressions }) => indexOf(String(expressions), stored) ?? [])]
}

const named = (names: readonly string[], stored: readonly StoredColumn[]): StoredColumn[] | null => {
  const columns = names.flatMap((name) => stored.find((column) => column.name === name) ?? [])
  return columns.length === names.length && columns.length > 0 ? columns : null
}

function ruleOf(row: SqlRow, table: string, stored: readonly StoredColumn[]): Rule | null {
  const columns = named(JSON.parse(String(row['columns'])) as string[], stored)
  if (columns === null) return null
  switch (String(row['kind'])) {
    case 'CHECK':
      // An error of the expression is no answer: the row shows when it is written.
      return { kind: 'check', columns, table, takes: `TRY(${String(row['expression'])})`, text: String(row['text']) }
    case 'PRIMARY KEY':
    case 'UNIQUE':
      return { kind: 'unique', columns, primary: row['kind'] === 'PRIMARY KEY' }
    case 'FOREIGN KEY':
      // Rows of a batch may refer to one another.
      return row['parent'] === table ? null : { kind: 'reference', columns, table: within(String(row['schema']), String(row['parent'])), of: JSON.parse(String(row['of'])) as string[] }
    default:
      return null
  }
}

/** `['"name"', "other"]`, an index on columns as they are; null for one on expressions. */
function indexOf(text: string, stored: readonly StoredColumn[]): Rule | null {
  const parts = text.replace(/^\[/, '').replace(/\]$/, '').split(', ').map((part) => part.replace(/^'(.*)'$/, '$1').replace(/^"(.*)"$/, '$1').replaceAll('""', '"'))
  const columns = named(parts, stored)
  return columns === null ? null : { kind: 'unique', columns, primary: false }
}
