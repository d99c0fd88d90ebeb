/** The rejects of a data folder, page by page over several tables, filtered by run and by code. */
import { CODES, isCode } from '../core/codes.ts'
import { SluiceError } from '../core/errors.ts'
import type { Ledger } from '../core/ledger.ts'
import { MAX_ROW, MAX_SEQ, placeOf, rowOf, seqOf } from '../core/place.ts'
import type { RejectRow, Table } from '../core/target.ts'
import type { KnownTable } from './lookup.ts'
import type { Unseen, Viewed } from './unseen.ts'

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

export interface RejectsPage {
  items: RejectItem[]
  /** See `Page`. */
  next: string | null
  /** Tables of this page that could not be asked: what they put aside is missing here. */
  unseen: { name: string; uri: string; fault: Unseen }[]
}

export interface RejectsQuery {
  run?: string
  code?: string
  limit: number
  after?: string
}

/** Rejects asked of a table at once. */
const CHUNK = 500

/**
 * A page of the rejects of these tables, one table after the other in the given order.
 * @throws SluiceError NOT_FOUND for a run or a code that there is not, USAGE for a cursor of another listing
 */
export async function listRejects(ledger: Ledger, entries: readonly KnownTable[], view: (entry: KnownTable) => Promise<Viewed<Table>>, query: RejectsQuery): Promise<RejectsPage> {
  if (query.code !== undefined && !isCode(query.code)) throw new SluiceError('NOT_FOUND', `There is no code ${query.code}.`, { hint: 'sluice explain lists them all.' })
  if (query.run !== undefined && (await ledger.run(query.run)) === null) throw new SluiceError('NOT_FOUND', `There is no run ${query.run}.`, { hint: 'sluice runs ls lists the runs.' })
  const start = query.after === undefined ? { at: 0, place: -1n } : readCursor(entries, query.after)
  const wanted = filterOf(ledger, query)
  const found: { item: RejectItem; cursor: string }[] = []
  const unseen: RejectsPage['unseen'] = []
  for (let at = start.at; at < entries.length && found.length <= query.limit; at++) {
    const entry = entries[at] as KnownTable
    const { uri, look } = await view(entry)
    const looked = await look(async (table) => {
      let after = at === start.at ? start.place : -1n
      for (let more = true; more && found.length <= query.limit; ) {
        const rows = await table.rejects({ limit: CHUNK, after })
        more = rows.length === CHUNK
        for (const row of rows) {
          after = row.place
          if (found.length > query.limit || !(await wanted(row))) continue
          found.push({ item: await rejectItem(ledger, entry, row), cursor: `${entry.name}@${entry.mark}/${seqOf(row.place)}-${rowOf(row.place)}` })
        }
      }
    })
    if ('unseen' in looked) unseen.push({ name: entry.name, uri, fault: looked.unseen })
  }
  const page = found.slice(0, query.limit)
  return { items: page.map(({ item }) => item), next: found.length > query.limit ? (page.at(-1)?.cursor ?? null) : null, unseen }
}

/** A row belongs to the run whose commit put it aside; an evicted row came with another one. */
function filterOf(ledger: Ledger, query: RejectsQuery): (row: RejectRow) => Promise<boolean> {
  const runs = new Map<string, string | null>()
  return async ({ batch, code }) => {
    if (query.code !== undefined && code !== query.code) return false
    if (query.run === undefined) return true
    if (!runs.has(batch)) runs.set(batch, await ledger.runOfBatch(batch))
    return runs.get(batch) === query.run
  }
}

/** Cursors look like `events@1f2e3d4c/12-3`: the mark tells tables of one name apart. */
function readCursor(entries: readonly KnownTable[], after: string): { at: number; place: bigint } {
  const slash = after.lastIndexOf('/')
  const at = entries.findIndex((entry) => `${entry.name}@${entry.mark}` === after.slice(0, slash))
  const place = parsePlace(after.slice(slash + 1))
  if (slash > 0 && at >= 0 && place !== null) return { at, place }
  throw new SluiceError('USAGE', `--after ${after} is no cursor of this listing.`, { hint: 'Give the `next` of the page before, as it was printed.' })
}

/** Takes `events/12-3` apart. @throws SluiceError NOT_FOUND when it is no id of a reject */
export function readRejectId(id: string): { name: string; place: bigint } {
  const slash = id.lastIndexOf('/')
  const place = parsePlace(id.slice(slash + 1))
  if (slash <= 0 || place === null) throw new SluiceError('NOT_FOUND', `${id} is not the id of a reject, as in events/12-3.`, { hint: 'sluice rejects ls lists them.' })
  return { name: id.slice(0, slash), place }
}

function parsePlace(text: string): bigint | null {
  const [seq, row] = (/^(\d{1,10})-(\d{1,10})$/.exec(text) ?? []).slice(1).map(Number)
  return seq === undefined || row === undefined || seq > MAX_SEQ || row > MAX_ROW ? null : placeOf(seq, row)
}

/** A reject for people: with the path of its file and what to do about it. */
export async function rejectItem(ledger: Ledger, { name, key }: KnownTable, row: RejectRow): Promise<RejectItem> {
  const seq = seqOf(row.place)
  const arrival = await ledger.arrival(key, seq)
  return {
    id: `${name}/${seq}-${rowOf(row.place)}`, table: name, path: arrival?.path ?? null, row: rowOf(row.place), offset: row.offset,
    code: row.code, column: row.column, value: row.value, message: row.message, hint: isCode(row.code) ? CODES[row.code].hint : '', raw: row.raw,
  }
}
