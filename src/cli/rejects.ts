/** `sluice rejects ls|show`: the records that did not get in, and why. */
import { Command } from 'commander'
import type { RejectItem } from '../service/rejects.ts'
import { number } from './format.ts'
import { browsing, given, ofTable, pageOf, paged, printItem, printPage, unseenExit } from './listing.ts'
import type { PageFlags, TableFlags } from './listing.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'

interface RejectsFlags extends PageFlags, TableFlags {
  run?: string
  code?: string
}

export function rejectsCommand(run: Run): Command {
  const command = new Command('rejects').description('the records that did not get in, and why')
  ofTable(paged(command.command('ls').description('list quarantined records')))
    .option('--run <run>', 'only those that this run put aside')
    .option('--code <code>', 'only with this reason, such as KEY_MISSING')
    .action((flags: RejectsFlags) => run(list)(flags))
  command
    .command('show')
    .description('one record with its text as it lay in the file (KEY_REPEATED: its typed row)')
    .argument('<reject>', 'its id, such as events/12-3')
    .option('--to <target>', 'only in this target, when several have a table of this name')
    .action((id: string, { to }: TableFlags) => run(show)({ id, to }))
  return command
}

const SPECS = [{ name: 'reject' }, { name: 'code' }, { name: 'row', right: true }, { name: 'byte', right: true }, { name: 'column' }, { name: 'value' }, { name: 'path' }]
const SHOWN = 32

async function list(output: Output, flags: RejectsFlags): Promise<number> {
  const range = pageOf(flags)
  return browsing(output, async (browser) => {
    const { table, to, run, code } = flags
    const page = await browser.rejects({ ...range, ...given({ table, to, run, code: code?.toUpperCase() }) })
    printPage(output, 'rejects.ls', page, { specs: SPECS, row: rowOf, empty: page.unseen.length === 0 ? 'Nothing is quarantined.' : 'Nothing is quarantined in what could be asked.' })
    for (const { name, uri, fault } of page.unseen) output.note(`? ${name} at ${uri}: ${fault.code}`)
    return unseenExit(output, page.unseen)
  })
}

function rowOf(reject: RejectItem): string[] {
  const value = reject.value ?? ''
  return [reject.id, reject.code, number(reject.row), reject.offset === null ? '' : number(reject.offset), reject.column ?? '', value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value, reject.path ?? '']
}

function show(output: Output, { id, to }: { id: string; to: string | undefined }): Promise<number> {
  return browsing(output, async (browser) => {
    const reject = await browser.reject(id, to)
    printItem(output, 'rejects.show', reject, [
      ['reject', reject.id],
      ['reason', `${reject.code}: ${reject.message}`],
      ['file', [reject.path, reject.row, reject.offset].filter((part) => part !== null).join(':')],
      ['row', number(reject.row)],
      ['byte', reject.offset === null ? '' : number(reject.offset)],
      ['column', reject.column ?? ''],
      ['value', reject.value ?? ''],
      ['record', reject.raw ?? ''],
      ['help', reject.hint],
    ])
    return 0
  })
}
