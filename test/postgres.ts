/** PostgreSQL for live tests and proofs: a database of its own on the server that SLUICE_TEST_POSTGRES_URL names. */
import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** The server's address; the tests that ask for it run only where it is given. */
export function serverUrl(): string {
  const url = process.env['SLUICE_TEST_POSTGRES_URL']
  if (url === undefined) throw new Error('SLUICE_TEST_POSTGRES_URL is not set')
  return url
}

export interface OwnDatabase {
  /** With the password. */
  url: string
  name: string
  /** A statement as the owner of everything. */
  ask(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
  drop(): Promise<void>
}

/** An address with another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}

export async function ask(url: string, sql: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const answer = await client.query<Record<string, unknown>>(sql, [...values])
    return answer.rows
  } finally {
    await client.end()
  }
}

export async function ownDatabase(): Promise<OwnDatabase> {
  const name = `sluice_test_${randomBytes(6).toString('hex')}`
  await ask(serverUrl(), `CREATE DATABASE ${name}`)
  const url = withDatabase(serverUrl(), name)
  return {
    url, name,
    ask: (sql, values) => ask(url, sql, values),
    async drop() {
      await ask(serverUrl(), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    },
  }
}
