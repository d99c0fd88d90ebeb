/**
 * A large batch is read by several processes at once: how it is cut into ranges, and what their results come to.
 *
 * A range is some arrivals in a row, so the parts of the ranges one after another are in place order. The types of columns
 * that nobody declared must be what one reader would have found: the flags of all ranges together decide (their union does
 * not depend on the cut), and where a range took a column for something else, all are read again with what was learned.
 */
import type { Arrival } from '../../core/arrival.ts'
import type { Batch, StageEvent } from '../../core/engine.ts'
import type { ConverterEvent } from '../../core/convert.ts'
import { SluiceError } from '../../core/errors.ts'
import { joined } from '../../core/proposal.ts'
import type { LeftOut } from '../../core/proposal.ts'
import { MAX_COLUMNS, findColumn, fold } from '../../core/schema.ts'
import type { Schema } from '../../core/schema.ts'
import type { Hypothesis } from '../../formats/splitter.ts'
import { typeOf, widerOf } from '../../formats/typing/infer.ts'
import type { Read, Split } from './protocol.ts'

/** Bytes that make a range worth the way to another process. */
export const RANGE = { bytes: 16_000_000 }
/** As many faults and names as one reader keeps. */
const MOST_FAULTS = 100
const MOST_KEYLESS = 20

/** In how many ranges the batch may be cut. */
export function mostRanges({ arrivals }: Batch): number {
  const bytes = arrivals.reduce((sum, { pin }) => sum + pin.size, 0)
  return Math.min(arrivals.length, Math.floor(bytes / RANGE.bytes))
}

/** Ranges of about equal bytes: `count` of them or fewer, none empty. */
export function rangesOf(batch: Batch, count: number): Batch[] {
  const total = batch.arrivals.reduce((sum, { pin }) => sum + pin.size, 0)
  const ranges: Arrival[][] = []
  let bytes = 0
  for (const arrival of batch.arrivals) {
    const { size } = arrival.pin
    const last = ranges.at(-1)
    if (last === undefined || (ranges.length < count && bytes + size / 2 >= (total * ranges.length) / count)) ranges.push([arrival])
    else last.push(arrival)
    bytes += size
  }
  return ranges.map((arrivals) => ({ ...batch, arrivals }))
}

/** Reads until the ranges agree about the columns; null: together they have more than a table may have. */
export async function agreed(readAll: (hypothesis: Hypothesis | null) => Promise<Read[]>): Promise<Read | null> {
  let hypothesis: Hypothesis | null = null
  for (let pass = 1; pass <= 16; pass++) {
    const reads = await readAll(hypothesis)
    const splits = reads.map(({ split }) => split)
    const open = union(splits)
    if (open.length > MAX_COLUMNS) return null
    if (splits.every((split) => agrees(split, open))) return { read: reads.flatMap(({ read }) => read), split: merged(splits, open) }
    hypothesis = open
  }
  throw new SluiceError('INTERNAL', 'The column types of the ranges of a batch did not settle.')
}

/** What was seen of each inferred column in any range, in order of first appearance. */
function union(splits: readonly Split[]): Hypothesis {
  const columns = new Map<string, { name: string; original: string | null; flags: number; digits: number }>()
  for (const { open } of splits) {
    for (const column of open) {
      const known = columns.get(fold(column.name))
      if (known === undefined) columns.set(fold(column.name), { ...column })
      else {
        known.flags |= column.flags
        known.digits = widerOf(known.digits, column.digits)
      }
    }
  }
  return [...columns.values()]
}

/** Its parts have every column under the name and type that all ranges give it. */
function agrees({ open }: Split, all: Hypothesis): boolean {
  const known = new Map(all.map((column) => [fold(column.name), column]))
  return open.every(({ name, original, flags, digits }) => {
    const column = known.get(fold(name))
    return column?.name === name && column.original === original && (flags === 0 || typeOf(flags, digits) === typeOf(column.flags, column.digits))
  })
}

function merged(splits: readonly Split[], open: Hypothesis): Split {
  const lowest = splits.flatMap((split) => split.lowest ?? [])[0] ?? null
  const highest = splits.flatMap((split) => split.highest ?? []).at(-1) ?? null
  return {
    again: null,
    schema: schemaOf(splits, open),
    open,
    records: splits.flatMap(({ records }) => records),
    rejects: splits.flatMap(({ rejects }) => rejects),
    faults: splits.flatMap(({ faults }) => faults).slice(0, MOST_FAULTS),
    reasons: summed(splits.map(({ reasons }) => reasons)),
    notices: [...new Set(splits.flatMap(({ notices }) => notices))],
    leftOut: leftOutOf(splits),
    keySeen: summed(splits.map(({ keySeen }) => keySeen)),
    keyless: [...new Set(splits.flatMap(({ keyless }) => keyless))].slice(0, MOST_KEYLESS),
    lowest,
    highest,
    taken: splits.reduce((sum, { taken }) => sum + taken, 0),
    // Processes share no memory.
    likes: null,
  }
}

/** Columns that are given, as every range has them; then the inferred ones that have a value. */
function schemaOf(splits: readonly Split[], open: Hypothesis): Schema {
  const inferred = new Set(open.map(({ name }) => fold(name)))
  const given = (splits[0]?.schema ?? []).filter(({ name }) => !inferred.has(fold(name)))
  return [...given, ...open.flatMap(({ name }) => splits.flatMap(({ schema }) => findColumn(schema, name) ?? [])[0] ?? [])]
}

/** What was left out of all ranges; their types follow from the kinds of all values, as in one range. */
function leftOutOf(splits: readonly Split[]): LeftOut[] {
  const all = new Map<string, LeftOut>()
  for (const { leftOut } of splits) for (const one of leftOut) all.set(one.member, joined(all.get(one.member), one))
  return [...all.values()].map((one) => ({ ...one, type: typeOf(one.flags ?? 0) }))
}

function summed(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const one of counts) for (const [name, n] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + n
  return sum
}

type Said = StageEvent | ConverterEvent

/** Progress of several ranges as that of one batch. */
export function together(count: number, on: (event: Said) => void): (range: number, event: Said) => void {
  const far = Array.from({ length: count }, () => ({ files: 0, bytes: 0, records: 0 }))
  return (range, event) => {
    if (event.kind !== 'progress' || 'n' in event) return on(event)
    far[range] = { files: event.files, bytes: event.bytes, records: event.records }
    const sum = (of: 'files' | 'bytes' | 'records'): number => far.reduce((total, one) => total + one[of], 0)
    on({ kind: 'progress', files: sum('files'), bytes: sum('bytes'), records: sum('records') })
  }
}
