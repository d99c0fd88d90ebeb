/** One attempt at a batch: stage, wait for the turn, commit, settle. */
import type { ArrivalOutcome } from '../core/arrival.ts'
import type { Batch, Staged, Standing } from '../core/engine.ts'
import { SluiceError, cleanFault } from '../core/errors.ts'
import type { Covered } from '../core/interval.ts'
import type { Receipt, Table } from '../core/target.ts'
import { pathsOf, report, sayReturns } from './report.ts'
import { isSuspect } from './retry.ts'
import { isWhole } from './work.ts'
import type { Course, Ingest, Tally } from './work.ts'

/** Waits until no batch of this process has a lower number. @throws SluiceError INTERRUPTED after a failure of one */
export type Before = () => Promise<void>

export async function attemptBatch(work: Ingest, batch: Batch, attempt: number, folder: string, before: Before, tally: Tally, { reloaded, suspected }: Course): Promise<void> {
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

/** @throws SluiceError REPLACE_INCOMPLETE: a file that cannot be loaded would take its records out of the table */
function refuseIncomplete(work: Ingest, { batch, outcomes }: Staged): void {
  const missing = outcomes.filter(({ state }) => state === 'failed' || state === 'waiting')
  const [first] = missing
  if (first === undefined || work.allowPartial) return
  const path = batch.arrivals.find(({ seq }) => seq === first.seq)?.pin.uri ?? ''
  throw new SluiceError('REPLACE_INCOMPLETE', `${missing.length} of ${outcomes.length} files cannot be loaded, so nothing was replaced. The first is ${path}: ${first.fault?.code ?? ''}: ${first.fault?.message ?? ''}`, { where: { path } })
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

export async function settle(work: Ingest, batch: Batch, outcomes: readonly ArrivalOutcome[], receipt: Receipt | null): Promise<void> {
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
