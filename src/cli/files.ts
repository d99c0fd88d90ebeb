/** `sluice files ls|show`: what became of every file. */
import { Command, Option } from 'commander'
import { describeDeath } from '../core/death.ts'
import { showIntervals } from '../core/interval.ts'
import type { ArrivalRow, ArrivalState } from '../core/ledger.ts'
import { renderWhere } from './failure.ts'
import { balanceLine, bytes, number, time } from './format.ts'
import { browsing, given, ofTable, pageOf, paged, printItem, printPage } from './listing.ts'
import type { PageFlags, TableFlags } from './listing.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'

interface FilesFlags extends PageFlags, TableFlags {
  state?: ArrivalState
  name?: string
}

export function filesCommand(run: Run): Command {
  const command = new Command('files').description('what became of every file')
  ofTable(paged(command.command('ls').description('list files in the order in which they were numbered')))
    .addOption(new Option('--state <state>', 'only in this state').choices(['PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED']))
    .option('--name <text>', 'only paths that contain this')
    .action((flags: FilesFlags) => run(list)(flags))
  command
    .command('show')
    .description('everything about one file')
    .argument('<file>', 'its path, <table>/<number>, the beginning of its SHA-256 (six digits or more), or a part of its path')
    .option('--to <target>', 'only in this target, when several have a table of this name')
    .action((file: string, { to }: TableFlags) => run(show)({ file, to }))
  return command
}

const SPECS = [{ name: 'state' }, { name: 'file' }, { name: 'size', right: true }, { name: 'read', right: true }, { name: 'inserted', right: true }, { name: 'updated', right: true }, { name: 'duplicate', right: true }, { name: 'quarantined', right: true }, { name: 'path' }, { name: 'why' }]

async function list(output: Output, flags: FilesFlags): Promise<number> {
  const range = pageOf(flags)
  return browsing(output, async (browser) => {
    const { table, to, state, name } = flags
    const page = await browser.files({ ...range, ...given({ table, to, state, name }) })
    printPage(output, 'files.ls', page, { specs: SPECS, row: rowOf, empty: 'No file matches.' })
    return 0
  })
}

function rowOf(file: ArrivalRow): string[] {
  const { counts } = file
  const count = (value: number | undefined): string => (value === undefined ? '—' : number(value))
  const copy = file.sameAs === null ? '' : `same bytes as ${shortTable(file.table)}/${file.sameAs}`
  const only = file.covered === null ? '' : `only ${showIntervals(file.covered)}`
  const why = [file.fault?.code ?? copy, only].filter((text) => text !== '').join(' · ')
  return [file.state, `${shortTable(file.table)}/${file.seq}`, bytes(file.size), count(counts?.read), count(counts?.inserted), count(counts?.updated), count(counts?.duplicate), count(counts?.quarantined), file.path, why]
}

/** The table's name, from its URI: what follows the last `#` or `/`. */
export function shortTable(uri: string): string {
  return uri.slice(Math.max(uri.lastIndexOf('/'), uri.lastIndexOf('#')) + 1)
}

function show(output: Output, { file, to }: { file: string; to: string | undefined }): Promise<number> {
  return browsing(output, async (browser) => {
    const item = await browser.file(file, to)
    const { fault } = item
    printItem(output, 'files.show', item, [
      ['file', `${shortTable(item.table)}/${item.seq}`],
      ['path', item.path],
      ['also as', item.paths.filter((path) => path !== item.path).join(', ')],
      ['state', `${item.state} · ${item.attempts} ${item.attempts === 1 ? 'attempt' : 'attempts'}`],
      ['size', bytes(item.size)],
      ['sha-256', item.sha256 === null ? '' : `${item.sha256}${item.generation === 0 ? '' : ` generation ${item.generation}`}`],
      ['same as', item.sameAs === null ? '' : `${shortTable(item.table)}/${item.sameAs}`],
      ['table', item.table],
      ['dates in', item.covered === null ? '' : showIntervals(item.covered)],
      ['balance', item.counts === null ? '' : balanceLine(item.counts)],
      ['fault', fault === null ? '' : `${fault.code}: ${fault.message}`],
      ['where', fault === null ? '' : renderWhere(fault)],
      ['deaths', item.deaths.map((death) => `${describeDeath(death)}${death.alone ? '' : ', others were with it'} · ${time(death.at)}`).join('\n')],
      ['run', item.run ?? ''],
      ['batch', item.batch ?? ''],
      ['worker', item.worker ?? ''],
      ['offered', time(item.offeredAt)],
      ['started', time(item.startedAt)],
      ['ended', time(item.endedAt)],
    ])
    return 0
  })
}
