/**
 * The engine port in memory: JSON.parse, arrays and loops, for small files. Plain on purpose: where it and a real engine
 * differ, this one is easier to read.
 *
 * Parts are `memory:<n>`. A document is read whole, so a syntax error anywhere fails the file, and the records of a
 * document have no offset; those of lines have.
 */
import { createHash } from 'node:crypto'
import type { Arrival, ArrivalOutcome } from '../../src/core/arrival.ts'
import type { Definition } from '../../src/core/definition.ts'
import type { Engine, Part, Session, StageEvent, StageJob, Staged, Standing } from '../../src/core/engine.ts'
import { SluiceError, asSluiceError } from '../../src/core/errors.ts'
import type { Code, Fault } from '../../src/core/errors.ts'
import { tampering } from '../../src/core/failpoint.ts'
import { isCovered, joinCovered, sameCovered } from '../../src/core/interval.ts'
import { placeOf, seqOf } from '../../src/core/place.ts'
import { columnName, findColumn, fold, rankOf } from '../../src/core/schema.ts'
import type { Row, Schema, Value } from '../../src/core/schema.ts'
import type { LeftOut } from '../../src/core/proposal.ts'
import { beats, compareValues } from '../../src/resolve/rule.ts'
import { openPinned } from '../../src/storage/pin.ts'
import { takenBy } from '../dates.ts'
import { minify, typeRecord } from '../typing.ts'
import type { Json } from '../typing.ts'
import { schemaOf, typeOf } from './infer.ts'
import { splitText } from './split.ts'
import type { Split } from './split.ts'

interface Read {
  arrival: Arrival
  outcome: ArrivalOutcome
  split: Split[]
}

/** Rows of a part; `records` and `losers`: values, place, offset · rejects: REJECT_COLUMNS. */
type Parts = Map<string, Row[]>

export function memoryEngine(): Engine {
  const parts: Parts = new Map()
  const put = (rows: Row[]): Part[] => {
    if (rows.length === 0) return []
    const uri = `memory:${parts.size + 1}`
    parts.set(uri, rows)
    return [{ uri, rows: rows.length }]
  }
  const rowsOf = (list: readonly Part[]): Row[] => list.flatMap((part) => parts.get(part.uri) ?? [])
  return {
    async stage(job, on, signal) {
      signal.throwIfAborted()
      return stage(job, on, put)
    },
    async *read(staged, what) {
      const losers = rowsOf(staged.losers)
      const lost = new Set(losers.map((row) => row.at(-2)))
      const winners = rowsOf(staged.records).filter((row) => !lost.has(row.at(-2)) && !staged.excluded.includes(seqOf(row.at(-2) as bigint)))
      const rows = (what === 'losers' ? losers : winners).map((row) => row.slice(0, -1))
      if (rows.length > 0) yield rows
    },
    async *rejects(staged) {
      const rows = rowsOf(staged.rejects)
      if (rows.length > 0) yield rows
    },
    async session(): Promise<Session> {
      throw new SluiceError('LATER', 'The engine in memory has no SQL.')
    },
    async close() {
      parts.clear()
    },
  }
}

async function stage(job: StageJob, on: (event: StageEvent) => void, put: (rows: Row[]) => Part[]): Promise<Staged> {
  const reads = job.batch.arrivals.map((arrival) => {
    on({ kind: 'arrival.begin', seq: arrival.seq })
    return readArrival(arrival, job)
  })
  const shas = reads.flatMap((read) => (read.outcome.state === 'loaded' && read.outcome.sha256 !== null ? [read.outcome.sha256] : []))
  decideKnown(reads, await job.standing([...new Set(shas)]), job)
  const whole = reads.filter((read) => read.outcome.state === 'loaded' || read.outcome.state === 'known')
  const schema = schemaOf(job.definition, job.pinned, whole.flatMap((read) => read.split.flatMap((one) => (one.json === undefined ? [] : [one.json]))))
  const records: Row[] = []
  const rejects: Row[] = []
  for (const read of whole) typeArrival(read, schema, job, records, rejects)
  for (const read of reads) on({ kind: 'arrival.end', outcome: read.outcome })

  const stateOf = new Map(reads.map((read) => [read.arrival.seq, read.outcome.state]))
  const kept = records.filter((row) => stateOf.get(seqOf(row.at(-2) as bigint)) !== 'failed')
  const counting = kept.filter((row) => stateOf.get(seqOf(row.at(-2) as bigint)) === 'loaded')
  const { winners, losers } = separate(job.definition, schema, counting)
  const excluded = reads.filter((read) => read.outcome.state === 'known' && kept.some((row) => seqOf(row.at(-2) as bigint) === read.arrival.seq))
  const places = [...counting.map((row) => row.at(-2) as bigint), ...rejects.map((row) => row[0] as bigint)].toSorted((a, b) => Number(a - b))
  const reasons: Record<string, number> = {}
  for (const row of rejects) reasons[String(row[2])] = (reasons[String(row[2])] ?? 0) + 1
  return {
    batch: job.batch,
    attempt: job.attempt,
    outcomes: reads.map((read) => read.outcome),
    schema,
    // A falsified separation must reach the reader, who takes the winners from the records.
    records: put([...kept.filter((row) => winners.includes(row) || losers.includes(row) || !counting.includes(row)), ...doubled(winners)]),
    excluded: excluded.map((read) => read.arrival.seq),
    losers: put(losers),
    rejects: put(rejects),
    winners: winners.length,
    places: places.length === 0 ? null : { lowest: places[0] ?? 0n, highest: places.at(-1) ?? 0n },
    keyRange: keyRange(job.definition, schema, kept),
    faults: rejects.slice(0, 100).map((row) => ({ code: row[2] as Code, message: String(row[5]) })),
    reasons,
    notices: [],
    leftOut: leftOutOf(job.definition, whole),
  }
}

/** Members that declared columns do not name; of top level only. */
function leftOutOf(definition: Definition, reads: readonly Read[]): LeftOut[] {
  const { columns } = definition
  if (columns === null) return []
  const all = new Map<string, { values: Json[]; place: bigint }>()
  for (const { arrival, split } of reads) {
    split.forEach(({ json }, index) => {
      if (json === undefined || !Array.isArray(typeRecord(json, columns, definition.key))) return
      for (const [member, value] of Object.entries(json as { [member: string]: Json })) {
        if (value === null || findColumn(columns, columnName(member)) !== undefined) continue
        const found = all.get(member) ?? { values: [], place: placeOf(arrival.seq, index + 1) }
        found.values.push(value)
        all.set(member, found)
      }
    })
  }
  return [...all].map(([member, { values, place }]) => {
    const telling = values.filter((_, at) => at === 0 || typeOf(values.slice(0, at)) !== typeOf(values.slice(0, at + 1)))
    const examples = telling.slice(0, 3).map((value) => (typeof value === 'string' ? value : minify(value)))
    return { member, records: values.length, type: typeOf(values), place: String(place), examples }
  })
}

function doubled(winners: readonly Row[]): Row[] {
  return winners.filter((row, index) => winners.indexOf(row) !== index)
}

function readArrival(arrival: Arrival, job: StageJob): Read {
  const outcome: ArrivalOutcome = {
    seq: arrival.seq, state: 'loaded', sha256: null, generation: 0, sameAs: null, bytes: 0, read: 0, skipped: 0, rejected: 0, fault: null,
  }
  const ended = (state: 'failed' | 'waiting', code: Code, message: string): Read => ({
    arrival, split: [], outcome: { ...outcome, state, fault: { code, message, path: arrival.pin.uri } },
  })
  const young = job.now - arrival.pin.modified < job.grace
  const file = openPinned(arrival.pin)
  if (file === null) return ended('failed', 'FILE_GONE', `${arrival.pin.uri} was removed or replaced before it was read.`)
  const bytes = Buffer.alloc(arrival.pin.size)
  for (let at = 0, n = 1; at < bytes.length && n > 0; at += n) n = file.read(bytes, at, bytes.length - at)
  const unchanged = file.unchanged()
  file.close()
  if (!unchanged) return ended('waiting', 'FILE_CHANGING', `${arrival.pin.uri} changed while it was read.`)
  outcome.bytes = bytes.length
  outcome.sha256 = createHash('sha256').update(bytes).digest('hex')
  if (bytes.toString().trim() === '') return young ? ended('waiting', 'FILE_UNFINISHED', 'No content yet.') : ended('failed', 'FILE_EMPTY', 'No content.')
  try {
    const split = splitText(bytes, arrival.pin.uri, job.definition)
    outcome.read = split.length
    return { arrival, outcome, split }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.code === 'FILE_TRUNCATED' && young) return ended('waiting', 'FILE_UNFINISHED', error.message)
    return ended('failed', error.code, error.message)
  }
}

/** Which of the arrivals that were read are known, and which generation the others bring. Changes the outcomes. */
function decideKnown(reads: readonly Read[], standing: ReadonlyMap<string, Standing>, job: StageJob): void {
  const earlier = new Map<string, { seq: number; covered: Standing['covered'] }>()
  for (const { arrival, outcome } of reads) {
    if (outcome.state !== 'loaded' || outcome.sha256 === null) continue
    const sha = outcome.sha256
    const there = standing.get(sha)
    const after = job.covered?.get(arrival.seq)
    if (arrival.content !== undefined && arrival.content.sha256 !== sha) {
      Object.assign(outcome, { state: 'waiting', fault: { code: 'FILE_CHANGING', message: `${arrival.pin.uri} holds other bytes.`, path: arrival.pin.uri } })
      continue
    }
    if (after !== undefined) {
      if (there?.seq !== arrival.seq || !sameCovered(there.covered, after)) throw new SluiceError('ARRIVAL_COMMITTED', `More of ${arrival.seq} is in by now.`)
      outcome.generation = there.generation
      const isKnown = isCovered(after.intervals, job.dates ?? null)
      if (isKnown) Object.assign(outcome, { state: 'known', sameAs: arrival.seq, covered: after })
      else if (after.read !== outcome.read) {
        Object.assign(outcome, { state: 'failed', fault: { code: 'READ_DIFFERS', message: 'Other records.', path: arrival.pin.uri } })
        continue
      } else Object.assign(outcome, { after, ...(job.dates === undefined ? {} : { dates: job.dates }) })
      earlier.set(sha, { seq: arrival.seq, covered: isKnown ? after : joinCovered(after, job.dates, outcome.read) })
      continue
    }
    const returned = job.definition.identity === 'revision' && arrival.replaced && arrival.former !== sha
    const again = (arrival.reload || returned) && !job.reloaded.has(sha) && !earlier.has(sha)
    if (earlier.has(sha) || (there !== undefined && !again)) {
      outcome.state = 'known'
      const covered = earlier.has(sha) ? earlier.get(sha)?.covered : there?.covered
      if (covered !== undefined) outcome.covered = covered
      outcome.sameAs = earlier.get(sha)?.seq ?? there?.seq ?? null
      outcome.generation = there?.generation ?? 0
      continue
    }
    if (job.dates !== undefined) outcome.dates = job.dates
    earlier.set(sha, { seq: arrival.seq, covered: joinCovered(undefined, job.dates, outcome.read) })
    outcome.generation = there === undefined ? 0 : there.generation + 1
    if (arrival.replaced && job.definition.mode === 'append') {
      outcome.state = 'failed'
      outcome.fault = { code: 'FILE_CHANGED', message: `${arrival.pin.uri} brought other content before.`, path: arrival.pin.uri }
    }
  }
}

function typeArrival(read: Read, schema: Schema, job: StageJob, records: Row[], rejects: Row[]): void {
  const { arrival, outcome } = read
  const bad: Row[] = []
  const aside = { outside: 0, undated: 0 }
  const before = job.covered?.get(arrival.seq)
  read.split.forEach((one, index) => {
    const taken = takenBy(one.json, job.dates, before)
    if (taken !== 'taken') return void aside[taken]++
    const place = placeOf(arrival.seq, index + 1)
    const typed = one.json === undefined ? { code: one.code ?? 'JSON_INVALID', column: null, value: null } : typeRecord(one.json, schema, job.definition.key)
    if (Array.isArray(typed)) records.push([...typed, place, BigInt(one.offset ?? 0)])
    else {
      const offset = one.offset === null ? null : BigInt(one.offset)
      const raw = one.raw ?? (one.json === undefined ? null : minify(one.json))
      bad.push([place, offset, typed.code, typed.column, typed.value, `${arrival.pin.uri} row ${index + 1}: ${typed.code}`, raw])
    }
  })
  if (outcome.state !== 'loaded') return
  const limit = job.onBad === 'fail' ? 0 : job.maxBad === null ? Infinity : 'count' in job.maxBad ? job.maxBad.count : (job.maxBad.percent / 100) * outcome.read
  if (bad.length > limit) {
    const fault: Fault = { code: 'TOO_MANY_BAD', message: `${bad.length} bad records in ${arrival.pin.uri}.`, path: arrival.pin.uri }
    Object.assign(outcome, { state: 'failed', fault })
  } else if (job.onBad === 'skip') outcome.skipped = bad.length
  else {
    outcome.rejected = bad.length
    rejects.push(...bad)
  }
  if (job.dates === undefined && before === undefined) return
  outcome.skipped += aside.outside + aside.undated
  outcome.aside = aside
}

/** Winners and losers among the records of the batch itself. */
function separate(definition: Definition, schema: Schema, rows: readonly Row[]): { winners: Row[]; losers: Row[] } {
  const keep = definition.keep
  if (keep === null) return { winners: [...rows], losers: [] }
  const at = (name: string): number => schema.findIndex((column) => fold(column.name) === fold(name))
  const keys = definition.key.map(at)
  const by = 'column' in keep ? at(keep.column) : -1
  const candidate = (row: Row): { place: bigint; value: Value } => ({ place: row.at(-2) as bigint, value: by < 0 ? null : rankOf(schema[by]?.type ?? 'string', row[by] ?? null) })
  const best = new Map<string, Row>()
  for (const row of rows) {
    const key = JSON.stringify(keys.map((index) => String(row[index])))
    const known = best.get(key)
    if (known === undefined || beats(keep, candidate(row), candidate(known))) best.set(key, row)
  }
  const winning = new Set(best.values())
  const winners = rows.filter((row) => winning.has(row))
  const how = tampering('stage')
  if (how === 'drop') winners.shift()
  if (how === 'double') winners.push(...winners.slice(0, 1))
  return { winners, losers: rows.filter((row) => !winning.has(row)) }
}

function keyRange(definition: Definition, schema: Schema, rows: readonly Row[]): Staged['keyRange'] {
  if (rows.length === 0) return null
  return definition.key.map((name) => {
    const index = schema.findIndex((column) => fold(column.name) === fold(name))
    const values = rows.map((row) => row[index] ?? null)
    const sorted = values.toSorted((a, b) => compareValues(rankOf(schema[index]?.type ?? 'string', a), rankOf(schema[index]?.type ?? 'string', b)))
    return { name, min: String(sorted[0]), max: String(sorted.at(-1)) }
  })
}
