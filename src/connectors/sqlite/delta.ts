/**
 * The delta of a table: another one that holds exactly the rows which the last load brought into it. Written in the
 * transaction of the commit; the first commit of a run empties it.
 */
import { SluiceError } from '../../core/errors.ts'
import { fold } from '../../core/schema.ts'
import type { Schema } from '../../core/schema.ts'
import type { DeltaOf } from '../../core/target.ts'
import { quoteName } from '../../sql/quote.ts'
import type { SqliteSession } from '../../sql/sqlite.ts'
import { checkTableName, namesOf, rowNumber, sqlType } from './layout.ts'
import type { Marks, Work } from './resolution.ts'
import { bringUp, readState } from './state.ts'

/** @throws SluiceError TARGET_INVALID when something else has the name */
export function checkDelta(session: SqliteSession, file: string, table: string, delta: DeltaOf): void {
  checkTableName(delta.table, file)
  const refused = (why: string): SluiceError => new SluiceError('TARGET_INVALID', `--delta ${delta.table}: ${why}`, { hint: 'Give the delta a name of its own.' })
  if (fold(delta.table) === fold(table)) throw refused('that is the table itself.')
  const of = owner(session, delta.table)
  if (of !== null && of !== table) throw refused(`it is the delta of ${of}.`)
  if (of === null && session.get('SELECT 1 FROM main.sqlite_schema WHERE name = ? COLLATE NOCASE', [delta.table]) !== undefined) throw refused(`${file} has something else of this name.`)
}

/** Table whose delta has this name; null: there is none. */
function owner(session: SqliteSession, name: string): string | null {
  if (session.get("SELECT 1 FROM main.sqlite_schema WHERE name = '_sluice_deltas'") === undefined) return null
  const row = session.get('SELECT tbl FROM main._sluice_deltas WHERE name = ?', [name])
  return row === undefined ? null : String(row['tbl'])
}

/** Makes the delta, or brings it to the columns of its table and to this run. Inside the transaction of a commit. */
export function openDelta(session: SqliteSession, table: string, schema: Schema, delta: DeltaOf): void {
  const name = `main.${quoteName(delta.table)}`
  const columns = schema.map((column) => `${quoteName(column.name)} ${sqlType(column.type)}`)
  if (owner(session, delta.table) === null) {
    session.exec('sqlite.delta-table', `CREATE TABLE ${name} (${[...columns, '_place INTEGER NOT NULL'].join(', ')}) STRICT`)
    session.run('sqlite.delta-run', 'INSERT INTO main._sluice_deltas (name, tbl, run) VALUES (?, ?, ?)', [delta.table, table, delta.run])
    return
  }
  const has = new Set(session.all(`PRAGMA main.table_info(${quoteName(delta.table)})`).map((column) => fold(String(column['name']))))
  for (const [at, column] of schema.entries()) if (!has.has(fold(column.name))) session.exec('sqlite.delta-table', `ALTER TABLE ${name} ADD COLUMN ${columns[at] ?? ''}`)
  if (session.run('sqlite.delta-run', 'UPDATE main._sluice_deltas SET run = ?1 WHERE name = ?2 AND run <> ?1', [delta.run, delta.table]) > 0) session.run('sqlite.delta-empty', `DELETE FROM ${name}`)
}

/** Makes the delta this run's in a transaction of its own; a run that committed nothing leaves it empty. */
export function settleDelta(session: SqliteSession, file: string, table: string, ledger: string | null, delta: DeltaOf): void {
  const { exists, schema } = readState(session, file, table, ledger)
  if (!exists) return
  checkDelta(session, file, table, delta)
  bringUp(session)
  openDelta(session, table, schema, delta)
}

/** Rows that this commit brought go in; rows of the same run that it took out of the table leave. Answers how many went in. */
export function fillDelta({ session, table, schema }: Work, marks: Marks, delta: DeltaOf): number {
  const names = namesOf(table)
  const into = `main.${quoteName(delta.table)}`
  const id = rowNumber(schema)
  const columns = [...schema.map(({ name }) => quoteName(name)), '_place']
  const from = columns.map((name) => `t.${name}`).join(', ')
  session.run('sqlite.delta-leave', `DELETE FROM ${into} WHERE _place IN (
    SELECT _place FROM ${names.losers} WHERE ${id} > ${marks.losers} AND _sluice_outcome = 'replaced'
    UNION ALL SELECT place FROM main._sluice_rejects WHERE rowid > ${marks.rejects} AND evicted = 1)`)
  const decided = session.get("SELECT 1 FROM temp.sqlite_schema WHERE name = '_sluice_decided'") !== undefined
  const updated = `SELECT ${from} FROM temp._sluice_decided d CROSS JOIN temp._sluice_incoming i ON i.rowid = d.row CROSS JOIN ${names.table} t ON t.${id} = d.target AND t._place = i.place WHERE d.outcome = 'updated'`
  const rows = `SELECT ${from} FROM ${names.table} t WHERE t.${id} > ${marks.rows}${decided ? ` UNION ALL ${updated}` : ''}`
  return session.run('sqlite.delta-fill', `INSERT INTO ${into} (${columns.join(', ')}) ${rows}`)
}
