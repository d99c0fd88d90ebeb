/**
 * Rows that the database refuses, by its catalog or by what it says: they are put aside with its reason, the best loser of
 * their key moves up, and the rest goes in.
 *
 * What the catalog tells is asked of all rows at once, before anything is written. What only shows when a row is written is
 * found by savepoints and halving: a part that is taken stays in while the next one is tried, so that rows which exclude one
 * another are found, too. Then all of it is undone and the batch is written without them. Where there are no savepoints, see
 * `trials.ts`: the commit is made again for every row that is found, and told those of before.
 */
import type { Keep } from '../core/definition.ts'
import { SluiceError } from '../core/errors.ts'
import { findColumn } from '../core/schema.ts'
import { RAW_LIMIT } from '../core/target.ts'
import { keySql, orderSql } from '../resolve/database.ts'
import { quoteText } from '../sql/quote.ts'
import { positions } from './layout.ts'
import { DECIDED, decideAll, indexPlaces, writeRange, writeRows } from './resolution.ts'
import type { Changes } from './resolution.ts'
import { excludedBy } from './rules.ts'
import { first, total } from './session.ts'
import type { Count } from './session.ts'
import { RowRefused, Tried } from './trials.ts'
import { rowJson } from './work.ts'
import type { Range, Work } from './work.ts'

/** Rows of a batch that may be found one by one: where more are refused, it is the table that does not fit. */
const MOST_FOUND = 1_000
/** Rows that may wait for others of the batch, behind them: what is refused of so many is tried once more. */
const MOST_WAITING = 5_000
const PROMOTED = '_sluice_promoted'

export interface Sound {
  changes: Changes
  /** Rows that were put aside. */
  refused: readonly Count[]
}

/**
 * Writes a batch, and puts aside what the database refuses.
 * @throws SluiceError ROWS_REFUSED above the limit; RowRefused where there are no savepoints; Tried at the end of a trial
 */
export async function writeSound(work: Work): Promise<Sound> {
  const refused: Count[] = []
  let current = work
  if (work.incoming.refused > 0) await moveUp(work)
  for (;;) {
    if (work.checks.length + work.rules.length + work.known.length > 0) {
      for (let found = 1; found > 0; ) {
        const aside = [...(await checked(current)), ...(await ruled(current)), ...(await putKnown(current))]
        found = total(aside)
        refused.push(...aside)
        if (found > 0) await moveUp(current)
      }
    }
    if (work.trial !== null) throw await tried(current, work.trial)
    // Made within the attempt it would be taken back with it.
    if (!current.fresh || work.incoming.refused > 0) await work.incoming.bring()
    if (!work.store.dialect.ownRefuse && work.stored.length === 0) return { changes: await writeRows(current), refused }
    try {
      return { changes: await current.session.attempt(() => writeRows(current)), refused }
    } catch (thrown) {
      const why = work.store.refusal(thrown, work.keyNames)
      if (why === null) throw thrown
      if (!work.store.dialect.savepoints) throw new RowRefused(why, thrown)
    }
    current = { ...current, fresh: false }
    const { aside, ranges } = await found(current, total(refused))
    // One after another all were taken: a value that one gives away and another one gets, which no database takes at once.
    if (aside.length === 0) return { changes: await writeRows({ ...current, ranges }), refused }
    refused.push(...aside)
    await moveUp(current)
  }
}

/** Rows that the catalog excludes. */
async function checked(work: Work): Promise<Count[]> {
  await work.incoming.bring()
  const aside: Count[] = []
  const at = positions(work.schema, work.staged)
  for (const { column, when, why } of work.checks) {
    const i = at[work.schema.findIndex(({ name }) => name === column)] ?? -1
    const value = i < 0 ? 'NULL' : `i.c${i}`
    aside.push(...(await putAside(work, when(value), quoteText(column), i < 0 ? 'NULL' : `substr(CAST(${value} AS TEXT), 1, 120)`, quoteText(why))))
  }
  return aside
}

/** Rows that the rules of the catalog exclude, one rule after another: a row that is gone excludes no other. */
async function ruled(work: Work): Promise<Count[]> {
  if (work.rules.length === 0) return []
  await work.incoming.bring()
  const aside: Count[] = []
  for await (const { where, column, value, why } of excludedBy(work)) aside.push(...(await putAside(work, where, column, value, why)))
  return aside
}

/** Rows that trials found, as soon as they are winners. */
async function putKnown(work: Work): Promise<Count[]> {
  const aside: Count[] = []
  if (work.known.length === 0) return aside
  await work.incoming.bring()
  for (const { place, why } of work.known) aside.push(...(await putOne(work, place, why)))
  return aside
}

function putOne(work: Work, place: bigint, why: string): Promise<Count[]> {
  return putAside(work, `i.place = ${place}`, 'NULL', 'NULL', quoteText(why.replaceAll('\0', '')))
}

/** Writes the first rows of the batch; what is answered is thrown, so that nothing of it stays. */
async function tried(work: Work, n: number): Promise<Tried> {
  await work.incoming.bring()
  const keyed = work.definition.keep !== null
  if (keyed) await decideAll(work)
  const from = keyed ? `${DECIDED} WHERE outcome IN ('inserted', 'updated')` : work.incoming.winners
  const rows = Number((await first(work.session, `SELECT count(*) AS n FROM ${from}`))?.['n'])
  const last = await first(work.session, `SELECT place FROM ${from} ORDER BY place LIMIT 1 OFFSET ${Math.max(0, Math.min(n, rows) - 1)}`)
  const place = last === undefined ? 0n : (last['place'] as bigint)
  try {
    await writeRange(work, [0n, place])
    return new Tried(rows, place, null)
  } catch (thrown) {
    const why = work.store.refusal(thrown, work.keyNames)
    if (why === null) throw thrown
    return new Tried(rows, place, why)
  }
}

async function putAside(work: Work, where: string, column: string, value: string, why: string): Promise<Count[]> {
  const { session, store, incoming, table, batch } = work
  const into = store.dialect.own('rejects')
  const at = positions(work.schema, work.staged)
  const raw = `substr(${rowJson(work, at.map((i) => (i < 0 ? 'NULL' : `i.c${i}`)))}, 1, ${RAW_LIMIT})`
  const from = `FROM ${incoming.winners} i WHERE ${where}`
  const sql = `INSERT INTO ${into} (tbl, batch, place, "offset", code, "column", value, message, raw, evicted) SELECT ${quoteText(table)}, ${quoteText(batch)}, i.place, NULL, 'ROW_REFUSED', ${column}, ${value}, ${why}, ${raw}, 0 ${from}`
  const counts = await session.write({ point: 'database.refused', sql, into, place: 'place' })
  if (total(counts) > 0) await session.run('database.refused', `DELETE FROM ${incoming.winners} AS i WHERE ${where}`)
  return counts
}

/** The rows that the database refuses when they are written, and the others in the order in which it takes them. */
async function found(work: Work, before: number): Promise<{ aside: readonly Count[]; ranges: readonly Range[] }> {
  const { session, incoming, store } = work
  const bad: { at: number; place: bigint; why: string }[] = []
  const ranges: Range[] = []
  const refuse = (most: number): void => {
    if (before + bad.length > most) throw new SluiceError('ROWS_REFUSED', `${work.table}: ${store.dialect.product} refuses more than ${most} rows of the batch, the last one because: ${bad.at(-1)?.why ?? ''}`)
  }
  await incoming.bring()
  const search = async (): Promise<void> => {
    const keyed = work.definition.keep !== null
    if (keyed) await decideAll(work)
    await indexPlaces(work, keyed ? [DECIDED, incoming.winners] : [incoming.winners])
    const list = async (from: string, where: string): Promise<bigint[]> => (await session.all(`SELECT place FROM ${from}${where} ORDER BY place`)).map((row) => row['place'] as bigint)
    const places = keyed ? await list(DECIDED, ` WHERE outcome IN ('inserted', 'updated')`) : await list(incoming.winners, '')
    const attempt = async (from: number, to: number): Promise<void> => {
      if (from >= to) return
      const range: Range = [places[from] ?? 0n, places[to - 1] ?? 0n]
      try {
        await session.attempt(() => writeRange(work, range))
        ranges.push(range)
      } catch (thrown) {
        const why = store.refusal(thrown, work.keyNames)
        if (why === null) throw thrown
        if (to - from === 1) {
          bad.push({ at: from, place: range[0], why })
          refuse(MOST_WAITING)
          return
        }
        const middle = (from + to) >> 1
        await attempt(from, middle)
        await attempt(middle, to)
      }
    }
    await attempt(0, places.length)
    // One that refers to a row behind it is taken as soon as that one is in: a chain of them from its end, in one turn.
    for (let left = 0; left !== bad.length; ) {
      left = bad.length
      for (const { at } of bad.splice(0).toReversed()) await attempt(at, at + 1)
    }
    refuse(MOST_FOUND)
    throw new Undone()
  }
  try {
    await session.attempt(search)
  } catch (thrown) {
    if (!(thrown instanceof Undone)) throw thrown
  }
  const aside: Count[] = []
  for (const { place, why } of bad) aside.push(...(await putOne(work, place, why)))
  return { aside, ranges }
}

/** Ends a search: all that it wrote is taken back. */
class Undone extends Error {}

/** Of every key without a winner, the best loser of the batch becomes one. */
async function moveUp(work: Work): Promise<void> {
  const { session, store, incoming, staged, definition } = work
  const { winners, beaten } = incoming
  const keep: Keep | null = definition.keep
  if (beaten === null || keep === null) return
  await incoming.bring()
  await incoming.loosen?.()
  const key = definition.key.map((name) => staged.findIndex((column) => column === findColumn(staged, name)))
  if (key.some((i) => i < 0)) return
  const column = 'column' in keep ? findColumn(staged, keep.column) : undefined
  const value = column === undefined ? 'NULL' : store.dialect.ordered(column.type, `b.c${staged.indexOf(column)}`)
  const without = `NOT EXISTS (SELECT 1 FROM ${winners} i WHERE ${keySql(key.map((i) => [`i.c${i}`, `b.c${i}`]))})`
  const ranked = `SELECT b.place, row_number() OVER (PARTITION BY ${key.map((i) => `b.c${i}`).join(', ')} ORDER BY ${orderSql(keep, { value, place: 'b.place' })}) AS nth FROM ${beaten} b WHERE ${without}`
  await session.run('database.promote', `CREATE TEMP TABLE ${PROMOTED} AS SELECT place FROM (${ranked}) x WHERE nth = 1`)
  if ((await first(session, `SELECT 1 AS one FROM ${PROMOTED} LIMIT 1`)) !== undefined) {
    await session.run('database.promote', `INSERT INTO ${winners} SELECT * FROM ${beaten} WHERE place IN (SELECT place FROM ${PROMOTED})`)
    await session.run('database.promote', `DELETE FROM ${beaten} WHERE place IN (SELECT place FROM ${PROMOTED})`)
  }
  await session.run('database.promote', `DROP TABLE ${PROMOTED}`)
}
