/** The SQL console on a PostgreSQL database: a cursor of a read-only transaction, which takes one SELECT and nothing else. */
import type { Console } from '../../core/console.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'
import type { Row } from '../../core/schema.ts'
import { lineAndColumn } from '../../sql/statement.ts'
import { accessTo } from './access.ts'
import { typeOfColumn, valueOf } from './catalog.ts'
import { postgresError, stateOf } from './errors.ts'
import { PostgresSession } from './session.ts'
import { identityOf, parsePostgresUrl } from './url.ts'

/** Before the text that a user wrote. */
const DECLARE = 'DECLARE sluice_tuples NO SCROLL CURSOR FOR '

/** @param options.timeout milliseconds that a statement may take. @throws SluiceError UNREACHABLE, LOGIN_REFUSED, DATABASE_MISSING */
export async function openPostgresConsole(options: { url: string; secret: Secret | null; timeout: number }): Promise<Console> {
  const url = parsePostgresUrl(options.url)
  const access = accessTo(url, options.secret)
  const session = await PostgresSession.open(access, false)
  return {
    tables: [],
    async ask(sql, { signal }) {
      const abort = new AbortController()
      const stop = (): void => abort.abort(signal.reason)
      signal.addEventListener('abort', stop, { once: true })
      const pages = session.tuples(sql, [], options.timeout)
      const next = async (): Promise<Awaited<ReturnType<typeof pages.next>>> => {
        const { promise, reject } = Promise.withResolvers<never>()
        const gone = (): void => {
          session.cut()
          reject(signal.reason)
        }
        abort.signal.addEventListener('abort', gone, { once: true })
        if (signal.aborted) gone()
        try {
          return await Promise.race([pages.next(), promise])
        } catch (thrown) {
          throw signal.aborted ? signal.reason : told(thrown, sql, identityOf(url))
        } finally {
          abort.signal.removeEventListener('abort', gone)
        }
      }
      const first = await next()
      if (first.done === true) throw new SluiceError('INTERNAL', 'The server gave no columns.')
      const fields = first.value.fields
      const types = fields.map(typeOfColumn)
      const rows = async function* (): AsyncGenerator<Row[]> {
        try {
          for (let page: Awaited<ReturnType<typeof next>> = first; page.done !== true; page = await next()) {
            if (page.value.rows.length > 0) yield page.value.rows.map((row) => row.map((value, at) => valueOf(fields[at] ?? { name: '', oid: 0, modifier: -1 }, types[at] ?? 'string', value)))
          }
        } finally {
          signal.removeEventListener('abort', stop)
        }
      }
      return { columns: fields.map(({ name }, at) => ({ name, type: types[at] ?? 'string', declared: '' })), rows: rows() }
    },
    close: () => session.close(),
  }
}

/** What the server says of a query of a user, with the place that it names. */
function told(thrown: unknown, sql: string, location: string): SluiceError {
  const state = stateOf(thrown)
  const cause = thrown instanceof SluiceError ? thrown.cause : thrown
  if (state === null || !(cause instanceof Error)) return postgresError(thrown, location)
  const at = Number((cause as Error & { position?: string }).position) - DECLARE.length - 1
  const place = Number.isSafeInteger(at) && at >= 0 && at <= sql.length ? ` (${lineAndColumn(sql, at)})` : ''
  const sentence = `${cause.message.charAt(0).toUpperCase()}${cause.message.slice(1)}${place}.`
  const where = place === '' ? {} : { where: { offset: Buffer.byteLength(sql.slice(0, at)) } }
  if (state === '57014') return new SluiceError('SQL_TIMEOUT', `The server stopped the query: ${cause.message}.`)
  // Writing in a read-only transaction; something that no cursor takes; no right to it.
  if (state === '25006' || state === '0A000' || state === '42501') return new SluiceError('SQL_REFUSED', sentence, where)
  if (state === '42601' && /multiple commands/.test(cause.message)) return new SluiceError('SQL_REFUSED', 'More than one statement was given; it takes one.')
  if (state.startsWith('42') || state.startsWith('3F')) return new SluiceError('SQL_INVALID', sentence, where)
  return state.startsWith('22') || state.startsWith('21') ? new SluiceError('SQL_FAILED', sentence, where) : postgresError(thrown, location)
}
