/** What models need of a DuckDB file: its dialect, its table of models, and uuid5(). */
import { SluiceError } from '../../core/errors.ts'
import type { ModelRoom } from '../../database/models.ts'
import { first } from '../../database/session.ts'
import { run } from '../../models/dialect.ts'
import type { ModelDialect, Steps } from '../../models/dialect.ts'
import { duckdbColumns, duckdbSpeech } from '../../models/duckdb.ts'
import { RECORD_COLUMNS } from '../../models/record.ts'
import { duckdbUuid5 } from '../../models/uuid.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { DEFAULT_SCHEMA, OWN_SCHEMA, duckdb, fullName, partsOf } from './dialect.ts'

const OWN = `${quoteName(OWN_SCHEMA)}.models`

/** Errors that say nothing of the SQL or the data. */
const NOT_OF_THE_MODEL = /^(INTERNAL|FATAL|TransactionContext|Connection|INTERRUPT|IO|Permission) Error/i

/** In the SQL of a model a table has two names; the file is the one that the session uses. */
const table = (name: string): string => duckdb.names(name).table

const dialect: ModelDialect = {
  ...duckdbSpeech,
  table,
  own: OWN,
  // Made by `prepare`.
  makeOwn: [],
  savepoints: false,
  uniqueIndexes: false,
  *room(name): Steps<void> {
    const { schema } = partsOf(name)
    if (schema !== DEFAULT_SCHEMA) yield* run('models.schema', `CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`)
  },
  exists(name) {
    const { schema, name: bare } = partsOf(name)
    const at = (column: string): string => `database_name = current_database() AND lower(schema_name) = lower(${quoteText(schema)}) AND lower(${column}) = lower(${quoteText(bare)})`
    return `SELECT 1 AS found FROM duckdb_tables() WHERE ${at('table_name')} UNION ALL SELECT 1 FROM duckdb_views() WHERE ${at('view_name')}`
  },
  columns: (name) => duckdbColumns(table(name)),
  version: (name) => `SELECT max(version) AS version FROM ${duckdb.own('batches')} WHERE tbl = ${quoteText(name)}`,
  settle: () => [],
  // Joins find groups without, and an index makes loading slower by far.
  index: () => null,
  refused(thrown) {
    if (!(thrown instanceof SluiceError)) return false
    return thrown.code === 'MODEL_FAILED' || thrown.code === 'ROWS_REFUSED' || (thrown.code === 'ENGINE_FAILED' && !NOT_OF_THE_MODEL.test(thrown.message))
  },
}

export const duckdbModels: ModelRoom = {
  dialect,
  full: fullName,
  short: (name) => (name.startsWith(`${DEFAULT_SCHEMA}.`) ? name.slice(DEFAULT_SCHEMA.length + 1) : name),
  uuid5: 'uuid5',
  async isThere(session) {
    return (await first(session, `SELECT 1 AS found FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ${quoteText(OWN_SCHEMA)} AND table_name = 'models'`)) !== undefined
  },
  async prepare(session) {
    await session.run('models.function', duckdbUuid5('UUID'))
    // Of an aborted commit nothing is left, nor is the schema of a table that is loaded for the first time.
    await session.run('models.own', `CREATE SCHEMA IF NOT EXISTS ${quoteName(OWN_SCHEMA)}`)
    await session.run('models.own', `CREATE TABLE IF NOT EXISTS ${OWN} (${RECORD_COLUMNS})`)
  },
}
