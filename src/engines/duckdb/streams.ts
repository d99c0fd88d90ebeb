/** Rows of a staged batch out of the child, chunk by chunk, in place order and never more than the reader asks for. */
import type { Staged } from '../../core/engine.ts'
import { REJECT_COLUMNS } from '../../core/engine.ts'
import { PLACE_COLUMN } from '../../core/place.ts'
import type { Row } from '../../core/schema.ts'
import { losersSql, lostSql, recordsSql, rejectsSql, valueSql } from '../../resolve/duckdb-batch.ts'
import { quoteName } from '../../sql/quote.ts'
import type { Connection, Database } from './database.ts'
import { WINDOW } from './protocol.ts'

export async function* readStaged(database: Database, staged: Staged, what: 'winners' | 'losers' | 'rejects'): AsyncGenerator<Row[]> {
  const place = quoteName(PLACE_COLUMN)
  const values = [...staged.schema.map((column) => `${valueSql(column)} AS ${quoteName(column.name)}`), place].join(', ')
  if (what === 'rejects') {
    if (staged.rejects.length > 0) yield* streamed(database, `SELECT ${REJECT_COLUMNS.map(quoteName).join(', ')} FROM (${rejectsSql(staged)}) ORDER BY ${place}`)
  } else if (what === 'losers') {
    if (staged.losers.length > 0) yield* streamed(database, `SELECT ${values} FROM (${losersSql(staged)})`)
  } else if (staged.records.length > 0) {
    const records = streamed(database, `SELECT ${values} FROM (${recordsSql(staged)})`)
    if (staged.losers.length === 0) yield* records
    else yield* without(records, streamed(database, lostSql(staged)))
  }
}

async function* streamed(database: Database, sql: string): AsyncGenerator<Row[]> {
  const connection: Connection = await database.connect()
  try {
    yield* connection.stream(sql)
  } finally {
    await connection.close()
  }
}

/** Rows without those whose place is among `lost`; both in place order, so neither is held or sorted. */
async function* without(rows: AsyncIterable<Row[]>, lost: AsyncGenerator<Row[]>): AsyncGenerator<Row[]> {
  const places = flattened(lost)
  try {
    let next = await places.next()
    for await (const chunk of rows) {
      const kept: Row[] = []
      for (const row of chunk) {
        const place = row.at(-1) as bigint
        while (next.done !== true && next.value < place) next = await places.next()
        if (next.done === true || next.value !== place) kept.push(row)
      }
      if (kept.length > 0) yield kept
    }
  } finally {
    await places.return(undefined)
  }
}

async function* flattened(chunks: AsyncGenerator<Row[]>): AsyncGenerator<bigint, undefined> {
  for await (const chunk of chunks) for (const row of chunk) yield row[0] as bigint
}

/** Lets the sender go on while fewer than WINDOW chunks are unacknowledged. */
export class Flow {
  private credits = WINDOW
  private stopped = false
  private wake: (() => void) | null = null

  /** False: the reader wants no more. */
  async take(): Promise<boolean> {
    while (this.credits === 0 && !this.stopped) await new Promise<void>((resolve) => (this.wake = resolve))
    this.credits -= 1
    return !this.stopped
  }
  more(): void {
    this.credits += 1
    this.wake?.()
  }
  stop(): void {
    this.stopped = true
    this.wake?.()
  }
}
