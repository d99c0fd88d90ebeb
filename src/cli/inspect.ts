/** `sluice inspect`: what a load would understand of a file. Nothing is loaded or kept. */
import { Command } from 'commander'
import { effective } from '../config/effective.ts'
import { INSPECT_SETTINGS } from '../config/inspect.ts'
import { SluiceError } from '../core/errors.ts'
import type { Inspected, InspectedColumn } from '../core/inspect.ts'
import { extensions } from '../core/reading.ts'
import { bytes, columns, number, plural } from './format.ts'
import { renderWhere } from './failure.ts'
import { refuseLaterPlace } from './later.ts'
import { exactJson } from './output.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'
import { addSettings } from './settings.ts'

interface InspectFlags extends Readonly<Record<string, unknown>> {
  rows?: string
  full?: boolean
}

export function inspectCommand(run: Run): Command {
  const command = new Command('inspect')
    .description('what a load would understand of files: format, columns, types, first rows, faults; loads nothing')
    .argument('<path...>', `files, folders or quoted patterns: ${extensions()}`)
  return addSettings(command, INSPECT_SETTINGS)
    .option('--rows <n>', 'records that are shown of each file', '5')
    .option('--full', 'read whole files, not only the first 10,000 records')
    .action((paths: string[], flags: InspectFlags) => run(inspectFiles)({ paths, flags }))
}

async function inspectFiles(output: Output, { paths, flags }: { paths: string[]; flags: InspectFlags }): Promise<number> {
  for (const path of paths) refuseLaterPlace('path', path)
  const { rows = '5', full, ...said } = flags
  if (!/^\d{1,6}$/.test(rows)) throw new SluiceError('USAGE', `--rows ${rows} is not a number from 0.`)
  const sources = output.surroundings?.sources ?? { env: {}, envFile: null, config: null }
  const { values } = effective(INSPECT_SETTINGS, { ...sources, pipeline: null, flags: said })
  const { inspect } = await import('../service/inspect.ts')
  const result = await inspect({ ...values, paths, rows: Number(rows), full: full === true, dataDir: output.dataDir })
  output.document({ ...result, items: result.items.map((item) => ({ ...item, first: item.first.map((text) => (isJson(item) ? exactJson(text) : text)) })) })
  if (result.items.length === 0) output.note(`There is nothing here: no file named ${extensions()}.`)
  for (const item of result.items) output.result(`${render(output, item)}\n`)
  return result.exit
}

/** Rows of CSV are shown as they lie, all other records as JSON. */
function isJson({ format }: Inspected): boolean {
  return format !== 'csv' && format !== 'tsv'
}

function render(output: Output, item: Inspected): string {
  const head = [
    item.format ?? 'no format',
    ...item.packed.map((packing) => `in ${packing}`),
    bytes(item.bytes),
    // A file that is refused as a whole has no number of records, and none is not what was found.
    ...(item.rows.exact || item.rows.count > 0 ? [`${item.rows.exact ? '' : 'about '}${plural(item.rows.count, 'record')}`] : []),
    ...(item.read < item.rows.count ? [`${number(item.read)} looked at`] : []),
    ...(item.bad > 0 ? [output.style('yellow', `${number(item.bad)} bad`)] : []),
  ]
  return [
    output.style('bold', item.path),
    `  ${head.join(' · ')}`,
    ...item.notices.map((text) => `  note: ${text}`),
    ...(item.columns.length === 0 ? [] : ['', indented(columns([{ name: 'column' }, { name: 'type' }, { name: 'why' }], item.columns.map((column) => [column.name, column.type ?? 'none', why(column)])))]),
    ...(item.first.length === 0 ? [] : ['', ...item.first.map((text) => `  ${short(text)}`)]),
    ...(item.faults.length === 0 ? [] : ['', ...item.faults.map((fault) => `  ${output.style('yellow', fault.code)}  ${fault.message}${where(fault)}`)]),
  ].join('\n')
}

/** What the type comes from; a type that is wider than a value of it needs the other values for a reason. */
function why({ type, from, saw, original }: InspectedColumn): string {
  const called = original === null ? '' : ` (in the records: ${original})`
  if (from === 'declared') return `declared${called}`
  if (type === null) return `no value was seen${called}`
  const seen = saw.map(({ kind, value, row }) => `${kind} ${JSON.stringify(value.length > 24 ? `${value.slice(0, 24)}…` : value)} in row ${number(row)}`).join(', ')
  return `${from === 'file' ? ['the file says so', ...(seen === '' ? [] : [seen])].join('; ') : seen}${called}`
}

const WIDEST = 160

function short(text: string): string {
  return text.length > WIDEST ? `${text.slice(0, WIDEST)}…` : text
}
function indented(text: string): string {
  return text.split('\n').map((line) => `  ${line}`).join('\n')
}
function where(fault: Inspected['faults'][number]): string {
  const { path: _, ...place } = fault
  const text = renderWhere(place)
  return text === '' ? '' : `  (${text})`
}
