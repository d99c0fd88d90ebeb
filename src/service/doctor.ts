/** `doctor`: does everything hold what it says? Changes nothing. */
import { asSluiceError } from '../core/errors.ts'
import type { CommittedArrival, Finding, Table } from '../core/target.ts'
import type { Browser } from './browse.ts'
import { worstOf } from './fan.ts'
import type { DataFolder } from './folder.ts'
import { isThere, placeOfTable, tableKey } from './targets.ts'
import { isAway } from './unseen.ts'
import type { Unseen } from './unseen.ts'

export interface Checkup {
  /** True when all was looked at and nothing is broken; garbage of dead attempts is allowed. */
  clean: boolean
  /** 0 clean · 1 something is broken · else what kept it from looking, the worst of several. */
  exit: number
  tables: number
  /** Committed arrivals compared with the ledger. */
  arrivals: number
  findings: Finding[]
}

/** @returns what was found; nothing is repaired */
export async function checkup(browser: Browser): Promise<Checkup> {
  const { folder } = browser
  const findings: Finding[] = (await folder.ledger.verify()).map((message) => ({ grade: 'broken', path: `${folder.path}/ledger.db`, message }))
  const exits: number[] = []
  // Who keeps the models of a place that cannot be asked has nothing to add to what its tables said.
  const said = new Set<string>()
  const missed = (path: string, unseen: Unseen): void => {
    const away = isAway(unseen)
    if (away) exits.push(unseen.exit)
    findings.push({ grade: away ? 'unseen' : 'broken', path, message: `${unseen.code}: ${unseen.message}` })
    said.add(unseen.message)
  }
  let tables = 0
  let arrivals = 0
  try {
    for await (const { uri, look } of browser.each()) {
      // Of one that breaks off while it is looked at, what was found until then counts.
      const looked = await look(async (table) => {
        findings.push(...(await table.verify()))
        return compare(folder, table, findings)
      })
      if ('unseen' in looked) missed(uri, looked.unseen)
      else {
        tables++
        arrivals += looked.seen
      }
    }
    for await (const { uri, look } of browser.keepers()) {
      const looked = await look((keeper) => keeper.verify())
      if ('seen' in looked) findings.push(...looked.seen)
      else if (!said.has(looked.unseen.message)) missed(uri, looked.unseen)
    }
    for (const { uri } of await folder.ledger.tables()) {
      for (const claim of await folder.ledger.orphans(uri)) {
        findings.push({ grade: 'garbage', path: uri, message: `The run ${claim.run} was interrupted with ${claim.batch.arrivals.length} files in work; the next load finishes them.` })
      }
    }
    for (const table of await lostTables(folder)) {
      findings.push({ grade: 'broken', path: table, message: 'The ledger knows files of this table, and the table is gone. Bring it back from a copy, or load again: the files are read again.' })
    }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    findings.push({ grade: 'broken', path: error.where.path ?? folder.path, message: `${error.code}: ${error.message}` })
  }
  const exit = findings.some(({ grade }) => grade === 'broken') ? 1 : worstOf(exits)
  return { clean: exit === 0, exit, tables, arrivals, findings }
}

/** Tables inside of the data folder that the ledger has arrivals of and that are not there. */
async function lostTables(folder: DataFolder): Promise<string[]> {
  const lost: string[] = []
  for (const { uri, name } of await folder.ledger.tables()) {
    // Tables elsewhere may have been moved; those inside move with the folder.
    if (!/^(sqlite:|duckdb:)?\.\//.test(uri) || (await isThere(folder.fs, placeOfTable(uri, name, folder.path), name))) continue
    // What is known by dates may have no counts of its own; one without records needs no table, whatever dates it was asked for.
    const brought = (await folder.ledger.files({ table: uri, state: 'COMPLETED', limit: 1000 })).items.some((row) => (row.counts === null ? row.sameAs === null && row.covered !== null : row.counts.read > 0))
    if (brought) lost.push(uri)
  }
  return lost
}

/** The ledger must not call COMPLETED what the table does not hold, nor have another content for its number. */
async function compare(folder: DataFolder, table: Table, findings: Finding[]): Promise<number> {
  const committed = new Map<number, CommittedArrival>()
  for await (const arrival of table.arrivals()) {
    const before = committed.get(arrival.seq)
    // One that came by dates is in several commits, of the same bytes; the last one may bring all the rest.
    if (before !== undefined && (before.dates === undefined || before.sha256 !== arrival.sha256 || before.generation !== arrival.generation || before.counts.read !== arrival.counts.read)) findings.push({ grade: 'broken', path: table.uri, message: `The arrival number ${arrival.seq} was committed twice.` })
    committed.set(arrival.seq, arrival)
  }
  const contents = new Set([...committed.values()].map((arrival) => arrival.sha256))
  for (let after: string | undefined; ; ) {
    const page = await folder.ledger.files({ table: tableKey(table.uri, folder.path), state: 'COMPLETED', limit: 1000, ...(after === undefined ? {} : { after }) })
    for (const row of page.items) {
      const own = committed.get(row.seq)
      // An arrival without records is COMPLETED without a commit where there was no table yet.
      const empty = (row.counts?.read ?? 0) === 0
      if (own !== undefined ? own.sha256 !== row.sha256 && row.sameAs === null : !empty && row.sameAs === null) {
        findings.push({ grade: 'broken', path: row.path, message: `The ledger calls the arrival ${row.seq} COMPLETED, the table ${own === undefined ? 'does not hold it' : 'holds other content under its number'}.` })
      }
      if (row.sameAs !== null && row.sha256 !== null && !contents.has(row.sha256) && committed.size > 0 && (row.counts?.read ?? 0) > 0) {
        findings.push({ grade: 'broken', path: row.path, message: `The ledger calls it a copy of the arrival ${row.sameAs}, which the table does not hold.` })
      }
    }
    if (page.next === null) break
    after = page.next
  }
  return committed.size
}
