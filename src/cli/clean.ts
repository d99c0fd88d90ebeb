/** `sluice clean`: lists what is left over, asks, removes it. */
import { Command } from 'commander'
import type { CleanKind, CleanPlan } from '../service/clean.ts'
import { confirm } from './confirm.ts'
import { bytes, columns, number, plural } from './format.ts'
import { logFolder } from './log.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'

interface CleanFlags {
  attempts?: boolean
  spool?: boolean
  logs?: boolean
  data?: boolean
  yes?: boolean
  dryRun?: boolean
}

export function cleanCommand(run: Run): Command {
  return new Command('clean')
    .description('remove what is left over: files of dead attempts, spools and logs; tables and ledger stay')
    .option('--attempts', 'only files of Delta tables that no commit names, older than an hour')
    .option('--spool', 'only what dead processes left in the spool')
    .option('--logs', 'only logs')
    .option('--data', 'everything in the data folder: tables, ledger, logs')
    .option('--dry-run', 'list it and remove nothing')
    .option('-y, --yes', 'do not ask (needed where nobody can be asked)')
    .action((flags: CleanFlags) => run(clean)(flags))
}

async function clean(output: Output, flags: CleanFlags): Promise<number> {
  const { planClean, runClean } = await import('../service/clean.ts')
  const plan = await planClean(output.dataDir, logFolder(output), kindsOf(flags))
  const size = plan.items.reduce((sum, item) => sum + item.bytes, 0)
  const files = plan.items.reduce((sum, item) => sum + item.files, 0)
  list(output, plan)
  const what = `${plural(files, 'file')}, ${bytes(size)}`
  const asked = flags.dryRun !== true && plan.items.length > 0
  if (asked && flags.yes !== true && !(await confirm(output, flags.data === true ? `Remove ${what}, with every table and the ledger in ${plan.dataDir}?` : `Remove ${what}?`))) {
    output.note('Nothing was removed.')
    return 0
  }
  if (asked) await runClean(plan)
  output.document({ schema: 'sluice.clean/1', exit: 0, removed: asked, files, bytes: size, items: plan.items, kept: plan.kept })
  output.result(plan.items.length === 0 ? 'There is nothing to remove.' : asked ? `✓ removed ${what}` : `would remove ${what}`)
  return 0
}

/** Without a choice: all that is left over. */
function kindsOf(flags: CleanFlags): ReadonlySet<CleanKind> {
  const chosen = (['attempts', 'spool', 'logs', 'data'] as const).filter((kind) => flags[kind] === true)
  if (chosen.includes('data')) return new Set(['data', 'logs'])
  return new Set(chosen.length > 0 ? chosen : ['attempts', 'spool', 'logs'])
}

/** Goes to stderr: the question stands under it, and stdout has the result. */
function list(output: Output, plan: CleanPlan): void {
  if (plan.items.length > 0) output.note(columns([{ name: 'what' }, { name: 'files', right: true }, { name: 'size', right: true }, { name: 'path' }], plan.items.map((item) => [item.kind, number(item.files), bytes(item.bytes), item.path])))
  for (const { path, why } of plan.kept) output.note(`  stays: ${path}: ${why}`)
}
