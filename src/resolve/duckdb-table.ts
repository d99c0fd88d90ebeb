/**
 * A batch against a table of Parquet files, in DuckDB's SQL: which keys are known, who wins, what is written.
 *
 * Temporary tables, in the order in which they are made. They hold keys, places and keep values, never whole rows:
 *   sluice_batch    one row per winner of the batch: h (hash of the key), place
 *   sluice_live     path and ordinal of the data files that may hold a key of the batch
 *   sluice_match    pairs of a winner and a stored row whose keys have the same hash: the stored key as _k1…, place, file,
 *                   s_row, s_place, s_v
 *   sluice_found    tables with foreign rows only: as sluice_hit, but with every stored row of the key
 *   sluice_hit      winners whose key the table has: _k1…, place, v (value of the keep column), file, and of the stored row
 *                   s_row (which one it is), s_place and s_v (the first two NULL under first for batches that are not late)
 *   sluice_surplus  tables with foreign rows only: further stored rows of a hit key, which the best one beats: s_row, file
 *   sluice_rank     late batches only: best rank of the key among the stored row and its kept losers (e_place, e_v)
 *   sluice_decided  one row per hit: place, s_row, file, outcome (updated, duplicate, stale, repeated)
 *   sluice_pair     many columns only: a loser inside the batch and the final winner of its key, as in `Pairs`
 *   sluice_verdict  losers inside the batch: place, and whether the final winner of the key has equal content
 * Sluice never writes a place twice, so in its own files `_place` tells which row it is. Foreign rows have place 0, or a
 * place that was copied: there the file's ordinal and the row's number in it do.
 */
import type { Keep } from '../core/definition.ts'
import type { Part, Staged } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { Tampering } from '../core/failpoint.ts'
import { findColumn, fold } from '../core/schema.ts'
import type { Column, Schema } from '../core/schema.ts'
import { RAW_LIMIT } from '../core/target.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { filesSql, losersSql, lostSql, recordsSql, winnersSql } from './duckdb-batch.ts'
import { equalSql, isWide, slicedSql, slicesOf } from './duckdb-equal.ts'
import type { Pairs } from './duckdb-equal.ts'
import { duckType, jsonTextSql } from './nested.ts'

/** Column of losers files beside the schema's: duplicate, stale, evicted (replaced in the table) or surplus. */
const OUTCOME_COLUMN = '_sluice_outcome'
const FILE_COLUMN = '_sluice_file'
const ROW_COLUMN = '_sluice_row'
const EVICTED = `'evicted'`
/** A further row of a key, brought by another writer, that left the table when the key was decided. */
const SURPLUS = `'surplus'`

/** What one batch is resolved against. */
export interface Resolution {
  staged: Staged
  /** Columns of the table after this commit. */
  schema: Schema
  key: readonly string[]
  /** Null under append. */
  keep: Keep | null
  /** Data files that may hold a key of the batch; a file's ordinal is its position here. */
  files: readonly TableFile[]
  /** Highest place that Sluice ever committed, when the table has rows of other writers; null: all are its own. */
  foreign: bigint | null
  /** A test falsifies what is decided. */
  tamper: { how: Tampering; place: bigint } | null
}

/** A file that holds rows of a table. */
export interface TableFile {
  uri: string
  /** Values of the partition columns, which are not in the file: by folded name, as text. */
  values?: Readonly<Record<string, string | null>>
}

export function columnOf(schema: Schema, name: string): Column {
  const column = findColumn(schema, name)
  if (column === undefined) throw new SluiceError('INTERNAL', `The table has no column ${name}.`)
  return column
}

/** Every column of the schema with its exact type (others read JSON, UUID or wide integers wrongly), then `_place`. */
export function castSql(schema: Schema, of = ''): string {
  const casts = schema.map(({ name, type }) => `CAST(${of}${quoteName(name)} AS ${duckType(type)}) AS ${quoteName(name)}`)
  return [...casts, `CAST(${of}_place AS BIGINT) AS _place`].join(', ')
}

/** A relation of no rows that has every column: old files read as NULL what they do not have. */
function emptySql(schema: Schema, extra: readonly string[]): string {
  const columns = schema.map(({ name, type }) => `CAST(NULL AS ${duckType(type)}) AS ${quoteName(name)}`)
  const others = extra.map((name) => `CAST(NULL AS ${name === ROW_COLUMN ? 'BIGINT' : 'VARCHAR'}) AS ${name}`)
  return `SELECT ${[...columns, 'CAST(NULL AS BIGINT) AS _place', ...others].join(', ')} WHERE false`
}

/** How the rows of a table's files are told apart and placed. */
interface Reading {
  /** See `Resolution.foreign`. */
  foreign?: bigint | null
  /** Ordinals of the files, when the rows are to be told apart by them. */
  ordinals?: readonly number[]
}

/**
 * Files of a table as one relation: the columns of `schema`, `_place`, `_sluice_outcome` (losers files), `_sluice_file`,
 * and `_sluice_row` if asked for.
 */
export function filesOfTableSql(schema: Schema, files: readonly TableFile[], { foreign = null, ordinals }: Reading = {}): string {
  const empty = emptySql(schema, ordinals === undefined ? [OUTCOME_COLUMN, FILE_COLUMN] : [OUTCOME_COLUMN, FILE_COLUMN, ROW_COLUMN])
  if (files.length === 0) return empty
  const read = `read_parquet(${filesSql(files)}, union_by_name = true, hive_partitioning = false, filename = '${FILE_COLUMN}')`
  const added: string[] = ordinals !== undefined && foreign !== null ? [`(CAST(${ofFile(schema, ordinals)} AS BIGINT) << 32) + CAST(file_row_number AS BIGINT) AS ${ROW_COLUMN}`] : []
  const apart: string[] = []
  for (const { name, type } of schema) {
    const values = files.map((file) => file.values?.[fold(name)])
    if (values.every((value) => value === undefined)) continue
    const texts = values.map((value) => (value === undefined || value === null ? 'CAST(NULL AS VARCHAR)' : quoteText(value)))
    apart.push(quoteText(fold(name)))
    added.push(`CAST(${ofFile(schema, texts)} AS ${duckType(type)}) AS ${quoteName(name)}`)
  }
  // The log says what a partition column holds, also where a writer put the column into the file.
  const own = apart.length === 0 ? '*' : `COLUMNS(lambda c: lower(c) NOT IN (${apart.join(', ')}))`
  const all = `${empty} UNION ALL BY NAME SELECT ${[own, ...added].join(', ')} FROM ${read}`
  if (foreign !== null) return `SELECT * REPLACE (CASE WHEN _place BETWEEN 1 AND ${foreign} THEN _place ELSE 0 END AS _place) FROM (${all})`
  return ordinals === undefined ? all : `SELECT * REPLACE (_place AS ${ROW_COLUMN}) FROM (${all})`
}

/** One of the values, by the position of a row's file. The engine's own column tells it, unless one of the table hides it. */
function ofFile(schema: Schema, values: readonly (string | number)[]): string {
  const hidden = schema.find(({ name }) => ['file_index', 'file_row_number'].includes(fold(name)))
  if (hidden !== undefined) throw new SluiceError('TABLE_UNSUPPORTED', `A table with a column ${hidden.name} can have neither partitions nor rows of other writers.`, { hint: 'Load it into a table of its own without --partition-by, or leave the column out with --columns.' })
  return `([${values.join(', ')}])[CAST(file_index AS BIGINT) + 1]`
}

/** Stored rows of the candidates with these ordinals, each with its `_sluice_row`. */
function storedSql(job: Resolution, ordinals: readonly number[]): string {
  const files = ordinals.flatMap((n) => job.files[n] ?? [])
  return filesOfTableSql(job.schema, files, { foreign: job.foreign, ordinals })
}

/** Winners of the batch (of one records part, if named), in the table's columns and in place order. */
export function incomingSql(job: Resolution, part?: Part): string {
  const { staged } = job
  return tampered(conform(job, winnersSql(part === undefined ? staged : { ...staged, records: [part] })), job.tamper)
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

/** Key columns as _k1…, then what `places` says and the keep value, of a relation. */
function keysSql(job: Resolution, relation: string, places: string, value: string): string {
  const keys = job.key.map((name, at) => `${quoteName(columnOf(job.schema, name).name)} AS _k${at + 1}`)
  const keep = job.keep !== null && 'column' in job.keep ? quoteName(columnOf(job.schema, job.keep.column).name) : 'NULL'
  return `SELECT ${[...keys, places, `${keep} AS ${value}`].join(', ')} FROM (${relation})`
}

function sameKey(job: Resolution, a: string, b: string): string {
  return aliases(job).map((alias) => `${a}.${alias} = ${b}.${alias}`).join(' AND ')
}

/** Columns that make the content: all but the key, which is equal already. */
function contentOf(job: Resolution): Schema {
  const key = job.key.map((name) => columnOf(job.schema, name).name)
  return job.schema.filter(({ name }) => !key.includes(name))
}

/**
 * Finds the known keys: reads only key columns, places and the keep column. First over hashes of the keys, then exactly over
 * what those let through: a join over whole keys of text has to hold them all. The stored row's key goes through the first
 * join (rows that meet nothing cost nothing there), so that the table is read once. 1.35 million keys of a uuid and a
 * timestamp against as many winners, processor time: 0.31 s when 5 % are known, 1.1 s when all are; with a second look at
 * the table 0.48–0.68 s and 1.8 s. Where no stored row can lose, none has to be told apart: their places are not read.
 * @param late see `decideSql`
 */
export function hitsSql(job: Resolution, keep: Keep, late: boolean): string[] {
  const stored = storedSql(job, [...job.files.keys()])
  const hash = `hash(${job.key.map((name) => quoteName(columnOf(job.schema, name).name)).join(', ')})`
  const keys = aliases(job).map((alias) => `s.${alias}`)
  const columns = [...aliases(job).map((alias) => `m.${alias}`), 'm.place', 'b.v', 'm.file', 'm.s_row', 'm.s_place', 'm.s_v']
  const foreign = job.foreign !== null
  const rows = keep.rule === 'first' && !late && !foreign ? 'CAST(NULL AS BIGINT) AS s_place, CAST(NULL AS BIGINT) AS s_row' : `_place AS s_place, ${ROW_COLUMN} AS s_row`
  return [
    `CREATE TEMP TABLE sluice_batch AS SELECT ${hash} AS h, _place AS place FROM (${incomingSql(job)})`,
    `CREATE TEMP TABLE sluice_live AS SELECT * FROM (VALUES ${job.files.map(({ uri }, n) => `(${quoteText(uri)}, ${n})`).join(', ')}) AS t(path, n)`,
    `CREATE TEMP TABLE sluice_match AS SELECT ${keys.join(', ')}, b.place, l.n AS file, s.s_row, s.s_place, s.s_v ` +
      `FROM (${keysSql(job, stored, `${hash} AS h, ${rows}, ${FILE_COLUMN} AS path`, 's_v')}) AS s ` +
      `JOIN sluice_batch AS b ON b.h = s.h JOIN sluice_live AS l ON l.path = s.path`,
    'DROP TABLE sluice_batch',
    `CREATE TEMP TABLE ${foreign ? 'sluice_found' : 'sluice_hit'} AS SELECT ${columns.join(', ')} ` +
      `FROM (${keysSql(job, conform(job, recordsSql(job.staged)), '_place AS place', 'v')}) AS b JOIN sluice_match AS m ON m.place = b.place AND ${sameKey(job, 'm', 'b')}`,
    'DROP TABLE sluice_match',
    ...(foreign ? foundSql(keep) : []),
  ]
}

/** Another writer may have brought a key twice: the best row stands for it, the others leave the table with this commit. */
function foundSql(keep: Keep): string[] {
  const ranked = `SELECT *, row_number() OVER (PARTITION BY place ORDER BY ${orderSql(keep, 's_place', 's_v')}, s_row) AS nth FROM sluice_found`
  return [
    `CREATE TEMP TABLE sluice_hit AS SELECT * EXCLUDE (nth) FROM (${ranked}) WHERE nth = 1`,
    `CREATE TEMP TABLE sluice_surplus AS SELECT s_row, file FROM sluice_found WHERE s_row NOT IN (SELECT s_row FROM sluice_hit)`,
    'DROP TABLE sluice_found',
  ]
}

/** Stored rows that leave the table with this commit: s_row, file. */
export function leavingRowsSql(job: Resolution): string {
  const updated = `SELECT s_row, file FROM sluice_decided WHERE outcome = 'updated'`
  return job.foreign === null ? updated : `${updated} UNION ALL SELECT s_row, file FROM sluice_surplus`
}

/** The order of the rule, best first. Text compares by UTF-8 bytes in DuckDB. */
function orderSql(keep: Keep, at = '_place', value = 'v'): string {
  const place = `${at} ${keep.rule === 'last' || keep.rule === 'max' ? 'DESC' : 'ASC'}`
  return 'column' in keep ? `${value} ${keep.rule === 'max' ? 'DESC' : 'ASC'} NULLS LAST, ${place}` : place
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
 * @param hits ordinals of the data files with at least one hit
 * @param history losers files of all commits when the batch is late, else null: stored rows suffice
 */
export function decideSql(job: Resolution, keep: Keep, hits: readonly number[], history: readonly TableFile[] | null): string[] {
  const keys = aliases(job).join(', ')
  const statements: string[] = []
  if (history !== null) {
    const losers = `SELECT l.* FROM (${keysSql(job, filesOfTableSql(job.schema, history), '_place', 'v')}) AS l SEMI JOIN sluice_hit AS h ON ${sameKey(job, 'l', 'h')}`
    const all = `SELECT ${keys}, s_place AS _place, s_v AS v FROM sluice_hit UNION ALL ${losers}`
    statements.push(`CREATE TEMP TABLE sluice_rank AS SELECT ${keys}, _place AS e_place, v AS e_v FROM (${all}) QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY ${orderSql(keep)}) = 1`)
  }
  const ranked = history === null ? 'SELECT *, s_place AS e_place, s_v AS e_v FROM sluice_hit' : `SELECT h.*, e.e_place, e.e_v FROM sluice_hit AS h JOIN sluice_rank AS e ON ${sameKey(job, 'h', 'e')}`
  const winning = `SELECT place, s_row, file, ${beatsSql(keep)} AS wins FROM (${ranked})`
  if (keep.rule === 'first' && history === null) {
    // Nobody can win: no other column is ever read.
    return [...statements, `CREATE TEMP TABLE sluice_decided AS SELECT place, s_row, file, 'duplicate' AS outcome FROM sluice_hit`]
  }
  const lost = keep.rule === 'error' ? 'repeated' : 'stale'
  const columns = contentOf(job)
  const outcome = (equal: string): string => `SELECT r.place, r.s_row, r.file, CASE WHEN ${equal} THEN 'duplicate' WHEN r.wins THEN 'updated' ELSE '${lost}' END AS outcome FROM sluice_ranked AS r`
  const decided = (contents: string): string =>
    keep.rule === 'first'
      ? `CREATE TEMP TABLE sluice_decided AS ${contents} WHERE r.wins UNION ALL SELECT place, s_row, file, 'duplicate' FROM sluice_ranked WHERE NOT wins`
      : `CREATE TEMP TABLE sluice_decided AS ${contents}`
  statements.push(`CREATE TEMP TABLE sluice_ranked AS ${winning}`)
  if (!isWide(columns)) {
    statements.push(decided(`${outcome(equalSql(columns, 'i', 's'))} JOIN (${incomingSql(job)}) AS i ON i._place = r.place JOIN (${storedSql(job, hits)}) AS s ON s.${ROW_COLUMN} = r.s_row`))
    return statements
  }
  const pairs = `SELECT place, place AS a, s_row AS b FROM sluice_ranked${keep.rule === 'first' ? ' WHERE wins' : ''}`
  const sides = { a: incoming(job), b: stored(job, hits) }
  return [...statements, ...slicedSql({ pairs, ...sides }, slicesOf(columns, job.staged.winners), (equal) => [decided(outcome(equal('r.place')))])]
}

/** Sides of a comparison in slices. */
const incoming = (job: Resolution): Pairs['a'] => ({ rows: (schema) => incomingSql({ ...job, schema }), by: '_place' })
const stored = (job: Resolution, hits: readonly number[]): Pairs['a'] => ({ rows: (schema) => storedSql({ ...job, schema }, hits), by: ROW_COLUMN })

const STORED_WINS = `(SELECT place FROM sluice_decided WHERE outcome IN ('stale', 'repeated'))`

/** Compares losers inside the batch with the final winner of their key. Not needed under first: they are duplicates. */
export function verdictSql(job: Resolution, hits: readonly number[] | null): string[] {
  const key = job.key.map((name) => quoteName(columnOf(job.schema, name).name))
  const losers = inBatchLosersSql(job)
  const same = key.map((name) => `l.${name} = i.${name}`).join(' AND ')
  const where = hits === null ? '' : ` WHERE i._place NOT IN ${STORED_WINS}`
  const hit = key.map((name, at) => `l.${name} = h._k${at + 1}`).join(' AND ')
  const columns = contentOf(job)
  const staying = (what: string): string => `SELECT l._place AS place, ${what} FROM (${losers}) AS l JOIN (${incomingSql(job)}) AS i ON ${same}${where}`
  const beaten = (what: string, rest: string): string => `SELECT l._place AS place, ${what} FROM (${losers}) AS l JOIN sluice_hit AS h ON ${hit}${rest} WHERE h.place IN ${STORED_WINS}`
  if (!isWide(columns)) {
    const against = hits === null ? [] : [beaten(`${equalSql(columns, 'l', 's')} AS equal`, ` JOIN (${storedSql(job, hits)}) AS s ON s.${ROW_COLUMN} = h.s_row`)]
    return [`CREATE TEMP TABLE sluice_verdict AS ${[staying(`${equalSql(columns, 'l', 'i')} AS equal`), ...against].join(' UNION ALL ')}`]
  }
  const compared = (pairs: string, b: Pairs['b']): string[] => [
    `CREATE TEMP TABLE sluice_pair AS ${pairs}`,
    ...slicedSql({ pairs: 'SELECT * FROM sluice_pair', a: { rows: (schema) => conform({ ...job, schema }, losersSql(job.staged)), by: '_place' }, b }, slicesOf(columns, job.staged.winners), (equal) => [`INSERT INTO sluice_verdict SELECT place, ${equal('place')} FROM sluice_pair`]),
    'DROP TABLE sluice_pair',
  ]
  return [
    'CREATE TEMP TABLE sluice_verdict (place BIGINT, equal BOOLEAN)',
    ...compared(staying('l._place AS a, i._place AS b'), incoming(job)),
    ...(hits === null ? [] : compared(beaten('l._place AS a, h.s_row AS b', ''), stored(job, hits))),
  ]
}

/** Rows of one records part that go into the table. */
export function dataSql(job: Resolution, part: Part, decided: boolean): string {
  const where = decided ? ` WHERE _place NOT IN (SELECT place FROM sluice_decided WHERE outcome <> 'updated')` : ''
  return `SELECT ${castSql(job.schema)} FROM (${incomingSql(job, part)})${where}`
}

/** The columns of a touched data file that lie in it, without the rows that leave. */
export function rewriteSql(job: Resolution, n: number, columns: Schema): string {
  return `SELECT ${castSql(columns)} FROM (${storedSql(job, [n])}) WHERE ${ROW_COLUMN} NOT IN (SELECT s_row FROM (${leavingRowsSql(job)}))`
}

/** Rows that leave the table or never enter it, with their outcome. Null hits: no key of the batch is known. */
function leavingSql(job: Resolution, keep: Keep, hits: readonly number[] | null): { losers: string[]; rejects: string[] } {
  const losers: string[] = []
  const rejects: string[] = []
  // A column of the user's may have the name of one of ours.
  const cast = castSql(job.schema, 't.')
  const join = (relation: string, table: string, on: 'place' | 's_row', outcome: string, where: string): string =>
    `SELECT ${cast}, CAST(${outcome} AS VARCHAR) AS ${OUTCOME_COLUMN} FROM (${relation}) AS t JOIN ${table} AS d ON d.${on} = t.${on === 'place' ? '_place' : ROW_COLUMN}${where}`
  // What lost in the batch and what lost to the table are copied in one pass over the records.
  const lost: string[] = []
  if (job.staged.losers.length > 0) {
    if (keep.rule === 'first') lost.push(`SELECT _place AS place, 'duplicate' AS outcome FROM (${lostSql(job.staged)})`)
    else if (keep.rule === 'error') {
      lost.push(`SELECT place, 'duplicate' AS outcome FROM sluice_verdict WHERE equal`)
      rejects.push(join(inBatchLosersSql(job), 'sluice_verdict', 'place', `'repeated'`, ' WHERE NOT d.equal'))
    } else lost.push(`SELECT place, CASE WHEN equal THEN 'duplicate' ELSE 'stale' END AS outcome FROM sluice_verdict`)
  }
  if (hits !== null) lost.push(`SELECT place, outcome FROM sluice_decided WHERE outcome IN ('duplicate', 'stale')`)
  if (lost.length > 0) losers.push(join(conform(job, recordsSql(job.staged)), `(${lost.join(' UNION ALL ')})`, 'place', 'd.outcome', ''))
  if (hits === null) return { losers, rejects }
  const evicted = join(storedSql(job, hits), 'sluice_decided', 's_row', EVICTED, ` WHERE d.outcome = 'updated'`)
  if (job.foreign !== null) losers.push(join(storedSql(job, hits), 'sluice_surplus', 's_row', SURPLUS, ''))
  if (keep.rule !== 'error') losers.push(evicted)
  else rejects.push(join(incomingSql(job), 'sluice_decided', 'place', `'repeated'`, ` WHERE d.outcome = 'repeated'`), evicted)
  return { losers, rejects }
}

/** Files of losers to write: whole rows, `_place`, `_sluice_outcome`. */
export function losersOutSql(job: Resolution, keep: Keep, hits: readonly number[] | null): string[] {
  return leavingSql(job, keep, hits).losers
}

/** KEY_REPEATED rejects, columns as in REJECT_COLUMNS; the typed row as JSON text is their raw. */
export function repeatedSql(job: Resolution, keep: Keep, hits: readonly number[] | null): string[] {
  const key = job.key.map((name) => columnOf(job.schema, name))
  const value = key.map(({ name }) => `CAST(${quoteName(name)} AS VARCHAR)`).join(` || ', ' || `)
  const names = quoteText(key.map(({ name }) => name).join(', '))
  return leavingSql(job, keep, hits).rejects.map(
    (rows) =>
      `SELECT _place, CAST(NULL AS BIGINT) AS "offset", 'KEY_REPEATED' AS code, ${names} AS "column", ${value} AS "value", ` +
      `'Another record of this key, with other content, came first: ' || ${value} AS message, left(${rowJsonSql(job.schema)}, ${RAW_LIMIT}) AS raw FROM (${rows})`,
  )
}

/** A row as JSON text, null for what is absent. Values of json columns are JSON already. */
export function rowJsonSql(schema: Schema): string {
  const members = schema.map(({ name, type }) => `${quoteText(`${JSON.stringify(name)}:`)} || coalesce(${jsonTextSql(type, quoteName(name))}, 'null')`)
  return `'{' || concat_ws(',', ${members.join(', ')}) || '}'`
}

/** Files as they are named on the disk. */
export function filesAt(paths: readonly string[]): TableFile[] {
  return paths.map((uri) => ({ uri }))
}

/** Rows that were written to new data files, per arrival: seq, inserted, updated. */
export function countDataSql(paths: readonly string[], decided: boolean): string {
  const replaced = decided ? `SELECT place FROM sluice_decided WHERE outcome = 'updated'` : 'SELECT CAST(NULL AS BIGINT) AS place WHERE false'
  return (
    `SELECT CAST(d._place >> 32 AS BIGINT) AS seq, count(*) FILTER (WHERE u.place IS NULL) AS inserted, count(u.place) AS updated ` +
    `FROM (SELECT _place FROM (${filesOfTableSql([], filesAt(paths))})) AS d LEFT JOIN (${replaced}) AS u ON u.place = d._place GROUP BY 1`
  )
}

/** Rows that were written to losers files, per arrival: seq, outcome, n. */
export function countLosersSql(paths: readonly string[]): string {
  return `SELECT CAST(_place >> 32 AS BIGINT) AS seq, ${OUTCOME_COLUMN} AS outcome, count(*) AS n FROM (${filesOfTableSql([], filesAt(paths))}) GROUP BY ALL`
}

/** Rejects that were written, per arrival: seq, code, n. */
export function countRejectsSql(paths: readonly string[]): string {
  return `SELECT CAST(_place >> 32 AS BIGINT) AS seq, code, count(*) AS n FROM read_parquet(${filesSql(paths.map((uri) => ({ uri })))}) GROUP BY ALL`
}
