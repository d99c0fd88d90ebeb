/**
 * A batch against a table of Parquet files, in DuckDB's SQL: which keys are known, who wins, what is written.
 *
 * Temporary tables, in the order in which they are made. They hold keys, places and keep values, never whole rows:
 *   sluice_batch    one row per winner of the batch: h (hash of the key), place
 *   sluice_live     path and ordinal of the data files that may hold a key of the batch
 *   sluice_match    pairs of a winner and a stored row whose keys have the same hash: place, file, s_place
 *   sluice_hit      winners whose key the table has: _k1…, place, v (value of the keep column), file, s_place and s_v of the
 *                   stored row
 *   sluice_rank     late batches only: best rank of the key among the stored row and its kept losers (e_place, e_v)
 *   sluice_decided  one row per hit: place, s_place, file, outcome (updated, duplicate, stale, repeated)
 *   sluice_verdict  losers inside the batch: place, and whether the final winner of the key has equal content
 * `_place` is unique in a table, so it stands for (file, row) of a stored row.
 */
import type { Keep } from '../core/definition.ts'
import type { Part, Staged } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { Tampering } from '../core/failpoint.ts'
import { findColumn } from '../core/schema.ts'
import type { Column, Schema } from '../core/schema.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { filesSql, losersSql, recordsSql } from './duckdb-batch.ts'
import { duckType, jsonTextSql } from './nested.ts'

/** Column of losers files beside the schema's: duplicate, stale, or evicted (it was in the table and was replaced). */
const OUTCOME_COLUMN = '_sluice_outcome'
const FILE_COLUMN = '_sluice_file'
const EVICTED = `'evicted'`

/** What one batch is resolved against. */
export interface Resolution {
  staged: Staged
  /** Columns of the table after this commit. */
  schema: Schema
  key: readonly string[]
  /** Null under append. */
  keep: Keep | null
  /** A test falsifies what is decided. */
  tamper: { how: Tampering; place: bigint } | null
}

export function columnOf(schema: Schema, name: string): Column {
  const column = findColumn(schema, name)
  if (column === undefined) throw new SluiceError('INTERNAL', `The table has no column ${name}.`)
  return column
}

/** Every column of the schema with its exact type (others read JSON, UUID or wide integers wrongly), then `_place`. */
export function castSql(schema: Schema): string {
  const casts = schema.map(({ name, type }) => `CAST(${quoteName(name)} AS ${duckType(type)}) AS ${quoteName(name)}`)
  return [...casts, 'CAST(_place AS BIGINT) AS _place'].join(', ')
}

/** A relation of no rows that has every column: old files read as NULL what they do not have. */
function emptySql(schema: Schema, extra: readonly string[]): string {
  const columns = schema.map(({ name, type }) => `CAST(NULL AS ${duckType(type)}) AS ${quoteName(name)}`)
  const others = extra.map((name) => `CAST(NULL AS VARCHAR) AS ${name}`)
  return `SELECT ${[...columns, 'CAST(NULL AS BIGINT) AS _place', ...others].join(', ')} WHERE false`
}

/** Files of a table as one relation: the columns of `schema`, `_place`, `_sluice_outcome` (losers files), `_sluice_file`. */
export function filesOfTableSql(schema: Schema, paths: readonly string[]): string {
  const empty = emptySql(schema, [OUTCOME_COLUMN, FILE_COLUMN])
  if (paths.length === 0) return empty
  const files = filesSql(paths.map((uri) => ({ uri })))
  return `${empty} UNION ALL BY NAME SELECT * FROM read_parquet(${files}, union_by_name = true, hive_partitioning = false, filename = '${FILE_COLUMN}')`
}

/** Winners of the batch (of one records part, if named), in the table's columns and in place order. */
export function incomingSql(job: Resolution, part?: Part): string {
  const { staged } = job
  const records = recordsSql(part === undefined ? staged : { ...staged, records: [part] })
  // NOT IN keeps the order of the part, an anti join may turn its sides around.
  const lost = staged.losers.length === 0 ? '' : ` WHERE _place NOT IN (SELECT _place FROM (${losersSql(staged, [])}))`
  return tampered(conform(job, `SELECT * FROM (${records})${lost}`), job.tamper)
}

/** Losers inside the batch, in the table's columns. */
function inBatchLosersSql(job: Resolution): string {
  return conform(job, losersSql(job.staged))
}

function conform(job: Resolution, relation: string): string {
  const columns = job.schema.map((column) => {
    const from = findColumn(job.staged.schema, column.name)
    return `CAST(${from === undefined ? 'NULL' : quoteName(from.name)} AS ${duckType(column.type)}) AS ${quoteName(column.name)}`
  })
  return `SELECT ${[...columns, '_place'].join(', ')} FROM (${relation})`
}

function tampered(relation: string, tamper: Resolution['tamper']): string {
  if (tamper === null) return relation
  if (tamper.how === 'drop') return `SELECT * FROM (${relation}) WHERE _place <> ${tamper.place}`
  return `SELECT * FROM (${relation}) UNION ALL SELECT * FROM (${relation}) WHERE _place = ${tamper.place}`
}

const aliases = (job: Resolution): string[] => job.key.map((_, at) => `_k${at + 1}`)

/** Key columns as _k1…, then `_place` and the keep value, of a relation. */
function keysSql(job: Resolution, relation: string, place: string, value: string): string {
  const keys = job.key.map((name, at) => `${quoteName(columnOf(job.schema, name).name)} AS _k${at + 1}`)
  const keep = job.keep !== null && 'column' in job.keep ? quoteName(columnOf(job.schema, job.keep.column).name) : 'NULL'
  return `SELECT ${[...keys, `_place AS ${place}`, `${keep} AS ${value}`].join(', ')} FROM (${relation})`
}

function sameKey(job: Resolution, a: string, b: string): string {
  return aliases(job).map((alias) => `${a}.${alias} = ${b}.${alias}`).join(' AND ')
}

/** Equal content: every column but the key, which is equal already. */
function equalSql(job: Resolution, a: string, b: string): string {
  const key = job.key.map((name) => columnOf(job.schema, name).name)
  const others = job.schema.filter(({ name }) => !key.includes(name)).map(({ name }) => quoteName(name))
  return others.length === 0 ? 'true' : `(${others.map((name) => `${a}.${name} IS NOT DISTINCT FROM ${b}.${name}`).join(' AND ')})`
}

/**
 * Finds the known keys: reads only key columns, places and the keep column of `paths`. First over hashes of the keys, then
 * exactly over what those let through: a join over whole keys of text has to hold them all. Against a table of 1.8 million
 * keys, processor time of 1.8 million winners: 1.8 s at once, 0.7 s in two steps when 3 % are known; 2.1 s and 2.9 s when
 * all are.
 */
export function hitsSql(job: Resolution, paths: readonly string[]): string[] {
  const stored = filesOfTableSql(job.schema, paths)
  const hash = `hash(${job.key.map((name) => quoteName(columnOf(job.schema, name).name)).join(', ')})`
  const columns = [...aliases(job).map((alias) => `b.${alias}`), 'b.place', 'b.v', 'm.file', 's.s_place', 's.s_v']
  return [
    `CREATE TEMP TABLE sluice_batch AS SELECT ${hash} AS h, _place AS place FROM (${incomingSql(job)})`,
    `CREATE TEMP TABLE sluice_live AS SELECT * FROM (VALUES ${paths.map((path, n) => `(${quoteText(path)}, ${n})`).join(', ')}) AS t(path, n)`,
    `CREATE TEMP TABLE sluice_match AS SELECT b.place, l.n AS file, s._place AS s_place FROM (SELECT ${hash} AS h, _place, ${FILE_COLUMN} FROM (${stored})) AS s ` +
      `JOIN sluice_batch AS b ON b.h = s.h JOIN sluice_live AS l ON l.path = s.${FILE_COLUMN}`,
    'DROP TABLE sluice_batch',
    `CREATE TEMP TABLE sluice_hit AS SELECT ${columns.join(', ')} FROM sluice_match AS m JOIN (${keysSql(job, incomingSql(job), 'place', 'v')}) AS b ON b.place = m.place ` +
      `JOIN (${keysSql(job, stored, 's_place', 's_v')}) AS s ON s.s_place = m.s_place AND ${sameKey(job, 's', 'b')}`,
    'DROP TABLE sluice_match',
  ]
}

/** The order of the rule, best first. Text compares by UTF-8 bytes in DuckDB. */
function orderSql(keep: Keep): string {
  const place = `_place ${keep.rule === 'last' || keep.rule === 'max' ? 'DESC' : 'ASC'}`
  return 'column' in keep ? `v ${keep.rule === 'max' ? 'DESC' : 'ASC'} NULLS LAST, ${place}` : place
}

/** `i` (the incoming record: place, v) beats `e` (e_place, e_v), as in `rule.ts`. */
function beatsSql(keep: Keep): string {
  const byPlace = keep.rule === 'last' || keep.rule === 'max' ? 'place > e_place' : 'place < e_place'
  if (!('column' in keep)) return `(${byPlace})`
  const better = keep.rule === 'max' ? 'v > e_v' : 'v < e_v'
  return `((v IS NOT NULL AND (e_v IS NULL OR ${better})) OR (v IS NOT DISTINCT FROM e_v AND ${byPlace}))`
}

/**
 * Decides every hit.
 * @param hitPaths data files with at least one hit
 * @param history losers files of all commits when the batch is late, else null: stored rows suffice
 */
export function decideSql(job: Resolution, keep: Keep, hitPaths: readonly string[], history: readonly string[] | null): string[] {
  const keys = aliases(job).join(', ')
  const statements: string[] = []
  if (history !== null) {
    const losers = `SELECT l.* FROM (${keysSql(job, filesOfTableSql(job.schema, history), '_place', 'v')}) AS l SEMI JOIN sluice_hit AS h ON ${sameKey(job, 'l', 'h')}`
    const all = `SELECT ${keys}, s_place AS _place, s_v AS v FROM sluice_hit UNION ALL ${losers}`
    statements.push(`CREATE TEMP TABLE sluice_rank AS SELECT ${keys}, _place AS e_place, v AS e_v FROM (${all}) QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY ${orderSql(keep)}) = 1`)
  }
  const ranked = history === null ? 'SELECT *, s_place AS e_place, s_v AS e_v FROM sluice_hit' : `SELECT h.*, e.e_place, e.e_v FROM sluice_hit AS h JOIN sluice_rank AS e ON ${sameKey(job, 'h', 'e')}`
  const winning = `SELECT place, s_place, file, ${beatsSql(keep)} AS wins FROM (${ranked})`
  if (keep.rule === 'first' && history === null) {
    // Nobody can win: no other column is ever read.
    return [...statements, `CREATE TEMP TABLE sluice_decided AS SELECT place, s_place, file, 'duplicate' AS outcome FROM sluice_hit`]
  }
  const lost = keep.rule === 'error' ? 'repeated' : 'stale'
  const contents = (where: string): string =>
    `SELECT r.place, r.s_place, r.file, CASE WHEN ${equalSql(job, 'i', 's')} THEN 'duplicate' WHEN r.wins THEN 'updated' ELSE '${lost}' END AS outcome ` +
    `FROM sluice_ranked AS r JOIN (${incomingSql(job)}) AS i ON i._place = r.place JOIN (${filesOfTableSql(job.schema, hitPaths)}) AS s ON s._place = r.s_place${where}`
  statements.push(`CREATE TEMP TABLE sluice_ranked AS ${winning}`)
  statements.push(
    keep.rule === 'first'
      ? `CREATE TEMP TABLE sluice_decided AS ${contents(' WHERE r.wins')} UNION ALL SELECT place, s_place, file, 'duplicate' FROM sluice_ranked WHERE NOT wins`
      : `CREATE TEMP TABLE sluice_decided AS ${contents('')}`,
  )
  return statements
}

const STORED_WINS = `(SELECT place FROM sluice_decided WHERE outcome IN ('stale', 'repeated'))`

/** Compares losers inside the batch with the final winner of their key. Not needed under first: they are duplicates. */
export function verdictSql(job: Resolution, hitPaths: readonly string[] | null): string {
  const key = job.key.map((name) => quoteName(columnOf(job.schema, name).name))
  const losers = inBatchLosersSql(job)
  const same = key.map((name) => `l.${name} = i.${name}`).join(' AND ')
  const where = hitPaths === null ? '' : ` WHERE i._place NOT IN ${STORED_WINS}`
  const staying = `SELECT l._place AS place, ${equalSql(job, 'l', 'i')} AS equal FROM (${losers}) AS l JOIN (${incomingSql(job)}) AS i ON ${same}${where}`
  if (hitPaths === null) return `CREATE TEMP TABLE sluice_verdict AS ${staying}`
  const hit = key.map((name, at) => `l.${name} = h._k${at + 1}`).join(' AND ')
  const stored = `SELECT l._place AS place, ${equalSql(job, 'l', 's')} AS equal FROM (${losers}) AS l JOIN sluice_hit AS h ON ${hit} JOIN (${filesOfTableSql(job.schema, hitPaths)}) AS s ON s._place = h.s_place WHERE h.place IN ${STORED_WINS}`
  return `CREATE TEMP TABLE sluice_verdict AS ${staying} UNION ALL ${stored}`
}

/** Rows of one records part that go into the table. */
export function dataSql(job: Resolution, part: Part, decided: boolean): string {
  const where = decided ? ` WHERE _place NOT IN (SELECT place FROM sluice_decided WHERE outcome <> 'updated')` : ''
  return `SELECT ${castSql(job.schema)} FROM (${incomingSql(job, part)})${where}`
}

/** A touched data file without the rows that were replaced. */
export function rewriteSql(job: Resolution, path: string): string {
  return `SELECT ${castSql(job.schema)} FROM (${filesOfTableSql(job.schema, [path])}) WHERE _place NOT IN (SELECT s_place FROM sluice_decided WHERE outcome = 'updated')`
}

/** Rows that leave the table or never enter it, with their outcome. Null hitPaths: no key of the batch is known. */
function leavingSql(job: Resolution, keep: Keep, hitPaths: readonly string[] | null): { losers: string[]; rejects: string[] } {
  const losers: string[] = []
  const rejects: string[] = []
  const cast = castSql(job.schema)
  const join = (relation: string, table: string, on: string, outcome: string, where: string): string =>
    `SELECT ${cast}, CAST(${outcome} AS VARCHAR) AS ${OUTCOME_COLUMN} FROM (${relation}) AS t JOIN ${table} AS d ON d.${on} = t._place${where}`
  if (job.staged.losers.length > 0) {
    const lost = inBatchLosersSql(job)
    if (keep.rule === 'first') losers.push(`SELECT ${cast}, 'duplicate' AS ${OUTCOME_COLUMN} FROM (${lost})`)
    else if (keep.rule === 'error') {
      losers.push(join(lost, 'sluice_verdict', 'place', `'duplicate'`, ' WHERE d.equal'))
      rejects.push(join(lost, 'sluice_verdict', 'place', `'repeated'`, ' WHERE NOT d.equal'))
    } else losers.push(join(lost, 'sluice_verdict', 'place', `CASE WHEN d.equal THEN 'duplicate' ELSE 'stale' END`, ''))
  }
  if (hitPaths === null) return { losers, rejects }
  losers.push(join(incomingSql(job), 'sluice_decided', 'place', 'd.outcome', ` WHERE d.outcome IN ('duplicate', 'stale')`))
  const evicted = join(filesOfTableSql(job.schema, hitPaths), 'sluice_decided', 's_place', EVICTED, ` WHERE d.outcome = 'updated'`)
  if (keep.rule !== 'error') losers.push(evicted)
  else rejects.push(join(incomingSql(job), 'sluice_decided', 'place', `'repeated'`, ` WHERE d.outcome = 'repeated'`), evicted)
  return { losers, rejects }
}

/** Files of losers to write: whole rows, `_place`, `_sluice_outcome`. */
export function losersOutSql(job: Resolution, keep: Keep, hitPaths: readonly string[] | null): string[] {
  return leavingSql(job, keep, hitPaths).losers
}

/** Most characters of a reject's raw text. */
const RAW_LIMIT = 65_536

/** KEY_REPEATED rejects, columns as in REJECT_COLUMNS; the typed row as JSON text is their raw. */
export function repeatedSql(job: Resolution, keep: Keep, hitPaths: readonly string[] | null): string[] {
  const key = job.key.map((name) => columnOf(job.schema, name))
  const value = key.map(({ name }) => `CAST(${quoteName(name)} AS VARCHAR)`).join(` || ', ' || `)
  const names = quoteText(key.map(({ name }) => name).join(', '))
  return leavingSql(job, keep, hitPaths).rejects.map(
    (rows) =>
      `SELECT _place, CAST(NULL AS BIGINT) AS "offset", 'KEY_REPEATED' AS code, ${names} AS "column", ${value} AS "value", ` +
      `'Another record of this key, with other content, came first: ' || ${value} AS message, left(${rowJsonSql(job.schema)}, ${RAW_LIMIT}) AS raw FROM (${rows})`,
  )
}

/** A row as JSON text, null for what is absent. Values of json columns are JSON already. */
function rowJsonSql(schema: Schema): string {
  const members = schema.map(({ name, type }) => `${quoteText(`${JSON.stringify(name)}:`)} || coalesce(${jsonTextSql(type, quoteName(name))}, 'null')`)
  return `'{' || concat_ws(',', ${members.join(', ')}) || '}'`
}

/** Rows that were written to new data files, per arrival: seq, inserted, updated. */
export function countDataSql(schema: Schema, paths: readonly string[], decided: boolean): string {
  const replaced = decided ? `SELECT place FROM sluice_decided WHERE outcome = 'updated'` : 'SELECT CAST(NULL AS BIGINT) AS place WHERE false'
  return (
    `SELECT CAST(d._place >> 32 AS BIGINT) AS seq, count(*) FILTER (WHERE u.place IS NULL) AS inserted, count(u.place) AS updated ` +
    `FROM (SELECT _place FROM (${filesOfTableSql(schema, paths)})) AS d LEFT JOIN (${replaced}) AS u ON u.place = d._place GROUP BY 1`
  )
}

/** Rows that were written to losers files, per arrival: seq, outcome, n. */
export function countLosersSql(paths: readonly string[]): string {
  return `SELECT CAST(_place >> 32 AS BIGINT) AS seq, ${OUTCOME_COLUMN} AS outcome, count(*) AS n FROM (${filesOfTableSql([], paths)}) GROUP BY ALL`
}

/** Rejects that were written, per arrival: seq, code, n. */
export function countRejectsSql(paths: readonly string[]): string {
  return `SELECT CAST(_place >> 32 AS BIGINT) AS seq, code, count(*) AS n FROM read_parquet(${filesSql(paths.map((uri) => ({ uri })))}) GROUP BY ALL`
}
