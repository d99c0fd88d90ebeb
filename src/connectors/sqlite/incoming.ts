/**
 * Brings a staged batch into temporary tables of the session, before the file is locked for writing.
 *
 *   _sluice_incoming   winners: place, c0, c1, …   (columns as in the staged schema)
 *   _sluice_beaten     losers within the batch: the same columns
 *   _sluice_aside      the splitter's rejects
 * They lie in SQLite's own temporary file, which has no name and goes with the process. The place is the row's number, so
 * that a row is found by it without an index.
 */
import type { Batch, Engine, Staged } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import { crash } from '../../core/failpoint.ts'
import { rowOf, seqOf } from '../../core/place.ts'
import type { Row } from '../../core/schema.ts'
import type { Incoming } from '../../database/dialect.ts'
import type { SqliteSession } from '../../sql/sqlite.ts'
import { sqlType } from './dialect.ts'
import { isConstraint } from './session.ts'

/** Bounds the memory of the session: 32 MB of pages of the file, 16 MB of the temporary one. */
const BOUNDED = 'PRAGMA temp_store = FILE; PRAGMA main.cache_size = -32768; PRAGMA temp.cache_size = -16384'
const [WINNERS, BEATEN, ASIDE] = ['_sluice_incoming', '_sluice_beaten', '_sluice_aside'] as const

export async function bringIn(session: SqliteSession, engine: Engine, staged: Staged, signal: AbortSignal | undefined): Promise<Incoming> {
  const columns = ['place INTEGER PRIMARY KEY', ...staged.schema.map((column, i) => `c${i} ${sqlType(column.type)}`)].join(', ')
  session.exec('sqlite.settings', BOUNDED)
  session.exec('sqlite.spool', `CREATE TABLE temp.${WINNERS} (${columns}) STRICT;
    CREATE TABLE temp.${BEATEN} (${columns}) STRICT;
    CREATE TABLE temp.${ASIDE} (place INTEGER, offset INTEGER, code TEXT, "column" TEXT, value TEXT, message TEXT, raw TEXT) STRICT`)
  await fill(session, WINNERS, engine.read(staged, 'winners'), placeFirst(staged), signal)
  const beaten = await fill(session, BEATEN, engine.read(staged, 'losers'), placeFirst(staged), signal)
  const aside = await fill(session, ASIDE, engine.rejects(staged), (row) => row.slice(0, 7), signal)
  return { winners: WINNERS, beaten: beaten > 0 ? BEATEN : null, aside: aside > 0 ? ASIDE : null, refused: 0, bring: () => Promise.resolve() }
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

/** One short transaction per chunk; it touches the temporary file only, so nobody waits for it. Answers how many rows came. */
async function fill(session: SqliteSession, table: string, chunks: AsyncIterable<Row[]>, shape: (row: Row) => Row, signal: AbortSignal | undefined): Promise<number> {
  let sql = ''
  let came = 0
  crash('sqlite.incoming.before')
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    try {
      session.snapshot(() => {
        for (const row of chunk) {
          const values = shape(row)
          if (sql === '') sql = `INSERT INTO temp.${table} VALUES (${values.map(() => '?').join(', ')})`
          session.change(sql, values)
        }
      })
    } catch (thrown) {
      if (!isConstraint(thrown)) throw thrown
      throw new SluiceError('BALANCE_BROKEN', `The numbers do not add up, nothing was committed: a record was staged more than once (${table}).`, { cause: thrown })
    }
    came += chunk.length
  }
  crash('sqlite.incoming.after')
  return came
}
