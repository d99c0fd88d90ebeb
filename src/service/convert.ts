/** `convert()`: files into files of another format, one to one. The same for programs and for the command. */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { OUTPUT_FORMATS } from '../core/convert.ts'
import type { OutputFormat } from '../core/convert.ts'
import type { ConvertEvent, ConvertItem } from '../core/converting.ts'
import type { ConvertSettings } from '../config/convert.ts'
import { define } from '../core/definition.ts'
import { SluiceError, asSluiceError } from '../core/errors.ts'
import type { Fault } from '../core/errors.ts'
import { YOUNG_MS } from '../core/ledger.ts'
import type { RunState } from '../core/ledger.ts'
import { hashPinned } from '../connectors/files/source.ts'
import { openOrigins } from '../ledger/origins.ts'
import { convertAll } from '../pipeline/convert.ts'
import type { ConvertTally } from '../pipeline/convert.ts'
import { findGone, look } from '../pipeline/known.ts'
import type { Looked, Looking } from '../pipeline/known.ts'
import { pathIn, recoverMoves } from '../pipeline/place.ts'
import type { Identify } from '../pipeline/place.ts'
import { leftOutNotes } from '../pipeline/report.ts'
import { ENGINES } from '../registry.ts'
import { localFs } from '../storage/local.ts'
import { lookAt } from '../storage/pin.ts'
import { systemClock } from '../storage/system.ts'
import { dataFolder, settingsOf } from './options.ts'
import type { LoadOptions } from './options.ts'
import { checkOutputFolder, findInputs } from './outputs.ts'
import type { Inputs } from './outputs.ts'

/** Options of `convert()`: its settings, and what only a program can give. */
export interface ConvertOptions extends ConvertSettings, Pick<LoadOptions, 'signal' | 'now' | 'dataDir'> {
  onEvent?: (event: ConvertEvent) => void
}

/** What a conversion did: the `--json` document of `sluice convert`. */
export interface ConvertResult {
  schema: 'sluice.convert/1'
  state: RunState
  /** Exit code that the command ends with. */
  exit: number
  to: OutputFormat
  /** Absolute path of the folder of the outputs. */
  output: string
  /** Over all files that were converted by this run; an input that is known is not read. */
  balance: { read: number; written: number; skipped: number; quarantined: number; balances: boolean }
  /** total = converted + known + waiting + failed; gone and removed are outputs without an input. */
  files: { total: number; converted: number; known: number; waiting: number; failed: number; ignored: number; gone: number; removed: number }
  reasons: Record<string, number>
  /** The first 100 faults of files and records. */
  errors: Fault[]
  /** Every file but the known ones. */
  items: ConvertItem[]
  ms: number
}

/** In the output folder; names that begin with a dot are nobody's data. */
const OWN = '.sluice-convert'
/** Grows when the same bytes and flags give other outputs than before. */
const WRITERS = 1

/**
 * Converts files. Resolves for every run that began, also a FAILED or INTERRUPTED one: see `state`, `exit`.
 * @throws SluiceError when the run could not begin: wrong options, missing path, two inputs for one output, no permission
 */
export async function convert(options: ConvertOptions): Promise<ConvertResult> {
  const { to } = options
  if (options.paths.length === 0) throw new SluiceError('USAGE', 'convert needs at least one path: a file, a folder or a pattern.')
  if (!OUTPUT_FORMATS.includes(to)) throw new SluiceError('USAGE', `--to ${String(to)}: expected one of ${OUTPUT_FORMATS.join(', ')}.`)
  if (options.escapeFormulas === true && to !== 'csv') throw new SluiceError('USAGE', '--escape-formulas goes with --to csv only.')
  const settings = settingsOf({ ...loadable(options), into: 'converted' })
  const definition = define('converted', options)
  const folder = resolve(options.output)
  checkOutputFolder(folder)
  const stop = AbortSignal.any([options.signal ?? never, options.now ?? never])
  const began = systemClock.monotonic()
  const lookedAt = systemClock.now()
  const inputs = await findInputs(options.paths, to, folder, dataFolder(options.dataDir), stop)

  const own = `${folder}/${OWN}`
  await localFs.makeFolder('convert.own', own)
  const origins = openOrigins(own)
  try {
    const work = `${own}/work`
    const place = { fs: localFs, origins, folder }
    const on = options.onEvent ?? ((): void => {})
    const say = (text: string): void => on({ kind: 'notice', text })
    if ((await recoverMoves(place)) > 0) say('A conversion into this folder had been cut short; what it had finished was put in place.')
    await localFs.remove('convert.sweep', work)
    await refuseMeeting(inputs, origins.all(), folder)
    const digest = { to, columns: definition.columns, records: definition.records, reading: settings.reading, onBad: settings.onBad, maxBad: settings.maxBad, escape: options.escapeFormulas === true, writers: WRITERS }
    const looking: Looking = {
      ...place, identify, on: say, overwrite: options.overwrite === true,
      options: createHash('sha256').update(JSON.stringify(digest)).digest('hex').slice(0, 16),
      young: (pin) => pin.modified >= lookedAt - YOUNG_MS,
    }
    const looked = await look(looking, inputs.wanted, origins.all())
    on({ kind: 'discovered', files: looked.todo.length, bytes: looked.todo.reduce((sum, { pin }) => sum + pin.size, 0), known: looked.known.length, ignored: inputs.ignored })
    let failure: SluiceError | null = null
    let tally: ConvertTally = { items: [], reasons: {}, faults: [], leftOut: {}, interrupted: true }
    let gone: Awaited<ReturnType<typeof findGone>> = []
    try {
      tally = looked.todo.length === 0 ? { ...tally, interrupted: false } : await run(options, settings, looking, looked, { work, definition, stop, on, lookedAt }, tally)
      if (!tally.interrupted) gone = await findGone(looking, inputs.wanted, inputs.within, options.mirror === true)
    } catch (thrown) {
      failure = options.now?.aborted === true ? null : asSluiceError(thrown)
    }
    for (const text of leftOutNotes(Object.entries(tally.leftOut).map(([member, records]) => ({ member, records })))) say(text)
    await localFs.remove('convert.sweep', work).catch(() => {})
    return resultOf(options, { inputs, looked, tally, gone, failure, folder, ms: systemClock.monotonic() - began, on })
  } finally {
    origins.close()
  }
}

/** What a conversion has in common with a load: how files are read. */
function loadable({ to: _to, output: _output, onEvent: _on, ...rest }: ConvertOptions): Omit<LoadOptions, 'into'> {
  return rest
}

const never = new AbortController().signal

export const identify: Identify = async (path) => {
  const pin = lookAt(path)
  const sha256 = pin === null ? null : await hashPinned(pin)
  return pin === null || sha256 === null ? null : { sha256, stamp: pin.stamp }
}

interface Run {
  work: string
  definition: ReturnType<typeof define>
  stop: AbortSignal
  on: (event: ConvertEvent) => void
  lookedAt: number
}

/** The tally is filled as it goes, so that it tells of what was done before a failure. */
async function run(options: ConvertOptions, settings: ReturnType<typeof settingsOf>, looking: Looking, looked: Looked, around: Run, tally: ConvertTally): Promise<ConvertTally> {
  await localFs.makeFolder('convert.folder', `${around.work}/spool`)
  const openEngine = ENGINES['duckdb']
  if (openEngine === undefined) throw new SluiceError('INTERNAL', 'There is no engine.')
  const engine = await openEngine({ memory: settings.memory, spool: () => `${around.work}/spool`, ...(options.jobs === undefined ? {} : { jobs: options.jobs }) })
  if (engine.notice !== null) around.on({ kind: 'notice', text: engine.notice })
  try {
    return await convertAll(
      {
        ...looking, converter: engine, clock: systemClock, work: around.work, width: engine.jobs, to: options.to, definition: around.definition,
        reading: settings.reading, onBad: settings.onBad, maxBad: settings.maxBad, grace: settings.grace, now: around.lookedAt, escapeFormulas: options.escapeFormulas === true,
        on: around.on, stop: around.stop, halt: options.now ?? never,
      },
      looked.todo,
      tally,
    )
  } finally {
    await engine.close()
  }
}

/** An output of an earlier run whose input is still there must not change hands. */
async function refuseMeeting(inputs: Inputs, origins: ReadonlyMap<string, { source: string }>, folder: string): Promise<void> {
  for (const { pin, output } of inputs.wanted) {
    const source = origins.get(output)?.source
    if (source === undefined || source === pin.uri || (await localFs.stat(source)) === null) continue
    throw new SluiceError('USAGE', `${pathIn({ folder }, output)} was made from ${source}, and ${pin.uri} would become it, too; nothing was written.`, { hint: 'Convert them into two folders, or rename one.' })
  }
}

interface Ending {
  inputs: Inputs
  looked: Looked
  tally: ConvertTally
  gone: Awaited<ReturnType<typeof findGone>>
  failure: SluiceError | null
  folder: string
  ms: number
  on: (event: ConvertEvent) => void
}

function resultOf(options: ConvertOptions, { inputs, looked, tally, gone, failure, folder, ms, on }: Ending): ConvertResult {
  const bare = { sha256: null, bytes: 0, read: 0, written: 0, skipped: 0, quarantined: 0, rejects: null, fault: null }
  const refused = looked.failed.map(({ wanted, fault }): ConvertItem => ({ ...bare, path: wanted.pin.uri, output: null, state: 'failed', fault }))
  const left = gone.map(({ origin, removed }): ConvertItem => ({ ...bare, path: origin.source, output: origin.made === null ? null : `${folder}/${origin.made.path}`, state: removed ? 'removed' : 'gone', sha256: origin.sha256 }))
  for (const item of [...refused, ...left]) on({ kind: 'file.ended', item })
  const items = [...refused, ...tally.items, ...left].toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  const count = (...states: string[]): number => items.filter(({ state }) => states.includes(state)).length
  const sum = (of: (item: ConvertItem) => number): number => tally.items.reduce((total, item) => total + of(item), 0)
  const files = {
    total: inputs.wanted.length, converted: count('converted', 'replaced', 'repaired'), known: looked.known.length, waiting: count('waiting'), failed: count('failed'),
    ignored: inputs.ignored, gone: count('gone'), removed: count('removed'),
  }
  const balance = { read: sum(({ read }) => read), written: sum(({ written }) => written), skipped: sum(({ skipped }) => skipped), quarantined: sum(({ quarantined }) => quarantined) }
  const balances = balance.read === balance.written + balance.skipped + balance.quarantined && failure?.code !== 'BALANCE_BROKEN'
  const partial = files.failed + files.waiting + balance.quarantined > 0
  const interrupted = failure === null && tally.interrupted
  const state = failure !== null ? 'FAILED' : interrupted ? 'INTERRUPTED' : 'COMPLETED'
  const signals = [options.signal?.reason, options.now?.reason]
  const exit = failure !== null ? failure.exit : interrupted ? (signals.includes('SIGTERM') ? 143 : 130) : partial && options.allowPartial !== true ? 3 : 0
  const faults = [...(failure === null ? [] : [{ ...failure.where, code: failure.code, message: failure.message, hint: failure.hint }]), ...looked.failed.map(({ fault }) => fault), ...tally.faults]
  return {
    schema: 'sluice.convert/1', state, exit, to: options.to, output: folder, balance: { ...balance, balances }, files, reasons: tally.reasons,
    errors: faults.slice(0, 100), items, ms: Math.round(ms),
  }
}
