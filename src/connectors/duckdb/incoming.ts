/**
 * How a staged batch reaches a DuckDB file: its parts are Parquet, and the session reads them where they lie. What is needed
 * more than once is laid into a temporary table; into an empty table the winners go straight away.
 */
import type { Staged } from '../../core/engine.ts'
import type { Schema } from '../../core/schema.ts'
import type { Incoming } from '../../database/dialect.ts'
import { losersSql, rejectsSql, winnersSql } from '../../resolve/duckdb-batch.ts'
import { quoteName } from '../../sql/quote.ts'
import type { DuckdbSession } from './session.ts'

const WINNERS = '_sluice_incoming'
const BEATEN = '_sluice_beaten'
const ASIDE = '_sluice_aside'

export class StagedParts implements Incoming {
  readonly winners = WINNERS
  readonly beaten: string | null
  readonly aside: string | null
  readonly refused = 0
  private readonly session: DuckdbSession
  private readonly staged: Staged
  private brought = false
  private loose = false

  constructor(session: DuckdbSession, staged: Staged) {
    this.session = session
    this.staged = staged
    this.beaten = staged.losers.length > 0 ? BEATEN : null
    this.aside = staged.rejects.length > 0 ? ASIDE : null
  }

  /** Perhaps in place of what an attempt before had. */
  async prepare(): Promise<void> {
    const { session, staged } = this
    await session.widen(staged.schema.length)
    if (this.beaten !== null) await session.run('duckdb.beaten', `CREATE OR REPLACE TEMP VIEW ${BEATEN} AS ${numbered(staged.schema, losersSql(staged))}`)
    if (this.aside !== null) await session.run('duckdb.aside', `CREATE OR REPLACE TEMP VIEW ${ASIDE} AS SELECT _place AS place, * EXCLUDE (_place) FROM (${rejectsSql(staged)})`)
  }

  async bring(): Promise<void> {
    if (this.brought) return
    this.brought = true
    await this.session.run('duckdb.incoming', `CREATE OR REPLACE TEMP TABLE ${WINNERS} AS ${numbered(this.staged.schema, winnersSql(this.staged))}`)
  }

  async loosen(): Promise<void> {
    if (this.beaten === null || this.loose) return
    this.loose = true
    await this.session.run('duckdb.loose', `DROP VIEW ${BEATEN}`)
    await this.session.run('duckdb.loose', `CREATE TEMP TABLE ${BEATEN} AS ${numbered(this.staged.schema, losersSql(this.staged))}`)
  }

  async fill(point: string, table: string, into: readonly string[], at: readonly number[]): Promise<void> {
    const list = [...into.map(quoteName), '_place'].join(', ')
    const columns = [...at.map((i) => `c${i}`), 'place'].join(', ')
    await this.session.run(point, `INSERT INTO ${table} (${list}) SELECT ${columns} FROM (${numbered(this.staged.schema, winnersSql(this.staged))})`)
  }
}

/** place, c0, c1, … */
function numbered(schema: Schema, relation: string): string {
  return `SELECT ${['_place AS place', ...schema.map(({ name }, i) => `${quoteName(name)} AS c${i}`)].join(', ')} FROM (${relation})`
}
