/** What models need of DuckDB's SQL, in whatever session it runs. */
import type { ModelDialect } from './dialect.ts'

export const duckdbSpeech: Pick<ModelDialect, 'day' | 'within' | 'comparable'> = {
  // Sessions are in UTC.
  day: (column) => `CAST(${column} AS DATE)`,
  // A pair in brackets is a struct there, in which nulls are equal: the rows of a group with a null would be in it twice.
  within: (values, groups) =>
    values.length === 1 ? `${values[0] ?? ''} IN (SELECT g1 FROM ${groups})` : `EXISTS (SELECT 1 FROM ${groups} AS g WHERE ${values.map((value, at) => `${value} = g.g${at + 1}`).join(' AND ')})`,
  comparable: (column, type) => (/^(FLOAT|DOUBLE)/.test(type) ? `format('{:.6e}', ${column})` : `CAST(${column} AS VARCHAR)`),
}

/** Columns of a view or table of the session. */
export function duckdbColumns(relation: string): string {
  return `SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM ${relation})`
}

