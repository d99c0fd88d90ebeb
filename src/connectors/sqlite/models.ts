/** What models need of a SQLite file: its dialect, its table of models, and uuid5(). */
import { SluiceError } from '../../core/errors.ts'
import type { ModelRoom } from '../../database/models.ts'
import { first } from '../../database/session.ts'
import type { ModelDialect } from '../../models/dialect.ts'
import { RECORD_COLUMNS } from '../../models/record.ts'
import { uuid5 } from '../../models/uuid.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { sqlite } from './dialect.ts'
import type { FileSession } from './session.ts'

const OWN = 'main._sluice_models'
/** Primary result codes that say something about the SQL: ERROR, TOOBIG, CONSTRAINT, MISMATCH, RANGE. */
const REFUSALS = new Set([1, 18, 19, 20, 25])

const dialect: ModelDialect = {
  // As the SQL of a model names its inputs.
  table: quoteName,
  own: OWN,
  makeOwn: [`CREATE TABLE IF NOT EXISTS ${OWN} (${RECORD_COLUMNS})`],
  *room() {
    yield* []
  },
  savepoints: true,
  uniqueIndexes: true,
  exists: (name) => `SELECT 1 AS found FROM main.sqlite_schema WHERE name = ${quoteText(name)} COLLATE NOCASE`,
  columns: (name) => `SELECT name, type FROM pragma_table_info(${quoteText(name)}, 'main')`,
  version: (name) => `SELECT max(version) AS version FROM ${sqlite.own('batches')} WHERE tbl = ${quoteText(name)}`,
  // Timestamps are text in UTC; date() also takes the offset of a text that has one.
  day: (column) => `date(${column})`,
  within: (values, groups) => (values.length === 1 ? `${values[0] ?? ''} IN (SELECT g1 FROM ${groups})` : `(${values.join(', ')}) IN (SELECT ${values.map((_, at) => `g${at + 1}`).join(', ')} FROM ${groups})`),
  // Any column may hold any type, row by row.
  comparable: (column) => `CASE typeof(${column}) WHEN 'real' THEN printf('%.6e', ${column}) ELSE ${column} END`,
  settle: () => [],
  index: (name, table, expressions, { unique = false } = {}) => `CREATE ${unique ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS main.${quoteName(name)} ON ${quoteName(table)} (${expressions.join(', ')})`,
  refused(thrown) {
    if (!(thrown instanceof SluiceError)) return false
    if (thrown.code === 'MODEL_FAILED') return true
    const { cause } = thrown
    return cause instanceof Error && 'errcode' in cause && REFUSALS.has(Number(cause.errcode) & 0xff)
  },
}

export const sqliteModels: ModelRoom = {
  dialect,
  full: (name) => name,
  short: (name) => name,
  uuid5: 'uuid5',
  async isThere(session) {
    return (await first(session, `SELECT 1 AS found FROM main.sqlite_schema WHERE name = '_sluice_models'`)) !== undefined
  },
  async prepare(session) {
    ;(session as FileSession).db.define('uuid5', (name) => {
      if (name !== null && typeof name !== 'string') throw new SluiceError('MODEL_FAILED', `uuid5() takes a text, not ${String(name)}.`)
      return name === null ? null : uuid5(name)
    })
  },
}
