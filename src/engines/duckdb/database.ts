/**
 * DuckDB in memory, inside a child process: the only file that talks to its library.
 *
 * One connection per stream: a streamed result is silently cut short when its connection runs anything else.
 */
import { DuckDBInstance, DuckDBListVector } from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api'
import type duckdb from '@duckdb/node-bindings'
import type { Written } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Code } from '../../core/errors.ts'
import { crash } from '../../core/failpoint.ts'
import type { Row } from '../../core/schema.ts'
import { quoteName, quoteText } from '../../sql/quote.ts'
import { localFs } from '../../storage/local.ts'
import { keepWholeTexts } from './decoding.ts'
import { openDuckdb } from './instance.ts'
import { forgetConnection, running, watchConnection } from './motion.ts'
import type { Start } from './protocol.ts'
import { answers, piecesOf, rowsOf, typeName, writtenOf } from './results.ts'
import type { Answer } from './results.ts'
import { Wide } from './wide.ts'

/** zstd's level: data files of UUIDs and random text are as small at 1 as at the default of 3, for half the processor time. */
const LEVEL = 1

/** Rows of a row group, largest first: a writer holds whole groups in memory, one per thread. */
const GROUP_ROWS = [40_960, 10_240, 2_048] as const
/** Values of a row group that is tried at all. */
const GROUP_VALUES = 8_000_000
/** A query that names its columns is at least as long when they are so many that it matters; others are not asked for their width. */
const WIDE_TEXT = 4_000

/** What stands before the first line of a text, between two, and behind the last one. Lines that end with a line feed need none. */
export interface Frame {
  before: string
  between: string
  behind: string
}

export class Database {
  private readonly instance: DuckDBInstance
  /** Bytes that DuckDB may use in this process. */
  readonly memory: number
  private readonly wide: Wide
  private constructor(instance: DuckDBInstance, start: Start) {
    this.instance = instance
    this.memory = start.memory
    this.wide = new Wide(start)
  }

  /** @param temp folder for what does not fit into memory; absent: see spillTo */
  static open(start: Start & { temp?: string }): Promise<Database> {
    return Database.over(openDuckdb(start), start)
  }

  /** What is being opened already. */
  static async over(opening: Promise<duckdb.Database>, start: Start): Promise<Database> {
    keepWholeTexts()
    return new Database(new DuckDBInstance(await guarded('opening DuckDB', () => opening)), start)
  }

  /** The folder for what does not fit into memory; its parent exists. To be told before anything is asked. */
  async spillTo(folder: string): Promise<void> {
    const connection = await this.connect()
    try {
      await connection.exec(`SET temp_directory = ${quoteText(folder)}`)
    } finally {
      await connection.close()
    }
  }

  /** Names of the files that somebody has attached and not let go. */
  async attached(): Promise<string[]> {
    const connection = await this.connect()
    try {
      return (await connection.rows("SELECT database_name AS name FROM duckdb_databases() WHERE NOT internal AND database_name <> 'memory'")).map(({ name }) => String(name))
    } finally {
      await connection.close()
    }
  }

  async connect(): Promise<Connection> {
    const connection = new Connection(await this.instance.connect(), this.memory, this.wide)
    await connection.exec("SET TimeZone = 'UTC'")
    return connection
  }
}

/** One connection: statements run one after another, in the order of the calls. */
export class Connection {
  /** Bytes that DuckDB may use in this process. */
  readonly memory: number
  private readonly raw: DuckDBConnection
  private readonly wide: Wide
  /** Columns that were told to `wide`, until it closes. */
  private widened = 0
  private tail: Promise<unknown> = Promise.resolve()
  constructor(raw: DuckDBConnection, memory: number, wide: Wide) {
    this.raw = raw
    this.memory = memory
    this.wide = wide
    watchConnection(raw)
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.tail.then(work)
    this.tail = turn.catch(() => undefined)
    return turn
  }

  /** See `Session.widen`. */
  async widen(columns: number, times = 1): Promise<void> {
    if (!isMany(columns)) return
    await this.inTurn(() => this.wide.change(columns * times, this.setting))
    this.widened += columns * times
  }

  private readonly setting = async (sql: string): Promise<void> => void (await guarded(sql, () => this.raw.run(sql)))

  async exec(sql: string): Promise<void> {
    await this.inTurn(() => guarded(sql, () => this.raw.run(sql)))
  }

  async rows(sql: string): Promise<Answer[]> {
    return this.inTurn(() => guarded(sql, async () => answers(await this.raw.run(sql))))
  }

  /** Names and types of a query's columns; nothing of it runs. */
  async describe(sql: string): Promise<{ name: string; type: string }[]> {
    return this.inTurn(() =>
      guarded(sql, async () => {
        const prepared = await this.raw.prepare(sql)
        try {
          return Array.from({ length: prepared.columnCount }, (_, at) => ({ name: prepared.columnName(at), type: typeName(prepared.columnType(at)) }))
        } finally {
          prepared.destroySync()
        }
      }),
    )
  }

  /** See `Session.copy`; with `keepEmpty` there is a file also without rows. The next statement does not wait for the disk. */
  async copy(point: string, select: string, uri: string, keepEmpty = false): Promise<Written> {
    const written = await this.inTurn(async () => {
      crash(`${point}.before`)
      const done = await this.writeParquet(select, uri)
      crash(`${point}.after`)
      return done
    })
    if (written.rows === 0 && !keepEmpty) {
      await localFs.remove(`${point}.empty`, uri)
      return { uri, rows: 0, bytes: 0, stats: {} }
    }
    await localFs.sync(`${point}.sync`, uri)
    return written
  }

  /** Writes the lines of a query of one text column as they are, around them `frame`; none of them is NULL. @returns how many */
  async copyLines(point: string, select: string, uri: string, { before, between, behind }: Frame): Promise<number> {
    // What DuckDB calls CSV is raw text when nothing is a quote and nothing a delimiter. It wants both or none of these two.
    const around = before === '' && behind === '' ? '' : `, PREFIX ${quoteText(before)}, SUFFIX ${quoteText(behind)}, NEW_LINE ${quoteText(between)}`
    const sql = `COPY (${select}) TO ${quoteText(uri)} (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '', use_tmp_file false${around})`
    return this.inTurn(async () => {
      crash(`${point}.before`)
      const rows = await guarded(sql, async () => Number((await (await this.raw.run(sql)).getRows())[0]?.[0]))
      crash(`${point}.after`)
      await localFs.sync(`${point}.sync`, uri)
      return rows
    })
  }

  private async writeParquet(select: string, uri: string): Promise<Written> {
    const columns = await this.manyColumns(select)
    if (columns === 0) return this.writeGroups(select, uri, GROUP_ROWS)
    // A group of 40,960 rows of a thousand columns is never held by the memory of a child, and that shows late: 20,000 rows of
    // 998 columns, `--memory 1GB`, had not been written after 70 seconds of attempts.
    const fitting = GROUP_ROWS.filter((rows) => rows * columns <= GROUP_VALUES)
    await this.wide.change(columns, this.setting)
    try {
      return await this.writeGroups(select, uri, fitting.length > 0 ? fitting : GROUP_ROWS.slice(-1))
    } finally {
      // What was written is written, and an error of it is the one to tell.
      await this.wide.change(-columns, this.setting).catch(() => undefined)
    }
  }

  /** With smaller and smaller row groups while memory does not suffice: how wide the rows are shows only when they come. */
  private async writeGroups(select: string, uri: string, sizes: readonly number[]): Promise<Written> {
    for (const [at, rows] of sizes.entries()) {
      const sql = `COPY (${select}) TO ${quoteText(uri)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL ${LEVEL}, PARQUET_VERSION v1, ROW_GROUP_SIZE ${rows}, use_tmp_file false, RETURN_STATS)`
      try {
        return await guarded(sql, async () => writtenOf(uri, await this.raw.run(sql)))
      } catch (thrown) {
        if (at === sizes.length - 1 || !isOutOfMemory(thrown)) throw thrown
      }
    }
    throw new SluiceError('INTERNAL', 'No size of row groups is given.')
  }

  /** How many columns a query has, if they are so many that the largest row groups are not tried; else 0. */
  private async manyColumns(select: string): Promise<number> {
    if (select.length < WIDE_TEXT) return 0
    const prepared = await guarded(select, () => this.raw.prepare(select))
    const columns = prepared.columnCount
    prepared.destroySync()
    return isMany(columns) ? columns : 0
  }

  /** See `Session.copyText`. */
  async copyText(point: string, select: string, quoted: readonly string[], uri: string): Promise<number> {
    return this.inTurn(async () => {
      crash(`${point}.before`)
      const force = quoted.length === 0 ? '' : `, FORCE_QUOTE (${quoted.map(quoteName).join(', ')})`
      const sql = `COPY (${select}) TO ${quoteText(uri)} (FORMAT csv, HEADER false, DELIMITER ',', QUOTE '"', ESCAPE '"', NULLSTR ''${force}, use_tmp_file false)`
      const rows = await guarded(sql, async () => Number((await (await this.raw.run(sql)).getRowObjects())[0]?.['Count']))
      crash(`${point}.after`)
      return rows
    })
  }

  /** Rows of a query whose columns are VARCHAR, BIGINT, DOUBLE or BOOLEAN, by chunks of about 2,000. */
  async *stream(sql: string): AsyncGenerator<Row[]> {
    const result = await guarded(sql, () => this.raw.stream(sql))
    for (;;) {
      const chunk = await guarded(sql, () => result.fetchChunk())
      if (chunk === null || chunk.rowCount === 0) return
      if (!isMany(chunk.columnCount)) yield rowsOf(chunk)
      else yield* piecesOf(chunk)
    }
  }

  /** The same for few rows: they come at once, for half the processor time. */
  async *few(sql: string): AsyncGenerator<Row[]> {
    const chunks = await this.inTurn(() => guarded(sql, async () => (await this.raw.run(sql)).fetchAllChunks()))
    for (const chunk of chunks) yield rowsOf(chunk)
  }

  /** Queries of one row with a list of BIGINT or NULL: the lists one by one, each good until the next one. The next query runs meanwhile. */
  async *lists(queries: readonly string[]): AsyncGenerator<BigInt64Array> {
    let asked = this.onlyChunk(queries[0])
    for (const next of [...queries.slice(1), undefined]) {
      const chunk = await asked
      asked = this.onlyChunk(next)
      // Who leaves early awaits it no more.
      asked.catch(() => undefined)
      if (chunk === null) continue
      yield listOf(chunk)
      // The values lie in the chunk, which is freed when nobody needs it any more: it is needed up to here.
      if (chunk.rowCount !== 1) throw new SluiceError('INTERNAL', 'A list of hashes has gone.')
    }
  }

  private async onlyChunk(sql: string | undefined): Promise<DuckDBDataChunk | null> {
    return sql === undefined ? null : this.inTurn(() => guarded(sql, async () => (await this.raw.run(sql)).fetchChunk()))
  }

  /** After what runs. */
  async close(): Promise<void> {
    await this.inTurn(async () => {
      if (this.widened > 0) await this.wide.change(-this.widened, this.setting).catch(() => undefined)
      forgetConnection(this.raw)
      this.raw.closeSync()
    })
  }
}

/** The values where they lie: the library itself only gives them one by one, as bigints. */
function listOf(chunk: DuckDBDataChunk): BigInt64Array {
  const list = chunk.getColumnVector(0)
  const { items } = (list instanceof DuckDBListVector ? list.childVector : {}) as { items?: unknown }
  if (items instanceof BigInt64Array) return items
  throw new SluiceError('INTERNAL', 'A list of hashes is none.')
}

async function guarded<T>(sql: string, work: () => Promise<T>): Promise<T> {
  try {
    return await running(work)
  } catch (thrown) {
    throw databaseError(thrown, sql)
  }
}

/** So many columns that not even a group of the largest size is tried. */
function isMany(columns: number): boolean {
  return columns * GROUP_ROWS[0] > GROUP_VALUES
}

/** True when DuckDB's own limit was reached, not when a disk is full. */
function isOutOfMemory(thrown: unknown): boolean {
  return thrown instanceof SluiceError && thrown.code === 'MEMORY_EXHAUSTED'
}

/** DuckDB has no error codes: its messages are read. What follows "Possible solutions" is advice, not the cause. */
export function databaseError(thrown: unknown, sql: string): SluiceError {
  if (thrown instanceof SluiceError) return thrown
  const message = (thrown instanceof Error ? thrown.message : String(thrown)).split('Possible solutions')[0]?.trim() ?? ''
  return new SluiceError(codeOf(message), `${message}\nin: ${sql.slice(0, 200)}`, { cause: thrown })
}

/** A database that DuckDB gave up, in memory or attached, answers nothing but this from then on. */
export function isOver(thrown: unknown): boolean {
  return thrown instanceof SluiceError && /^(FATAL|INTERNAL) Error: |^IO Error: .*\bhas been invalidated\b/.test(thrown.message)
}

/** What the system says stands at the end of a line; values and names of a user do not stand in errors of these kinds. */
const FULL = /^(IO|FATAL|TransactionContext) Error: .*: (No space left on device|Disk quota exceeded)$/m

function codeOf(message: string): Code {
  // A full disk is told as an end of memory, too.
  if (FULL.test(message) || (message.startsWith('Out of Memory Error') && message.includes("'max_temp_directory_size' setting"))) return 'DISK_FULL'
  if (message.startsWith('Out of Memory')) return 'MEMORY_EXHAUSTED'
  return message.startsWith('IO Error') ? 'IO_FAILED' : 'ENGINE_FAILED'
}
