/**
 * The ingestion loop of one process: claim → stage → wait for the turn → commit → settle.
 *
 *   claim ──▶ stage ──▶ turn ──▶ apply ──▶ settle
 *     ▲         ▲                  │ conflict: the table moved on
 *     │         └──────────────────┤
 *     └── split into smaller batches┘ a worker process died: docs/decisions/poison.md
 * Several batches are staged at once; they commit in the order of their numbers, here and across processes. A graceful
 * stop claims nothing more and finishes what is claimed.
 */
import { isCode } from '../core/codes.ts'
import type { ArrivalOutcome } from '../core/arrival.ts'
import { DEADLY, poisoned } from '../core/death.ts'
import type { LastSeen } from '../core/death.ts'
import type { Definition } from '../core/definition.ts'
import type { Clock, Fs } from '../core/effects.ts'
import type { Batch, Engine, StageJob, Staged, Standing } from '../core/engine.ts'
import { SluiceError, asSluiceError, cleanFault } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import type { LoadEvent } from '../core/events.ts'
import type { Model } from '../core/model.ts'
import type { Aside, ByDate, Covered } from '../core/interval.ts'
import type { Ledger } from '../core/ledger.ts'
import { rowOf, seqOf } from '../core/place.ts'
import type { CommittedArrival, Receipt, Table } from '../core/target.ts'
import { recover } from './recover.ts'
import { MAX_CONDEMNED, groupsOf, isCondemned, isSuspect, judge, lastSeen } from './retry.ts'

/** A batch holds arrivals up to this many bytes and files; a larger arrival stands alone. Each batch asks the table for its keys. */
export const BATCH_LIMIT = { bytes: 1_000_000_000, files: 10_000 }
/** Faults that a summary shows. */
export const SHOWN_FAULTS = 100

export interface Ingest {
  run: string
  ledger: Ledger
  /** Name of the table in the ledger. */
  key: string
  table: Table
  engine: Engine
  fs: Fs
  clock: Clock
  definition: Definition
  /** Folder of this process for parts; removed batch by batch. */
  spool: string
  /** Batches in work at once. */
  width: number
  reading: StageJob['reading']
  onBad: StageJob['onBad']
  maxBad: StageJob['maxBad']
  grace: number
  /** Only records of these dates; null: all of them. */
  dates: ByDate | null
  /** Table of what this run brings; null: none is asked for. */
  delta: string | null
  /** Under replace: so many arrivals are to take the place of the table, all of them in one commit; else null. */
  whole: number | null
  /** Models of the table, for targets that refresh them with the rows. */
  models: readonly Model[]
  /** Replace also without the files that cannot be loaded. */
  allowPartial: boolean
  on: (event: LoadEvent) => void
  /** Aborted: claim nothing more, finish what is claimed. */
  stop: AbortSignal
  /** Aborted: end at once. */
  now: AbortSignal
}

/** What the loop tells the summary beside what the ledger counts. */
export interface Tally {
  faults: Fault[]
  /** Stopped before everything of the run was claimed. */
  interrupted: boolean
  /** The table was not there before a commit of this run. */
  madeTable: boolean
  /** Records of files that were loaded by date, left out for theirs. */
  aside: Aside
}

/** What batches of one run tell each other. */
interface Course {
  /** SHA-256 of contents that this run reloaded. */
  reloaded: Set<string>
  /** Batches of several files, one of which makes its process fall silent after reading. */
  suspected: Set<string>
  /** Files in a row that were condemned for deaths after they were read. */
  condemned: number
}

/**
 * Works until nothing of the run is left to claim, here or in other processes.
 * @throws SluiceError what stopped the run: its batches are given back, nothing of them is lost
 */
export async function ingest(work: Ingest): Promise<Tally> {
  const tally: Tally = { faults: [], interrupted: false, madeTable: false, aside: { outside: 0, undated: 0 } }
  const course: Course = { reloaded: new Set(), suspected: new Set(), condemned: 0 }
  const inWork = new Map<Promise<void>, number>()
  let failure: SluiceError | null = null
  let claimed = 0
  const start = (batch: Batch): void => {
    const own = lowestOf(batch)
    // By number, not by claim: an arrival that had to wait comes back under its old number, below what is in work already.
    const before = async (): Promise<void> => {
      for (;;) {
        const lower = [...inWork].find(([, lowest]) => lowest < own)
        if (lower === undefined) break
        await lower[0]
      }
      // After a failure nothing more commits in this process: what is staged is given back.
      if (failure !== null) throw new SluiceError('INTERRUPTED', 'Stopped because an earlier batch could not be committed.')
    }
    const run = async (): Promise<void> => {
      try {
        if (failure !== null) return void (await work.ledger.release(batch, null))
        // Started at once, whatever the width: who waits for its turn waits for every batch that is pinned.
        for (const part of await processBatch(work, batch, before, tally, course)) start(part)
      } catch (thrown) {
        failure ??= asSluiceError(thrown)
      } finally {
        inWork.delete(done)
      }
    }
    const done = run()
    inWork.set(done, own)
  }
  for (;;) {
    while (failure === null && !work.stop.aborted && inWork.size < work.width) {
      const batch = await work.ledger.claim(work.run, work.key, { ...BATCH_LIMIT, whole: isWhole(work) })
      if (isWhole(work)) await refusePart(work, batch, claimed++ === 0)
      if (batch === null) break
      start(batch)
    }
    if (inWork.size > 0) await Promise.race(inWork.keys())
    else if (failure !== null || work.stop.aborted || (await work.ledger.elsewhere(work.run)) === 0) break
    else {
      // The rest is in the hands of other processes: they finish it, or they die and it comes back.
      await work.clock.sleep(50, work.now).catch(() => {})
      await recover(work.ledger, work.key, work.table, isWhole(work) ? null : work.run, work.on)
    }
  }
  if (failure !== null) throw failure as SluiceError
  if (work.stop.aborted) tally.interrupted = await leftOver(work)
  return tally
}

/** Is anything of the run still unclaimed? Asked by claiming it and giving it back. */
async function leftOver(work: Ingest): Promise<boolean> {
  const batch = await work.ledger.claim(work.run, work.key, { bytes: 0, files: 1 })
  if (batch !== null) await work.ledger.release(batch, null)
  return batch !== null || (await work.ledger.elsewhere(work.run)) > 0
}

/** Under replace the run is one batch and one commit. */
function isWhole({ whole }: Ingest): boolean {
  return whole !== null
}

/** A part of the arrivals in the table's place would take the others out of it. @throws SluiceError BUSY */
async function refusePart({ ledger, whole }: Ingest, batch: Batch | null, first: boolean): Promise<void> {
  const count = batch?.arrivals.length ?? (first ? 0 : whole)
  if (count === whole) return
  if (batch !== null) await ledger.release(batch, null)
  throw new SluiceError('BUSY', `Another process is at ${(whole ?? 0) - (count ?? 0)} of the ${whole} files; a replace wants all of them in its one commit.`)
}

/** @throws SluiceError REPLACE_INCOMPLETE: a file that cannot be loaded would take its records out of the table */
function refuseIncomplete(work: Ingest, { batch, outcomes }: Staged): void {
  const missing = outcomes.filter(({ state }) => state === 'failed' || state === 'waiting')
  const [first] = missing
  if (first === undefined || work.allowPartial) return
  const path = batch.arrivals.find(({ seq }) => seq === first.seq)?.pin.uri ?? ''
  throw new SluiceError('REPLACE_INCOMPLETE', `${missing.length} of ${outcomes.length} files cannot be loaded, so nothing was replaced. The first is ${path}: ${first.fault?.code ?? ''}: ${first.fault?.message ?? ''}`, { where: { path } })
}

function lowestOf(batch: Batch): number {
  return batch.arrivals[0]?.seq ?? 0
}

/** Waits until no batch of this process has a lower number. @throws SluiceError INTERRUPTED after a failure of one */
type Before = () => Promise<void>

/** @returns the batches into which this one was split, because a worker process died over it; they are pinned already */
async function processBatch(work: Ingest, batch: Batch, before: Before, tally: Tally, course: Course): Promise<Batch[]> {
  let unexplained = 0
  for (let attempt = 1; ; attempt++) {
    const folder = `${work.spool}/${batch.id}-${batch.fence}-${attempt}`
    try {
      await attemptBatch(work, batch, attempt, folder, before, tally, course)
      course.condemned = 0
      return []
    } catch (thrown) {
      const error = asSluiceError(thrown)
      const last = lastSeen(error)
      if (error.code === 'ENGINE_DIED' && last?.guilty !== true) unexplained++
      // Staged while there was no table: now there may be one, and the rule for first files does not hold for these.
      const early = error.code === 'KEY_UNKNOWN' && attempt === 1 && (await madeMeanwhile(work, before))
      const first = last !== null && batch.arrivals.length > 1 && !(await work.table.head()).exists
      const judged = early ? 'again' : work.now.aborted ? 'stop' : judge(error, unexplained, attempt, first)
      // What is replaced as a whole cannot be cut to find the guilty file.
      const verdict = judged !== 'split' || !isWhole(work) ? judged : attempt < DEADLY ? 'again' : 'stop'
      const fault = { ...error.where, code: error.code, message: error.message }
      if (verdict === 'drop') {
        // Nobody took it over although the table says so: the ledger is wrong about its lanes, and silence would lose files.
        if (await work.ledger.release(batch, fault)) throw error
        return []
      }
      if (verdict === 'split' && last !== null) return await isolate(work, batch, error.message, last, tally, course)
      if (verdict === 'stop') {
        await work.ledger.release(batch, work.now.aborted ? null : fault).catch(() => false)
        throw error
      }
      work.on({ kind: 'phase', batch: batch.id, phase: 'recovered', ms: 0, detail: `attempt ${attempt} is made again: ${error.message}` })
    } finally {
      await work.fs.remove('spool.remove', folder).catch(() => {})
    }
  }
}

/** After the death of a process: pins the arrivals anew in smaller batches; an arrival that had enough of them alone is FAILED. */
async function isolate(work: Ingest, batch: Batch, why: string, last: LastSeen, tally: Tally, course: Course): Promise<Batch[]> {
  // What is committed stays: the process died after that.
  const receipt = await work.table.committed(batch.id)
  if (receipt !== null) {
    await settle(work, batch, receipt.arrivals.map(asLoaded), receipt)
    return []
  }
  const groups = groupsOf(batch, last)
  const seq = groups.length === 1 || last.begun !== null ? groups[0]?.[0] : undefined
  const parts = await work.ledger.split(batch, groups, seq === undefined ? null : { seq, how: last.how, offset: last.begun === seq ? last.offset : null })
  // Another process has taken the claim over: it is at work on it.
  if (parts === null) return []
  if (last.silent && last.begun === null) for (const { id, arrivals } of parts) if (arrivals.length > 1) course.suspected.add(id)
  const [part] = parts
  if (part === undefined || !isCondemned(part)) {
    const how = parts.map(({ arrivals }) => (arrivals.length === 1 ? `${arrivals[0]?.pin.uri} alone` : `${arrivals.length} files`)).join(', ')
    work.on({ kind: 'phase', batch: batch.id, phase: 'recovered', ms: 0, detail: `${why} Next: ${how}.` })
    return parts
  }
  const deaths = part.arrivals[0]?.deaths ?? []
  const fault = poisoned(part.arrivals[0]?.pin.uri ?? '', deaths)
  course.condemned = deaths.at(-1)?.offset === null ? course.condemned + 1 : 0
  if (course.condemned > MAX_CONDEMNED) {
    const error = new SluiceError('ENGINE_DIED', `The worker processes of ${course.condemned} files in a row died after they had read their file: this is not the files' fault. ${why}`)
    await work.ledger.release(part, { code: error.code, message: error.message })
    throw error
  }
  await settle(work, part, part.arrivals.map((arrival) => condemned(arrival.seq, fault)), null)
  note(tally, fault)
  return []
}

/** What a commit says of its arrivals, for a batch whose staged outcomes are lost. */
function asLoaded({ seq, sha256, generation, size, counts, dates }: CommittedArrival): ArrivalOutcome {
  return { seq, state: 'loaded', sha256, generation, sameAs: null, bytes: size, read: counts.read, skipped: counts.skipped, rejected: counts.quarantined, fault: null, ...(dates === undefined ? {} : { dates }) }
}

async function madeMeanwhile(work: Ingest, before: Before): Promise<boolean> {
  await before().catch(() => {})
  return (await work.table.head()).exists
}

async function attemptBatch(work: Ingest, batch: Batch, attempt: number, folder: string, before: Before, tally: Tally, { reloaded, suspected }: Course): Promise<void> {
  if (isSuspect(batch)) {
    // Its process may die: nothing that is being committed shall share it.
    await before()
    await turn(work, batch)
  }
  const began = work.clock.monotonic()
  const paths = pathsOf(batch)
  await work.fs.makeFolder('spool.make', folder)
  const head = await work.table.head()
  const covered = await coveredBefore(work.table, batch)
  const clean = (outcome: ArrivalOutcome): ArrivalOutcome => (outcome.fault === null ? outcome : { ...outcome, fault: cleanFault(outcome.fault) })
  const answer = await work.engine.stage(
    {
      batch, attempt, folder, definition: work.definition,
      pinned: head.exists ? head.schema : null,
      reading: work.reading, onBad: work.onBad, maxBad: work.maxBad, now: work.clock.now(), grace: work.grace, reloaded, suspected: suspected.has(batch.id),
      ...(work.dates === null ? {} : { dates: work.dates }), ...(covered.size === 0 ? {} : { covered }),
      standing: (shas) => work.table.standing(shas),
    },
    (event) => {
      if (event.kind === 'arrival.end') work.on({ kind: 'arrival.ended', batch: batch.id, path: paths.get(event.outcome.seq) ?? '', outcome: clean(event.outcome), ms: work.clock.monotonic() - began })
      if (event.kind === 'progress') work.on({ ...event, batch: batch.id })
    },
    work.now,
  )
  const staged = { ...answer, outcomes: answer.outcomes.map(clean), faults: answer.faults.map(cleanFault) }
  work.on({ kind: 'phase', batch: batch.id, phase: 'staged', ms: work.clock.monotonic() - began, detail: `${staged.winners} winners of ${batch.arrivals.length} files` })
  if (isWhole(work)) refuseIncomplete(work, staged)
  await before()
  await turn(work, batch)
  await before()
  const loaded = staged.outcomes.filter((outcome) => outcome.state === 'loaded')
  const { exists } = head.exists ? head : await work.table.head()
  // Arrivals without any record are COMPLETED in the ledger; where there is no table yet they make none.
  const receipt = loaded.length > 0 && (exists || loaded.some((outcome) => outcome.read > 0)) ? await commit(work, staged) : null
  if (receipt !== null && !exists) tally.madeTable = true
  await settle(work, batch, staged.outcomes, withReasons(receipt, staged))
  for (const outcome of loaded) if (outcome.generation > 0 && outcome.sha256 !== null) reloaded.add(outcome.sha256)
  report(work, staged, receipt, tally)
  await sayReturns(work, staged)
}

/** What the table has of arrivals of which some dates are in: it is asked anew for every attempt. */
async function coveredBefore(table: Table, { arrivals }: Batch): Promise<Map<number, Covered>> {
  const partly = arrivals.flatMap(({ seq, content }) => (content === undefined ? [] : [{ seq, ...content }]))
  const standing = partly.length === 0 ? new Map<string, Standing>() : await table.standing(partly.map(({ sha256 }) => sha256))
  return new Map(partly.flatMap(({ seq, sha256, generation }) => {
    const stands = standing.get(sha256)
    return stands?.covered === undefined || stands.seq !== seq || stands.generation !== generation ? [] : [[seq, stands.covered] as const]
  }))
}

async function commit(work: Ingest, staged: Staged): Promise<Receipt> {
  const began = work.clock.monotonic()
  const models = work.models.length === 0 ? {} : { models: { models: work.models, now: work.clock.now(), clock: () => work.clock.monotonic() } }
  const delta = work.delta === null ? {} : { delta: { table: work.delta, run: work.run } }
  const receipt = await work.table.apply(staged, work.definition, { signal: work.now, ...models, ...delta })
  work.on({ kind: 'phase', batch: staged.batch.id, phase: 'committed', ms: work.clock.monotonic() - began, detail: `version ${receipt.version}` })
  for (const outcome of receipt.models ?? []) if (outcome.how !== 'none') work.on({ kind: 'model', outcome })
  return receipt
}

async function settle(work: Ingest, batch: Batch, outcomes: readonly ArrivalOutcome[], receipt: Receipt | null): Promise<void> {
  const began = work.clock.monotonic()
  await work.ledger.settle(batch, outcomes, receipt)
  work.on({ kind: 'phase', batch: batch.id, phase: 'settled', ms: work.clock.monotonic() - began, detail: `${outcomes.length} files` })
}

/** Waits until no living process holds a lower-numbered batch of this table. */
async function turn(work: Ingest, batch: Batch): Promise<void> {
  for (let pause = 5; ; pause = Math.min(pause * 2, 200)) {
    work.now.throwIfAborted()
    const answer = await work.ledger.turn(batch)
    // A claim that is no longer ours is stopped by the table's own records, with the code that says so.
    if (answer !== 'wait') return
    await work.clock.sleep(pause, work.now)
  }
}

function withReasons(receipt: Receipt | null, staged: Staged): Receipt | null {
  if (receipt === null) return null
  const reasons: Record<string, number> = { ...staged.reasons }
  for (const [code, count] of Object.entries(receipt.reasons)) reasons[code] = (reasons[code] ?? 0) + count
  return { ...receipt, reasons }
}

function report(work: Ingest, staged: Staged, receipt: Receipt | null, tally: Tally): void {
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
  for (const { member, records } of staged.leftOut) work.on({ kind: 'notice', text: `The member ${member} of ${records} records is not among the declared columns and was left out.` })
  if ((receipt?.rewritten ?? 0) > 0) {
    const bytes = staged.batch.arrivals.reduce((sum, arrival) => sum + arrival.pin.size, 0)
    if ((receipt?.rewritten ?? 0) > 10 * bytes) work.on({ kind: 'notice', text: `${receipt?.rewritten} bytes of the table were written again for a batch of ${bytes} bytes.` })
  }
}

/** A path that brings bytes again which it brought before something else: they are known, and that may surprise. */
async function sayReturns(work: Ingest, staged: Staged): Promise<void> {
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

function note(tally: Tally, fault: Fault): void {
  if (tally.faults.length < SHOWN_FAULTS) tally.faults.push(fault)
}

function condemned(seq: number, fault: Fault): ArrivalOutcome {
  return { seq, state: 'failed', sha256: null, generation: 0, sameAs: null, bytes: 0, read: 0, skipped: 0, rejected: 0, fault }
}

function pathsOf(batch: Batch): Map<number, string> {
  return new Map(batch.arrivals.map((arrival) => [arrival.seq, arrival.pin.uri]))
}
