/**
 * Looking into a data folder: files, runs, rejects, tables. Nothing here writes to a table or recovers anything; that
 * belongs to commands that write.
 */
import type { Engine } from '../core/engine.ts'
import { SluiceError } from '../core/errors.ts'
import type { ArrivalRow, ArrivalState, RunRow } from '../core/ledger.ts'
import type { Row, Schema } from '../core/schema.ts'
import type { Finding, Table } from '../core/target.ts'
import { closeFolder, openEngine, openFolder } from './folder.ts'
import type { DataFolder } from './folder.ts'
import { findFile, knownTables, tableFilter, tableNamed } from './lookup.ts'
import type { KnownTable } from './lookup.ts'
import { dataFolder } from './options.ts'
import { listRejects, readRejectId, rejectItem } from './rejects.ts'
import type { RejectItem, RejectsPage } from './rejects.ts'
import { describePlace, openTarget, parseTarget } from './targets.ts'
import { glances } from './unseen.ts'
import type { Unseen, Viewed } from './unseen.ts'

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
/** A table in a list of all; one that could not be looked at has only its name, its URI and the reason. */
export interface ListedTable extends Omit<TableItem, 'rows' | 'columns'> {
  rows: number | null
  columns: number | null
  fault: Unseen | null
}
/** Which table a listing is about; `to` is the target, when several have a table of this name. */
interface TableChoice {
  table?: string
  to?: string
}

export interface Browser {
  readonly folder: DataFolder
  /** @throws NOT_FOUND no such table · USAGE several tables of this name, or an `after` that is no `next` */
  files(query: TableChoice & { state?: ArrivalState; name?: string; limit: number; after?: string }): Promise<Page<ArrivalRow>>
  /** By path, by `<table>/<seq>`, by the beginning of a SHA-256, or by a part of the path. @throws NOT_FOUND none or several */
  file(id: string, to?: string): Promise<ArrivalRow>
  /** @throws as files */
  runs(query: TableChoice & { limit: number; after?: string }): Promise<Page<RunRow>>
  /** @throws NOT_FOUND */
  run(id: string): Promise<RunRow>
  /** All of them; a server that does not answer takes only its own tables from the list. */
  tables(): Promise<ListedTable[]>
  /** Columns of the table and its first rows, in place order. The last value of a row is its place. @throws NOT_FOUND */
  head(table: string, limit: number, to?: string): Promise<{ schema: Schema; rows: Row[] }>
  schema(table: string, to?: string): Promise<Schema>
  count(table: string, to?: string): Promise<TableItem>
  /** `run` is the run whose commit put them aside. @throws as files; NOT_FOUND for an unknown run or code */
  rejects(query: TableChoice & { run?: string; code?: string; limit: number; after?: string }): Promise<RejectsPage>
  reject(id: string, to?: string): Promise<RejectItem>
  /** Every table of the folder, opened, one after the other. @throws at the first that cannot be */
  opened(): AsyncIterable<Table>
  /** The same for `doctor`, which goes on to the next. */
  each(): AsyncIterable<Viewed<Table>>
  /** Who keeps models in the places of these tables. */
  keepers(): AsyncIterable<Viewed<{ verify(): Promise<Finding[]>; garbage(): Promise<string[]> }>>
  close(): Promise<void>
}

const BROWSING_MEMORY = 512e6

/** @throws SluiceError NOT_FOUND when there is no data folder */
export async function openBrowser(dataDir?: string): Promise<Browser> {
  const folder = await openFolder(dataFolder(dataDir), { existing: true })
  const { ledger } = folder
  let engine: Engine | null = null
  const open = async ({ name, place }: KnownTable): Promise<Table> => {
    return (await openTarget(place, folder.clock, folder.random)).open(name, null, await running())
  }
  const running = async (): Promise<Engine> => (engine ??= await openEngine(folder, { memory: BROWSING_MEMORY }))
  const look = glances()
  const there = async (): Promise<KnownTable[]> => (await knownTables(folder)).filter((entry) => entry.there)

  const viewed = async (entry: KnownTable): Promise<Viewed<Table>> => ({
    uri: (await openTarget(entry.place, folder.clock, folder.random)).uri(entry.name),
    look: (work) => look(entry.place, async () => {
      const table = await open(entry)
      try {
        return await work(table)
      } finally {
        await table.close()
      }
    }),
  })

  async function withTable<T>(name: string, to: string | undefined, work: (table: Table, entry: KnownTable) => Promise<T>): Promise<T> {
    const entry = await tableNamed(folder, name, to)
    if (!entry.there) throw new SluiceError('NOT_FOUND', `There is nothing at the place of the table ${name} yet.`, { hint: 'sluice tables ls lists what there is.' })
    const table = await open(entry)
    try {
      return await work(table, entry)
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

  return {
    folder,
    files: async ({ table, to, ...query }) => ledger.files({ ...query, ...(await tableFilter(folder, table, to)) }),
    file: (id, to) => findFile(folder, id, to),
    runs: async ({ table, to, ...query }) => ledger.runs({ ...query, ...(await tableFilter(folder, table, to)) }),
    run: async (id) => {
      const run = await ledger.run(id)
      if (run === null) throw new SluiceError('NOT_FOUND', `There is no run ${id}.`, { hint: 'sluice runs ls lists the runs.' })
      return run
    },
    tables: async () => {
      const items: ListedTable[] = []
      for (const entry of await there()) {
        const { uri, look: glance } = await viewed(entry)
        // Known to the ledger, and nothing was committed yet (or it lies elsewhere now): no table.
        const found = await glance(async (table) => ((await table.head()).exists ? item(entry.name, table) : null))
        if ('unseen' in found) items.push({ name: entry.name, uri, rows: null, version: null, mode: null, keep: null, key: [], columns: null, fault: found.unseen })
        else if (found.seen !== null) items.push({ ...found.seen, fault: null })
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
    rejects: async ({ table, to, ...query }) => {
      const { table: key } = await tableFilter(folder, table, to)
      const wanted = to === undefined ? {} : parseTarget(to, folder.path)
      const entries = (await there()).filter((entry) => key === undefined || entry.key === key)
      return listRejects(ledger, entries.map((entry) => ({ ...entry, place: { ...entry.place, ...wanted } })), viewed, query)
    },
    reject: (id, to) => {
      const { name, place } = readRejectId(id)
      return withTable(name, to, async (table, entry) => {
        const row = (await table.rejects({ limit: 1, after: place - 1n }))[0]
        if (row === undefined || row.place !== place) throw new SluiceError('NOT_FOUND', `There is no reject ${id}.`, { hint: 'sluice rejects ls lists them.' })
        return rejectItem(ledger, entry, row)
      })
    },
    async *opened() {
      for (const entry of await there()) {
        const table = await open(entry)
        yield table
        await table.close()
      }
    },
    async *each() {
      for (const entry of await there()) yield viewed(entry)
    },
    async *keepers() {
      const seen = new Set<string>()
      for (const { place } of await there()) {
        const uri = describePlace(place)
        const { models } = await openTarget(place, folder.clock, folder.random)
        if (seen.has(uri) || models === undefined) continue
        seen.add(uri)
        yield { uri, look: (work) => look(place, async () => {
          const child = await running()
          return work({ verify: () => models.verify(child), garbage: () => models.garbage(child) })
        }) }
      }
    },
    close: async () => {
      await engine?.close()
      await closeFolder(folder)
    },
  }
}
