/**
 * The one way to quote a name, against the databases themselves: 100,000 random names, of every kind of character, are the
 * names that SQLite, DuckDB and PostgreSQL (where SLUICE_TEST_POSTGRES_URL names a server) answer with; a text next to each
 * says whether anything was read out of it. SLUICE_NAMES=<n> takes fewer.
 */
import pg from 'pg'
import { openDuckdbEngine } from '../../src/engines/duckdb/engine.ts'
import { quoteName, quoteText } from '../../src/sql/quote.ts'
import { SqliteSession } from '../../src/sql/sqlite.ts'
import { serverUrl } from '../postgres.ts'
import { close, inFolder } from './harness.ts'

const NAMES = Number(process.env['SLUICE_NAMES'] ?? 100_000)
const AT_ONCE = 50
const SPECIAL = ['"', "'", '\\', ';', '--', '/*', '$1', '$$', '?', '.', ' ', '\n', '\t', '\r', '`', '[', ']', ':a', '@a', '%', '\u{1F600}', 'é', 'e\u0301', '\u202E', '\u0001', 'select', 'U&"', 'x']

let state = 20_260_101
function next(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 4_294_967_296) * below)
}

function name(): string {
  let text = ''
  for (let n = 1 + next(8); n > 0; n--) {
    const code = 1 + next(0x10fffe)
    text += next(2) === 0 ? (SPECIAL[next(SPECIAL.length)] ?? '') : code >= 0xd800 && code <= 0xdfff ? 'y' : String.fromCodePoint(code)
  }
  // PostgreSQL cuts at 63 bytes.
  return Buffer.byteLength(text) <= 63 ? text : `n${next(1e9)}`
}

type Asker = (sql: string) => Promise<Record<string, unknown>>

await inFolder('names', async (folder) => {
  const askers = new Map<string, Asker>()
  const sqlite = new SqliteSession(`${folder}/names.db`)
  askers.set('SQLite', (sql) => Promise.resolve(sqlite.get(sql) ?? {}))
  const engine = openDuckdbEngine({ memory: 512_000_000, jobs: 1, spool: folder })
  const session = await engine.session()
  askers.set('DuckDB', async (sql) => (await session.rows(sql))[0] ?? {})
  let client: pg.Client | null = null
  if (process.env['SLUICE_TEST_POSTGRES_URL'] === undefined) console.log('not run: names on PostgreSQL (SLUICE_TEST_POSTGRES_URL is not set)')
  else {
    const server = (client = new pg.Client({ connectionString: serverUrl() }))
    await server.connect()
    askers.set('PostgreSQL', async (sql) => ((await server.query<Record<string, unknown>>(sql)).rows[0] ?? {}))
  }
  const result = { passed: 0, failed: 0 }
  for (let done = 0; done < NAMES; done += AT_ONCE) {
    // Databases match some names without case, and number those that they take for the same.
    const names = [...new Map(Array.from({ length: AT_ONCE }, (_, at) => name() + at).map((one) => [one.toLowerCase(), one])).values()]
    const sql = `SELECT ${names.map((one) => `${quoteText(one)} AS ${quoteName(one)}`).join(', ')}`
    for (const [product, ask] of askers) {
      const row = await ask(sql).catch((thrown: unknown) => ({ thrown: String(thrown) }))
      const wrong = names.filter((one) => (row as Record<string, unknown>)[one] !== one)
      result.passed += names.length - wrong.length
      result.failed += wrong.length
      for (const one of wrong.slice(0, 3)) console.log(`  failed: ${product}: ${JSON.stringify(one)} (${JSON.stringify(row).slice(0, 200)})`)
    }
  }
  await session.close()
  await engine.close()
  await client?.end()
  sqlite.close()
  close('identifiers', result, NAMES, `${askers.size} databases`)
})
