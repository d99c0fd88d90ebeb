/** `sluice load`: files into a table. The balance line is the last line of stdout. */
import { Command } from 'commander'
import { isAddress, parseAddress } from '../core/address.ts'
import { SluiceError, asSluiceError } from '../core/errors.ts'
import type { LoadEvent } from '../core/events.ts'
import { redact } from '../core/secret.ts'
import { effective } from '../config/effective.ts'
import { LOAD_SETTINGS } from '../config/load.ts'
import type { LoadSettings } from '../config/load.ts'
import { extensions } from '../core/reading.ts'
import type { LoadResult } from '../service/result.ts'
import type { LoadOptions } from '../service/options.ts'
import { systemClock } from '../storage/system.ts'
import { renderFaults } from './failure.ts'
import { showInterval } from '../core/interval.ts'
import { balanceLine, bytes, duration, number, plural } from './format.ts'
import { tellMisspelt } from './config.ts'
import { refuseLaterPlace } from './later.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'
import { eventDocument, openCommandLog } from './log.ts'
import { choosePipeline, noPipeline } from './pipeline.ts'
import { progressOf } from './progress.ts'
import { addSettings } from './settings.ts'
import { EXIT_OF, onInterruption } from './signals.ts'
import type { Stop } from './signals.ts'

interface LoadFlags extends Readonly<Record<string, unknown>> {
  pipeline?: string
  from?: string
}

export function loadCommand(run: Run): Command {
  const command = new Command('load')
    .description('load files into a table, every record exactly once')
    .argument('[path...]', `files, folders or quoted patterns: ${extensions()}; or the name of a pipeline`)
  return addSettings(command, LOAD_SETTINGS)
    .option('--from <source>', "a table of a database instead of files: 'sqlite:FILE?table=NAME&cursor=COLUMN&key=COLUMN', duckdb:FILE?table=… or postgres://…?table=…; query= instead of table=")
    .option('--pipeline <name>', 'the pipeline of the configuration; flags override what it says')
    .action((words: string[], flags: LoadFlags) => run(loadFiles)({ words, flags }))
}

async function loadFiles(output: Output, { words, flags }: { words: string[]; flags: LoadFlags }): Promise<number> {
  const options = loadOptions(output, words, flags)
  if (output.surroundings !== null) tellMisspelt(output, output.surroundings.sources)
  for (const path of options.paths) if (!isAddress(path)) refuseLaterPlace('path', path)
  const { to, ...rest } = options
  for (const place of [to ?? []].flat()) refuseLaterPlace('target', place)
  if (Array.isArray(to) && to.length > 1) return loadIntoEach(output, rest, to)
  const [only] = [to].flat()
  const result = await runLoad(output, { ...rest, ...(only === undefined ? {} : { to: only }) })
  output.document(result)
  summary(output, result, options.paths.some(isAddress))
  output.result(balanceLine(result.balance))
  return result.exit
}

/** The same into several targets; each is told of under its name. */
async function loadIntoEach(output: Output, options: Omit<LoadOptions, 'to' | 'dataDir'>, to: readonly string[]): Promise<number> {
  const { loadEach } = await import('../service/fan.ts')
  const result = await loadEach({ ...options, dataDir: output.dataDir, to }, async (one) => {
    const name = redact(one.to ?? '')
    output.note(output.style('bold', `→ ${name}`))
    try {
      const done = await runLoad(output, one, output.dataDir, name)
      summary(output, done, options.paths.some(isAddress))
      output.result(`${name}  ${balanceLine(done.balance)}`)
      return done
    } catch (thrown) {
      if (!output.json) output.fail(asSluiceError(thrown))
      output.result(`${name}  not loaded`)
      throw thrown
    }
  })
  output.document(result)
  return result.exit
}

/** What counts of flags, environment and configuration. @throws SluiceError USAGE when paths or the table are missing */
export function loadOptions(output: Output, words: readonly string[], flags: LoadFlags): LoadSettings {
  const sources = output.surroundings?.sources ?? { env: {}, envFile: null, config: null }
  const { from } = flags
  if (from !== undefined && !isAddress(from)) parseAddress(from)
  const { pipeline, paths } = choosePipeline('load', from === undefined ? words : [...words, from], flags.pipeline, sources.config)
  const { values } = effective(LOAD_SETTINGS, { ...sources, pipeline, flags: paths.length === 0 ? flags : { ...flags, paths } })
  const { into } = values
  if (values.paths === undefined) throw new SluiceError('USAGE', 'load needs at least one path: a file, a folder or a pattern.', sources.config === null ? {} : { hint: `${sources.config.path} has no pipeline to load.` })
  if (into === undefined) throw new SluiceError('USAGE', 'load needs the name of the table: --into NAME.', noPipeline(paths, sources.config))
  return { ...values, paths: values.paths, into }
}

/** Loads with progress on stderr and with the signals in hand. Also used by the demo. `into`: the target, where there are several. */
export async function runLoad(output: Output, options: Omit<LoadOptions, 'dataDir'>, dataDir = output.dataDir, into = ''): Promise<LoadResult> {
  const { load } = await import('../service/load.ts')
  const log = await openCommandLog(output, dataDir)
  const progress = progressOf(output, systemClock, process.env, into === '' ? 'load' : `load into ${into}`)
  let run: string | null = null
  const interruption = onInterruption((times) =>
    output.note(times === 1 ? 'Stopping: the batch in work is finished first. Once more stops at once; both can be resumed.' : 'Stopping at once. The same command goes on where it stopped.'),
  )
  try {
    const onEvent = (event: LoadEvent): void => {
      if (event.kind === 'run.started') run = event.run
      output.event(eventDocument(event, run, systemClock.now()))
      log.event(event)
      tell(output, event)
      progress.on(event)
    }
    const result = await load({ ...options, dataDir, onEvent, signal: interruption.signal, now: interruption.now })
    log.ended(result)
    return result.state === 'INTERRUPTED' && interruption.by !== null ? { ...result, exit: EXIT_OF[interruption.by] } : result
  } catch (thrown) {
    log.failed(thrown, into === '' ? {} : { target: into })
    // Stopped before the run began: there is no run to tell about, but it was the signal and no fault.
    if (interruption.by !== null && (interruption.now.aborted || !(thrown instanceof SluiceError))) throw new Stopped(interruption.by)
    throw thrown
  } finally {
    progress.end()
    interruption.release()
    log.close()
  }
}

/** INTERRUPTED with the exit code of its signal. */
class Stopped extends SluiceError {
  private readonly by: Stop
  constructor(by: Stop) {
    super('INTERRUPTED', `Stopped by ${by} before the run began.`)
    this.by = by
  }
  override get exit(): number {
    return EXIT_OF[this.by]
  }
}

/** What a person hears while it runs: notices always, arrivals and phases under -v. */
function tell(output: Output, event: LoadEvent): void {
  switch (event.kind) {
    case 'run.started':
      return output.detail(`  run ${event.run} into ${event.target}`)
    case 'discovered':
      return output.note(`  ${plural(event.files, 'file')} to read · ${bytes(event.bytes)} · ${number(event.known)} known${event.ignored === 0 ? '' : ` · ${number(event.ignored)} ignored`}`)
    case 'arrival.ended': {
      const { outcome } = event
      const why = outcome.fault === null ? '' : `  ${outcome.fault.code}`
      return output.detail(`  ${outcome.state.padEnd(7)} ${event.path}  ${bytes(outcome.bytes)} · ${plural(outcome.read, 'record')} · ${duration(event.ms)}${why}`)
    }
    case 'phase':
      if (event.phase === 'recovered') return output.note(`  ${event.phase.padEnd(9)} ${event.batch}  ${event.detail}`)
      return output.detail(`  ${event.phase.padEnd(9)} ${event.batch}  ${duration(event.ms)}  ${event.detail}`)
    case 'model': {
      const { name, state, how, groups, rows } = event.outcome
      if (state !== 'fresh') return
      return output.note(`  model   ${name}  ${how === 'full' ? 'recomputed' : plural(groups ?? 0, 'group')} · ${plural(rows ?? 0, 'row')}`)
    }
    case 'notice':
      return output.note(`  note: ${event.text}`)
    case 'progress':
  }
}

/** Everything but the balance line: it stands alone on stdout. */
export function summary(output: Output, result: LoadResult, fromTable: boolean): void {
  const { files, errors, reasons } = result
  for (const text of renderFaults(errors, reasons, (style, word) => output.style(style, word))) {
    // These are errors: -q lets them pass, unless --allow-partial said that they are none.
    output.fault(text, result.exit)
  }
  output.note(`  ${filesLine(output, files)}   ${duration(result.ms)}`)
  if (files.total > 0 && files.known === files.total) output.note(`  ${plural(files.known, 'file')} already completed (same SHA-256${result.dates === null ? '' : ', these dates'}) · 0 read · nothing to do    use --reload to read them again`)
  // Of what was not looked at nothing can be said.
  else if (files.total === 0 && result.state === 'COMPLETED') output.note(fromTable ? '  Nothing there is new since it was read.' : `  There is nothing to load here: no file named ${extensions()}.`)
  if (result.dates !== null && files.loaded > 0) {
    const { outside, undated } = result.aside
    const parts = [...(outside === 0 ? [] : [`${plural(outside, 'record')} of other dates or brought before`]), ...(undated === 0 ? [] : [`${plural(undated, 'record')} without a date`])]
    output.note(`  by ${result.dates.field}, ${showInterval(result.dates)} · left out: ${parts.length === 0 ? 'nothing' : parts.join(', ')}`)
    if (undated > 0) output.note('  records without a date belong to no day: a load without --since and --until brings them')
  }
  if (result.state === 'INTERRUPTED') output.note(`  ${output.style('yellow', 'interrupted')}: the same command goes on where it stopped`)
  for (const { name, state, message } of result.models) {
    if (state === 'waiting') output.note(`  model ${name} waits: ${message ?? ''}`)
    if (state === 'failed') output.note(`  model ${name} is behind: its rows are those of before; sluice models show ${name}`)
  }
  output.note(`  table ${result.table} at ${result.target}${result.version === null ? ' (not made yet)' : ` · version ${result.version}`}`)
  const next = result.balance.quarantined + result.balance.evicted > 0 ? `sluice rejects ls --run ${result.run}` : files.failed > 0 ? `sluice files ls --table ${result.table} --state FAILED` : null
  if (next !== null) output.note(`  next:  ${next}    (exit ${result.exit})`)
}

export function filesLine(output: Output, files: LoadResult['files']): string {
  return [
    `${output.style('green', '✓')} ${number(files.loaded)} loaded`,
    ...(files.known === 0 ? [] : [`= ${number(files.known)} known`]),
    ...(files.waiting === 0 ? [] : [`${output.style('yellow', '!')} ${number(files.waiting)} waiting`]),
    ...(files.failed === 0 ? [] : [`${output.style('red', '✗')} ${number(files.failed)} failed`]),
  ].join('   ')
}
