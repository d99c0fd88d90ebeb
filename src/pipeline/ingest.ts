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
import type { ArrivalOutcome } from '../core/arrival.ts'
import { DEADLY, poisoned } from '../core/death.ts'
import type { LastSeen } from '../core/death.ts'
import type { Batch } from '../core/engine.ts'
import { SluiceError, asSluiceError } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import type { CommittedArrival } from '../core/target.ts'
import { attemptBatch, settle } from './attempt.ts'
import type { Before } from './attempt.ts'
import { recover } from './recover.ts'
import { note } from './report.ts'
import { MAX_CONDEMNED, groupsOf, isCondemned, judge, lastSeen } from './retry.ts'
import { isWhole } from './work.ts'
import type { Course, Ingest, Tally } from './work.ts'

/** A batch holds arrivals up to this many bytes and files; a larger arrival stands alone. Each batch asks the table for its keys. */
export const BATCH_LIMIT = { bytes: 1_000_000_000, files: 10_000 }

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

/** A part of the arrivals in the table's place would take the others out of it. @throws SluiceError BUSY */
async function refusePart({ ledger, whole }: Ingest, batch: Batch | null, first: boolean): Promise<void> {
  const count = batch?.arrivals.length ?? (first ? 0 : whole)
  if (count === whole) return
  if (batch !== null) await ledger.release(batch, null)
  throw new SluiceError('BUSY', `Another process is at ${(whole ?? 0) - (count ?? 0)} of the ${whole} files; a replace wants all of them in its one commit.`)
}

function lowestOf(batch: Batch): number {
  return batch.arrivals[0]?.seq ?? 0
}

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
  const parts = await work.ledger.split(batch, groups, seq === undefined ? null : { seq, how: last.how, offset: last.begun === seq ? last.offset : null, ...(last.memory ? { memory: true } : {}) })
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
    const error = new SluiceError(fault.code === 'MEMORY_EXHAUSTED' ? fault.code : 'ENGINE_DIED', `The worker processes of ${course.condemned} files in a row died after they had read their file: this is not the files' fault. ${why}`)
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

function condemned(seq: number, fault: Fault): ArrivalOutcome {
  return { seq, state: 'failed', sha256: null, generation: 0, sameAs: null, bytes: 0, read: 0, skipped: 0, rejected: 0, fault }
}
