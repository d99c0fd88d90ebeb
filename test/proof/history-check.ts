/** What must hold at the end of a history, whatever happened in it. */
import type { Row } from '../../src/core/schema.ts'
import type { CommittedArrival } from '../../src/core/target.ts'
import { openBrowser } from '../../src/service/browse.ts'
import { checkup } from '../../src/service/doctor.ts'
import { TABLE, committedOf, contentsOf } from '../histories.ts'
import type { History } from '../histories.ts'
import { model, showRow } from '../reference.ts'
import { difference } from './harness.ts'

/** @throws Error when the table is not that of the model, a record is not accounted for, or doctor is not content */
export async function examine(history: History, data: string): Promise<void> {
  const browser = await openBrowser(data)
  try {
    const arrivals: CommittedArrival[] = []
    const losers: Row[] = []
    const own: bigint[] = []
    const repeated: bigint[] = []
    for await (const table of browser.opened()) {
      for await (const arrival of table.arrivals()) arrivals.push(arrival)
      for await (const chunk of table.losers()) losers.push(...chunk)
      for (const reject of await table.rejects({ limit: 100_000 })) (reject.code === 'KEY_REPEATED' ? repeated : own).push(reject.place)
    }
    const committed = new Set(arrivals.map((arrival) => arrival.sha256))
    const lost = [...contentsOf(history)].filter((sha) => !committed.has(sha))
    if (lost.length > 0) throw new Error(`${lost.length} contents are not in the table`)
    const { findings } = await checkup(browser)
    if (findings.some((finding) => finding.grade === 'broken')) throw new Error(`doctor: ${JSON.stringify(findings)}`)
    if (arrivals.length === 0) return

    const { schema, rows } = await browser.head(TABLE, Number.MAX_SAFE_INTEGER)
    const truth = model(history.definition, schema, committedOf(history, arrivals))
    const values = (list: readonly Row[]): string[] => list.map((row) => showRow(row.slice(0, -1))).toSorted()
    agree('rows', values(rows), values(truth.rows))
    agree('places of rejects', texts(own), texts(truth.bad))
    // Every record lies in one place only, and is what it was when it came.
    const good = new Map(truth.good.map((row) => [row.at(-1), row]))
    const asRejected = repeated.map((place) => good.get(place) ?? [`a reject at ${place} that was no good record`])
    agree('records', [...rows, ...losers, ...asRejected].map(showRow).toSorted(), truth.good.map(showRow).toSorted())
    counts(arrivals, rows.length, truth.good.length + truth.bad.length)
  } finally {
    await browser.close()
  }
}

function agree(what: string, got: readonly string[], expected: readonly string[]): void {
  const wrong = difference(got, expected)
  if (wrong !== null) throw new Error(`${what}: ${wrong}`)
}

function texts(places: readonly bigint[]): string[] {
  return places.map(String).toSorted()
}

/** The counts in the commit records, against the table. */
function counts(arrivals: readonly CommittedArrival[], rows: number, records: number): void {
  const sum = (term: 'read' | 'inserted' | 'skipped'): number => arrivals.reduce((total, arrival) => total + arrival.counts[term], 0)
  if (sum('inserted') !== rows) throw new Error(`${sum('inserted')} rows were inserted by the records, ${rows} are there`)
  const read = sum('read') - sum('skipped')
  if (read !== records) throw new Error(`${read} records were read by the records of the commits, there were ${records}`)
}
