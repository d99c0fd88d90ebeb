/**
 * A model recomputed as a whole, and the proof on a few of its groups that it may be recomputed by parts.
 */
import { SluiceError } from '../core/errors.ts'
import type { Grouping, Model } from '../core/model.ts'
import { fold } from '../core/schema.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { rows, run } from './dialect.ts'
import type { ModelDialect, Steps } from './dialect.ts'
import { anyNull, cut, groupNames, groupsOf, inputValues, member, resultValues } from './groups.ts'
import type { Types } from './groups.ts'
import { rendered } from './reading.ts'
import type { ModelRecord } from './record.ts'

/** Groups that are proven, each alone. Two: with both of two together a share of their total would be right. */
const SAMPLE_GROUPS = 2

/** What a rebuild left: its rows, and whether there were enough groups to prove that they stand alone. */
export interface Rebuilt {
  rows: number
  proven: boolean
}

/** @throws SluiceError MODEL_FAILED for a result that is not what the header says */
export function* rebuild(dialect: ModelDialect, model: Model, known: ModelRecord, typesOf: (input: string) => Steps<Types>): Steps<Rebuilt> {
  const table = dialect.table(model.name)
  const there = (yield* rows(dialect.exists(model.name))).length > 0
  if (there && known.rows === null) throw new SluiceError('MODEL_FAILED', `There is a table ${model.name} that no model made.`)
  const select = rendered(model, (input) => dialect.table(input))
  if (there && known.hash === model.hash) {
    yield* run('models.empty', `DELETE FROM ${table}`)
    yield* run('models.fill', `INSERT INTO ${table} SELECT * FROM (${select}) AS q`)
  } else {
    if (there) yield* run('models.drop', `DROP TABLE ${table}`)
    yield* dialect.room(model.name)
    yield* run('models.make', `CREATE TABLE ${table} AS SELECT * FROM (${select}) AS q`)
    yield* checkColumns(dialect, model)
    const key = dialect.uniqueIndexes && model.key.length > 0 ? dialect.index(`_sluice_key_${bare(model)}`, model.name, model.key.map(quoteName), { unique: true }) : null
    if (key !== null) yield* run('models.key', key)
    const types = new Map((yield* rows(dialect.columns(model.name))).map((row) => [fold(String(row['name'])), String(row['type'])]))
    const index = model.grouping === null ? null : dialect.index(`_sluice_part_${bare(model)}`, model.name, resultValues(model.grouping, ''), { types: model.grouping.columns.map(({ output }) => types.get(fold(output)) ?? '') })
    if (index !== null) yield* run('models.index', index)
  }
  for (const statement of dialect.settle(table)) yield* run('models.settle', statement)
  if (!dialect.uniqueIndexes && model.key.length > 0) yield* keyHolds(model, table)
  const proven = model.grouping !== null && (yield* prove(dialect, model, model.grouping, typesOf))
  return { rows: Number((yield* rows(`SELECT count(*) AS n FROM ${table}`))[0]?.['n']), proven }
}

function bare(model: Model): string {
  return model.name.replace('.', '_')
}

function* checkColumns(dialect: ModelDialect, model: Model): Steps<void> {
  const columns = (yield* rows(dialect.columns(model.name))).map((row) => String(row['name']))
  const wanted = [...model.key, ...(model.grouping?.columns ?? []).map(({ output }) => output)]
  const lacking = wanted.find((name) => !columns.some((column) => fold(column) === fold(name)))
  if (lacking !== undefined) throw new SluiceError('MODEL_FAILED', `The result has no column ${lacking}; it has ${columns.join(', ')}.`)
}

/** @throws SluiceError MODEL_FAILED */
export function* keyHolds(model: Model, relation: string): Steps<void> {
  const key = model.key.map(quoteName).join(', ')
  if ((yield* rows(`SELECT 1 AS twice FROM ${relation} AS q GROUP BY ${key} HAVING count(*) > 1 LIMIT 1`)).length > 0) throw new SluiceError('MODEL_FAILED', `The key ${model.key.join(', ')} is not unique in the result.`)
}

/**
 * A group recomputed from its own rows must be what the whole has of it. A model that is not so, such as a share of the
 * total, would go wrong silently with its first part; here it is refused when it is first made.
 * @returns false when there were too few groups to tell: then the next refresh is of the whole, too
 */
export function* prove(dialect: Pick<ModelDialect, 'table' | 'columns' | 'day' | 'within' | 'comparable'>, model: Model, grouping: Grouping, typesOf: (input: string) => Steps<Types>): Steps<boolean> {
  const values = new Map<string, string[]>()
  for (const input of grouping.of) values.set(input, inputValues(dialect, grouping, yield* typesOf(input)))
  const names = groupNames(grouping).join(', ')
  const some = grouping.of.map((input) => `SELECT * FROM (${groupsOf(grouping, values.get(input) ?? [], dialect.table(input))} LIMIT ${SAMPLE_GROUPS}) AS s`)
  yield* run('models.samples', `CREATE TEMP TABLE _sluice_samples AS SELECT s.*, row_number() OVER () AS nth FROM (SELECT * FROM (${some.join(' UNION ')}) AS u LIMIT ${SAMPLE_GROUPS}) AS s`)
  const columns = (yield* rows(dialect.columns(model.name))).map((row) => dialect.comparable(quoteName(String(row['name'])), String(row['type'])))
  const list = columns.join(', ')
  const samples = yield* rows(`SELECT nth, ${names}, CASE WHEN ${anyNull(grouping)} THEN 1 ELSE 0 END AS has_null FROM _sluice_samples ORDER BY nth`)
  for (const sample of samples) {
    const nulls = Number(sample['has_null']) > 0
    yield* run('models.sample', `CREATE TEMP TABLE _sluice_sample AS SELECT ${names} FROM _sluice_samples WHERE nth = ${String(sample['nth'])}`)
    const part = rendered(model, (input) => (values.has(input) ? `(${cut(dialect, grouping, values.get(input) ?? [], dialect.table(input), '_sluice_sample', nulls)})` : dialect.table(input)))
    yield* run('models.part', `CREATE TEMP TABLE _sluice_part AS SELECT * FROM (${part}) AS q`)
    const whole = `SELECT t.* FROM ${dialect.table(model.name)} AS t WHERE ${member(dialect, grouping, resultValues(grouping), '_sluice_sample', nulls)}`
    const [found] = yield* rows(comparedSql(`(${whole})`, '_sluice_part', list))
    for (const table of ['_sluice_part', '_sluice_sample']) yield* run('models.tidy', `DROP TABLE ${table}`)
    if (Number(found?.['stand']) === Number(found?.['come']) && Number(found?.['differ']) === 0) continue
    throw notApart(groupNames(grouping).map((name) => (sample[name] === null ? 'null' : quoteText(String(sample[name])))).join(', '))
  }
  yield* run('models.tidy', 'DROP TABLE _sluice_samples')
  return samples.length >= SAMPLE_GROUPS
}

/** Answers one row: rows of both, and how many of either are not in the other. */
function comparedSql(whole: string, part: string, columns: string): string {
  const differ = (a: string, b: string): string => `(SELECT count(*) FROM (SELECT ${columns} FROM ${a} AS a EXCEPT SELECT ${columns} FROM ${b} AS b) AS d)`
  const count = (of: string): string => `(SELECT count(*) FROM ${of} AS c)`
  return `SELECT ${count(whole)} AS stand, ${count(part)} AS come, ${differ(whole, part)} + ${differ(part, whole)} AS differ`
}

/** @param group as it is shown */
function notApart(group: string): SluiceError {
  return new SluiceError('MODEL_FAILED', `It cannot be recomputed by parts: from its own rows alone the group ${group} is not what the whole has of it. Write "incremental: full", or name the columns by which its groups stand alone.`)
}
