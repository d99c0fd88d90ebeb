/**
 * Looking into a data folder: files, runs, rejects, tables. Nothing here writes to a table or recovers anything; that
 * belongs to commands that write.
 */
import { CODES, isCode } from '../core/codes.ts'
import type { Engine } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { ArrivalRow, ArrivalState, RunRow } from '../core/ledger.ts'
import { placeOf, rowOf, seqOf } from '../core/place.ts'
import type { Row, Schema } from '../core/schema.ts'
import type { RejectRow, Table } from '../core/target.ts'
import { closeFolder, findTables, openEngine, openFolder } from './folder.ts'
import type { DataFolder } from './folder.ts'
import { dataFolder } from './options.ts'
import { isThere, openTarget, parseTarget, placeOfTable, tableKey, tablesFolder } from './targets.ts'
import type { Place } from './targets.ts'

export interface Page<T> {
  items: T[]
  /** Give it back as `after` for the next page; null: this was the last. */
  next: string | null
}
export interface TableItem {
  name: string
  uri: string
  rows: number
  version: number | null
  mode: string | null
  keep: string | null
  key: readonly string[]
  columns: number
}
export interface RejectItem {
  /** `<table>/<seq>-<row>` */
  id: string
  table: string
  path: string | null
  row: number
  offset: number | null
  code: string
  column: string | null
  value: string | null
  message: string
  hint: string
  raw: string | null
}

export interface Browser {
  readonly folder: DataFolder
  files(query: { table?: string; state?: ArrivalState; name?: string; limit: number; after?: string }): Promise<Page<ArrivalRow>>
  /** By path, by `<table>/<seq>`, or by the beginning of a SHA-256. @throws NOT_FOUND */
  file(id: string): Promise<ArrivalRow>
  runs(query: { table?: string; limit: number; after?: string }): Promise<Page<RunRow>>
  /** @throws NOT_FOUND */
  run(id: string): Promise<RunRow>
  tables(): Promise<TableItem[]>
  /** Columns of the table and its first rows, in place order. The last value of a row is its place. @throws NOT_FOUND */
  head(table: string, limit: number, to?: string): Promise<{ schema: Schema; rows: Row[] }>
  schema(table: string, to?: string): Promise<Schema>
  count(table: string, to?: string): Promise<TableItem>
  rejects(query: { table?: string; run?: string; code?: string; limit: number; after?: string }): Promise<Page<RejectItem>>
  reject(id: string): Promise<RejectItem>
  /** Every table of the folder, opened; for `doctor`. */
  opened(): AsyncIterable<Table>
  close(): Promise<void>
}

const BROWSING_MEMORY = 512e6

/** @throws SluiceError NOT_FOUND when there is no data folder */
export async function openBrowser(dataDir?: string): Promise<Browser> {
  const folder = await openFolder(dataFolder(dataDir), { existing: true })
  const { ledger } = folder
  let engine: Engine | null = null
  const open = async (name: string, place: Place): Promise<Table> => {
    engine ??= await openEngine(folder, { memory: BROWSING_MEMORY })
    return (await openTarget(place, folder.clock, folder.random)).open(name, null, engine)
  }

  async function places(): Promise<{ name: string; place: Place }[]> {
    const known = (await ledger.tables()).map((table) => ({ name: table.name, place: placeOfTable(table.uri, table.name, folder.path) }))
    const found = await findTables(folder)
    const all = new Map([...known, ...found].map((entry) => [`${entry.place.scheme}:${entry.place.location}#${entry.name}`, entry]))
    const there: { name: string; place: Place }[] = []
    for (const entry of all.values()) if (await isThere(folder.fs, entry.place, entry.name)) there.push(entry)
    return there
  }

  async function named(name: string, to: string | undefined): Promise<{ name: string; place: Place }> {
    const wanted = to === undefined ? null : parseTarget(to, folder.path)
    const matching = (await places()).filter((entry) => entry.name === name && (wanted === null || (entry.place.scheme === wanted.scheme && entry.place.location === wanted.location)))
    if (matching.length === 0) throw new SluiceError('NOT_FOUND', `There is no table ${name} in ${folder.path}.`, { hint: 'sluice tables ls lists what there is.' })
    const home = matching.find((entry) => entry.place.scheme === 'delta' && entry.place.location === tablesFolder(folder.path))
    if (home !== undefined) return home
    if (matching.length > 1) throw new SluiceError('USAGE', `There are ${matching.length} tables ${name}.`, { hint: `Say which one with --to: ${matching.map((entry) => `${entry.place.scheme}:${entry.place.location}`).join(', ')}.` })
    return matching[0] as { name: string; place: Place }
  }

  async function withTable<T>(name: string, to: string | undefined, work: (table: Table) => Promise<T>): Promise<T> {
    const { place } = await named(name, to)
    const table = await open(name, place)
    try {
      return await work(table)
    } finally {
      await table.close()
    }
  }

  async function item(name: string, table: Table): Promise<TableItem> {
    const head = await table.head()
    const { definition } = head
    const keep = definition?.keep ?? null
    return {
      name, uri: table.uri, rows: head.rows, version: head.version, mode: definition?.mode ?? null,
      keep: keep === null ? null : 'column' in keep ? `${keep.rule}:${keep.column}` : keep.rule,
      key: definition?.key ?? [], columns: head.schema.length,
    }
  }

  async function rejectItem(name: string, key: string, row: RejectRow): Promise<RejectItem> {
    const seq = seqOf(row.place)
    const arrival = await ledger.arrival(key, seq)
    return {
      id: `${name}/${seq}-${rowOf(row.place)}`, table: name, path: arrival?.path ?? null, row: rowOf(row.place), offset: row.offset,
      code: row.code, column: row.column, value: row.value, message: row.message, hint: isCode(row.code) ? CODES[row.code].hint : '', raw: row.raw,
    }
  }

  async function rejectsOf(entry: { name: string; place: Place }, query: { run?: string; code?: string; limit: number }, after: bigint): Promise<RejectItem[]> {
    const table = await open(entry.name, entry.place)
    try {
      const items: RejectItem[] = []
      for (let last = after; items.length < query.limit; ) {
        const rows = await table.rejects({ limit: 500, after: last })
        for (const row of rows) {
          last = row.place
          if (items.length >= query.limit || (query.code !== undefined && row.code !== query.code)) continue
          if (query.run !== undefined && (await ledger.arrival(tableKey(table.uri, folder.path), seqOf(row.place)))?.run !== query.run) continue
          items.push(await rejectItem(entry.name, tableKey(table.uri, folder.path), row))
        }
        if (rows.length < 500) break
      }
      return items
    } finally {
      await table.close()
    }
  }

  return {
    folder,
    files: async ({ table, ...query }) => {
      const uri = table === undefined ? undefined : (await ledger.tables()).find((known) => known.name === table)?.uri
      if (table !== undefined && uri === undefined) throw new SluiceError('NOT_FOUND', `There is no table ${table} in ${folder.path}.`)
      return ledger.files(uri === undefined ? query : { ...query, table: uri })
    },
    file: async (id) => findFile(folder, id),
    runs: async ({ table, ...query }) => {
      const uri = table === undefined ? undefined : (await ledger.tables()).find((known) => known.name === table)?.uri
      if (table !== undefined && uri === undefined) throw new SluiceError('NOT_FOUND', `There is no table ${table} in ${folder.path}.`)
      return ledger.runs(uri === undefined ? query : { ...query, table: uri })
    },
    run: async (id) => {
      const run = await ledger.run(id)
      if (run === null) throw new SluiceError('NOT_FOUND', `There is no run ${id}.`, { hint: 'sluice runs ls lists the runs.' })
      return run
    },
    tables: async () => {
      const items: TableItem[] = []
      for (const { name, place } of await places()) {
        const table = await open(name, place)
        try {
          // Known to the ledger, and nothing was committed yet (or it lies elsewhere now): no table.
          if ((await table.head()).exists) items.push(await item(name, table))
        } finally {
          await table.close()
        }
      }
      return items
    },
    head: (name, limit, to) => withTable(name, to, async (table) => {
      const rows: Row[] = []
      const { schema } = await table.head()
      for await (const chunk of table.scan(limit)) rows.push(...chunk)
      return { schema, rows: rows.slice(0, limit) }
    }),
    schema: (name, to) => withTable(name, to, async (table) => (await table.head()).schema),
    count: (name, to) => withTable(name, to, (table) => item(name, table)),
    rejects: async (query) => {
      const items: RejectItem[] = []
      const [afterTable, afterPlace] = query.after === undefined ? ['', ''] : splitId(query.after)
      const entries = query.table === undefined ? (await places()).toSorted((a, b) => (a.name < b.name ? -1 : 1)) : [await named(query.table, undefined)]
      for (const entry of entries) {
        if (entry.name < afterTable || items.length > query.limit) continue
        const after = entry.name === afterTable ? parsePlace(afterPlace) : -1n
        items.push(...(await rejectsOf(entry, { ...query, limit: query.limit + 1 - items.length }, after)))
      }
      const page = items.slice(0, query.limit)
      return { items: page, next: items.length > query.limit ? (page.at(-1)?.id ?? null) : null }
    },
    reject: async (id) => {
      const [name, position] = splitId(id)
      const place = parsePlace(position)
      return withTable(name, undefined, async (table) => {
        const row = (await table.rejects({ limit: 1, after: place - 1n }))[0]
        if (row === undefined || row.place !== place) throw new SluiceError('NOT_FOUND', `There is no reject ${id}.`, { hint: 'sluice rejects ls lists them.' })
        return rejectItem(name, tableKey(table.uri, folder.path), row)
      })
    },
    async *opened() {
      for (const { name, place } of await places()) {
        const table = await open(name, place)
        yield table
        await table.close()
      }
    },
    close: async () => {
      await engine?.close()
      await closeFolder(folder)
    },
  }
}

function splitId(id: string): [string, string] {
  const at = id.lastIndexOf('/')
  if (at <= 0) throw new SluiceError('NOT_FOUND', `${id} is not the id of a reject, as in events/12-3.`)
  return [id.slice(0, at), id.slice(at + 1)]
}

function parsePlace(text: string): bigint {
  const match = /^(\d+)-(\d+)$/.exec(text)
  if (match === null) throw new SluiceError('NOT_FOUND', `${text} is not a place, as in 12-3.`)
  return placeOf(Number(match[1]), Number(match[2]))
}

async function findFile(folder: DataFolder, id: string): Promise<ArrivalRow> {
  const numbered = /^([A-Za-z_]\w*)\/(\d+)$/.exec(id)
  if (numbered !== null) {
    const uri = (await folder.ledger.tables()).find((table) => table.name === numbered[1])?.uri
    const row = uri === undefined ? null : await folder.ledger.arrival(uri, Number(numbered[2]))
    if (row !== null) return row
  }
  const { items } = await folder.ledger.files({ name: id, limit: 2 })
  if (items.length === 1 && items[0] !== undefined) return items[0]
  const why = items.length === 0 ? `There is no file ${id} in ${folder.path}.` : `${id} means several files.`
  throw new SluiceError('NOT_FOUND', why, { hint: 'sluice files ls lists them; name one by its path or as table/number.' })
}
