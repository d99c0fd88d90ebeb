/**
 * What a skilled person would write for a database, without any guarantee; a process of its own.
 *   products URL FILE   COPY into a temporary table, one upsert, one count per name
 *   sqlite FILE DB      a prepared statement in one transaction
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from } from 'pg-copy-streams'

/** Frozen. */
async function products(url: string, file: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('BEGIN')
  await client.query('CREATE TABLE IF NOT EXISTS product (name varchar(420), sku varchar(120) PRIMARY KEY, description text)')
  await client.query('CREATE TABLE IF NOT EXISTS product_count (id uuid PRIMARY KEY, name varchar(420), count bigint)')
  await client.query('CREATE TEMP TABLE incoming (name text, sku text, description text, n bigserial) ON COMMIT DROP')
  await pipeline(createReadStream(file), client.query(from('COPY incoming (name, sku, description) FROM STDIN (FORMAT csv, HEADER)')))
  await client.query('INSERT INTO product SELECT DISTINCT ON (sku) name, sku, description FROM incoming ORDER BY sku, n DESC ON CONFLICT (sku) DO UPDATE SET name = excluded.name, description = excluded.description')
  await client.query('TRUNCATE product_count')
  await client.query('INSERT INTO product_count SELECT md5(name)::uuid, name, count(*) FROM product GROUP BY name')
  await client.query('COMMIT')
  const { rows } = await client.query<Record<string, string>>('SELECT (SELECT count(*) FROM product) AS products, (SELECT count(*) FROM product_count) AS names')
  console.log(`${rows[0]?.['products'] ?? ''} ${rows[0]?.['names'] ?? ''}`)
  await client.end()
}

/** Frozen. */
async function sqlite(file: string, path: string): Promise<void> {
  const db = new DatabaseSync(path)
  db.exec('CREATE TABLE x (key TEXT PRIMARY KEY, v INTEGER) WITHOUT ROWID; BEGIN')
  const insert = db.prepare('INSERT INTO x VALUES (?, ?) ON CONFLICT DO NOTHING')
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { key, v } = JSON.parse(line) as { key: string; v: number }
    insert.run(key, v)
  }
  db.exec('COMMIT')
  console.log(String(db.prepare('SELECT count(*) AS n FROM x').get()?.['n']))
  db.close()
}

const [what, one = '', two = ''] = process.argv.slice(2)
await (what === 'products' ? products(one, two) : sqlite(one, two))
