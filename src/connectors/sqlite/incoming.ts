/**
 * Brings a staged batch into temporary tables of the session, before the file is locked for writing.
 *
 *   temp._sluice_incoming   winners: place, c0, c1, …   (in place order; columns as in the staged schema)
 *   temp._sluice_beaten     losers within the batch: the same columns
 *   temp._sluice_aside      the splitter's rejects
 * They lie in SQLite's own temporary file, which has no name and goes with the process.
 */
import type { Batch, Engine, Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { crash, tampering } from '../../core/failpoint.ts'
import { rowOf, seqOf } from '../../core/place.ts'
import type { Row } from '../../core/schema.ts'
import type { SqliteSession } from '../../sql/sqlite.ts'
import { sqlType } from './layout.ts'

/** Bounds the memory of the session: 32 MB of pages of the file, 16 MB of the temporary one. */
const BOUNDED = 'PRAGMA temp_store = FILE; PRAGMA main.cache_size = -32768; PRAGMA temp.cache_size = -16384'

export async function bringIn(session: SqliteSession, engine: Engine, staged: Staged, signal: AbortSignal | undefined): Promise<void> {
  const columns = ['place INTEGER', ...staged.schema.map((column, i) => `c${i} ${sqlType(column.type)}`)].join(', ')
  session.exec('sqlite.settings', BOUNDED)
  session.exec('sqlite.spool', `CREATE TABLE temp._sluice_incoming (${columns}) STRICT;
    CREATE TABLE temp._sluice_beaten (${columns}) STRICT;
    CREATE TABLE temp._sluice_aside (place INTEGER, offset INTEGER, code TEXT, "column" TEXT, value TEXT, message TEXT, raw TEXT) STRICT`)
  await fill(session, '_sluice_incoming', engine.read(staged, 'winners'), placeFirst(staged), signal)
  await fill(session, '_sluice_beaten', engine.read(staged, 'losers'), placeFirst(staged), signal)
  await fill(session, '_sluice_aside', engine.rejects(staged), (row) => row.slice(0, 7), signal)
}

/** @throws SluiceError TABLE_UNSUPPORTED for what SQLite would store as something else */
function placeFirst({ schema, batch }: Staged): (row: Row) => Row {
  const doubles = schema.flatMap(({ type }, at) => (type === 'double' ? [at] : []))
  return (row) => {
    for (const at of doubles) if (Number.isNaN(row[at])) throw notANumber(batch, BigInt(row[schema.length] as bigint), schema[at]?.name ?? '')
    return [row[schema.length] ?? null, ...row.slice(0, schema.length)]
  }
}

function notANumber({ arrivals }: Batch, place: bigint, column: string): SluiceError {
  const path = arrivals.find(({ seq }) => seq === seqOf(place))?.pin.uri ?? ''
  const row = rowOf(place)
  return new SluiceError('TABLE_UNSUPPORTED', `${path} row ${row}: ${column} is NaN, which SQLite stores as null.`, { where: { path, row, column }, hint: 'Load it into a Delta table, which keeps NaN, or leave the column out with --columns.' })
}

/** One short transaction per chunk; it touches the temporary file only, so nobody waits for it. */
async function fill(session: SqliteSession, table: string, chunks: AsyncIterable<Row[]>, shape: (row: Row) => Row, signal: AbortSignal | undefined): Promise<void> {
  let sql = ''
  crash('sqlite.incoming.before')
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    session.snapshot(() => {
      for (const row of chunk) {
        const values = shape(row)
        if (sql === '') sql = `INSERT INTO temp.${table} VALUES (${values.map(() => '?').join(', ')})`
        session.change(sql, values)
      }
    })
  }
  crash('sqlite.incoming.after')
}

/**
 * Proves that the balance can fail: loses or doubles one row of `table` when a test asks for it.
 * @param id name of its row number · @param above only rows with a higher one
 */
export function tamperRow(session: SqliteSession, point: string, table: string, id = 'rowid', above = 0n): boolean {
  const how = tampering(point)
  if (how === null) return false
  const one = `(SELECT max(${id}) FROM ${table} WHERE ${id} > ${above})`
  const sql = how === 'drop' ? `DELETE FROM ${table} WHERE ${id} = ${one}` : `INSERT INTO ${table} SELECT * FROM ${table} WHERE ${id} = ${one}`
  return session.change(sql) > 0
}
