/**
 * One SQLite file and the queries of a user, in a process of its own: SQLite works without a pause, so ending the process is
 * the only way to cancel it.
 */
import type { SqlValue } from '../../core/effects.ts'
import { SluiceError, asSluiceError } from '../../core/errors.ts'
import { openForReading, questionError } from '../../sql/sqlite.ts'
import type { SqliteSession } from '../../sql/sqlite.ts'
import type { FromChild, ValueType, ToChild } from './console.ts'
import { firstStatement } from '../../sql/statement.ts'

/** Rows of a chunk. */
const CHUNK = 1000

process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('disconnect', () => process.exit(0))

let path = ''
let sql = ''
let session: SqliteSession | null = null
let rows: Iterator<SqlValue[]> | null = null

function answer(message: ToChild): FromChild {
  if (message.do === 'ask') {
    path = message.path
    sql = message.sql
    session?.close()
    session = openForReading('sql.rollback', path)
    const types = message.typed ? typesOf(session, message.sql) : null
    const asked = session.question(message.sql)
    rows = asked.rows
    return { columns: asked.columns.map((column, at) => ({ ...column, type: types?.[at] ?? null })) }
  }
  const chunk: SqlValue[][] = []
  try {
    while (chunk.length < CHUNK) {
      const next = rows?.next()
      if (next === undefined || next.done === true) return { rows: chunk, end: true }
      chunk.push(next.value)
    }
  } catch (thrown) {
    throw questionError(thrown, path, sql, true)
  }
  return { rows: chunk, end: false }
}

/** The one type of each column, from every value that the query gives. @throws SluiceError SQL_FAILED where there are several */
function typesOf(session: SqliteSession, sql: string): ValueType[] {
  const { columns } = session.question(sql)
  const names = columns.map((_, at) => `c${at}`)
  const kinds = ['integer', 'real', 'text', 'blob'].flatMap((kind) => names.map((name) => `max(typeof(${name}) = '${kind}')`))
  const found = session.question(`WITH q(${names.join(', ')}) AS (\n${firstStatement(sql)}\n) SELECT ${kinds.join(', ')} FROM q`).rows.next()
  const has = (kind: number, at: number): boolean => found.done !== true && found.value[kind * columns.length + at] === 1n
  return columns.map(({ name }, at) => {
    const some = [has(0, at) ? 'int64' : '', has(1, at) ? 'double' : '', has(2, at) || has(3, at) ? 'string' : ''].filter((type) => type !== '')
    if (some.length > 1) throw new SluiceError('SQL_FAILED', `The column ${name} holds values of several types: ${some.join(' and ')}.`, { hint: 'Give it one, as in CAST(x AS TEXT), or write to --format ndjson.' })
    return (some[0] ?? 'string') as ValueType
  })
}

process.on('message', (message: ToChild) => {
  let said: FromChild
  try {
    said = answer(message)
  } catch (thrown) {
    const { code, message: text, where, hint } = asSluiceError(thrown)
    said = { code, message: text, where, hint }
  }
  process.send?.(said, undefined, {}, () => undefined)
})
