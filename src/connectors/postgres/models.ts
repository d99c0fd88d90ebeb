/** What models need of PostgreSQL: its dialect, its table of models, and uuid5(). */
import { SluiceError } from '../../core/errors.ts'
import type { ModelRoom } from '../../database/models.ts'
import { first } from '../../database/session.ts'
import type { DatabaseSession } from '../../database/session.ts'
import { rows, run } from '../../models/dialect.ts'
import type { ModelDialect, Steps } from '../../models/dialect.ts'
import { RECORD_COLUMNS } from '../../models/record.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { DEFAULT_SCHEMA, OWN_SCHEMA, fitting, fullName, partsOf, postgres } from './dialect.ts'
import { stateOf } from './errors.ts'
import { uuid5Statements } from './uuid.ts'

const SCHEMA = quoteName(OWN_SCHEMA)
const OWN = `${SCHEMA}.models`

/** Classes of SQLSTATE that say something about the SQL or the data: wrong, forbidden, too much of something. */
const REFUSALS = new Set(['0A', '21', '22', '23', '2B', '38', '39', '42', '44', '54', 'P0'])

const regclass = (name: string): string => `to_regclass(${quoteText(postgres.names(name).table)})`

/** A key in a btree has at most 2,704 bytes. A text may have more, and then the row could not be stored for the index's sake. */
function isNarrow(type: string): boolean {
  const length = /^character varying\((\d+)\)$/.exec(type)?.[1]
  return length === undefined ? !/^(text|character varying|json|bytea|numeric)/.test(type) : Number(length) <= 600
}

const dialect: ModelDialect = {
  table: (name) => postgres.names(name).table,
  own: OWN,
  // Made by `prepare`, which has the lock for it.
  makeOwn: [],
  savepoints: true,
  uniqueIndexes: true,
  *room(name): Steps<void> {
    const { schema } = partsOf(name)
    if ((yield* rows(`SELECT 1 AS found FROM pg_namespace WHERE nspname = ${quoteText(schema)}`)).length === 0) yield* run('models.schema', `CREATE SCHEMA ${quoteName(schema)}`)
  },
  exists: (name) => `SELECT 1 AS found WHERE ${regclass(name)} IS NOT NULL`,
  columns: (name) => `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = ${regclass(name)} AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
  version: (name) => `SELECT max(version) AS version FROM ${postgres.own('batches')} WHERE tbl = ${quoteText(name)}`,
  day: (column, type) => (type === 'timestamp with time zone' ? `CAST(${column} AT TIME ZONE 'UTC' AS date)` : `CAST(${column} AS date)`),
  within: (values, groups) => (values.length === 1 ? `${values[0] ?? ''} IN (SELECT g1 FROM ${groups})` : `(${values.join(', ')}) IN (SELECT ${values.map((_, at) => `g${at + 1}`).join(', ')} FROM ${groups})`),
  comparable: (column, type) => (/^(double precision|real)/.test(type) ? `to_char(${column}, '9.999999EEEE')` : `CAST(${column} AS text)`),
  settle: (table) => [`ANALYZE ${table}`],
  index(name, table, expressions, { unique = false, types = [] } = {}) {
    const [first_ = ''] = expressions
    const wide = expressions.findIndex((_, at) => !isNarrow(types[at] ?? 'text'))
    const on = unique || wide < 0 ? `(${expressions.map((expression) => `(${expression})`).join(', ')})` : `USING hash ((${expressions[wide] ?? first_}))`
    return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS ${quoteName(fitting(name))} ON ${postgres.names(table).table} ${on}`
  },
  refused(thrown) {
    if (thrown instanceof SluiceError && thrown.code === 'MODEL_FAILED') return true
    return REFUSALS.has(stateOf(thrown)?.slice(0, 2) ?? '')
  },
}

async function isThere(session: DatabaseSession): Promise<boolean> {
  return (await first(session, `SELECT to_regclass('${OWN_SCHEMA}.models') IS NOT NULL AS there`))?.['there'] === true
}

/** pgcrypto's digest, made if that may be done; null: there is none. */
async function digest(session: DatabaseSession): Promise<string | null> {
  const asked = `SELECT n.nspname AS schema FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proname = 'digest' AND pg_get_function_identity_arguments(p.oid) = 'bytea, text'`
  const found = await first(session, asked)
  if (found !== undefined) return `${quoteName(String(found['schema']))}.digest`
  if ((await first(session, `SELECT 1 AS found FROM pg_available_extensions WHERE name = 'pgcrypto'`)) === undefined) return null
  await session.run('models.savepoint', 'SAVEPOINT sluice_pgcrypto')
  try {
    await session.run('models.extension', `CREATE EXTENSION pgcrypto SCHEMA ${SCHEMA}`)
    return `${SCHEMA}.digest`
  } catch (thrown) {
    // Not every role may: then there is the slow way.
    if (!dialect.refused(thrown)) throw thrown
    await session.run('models.rollback', 'ROLLBACK TO SAVEPOINT sluice_pgcrypto')
    return null
  }
}

export const postgresModels: ModelRoom = {
  dialect,
  full: fullName,
  short: (name) => (name.startsWith(`${DEFAULT_SCHEMA}.`) ? name.slice(DEFAULT_SCHEMA.length + 1) : name),
  uuid5: `${SCHEMA}.uuid5`,
  isThere,
  async prepare(session) {
    // One transaction at a time: two tables may share a model.
    await session.all(`SELECT pg_advisory_xact_lock(hashtextextended('sluice models', 0))`)
    if (await isThere(session)) return
    await session.run('models.own', `CREATE TABLE ${OWN} (${RECORD_COLUMNS})`)
    for (const statement of uuid5Statements(SCHEMA, await digest(session))) await session.run('models.function', statement)
  },
}
