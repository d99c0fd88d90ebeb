/** `sluice convert`: files into files of another format, one to one. The balance line is the last line of stdout. */
import { Command } from 'commander'
import { OUTPUT_FORMATS } from '../core/convert.ts'
import type { ConvertEvent, ConvertItem } from '../core/converting.ts'
import { SluiceError } from '../core/errors.ts'
import { CONVERT_SETTINGS } from '../config/convert.ts'
import type { ConvertSettings } from '../config/convert.ts'
import { effective } from '../config/effective.ts'
import { extensions } from '../core/reading.ts'
import type { ConvertResult } from '../service/convert.ts'
import { renderFaults } from './failure.ts'
import { bytes, duration, number, plural } from './format.ts'
import { refuseLaterPlace } from './later.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'
import { choosePipeline } from './pipeline.ts'
import { addSettings } from './settings.ts'
import { transfer } from './transfer.ts'

interface ConvertFlags extends Readonly<Record<string, unknown>> {
  pipeline?: string
}

export function convertCommand(run: Run): Command {
  const command = new Command('convert')
    .description('convert files into files of another format, one to one')
    .argument('[path...]', `files, folders or quoted patterns: ${extensions()}; or the name of a pipeline`)
  return addSettings(command, CONVERT_SETTINGS)
    .option('--pipeline <name>', 'the pipeline of the configuration; flags override what it says')
    .action((words: string[], flags: ConvertFlags) => run(convertFiles)({ words, flags }))
}

/** What counts of flags, environment and configuration. @throws SluiceError USAGE when paths, format or folder are missing */
function optionsOf(output: Output, words: readonly string[], flags: ConvertFlags): ConvertSettings {
  const sources = output.surroundings?.sources ?? { env: {}, envFile: null, config: null }
  const { pipeline, paths } = choosePipeline('convert', words, flags.pipeline, sources.config)
  const { values } = effective(CONVERT_SETTINGS, { ...sources, pipeline, flags: paths.length === 0 ? flags : { ...flags, paths } })
  const { to, output: folder } = values
  if (values.paths === undefined) throw new SluiceError('USAGE', 'convert needs at least one path: a file, a folder or a pattern.')
  if (to === undefined) throw new SluiceError('USAGE', `convert needs the format of the outputs: --to ${OUTPUT_FORMATS.join('|')}.`)
  if (folder === undefined) throw new SluiceError('USAGE', 'convert needs the folder of the outputs: -o DIR.')
  return { ...values, paths: values.paths, to, output: folder }
}

async function convertFiles(output: Output, { words, flags }: { words: string[]; flags: ConvertFlags }): Promise<number> {
  const options = optionsOf(output, words, flags)
  for (const path of options.paths) refuseLaterPlace('path', path)
  const { convert } = await import('../service/convert.ts')
  const places = { paths: options.paths.slice(0, 10).join(' '), to: options.to, output: options.output }
  const result = await transfer<ConvertItem, ConvertResult>(output, 'convert', places, (event) => tell(output, event), (hooks) => convert({ ...options, dataDir: output.dataDir, ...hooks }))
  output.document(result)
  summary(output, result)
  output.result(convertLine(result.balance))
  return result.exit
}

function tell(output: Output, event: ConvertEvent): void {
  if (event.kind === 'discovered') {
    output.note(`  ${plural(event.files, 'file')} to convert · ${bytes(event.bytes)} · ${number(event.known)} known${event.ignored === 0 ? '' : ` · ${number(event.ignored)} ignored`}`)
  } else if (event.kind === 'notice') output.note(`  note: ${event.text}`)
  else if (event.kind === 'file.ended') {
    const { item } = event
    // What is gone is said also without -v: nothing else shows it.
    const say = item.state === 'gone' || item.state === 'removed' ? output.note.bind(output) : output.detail.bind(output)
    say(`  ${item.state.padEnd(9)} ${item.path}${item.output === null ? '' : ` → ${item.output}`}${countsOf(item)}`)
  }
}

function countsOf(item: ConvertItem): string {
  if (item.fault !== null) return `  ${item.fault.code}`
  return item.read === 0 ? '' : `  ${plural(item.read, 'record')}${item.quarantined === 0 ? '' : ` · ${number(item.quarantined)} quarantined`}${item.skipped === 0 ? '' : ` · ${number(item.skipped)} skipped`}`
}

/** `1,000 read = 999 written + 1 quarantined   ✓ balances` */
export function convertLine(balance: ConvertResult['balance']): string {
  const terms = [`${number(balance.written)} written`, ...(balance.skipped === 0 ? [] : [`${number(balance.skipped)} skipped`]), `${number(balance.quarantined)} quarantined`]
  return `${number(balance.read)} read = ${terms.join(' + ')}   ${balance.balances ? '✓ balances' : '✗ does not balance'}`
}

function summary(output: Output, result: ConvertResult): void {
  const { files, errors, reasons } = result
  for (const text of renderFaults(errors, reasons, (style, word) => output.style(style, word))) output.fault(text, result.exit)
  const parts = [
    `${output.style('green', '✓')} ${number(files.converted)} converted`,
    ...(files.known === 0 ? [] : [`= ${number(files.known)} known`]),
    ...(files.waiting === 0 ? [] : [`${output.style('yellow', '!')} ${number(files.waiting)} waiting`]),
    ...(files.failed === 0 ? [] : [`${output.style('red', '✗')} ${number(files.failed)} failed`]),
    ...(files.removed === 0 ? [] : [`- ${number(files.removed)} removed`]),
    ...(files.gone === 0 ? [] : [`? ${number(files.gone)} without an input`]),
  ]
  output.note(`  ${parts.join('   ')}   ${duration(result.ms)}`)
  if (files.total === 0) output.note(`  There is nothing to convert here: no file named ${extensions()}.`)
  if (files.gone > 0) output.note('  --mirror removes outputs whose inputs are gone.')
  if (result.state === 'INTERRUPTED') output.note(`  ${output.style('yellow', 'interrupted')}: the same command goes on where it stopped`)
  output.note(`  ${result.to} in ${result.output}`)
  if (result.balance.quarantined > 0) output.note(`  next:  look into ${result.output}/_rejects    (exit ${result.exit})`)
}
