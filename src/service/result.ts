/** How a run ends: its state, its exit code, and the document that says what it did. */
import type { Balance } from '../core/balance.ts'
import { missing, noBalance } from '../core/balance.ts'
import { SluiceError, asSluiceError } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import type { Aside, ByDate } from '../core/interval.ts'
import type { FileCounts, Phases, RunState } from '../core/ledger.ts'
import type { ModelOutcome } from '../core/model.ts'
import { describeSchema } from '../core/schema.ts'
import type { Table } from '../core/target.ts'
import type { Tally } from '../pipeline/work.ts'
import type { DataFolder } from './folder.ts'
import type { LoadOptions } from './options.ts'

/** What a run did: the `--json` document of `sluice load`. */
export interface LoadResult {
  schema: 'sluice.load/1'
  run: string
  state: RunState
  /** Exit code that the command ends with. */
  exit: number
  table: string
  /** URI of the table. */
  target: string
  /** Delta: the version; databases: the number of commits; null: there is no table yet. */
  version: number | null
  balance: Balance & { evicted: number; balances: boolean }
  files: FileCounts
  /** The dates that were asked for; null: all. */
  dates: ByDate | null
  /** Of the skipped records, those that were left out for their date, and those without one. */
  aside: Aside
  /** Quarantined and skipped records, by code. */
  reasons: Record<string, number>
  /** What became of each model of the table. */
  models: ModelOutcome[]
  /** The first 100 faults of files, records and models. */
  errors: Fault[]
  ms: number
}

/** What ran, with what. */
interface Ended {
  options: LoadOptions
  folder: DataFolder
  table: Table
}

export interface Ending {
  run: string
  tally: Tally
  failure: SluiceError | null
  models: ModelOutcome[]
  dates: ByDate | null
  ignored: number
  phases: Phases
  ms: number
}

export async function finish(work: Ended, ending: Ending): Promise<LoadResult> {
  const { options, folder, table } = work
  const files: FileCounts = { ...(await folder.ledger.countFiles(ending.run)), ignored: ending.ignored }
  const current = await folder.ledger.run(ending.run)
  const partial = files.failed > 0 || files.waiting > 0 || (current?.balance.quarantined ?? 0) > 0 || (current?.evicted ?? 0) > 0 || ending.models.some((model) => model.state === 'failed')
  const broken = current !== null && missing(current.balance) !== 0
  let failure = ending.failure
  if (broken) failure ??= new SluiceError('BALANCE_BROKEN', 'The balance of the run does not add up.')
  const ended = (): { state: RunState; exit: number; fault: Fault | null } => {
    if (failure !== null) return { state: 'FAILED', exit: failure.exit, fault: { ...failure.where, code: failure.code, message: failure.message, hint: failure.hint } }
    if (ending.tally.interrupted) return { state: 'INTERRUPTED', exit: interruptExit(options), fault: null }
    return { state: 'COMPLETED', exit: partial && options.allowPartial !== true ? 3 : 0, fault: null }
  }
  const asked = ended()
  const row = await folder.ledger.end(ending.run, asked.state, files, asked.exit, asked.fault, ending.phases).catch((thrown: unknown) => {
    // On a full disk the ledger cannot note the end either; the next run closes this one. What stopped the work is said.
    failure ??= asSluiceError(thrown)
    return current
  })
  const { state, exit, fault } = ended()
  const unmade = ending.models.filter((model) => model.state === 'failed').map((model): Fault => ({ code: 'MODEL_FAILED', message: `The model ${model.name} could not be computed: ${model.message ?? ''}` }))
  const errors = [...(fault === null ? [] : [fault]), ...unmade, ...ending.tally.faults]
  const head = await table.head()
  if (ending.tally.madeTable && head.exists) options.onEvent?.({ kind: 'notice', text: `The table ${options.into} was made${head.schema.length === 0 ? ', without columns so far: no record got in' : `: ${describeSchema(head.schema)}`}.` })
  return {
    schema: 'sluice.load/1', run: ending.run, state, exit, table: options.into, target: table.uri,
    version: head.exists ? head.version : null,
    balance: { ...(row?.balance ?? noBalance()), evicted: row?.evicted ?? 0, balances: !broken && failure?.code !== 'BALANCE_BROKEN' },
    files, dates: ending.dates, aside: ending.tally.aside, reasons: row?.reasons ?? {}, models: ending.models, errors: errors.slice(0, 100), ms: Math.round(ending.ms),
  }
}

export function nothingAside(): Aside {
  return { outside: 0, undated: 0 }
}

/** 130 for Ctrl-C, 143 when the signal's reason names SIGTERM. */
function interruptExit(options: LoadOptions): number {
  const reasons = [options.signal?.reason, options.now?.reason]
  return reasons.includes('SIGTERM') ? 143 : 130
}
