/** `sluice runs ls|show`: every run with its balance. */
import { Command } from 'commander'
import type { RunRow } from '../core/ledger.ts'
import { renderWhere } from './failure.ts'
import { shortTable } from './files.ts'
import { balanceLine, duration, number, time } from './format.ts'
import { browsing, given, ofTable, pageOf, paged, printItem, printPage } from './listing.ts'
import type { PageFlags, TableFlags } from './listing.ts'
import { filesLine } from './load.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'

type RunsFlags = PageFlags & TableFlags

export function runsCommand(run: Run): Command {
  const command = new Command('runs').description('every run with its balance')
  ofTable(paged(command.command('ls').description('list runs, the newest first')))
    .action((flags: RunsFlags) => run(list)(flags))
  command
    .command('show')
    .description('everything about one run')
    .argument('<run>', 'its id, such as r_m2k4x1ab')
    .action((id: string) => run(show)({ id }))
  return command
}

const SPECS = [{ name: 'run' }, { name: 'state' }, { name: 'table' }, { name: 'started (UTC)' }, { name: 'exit', right: true }, { name: 'files', right: true }, { name: 'balance' }]

async function list(output: Output, flags: RunsFlags): Promise<number> {
  const range = pageOf(flags)
  return browsing(output, async (browser) => {
    const page = await browser.runs({ ...range, ...given({ table: flags.table, to: flags.to }) })
    printPage(output, 'runs.ls', page, { specs: SPECS, row: rowOf, empty: 'There is no run yet.' })
    return 0
  })
}

function rowOf(run: RunRow): string[] {
  return [run.id, run.state, shortTable(run.table), time(run.startedAt), run.exit === null ? '' : String(run.exit), number(run.files.total), balanceLine({ ...run.balance, evicted: run.evicted })]
}

function show(output: Output, { id }: { id: string }): Promise<number> {
  return browsing(output, async (browser) => {
    const run = await browser.run(id)
    const reasons = Object.entries(run.reasons).map(([code, count]) => `${number(count)} ${code}`)
    printItem(output, 'runs.show', run, [
      ['run', run.id],
      ['state', `${run.state}${run.exit === null ? '' : ` · exit ${run.exit}`}`],
      ['command', `sluice ${run.command}`],
      ['table', run.table],
      ['balance', balanceLine({ ...run.balance, evicted: run.evicted })],
      ['files', filesLine(output, run.files)],
      ['reasons', reasons.join(' · ')],
      ['fault', run.fault === null ? '' : `${run.fault.code}: ${run.fault.message}`],
      ['where', run.fault === null ? '' : renderWhere(run.fault)],
      ['started', time(run.startedAt)],
      ['phases', run.phases === null ? '' : Object.entries(run.phases).map(([phase, ms]) => `${phase} ${number(ms)} ms`).join(' · ')],
      ['ended', run.endedAt === null ? '' : `${time(run.endedAt)} (${duration(run.endedAt - run.startedAt)})`],
    ])
    return 0
  })
}
