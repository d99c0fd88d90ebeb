/**
 * How a staged batch reaches the server: the engine's child writes CSV from its parts, and the file is fed to COPY as it is.
 * No row passes through JavaScript.
 *
 *   _sluice_incoming   winners: place, c0, c1, …
 *   _sluice_beaten     losers within the batch: the same columns
 *   _sluice_aside      the splitter's rejects
 * Temporary tables of the session. Into an empty table the winners go straight away.
 */
import { dirname, join } from 'node:path'
import type { Engine, Staged } from '../../core/engine.ts'
import { REJECT_COLUMNS } from '../../core/engine.ts'
import { SHOWN_VALUE, SluiceError } from '../../core/errors.ts'
import type { Column, Schema } from '../../core/schema.ts'
import { RAW_LIMIT } from '../../core/target.ts'
import { isNested, isString } from '../../core/types.ts'
import type { Incoming } from '../../database/dialect.ts'
import { losersSql, recordsSql, rejectsSql, winnersSql } from '../../resolve/duckdb-batch.ts'
import { rowJsonSql } from '../../resolve/duckdb-table.ts'
import { jsonTextSql } from '../../resolve/nested.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import type { PostgresSession } from './session.ts'

const CSV = `FROM STDIN (FORMAT csv, NULL '', QUOTE '"', ESCAPE '"', DELIMITER ',', ENCODING 'UTF8')`
const WINNERS = '_sluice_incoming'
const BEATEN = '_sluice_beaten'
const ASIDE = '_sluice_aside'

/** Columns whose text must be told from null when it is empty. */
function isText({ type }: Column): boolean {
  return isString(type) || type === 'json' || isNested(type)
}

/** The winners in one file, which is read as often as it is needed. */
export class CopiedBatch implements Incoming {
  readonly winners = WINNERS
  beaten: string | null = null
  aside: string | null = null
  refused = 0
  private readonly session: PostgresSession
  private readonly staged: Staged
  private readonly file: string
  private readonly types: readonly string[]
  private brought = false

  /** @param types of the columns c0, c1, … in temporary tables */
  constructor(session: PostgresSession, staged: Staged, types: readonly string[]) {
    this.session = session
    this.staged = staged
    this.types = types
    this.file = fileOf(staged, 'winners')
  }

  /** Writes the files, and copies what is needed in any case. */
  async prepare(engine: Engine, fresh: boolean, signal: AbortSignal | undefined): Promise<void> {
    const { staged } = this
    const staging = await engine.session(signal)
    const asides: string[] = []
    try {
      const rows = staged.records.length === 0 ? 0 : await staging.copyText('postgres.winners', soundSql(staged, winnersSql(staged)), textColumns(staged.schema), this.file)
      let lost = staged.losers.reduce((sum, part) => sum + part.rows, 0)
      if (lost > 0) {
        lost -= await staging.copyText('postgres.beaten', soundSql(staged, losersSql(staged)), textColumns(staged.schema), fileOf(staged, 'beaten'))
        this.beaten = BEATEN
      }
      if (staged.rejects.length > 0) {
        await staging.copyText('postgres.aside', asideSql(staged), REJECT_COLUMNS.slice(2), fileOf(staged, 'aside'))
        asides.push(fileOf(staged, 'aside'))
      }
      if (rows < staged.winners || lost > 0) {
        this.refused = await staging.copyText('postgres.refused', refusedSql(staged), REJECT_COLUMNS.slice(2), fileOf(staged, 'refused'))
        asides.push(fileOf(staged, 'refused'))
      }
      if (rows + this.refused !== staged.winners + lost) throw new SluiceError('BALANCE_BROKEN', `The numbers do not add up, nothing was committed: ${staged.winners} winners were staged, ${rows} were read and ${this.refused} are refused.`)
    } finally {
      await staging.close()
    }
    if (this.beaten !== null) await this.fillTable(BEATEN, fileOf(staged, 'beaten'))
    if (asides.length > 0) {
      this.aside = ASIDE
      await this.session.run('postgres.spool', `CREATE TEMP TABLE ${ASIDE} (place bigint, "offset" bigint, code text, "column" text, value text, message text, raw text)`)
      for (const file of asides) await this.session.copyIn('postgres.copy', `COPY ${ASIDE} ${CSV}`, file)
    }
    if (!fresh) await this.bring()
  }

  async bring(): Promise<void> {
    if (this.brought) return
    this.brought = true
    await this.fillTable(WINNERS, this.staged.winners === 0 ? null : this.file)
  }

  /** The server knows nothing of a temporary table that it was not told to look at. */
  private async fillTable(table: string, file: string | null): Promise<void> {
    const columns = ['place bigint', ...this.types.map((type, i) => `c${i} ${type}`)].join(', ')
    await this.session.run('postgres.spool', `CREATE TEMP TABLE ${table} (${columns})`)
    if (file !== null) await this.session.copyIn('postgres.copy', `COPY ${table} ${CSV}`, file)
    await this.session.run('postgres.analyze', `ANALYZE ${table}`)
  }

  async fill(point: string, table: string, into: readonly string[], at: readonly number[]): Promise<void> {
    if (this.staged.winners === 0) return
    const order = at.map((i, n) => ({ i, name: into[n] ?? '' })).toSorted((a, b) => a.i - b.i)
    const list = ['_place', ...order.map(({ name }) => quoteName(name))].join(', ')
    await this.session.copyIn(point, `COPY ${table} (${list}) ${CSV}`, this.file)
  }
}

/** In the folder of the attempt, under names that no other attempt has. */
function fileOf({ batch, attempt, records, rejects, losers }: Staged, what: string): string {
  const part = records[0]?.uri ?? losers[0]?.uri ?? rejects[0]?.uri ?? ''
  return join(dirname(part), `b-${batch.id}-${batch.fence}-${attempt}-${what}.csv`)
}

function textColumns(schema: Schema): string[] {
  return schema.flatMap((column, i) => (isText(column) ? [`c${i}`] : []))
}

/** Columns of text that may hold a NUL: JSON has an escape for it. */
function mayHoldNul(schema: Schema): string[] {
  return schema.flatMap(({ name, type }) => (isString(type) ? [`coalesce(contains(${quoteName(name)}, chr(0)), false)`] : []))
}

/** The rows of a relation that the server can hold, as it reads them: place, then c0, c1, …. */
function soundSql({ schema }: Staged, relation: string): string {
  const columns = schema.map((column, i) => `${isNested(column.type) ? jsonTextSql(column.type, quoteName(column.name)) : quoteName(column.name)} AS c${i}`)
  const nul = mayHoldNul(schema)
  return `SELECT ${['_place AS place', ...columns].join(', ')} FROM (${relation})${nul.length === 0 ? '' : ` WHERE NOT (${nul.join(' OR ')})`}`
}

/** Those that it cannot, as rejects. A NUL is shown by its sign; the raw text has its escape. */
function refusedSql(staged: Staged): string {
  const { schema } = staged
  const texts = schema.filter(({ type }) => isString(type))
  const told = (what: (column: Column) => string): string => `CASE ${texts.map((column) => `WHEN contains(${quoteName(column.name)}, chr(0)) THEN ${what(column)}`).join(' ')} END`
  const value = told(({ name }) => visible(`left(${quoteName(name)}, ${SHOWN_VALUE})`))
  const column = told(({ name }) => quoteText(name))
  return `SELECT _place, CAST(NULL AS BIGINT) AS "offset", 'ROW_REFUSED' AS code, ${column} AS "column", ${value} AS "value", ${column} || ' holds a NUL character, which PostgreSQL cannot keep in a text.' AS message, left(${rowJsonSql(schema)}, ${RAW_LIMIT}) AS raw
    FROM (${recordsSql(staged)}) WHERE ${mayHoldNul(schema).join(' OR ')}`
}

function visible(text: string): string {
  return `replace(${text}, chr(0), '\u2400')`
}

/** A reject is to be read; its file has the bytes. */
function asideSql(staged: Staged): string {
  const columns = REJECT_COLUMNS.map((name, i) => (i < 2 ? quoteName(name) : `${visible(quoteName(name))} AS ${quoteName(name)}`))
  return `SELECT ${columns.join(', ')} FROM (${rejectsSql(staged)}) ORDER BY _place`
}
