/**
 * P1 to P4: databases as targets and as a source, against statements by hand that are frozen here and in by-hand-database.ts.
 * P1, P3 and P4 need a server: SLUICE_TEST_POSTGRES_URL names it. Its processor time is nobody's, so there the wall time counts.
 */
import { appendFileSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ask, ownDatabase } from '../../test/postgres.ts'
import type { OwnDatabase } from '../../test/postgres.ts'
import { writeKeyed, writeProducts } from '../data.ts'
import { byHand, duel, run, sluice } from '../measure.ts'
import type { Line, Timed } from '../measure.ts'
import { alone } from './one-core.ts'

const BY_HAND = fileURLToPath(new URL('../by-hand-database.ts', import.meta.url))
const MODEL = `-- model: product_count
-- depends_on: product
-- key: name
-- incremental: group name
select uuid5(name) as id, name, count(*) as count from product group by name
`

/** Why lines that need a server are left out; null: they are not. */
export function noServer(): string | null {
  return process.env['SLUICE_TEST_POSTGRES_URL'] === undefined ? 'SLUICE_TEST_POSTGRES_URL names no server' : null
}

async function withDatabases<T>(count: number, work: (databases: OwnDatabase[]) => Promise<T>): Promise<T> {
  const databases: OwnDatabase[] = []
  try {
    for (let n = 0; n < count; n++) databases.push(await ownDatabase())
    return await work(databases)
  } finally {
    for (const database of databases) await database.drop()
  }
}

const LOAD = ['--into', 'product', '--key', 'sku', '--mode', 'upsert', '--columns', 'name:string(420),sku:string(120),description:string', '--models', 'models', '--data-dir', 'data']

/** Empty tables, the identical file again, and the same rows in a new file. */
export async function p1(folder: string, turns: number, rows = 500_000): Promise<Line[]> {
  const file = join(folder, 'products.csv')
  writeProducts(file, rows)
  mkdirSync(join(folder, 'models'))
  writeFileSync(join(folder, 'models/product_count.sql'), MODEL)
  const load = (path: string, to: string, watch: boolean): Promise<Timed> => sluice(['load', path, ...LOAD, '--to', to], folder, { watch })
  return withDatabases(2, async ([ours, theirs]) => {
    if (ours === undefined || theirs === undefined) return []
    const hand = (path: string, watch: boolean): Promise<Timed> => run({ args: [BY_HAND, 'products', theirs.url, join(folder, path)], cwd: folder, watch })
    const empty = async (): Promise<void> => {
      rmSync(join(folder, 'data'), { recursive: true, force: true })
      await ours.ask('DROP SCHEMA IF EXISTS sluice CASCADE')
      for (const { ask: statement } of [ours, theirs]) await statement('DROP TABLE IF EXISTS product, product_count')
    }
    const check = async (): Promise<string | null> => {
      const counts = await Promise.all([ours, theirs].map(({ url }) => ask(url, 'SELECT (SELECT count(*) FROM product) AS products, (SELECT sum(count) FROM product_count) AS counted, (SELECT count(*) FROM product_count) AS names')))
      return JSON.stringify(counts[0]) === JSON.stringify(counts[1]) ? null : `rows differ: ${JSON.stringify(counts)}`
    }
    const first = await duel({
      name: 'P1', work: `${rows} products into an empty PostgreSQL table with the count per name, against COPY and two statements`, bar: 1.3, aim: 1, most: 1e9, turns,
      prepare: empty, baseline: (watch) => hand('products.csv', watch), ours: (watch) => load('products.csv', ours.url, watch), check,
    })
    const again = await duel({
      name: 'P1 again', work: 'the identical file again', bar: Math.max(0.15, 1000 / (first.baseline ?? 1000)), aim: null, turns,
      baseline: (watch) => hand('products.csv', watch), ours: (watch) => load('products.csv', ours.url, watch), check,
    })
    let turn = 0
    const anew = await duel({
      name: 'P1 new file', work: 'the same rows in a new file', bar: 1.3, aim: null, turns,
      prepare: () => {
        copyFileSync(file, join(folder, `again${++turn}.csv`))
        appendFileSync(join(folder, `again${turn}.csv`), `again ${turn},sku-again,again\n`)
      },
      baseline: (watch) => hand(`again${turn}.csv`, watch), ours: (watch) => load(`again${turn}.csv`, ours.url, watch), check,
    })
    return [first, again, anew]
  })
}

/** The same within half a gigabyte, and on one core with 1 GB; the server has what it wants. */
export async function p1Small(folder: string, rows = 500_000): Promise<Line[]> {
  writeProducts(join(folder, 'products.csv'), rows)
  mkdirSync(join(folder, 'models'))
  writeFileSync(join(folder, 'models/product_count.sql'), MODEL)
  return withDatabases(2, async ([half, one]) => {
    if (half === undefined || one === undefined) return []
    const load = (to: OwnDatabase, data: string): string[] => ['load', 'products.csv', ...LOAD.slice(0, -1), data, '--to', to.url]
    return [
      await alone('P1 512MB', `${rows} products with --memory 512MB`, [...load(half, 'half'), '--memory', '512MB'], folder, { cpus: null, most: 512e6 }),
      await alone('P1 one core', `${rows} products, one core, 1 GB`, load(one, 'one'), folder),
    ]
  })
}

/** Into files of DuckDB and SQLite. */
export async function p2(folder: string, turns: number, rows = 1e6): Promise<Line[]> {
  writeKeyed(join(folder, 'rows.ndjson'), 0, rows)
  const line = (scheme: string, theirs: (watch: boolean) => Promise<Timed>): Promise<Line> => {
    let inserted = 0
    return duel({
      name: `P2 ${scheme}`, work: `${rows / 1e6} M rows of NDJSON with a key into a ${scheme} file, against SQL by hand`, bar: 1.5, aim: null, most: 1e9, turns,
      prepare: () => ['data', 'ours', 'theirs', 'theirs.wal'].forEach((name) => rmSync(join(folder, name), { recursive: true, force: true })),
      baseline: theirs,
      ours: async (watch) => {
        const timed = await sluice(['load', 'rows.ndjson', '--into', 'x', '--key', 'key', '--data-dir', 'data', '--to', `${scheme}:ours`], folder, { watch })
        inserted = Number((timed.document['balance'] as Record<string, number>)['inserted'])
        return timed
      },
      check: () => Promise.resolve(inserted === rows ? null : `${inserted} rows inserted`),
    })
  }
  const read = `read_json('rows.ndjson', format='newline_delimited', columns={"key": 'VARCHAR', v: 'BIGINT'})`
  return [
    await line('duckdb', (watch) => byHand([`ATTACH 'theirs' AS t`, `CREATE TABLE t.x AS SELECT "key", any_value(v) AS v FROM ${read} GROUP BY "key"`, 'SELECT count(*) FROM t.x'], folder, { watch })),
    await line('sqlite', (watch) => run({ args: [BY_HAND, 'sqlite', 'rows.ndjson', 'theirs'], cwd: folder, watch })),
  ]
}

/** A small batch with a model: what the size of the table costs. */
export async function p3(folder: string, turns: number, large = 1e7, small = 1e5): Promise<Line> {
  mkdirSync(join(folder, 'models'))
  writeFileSync(join(folder, 'models/product_count.sql'), MODEL)
  const batch = (path: string, from: number, rows: number): void => {
    const lines = Array.from({ length: rows }, (_, n) => `name ${(from + n) % 50_000},sku-${from + n},some text`)
    writeFileSync(join(folder, path), `name,sku,description\n${lines.join('\n')}\n`)
  }
  return withDatabases(2, async ([big, little]) => {
    if (big === undefined || little === undefined) throw new Error('no databases')
    const load = (path: string, to: OwnDatabase, data: string, watch: boolean): Promise<Timed> => sluice(['load', path, ...LOAD.slice(0, -1), data, '--to', to.url], folder, { watch })
    for (const [database, rows, data] of [[big, large, 'large'], [little, small, 'small']] as const) {
      mkdirSync(join(folder, `in-${data}`))
      for (let from = 0; from < rows; from += 1e6) batch(`in-${data}/${from}.csv`, from, Math.min(1e6, rows - from))
      await load(`in-${data}`, database, data, false)
      await database.ask('VACUUM ANALYZE')
    }
    let turn = 0
    return duel({
      name: 'P3', work: `1,000 rows, half of them known, into ${large / 1e6} M rows with a model, against the same into ${small}`, bar: 1.5, aim: null, most: 1e9, turns,
      prepare: () => {
        turn++
        for (const [name, rows] of [['large', large], ['small', small]] as const) batch(`${name}${turn}.csv`, rows - 500 + turn * 500, 1000)
      },
      baseline: (watch) => load(`small${turn}.csv`, little, 'small', watch), ours: (watch) => load(`large${turn}.csv`, big, 'large', watch),
    })
  })
}

const WINDOW = 250_000

/** Reading a table in windows, against the same windows through psql; what is done with the rows afterwards is not counted. */
export async function p4(folder: string, turns: number, rows = 5e6): Promise<Line> {
  return withDatabases(1, async ([database]) => {
    if (database === undefined) throw new Error('no database')
    await database.ask(`CREATE TABLE big AS SELECT n AS id, md5(n::text) AS token, n % 1000 AS amount, timestamptz '2024-01-01' + n * interval '1 second' AS at FROM generate_series(1, ${rows}) AS n`)
    await database.ask('ALTER TABLE big ADD PRIMARY KEY (id)')
    await database.ask('VACUUM ANALYZE big')
    const windows = Array.from({ length: Math.ceil(rows / WINDOW) }, (_, n) => `\\copy (SELECT * FROM big WHERE id > ${n * WINDOW} ORDER BY id LIMIT ${WINDOW}) TO 'w${n}.csv' (FORMAT csv)`)
    const source = new URL(database.url)
    source.search = '?table=big&cursor=id&key=id&overlap=0'
    return duel({
      name: 'P4', work: `${rows / 1e6} M rows out of PostgreSQL in windows, sealed as Parquet, against the same windows through psql into CSV`, bar: 1 / 0.7, aim: null, most: 1e9, turns,
      prepare: () => rmSync(join(folder, 'data'), { recursive: true, force: true }),
      baseline: (watch) => run({ program: 'psql', args: [database.url, '-q', ...windows.flatMap((window) => ['-c', window])], cwd: folder, watch }),
      ours: async (watch) => {
        const loaded = await sluice(['load', '--from', source.href, '--into', 'big', '--key', 'id', '--data-dir', 'data'], folder, { watch })
        const { document } = await sluice(['runs', 'show', String(loaded.document['run']), '--data-dir', 'data'], folder)
        const { phases } = (document['items'] as { phases: { discovered: number } }[])[0] ?? { phases: { discovered: Number.NaN } }
        return { ...loaded, wall: phases.discovered }
      },
    })
  })
}
