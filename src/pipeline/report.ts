/** What a batch tells the user beside its counts: faults, notices, files that came back. */
import { isCode } from '../core/codes.ts'
import type { Batch, Staged } from '../core/engine.ts'
import type { Fault } from '../core/errors.ts'
import { rowOf, seqOf } from '../core/place.ts'
import type { Receipt } from '../core/target.ts'
import type { Ingest, Tally } from './work.ts'

/** Faults that a summary shows. */
export const SHOWN_FAULTS = 100

export function report(work: Ingest, staged: Staged, receipt: Receipt | null, tally: Tally): void {
  const paths = pathsOf(staged.batch)
  for (const outcome of staged.outcomes) if (outcome.fault !== null) note(tally, { path: paths.get(outcome.seq) ?? '', ...outcome.fault })
  for (const fault of staged.faults) note(tally, fault)
  for (const reject of receipt?.faults ?? []) {
    note(tally, {
      code: isCode(reject.code) ? reject.code : 'KEY_REPEATED', path: paths.get(seqOf(reject.place)) ?? '', row: rowOf(reject.place), message: reject.message,
      ...(reject.offset === null ? {} : { offset: reject.offset }), ...(reject.column === null ? {} : { column: reject.column }),
    })
  }
  for (const { state, aside } of staged.outcomes) {
    if (state !== 'loaded' || aside === undefined) continue
    tally.aside.outside += aside.outside
    tally.aside.undated += aside.undated
  }
  for (const text of staged.notices) work.on({ kind: 'notice', text })
  for (const text of leftOutNotes(staged.leftOut)) work.on({ kind: 'notice', text })
  if ((receipt?.rewritten ?? 0) > 0) {
    const bytes = staged.batch.arrivals.reduce((sum, arrival) => sum + arrival.pin.size, 0)
    if ((receipt?.rewritten ?? 0) > 10 * bytes) work.on({ kind: 'notice', text: `${receipt?.rewritten} bytes of the table were written again for a batch of ${bytes} bytes.` })
  }
}

/** Members that are named one by one; a file of 10,000 columns of which two are declared would fill the screen. */
const NAMED = 20

/** What was left out of the records because it is not declared: the first by name, the others counted. */
export function leftOutNotes(leftOut: readonly { member: string; records: number }[]): string[] {
  const some = leftOut.length > NAMED + 1 ? leftOut.slice(0, NAMED) : leftOut
  const others = leftOut.slice(some.length)
  return [
    ...some.map(({ member, records }) => `The member ${member} of ${records} records is not among the declared columns and was left out.`),
    ...(others.length === 0 ? [] : [`${others.length} more members are not among the declared columns and were left out, the last of them ${others.at(-1)?.member ?? ''}.`]),
  ]
}

/** A path that brings bytes again which it brought before something else: they are known, and that may surprise. */
export async function sayReturns(work: Ingest, staged: Staged): Promise<void> {
  const known = new Map(staged.outcomes.filter((outcome) => outcome.state === 'known').map((outcome) => [outcome.seq, outcome]))
  for (const { seq, pin, replaced } of staged.batch.arrivals) {
    const outcome = known.get(seq)
    if (!replaced || outcome === undefined) continue
    const { items } = await work.ledger.files({ table: work.key, name: pin.uri, limit: 1000 })
    const former = items.filter((row) => row.path === pin.uri && row.seq < seq && row.state === 'COMPLETED').at(-1)
    if (former !== undefined && former.sha256 !== outcome.sha256) {
      work.on({ kind: 'notice', text: `${pin.uri} is back to bytes that it brought before (arrival ${outcome.sameAs ?? '?'}): they are known and change nothing. --reload applies them again.` })
    }
  }
}

export function note(tally: Tally, fault: Fault): void {
  if (tally.faults.length < SHOWN_FAULTS) tally.faults.push(fault)
}

export function pathsOf(batch: Batch): Map<number, string> {
  return new Map(batch.arrivals.map((arrival) => [arrival.seq, arrival.pin.uri]))
}
