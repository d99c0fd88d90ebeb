/** Receipts as JSON text and back, without losing a digit of a place; arrivals and rejects out of their rows. */
import type { ByDate } from '../core/interval.ts'
import type { CommittedArrival, Receipt, RejectRow } from '../core/target.ts'
import type { SqlRow } from './session.ts'

/** The place of a reject does not fit a JSON number, so it is text there. */
export function receiptToJson(receipt: Receipt): string {
  return JSON.stringify({ ...receipt, faults: receipt.faults.map((fault) => ({ ...fault, place: String(fault.place) })) })
}

export function receiptFromJson(text: string): Receipt {
  const stored = JSON.parse(text) as Receipt & { faults: readonly (Omit<RejectRow, 'place'> & { place: string })[] }
  return { ...stored, faults: stored.faults.map((fault) => ({ ...fault, place: BigInt(fault.place) })) }
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

export function rejectFromSql(stored: SqlRow): RejectRow {
  return {
    batch: String(stored['batch']),
    place: BigInt(stored['place'] as bigint),
    offset: stored['offset'] === null ? null : Number(stored['offset']),
    code: String(stored['code']),
    column: text(stored['column']),
    value: text(stored['value']),
    message: String(stored['message']),
    raw: text(stored['raw']),
  }
}

/** What a commit brought of an arrival; undefined: everything that was not in. */
export function datesFromSql({ field, since, until }: SqlRow): ByDate | undefined {
  return typeof field === 'string' ? { field, since: text(since), until: text(until) } : undefined
}

export function arrivalFromSql(row: SqlRow): CommittedArrival {
  const number = (name: string): number => Number(row[name])
  const dates = datesFromSql(row)
  return {
    ...(dates === undefined ? {} : { dates }),
    seq: number('seq'),
    sha256: String(row['sha256']),
    generation: number('generation'),
    path: String(row['path']),
    size: number('size'),
    counts: {
      read: number('read'),
      inserted: number('inserted'),
      updated: number('updated'),
      duplicate: number('duplicate'),
      stale: number('stale'),
      skipped: number('skipped'),
      quarantined: number('quarantined'),
    },
  }
}
