/** `sluice sync`: exact copies of a folder's files, proven at both ends. */
import { Command } from 'commander'
import { effective } from '../config/effective.ts'
import { SYNC_SETTINGS } from '../config/sync.ts'
import type { SyncSettings } from '../config/sync.ts'
import { SluiceError } from '../core/errors.ts'
import type { SyncEvent, SyncItem } from '../core/sync.ts'
import type { SyncResult } from '../service/sync.ts'
import { renderFaults } from './failure.ts'
import { bytes, duration, number, plural } from './format.ts'
import { refuseLaterPlace } from './later.ts'
import type { Output } from './output.ts'
import { choosePipeline } from './pipeline.ts'
import type { Run } from './program.ts'
import { addSettings } from './settings.ts'
import { transfer } from './transfer.ts'

interface SyncFlags extends Readonly<Record<string, unknown>> {
  pipeline?: string
}

export function syncCommand(run: Run): Command {
  const command = new Command('sync')
    .description('copy the files of a folder exactly, SHA-256 proven at both ends')
    .argument('[folder...]', 'from and to; or the name of a pipeline')
  return addSettings(command, SYNC_SETTINGS)
    .option('--pipeline <name>', 'the pipeline of the configuration; flags override what it says')
    .action((words: string[], flags: SyncFlags) => run(syncFolders)({ words, flags }))
}

function optionsOf(output: Output, words: readonly string[], flags: SyncFlags): SyncSettings {
  const sources = output.surroundings?.sources ?? { env: {}, envFile: null, config: null }
  const { pipeline, paths } = choosePipeline('sync', words, flags.pipeline, sources.config)
  if (paths.length > 0 && paths.length !== 2) throw new SluiceError('USAGE', `sync needs two folders, from and to; ${paths.length} ${paths.length === 1 ? 'was' : 'were'} given.`)
  const [from, to] = paths
  const { values } = effective(SYNC_SETTINGS, { ...sources, pipeline, flags: from === undefined || to === undefined ? flags : { ...flags, from, to } })
  if (values.from === undefined || values.to === undefined) throw new SluiceError('USAGE', 'sync needs two folders: sluice sync FROM TO.')
  return { ...values, from: values.from, to: values.to }
}

async function syncFolders(output: Output, { words, flags }: { words: string[]; flags: SyncFlags }): Promise<number> {
  const options = optionsOf(output, words, flags)
  for (const path of [options.from, options.to]) refuseLaterPlace('path', path)
  const { sync } = await import('../service/sync.ts')
  const result = await transfer<SyncItem, SyncResult>(output, 'sync', { from: options.from, to: options.to }, (event) => tell(output, event), (hooks) => sync({ ...options, ...hooks }))
  output.document(result)
  summary(output, result)
  output.result(syncLine(result))
  return result.exit
}

function tell(output: Output, event: SyncEvent): void {
  if (event.kind === 'discovered') {
    output.note(`  ${plural(event.files, 'file')} to copy · ${bytes(event.bytes)} · ${number(event.known)} known${event.ignored === 0 ? '' : ` · ${number(event.ignored)} left out`}`)
  } else if (event.kind === 'notice') output.note(`  note: ${event.text}`)
  else if (event.kind === 'file.ended') {
    const { item } = event
    const say = item.state === 'gone' || item.state === 'removed' ? output.note.bind(output) : output.detail.bind(output)
    const parts = `${item.kept === 0 ? '' : ` · ${plural(item.kept, 'part')} kept`}${item.retried === 0 ? '' : ` · ${plural(item.retried, 'part')} tried again`}`
    say(`  ${item.state.padEnd(8)} ${item.path} → ${item.copy}${item.fault !== null ? `  ${item.fault.code}` : item.bytes === 0 ? '' : `  ${bytes(item.bytes)}${parts}`}${item.sha256 === null ? '' : `  ${item.sha256.slice(0, 12)}`}`)
  }
}

/** `12 files = 3 copied + 1 replaced + 8 known   ✓ SHA-256 equal at both ends` */
export function syncLine({ files }: Pick<SyncResult, 'files'>): string {
  const terms = (['copied', 'replaced', 'repaired', 'verified', 'known', 'waiting', 'failed'] as const).flatMap((state) => (files[state] === 0 && state !== 'copied' ? [] : [`${number(files[state])} ${state}`]))
  const others = (['removed', 'gone'] as const).flatMap((state) => (files[state] === 0 ? [] : [`   ${number(files[state])} ${state}`]))
  // A sync that was stopped, or that a full disk ended, has not come to all of them.
  const left = files.total - files.copied - files.replaced - files.repaired - files.verified - files.known - files.waiting - files.failed
  if (left > 0) terms.push(`${number(left)} left to do`)
  return `${plural(files.total, 'file')} = ${terms.join(' + ')}   ${files.waiting + files.failed + left === 0 ? '✓ SHA-256 equal at both ends' : '✗ not all of them were copied'}${others.join('')}`
}

function summary(output: Output, result: SyncResult): void {
  for (const text of renderFaults(result.errors, {}, (style, word) => output.style(style, word))) output.fault(text, result.exit)
  if (result.files.gone > 0) output.note('  --mirror removes copies whose sources are gone.')
  if (result.state === 'INTERRUPTED') output.note(`  ${output.style('yellow', 'interrupted')}: the same command goes on where it stopped`)
  output.note(`  ${bytes(result.bytes)} copied to ${result.to} in ${duration(result.ms)}`)
}
