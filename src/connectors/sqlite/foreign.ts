/**
 * Tables of a SQLite file that others made: what a column keeps, by the affinity of its declared type, and what the catalog
 * tells of the table.
 *
 * SQLite lets every value have a type of its own and changes some as it stores them: `007` becomes 7 in a column declared
 * STRING or NUMERIC. So a column is loaded only as a type that it keeps, what it would change is put aside, and a table is
 * taken over only when its own values are what their column is loaded as.
 */
import { SluiceError } from '../../core/errors.ts'
import type { ColumnType } from '../../core/schema.ts'
import { fold } from '../../core/schema.ts'
import { nodeOf } from '../../core/types.ts'
import type { Relation, StoredColumn } from '../../database/dialect.ts'
import type { Rule } from '../../database/rules.ts'
import { first } from '../../database/session.ts'
import type { DatabaseSession, SqlRow } from '../../database/session.ts'
import type { Check } from '../../database/work.ts'
import { quoteName } from '../../sql/quote.ts'
import { saidBy, saysConflict } from './session.ts'

type Affinity = 'INTEGER' | 'TEXT' | 'NONE' | 'BLOB' | 'REAL' | 'NUMERIC'

/** By SQLite's rules on the declared type, in their order; NONE: nothing is declared, and every value stays what it is. */
function affinityOf(declared: string): Affinity {
  const word = declared.toUpperCase()
  if (word === '') return 'NONE'
  if (word.includes('INT')) return 'INTEGER'
  if (/CHAR|CLOB|TEXT/.test(word)) return 'TEXT'
  if (word.includes('BLOB')) return 'BLOB'
  return /REAL|FLOA|DOUB/.test(word) ? 'REAL' : 'NUMERIC'
}

/** Does a column keep every value of the type as Sluice writes it? Of NUMERIC ones see `checks`. */
export function holds(declared: string, type: ColumnType): boolean {
  const affinity = affinityOf(declared)
  if (affinity === 'NONE') return true
  switch (nodeOf(type).kind) {
    case 'boolean':
    case 'int64':
      return affinity === 'INTEGER' || affinity === 'NUMERIC'
    case 'double':
      return affinity === 'REAL' || affinity === 'NUMERIC'
    case 'decimal':
      // As text with all its digits.
      return affinity === 'TEXT'
    case 'string':
    case 'json':
    case 'date':
    case 'timestamp':
    case 'timestamp_local':
    case 'list':
    case 'struct':
      return affinity === 'TEXT' || affinity === 'NUMERIC'
  }
}

/** What a column is loaded as when nobody says. Times are the texts that they are: there are many ways to write them. */
export function typeOf(declared: string): ColumnType | null {
  const word = declared.toUpperCase().trim()
  if (/^BOOL(EAN)?$/.test(word)) return 'boolean'
  if (/^JSON$/.test(word)) return 'json'
  if (word === 'DATE') return 'date'
  if (/^(DATETIME|TIMESTAMP|TIME\b|UUID$|STRING$)/.test(word)) return 'string'
  if (/^(DECIMAL|NUMERIC|NUMBER|MONEY)\b/.test(word)) return 'double'
  const type: Readonly<Record<Affinity, ColumnType | null>> = { INTEGER: 'int64', TEXT: 'string', REAL: 'double', NONE: null, BLOB: null, NUMERIC: null }
  return type[affinityOf(declared)]
}

/** Text compares with a number as one when it looks like one, and as greater than all numbers when it does not. */
const asNumber = (value: string): string => `${value} <= CAST(9e999 AS NUMERIC)`

export function checks(type: ColumnType, { name, type: declared, notNull, filled }: StoredColumn): Check[] {
  const found: Check[] = []
  if (notNull === true) found.push({ column: name, when: (value) => `${value} IS NULL`, why: `${name} must not be null${filled === true ? ', and a record without it has null' : ''}.` })
  const isText = !['boolean', 'int64', 'double'].includes(nodeOf(type).kind)
  if (isText && affinityOf(declared) === 'NUMERIC') found.push({ column: name, when: asNumber, why: `${name} is declared as ${declared}: SQLite would make a number of this text.` })
  return found
}

const DAY = '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]'
const TIME = `${DAY}T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]`

/** Holds for a value that stands in the table and is none of the type. */
export function odd(type: ColumnType, value: string): string {
  const text = (more: string): string => `(${value} IS NOT NULL AND NOT (typeof(${value}) = 'text'${more}))`
  switch (nodeOf(type).kind) {
    case 'boolean':
      return `(${value} IS NOT NULL AND NOT (typeof(${value}) = 'integer' AND ${value} IN (0, 1)))`
    case 'int64':
      return `typeof(${value}) NOT IN ('null', 'integer')`
    case 'double':
      return `typeof(${value}) NOT IN ('null', 'integer', 'real')`
    case 'date':
      return text(` AND ${value} GLOB '${DAY}'`)
    case 'timestamp':
      return text(` AND ${value} GLOB '${TIME}Z'`)
    case 'timestamp_local':
      return text(` AND ${value} GLOB '${TIME}'`)
    case 'json':
    case 'list':
    case 'struct':
      return text(` AND json_valid(${value})`)
    case 'string':
    case 'decimal':
      return text('')
  }
}

/** What the catalog says of a table or view, whoever made it; names are matched without case, as SQLite matches them. */
export async function relationOf(session: DatabaseSession, table: string): Promise<Relation | null> {
  const found = await first(session, `SELECT s.name AS name, CASE l.type WHEN 'virtual' THEN 'virtual table' WHEN 'shadow' THEN 'shadow table of a virtual one,' ELSE s.type END AS kind, l.wr AS wr, l.strict AS strict, s.sql AS sql
    FROM main.sqlite_schema s LEFT JOIN pragma_table_list(s.name) l ON l.schema = 'main' WHERE s.name = $1 COLLATE NOCASE AND s.type IN ('table', 'view')`, [table])
  if (found === undefined) {
    const other = await first(session, 'SELECT type FROM main.sqlite_schema WHERE name = $1 COLLATE NOCASE', [table])
    return other === undefined ? null : { kind: String(other['type']), columns: [], uniques: [] }
  }
  const name = String(found['name'])
  const told = await session.all(`SELECT name, type, "notnull" AS required, dflt_value AS filled, pk, hidden FROM pragma_table_xinfo($1, 'main')`, [name])
  const indexes = await session.all(`SELECT l.name AS name, l.origin AS origin, l."unique" AS "unique", l."unique" = 1 AND l.partial = 0 AND min(i.name IS NOT NULL AND i.coll = 'BINARY' COLLATE NOCASE) AS holds, json_group_array(i.name) AS columns
    FROM pragma_index_list($1, 'main') AS l, pragma_index_xinfo(l.name, 'main') AS i WHERE i.key = 1 GROUP BY l.name`, [name])
  const keys = told.filter(({ pk }) => Number(pk) > 0)
  const number = keys.length === 1 && found['wr'] === 0n && !indexes.some(({ origin }) => origin === 'pk') ? String(keys[0]?.['name']) : null
  const columns = told.map((row): StoredColumn => {
    const [column, type] = [String(row['name']), String(row['type'])]
    const isNumber = column === number
    return {
      name: column,
      // Where types are strict ANY changes nothing; elsewhere it is a word like others.
      type: found['strict'] === 1n && type === 'ANY' ? '' : type,
      notNull: row['required'] === 1n || isNumber, filled: row['filled'] !== null || isNumber, generated: Number(row['hidden']) > 0,
    }
  })
  // By columns, as SQLite names them when a row is refused; unless it says the same of an index that compares otherwise.
  const said = (list: string): string => (JSON.parse(list) as string[]).map((one) => `${name}.${one}`).join(', ')
  const other = new Set(indexes.filter(({ holds: all, unique }) => unique === 1n && all !== 1n).map((row) => said(String(row['columns']))))
  const uniques = indexes.filter(({ holds: all }) => all === 1n).map((row) => ({ name: other.has(said(String(row['columns']))) ? String(row['name']) : said(String(row['columns'])), columns: JSON.parse(String(row['columns'])) as string[] }))
  const byNumber = number === null ? [] : [{ name: `${name}.${number}`, columns: [number] }]
  return { kind: String(found['kind']), name, columns, ...(await unfit(session, found, columns)), uniques: [...byNumber, ...uniques], rules: await rulesOf(session, name, columns) }
}

async function unfit(session: DatabaseSession, { name: table, wr, sql }: SqlRow, columns: readonly StoredColumn[]): Promise<Pick<Relation, 'unfit'>> {
  if (wr === 1n) return { unfit: 'it is WITHOUT ROWID, and rows are found by their numbers' }
  if (columns.some(({ name }) => fold(name) === 'rowid')) return { unfit: 'its column rowid hides the numbers of its rows' }
  if (!saysConflict(String(sql))) return {}
  const triggers = await session.all(`SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = $1 COLLATE NOCASE ORDER BY name`, [String(table)])
  const found = triggers.find((trigger) => /\bOR\s+(IGNORE|REPLACE|ROLLBACK|FAIL)\b/i.test(String(trigger['sql'])))
  // Its own clause must not hold, see `FileSession`; then no clause of its triggers does.
  return found === undefined ? {} : { unfit: `it says ON CONFLICT, and its trigger ${String(found['name'])} has such a clause, too: SQLite would not let one hold without the other` }
}

/** Foreign keys. What else the table asks shows when a row is written. */
async function rulesOf(session: DatabaseSession, table: string, columns: readonly StoredColumn[]): Promise<Rule[]> {
  const told = await session.all(`SELECT id, seq, "table" AS parent, "from" AS own, "to" AS other FROM pragma_foreign_key_list($1, 'main') ORDER BY id, seq`, [table])
  const rules: Rule[] = []
  for (const id of new Set(told.map((row) => row['id']))) {
    const parts = told.filter((row) => row['id'] === id)
    const parent = String(parts[0]?.['parent'])
    const there = await session.all(`SELECT name, pk FROM pragma_table_xinfo($1, 'main')`, [parent])
    // Then the table takes no row at all, see `checkStanding`.
    if (there.length === 0) continue
    const primary = there.filter(({ pk }) => Number(pk) > 0).toSorted((a, b) => Number(a['pk']) - Number(b['pk'])).map((row) => String(row['name']))
    const of = parts.map((row, at) => (row['other'] === null ? primary[at] : String(row['other'])))
    const own = parts.flatMap((row) => columns.find(({ name }) => fold(name) === fold(String(row['own']))) ?? [])
    if (own.length !== parts.length || of.includes(undefined)) continue
    rules.push({ kind: 'reference', columns: own, table: `main.${quoteName(parent)}`, of: of as string[], self: fold(parent) === fold(table) })
  }
  return rules
}

/** Of our own tables SQLite is asked for no foreign keys. See `Dialect.dragged`. */
export async function dragged(session: DatabaseSession, table: string, adopted: boolean): Promise<{ child: string; does: string } | null> {
  if (!adopted) return null
  const found = await first(session, `SELECT s.name AS child, f.on_delete AS does FROM main.sqlite_schema s, pragma_foreign_key_list(s.name, 'main') f
    WHERE s.type = 'table' AND f."table" = $1 COLLATE NOCASE AND s.name <> $1 COLLATE NOCASE AND f.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') LIMIT 1`, [table])
  return found === undefined ? null : { child: String(found['child']), does: String(found['does']) }
}

/** @throws SluiceError DEFINITION_INVALID when a value that stands there is none of its column's type, or when the table takes no row at all */
export async function checkStanding(session: DatabaseSession, table: string, name: string, schema: readonly { name: string; type: ColumnType }[]): Promise<void> {
  const columns = schema.map((column) => quoteName(column.name))
  for (const statement of [`INSERT INTO ${name} (${columns.join(', ')}) VALUES (${columns.map(() => 'NULL').join(', ')})`, `UPDATE ${name} SET ${columns.map((column) => `${column} = ${column}`).join(', ')}`]) {
    try {
      // What it refers to, and what its triggers name, SQLite looks for as it reads the statement.
      await session.all(`EXPLAIN ${statement}`)
    } catch (thrown) {
      const said = saidBy(thrown)?.message
      if (said === undefined) throw thrown
      throw new SluiceError('DEFINITION_INVALID', `${table} takes no row: ${said}.`, { cause: thrown, hint: 'Make what its foreign keys and triggers name, or take them away.' })
    }
  }
  const conditions = schema.map((column) => odd(column.type, quoteName(column.name)))
  const seen = await first(session, `SELECT ${conditions.map((condition, at) => `max(${condition}) AS c${at}`).join(', ')} FROM ${name}`)
  const at = schema.findIndex((_, i) => seen?.[`c${i}`] === 1n)
  const column = schema[at]
  if (column === undefined) return
  const row = await first(session, `SELECT rowid AS n, typeof(${quoteName(column.name)}) AS kind, substr(CAST(${quoteName(column.name)} AS TEXT), 1, 80) AS value FROM ${name} WHERE ${conditions[at] ?? ''} LIMIT 1`)
  throw new SluiceError('DEFINITION_INVALID', `${table}: the column ${column.name} cannot be loaded as ${column.type}: its row ${String(row?.['n'])} has ${String(row?.['value'])} (${String(row?.['kind'])}).`, {
    where: { column: column.name }, hint: 'Correct the row, declare the column as another type with --columns, or leave it out.',
  })
}
